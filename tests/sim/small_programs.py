"""Hand-written programs for the tests: a builder lays out buffers; waits are right unless told otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.layers import BinaryOp, Broadcast, Layout, Window
from sima_compiler.ir.program import (
    ArrayMapping,
    BinaryStep,
    Box,
    Buffer,
    BufferKind,
    ComputeCommand,
    Constants,
    Convolve,
    DramTensor,
    LoadConstants,
    LoadTensor,
    Operand,
    Program,
    ProgramLayer,
    Role,
    StoreTensor,
    Wait,
    WayOut,
)
from sima_compiler.lm.constants import ConstantSections, pack_constants
from sima_compiler.machine.description import Machine

Shape = tuple[int, int, int, int]
FULL = (-128, 127)


def quant(scale: float, zero_point: int) -> Quantization:
    """A quantization whose scale is a float32 value."""
    return Quantization(float(np.float32(scale)), zero_point)


def binary_step(
    op: BinaryOp,
    operand: Operand | None,
    broadcast: Broadcast,
    quants: tuple[Quantization, Quantization, Quantization],
    *,
    swapped: bool = False,
    clamp: tuple[int, int] = FULL,
    has_lookup: bool = False,
) -> BinaryStep:
    """A second operand; ``quants`` are of left side, right side and result."""
    return BinaryStep(op, operand, broadcast, *quants, swapped=swapped, clamp=clamp, has_lookup=has_lookup)


def convolve(
    source: Operand, target: Operand, parameters: int, window: Window, zeros: tuple[int, Quantization], groups: int = 1
) -> Convolve:
    """A convolution without lookup and operand; ``zeros``: input zero point, quantization of the result."""
    return Convolve(
        0, Wait(), source, target, parameters, window, groups, *zeros, FULL,
        way_out=WayOut.PLAIN, binary=None, mapping=ArrayMapping(1, 1),
    )  # fmt: skip


class ProgramBuilder:
    """Collects parts; shapes are (samples, rows, columns, channels); ``lanes`` pads each pixel's channels."""

    def __init__(self, batch: int, compressed: bool = True, layers: int = 1) -> None:
        self.batch = batch
        self.compressed = compressed
        self.layers = tuple(ProgramLayer(f"MLA_0/layer_{number}", "test") for number in range(layers))
        self.tensors: list[DramTensor] = []
        self.buffers: list[Buffer] = []
        self.constants: list[Constants] = []
        self.streams: tuple[list[Any], list[Any], list[Any]] = ([], [], [])  # DMA in, DMA out, compute

    def tensor(self, name: str, role: Role, shape: Shape, quantization: Quantization, lanes: int = 1) -> int:
        samples, rows, columns, channels = shape
        pixel = channels + -channels % lanes
        address = max((other.address + other.bytes for other in self.tensors), default=0)
        self.tensors.append(
            DramTensor(
                name, role, address, samples, rows, columns, channels, Layout.HWC16 if lanes > 1 else Layout.HWC,
                pixel, columns * pixel, rows * columns * pixel, quantization, (channels, rows, columns), (1, 2, 0),
            )
        )  # fmt: skip
        return len(self.tensors) - 1

    def buffer(self, size: int, address: int | None = None, kind: BufferKind = BufferKind.ACTIVATION) -> int:
        end = max((other.address + other.bytes for other in self.buffers), default=0)
        place = end + -end % 16 if address is None else address
        self.buffers.append(Buffer(f"b{len(self.buffers)}", kind, place, size))
        return len(self.buffers) - 1

    def operand(self, shape: Shape, lanes: int = 1, address: int | None = None) -> Operand:
        """A fresh buffer that holds just this map."""
        samples, rows, columns, channels = shape
        pixel = channels + -channels % lanes
        number = self.buffer(samples * rows * columns * pixel, address)
        strides = (rows * columns * pixel, columns * pixel, pixel)
        return Operand(number, 0, samples, rows, columns, channels, *strides, padding=pixel - channels)

    def parameters(self, sections: ConstantSections) -> int:
        """A fresh buffer with these constants, loaded."""
        data = pack_constants(sections)
        self.constants.append(Constants(f"c{len(self.constants)}", 0, data))
        number = self.buffer(len(data), kind=BufferKind.PARAMETERS)
        self.streams[0].append(LoadConstants(0, Wait(), len(self.constants) - 1, number))
        return number

    def load(self, tensor: int, target: Operand, wait: Wait | None = None) -> None:
        self.streams[0].append(LoadTensor(0, wait or Wait(), tensor, 0, target.buffer, 0, self.box(tensor, target)))

    def store(self, tensor: int, source: Operand, wait: Wait | None = None) -> None:
        after = wait or Wait(compute=len(self.streams[2]))
        self.streams[1].append(StoreTensor(0, after, tensor, 0, source.buffer, 0, self.box(tensor, source)))

    def compute(self, command: ComputeCommand, wait: Wait | None = None) -> None:
        self.streams[2].append(replace(command, wait=wait or Wait(dma_in=len(self.streams[0]))))

    def box(self, tensor: int, operand: Operand) -> Box:
        place = self.tensors[tensor]
        sizes = (operand.samples, operand.rows, operand.columns, operand.channels)
        dram = (place.sample_stride, place.row_stride, place.pixel_stride)
        return Box(sizes, dram, (operand.sample_stride, operand.row_stride, operand.pixel_stride))

    def program(self) -> Program:
        dma_in, dma_out, compute = (tuple(stream) for stream in self.streams)
        return Program(
            "MLA_0", Machine.load("tiny").text, 2, self.batch, self.compressed, self.layers, tuple(self.tensors),
            tuple(self.buffers), tuple(self.constants), dma_in, dma_out, compute,
        )  # fmt: skip


def random_map(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """int8 in the source's layout: (samples, channels, rows, columns)."""
    samples, rows, columns, channels = shape
    return rng.integers(-128, 128, (samples, channels, rows, columns)).astype(np.int8)


def convolution_program(rng: np.random.Generator, compressed: bool) -> ProgramBuilder:
    """x -> 3x3 convolution, lookup, + x -> y, in HWC16, batch 3."""
    builder, shape = ProgramBuilder(3, compressed), (3, 4, 5, 6)
    x = builder.tensor("x", Role.INPUT, shape, quant(0.05, 3), lanes=16)
    y = builder.tensor("y", Role.OUTPUT, shape, quant(0.1, -7), lanes=16)
    source, target = builder.operand(shape, 16), builder.operand(shape, 16)
    builder.load(x, source)
    number = builder.parameters(
        ConstantSections(
            weights=rng.integers(-127, 128, (6, 3, 3, 6)).astype(np.int8),
            bias=rng.integers(-999, 1000, 6).astype(np.int32),
            multipliers=rng.uniform(0.001, 0.002, 6).astype(np.float32),
            lookup=rng.integers(-128, 128, 256).astype(np.int8),
        )
    )
    step = binary_step(BinaryOp.ADD, source, Broadcast.NONE, (quant(0.08, 1), quant(0.05, 3), quant(0.1, -7)))
    window = Window((3, 3), (1, 1), (1, 1), (1, 1, 1, 1))
    command = convolve(source, target, number, window, (3, quant(0.08, 1)))
    builder.compute(replace(command, clamp=(-100, 100), way_out=WayOut.LOOKUP, binary=step))
    builder.store(y, target)
    return builder
