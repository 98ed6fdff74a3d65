"""What a finding of `sima_compiler.view.advice` says, done: the network or the compile is changed, and compiled.

In: a network's `Graph`, the View of its archive and one of its findings. Out: the View after the change, and what the
change recovered in the terms of the claim: cycles of one run of the batch that was built before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sima_compiler import Machine
from sima_compiler.compilation import CompileOptions, compile_graph
from sima_compiler.ir.graph import Graph
from sima_compiler.view import Finding, View, view_of
from tests.support.rebuilt import with_channels, with_kernels

LANES, SMALL_KERNEL = 16, 3
#: On-chip memory, over the machine's own, in which no map of a test is spilled.
ROOMY = 16


@dataclass(frozen=True, slots=True)
class Setting:
    """How a network is compiled; ``quads`` None takes the machine's."""

    folder: Path
    machine: Machine
    batch: int = 1
    quads: int | None = None


def compiled(graph: Graph, setting: Setting) -> View:
    """The View of the archive."""
    options = CompileOptions(
        output_path=setting.folder,
        batch_size=setting.batch,
        compress=True,
        machine=setting.machine,
        quads=setting.quads or setting.machine.quads,
        source_checksum="0" * 64,
    )
    return view_of(compile_graph(graph, options).archive)


def followed(graph: Graph, before: View, finding: Finding, setting: Setting) -> View:
    """The View after doing what the finding says."""
    concerned = {source for layer in before.layers if layer.id in finding.layers for source in layer.sources}
    match finding.kind:
        case "larger_batch":
            asked = int(finding.advice.partition("--batch-size ")[2].partition(")")[0])
            return compiled(graph, replace(setting, batch=asked))
        case "depthwise":
            return compiled(with_channels(graph, concerned, lambda channels: channels // 2), setting)
        case "large_depthwise":
            return compiled(with_kernels(graph, concerned, SMALL_KERNEL), setting)
        case "idle_lanes":
            return compiled(with_channels(graph, concerned, _whole_lanes), setting)
        case "spills":
            machine = setting.machine
            roomy = replace(machine, sram_bytes_per_quad=ROOMY * machine.sram_bytes_per_quad)
            return compiled(graph, replace(setting, machine=roomy))
        case _:
            raise AssertionError(f"nobody knows how to follow {finding.kind}: {finding.advice}")


def per_sample(view: View) -> float:
    """Cycles of the run for one sample."""
    return (view.totals.runtime_cycles or 0) / (view.batch.actual_batch_size or 1)


def recovered(before: View, after: View) -> float:
    """Cycles of one run of the first View's batch that the change saves."""
    return (per_sample(before) - per_sample(after)) * (before.batch.actual_batch_size or 1)


def is_worth_its_claim(finding: Finding, before: View, after: View) -> bool:
    """Whether the claim lies within 0.5 to 1.5 of what was recovered."""
    assert finding.cycles is not None
    return 0.5 <= finding.cycles / recovered(before, after) <= 1.5


def _whole_lanes(channels: int) -> int:
    """The next smaller multiple, for sizes beyond one block of lanes that leave more than a sixteenth idle."""
    used = -(-channels // LANES) * LANES
    return channels - channels % LANES if channels > LANES and channels < used * 0.94 else channels
