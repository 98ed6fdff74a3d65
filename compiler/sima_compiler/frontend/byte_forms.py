"""Cast, Clip, Max and Min on bytes, between a QuantizeLinear and its DequantizeLinear or behind an input of bytes.

Before: Q -> Clip(bytes 0..127) -> DQ, as fake quantization to a reduced range is exported; an image of bytes -> Cast to
float. After: Q -> DQ -> Clip(reals) -> Q -> DQ; the image -> DQ with scale 1. Always: the same reals; what is no limit
on the bytes stays as it is, for a rule to refuse.

In: a QDQ model with folded constants. Out: the same model, in place.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.tensors import Array, decode, encode
from sima_compiler.frontend.integers import BYTE_MOVEMENTS

#: What is followed from byte to byte.
STEPS = frozenset({"Cast", "Clip", "Max", "Min"})
_BYTES: dict[int, np.dtype[Any]] = {
    int(TensorProto.UINT8): np.dtype(np.uint8),
    int(TensorProto.INT8): np.dtype(np.int8),
}


@dataclass(frozen=True, slots=True)
class ByteFunction:
    """The values of an integer tensor for every byte of ``root``, in the order of the bytes' numbers."""

    root: str
    table: Array


def bytes_as_reals(model: onnx.ModelProto, names: Names) -> None:
    """Rewrite ``model`` in place."""
    if any(node.op_type in STEPS and not node.domain for node in model.graph.node):
        _Rewriting(model, names).run()


class _Rewriting:
    def __init__(self, model: onnx.ModelProto, names: Names) -> None:
        self.graph, self.names = model.graph, names
        self.constants = {entry.name: decode(entry) for entry in model.graph.initializer}
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self.readers[name].append(node)
        self.kinds: dict[str, np.dtype[Any]] = {
            entry.name: _BYTES[entry.type.tensor_type.elem_type]
            for entry in model.graph.input
            if entry.type.tensor_type.elem_type in _BYTES and entry.name not in self.constants
        }
        self.functions: dict[str, ByteFunction] = {}
        self.limited: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []

    def run(self) -> None:
        for node in self.graph.node:
            self._node(node)
        outputs = {entry.name for entry in self.graph.output}
        kept: list[onnx.NodeProto] = []
        for node in reversed(self.nodes):
            if node.op_type not in STEPS or outputs & set(node.output):
                kept.append(node)
                outputs |= set(node.input)
        holder = onnx.GraphProto()
        holder.node.extend(reversed(kept))
        del self.graph.node[:]
        self.graph.node.extend(holder.node)

    def _node(self, node: onnx.NodeProto) -> None:
        if node.op_type == "QuantizeLinear" and len(node.input) > 2:
            zero = self.constants.get(node.input[2])
            if zero is not None and zero.dtype in _BYTES.values():
                self.kinds[node.output[0]] = zero.dtype
        elif node.op_type in STEPS and self._follow(node):
            if self._is_float_cast(node):
                self._as_dequantizer(node)
        elif node.op_type == "DequantizeLinear" and node.input[0] in self.functions:
            self._dequantize(node)
        elif node.op_type in BYTE_MOVEMENTS and node.input:
            if node.input[0] in self.functions:
                node.input[0] = self._byte_name(node.input[0]) or node.input[0]
            if node.input[0] in self.kinds:
                self.kinds |= dict.fromkeys(node.output, self.kinds[node.input[0]])
        self.nodes.append(node)

    def _follow(self, node: onnx.NodeProto) -> bool:
        """Take a step on bytes into account; False where its operands are no bytes and constants."""
        dynamic = [name for name in node.input if name and name not in self.constants]
        if len(dynamic) != 1:
            return False
        name = dynamic[0]
        before = self.functions.get(name)
        if before is None and name in self.kinds:
            kind = self.kinds[name]
            before = ByteFunction(name, np.arange(np.iinfo(kind).min, np.iinfo(kind).max + 1).astype(kind))
        if before is None:
            return False
        if not self._is_float_cast(node):
            self.functions[node.output[0]] = ByteFunction(before.root, self._step(node, name, before.table))
        return True

    def _step(self, node: onnx.NodeProto, name: str, values: Array) -> Array:
        if node.op_type == "Cast":
            return values.astype(helper.tensor_dtype_to_np_dtype(_target(node)))
        operands = [values if given == name else self.constants.get(given) for given in node.input]
        if node.op_type == "Clip":
            low, high = ([*operands[1:], None, None])[:2]
            values = values if low is None else np.maximum(values, low.reshape(()))
            return values if high is None else np.minimum(values, high.reshape(()))
        for operand in operands:
            if operand is not None and operand is not values and operand.size == 1:
                values = (np.maximum if node.op_type == "Max" else np.minimum)(values, operand.reshape(()))
        return values

    @staticmethod
    def _is_float_cast(node: onnx.NodeProto) -> bool:
        return node.op_type == "Cast" and _target(node) == TensorProto.FLOAT

    def _as_dequantizer(self, node: onnx.NodeProto) -> None:
        """Bytes as numbers: scale 1, zero point 0."""
        source = self.functions.get(node.input[0])
        if source is not None and not _keeps(source.table):
            return
        name = node.input[0] if source is None else source.root
        scale = self._add("byte_scale", np.array(1, np.float32))
        zero = self._add("byte_zero_point", np.zeros((), self.kinds[name]))
        node.CopyFrom(helper.make_node("DequantizeLinear", [name, scale, zero], list(node.output), node.name))

    def _dequantize(self, node: onnx.NodeProto) -> None:
        name = self._byte_name(node.input[0])
        zero = self.constants.get(node.input[2]) if len(node.input) > 2 else None
        if name is None or zero is None:
            return
        node.input[0] = name
        if zero.dtype != self.kinds[name]:
            node.input[2] = self._add("byte_zero_point", zero.astype(self.kinds[name]))

    def _byte_name(self, name: str) -> str | None:
        """A tensor of bytes with the numbers of ``name``; None where its function is no limit, or its scale unknown."""
        found = self.functions[name]
        kind = self.kinds[found.root]
        low, high = int(found.table.min()), int(found.table.max())
        numbers = np.arange(np.iinfo(kind).min, np.iinfo(kind).max + 1)
        if not np.array_equal(found.table.astype(np.int64), np.clip(numbers, low, high)):
            return None
        if _keeps(found.table):
            return found.root
        stated = self._stated(name)
        if stated is None or not np.iinfo(kind).min <= int(stated[1].reshape(())) <= np.iinfo(kind).max:
            return None
        if name not in self.limited:
            self.limited[name] = self._limit(name, found.root, (low, high), *stated)
        return self.limited[name]

    def _stated(self, name: str) -> tuple[Array, Array] | None:
        """Scale and zero point of the DequantizeLinear that reads the bytes in the end."""
        waiting, seen = [name], set[str]()
        while waiting:
            for node in self.readers[waiting.pop()]:
                if node.op_type == "DequantizeLinear" and len(node.input) > 2:
                    scale, zero = (self.constants.get(given) for given in node.input[1:3])
                    if scale is not None and zero is not None and scale.size == zero.size == 1:
                        return scale, zero
                elif node.op_type in BYTE_MOVEMENTS | STEPS and node.output[0] not in seen:
                    seen.add(node.output[0])
                    waiting.append(node.output[0])
        return None

    def _limit(self, name: str, root: str, bounds: tuple[int, int], scale: Array, zero: Array) -> str:
        """Root -> DQ -> Clip -> Q; returns what the Q makes. Quantizing a value of the scale gives its byte again."""
        kind, fresh = self.kinds[root], self.names.fresh
        parameters = [self._add(f"{name}_scale", scale.astype(np.float32).reshape(()))]
        parameters.append(self._add(f"{name}_zero_point", zero.astype(kind).reshape(())))
        reals = [np.float32(bound - int(zero.reshape(()))) * np.float32(scale.reshape(())) for bound in bounds]
        limits = [self._add(f"{name}_limit", np.array(real, np.float32)) for real in reals]
        real, clipped, result = fresh(f"{name}_real"), fresh(f"{name}_limited"), fresh(f"{name}_bytes")
        self.nodes += [
            helper.make_node("DequantizeLinear", [root, *parameters], [real], real),
            helper.make_node("Clip", [real, *limits], [clipped], clipped),
            helper.make_node("QuantizeLinear", [clipped, *parameters], [result], result),
        ]
        self.kinds[result] = kind
        return result

    def _add(self, stem: str, array: Array) -> str:
        name = self.names.fresh(stem)
        self.constants[name] = array
        self.graph.initializer.append(encode(array, name))
        return name


def _keeps(table: Array) -> bool:
    """Whether 256 bytes stay the numbers that they are."""
    return int(table.max()) - int(table.min()) == 255 and bool((np.diff(table.astype(np.int64)) == 1).all())


def _target(node: onnx.NodeProto) -> int:
    return next((int(entry.i) for entry in node.attribute if entry.name == "to"), 0)
