"""Words and sentences that several forms share. They travel inside the View, so that the browser says the same.

In: plain facts. Out: text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sima_compiler.archive.report_records import PADDED_BOUND_ASSUMES, BatchCandidate, Lever
from sima_compiler.view import units

WORDINGS: Mapping[str, str] = {
    "not_recorded": "not recorded",
    "mla_alone": "MLA alone",
    "static": "static schedule: compute only, no stalls",
    "run": "run: DMA, DRAM and instruction fetch included",
    "cycles_run": "stalls included",
    "cycles_static": "compute only, no stalls",
    "clock_assumed": "the archive names no clock; the published one is assumed",
    "no_stats": "The archive holds no per-layer statistics.",
    "no_candidates": "The archive holds no report of the batch sizes that were weighed.",
    "no_memory_map": "The archive holds no memory map.",
    "no_events": "The archive does not record when its engines work.",
    "levers_not_planned": "Not planned; simac batch MODEL --levers (or compile) plans what would help.",
    "unknown_batch": "The archive does not say which batch size it was built for.",
}

MLA_SUM = "Cycles are of one run of the whole batch, MLA segments summed; EV74 and A65 are not included."
STATIC_ONLY = "Cycles are of the static schedule of one run: compute only, without stalls."
BOUND_MACS = "The bound is the network's multiply-accumulates at the machine's peak rate."
BOUND_DRAM = "The bound is the bytes that must cross the DRAM's port, at its full rate."


def batch_sentence(desired: int | None, actual: int | None, reason: str) -> str:
    """Desired and actual batch size and why, as one sentence."""
    if actual is None:
        return WORDINGS["unknown_batch"]
    if reason:
        return _sentence(reason)
    if desired in (None, actual):
        return f"Built for batch {actual}, as asked."
    return f"Asked for batch {desired}, built for {actual}; the archive does not say why."


def padded_bound(cycles: int | None) -> str:
    """The bound with padding and what it assumes, so that the number never stands alone; empty where it is unknown."""
    if cycles is None:
        return ""
    return (
        f"The bound with padding, {units.count(cycles)} cycles, counts whole vectors and weight blocks, the start of "
        f"each node for each sample, and weights that wait for room on chip; it assumes {PADDED_BOUND_ASSUMES}."
    )


def host_sentence(left_to_host: Sequence[str], verdict: str = "") -> str:
    """Where the network runs: segments and host layers, and what the archive leaves to the host; empty where neither is
    recorded.
    """
    left = f"Left to the host: {'; '.join(left_to_host)}." if left_to_host else ""
    return " ".join(part for part in (f"{verdict}." if verdict else "", left) if part)


def other_warnings(warnings: Sequence[str], left_to_host: Sequence[str]) -> tuple[str, ...]:
    """The warnings that say something else than the host sentence, each once."""
    said = {f"left to the host: {part}" for part in left_to_host}
    return tuple(dict.fromkeys(warning for warning in warnings if warning not in said))


def verdict(row: BatchCandidate, actual: int | None) -> str:
    """What became of a batch size, in a word or three, given the size that was built."""
    if row.batch_size == actual:
        return "built"
    if row.feasible:
        return "feasible"
    return "does not fit" if row.status == "does_not_fit" else "not feasible"


def basis(row: BatchCandidate) -> str:
    """How a row's numbers came about, scheduled or estimated; empty where it has none."""
    return "" if row.status == "does_not_fit" else row.status.replace("_", " ")


def limited_by(row: BatchCandidate) -> str:
    """The layer and the tensors that limit a batch size; empty where nothing does."""
    tensors = ", ".join(
        tensor.name if tensor.bytes is None else f"{tensor.name} ({units.size(tensor.bytes)})"
        for tensor in row.limiting_tensors
    )
    return ": ".join(part for part in (row.limiting_layer or "", tensors) if part)


def gain(cycles: int | None, size: int | None, steps: int | None) -> str:
    """What following a piece of advice recovers; empty where nothing is claimed."""
    if cycles is not None:
        return f"up to {units.count(cycles)} cycles"
    parts = ["" if steps is None else f"EV74 steps: {units.count(steps)}", "" if size is None else units.size(size)]
    return ", ".join(part for part in parts if part)


def lever_sentence(lever: Lever) -> str:
    """A lever with what planning with it gave; older archives name levers that nobody planned with."""
    parts = [f"{'what if: ' if lever.what_if else ''}{lever.text}"]
    if lever.feasible is None:
        return f"{parts[0]} (not planned)"
    if lever.largest_batch_size is None:
        return f"{parts[0]}: {lever.reason or 'no batch fits'}"
    parts.append(f"batch {lever.largest_batch_size}")
    if lever.cycles_per_sample:
        parts.append(f"{units.count(lever.cycles_per_sample)} cycles per sample")
    if lever.samples_per_second:
        parts.append(f"{units.short_rate(lever.samples_per_second)} samples per second")
    return f"{parts[0]}: {', '.join(parts[1:])}{'' if lever.feasible else ', not enough by itself'}"


def _sentence(text: str) -> str:
    """``text`` with a capital in front and a full stop behind."""
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
