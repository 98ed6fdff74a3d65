"""What a value of the ONNX file means while the graph is being read.

Every ONNX value name stands for exactly one of these records. Always: frozen; shapes are per sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.graph import Attributes, ConstantOperand, Float32Array, Op, Quantization, Weights
from sima_compiler.ir.host import HostTensor


@dataclass(frozen=True, slots=True)
class Constant:
    """Known before any input: initializers, Constant nodes and what folds from them."""

    array: npt.NDArray[np.generic]


#: Batches for which shape arithmetic is computed: 1 because files test for it and round up to it, 2 because what grows
#: with the batch grows there, and a prime that is no size of anything else.
BATCHES = (1, 2, 211)


@dataclass(frozen=True, slots=True)
class ShapeVector:
    """The result of shape arithmetic that depends on the batch: its value for each of `BATCHES`."""

    values: tuple[npt.NDArray[np.generic], ...]

    def sizes(self) -> tuple[int | None, ...] | None:
        """Integers, None for the batch; None altogether when an entry is neither a number nor the batch."""
        if len({value.shape for value in self.values}) > 1:
            return None
        columns = [tuple(column) for column in zip(*(value.reshape(-1) for value in self.values), strict=True)]
        if any(len(set(column)) > 1 and column != BATCHES for column in columns):
            return None
        return tuple(None if column == BATCHES else int(column[0]) for column in columns)


@dataclass(frozen=True, slots=True)
class QuantizedConstant:
    """The result of DequantizeLinear on a constant. ``axis`` counts the scales when there is more than one."""

    values: npt.NDArray[np.generic]
    scales: npt.NDArray[np.float32]
    zero_points: npt.NDArray[np.int64]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class GraphInput:
    """A real-valued input of the network whose quantization has not been seen yet."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Activation:
    """A tensor of the graph; ``integer`` when the ONNX value holds its bytes, otherwise its real values.

    ``direct``: onnxruntime sees a DequantizeLinear right in front, so that the next operator may work on bytes there.
    """

    tensor: str
    shape: tuple[int, ...]
    integer: bool
    direct: bool = True


@dataclass(frozen=True, slots=True)
class JoinedConstant:
    """A constant of a Concat, per sample, that stands in front of the activation number ``place``."""

    place: int
    real: Float32Array


@dataclass(frozen=True, slots=True)
class Pending:
    """A real-valued result whose quantization is still to come: the QuantizeLinear behind it completes the node.

    ``inputs`` are settled activations; a movement (or a maximum) may also follow another pending value or a graph
    input, because it commutes with quantization. ``bounds`` collects Relu and Clip. ``transparent`` movements are those
    past which onnxruntime moves quantizations, so that what stands on their other side still works on bytes.
    ``real_bias``: what a product adds where onnxruntime takes it out of the bytes: without quantizations right beside
    it, or ``always``. ``joins_add``: a MatMul, of which and of an Add onnxruntime makes one operator. ``joined``: the
    constants of a Concat.
    """

    op: Op
    source: str
    inputs: tuple[Activation | Pending | GraphInput | RealFunction, ...]
    shape: tuple[int, ...]
    attributes: Attributes = None
    weights: Weights | None = None
    constant: ConstantOperand | None = None
    constant_first: bool = False
    real_operand: Float32Array | None = None
    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    fused: tuple[str, ...] = ()
    pad_value: float = 0.0
    transparent: bool = False
    real_bias: Float32Array | None = None
    always_real: bool = False
    joins_add: bool = False
    joined: tuple[JoinedConstant, ...] = ()
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RealFunction:
    """Float32 arithmetic on one tensor and constants, between DequantizeLinear and QuantizeLinear, evaluated.

    ``values``: float32 (..., 256), entry q + 128 being the result for byte q of ``source``; the axes in front
    broadcast to the per-sample shape, and are left out or of length 1 where the function is the same. ``steps`` are the
    operators so far in lower case and ``nodes`` their names in the file. ``packed``: onnxruntime holds the value with
    its channels packed side by side; None where it may.
    """

    source: Activation
    values: Float32Array
    steps: tuple[str, ...]
    nodes: tuple[str, ...]
    packed: bool | None = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Per-sample shape, that of ``source``."""
        return self.source.shape

    @property
    def is_uniform(self) -> bool:
        """Whether the function is the same everywhere."""
        return self.values.size == 256


@dataclass(frozen=True, slots=True)
class Cut:
    """The result of an operator that the archive leaves to the host.

    ``value`` is what goes into it and ``source`` the ONNX name of that.
    """

    value: Activation
    operators: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Hosted:
    """The result of a node of the A65: what it is at each of `BATCHES`, batch included.

    ``selected``: its rows are what a NonMaxSuppression found, of all samples.
    """

    types: tuple[HostTensor, ...]
    selected: bool = False

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Per sample; None where the first dimension is not the batch."""
        first, *others = (tensor.shape for tensor in self.types)
        stands = all(
            found[:1] == (batch,) and found[1:] == first[1:]
            for found, batch in zip((first, *others), BATCHES, strict=True)
        )
        return first[1:] if stands else None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A result that an obstacle in front of it hides; ``shape`` is per sample, None when it cannot be told."""

    shape: tuple[int, ...] | None


Value = (
    Constant
    | ShapeVector
    | QuantizedConstant
    | GraphInput
    | Activation
    | Pending
    | RealFunction
    | Cut
    | Hosted
    | Unknown
)
#: Values that depend on the network's inputs and have a shape.
Moving = Activation | Pending | GraphInput | RealFunction

#: Operators whose result is a selection of their input's values (and, for Pad, a constant).
MOVEMENTS = frozenset({Op.RESHAPE, Op.TRANSPOSE, Op.SLICE, Op.PAD, Op.RESIZE_NEAREST, Op.MAX_POOL})


def parameters(scale: float, zero_point: int, *, unsigned: bool) -> Quantization:
    """A quantization in the int8 frame: the zero point of a uint8 tensor moves down by 128."""
    return Quantization(float(np.float32(scale)), int(zero_point) - (128 if unsigned else 0))
