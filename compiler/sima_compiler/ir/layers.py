"""Level 2, legalized layers: kernels that the MLA has, on feature maps in its own layout.

Before: ONNX-shaped nodes on CHW tensors. After: nine kinds of kernel on (rows, columns, channels) maps, with bias,
clamps, residual operands and lookup tables folded into the way out of the kernel that produces the values.

Layout of a feature map of C channels: the address of (sample, row, column, channel) is
``base + sample * sample_stride + row * row_stride + column * pixel_stride + channel``. ``pixel_stride`` is C for HWC
and C rounded up to the machine's lanes for HWC16; the bytes between are written by producers and mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.graph import Neighbours, Quantization, Response, SumOrder

Int8Array = npt.NDArray[np.int8]


class Layout(StrEnum):
    """How channels lie in memory: packed (HWC), or padded to whole vectors of lanes (HWC16)."""

    HWC = "HWC"
    HWC16 = "HWC16"


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """One activation as the MLA holds it; sizes per sample. ``name`` is the graph tensor's name.

    ``source_shape`` is the per-sample shape in the source; ``source_axes`` says which source axis each of the
    feature map's flattened source dimensions came from: storage order of the source axes, slowest first. An image
    (C, H, W) is stored as (H, W, C), so its ``source_axes`` is (1, 2, 0). Any other rank is stored in its own order.
    """

    name: str
    rows: int
    columns: int
    channels: int
    quant: Quantization
    layout: Layout
    source_shape: tuple[int, ...]
    source_axes: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Values per sample, padding left out."""
        return self.rows * self.columns * self.channels


class BinaryOp(StrEnum):
    """Two-operand arithmetic of the vector unit and of the array's way out."""

    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    REAL_ADD = "real_add"  # float32 on dequantized operands, as all that follow
    REAL_MUL = "real_mul"
    DIV = "div"
    MAX = "max"
    MIN = "min"
    PRELU = "prelu"


class Broadcast(StrEnum):
    """How the second operand spreads over the first."""

    NONE = "none"  # same shape
    CHANNEL = "channel"  # 1 x 1 x C
    SCALAR = "scalar"  # 1 x 1 x 1


@dataclass(frozen=True, slots=True)
class Binary:
    """A second operand met on the way out (or by a standalone elementwise kernel).

    The operand is the feature map ``operand``, or the constant ``values`` (int8, shape (rows, columns, channels) with
    ones where it broadcasts). ``left`` and ``right`` are the quantizations of the expression's two sides; the value in
    flight is the left one unless ``swapped``. ``lookup`` is applied last.
    """

    op: BinaryOp
    operand: str | None
    values: Int8Array | None
    broadcast: Broadcast
    left: Quantization
    right: Quantization
    output: Quantization
    swapped: bool = False
    clamp: tuple[int, int] = (-128, 127)
    lookup: Int8Array | None = None  # 256 entries, indexed by q + 128


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window; (height, width); pads top, left, bottom, right, filled with the input's zero point."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Convolution:
    """Multiply-accumulate kernel: Conv, depthwise Conv, Gemm, MatMul, and one set of phases of a ConvTranspose.

    ``real_bias`` (float32, Cout) in place of a bias: the sum times sx * sw (``multipliers`` then) is a real, to which
    it is added, and the scale of ``intermediate`` divides.

    ``weights``: int8 (Cout, kh, kw, Cin / groups). ``bias``: int32 (Cout). ``multipliers``: float32 (Cout), the
    requantization factor (sx * sw) / sy evaluated in float32. ``intermediate`` is the quantization of the requantized
    accumulator; ``clamp`` and ``lookup`` apply to it; then ``binary`` if present. ``shares_blocks``: other layers make
    other results of the same node, so that another program could put outputs of both into one block of the array.
    """

    window: Window
    groups: int
    weights: Int8Array
    bias: npt.NDArray[np.int32]
    multipliers: npt.NDArray[np.float32]
    intermediate: Quantization
    clamp: tuple[int, int] = (-128, 127)
    lookup: Int8Array | None = None
    binary: Binary | None = None
    real_bias: npt.NDArray[np.float32] | None = None
    shares_blocks: bool = False

    @property
    def is_depthwise(self) -> bool:
        """One input channel per group: the vector unit's work, not the array's."""
        return self.groups > 1 and self.weights.shape[3] == 1


class PoolKind(StrEnum):
    """MAX compares; AVERAGE sums and requantizes. The others sum reals, each byte's by a table, in the `SumOrder` of
    their name, and quantize the quotient.
    """

    MAX = "max"
    AVERAGE = "average"
    REAL_ROWS = "real_average_rows"
    REAL_COLUMNS = "real_average_columns"
    REAL_LANES = "real_average_lanes"
    REAL_PAIRS = "real_average_pairs"

    @property
    def order(self) -> SumOrder | None:
        """How reals are summed; None where none are."""
        name = self.value.removeprefix("real_average_")
        return None if name == self.value else SumOrder(name)

    @property
    def in_parts(self) -> bool:
        """Whether a window may be reduced range by range."""
        return self.order in (None, SumOrder.ROWS)


@dataclass(frozen=True, slots=True)
class Pooling:
    """Window reduction per channel. For AVERAGE, a window's divisor is the cells it counts: all of
    them if ``count_include_pad``, those inside the map otherwise. A global pool's window is the whole map. ``reals``:
    float32 (256), what each byte stands for, where the kind sums reals.
    """

    kind: PoolKind
    window: Window
    count_include_pad: bool
    is_global: bool
    clamp: tuple[int, int] = (-128, 127)
    lookup: Int8Array | None = None
    reals: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Elementwise:
    """Two operands, no window: the layer's first input is the value in flight, ``binary`` says the rest."""

    binary: Binary


@dataclass(frozen=True, slots=True)
class Lookup:
    """Any function of one byte: 256 int8 entries indexed by q + 128."""

    table: Int8Array


@dataclass(frozen=True, slots=True)
class Move:
    """One affine copy: for every index in the box ``sizes``, output[to] = input[from].

    Strides count *elements of the dense storage order* (rows, columns, channels; padding left out) of the whole
    source and destination map of one sample. Each dimension walks one axis (rows, columns or channels) of either map
    and ends within it. ``lookup`` maps each byte on the way.
    """

    source: str
    source_offset: int
    target_offset: int
    sizes: tuple[int, ...]
    source_strides: tuple[int, ...]
    target_strides: tuple[int, ...]
    lookup: Int8Array | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """Concat, Slice, Split, Pad, Transpose, Reshape: a fill (if any) and then moves that never overlap."""

    moves: tuple[Move, ...]
    fill: int | None = None


@dataclass(frozen=True, slots=True)
class Blend:
    """Linear resampling: the four neighbours of a place as reals, each times the product of its two weights, added in
    the order near row then far, near column before far; then quantized to the result's map.
    """

    rows: Neighbours
    columns: Neighbours
    clamp: tuple[int, int] = (-128, 127)
    lookup: Int8Array | None = None


@dataclass(frozen=True, slots=True)
class Resize:
    """Nearest-neighbour resampling: output (r, c) is input (rows[r], columns[c])."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    lookup: Int8Array | None = None


class RowKind(StrEnum):
    """What is done with all channels of a pixel."""

    SOFTMAX = "softmax"  # on bytes: a table of exponentials, sums in float32 in the order of the channels
    REAL_SOFTMAX = "real_softmax"  # the same quotients as reals, then quantized
    ARG_MAX = "arg_max"  # the number of the first channel that is largest, less 128
    LAYER = "layer"  # mean 0 and variance 1, times gain, plus offset
    RMS = "rms"  # root of the mean square 1, times gain, plus offset
    LARGEST = "largest"  # the largest channel
    SUM = "sum"  # of all channels: of integers, exactly, then quantized as a real
    MEAN = "mean"  # likewise
    ARG_MAX_LAST = "arg_max_last"  # the number of the last channel that is largest, less 128
    RESPONSE = "response"  # each channel by the squares of its neighbours
    LOG_SOFTMAX = "log_softmax"  # distance from the largest less the logarithm of the sum, as reals, then quantized

    @property
    def counts(self) -> bool:
        """Whether the result is the number of a channel."""
        return self in (RowKind.ARG_MAX, RowKind.ARG_MAX_LAST)

    @property
    def exponential(self) -> bool:
        """Whether it reads a table of exponentials."""
        return self in (RowKind.SOFTMAX, RowKind.REAL_SOFTMAX, RowKind.LOG_SOFTMAX)

    @property
    def reduces(self) -> bool:
        """Whether a pixel becomes one value."""
        return self.counts or self in (RowKind.LARGEST, RowKind.SUM, RowKind.MEAN)


@dataclass(frozen=True, slots=True)
class Normalization:
    """Softmax, ArgMax, LayerNorm, RMSNorm, and InstanceNorm of a map whose channels are an image's pixels.

    ``channels``: of each pixel of the input. ``exponentials``: float32 (256), of the softmaxes. ``gains`` and
    ``offsets``: float32, one per channel, or ``per_pixel``, one per pixel (rows, columns).
    """

    kind: RowKind
    channels: int
    epsilon: float = 0.0
    exponentials: npt.NDArray[np.float32] | None = None
    gains: npt.NDArray[np.float32] | None = None
    offsets: npt.NDArray[np.float32] | None = None
    per_pixel: bool = False
    clamp: tuple[int, int] = (-128, 127)
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """Matrix product of two maps of as many rows: a row's pixels (M, K) times the other's (N, K), transposed.

    The result has M pixels of N channels in each row. ``multiplier`` is the requantization factor (sa * sb) / sy, or,
    ``real``, the scale sa * sb of reals. ``intermediate`` is the quantization of the requantized accumulator; ``clamp``
    and ``lookup`` apply to it.
    """

    multiplier: float
    real: bool
    intermediate: Quantization
    clamp: tuple[int, int] = (-128, 127)
    lookup: Int8Array | None = None


Kernel = Convolution | Pooling | Elementwise | Lookup | Copy | Resize | Blend | Normalization | Product


@dataclass(frozen=True, slots=True)
class Layer:
    """One kernel with its maps. ``inputs[0]`` is the value in flight; further ones are operands.

    ``name`` is e.g. ``MLA_0/conv2d_add_relu_3``; ``operator`` is its family for charts (``conv2d``,
    ``depthwise_conv2d``, ``dense``, ``max_pool2d`` ...); ``sources`` are the ONNX nodes that it stands for.
    """

    name: str
    operator: str
    kernel: Kernel
    inputs: tuple[str, ...]
    output: str
    sources: tuple[str, ...]
    placement: str = "MLA"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """Layers that one processor runs without a break. ``name`` is ``MLA_0``; ``inputs`` and ``outputs`` name maps."""

    name: str
    processor: str
    layers: tuple[Layer, ...]
    maps: Mapping[str, FeatureMap]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LayerGraph:
    """The legalized network before (one implied segment) and after partition."""

    name: str
    segments: tuple[Segment, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cut: tuple[str, ...] = ()
