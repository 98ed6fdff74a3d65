"""int8 activations as uint8: the form of a user's file that onnxruntime computes with integers throughout.

In: any quantized model, QDQ or QOperator form, in any spelling. Out: a copy that computes the same reals, every int8
activation held as uint8, its value and its zero point 128 higher; weights, biases and all floats as they are. Works
node by node on the `onnx` records alone: nothing of the compiler is imported, so that a fault of its
reader cannot be repeated here. Where a node has no uint8 form, its bytes are turned back in front of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
import onnx.inliner
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

#: Operators that hand on the bytes of their first input, or of all inputs.
MOVES = frozenset(
    {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Slice", "Split", "Pad", "Resize",
     "Upsample", "MaxPool", "Dropout", "Gather", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Concat", "Clip",
     "Max", "Min"}
)  # fmt: skip
#: Where the operands that hold bytes too stand: None means all of them.
BYTE_OPERANDS: dict[str, tuple[int, ...] | None] = {
    "Concat": None, "Max": None, "Min": None, "Clip": (0, 1, 2), "Pad": (0, 2),
}  # fmt: skip
#: Behind a dequantized constant, these make it an activation rather than a weight.
ELEMENTWISE = frozenset({"Add", "Sub", "Mul", "Div", "Concat", "Max", "Min", "Where"})


@dataclass(frozen=True, slots=True)
class QLinear:
    """Where an operator of the QOperator form has its bytes, and where the zero point of each stands.

    ``operands``: places of (bytes, zero point). ``result``: place of the result's zero point. ``alike``: all bytes must
    have one type, so that constants among them are shifted too.
    """

    operands: tuple[tuple[int, int], ...]
    result: int
    alike: bool = False


_POOL = QLinear(((0, 2),), 4)
_TWO = QLinear(((0, 2), (3, 5)), 7, alike=True)
QLINEAR = {
    "QLinearConv": QLinear(((0, 2),), 7),
    "QLinearMatMul": QLinear(((0, 2), (3, 5)), 7),
    "QLinearAdd": _TWO, "QLinearMul": _TWO,
    "QLinearAveragePool": _POOL, "QLinearGlobalAveragePool": _POOL, "QLinearLeakyRelu": _POOL, "QLinearSigmoid": _POOL,
    "QLinearSoftmax": _POOL, "QLinearReduceMean": _POOL,
    "QGemm": QLinear(((0, 2),), 8),
    "QLinearWhere": QLinear(((1, 3), (4, 6)), 8, alike=True),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unsigned:
    """``model`` without int8 activations; ``shifted``: inputs and outputs that were int8 and are uint8 now."""

    model: onnx.ModelProto
    shifted: frozenset[str]


def unsigned_form(model: onnx.ModelProto) -> Unsigned:
    """The uint8 form of ``model``, which is left as it is."""
    shifter = _Shifter(inlined(model))
    shifter.run()
    return Unsigned(shifter.model, frozenset(shifter.boundary))


def inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose model-local functions are spelled out."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return onnx.inliner.inline_local_functions(copy) if copy.functions else copy


class _Shifter:
    """Owns its model. ``shifted`` names the values whose bytes are 128 higher than in the file."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.graph = model.graph
        self.initial = {entry.name: entry for entry in self.graph.initializer}
        self.producers = {name: node for node in self.graph.node for name in node.output if name}
        self.consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in self.graph.node:
            for name in node.input:
                self.consumers[name].append(node)
        self.order = self._ordered()
        self.dynamic = self._dynamic()
        self.known: dict[str, np.ndarray] = {}
        self.shifted: set[str] = set()
        self.boundary: set[str] = set()
        self.restored: dict[str, str] = {}
        self.raised: dict[tuple[tuple[int, ...], bytes], str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.count = 0

    def run(self) -> None:
        for entry in self.graph.input:
            if entry.type.tensor_type.elem_type == TensorProto.INT8 and entry.name not in self.initial:
                entry.type.tensor_type.elem_type = TensorProto.UINT8
                self.shifted.add(entry.name)
                self.boundary.add(entry.name)
        for node in self.order:
            self._node(node)
            self.nodes.append(node)
        for node in self.order:
            if node.op_type == "DequantizeLinear" and node.input[0] not in self.dynamic:
                self._dequantize_constant(node)
        for entry in self.graph.output:
            if entry.name in self.shifted:
                entry.type.tensor_type.elem_type = TensorProto.UINT8
                self.boundary.add(entry.name)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        del self.graph.value_info[:]

    def _ordered(self) -> list[onnx.NodeProto]:
        """The nodes, each behind those that write what it reads; files may hold them in any order."""
        waiting = list(self.graph.node)
        ready = {"", *self.initial, *(entry.name for entry in self.graph.input)}
        ready |= {name for node in waiting for name in node.input if name not in self.producers}
        ordered: list[onnx.NodeProto] = []
        while waiting:
            next_ones = [node for node in waiting if ready.issuperset(node.input)]
            assert next_ones, "the nodes of the file form a circle"
            ordered += next_ones
            ready.update(name for node in next_ones for name in node.output)
            placed = {id(node) for node in next_ones}
            waiting = [node for node in waiting if id(node) not in placed]
        return ordered

    def _dynamic(self) -> set[str]:
        """Values that depend on an input of the graph; nodes may stand in any order."""
        reached = [entry.name for entry in self.graph.input if entry.name not in self.initial]
        dynamic: set[str] = set(reached)
        while reached:
            for node in self.consumers[reached.pop()]:
                fresh = [name for name in node.output if name and name not in dynamic]
                dynamic.update(fresh)
                reached += fresh
        return dynamic

    def _node(self, node: onnx.NodeProto) -> None:
        if node.op_type == "QuantizeLinear" and node.input[0] in self.dynamic:
            self._quantize(node)
        elif node.op_type == "DequantizeLinear":
            if node.input[0] in self.shifted:
                self._set_input(node, 2, self._raised(self._zero_point(node)))
        elif node.op_type in QLINEAR:
            self._qlinear(node, QLINEAR[node.op_type])
        elif node.op_type == "QLinearConcat":
            places = tuple((place, place + 2) for place in range(2, len(node.input), 3))
            self._qlinear(node, QLinear(places, 1, alike=True))
        elif node.op_type in MOVES and node.input and self._moves(node):
            self._move(node)
        elif node.op_type == "Cast" and node.input[0] in self.shifted and _integer(node, "to") == TensorProto.INT8:
            _set(node, "to", TensorProto.UINT8)
            self.shifted.update(node.output)
        else:
            for place, name in enumerate(node.input):
                if name in self.shifted:
                    node.input[place] = self._as_in_the_file(name)

    def _quantize(self, node: onnx.NodeProto) -> None:
        stated = _integer(node, "output_dtype")
        zero = self._constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if zero is None and stated == TensorProto.INT8:
            zero = np.zeros((), np.int8)
        if zero is None or zero.dtype != np.int8:
            return
        self._set_input(node, 2, self._raised(zero))
        if stated:
            _set(node, "output_dtype", TensorProto.UINT8)
        self.shifted.update(node.output)

    def _dequantize_constant(self, node: onnx.NodeProto) -> None:
        values = self._constant(node.input[0])
        if values.dtype == np.int8 and self._meets_shifted(node.output[0]):
            node.input[0] = self._raised(values)
            self._set_input(node, 2, self._raised(self._zero_point(node)))

    def _zero_point(self, node: onnx.NodeProto) -> np.ndarray:
        given = len(node.input) > 2 and node.input[2]
        return self._constant(node.input[2]) if given else np.zeros((), np.int8)

    def _meets_shifted(self, name: str) -> bool:
        """Whether an elementwise operator reads this constant beside an activation that the file holds as int8."""
        for reader in self.consumers[name]:
            if reader.op_type in ELEMENTWISE:
                if any(self._is_int8_activation(other) for other in reader.input if other != name):
                    return True
            elif reader.op_type in MOVES and self._meets_shifted(reader.output[0]):
                return True
        return False

    def _is_int8_activation(self, name: str) -> bool:
        """Whether a float value comes out of a DequantizeLinear of int8 bytes."""
        node = self.producers.get(name)
        while node is not None and name in self.dynamic and node.op_type in MOVES:
            name = node.input[0]
            node = self.producers.get(name)
        if node is None or name not in self.dynamic or node.op_type != "DequantizeLinear":
            return False
        return node.input[0] in self.shifted

    def _qlinear(self, node: onnx.NodeProto, form: QLinear) -> None:
        raised = [pair for pair in form.operands if node.input[pair[0]] in self.shifted]
        if not raised and not any(node.input[value] in self.dynamic for value, _ in form.operands):
            return
        for value, zero in form.operands if form.alike and raised else raised:
            if node.input[value] not in self.dynamic:
                node.input[value] = self._raised(self._constant(node.input[value]))
            given = len(node.input) > zero and node.input[zero]
            self._set_input(node, zero, self._raised(self._constant(node.input[zero]) if given else np.int8(0)))
        result = len(node.input) > form.result and node.input[form.result]
        if result and self._constant(node.input[form.result]).dtype == np.int8:
            self._set_input(node, form.result, self._raised(self._constant(node.input[form.result])))
            self.shifted.update(node.output[:1])
        elif not result and raised and len(node.input) > form.result - 1:
            self._set_input(node, form.result, self._raised(np.int8(0)))
            self.shifted.update(node.output[:1])

    def _moves(self, node: onnx.NodeProto) -> bool:
        data = [node.input[place] for place in self._byte_places(node)]
        return any(name in self.shifted for name in data) and all(
            name in self.shifted or name not in self.dynamic for name in data
        )

    def _byte_places(self, node: onnx.NodeProto) -> list[int]:
        places = BYTE_OPERANDS.get(node.op_type, (0,))
        found = range(len(node.input)) if places is None else [place for place in places if place < len(node.input)]
        return [place for place in found if node.input[place]]

    def _move(self, node: onnx.NodeProto) -> None:
        for place in self._byte_places(node):
            if node.input[place] not in self.dynamic:
                node.input[place] = self._raised(self._constant(node.input[place]))
        if node.op_type == "Pad" and (len(node.input) < 3 or not node.input[2]):
            self._set_input(node, 2, self._raised(np.int8(0)))
        self.shifted.update(node.output[:1] if node.op_type in ("MaxPool", "Dropout") else node.output)

    def _as_in_the_file(self, name: str) -> str:
        """The int8 bytes again, for a node that has no uint8 form."""
        if name not in self.restored:
            wide, lower, back = (self._name() for _ in range(3))
            offset = self._add(np.array(128, np.int32))
            self.nodes += [
                helper.make_node("Cast", [name], [wide], to=TensorProto.INT32),
                helper.make_node("Sub", [wide, offset], [lower]),
                helper.make_node("Cast", [lower], [back], to=TensorProto.INT8),
            ]
            self.restored[name] = back
        return self.restored[name]

    def _constant(self, name: str) -> np.ndarray:
        if name not in self.known:
            self.known[name] = self._evaluated(name)
        return self.known[name]

    def _evaluated(self, name: str) -> np.ndarray:
        if name in self.initial:
            return numpy_helper.to_array(self.initial[name])
        needed: list[onnx.NodeProto] = []
        waiting, seen = [name], set[str]()
        while waiting:
            node = self.producers.get(waiting.pop())
            if node is None or node.output[0] in seen:
                continue
            seen.add(node.output[0])
            needed.append(node)
            waiting += node.input
        places = {node.output[0]: place for place, node in enumerate(self.order)}
        return evaluate(self.model, sorted(needed, key=lambda node: places[node.output[0]]), name)

    def _raised(self, array: np.ndarray | np.int8) -> str:
        """A constant 128 higher. Equal ones are one, so that onnxruntime sees that equal nodes are equal."""
        values = np.asarray(array)
        assert values.dtype == np.int8, f"{values.dtype} beside int8 activations"
        key = (values.shape, values.tobytes())
        if key not in self.raised:
            self.raised[key] = self._add((values.astype(np.int16) + 128).astype(np.uint8))
        return self.raised[key]

    def _add(self, array: np.ndarray) -> str:
        name = self._name()
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _name(self) -> str:
        self.count += 1
        return f"outside judge / {self.count}"

    @staticmethod
    def _set_input(node: onnx.NodeProto, place: int, name: str) -> None:
        while len(node.input) <= place:
            node.input.append("")
        node.input[place] = name


def evaluate(model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto], name: str) -> np.ndarray:
    """The value of a constant that ``nodes`` of ``model`` compute, by onnxruntime without any optimization."""
    graph = helper.make_graph(
        list(nodes), "constants", [], [helper.make_empty_tensor_value_info(name)], list(model.graph.initializer)
    )
    small = helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=min(model.ir_version, 10))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(small.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run([name], {})[0])


def _integer(node: onnx.NodeProto, name: str) -> int:
    return next((int(item.i) for item in node.attribute if item.name == name), 0)


def _set(node: onnx.NodeProto, name: str, value: int) -> None:
    for item in node.attribute:
        if item.name == name:
            item.i = value
