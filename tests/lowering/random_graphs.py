"""Random quantized graphs over every operator, rank and reading pattern that lowering meets; seeded."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from sima_compiler.ir.graph import ConvAttributes, Graph, Op
from tests.lowering.graph_pen import Pen

MOST_ELEMENTS = 2500


def random_graph(seed: int, steps: int) -> Graph:
    """A graph of up to ``steps`` nodes; what nobody reads is an output, and sometimes more is."""
    draw = np.random.default_rng(seed)
    pen = Pen(seed)
    pool = [pen.input(*_shape(draw))]
    if draw.random() < 0.3:
        pool.append(pen.input(*pen.shape(pool[0])))
    for _ in range(steps):
        rule = RULES[int(draw.integers(len(RULES)))]
        recent = pool[-3:] if draw.random() < 0.7 else pool
        made = rule(pen, draw, pool, str(draw.choice(recent)))
        if made is not None and prod(pen.shape(made)) <= MOST_ELEMENTS:
            pool.append(made)
    read = {name for node in pen.nodes for name in node.inputs}
    outputs = [name for name in pool if name not in read and name not in pen.inputs]
    outputs += [name for name in pool if name in read and draw.random() < 0.1]
    return pen.graph(*(outputs or [pool[-1]]))


def _shape(draw: np.random.Generator) -> tuple[int, ...]:
    rank = int(draw.choice([1, 2, 3, 3, 3, 3, 4]))
    return (
        tuple(int(size) for size in draw.integers(1, 7, rank))
        if rank != 3
        else (int(draw.choice([1, 2, 3, 4, 6, 8, 16, 20])), *(int(size) for size in draw.integers(1, 9, 2)))
    )


def _conv(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str | None:
    if len(pen.shape(x)) != 3:
        return None
    channels, rows, columns = pen.shape(x)
    kernel = (int(draw.integers(1, min(rows, 3) + 1)), int(draw.integers(1, min(columns, 3) + 1)))
    groups = int(draw.choice([g for g in (1, 1, 2, channels) if channels % g == 0]))
    outputs = groups * int(draw.integers(1, 4)) if groups > 1 else int(draw.integers(1, 20))
    top, left, bottom, right = draw.integers(0, 2, 4).tolist()
    strides = (int(draw.integers(1, 3)), int(draw.integers(1, 3)))
    return pen.conv(x, outputs, kernel, pads=(top, left, bottom, right), strides=strides, groups=groups)


def _same_size_conv(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str | None:
    if len(pen.shape(x)) != 3:
        return None
    channels = pen.shape(x)[0]
    return pen.conv(x, channels, (3, 3), pads=(1, 1, 1, 1)) if draw.random() < 0.5 else pen.conv(x, channels)


def _gemm(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str | None:
    return pen.gemm(x, int(draw.integers(1, 20))) if pen.shape(x) else None


def _unary(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str:
    op = [Op.RELU, Op.SIGMOID, Op.TANH, Op.HARD_SWISH, Op.REQUANTIZE][int(draw.integers(5))]
    return pen.unary(op, x, keeps_quant=bool(draw.random() < 0.4))


def _gate(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str:
    op = [Op.MUL, Op.ADD, Op.SUB][int(draw.integers(3))]
    pair = (x, pen.unary(Op.SIGMOID, x))
    return pen.binary(op, *(pair if draw.random() < 0.5 else pair[::-1]))


def _binary(pen: Pen, draw: np.random.Generator, pool: list[str], x: str) -> str | None:
    others = [name for name in pool if pen.shape(name) == pen.shape(x)]
    op = [Op.MUL, Op.ADD, Op.ADD, Op.SUB][int(draw.integers(4))]
    return pen.binary(op, x, str(draw.choice(others)))


def _constant(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str:
    shape = tuple(size if draw.random() < 0.5 else 1 for size in pen.shape(x))
    op = [Op.MUL, Op.ADD, Op.SUB][int(draw.integers(3))]
    return pen.constant(op, x, shape[int(draw.integers(len(shape) + 1)) :], first=bool(draw.random() < 0.5))


def _squeeze(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str | None:
    if len(pen.shape(x)) != 3:
        return None
    gate = pen.global_pool(x)
    if draw.random() < 0.5:
        gate = pen.conv(gate, int(draw.choice([1, pen.shape(x)[0]])))
    pair = (x, gate)
    return pen.binary(Op.MUL, *(pair if draw.random() < 0.5 else pair[::-1]))


def _pool(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str | None:
    if len(pen.shape(x)) != 3:
        return None
    kernel = tuple(int(draw.integers(1, min(size, 3) + 1)) for size in pen.shape(x)[1:])
    top, left, bottom, right = (int(draw.integers(0, kernel[axis % 2])) for axis in range(4))
    strides, counted = (int(draw.integers(1, 3)), 1), bool(draw.random() < 0.5)
    window = ConvAttributes((kernel[0], kernel[1]), strides, pads=(top, left, bottom, right), count_include_pad=counted)
    return pen.pool(Op.MAX_POOL if draw.random() < 0.5 else Op.AVERAGE_POOL, x, window)


def _reshape(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str:
    left, shape = prod(pen.shape(x)), []
    for _axis in range(int(draw.integers(0, 4))):
        shape.append(int(draw.choice([size for size in range(1, left + 1) if left % size == 0])))
        left //= shape[-1]
    return pen.reshape(x, *draw.permutation([*shape, left]).tolist())


def _transpose(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str:
    return pen.transpose(x, *draw.permutation(len(pen.shape(x))).tolist())


def _slice(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str:
    starts = tuple(int(draw.integers(0, size)) for size in pen.shape(x))
    stops = tuple(int(draw.integers(start + 1, size + 1)) for start, size in zip(starts, pen.shape(x), strict=True))
    return pen.slice(x, starts, stops, tuple(int(draw.choice([1, 1, 2, 3])) for _ in starts))


def _pad(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str:
    before, after = (tuple(draw.choice([0, 0, 1, 2], len(pen.shape(x))).tolist()) for _ in range(2))
    return pen.pad(x, before, after, int(draw.integers(-128, 128)) if draw.random() < 0.3 else None)


def _padded_window(pen: Pen, draw: np.random.Generator, pool: list[str], x: str) -> str | None:
    if len(pen.shape(x)) != 3:
        return None
    padded = pen.pad(x, (0, 1, 0), (0, 1, 1), [None, -128][int(draw.integers(2))])
    return [_conv, _pool][int(draw.integers(2))](pen, draw, pool, padded)


def _concat(pen: Pen, draw: np.random.Generator, pool: list[str], x: str) -> str | None:
    shape = pen.shape(x)
    if not shape:
        return None
    axis = int(draw.integers(len(shape)))
    alike = [name for name in pool if len(pen.shape(name)) == len(shape)]
    rest = [name for name in alike if _without(pen.shape(name), axis) == _without(shape, axis)]
    return pen.concat(x, *draw.choice(rest, int(draw.integers(1, 3))).tolist(), axis=axis)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _resize(pen: Pen, draw: np.random.Generator, _: list[str], x: str) -> str | None:
    if len(pen.shape(x)) != 3:
        return None
    counts = [int(draw.integers(1, 2 * size + 1)) for size in pen.shape(x)[1:]]
    if draw.integers(2):
        return pen.blend(x, *counts)
    tables = [draw.integers(0, size, count) for size, count in zip(pen.shape(x)[1:], counts, strict=True)]
    return pen.resize(x, *(tuple(np.sort(table).tolist()) for table in tables))


RULES: tuple[Callable[[Pen, np.random.Generator, list[str], str], str | None], ...] = (
    _conv, _conv, _same_size_conv, _same_size_conv, _gemm, _unary, _unary, _gate, _binary, _binary, _constant, _squeeze,
    _pool, _reshape, _reshape, _transpose, _transpose, _slice, _pad, _padded_window, _concat, _resize,
)  # fmt: skip
