"""Constants become values: every subgraph that no input reaches is computed, whatever its operators.

Before: weights -> Q -> Clip -> DQ -> Reshape -> Conv, a zero point behind Cast, a target shape out of Concat.
After: DQ of integers -> Conv, and initializers. Always: real constants keep their integers and scales behind one
DequantizeLinear wherever they have any; what is not constant keeps its node.

In: a graph and its nodes in order. Out: nodes and initializers of a graph that the caller owns; the source stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.byte_arithmetic import sums_on_bytes
from sima_compiler.frontend.constants.checks import check_finite, check_parameters
from sima_compiler.frontend.constants.evaluation import UNREPEATABLE, evaluate
from sima_compiler.frontend.constants.known import Dequantized, Known, Value
from sima_compiler.frontend.constants.names import Names, subgraphs
from sima_compiler.frontend.constants.ordering import is_quantizer, is_standard, label, operands
from sima_compiler.frontend.constants.tensors import constant_node, decode_sparse, encode
from sima_compiler.frontend.constants.views import VIEWS, view


def fold_constants(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], target: onnx.GraphProto, names: Names
) -> None:
    """Write ``nodes`` of ``model`` to ``target``, with constant subgraphs as initializers.

    Raises:
        ModelError: a constant contradicts itself or is too large. UnsupportedError: it cannot be computed.
    """
    folding = _Folding(model, names)
    folding.run(nodes)
    folding.write(target)


@dataclass(slots=True)
class _Folding:
    """The values so far. Nodes for an evaluator wait in ``pending`` until somebody needs a result as an array."""

    model: onnx.ModelProto
    names: Names
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    kept: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    pending: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    awaited: set[str] = field(default_factory=set[str])
    on_bytes: frozenset[str] = frozenset()

    def run(self, nodes: Sequence[onnx.NodeProto]) -> None:
        graph = self.model.graph
        self.values.update({entry.name: Known(entry) for entry in graph.initializer})
        for entry in graph.sparse_initializer:
            self.values[entry.values.name] = Known(value=decode_sparse(entry))
        self.on_bytes = sums_on_bytes(nodes, graph)
        constant = [node for node in nodes if self._is_constant(node)]
        # Level by level, so that all weights of a network that stand behind Q are computed in one run.
        for level in _levels(constant):
            for node in level:
                self._fold(node)
            self._compute()

    def _is_constant(self, node: onnx.NodeProto) -> bool:
        constant = node.op_type not in UNREPEATABLE and not any(subgraphs(node))
        constant = constant and not self.on_bytes.intersection(node.output)
        constant = constant and all(name in self.values or name in self.awaited for name in operands(node))
        if constant:
            self.awaited.update(name for name in node.output if name)
        else:
            self.kept.append(node)
        return constant

    def _fold(self, node: onnx.NodeProto) -> None:
        if is_standard(node, "Constant"):
            self.values[node.output[0]] = Known(value=constant_node(node))
            return
        ready = all(name in self.values for name in node.input if name)
        if is_quantizer(node, "DequantizeLinear") and not ready:
            self._compute()
            ready = True
        result = self._without_evaluator(node) if ready else None
        if result is None:
            self.pending.append(node)
        else:
            self.values[node.output[0]] = result

    def _without_evaluator(self, node: onnx.NodeProto) -> Value | None:
        inputs = [self.values.get(name) for name in node.input]
        if is_quantizer(node, "DequantizeLinear"):
            return dequantized(node, inputs)
        return view(node, inputs) if _is_view(node) else None

    def _compute(self) -> None:
        """Run what waits."""
        if not self.pending:
            return
        made = {name for node in self.pending for name in node.output}
        read = dict.fromkeys(name for node in self.pending for name in node.input if name and name not in made)
        feeds, extra = {}, []
        for name in read:
            value = self.values[name]
            if isinstance(value, Known):
                feeds[name] = value.array()
            elif value.is_plain():
                feeds[name] = value.real()
            else:
                extra.append(self._dequantizer(name, value, feeds))
        wanted = [name for node in self.pending for name in node.output if name]
        results = evaluate([*extra, *self.pending], feeds, wanted, self.model)
        for node in filter(_quantizes, self.pending):
            # Behind it the NaN would be an innocent integer.
            name = node.input[0]
            check_finite(node, name, results[name] if name in results else feeds.get(name, np.zeros(())))
        self.values.update({name: Known(value=array) for name, array in results.items()})
        self.pending = []

    def _dequantizer(self, name: str, value: Dequantized, feeds: dict[str, np.ndarray]) -> onnx.NodeProto:
        """A node that makes the real values of ``value``, for those that numpy does not."""
        inputs: list[str] = []
        for part in (value.values, value.scale, value.zero_point):
            if part is not None:
                inputs.append(self.names.fresh(f"{name}_part"))
                feeds[inputs[-1]] = part.array()
        return dequantize_node(value, inputs, name, self.names.fresh(f"{name}_dequantize"))

    def write(self, target: onnx.GraphProto) -> None:
        """The kept nodes with their constants as initializers."""
        writer = _Writer(self.values, self.names, target)
        for node in self.kept:
            for name in operands(node):
                writer.need(name)
            writer.keep(node)
        for entry in self.model.graph.output:
            writer.need(entry.name)
        target.input.extend(entry for entry in self.model.graph.input if entry.name not in self.values)


@dataclass(slots=True)
class _Writer:
    """Nodes under names of their own, and the constants that they read, each written once."""

    values: dict[str, Value]
    names: Names
    target: onnx.GraphProto
    written: set[str] = field(default_factory=set[str])
    titles: set[str] = field(default_factory=set[str])

    def keep(self, node: onnx.NodeProto) -> None:
        """A copy of ``node``; Q and DQ of com.microsoft become the standard's, which mean the same."""
        copy = self.target.node.add()
        copy.CopyFrom(node)
        copy.name = self._title(node.name or node.op_type)
        if is_quantizer(node, node.op_type) or node.domain == "ai.onnx":
            copy.domain = ""

    def _title(self, wanted: str) -> str:
        """The first node of a name keeps it."""
        title = wanted
        while title in self.titles:  # also where the first of the made-up names is the wanted one itself
            title = self.names.fresh(wanted)
        self.titles.add(title)
        return title

    def need(self, name: str) -> None:
        value = self.values.get(name)
        if isinstance(value, Known):
            self._tensor(name, value)
        elif value is not None and name not in self.written:
            self.written.add(name)
            self._dequantize(name, value)

    def _tensor(self, name: str, value: Known) -> None:
        if name in self.written:
            return
        self.written.add(name)
        array = value.array()  # a damaged one is refused here, by name
        if value.tensor is None:
            self.target.initializer.append(encode(array, name))
        else:
            self.target.initializer.append(value.tensor)
            self.target.initializer[-1].name = name

    def _dequantize(self, name: str, value: Dequantized) -> None:
        parts = (("values", value.values), ("scale", value.scale), ("zero_point", value.zero_point))
        inputs: list[str] = []
        for position, (stem, part) in enumerate(parts):
            if part is not None:
                given = value.node.input[position]
                # Weights that moved are no longer what the file calls by that name.
                inputs.append(given if part is self.values.get(given) else self.names.fresh(f"{name}_{stem}"))
                self._tensor(inputs[-1], part)
        own = value.node.output[0] == name
        title = self._title(value.node.name or value.node.op_type) if own else self.names.fresh(f"{name}_dequantize")
        self.target.node.append(dequantize_node(value, inputs, name, title))


def dequantize_node(value: Dequantized, inputs: Sequence[str], output: str, title: str) -> onnx.NodeProto:
    """``value`` as a node again, its scales along the axis where they run now."""
    node = helper.make_node("DequantizeLinear", list(inputs), [output], title)
    node.attribute.extend(entry for entry in value.node.attribute if entry.name != "axis")
    if value.scale.array().size > 1:
        node.attribute.append(helper.make_attribute("axis", value.axis))
    return node


def _levels(nodes: Sequence[onnx.NodeProto]) -> list[list[onnx.NodeProto]]:
    """The nodes in order, cut where a DequantizeLinear waits for what an evaluator computes."""
    depth: dict[str, int] = {}
    computed: set[str] = set()
    levels: list[list[onnx.NodeProto]] = []
    for node in nodes:
        level = max((depth.get(name, 0) for name in node.input if name), default=0)
        waits = any(name in computed and depth[name] == level for name in node.input)
        is_dequantizer = is_quantizer(node, "DequantizeLinear")
        if is_dequantizer and waits:
            level += 1
        elif waits or not (is_dequantizer or _is_view(node) or is_standard(node, "Constant")):
            computed.update(node.output)
        depth.update(dict.fromkeys(node.output, level))
        while len(levels) <= level:
            levels.append([])
        levels[level].append(node)
    return levels


def _quantizes(node: onnx.NodeProto) -> bool:
    return is_quantizer(node, "QuantizeLinear")


def _is_view(node: onnx.NodeProto) -> bool:
    return is_standard(node, *VIEWS) and not any(node.output[1:])


def dequantized(node: onnx.NodeProto, inputs: Sequence[Value | None]) -> Dequantized | None:
    """DequantizeLinear of a constant.

    Raises:
        ModelError: scales and integers do not fit each other.
    """
    values, scale = inputs[0], inputs[1] if len(inputs) > 1 else None
    zero = inputs[2] if len(inputs) > 2 else None
    if not isinstance(values, Known) or not isinstance(scale, Known) or isinstance(zero, Dequantized):
        raise ModelError(f"{label(node)}: it dequantizes what is no integer, or by what is no plain number")
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    block = int(attributes.get("block_size", 0))
    shape = tuple(values.tensor.dims) if values.tensor is not None else values.array().shape
    scales = scale.array()
    axis = int(attributes.get("axis", 1))
    check_parameters(node, shape, scales.shape, scales.shape if zero is None else zero.array().shape)
    return Dequantized(values, scale, zero, axis % len(shape) if shape else 0, block, node)
