"""Hypothesis strategies for whole programs: every record, every opcode, indexes that point at something."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sima_compiler.ir.graph import Quantization, Response
from sima_compiler.ir.layers import BinaryOp, Broadcast, Layout, PoolKind, RowKind, Window
from sima_compiler.ir.program import (
    ArrayMapping,
    BinaryStep,
    Box,
    Buffer,
    BufferKind,
    Combine,
    Constants,
    Convolve,
    DramTensor,
    Fill,
    Gather,
    Interpolate,
    LoadConstants,
    LoadTensor,
    Multiply,
    Normalize,
    Operand,
    Part,
    Pool,
    Program,
    ProgramLayer,
    Resample,
    Role,
    StoreTensor,
    Translate,
    Wait,
    WayOut,
)
from sima_compiler.machine.description import Machine

counts = st.one_of(st.integers(0, 200), st.integers(0, 2**32))
signed = st.one_of(st.integers(-200, 200), st.integers(-(2**40), 2**40))
bytes8 = st.integers(-128, 127)
names = st.text(max_size=12)
scales = st.floats(width=32, allow_nan=False, allow_infinity=False)
quants = st.builds(Quantization, scales, bytes8)
clamps = st.tuples(bytes8, bytes8)
waits = st.builds(Wait, counts, counts, counts)
pairs = st.tuples(counts, counts)
windows = st.builds(Window, pairs, pairs, pairs, st.tuples(counts, counts, counts, counts))
triples = st.tuples(counts, counts, counts)
boxes = st.builds(Box, st.tuples(counts, counts, counts, counts), triples, triples)
splits = st.one_of(st.integers(1, 200), st.integers(1, 2**32))
mappings = st.builds(ArrayMapping, splits, splits, splits, st.booleans())
ends_block = st.sampled_from([Part.WHOLE, Part.LAST])
goes_on = st.sampled_from([Part.FIRST, Part.NEXT])
layers = st.builds(ProgramLayer, names, names)
buffers = st.builds(Buffer, names, st.sampled_from(BufferKind), counts, counts)


@st.composite
def tensors(draw: st.DrawFn) -> DramTensor:
    """A tensor whose source fits its map, whose axes are a permutation, and whose end is not absurd."""
    samples, rows, columns, channels = (draw(st.integers(1, 100)) for _ in range(4))
    shape = draw(st.sampled_from([(rows, columns, channels), (1, channels * rows, columns, 1)]))
    axes = tuple(draw(st.permutations(range(len(shape)))))
    pixel = channels + draw(st.integers(0, 15))
    row = columns * pixel + draw(st.integers(0, 15))
    return DramTensor(
        draw(names), draw(st.sampled_from(Role)), draw(counts), samples, rows, columns, channels,
        draw(st.sampled_from(Layout)), pixel, row, rows * row, draw(quants), shape, axes,
    )  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A program of up to a few commands per engine."""
    layer_list = draw(st.lists(layers, min_size=1, max_size=3).map(tuple))
    tensor_list = draw(st.lists(tensors(), min_size=1, max_size=3).map(tuple))
    buffer_list = draw(st.lists(buffers, min_size=1, max_size=3).map(tuple))
    layer = st.integers(0, len(layer_list) - 1)
    constants = draw(st.lists(st.builds(Constants, names, layer, st.binary(max_size=300)), min_size=1, max_size=3))
    commands = _Commands(layer, len(tensor_list), len(buffer_list), len(constants))
    machine = Machine.load("tiny")
    return Program(
        draw(names), machine.text, draw(st.integers(1, 4)), draw(st.integers(1, 64)), draw(st.booleans()),
        layer_list, tensor_list, buffer_list, tuple(constants),
        draw(st.lists(commands.dma_in(), max_size=4).map(tuple)),
        draw(st.lists(commands.dma_out(), max_size=4).map(tuple)),
        draw(st.lists(commands.compute(), max_size=8).map(tuple)),
    )  # fmt: skip


class _Commands:
    """Strategies for commands whose indexes are in range."""

    def __init__(self, layer: st.SearchStrategy[int], tensors: int, buffers: int, constants: int) -> None:
        self.layer = layer
        self.tensor = st.integers(0, tensors - 1)
        self.buffer = st.integers(0, buffers - 1)
        self.optional = st.none() | self.buffer
        self.constants = st.integers(0, constants - 1)
        self.operand = st.builds(Operand, self.buffer, *[counts] * 9)
        self.step = st.builds(
            BinaryStep, st.sampled_from(BinaryOp), st.none() | self.operand, st.sampled_from(Broadcast),
            quants, quants, quants, st.booleans(), clamps, st.booleans(),
        )  # fmt: skip

    def dma_in(self) -> st.SearchStrategy[LoadTensor | LoadConstants]:
        load = st.builds(LoadTensor, self.layer, waits, self.tensor, counts, self.buffer, counts, boxes)
        return load | st.builds(LoadConstants, self.layer, waits, self.constants, self.buffer)

    def dma_out(self) -> st.SearchStrategy[StoreTensor]:
        return st.builds(StoreTensor, self.layer, waits, self.tensor, counts, self.buffer, counts, boxes)

    def compute(self) -> st.SearchStrategy[Any]:
        flags, common = st.booleans(), (self.layer, waits)
        ends = (self.operand, self.operand)
        return st.one_of(
            st.builds(
                Convolve, *common, *ends, self.buffer, windows, counts, bytes8, quants, clamps,
                st.sampled_from(WayOut),
                st.none() | self.step, mappings, ends_block,
            ),
            st.builds(
                Convolve, *common, *ends, self.buffer, windows, counts, bytes8, quants, clamps,
                st.just(WayOut.PLAIN), st.none(), mappings, goes_on,
            ),
            st.builds(
                Pool, *common, st.sampled_from(PoolKind), *ends, self.optional, windows, flags, flags, quants,
                quants, clamps, flags, ends_block,
            ),
            st.builds(
                Pool, *common, st.sampled_from(PoolKind), *ends, self.optional, windows, flags, flags, quants,
                quants, clamps, st.just(False), goes_on,
            ),
            st.builds(Combine, *common, *ends, self.optional, self.step),
            st.builds(Translate, *common, *ends, self.buffer),
            self._gather(),
            st.builds(Fill, *common, self.operand, bytes8),
            st.builds(Resample, *common, *ends, self.buffer, flags),
            st.builds(Interpolate, *common, *ends, self.buffer, quants, quants, clamps, flags),
            st.builds(
                Multiply, *common, *ends, self.operand, self.optional, bytes8, bytes8, scales, flags, quants, clamps,
                flags, mappings,
            ),
            st.builds(
                Normalize, *common, st.sampled_from(RowKind), *ends, self.optional, quants, quants, scales, clamps,
                flags, flags, flags, st.none() | st.builds(Response, counts, scales, scales, scales),
            ),
        )  # fmt: skip

    def _gather(self) -> st.SearchStrategy[Gather]:
        def of_rank(rank: int) -> st.SearchStrategy[Gather]:
            strides = st.lists(signed, min_size=rank, max_size=rank).map(tuple)
            sizes = st.lists(counts, min_size=rank, max_size=rank).map(tuple)
            ends = (self.buffer, counts, self.buffer, counts)
            return st.builds(Gather, self.layer, waits, *ends, sizes, strides, strides, self.optional)

        return st.integers(1, 6).flatmap(of_rank)
