"""Nodes that the MLA cannot run and the Cortex-A65 can, collected while reading goes on.

In: the error of a node, or a node that reads reals which only the A65 has. Out: `Hosted` values, the nodes as the A65
has them, and what crosses between the processors. Always: a node comes with everything in front of it up to the next
tensor of bytes or input of the network; what neither processor can run keeps its error.

::

    before: DequantizeLinear -> TopK -> (values, places)      after: bytes dequantized -> A65: TopK -> (values, places)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx

from sima_compiler.errors import HostError, UnsupportedError
from sima_compiler.frontend import rules
from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.host_nodes import HostConstant, HostForm, host_form
from sima_compiler.frontend.onnx_node import SourceNode, source_node
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.rules import BATCH_FIRST, KNOWN_OPERATOR, QUANTIZED, REQUANTIZE_HINT
from sima_compiler.frontend.shapes import sizes_of
from sima_compiler.frontend.values import (
    BATCHES,
    Activation,
    Constant,
    GraphInput,
    Hosted,
    Pending,
    QuantizedConstant,
    RealFunction,
    ShapeVector,
    Value,
)
from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.host import Dtype, HostNode, HostTensor
from sima_compiler.ir.host_rules.table import HOST_RULES
from sima_compiler.ir.network import at_batch, tensors_made

#: Operators that may put the batch elsewhere, as recurrent ones want it: they mix no values, and behind them it must
#: come back (`Hosting.checked_end`).
MOVEMENTS_OF_THE_BATCH = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "NonMaxSuppression"})
#: What is wrong with the file's quantization and not with the MLA: quantizing again mends it, in float on the A65 it
#: would only be slow.
MENDED_BY_QUANTIZING = frozenset(
    rule.sentence
    for rule in (
        rules.WEIGHTS_SYMMETRIC, rules.WEIGHTS_CONSTANT, rules.BIAS_SCALE, rules.PER_CHANNEL_AXIS, rules.PER_TENSOR,
        rules.ACTIVATION_BYTES, rules.STATIC_SCALES,
    )
)  # fmt: skip
Fixed = Constant | ShapeVector | QuantizedConstant


@dataclass(frozen=True, slots=True)
class HostedNode:
    """A node of the A65. ``reason`` is a sentence, ``rule`` the one that it breaks on the MLA, empty for a node that
    only stands beside another of the A65; ``hint``: what would move it to the MLA.
    """

    source: SourceNode
    form: HostForm
    reason: str
    rule: str
    hint: str


class Hosting:
    """The A65's nodes of one reading of one file, by the place in the file."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._nodes = [source_node(proto, index) for index, proto in enumerate(model.graph.node)]
        self._places = {name: place for place, node in enumerate(self._nodes) for name in node.outputs if name}
        self._dtypes = {entry.name: _dtype(entry) for entry in model.graph.input}
        self._names = Names.of(model)
        self._values: dict[str, Hosted] = {}
        self._entered: dict[tuple[str, Quantization], Activation] = {}
        self.nodes: dict[int, HostedNode] = {}
        self.extra: list[tuple[HostNode, Mapping[str, HostConstant]]] = []  # what stands behind nodes of the file
        self.reads: dict[str, Activation | GraphInput] = {}  # value of the file that comes from elsewhere
        self.entries: dict[str, str] = {}  # input of the MLA's graph -> the A65's value that it is

    def take(self, node: SourceNode, reader: Reader, error: UnsupportedError) -> Sequence[Value]:
        """The results of a node that the MLA refused with ``error``.

        Raises:
            UnsupportedError: ``error``, where the A65 cannot run it either.
        """
        if error.rule == BATCH_FIRST.sentence and node.operator not in MOVEMENTS_OF_THE_BATCH:
            raise error  # it would mix samples on any processor
        if error.rule in MENDED_BY_QUANTIZING:
            raise error
        own = error.message.removeprefix(f"{node.label}: ").removesuffix(f"; rule: {error.rule}")
        try:
            if node.operator == "QuantizeLinear":
                value = self.real(node.inputs[0], node, reader)
                return [self.entered(value, node.inputs[0], reader.quantization(node), node, reader)]
            return self._taken(node, reader, own, error.rule, error.hint)
        except (HostError, UnsupportedError) as cause:
            raise error from cause

    def dtype(self, name: str) -> Dtype:
        """The type of an input of the file."""
        return self._dtypes.get(name, Dtype.FLOAT32)

    def knows(self, node: SourceNode) -> bool:
        """Whether the A65 has the operator."""
        return not node.domain and node.operator in HOST_RULES

    def end(self, name: str, output: SourceNode, reader: Reader, error: UnsupportedError) -> Hosted:
        """An output of the network that the MLA cannot give for ``error``.

        Raises:
            UnsupportedError: ``error``, where the A65 cannot give it either.
        """
        try:
            return self.real(name, output, reader)
        except HostError as cause:
            raise error from cause

    @staticmethod
    def checked_end(name: str, value: Hosted, output: SourceNode) -> Hosted:
        """An output of the network: a row for each sample, or what a NonMaxSuppression found.

        Raises:
            UnsupportedError: its first dimension is something else.
        """
        if value.shape is None and not value.selected:
            raise output.unsupported(_not_the_batch(name, value), rule=BATCH_FIRST.sentence)
        return value

    def follow(self, node: SourceNode, reader: Reader) -> Sequence[Value]:
        """The results of a node that reads reals of the A65.

        Raises:
            UnsupportedError: the A65 cannot run it.
        """
        name = next(name for name in node.inputs if isinstance(reader.values.get(name), Hosted))
        value = reader.values[name]
        if node.operator == "QuantizeLinear" and isinstance(value, Hosted):
            return [self.entered(value, name, reader.quantization(node), node, reader)]
        if node.operator == "Shape" and isinstance(value, Hosted):
            return [sizes_of(node, [found.shape for found in value.types])]
        producer = self._nodes[self._places[name]].name
        reason = f"it reads {name!r} of node {producer!r}, which the A65 runs, without a QuantizeLinear between them"
        try:
            return self._taken(node, reader, reason, "", REQUANTIZE_HINT)
        except HostError as cause:
            raise node.unsupported(f"{reason}; on the A65: {cause.message}", rule=KNOWN_OPERATOR.sentence) from cause

    def real(self, name: str, asking: SourceNode, reader: Reader) -> Hosted:
        """The reals of a value as the A65 has them.

        Raises:
            HostError: it cannot have them.
        """
        value = reader.values.get(name)
        if isinstance(value, Hosted):
            return value
        if name in self._values:
            return self._values[name]
        found = self._crossing(name, value, asking, reader)
        self._values[name] = found
        return found

    def entered(self, value: Hosted, name: str, quant: Quantization, node: SourceNode, reader: Reader) -> Activation:
        """A value of the A65 as bytes of the MLA.

        Raises:
            UnsupportedError: its first dimension is not the batch, or it holds no reals.
        """
        if value.types[0].dtype is not Dtype.FLOAT32:
            raise node.unsupported(f"{name!r} holds {value.types[0].dtype}, no reals", rule=QUANTIZED.sentence)
        if value.shape is None:
            raise node.unsupported(_not_the_batch(name, value), rule=BATCH_FIRST.sentence)
        key = (name, quant)
        if key not in self._entered:
            label = name if name not in self.entries else self._names.fresh(name)
            if label != name:
                self.extra.append((HostNode("Identity", (name,), (label,), {}, node.name), {}))
            self._entered[key] = reader.builder.input(GraphInput(label, value.shape), quant)
            self.entries[label] = name
        return self._entered[key]

    def _crossing(self, name: str, value: Value | None, asking: SourceNode, reader: Reader) -> Hosted:
        """What comes out of the MLA or of the network's inputs, or else the A65's own result of the node in front."""
        if isinstance(value, GraphInput) and value.name == name and asking.outputs:
            self.reads[name] = value
            return _typed(name, value.shape, self.dtype(name))
        if isinstance(value, Activation | Pending) and self._stays(value, asking, reader):
            settled = reader.builder.settled(value, name, asking)
            if settled.tensor not in self._entered_tensors():
                self.reads[name] = settled
                return _typed(name, settled.shape, Dtype.FLOAT32)
            return self._requantized(name, settled, reader)
        if isinstance(value, Pending | RealFunction | GraphInput) and name in self._places:
            producer = self._nodes[self._places[name]]
            reason = f"node {asking.name!r}, which the A65 runs, reads its reals: no QuantizeLinear stands between them"
            results = self._taken(producer, reader, reason, "", REQUANTIZE_HINT)
            return next(found for found, output in zip(results, producer.outputs, strict=True) if output == name)
        raise HostError(f"{name!r} is nothing that it can read")

    def _stays(self, value: Activation | Pending, asking: SourceNode, reader: Reader) -> bool:
        """Whether the MLA gives it: reals of its bytes, or a movement of them, but not where the A65 made them."""
        if isinstance(value, Activation):
            return not value.integer
        root: Value = value
        while isinstance(root, Pending):
            root = root.inputs[0]
        if not isinstance(root, Activation) or root.tensor in self._entered_tensors():
            return False
        try:
            reader.builder.check_settles(value, asking)
        except UnsupportedError:
            return False
        return True

    def _entered_tensors(self) -> set[str]:
        return {found.tensor for found in self._entered.values()}

    def _requantized(self, name: str, value: Activation, reader: Reader) -> Hosted:
        """Reals of the A65 that are quantized and dequantized without leaving it: the same float32 operations."""
        quant = reader.builder.quant(value)
        source = next(key[0] for key, found in self._entered.items() if found.tensor == value.tensor)
        parameters = (f"{name}/scale", f"{name}/zero_point")
        arrays = (np.array(quant.scale, np.float32), np.array(quant.zero_point, np.int8))
        constants = dict(zip(parameters, arrays, strict=True))
        self.extra += [
            (HostNode("QuantizeLinear", (source, *parameters), (f"{name}/bytes",), {}, name), constants),
            (HostNode("DequantizeLinear", (f"{name}/bytes", *parameters), (name,), {}, name), constants),
        ]
        return _typed(name, value.shape, Dtype.FLOAT32)

    def _taken(self, node: SourceNode, reader: Reader, reason: str, rule: str, hint: str) -> list[Hosted]:
        """The node and everything in front of it.

        Raises:
            HostError: the A65 cannot run one of them. UnsupportedError: it has no such attribute or constant.
        """
        place = self._places[next(name for name in node.outputs if name)]
        if node.domain or node.operator not in HOST_RULES:
            raise HostError(f"it has no kernel for {node.operator}")
        given = {name: reader.values[name] for name in node.inputs if name}
        fixed = {name: value for name, value in given.items() if isinstance(value, Fixed)}
        moving = {name: self.real(name, node, reader) for name in given if name not in fixed}
        batched = bool(node.inputs) and node.inputs[0] in moving and moving[node.inputs[0]].shape is not None
        form = host_form(node, fixed, batch=reader.batch, batched=batched)
        if place not in self.nodes or rule:
            self.nodes[place] = HostedNode(node, form, reason, rule, hint)
        results = _results(form, moving, node)
        self._values |= {name: found for name, found in zip(node.outputs, results, strict=True) if name}
        return results


def _results(form: HostForm, moving: Mapping[str, Hosted], node: SourceNode) -> list[Hosted]:
    """What the nodes make, at each of `BATCHES`; of outputs that are left out, a scalar that nobody reads."""
    runs: list[Mapping[str, HostTensor]] = []
    for place, batch in enumerate(BATCHES):
        constants = {name: at_batch(value, batch) for name, value in form.constants.items()}
        inputs = [replace(value.types[place], name=name) for name, value in moving.items()]
        runs.append(tensors_made(form.nodes, inputs, constants))
    nothing = HostTensor("", (), Dtype.FLOAT32)
    selected = node.operator == "NonMaxSuppression" or any(value.selected for value in moving.values())
    return [Hosted(tuple(run.get(name, nothing) for run in runs), selected) for name in node.outputs]


def _not_the_batch(name: str, value: Hosted) -> str:
    shapes = " and ".join(str(found.shape) for found in value.types[:2])
    return f"{name!r} is {shapes} for one and two samples, so its first dimension is not the batch"


def _typed(name: str, shape: tuple[int, ...], dtype: Dtype) -> Hosted:
    return Hosted(tuple(HostTensor(name, (batch, *shape), dtype) for batch in BATCHES))


def _dtype(entry: onnx.ValueInfoProto) -> Dtype:
    try:
        return Dtype(onnx.helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type).name)
    except (KeyError, ValueError, TypeError):
        return Dtype.FLOAT32
