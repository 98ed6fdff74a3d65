"""Level 5, the program: what the machine runs. `lm/` turns it into bytes and back; the simulator reads only that.

A program is three command streams, one per engine, over one DRAM image and one on-chip memory. An engine runs its own
stream in order. Order *between* engines comes only from ``Wait``: a command starts when each engine has completed
at least that many of its commands. Nothing else synchronizes.

Units: bytes for addresses, offsets, sizes and strides; commands for waits. Every index is zero based.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.layers import BinaryOp, Broadcast, Layout, PoolKind, Window
from sima_compiler.ir.operands import ArrayMapping, Operand, Wait
from sima_compiler.ir.products import Multiply
from sima_compiler.ir.rows import Normalize


class Engine(IntEnum):
    """The machine's three queues."""

    DMA_IN = 0
    DMA_OUT = 1
    COMPUTE = 2


class Role(StrEnum):
    """Why a tensor has a place in DRAM."""

    INPUT = "input"
    OUTPUT = "output"
    SPILL = "spill"


@dataclass(frozen=True, slots=True)
class DramTensor:
    """A feature map of the whole batch in DRAM, NHWC with the strides that its layout implies.

    ``source_shape`` (per sample) and ``source_axes`` (storage order of the source's axes, slowest first) tell how a
    float array in the source's layout becomes these bytes: transpose the per-sample axes by ``source_axes``, then
    view as (rows, columns, channels). ``address`` counts from the start of the tensor area of DRAM.
    """

    name: str
    role: Role
    address: int
    samples: int
    rows: int
    columns: int
    channels: int
    layout: Layout
    pixel_stride: int
    row_stride: int
    sample_stride: int
    quant: Quantization
    source_shape: tuple[int, ...]
    source_axes: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size of the whole batch."""
        return self.samples * self.sample_stride


class BufferKind(StrEnum):
    """What an on-chip buffer holds."""

    ACTIVATION = "activation"
    STRIPE = "stripe"
    PARAMETERS = "parameters"


@dataclass(frozen=True, slots=True)
class Buffer:
    """A named range of on-chip memory. Buffers whose lifetimes do not meet may share addresses."""

    name: str
    kind: BufferKind
    address: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Constants:
    """One block of parameters as it lies on chip, decompressed; DRAM holds it raw or compressed.

    Sections in this order, each starting at a multiple of 16 bytes: weights int8 (Cout, kh, kw, Cin / groups), bias
    int32 (Cout), multipliers float32 (Cout), lookup 256 x int8, binary values int8, binary lookup 256 x int8, index
    tables int32 (rows, then columns), exponentials float32 (256), gains and offsets float32. A section that the command
    does not use is absent.
    """

    name: str
    layer: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Box:
    """A strided block copy between DRAM and a buffer: sizes (samples, rows, columns, run of bytes)."""

    sizes: tuple[int, int, int, int]
    dram_strides: tuple[int, int, int]
    chip_strides: tuple[int, int, int]

    @property
    def bytes(self) -> int:
        """Bytes moved."""
        samples, rows, columns, run = self.sizes
        return samples * rows * columns * run


@dataclass(frozen=True, slots=True)
class LoadTensor:
    """DMA in: a box of a DRAM tensor, ``dram_offset`` bytes into it, to ``buffer`` + ``chip_offset``."""

    layer: int
    wait: Wait
    tensor: int
    dram_offset: int
    buffer: int
    chip_offset: int
    box: Box


@dataclass(frozen=True, slots=True)
class LoadConstants:
    """DMA in through the decompressor: a whole block of constants to the start of ``buffer``."""

    layer: int
    wait: Wait
    constants: int
    buffer: int


@dataclass(frozen=True, slots=True)
class StoreTensor:
    """DMA out: a box from ``buffer`` + ``chip_offset`` to a DRAM tensor."""

    layer: int
    wait: Wait
    tensor: int
    dram_offset: int
    buffer: int
    chip_offset: int
    box: Box


@dataclass(frozen=True, slots=True)
class BinaryStep:
    """A second operand on the way out. ``operand`` is None when the values lie in the command's parameters.

    Values in parameters have the operand's broadcast shape: NONE (rows, columns, channels) of this block,
    CHANNEL (channels), SCALAR (1).
    """

    op: BinaryOp
    operand: Operand | None
    broadcast: Broadcast
    left: Quantization
    right: Quantization
    output: Quantization
    swapped: bool
    clamp: tuple[int, int]
    has_lookup: bool


class WayOut(StrEnum):
    """(sum + int32 bias) x multiplier, or real, (sum x multiplier + float32 bias) / scale; then a table, or none."""

    PLAIN = "plain"
    LOOKUP = "lookup"
    REAL = "real"
    REAL_LOOKUP = "real_lookup"


class Part(StrEnum):
    """How much of its block's reduction a command does.

    The parts of a block (FIRST, NEXT ..., LAST) follow each other in the compute queue, over ranges of window cells or
    of input channels. Their sums stay in the accumulators; only the last one, or a WHOLE one, writes the target.
    """

    WHOLE = "whole"
    FIRST = "first"
    NEXT = "next"
    LAST = "last"

    @property
    def starts(self) -> bool:
        """Whether the sums start at nothing."""
        return self in (Part.WHOLE, Part.FIRST)

    @property
    def finishes(self) -> bool:
        """Whether the results leave."""
        return self in (Part.WHOLE, Part.LAST)


@dataclass(frozen=True, slots=True)
class Convolve:
    """MAC array (or, when ``groups`` equals the input channels, vector unit) over one block of output.

    ``window.pads`` are this block's own pads. ``groups`` counts the groups inside this block: input and output channels
    divide by it. ``parameters`` is the buffer that holds the constants block. A part that does not finish has no
    lookup and no second operand, and its constants are weights alone.
    """

    layer: int
    wait: Wait
    source: Operand
    target: Operand
    parameters: int
    window: Window
    groups: int
    input_zero_point: int
    intermediate: Quantization
    clamp: tuple[int, int]
    way_out: WayOut
    binary: BinaryStep | None
    mapping: ArrayMapping
    part: Part = Part.WHOLE

    @property
    def has_lookup(self) -> bool:
        """Whether a table is applied to the result."""
        return self.way_out in (WayOut.LOOKUP, WayOut.REAL_LOOKUP)

    @property
    def real(self) -> bool:
        """Whether sums become reals, to which a float32 bias is added."""
        return self.way_out in (WayOut.REAL, WayOut.REAL_LOOKUP)


@dataclass(frozen=True, slots=True)
class Pool:
    """Vector unit: window reduction. ``parameters`` is None without a lookup.

    ``is_global``: average over the whole map, requantized by sx / (sy * cells). A part that does not finish has no
    lookup. A kind that sums reals has their table among its constants, in every part.
    """

    layer: int
    wait: Wait
    kind: PoolKind
    source: Operand
    target: Operand
    parameters: int | None
    window: Window
    count_include_pad: bool
    is_global: bool
    input: Quantization
    output: Quantization
    clamp: tuple[int, int]
    has_lookup: bool
    part: Part = Part.WHOLE


@dataclass(frozen=True, slots=True)
class Combine:
    """Vector unit: two operands elementwise. ``parameters`` is None without constants or lookup."""

    layer: int
    wait: Wait
    source: Operand
    target: Operand
    parameters: int | None
    binary: BinaryStep


@dataclass(frozen=True, slots=True)
class Translate:
    """Vector unit: every byte through a 256-entry table."""

    layer: int
    wait: Wait
    source: Operand
    target: Operand
    parameters: int


@dataclass(frozen=True, slots=True)
class Gather:
    """Vector unit: affine copy. Strides and offsets are bytes in the two buffers; at most 6 dimensions.

    ``parameters`` is None without a lookup.
    """

    layer: int
    wait: Wait
    source_buffer: int
    source_offset: int
    target_buffer: int
    target_offset: int
    sizes: tuple[int, ...]
    source_strides: tuple[int, ...]
    target_strides: tuple[int, ...]
    parameters: int | None


@dataclass(frozen=True, slots=True)
class Fill:
    """Vector unit: a region of one byte value."""

    layer: int
    wait: Wait
    target: Operand
    value: int


@dataclass(frozen=True, slots=True)
class Resample:
    """Vector unit: nearest neighbour; the index tables in the parameters count from this block's source region."""

    layer: int
    wait: Wait
    source: Operand
    target: Operand
    parameters: int
    has_lookup: bool


@dataclass(frozen=True, slots=True)
class Interpolate:
    """Vector unit: linear resampling; tables of neighbours and weights in the parameters, as those of `Resample`."""

    layer: int
    wait: Wait
    source: Operand
    target: Operand
    parameters: int
    input: Quantization
    output: Quantization
    clamp: tuple[int, int]
    has_lookup: bool


DmaInCommand = LoadTensor | LoadConstants
DmaOutCommand = StoreTensor
ComputeCommand = Convolve | Pool | Combine | Translate | Gather | Fill | Resample | Interpolate | Normalize | Multiply
Command = DmaInCommand | DmaOutCommand | ComputeCommand


def part_of(command: Command) -> Part:
    """The part of its block's reduction that a command does; everything that reduces nothing is whole."""
    return command.part if isinstance(command, Convolve | Pool) else Part.WHOLE


@dataclass(frozen=True, slots=True)
class ProgramLayer:
    """A source layer's name and family; commands refer to it by index."""

    name: str
    operator: str


@dataclass(frozen=True, slots=True)
class Program:
    """Everything that one `.lm` holds. ``machine`` is the machine description's own text (YAML), so that a
    binary can be replayed without the file that it was compiled for. ``segment`` is e.g. ``MLA_0``.
    """

    segment: str
    machine: str
    quads: int
    batch: int
    compressed: bool
    layers: tuple[ProgramLayer, ...]
    tensors: tuple[DramTensor, ...]
    buffers: tuple[Buffer, ...]
    constants: tuple[Constants, ...]
    dma_in: tuple[DmaInCommand, ...]
    dma_out: tuple[DmaOutCommand, ...]
    compute: tuple[ComputeCommand, ...]
