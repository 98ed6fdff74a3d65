"""Whether a solution is right, decided without any code of the solvers.

In: a problem and a solution. Out: every way in which it is wrong, or nothing. Always holds: this module imports the
records only; it compares each buffer with those that start during its life, over times and offsets as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from sima_compiler.stages.allocation.problem import Buffer, Problem
from sima_compiler.stages.allocation.solution import Solution


class Fault(Enum):
    """The ways in which a solution can be wrong."""

    WRONG_COUNT = "offsets are missing, or there are too many"
    NEGATIVE_OFFSET = "a buffer starts below 0"
    ABOVE_CAPACITY = "a buffer ends above the capacity"
    MISALIGNED = "an offset is no multiple of the buffer's alignment"
    OVERLAP = "two buffers share bytes while both live"
    WRONG_PEAK = "the stated peak is not the end of the highest buffer"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, the buffers concerned, and the numbers as a sentence."""

    fault: Fault
    buffers: tuple[str, ...]
    detail: str


def validate(problem: Problem, solution: Solution) -> tuple[Finding, ...]:
    """Everything that is wrong with ``solution``; empty when it is right.

    A wrong number of offsets is reported alone: nothing else can be said then.
    """
    wanted, found = len(problem.buffers), len(solution.offsets)
    if wanted != found:
        return (Finding(Fault.WRONG_COUNT, (), f"{found} offsets for {wanted} buffers"),)
    placed = list(zip(problem.buffers, solution.offsets, strict=True))
    findings = [*_ranges(problem, placed), *_overlaps(placed)]
    peak = max((offset + buffer.size for buffer, offset in placed), default=0)
    if peak != solution.peak:
        findings.append(Finding(Fault.WRONG_PEAK, (), f"stated {solution.peak}, found {peak}"))
    return tuple(findings)


def _ranges(problem: Problem, placed: list[tuple[Buffer, int]]) -> Iterator[Finding]:
    for buffer, offset in placed:
        if offset < 0:
            yield Finding(Fault.NEGATIVE_OFFSET, (buffer.id,), f"offset {offset}")
        if offset + buffer.size > problem.capacity:
            end = offset + buffer.size
            yield Finding(Fault.ABOVE_CAPACITY, (buffer.id,), f"ends at {end}, the capacity is {problem.capacity}")
        if offset % buffer.alignment:
            yield Finding(Fault.MISALIGNED, (buffer.id,), f"offset {offset}, alignment {buffer.alignment}")


def _overlaps(placed: list[tuple[Buffer, int]]) -> Iterator[Finding]:
    """Pairs that clash, by a sweep over time: whoever starts is compared with everybody who still lives."""
    live: list[tuple[Buffer, int]] = []
    for buffer, offset in sorted(placed, key=lambda entry: entry[0].lower):
        live = [entry for entry in live if entry[0].upper > buffer.lower]
        for other, at in live:
            if offset < at + other.size and at < offset + buffer.size:
                both = f"[{at}, {at + other.size}) and [{offset}, {offset + buffer.size})"
                yield Finding(Fault.OVERLAP, (other.id, buffer.id), f"{both} from time {buffer.lower}")
        live.append((buffer, offset))
