"""The state of one reading: values by ONNX name, and the questions that converters ask about them.

In: ONNX value names. Out: values, tensors, constants. Always: a question that cannot be answered is an error naming
the node that asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sima_compiler.frontend.builder import GraphBuilder
from sima_compiler.frontend.integers import scale_and_zero_point
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.rules import BATCH_FIRST, QUANTIZED, REQUANTIZE_HINT
from sima_compiler.frontend.values import (
    Activation,
    Constant,
    Cut,
    GraphInput,
    Moving,
    Pending,
    QuantizedConstant,
    RealFunction,
    ShapeVector,
    Value,
)
from sima_compiler.ir.graph import Quantization


class Reader:
    """Values and builder of one file. ``batch`` is the file's literal batch, 0 when it is symbolic."""

    def __init__(self, opset: int, batch: int, integer_quants: Mapping[str, Quantization]) -> None:
        self.opset = opset
        self.batch = batch
        self.integer_quants = integer_quants
        self.builder = GraphBuilder()
        self.values: dict[str, Value] = {}
        self.reshapes: dict[str, tuple[int, ...]] = {}
        self.ends: dict[str, Cut] = {}  # by node, what the network ends in where the node's reals are an output
        self.readers: Counter[str] = Counter()  # how often each ONNX value is read, as an output too
        self.constant_pairs: dict[str, tuple[str, QuantizedConstant, QuantizedConstant]] = {}
        self.unsigned: frozenset[str] = frozenset()

    def value(self, node: SourceNode, position: int) -> Value:
        """The value of an input that must be there."""
        name = node.inputs[position] if position < len(node.inputs) else ""
        if not name:
            raise node.invalid(f"input {position} is missing")
        if name not in self.values:
            raise node.invalid(f"input {name!r} is produced by no earlier node")
        return self.values[name]

    def has(self, node: SourceNode, position: int) -> bool:
        """Whether an optional input is given."""
        return position < len(node.inputs) and bool(node.inputs[position])

    def shape(self, node: SourceNode, position: int = 0) -> tuple[int, ...]:
        """Per-sample shape of an activation input."""
        value = self.activation(node, position)
        return value.shape

    def activation(self, node: SourceNode, position: int = 0) -> Moving:
        """An input that depends on the network's inputs."""
        value = self.value(node, position)
        if not isinstance(value, Activation | Pending | GraphInput | RealFunction):
            raise node.unsupported(f"input {node.inputs[position]!r} is a constant where an activation is expected")
        return value

    def settled(self, node: SourceNode, position: int = 0) -> Activation:
        """An activation input as a tensor of the graph."""
        return self.builder.settled(self.activation(node, position), node.inputs[position], node)

    def quant(self, node: SourceNode, position: int = 0) -> Quantization:
        """Quantization of an input that is settled."""
        return self.builder.quant(self.settled(node, position))

    def constant(self, node: SourceNode, position: int) -> npt.NDArray[np.generic]:
        """An input that must be known before the network runs."""
        value = self.value(node, position)
        if isinstance(value, Constant):
            return value.array
        raise node.unsupported(f"input {node.inputs[position]!r} must be a constant")

    def integers(self, node: SourceNode, position: int, attribute: str) -> tuple[int, ...] | None:
        """Integers that newer opsets pass as an input and older ones as an attribute; None when absent."""
        if self.has(node, position):
            return self._whole_numbers(node, position)
        return node.integers(attribute)

    def sizes(self, node: SourceNode, position: int) -> tuple[int | None, ...]:
        """An input of sizes, constants and shapes alike; None is the batch.

        Raises:
            UnsupportedError: a size is calculated from the batch.
        """
        value = self.value(node, position)
        if not isinstance(value, ShapeVector):
            return self._whole_numbers(node, position)
        sizes = value.sizes()
        if sizes is None:
            found = f"input {node.inputs[position]!r} holds a size that is calculated from the batch"
            raise node.unsupported(found, rule=BATCH_FIRST.sentence)
        return sizes

    def _whole_numbers(self, node: SourceNode, position: int) -> tuple[int, ...]:
        array = self.constant(node, position)
        if array.dtype.kind not in "iu":
            raise node.invalid(f"input {node.inputs[position]!r} holds {array.dtype}, expected whole numbers")
        return tuple(int(entry) for entry in array.reshape(-1))

    def axis(self, node: SourceNode, axis: int, rank: int) -> int:
        """A source axis as a per-sample axis; ``rank`` counts the batch.

        Raises:
            UnsupportedError: the axis is the batch.
        """
        if not -rank <= axis < rank:
            raise node.invalid(f"axis {axis} does not exist in {rank} dimensions")
        if axis % rank == 0:
            raise node.unsupported("it works along dimension 0, the batch", rule=BATCH_FIRST.sentence)
        return axis % rank - 1

    def quantization(self, node: SourceNode) -> Quantization:
        """What a QuantizeLinear or DequantizeLinear of an activation states.

        Raises:
            UnsupportedError: several scales, or another type than int8 and uint8.
        """
        return scale_and_zero_point(node, [self.constant(node, place) for place in (1, 2) if self.has(node, place)])[0]

    def quantized_constant(self, node: SourceNode, position: int) -> QuantizedConstant:
        """A constant that went through DequantizeLinear."""
        value = self.value(node, position)
        if not isinstance(value, QuantizedConstant):
            found = f"input {node.inputs[position]!r} is no quantized constant"
            raise node.unsupported(found, rule=QUANTIZED.sentence, hint=REQUANTIZE_HINT)
        return value
