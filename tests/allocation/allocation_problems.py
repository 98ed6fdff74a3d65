"""Seeded allocation problems, and the plainest allocators there are: what the real one is measured against."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

from sima_compiler.stages.allocation.problem import Buffer, Problem

ROOMY = 1 << 50
#: How lives and sizes are drawn: many short ones of all sizes, long ones of even sizes, a few very long ones.
KINDS = ("skewed", "even", "mixed")


def random_problem(count: int, kind: str, seed: int, *, alignments: Sequence[int] = (1,)) -> Problem:
    """Buffers with lives on ``count`` steps; the same for the same arguments."""
    dice = random.Random(f"{count} {kind} {seed}")
    buffers: list[Buffer] = []
    for index in range(count):
        lower = dice.randrange(count)
        life = {
            "skewed": 1 + int(dice.expovariate(20 / count)),
            "even": dice.randint(1, max(1, count // 5)),
            "mixed": dice.choice((1, 2, 3, 5, max(1, count // 3))),
        }[kind]
        size = dice.randint(1, 1000) if kind == "even" else int(2 ** dice.uniform(0, 14))
        buffers.append(Buffer(f"b{index}", lower, lower + life, size, dice.choice(alignments)))
    return Problem(tuple(buffers), ROOMY)


def live_bytes(problem: Problem) -> int:
    """The lower bound by looking at every step on its own."""
    starts = {buffer.lower for buffer in problem.buffers}
    return max(sum(b.size for b in problem.buffers if b.lower <= time < b.upper) for time in starts)


def plain_first_fit(problem: Problem, order: Sequence[int]) -> int:
    """The peak of first fit in that order, by trying every place above a neighbour."""
    placed: list[tuple[Buffer, int]] = []
    for index in order:
        buffer = problem.buffers[index]
        near = [(other, at) for other, at in placed if other.lower < buffer.upper and buffer.lower < other.upper]
        candidates = sorted({0, *(-(-(at + other.size) // buffer.alignment) * buffer.alignment for other, at in near)})
        free = (
            at for at in candidates if all(at + buffer.size <= low or low + other.size <= at for other, low in near)
        )
        placed.append((buffer, next(free)))
    return max(at + buffer.size for buffer, at in placed)


def best_of_four(problem: Problem) -> int:
    """The lowest peak of first fit by size, by life, by area and by start."""
    keys: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
        lambda b: (-b.size, -(b.upper - b.lower)),
        lambda b: (-(b.upper - b.lower), -b.size),
        lambda b: (-(b.upper - b.lower) * b.size,),
        lambda b: (b.lower, -b.size),
    )
    indices = range(len(problem.buffers))
    orders = [sorted(indices, key=lambda index, key=key: key(problem.buffers[index])) for key in keys]
    return min(plain_first_fit(problem, order) for order in orders)


def least_peak(problem: Problem) -> int:
    """The least peak of all, from every order there is: for a handful of buffers."""
    return min(plain_first_fit(problem, order) for order in itertools.permutations(range(len(problem.buffers))))
