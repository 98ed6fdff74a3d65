"""Collects the tensors and nodes of a `Graph` while the ONNX nodes are read in order.

In: values and pending operations. Out: `Graph`. Always: a tensor has exactly one producer and a name of its own, which
says nothing until `finish`: only there inputs and outputs get theirs; a
pending operation becomes a node as soon as its quantization is known, and the same one only once per quantization.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from sima_compiler.arithmetic import FULL_RANGE, dequantize, quantize, quantize_bounds
from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.float_sums import in_reals
from sima_compiler.frontend.joined_constants import join_constants
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.rules import (
    ADD_RATIO,
    CONCAT_SCALE,
    INPUT_SCALE,
    INPUT_SCALE_HINT,
    PAD_FILL,
    QUANTIZED,
    REQUANTIZE_HINT,
)
from sima_compiler.frontend.structure import structural
from sima_compiler.frontend.tabled import tabled
from sima_compiler.frontend.values import MOVEMENTS, Activation, Cut, GraphInput, Moving, Pending, RealFunction, Value
from sima_compiler.ir.graph import (
    UNARY_OPS,
    ConstantOperand,
    Graph,
    Node,
    Op,
    Quantization,
    ShapeAttributes,
    Tensor,
)

#: How much onnxruntime lets a Relu or Clip limit a value that it then drops the node of.
EPSILON = float(np.finfo(np.float32).eps)
#: Of an operand's scale to that of a sum: 256 steps of such an operand are 24 bits.
LARGEST_RATIO = 2.0**16
#: Values of one sample of one tensor: 32-bit addresses reach no further.
LARGEST_TENSOR = 2**31


class GraphBuilder:
    """The graph so far. Used by one reading of one file."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.warnings: list[str] = []
        self._node_names: set[str] = set()
        self._done: dict[tuple[int, Quantization], Activation] = {}
        self.origins: dict[str, str] = {}  # tensor of the finished graph -> name of its ONNX value
        self.output_names: dict[str, str] = {}  # ONNX output name -> graph output name, once finished
        self._inputs: dict[str, str] = {}  # input of the network -> its tensor
        self._alive: list[Pending | RealFunction] = []  # keeps the ids in `_done` unique

    def tensor(self, name: str, shape: tuple[int, ...], quant: Quantization) -> Activation:
        """A new tensor, called ``name`` or that with a number when the name is taken."""
        if math.prod(shape) > LARGEST_TENSOR:
            raise ModelError(
                f"tensor {name!r} of shape {shape} has {math.prod(shape):,} values per sample, "
                f"more than the {LARGEST_TENSOR:,} that can be addressed"
            )
        unique = _unique(name, self.tensors.__contains__)
        self.tensors[unique] = Tensor(unique, shape, quant)
        return Activation(unique, shape, integer=True)

    def quant(self, activation: Activation) -> Quantization:
        """The quantization of a settled activation."""
        return self.tensors[activation.tensor].quant

    def append(self, node: Node) -> None:
        """Add a node under a name of its own."""
        unique = _unique(node.name, self._node_names.__contains__)
        self._node_names.add(unique)
        self.nodes.append(replace(node, name=unique))

    def quantized(
        self, value: Value, quant: Quantization, name: str, node: SourceNode, *, direct: bool = True
    ) -> Activation:
        """``value`` under ``quant``: the meaning of QuantizeLinear. New tensors are called ``name``.

        ``direct``: onnxruntime sees the QuantizeLinear right behind the value, and nothing else reads it.

        Raises:
            UnsupportedError: the value cannot be quantized here.
        """
        if isinstance(value, Activation):
            return self._requantized(value, quant, name, node)
        if isinstance(value, GraphInput):
            return self._input(value, quant, node)
        if isinstance(value, Pending):
            return self._complete(value, quant, name, node, direct=direct)
        if isinstance(value, RealFunction):
            return self._tabled(value, quant, name)
        raise node.unsupported("its input is no activation", rule=QUANTIZED.sentence, hint=REQUANTIZE_HINT)

    def settled(self, value: Value, name: str, node: SourceNode) -> Activation:
        """``value`` as a tensor, where the file writes no QuantizeLinear: movements and Relu keep the input's scale.

        Raises:
            UnsupportedError: the value has no quantization that the file states or that follows from its input.
        """
        self.check_settles(value, node)
        if isinstance(value, Pending):
            inner = self.settled(value.inputs[0], value.name, node)
            result = self._complete(value, self.quant(inner), name, node, direct=True)
            return replace(result, integer=False, direct=inner.direct and value.transparent)
        assert isinstance(value, Activation), "what settles is an activation or pending"
        return value

    def check_settles(self, value: Value, node: SourceNode) -> None:
        """What `settled` demands, asked without making anything.

        Raises:
            UnsupportedError: as for `settled`.
        """
        if isinstance(value, Pending) and value.op is Op.CONCAT:
            for part in value.inputs:
                self.check_settles(part, node)
            scales = {self._kept_quant(part) for part in value.inputs}
            CONCAT_SCALE.check(node, f"{value.source!r} joins values of {len(scales)} scales", len(scales) == 1)
        elif isinstance(value, Pending) and (value.op in MOVEMENTS or value.op is Op.RELU):
            self.check_settles(value.inputs[0], node)
            quant = self._kept_quant(value)
            found = f"{value.source!r} fills with {value.pad_value}, which {quant} does not hold"
            PAD_FILL.check(node, found, holds_fill(value, quant))
        elif isinstance(value, Pending | RealFunction):
            source = value.source if isinstance(value, Pending) else value.nodes[-1]
            found = f"its input comes from {source!r} without a QuantizeLinear between them"
            raise node.unsupported(found, rule=QUANTIZED.sentence, hint=REQUANTIZE_HINT)
        elif isinstance(value, GraphInput):
            found = f"input {value.name!r} reaches it unquantized"
            raise node.unsupported(found, rule=QUANTIZED.sentence, hint=REQUANTIZE_HINT)
        elif not isinstance(value, Activation):
            raise node.unsupported("its input is no activation", rule=QUANTIZED.sentence, hint=REQUANTIZE_HINT)

    def _kept_quant(self, value: Moving) -> Quantization:
        """The quantization that a settling movement keeps: that of the tensor at its root."""
        while isinstance(value, Pending):
            value = value.inputs[0]
        assert isinstance(value, Activation), "checked to settle"
        return self.quant(value)

    def _requantized(self, value: Activation, quant: Quantization, name: str, node: SourceNode) -> Activation:
        if self.quant(value) == quant:
            return replace(value, integer=True)
        target = self.tensor(name, value.shape, quant)
        self.append(Node(node.name, Op.REQUANTIZE, (value.tensor,), target.tensor, source=node.name))
        return target

    def _input(self, value: GraphInput, quant: Quantization, node: SourceNode) -> Activation:
        known = self._inputs.get(value.name)
        if known is None:
            return self.input(value, quant)
        found = f"input {value.name!r} is quantized in two ways: {self.tensors[known].quant} and {quant}"
        if self.tensors[known].quant != quant:
            raise node.unsupported(found, rule=INPUT_SCALE.sentence, hint=INPUT_SCALE_HINT)
        return Activation(known, value.shape, integer=True)

    def _tabled(self, value: RealFunction, quant: Quantization, name: str) -> Activation:
        key = (id(value), quant)
        if key not in self._done:
            self._alive.append(value)
            self._done[key] = tabled(self, value, quant, name)
        return self._done[key]

    def _complete(
        self, value: Pending, quant: Quantization, name: str, node: SourceNode, *, direct: bool
    ) -> Activation:
        key = (id(value), quant)
        if key not in self._done:
            self._alive.append(value)
            self._done[key] = self._emit(value, quant, name, node, direct=direct)
        return self._done[key]

    def _emit(self, value: Pending, quant: Quantization, name: str, node: SourceNode, *, direct: bool) -> Activation:
        if value.op in MOVEMENTS:
            return self._emit_movement(value, quant, name, node, direct=direct)
        inputs = tuple(self._operand(value, part, quant, node, place) for place, part in enumerate(value.inputs))
        if value.joined:
            return join_constants(self, value, inputs, quant, name)
        read_bytes, loose = all(part.direct for part in inputs), is_loose(value, quant)
        if not (direct and read_bytes and loose) and not is_fixed(value, quant):
            value = in_reals(value, self.quant(inputs[0]), read_bytes=read_bytes, limited=not loose)
        if value.op is Op.ADD:
            self._check_ratios(value, inputs, quant, node)
        if value.real_operand is not None:
            value = replace(value, constant=ConstantOperand(quantize(value.real_operand, quant), quant))
        target = self.tensor(name, value.shape, quant)
        names = tuple(part.tensor for part in inputs)
        self.append(self._node(with_one_bias(value), names, target.tensor, quant))
        return target

    def _check_ratios(
        self, value: Pending, inputs: Sequence[Activation], quant: Quantization, node: SourceNode
    ) -> None:
        """Beyond, the float32 terms of an Add on bytes lose the steps of its result."""
        scales = [self.quant(part).scale for part in inputs]
        scales += [] if value.constant is None else [value.constant.quant.scale]
        ratio = max(scales) / quant.scale
        ADD_RATIO.check(
            node, f"{value.source!r} adds steps {ratio:.3g} times those of its result", ratio <= LARGEST_RATIO
        )

    def _operand(self, value: Pending, part: Moving, quant: Quantization, node: SourceNode, place: int) -> Activation:
        """A tensor; of a Concat, Max or Min, a part whose own scale is unknown takes that of the result."""
        if value.op in (Op.CONCAT, Op.MAX, Op.MIN) and not isinstance(part, Activation):
            direct = value.op is Op.CONCAT
            return self.quantized(part, quant, f"{value.source}_part_{place}", node, direct=direct)
        return self.settled(part, value.source, node)

    def _emit_movement(
        self, value: Pending, quant: Quantization, name: str, node: SourceNode, *, direct: bool
    ) -> Activation:
        inner = value.inputs[0]
        if isinstance(inner, Activation) and (value.op is not Op.PAD or value.pad_value == 0.0):
            source, kept = inner, self.quant(inner)
        else:
            inner_name = (isinstance(inner, Pending | GraphInput) and inner.name) or f"{value.source}_input"
            still = direct and value.transparent
            source, kept = self.quantized(inner, quant, inner_name, node, direct=still), quant
        target = self.tensor(name if kept == quant else f"{name}_moved", value.shape, kept)
        self.append(self._node(value, (source.tensor,), target.tensor, kept))
        return self._requantized(target, quant, name, node)

    def _node(self, value: Pending, inputs: tuple[str, ...], output: str, quant: Quantization) -> Node:
        low, high = quantize_bounds(*value.bounds, quant) if value.fused else FULL_RANGE
        attributes = None if value.op is Op.GLOBAL_AVERAGE_POOL else value.attributes
        if value.op is Op.PAD and value.pad_value != 0.0 and isinstance(attributes, ShapeAttributes):
            attributes = replace(attributes, fill=int(quantize([value.pad_value], quant)[0]))
        return Node(
            name=value.source, op=value.op, inputs=inputs, output=output, attributes=attributes,
            weights=value.weights, constant=value.constant, constant_first=value.constant_first,
            clamp=(low, high), fused=value.fused, source=value.source,
        )  # fmt: skip

    def input(self, entry: GraphInput, quant: Quantization) -> Activation:
        """The tensor of an input of the network."""
        activation = self.tensor(entry.name, entry.shape, quant)
        self._inputs[entry.name] = activation.tensor
        return activation

    def finish(
        self,
        name: str,
        inputs: Sequence[str],
        results: Sequence[tuple[str, Value]],
        batch: int,
        taken: Collection[str] = (),
    ) -> Graph:
        """The graph whose outputs are ``results``: ONNX output names with their values.

        A cut output is the tensor in front of the cut, under its own name, and listed once. Nodes, tensors and inputs
        that no output needs are left out. Names that are ``taken`` are given to no tensor inside.
        """
        outputs: dict[str, str] = {}
        for label, value in results:
            if not isinstance(value, Cut):
                outputs[label] = self._output(label, value, {*self._inputs.values(), *outputs.values()})
        called = {tensor: label for label, tensor in (*self._inputs.items(), *outputs.items())}
        names = Names((*called.values(), *taken))
        for label, value in results:
            if isinstance(value, Cut):
                tensor = outputs[label] = self._output(label, value.value, set(self._inputs.values()))
                if tensor not in called:
                    called[tensor] = names.fresh(tensor)
        self.output_names = {label: called[tensor] for label, tensor in outputs.items()}
        cut = dict.fromkeys(text for _, value in results if isinstance(value, Cut) for text in value.operators)
        graph = Graph(
            name=name,
            inputs=tuple(self._inputs[entry] for entry in inputs if entry in self._inputs),
            outputs=tuple(dict.fromkeys(outputs[label] for label, _ in results)),
            tensors=self.tensors,
            nodes=tuple(self.nodes),
            batch=batch,
            cut=tuple(cut),
            warnings=tuple(dict.fromkeys(self.warnings)),
        )
        result = structural(graph, called, taken)
        before = {node.name: node.output for node in self.nodes}
        self.origins = {node.output: before[node.name] for node in result.nodes}
        return result

    def _output(self, label: str, value: Value, taken: set[str]) -> str:
        """The tensor of an output: one of its own, so a copy where the value is an input or an output already."""
        settled = self.settled(value, label, output_node(label))
        if settled.tensor not in taken:
            return settled.tensor
        copy = self.tensor(label, settled.shape, self.quant(settled))
        self.append(Node(f"{label}_copy", Op.RESHAPE, (settled.tensor,), copy.tensor, source=label))
        return copy.tensor


def bounded(value: Pending, low: float, high: float) -> Pending:
    """A pending operation with its result limited to an interval on top of the limits that it has.

    The interval decides what the limits are called, so that all spellings of one have one name.
    """
    # As onnxruntime limits: first from below, then from above, so that the upper limit wins where they cross.
    bounds = (min(max(value.bounds[0], low), high), min(max(value.bounds[1], low), high))
    return replace(value, bounds=bounds, fused=(clamp_name(*bounds),), name="")


def clamp_name(low: float, high: float) -> str:
    """What layers call a limit: Relu's own interval is "relu", however the file writes it."""
    return "relu" if (low, high) == (0.0, float("inf")) else "clip"


def with_one_bias(value: Pending) -> Pending:
    """A product's bias as integers or as reals, whichever onnxruntime adds."""
    if value.weights is None or value.real_bias is None or not value.always_real:
        return value
    none = np.zeros_like(value.weights.bias)
    return replace(value, weights=replace(value.weights, bias=none, real_bias=value.real_bias))


def is_loose(value: Pending, quant: Quantization) -> bool:
    """Whether the limits of a value lie outside what the quantization holds, so that onnxruntime drops their nodes."""
    low, high = dequantize(np.array(FULL_RANGE, np.int8), quant)
    return bool(value.bounds[0] - low <= EPSILON and high - value.bounds[1] <= EPSILON)


def is_fixed(value: Pending, quant: Quantization) -> bool:
    """Whether the limits of a value leave one byte, whatever is computed in front of them."""
    low, high = quantize_bounds(*value.bounds, quant)
    return bool(value.fused) and low == high


def holds_fill(value: Pending, quant: Quantization) -> bool:
    """Whether a Pad may keep its input's quantization: its fill is one of the 256 reals. Anything else passes."""
    if value.op is not Op.PAD:
        return True
    return bool(dequantize(quantize([value.pad_value], quant), quant)[0] == np.float32(value.pad_value))


def can_clamp(value: Value) -> bool:
    """Relu and Clip fold into this value's own node."""
    return isinstance(value, Pending) and value.op not in UNARY_OPS and value.op not in MOVEMENTS


def output_node(label: str) -> SourceNode:
    """A graph output, spoken about like a node."""
    return SourceNode("graph output", "", label, (), (), {})


def _unique(name: str, is_taken: Callable[[object], bool]) -> str:
    candidate, number = name, 0
    while is_taken(candidate):
        number += 1
        candidate = f"{name}_{number}"
    return candidate
