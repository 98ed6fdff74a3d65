"""Level 1, the quantized network: what the frontend delivers, still in the source's own layout.

Every activation is an int8 tensor with one scale and one zero point; every node consumes and produces
activations. Shapes are *per sample*: the leading batch dimension of the source is left out everywhere, so that one
graph serves every batch size. Constants stay with the node that uses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Int8Array = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
Float32Array = npt.NDArray[np.float32]


class Op(StrEnum):
    """Operators of the quantized graph, by their ONNX names."""

    CONV = "Conv"
    CONV_TRANSPOSE = "ConvTranspose"
    GEMM = "Gemm"  # also MatMul with a constant right side: contracts the last axis
    REAL_GEMM = "RealGemm"  # the same where onnxruntime multiplies reals: sums become reals before they are quantized
    ADD = "Add"
    SUB = "Sub"
    MUL = "Mul"
    REAL_ADD = "RealAdd"  # the same sum and product as float32 has them: other roundings than Add's and Mul's
    REAL_MUL = "RealMul"
    DIV = "Div"
    MAX = "Max"
    MIN = "Min"
    PRELU = "PRelu"  # x where it is positive, x times a constant elsewhere
    RELU = "Relu"
    CLIP = "Clip"
    LEAKY_RELU = "LeakyRelu"
    SIGMOID = "Sigmoid"
    TANH = "Tanh"
    HARD_SIGMOID = "HardSigmoid"
    HARD_SWISH = "HardSwish"
    REQUANTIZE = "Requantize"  # same numbers under another scale and zero point
    TABLE = "Table"  # any float32 arithmetic on one tensor's values and constants, as its result for every byte
    MAX_POOL = "MaxPool"
    AVERAGE_POOL = "AveragePool"
    GLOBAL_AVERAGE_POOL = "GlobalAveragePool"
    REAL_AVERAGE_POOL = "RealAveragePool"  # an average of reals that a table gives, summed as float32 has them
    CONCAT = "Concat"
    RESHAPE = "Reshape"  # Flatten, Squeeze and Unsqueeze arrive as Reshape too
    TRANSPOSE = "Transpose"
    SLICE = "Slice"  # Split arrives as one Slice per output
    PAD = "Pad"
    RESIZE_NEAREST = "Resize"
    RESIZE_LINEAR = "ResizeLinear"
    SOFTMAX = "Softmax"  # on bytes, as onnxruntime has it between quantizations
    REAL_SOFTMAX = "RealSoftmax"  # in float32, where a quantization beside it is missing
    LOG_SOFTMAX = "LogSoftmax"
    ARG_MAX = "ArgMax"
    ARG_MAX_LAST = "ArgMaxLast"  # of several largest values the last one
    LRN = "LRN"
    REDUCE_MAX = "ReduceMax"
    REDUCE_SUM = "ReduceSum"
    REDUCE_MEAN = "ReduceMean"
    LAYER_NORM = "LayerNormalization"
    RMS_NORM = "RMSNormalization"
    INSTANCE_NORM = "InstanceNormalization"
    MATMUL = "MatMul"  # of two activations: (..., M, K) times (..., K, N) with equal axes in front
    REAL_MATMUL = "RealMatMul"  # sums become reals before they are quantized
    EINSUM = "Einsum"  # the same reals, which onnxruntime sums in float32


#: Operators of two operands.
BINARY_OPS = frozenset({Op.ADD, Op.SUB, Op.MUL, Op.REAL_ADD, Op.REAL_MUL, Op.DIV, Op.MAX, Op.MIN, Op.PRELU})

#: Operators that look at whole rows of values.
#: Operators that leave one value of a row.
REDUCING_OPS = frozenset({Op.ARG_MAX, Op.ARG_MAX_LAST, Op.REDUCE_MAX, Op.REDUCE_SUM, Op.REDUCE_MEAN})
ROW_OPS = REDUCING_OPS | {
    Op.LRN, Op.SOFTMAX, Op.REAL_SOFTMAX, Op.LOG_SOFTMAX, Op.LAYER_NORM, Op.RMS_NORM, Op.INSTANCE_NORM,
}  # fmt: skip

#: Matrix products of two activations.
PRODUCT_OPS = frozenset({Op.MATMUL, Op.REAL_MATMUL, Op.EINSUM})

#: Operators of one input whose result depends on that input's byte alone.
UNARY_OPS = frozenset(
    {Op.RELU, Op.CLIP, Op.LEAKY_RELU, Op.SIGMOID, Op.TANH, Op.HARD_SIGMOID, Op.HARD_SWISH, Op.REQUANTIZE}
)


@dataclass(frozen=True, slots=True)
class Quantization:
    """real = (q - zero_point) * scale, evaluated in float32; q and zero_point are int8."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """One activation. ``shape`` is per sample, in the source's axis order (CHW for images)."""

    name: str
    shape: tuple[int, ...]
    quant: Quantization


@dataclass(frozen=True, slots=True)
class Weights:
    """Constants of a Conv, a ConvTranspose or a Gemm.

    ``values``: int8, (Cout, Cin / groups, kh, kw) for both convolutions, (Cout, Cin) for Gemm; symmetric, zero point 0.
    ``scales``: float32, length 1 (per tensor) or Cout (per channel). ``bias``: int32, length Cout, scale
    sx * sw, zeros where the source has none. With ``real_bias`` (float32, length Cout) ``bias`` is zero: sums become
    reals, to which it is added before the result is quantized: two more roundings than in a product on bytes.
    """

    values: Int8Array
    scales: Float32Array
    bias: Int32Array
    has_bias: bool = True
    real_bias: Float32Array | None = None


@dataclass(frozen=True, slots=True)
class ConstantOperand:
    """A quantized constant that takes the place of one activation of `BINARY_OPS`; per sample, broadcastable."""

    values: Int8Array
    quant: Quantization


@dataclass(frozen=True, slots=True)
class ConvAttributes:
    """Two-dimensional convolution or pooling window; order (height, width); pads top, left, bottom, right.

    Of a transposed convolution pads are the rows and columns that the result leaves out; negative at the bottom and the
    right where it has more.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    count_include_pad: bool = False


@dataclass(frozen=True, slots=True)
class ActivationAttributes:
    """Parameters of the elementwise functions: LeakyRelu and HardSigmoid slopes, Clip's real-valued bounds."""

    alpha: float = 0.0
    beta: float = 0.0
    minimum: float = float("-inf")
    maximum: float = float("inf")


@dataclass(frozen=True, slots=True)
class ShapeAttributes:
    """Parameters of the data movements, all per sample (axis 0 is the first axis after the batch)."""

    axis: int = 0  # Concat
    permutation: tuple[int, ...] = ()  # Transpose
    starts: tuple[int, ...] = ()  # Slice, one entry per axis
    steps: tuple[int, ...] = ()  # Slice, one positive entry per axis
    pads_before: tuple[int, ...] = ()  # Pad, one entry per axis; filled with the zero point unless `fill` says else
    pads_after: tuple[int, ...] = ()
    fill: int | None = None  # Pad: the int8 value to fill with
    rows: tuple[int, ...] = ()  # Resize: source row of each output row
    columns: tuple[int, ...] = ()  # Resize: source column of each output column


@dataclass(frozen=True, slots=True)
class TableAttributes:
    """A function of one byte, the same for all values or one for each place along ``axis`` (per sample).

    ``tables``: int8 (1 or length of the axis, 256), entry q + 128 being the result for input byte q. ``steps`` are the
    operators that it stands for, in lower case, ``sources`` their names in the model file. ``line``: for each table the
    real slope per step of the input and the real result at its zero point, where they may be lines; ``below`` is the
    same for the bytes below the zero point alone.
    """

    tables: Int8Array
    axis: int = 0
    steps: tuple[str, ...] = ("table",)
    sources: tuple[str, ...] = ()
    line: tuple[Float32Array, Float32Array] | None = None
    below: tuple[Float32Array, Float32Array] | None = None


class SumOrder(StrEnum):
    """In which order float32 sums a window: each sum is rounded, so that the order shows.

    ROWS: cell by cell, row by row. COLUMNS: each column from the top, then the columns. LANES: every fourth cell of the
    flattened window, the four sums as (0 + 2) + (1 + 3), then what is left over. PAIRS: as LANES with eight sums from
    the first cell on that lies at a multiple of four in the flattened sample, the cells in front of it last but for
    those left over.
    """

    ROWS = "rows"
    COLUMNS = "columns"
    LANES = "lanes"
    PAIRS = "pairs"


@dataclass(frozen=True, slots=True)
class RealAverageAttributes:
    """``reals``: float32 (256), what each input byte q stands for at q + 128; pads stand for 0.

    LANES and PAIRS have a window without pads that is the whole map. ``steps`` and ``sources``: the operators in front
    whose result ``reals`` is, in lower case, and their names in the model file.
    """

    window: ConvAttributes
    order: SumOrder
    reals: Float32Array
    steps: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """Local response normalization: x * (bias + alpha / size * s) ** -beta, s being the sum of the squares of ``size``
    neighbours in the row, x in their middle.
    """

    size: int
    alpha: float
    beta: float
    bias: float


@dataclass(frozen=True, slots=True)
class RowAttributes:
    """Operators that look at whole rows of values: ``axes`` (per sample, ascending) together make one row.

    ``gains`` and ``offsets``: float32, one per value of a row; of INSTANCE_NORM one per channel (axis 0).
    """

    axes: tuple[int, ...]
    epsilon: float = 0.0
    gains: Float32Array | None = None
    offsets: Float32Array | None = None
    response: Response | None = None  # of LRN


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Linear interpolation along one axis: for each place of the result two places of the input, and what each counts
    (float32). Both may be the same place.
    """

    near: tuple[int, ...]
    far: tuple[int, ...]
    near_weights: tuple[float, ...]
    far_weights: tuple[float, ...]

    def part(self, low: int, high: int) -> Neighbours:
        """Those of the places from ``low`` to before ``high``."""
        near, far, first, second = self.near, self.far, self.near_weights, self.far_weights
        return Neighbours(near[low:high], far[low:high], first[low:high], second[low:high])

    def seen(self) -> tuple[frozenset[int], ...]:
        """For each place of the result, the places of the input that count at all."""
        return tuple(
            frozenset(place for place, weight in ((near, first), (far, second)) if weight)
            for near, far, first, second in zip(self.near, self.far, self.near_weights, self.far_weights, strict=True)
        )


@dataclass(frozen=True, slots=True)
class BlendAttributes:
    """Linear interpolation of rows and columns."""

    rows: Neighbours
    columns: Neighbours


Attributes = (
    ConvAttributes
    | BlendAttributes
    | ActivationAttributes
    | ShapeAttributes
    | TableAttributes
    | RowAttributes
    | RealAverageAttributes
    | None
)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. ``clamp`` is the inclusive int8 range of the result; fused Relu and Clip narrow it.

    ``inputs`` names activations; one of `BINARY_OPS` with a constant has one input and ``constant`` set, and
    ``constant_first`` tells the order of the operands. ``source`` is the node's name in the ONNX file.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    output: str
    attributes: Attributes = None
    weights: Weights | None = None
    constant: ConstantOperand | None = None
    constant_first: bool = False
    clamp: tuple[int, int] = (-128, 127)
    fused: tuple[str, ...] = ()  # lower-case names of activations folded into `clamp`, e.g. ("relu",)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """A quantized network in execution order.

    ``inputs`` and ``outputs`` name tensors; float32 arrays under these names enter and leave in the source's
    layout with the batch in front. ``batch`` is what the source file wrote as its batch, 0 when symbolic.
    ``cut`` describes operators at the outputs that the archive leaves to the host (such as a last Softmax).
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    batch: int = 0
    cut: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())
