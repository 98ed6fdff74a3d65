"""What costs time and what would recover it: ranked findings, each with its evidence in cycles.

In: a `View` of an archive whose report records causes. Out: `Finding` records, the costliest first. Each has the form
of a linter's rule: what is wrong, the evidence, what to do, and the layers concerned. ``cycles`` are of one run of the
batch that was built. They are held to lie within 0.5 to 1.5 of what following the advice recovers: for each kind a
test builds the network that follows it, and for every finding on each network of the benchmarks. What the EV74 does
has bytes and steps, never cycles: the model has none.
"""

from __future__ import annotations

from sima_compiler.view.advice.channels import idle_lanes
from sima_compiler.view.advice.depthwise import large_kernels, many_channels
from sima_compiler.view.advice.evidence import LEAST_SHARE
from sima_compiler.view.advice.hosts import host_switches
from sima_compiler.view.advice.larger_batch import larger_batch
from sima_compiler.view.advice.limits import batch_limit, padded_outputs, spills
from sima_compiler.view.records import Finding, View


def findings_of(view: View) -> tuple[Finding, ...]:
    """Every finding that is worth its line; nothing where the archive does not record the run."""
    runtime = view.totals.runtime_cycles
    if not runtime or not view.totals.cause_cycles:
        return ()
    layers = list(view.layers)
    found = (
        idle_lanes(view, layers),
        large_kernels(view, layers),
        many_channels(view, layers),
        larger_batch(view, layers),
        spills(view, layers),
        batch_limit(view),
        padded_outputs(view),
        *host_switches(view),
    )
    kept = [one for one in found if one is not None and (one.cycles is None or one.cycles >= runtime * LEAST_SHARE)]
    return tuple(sorted(kept, key=lambda one: (-(one.cycles or 0), -(one.bytes or 0))))
