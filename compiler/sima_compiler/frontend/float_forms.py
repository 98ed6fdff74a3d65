"""Spellings of float models that quantize better, or at all, in another one.

Before -> after: ReduceMean over rows and columns -> GlobalAveragePool; Sum of n -> n - 1 Adds; Div by a constant -> Mul
by its reciprocal; Gemm's alpha and beta -> its constants; x * Clip(x + 3, 0, 6) / 6 in every order, and
x * HardSigmoid(x) -> HardSwish. Always: the same function up to the rounding of float32; a value that something else
reads, or that is an output, stays.

In: a float model with folded constants. Out: the same model, in place.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper

from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.tensors import Array, decode, encode
from sima_compiler.frontend.loading import default_opset
from sima_compiler.frontend.means import means_as_pools

#: The operator set in which HardSwish appeared.
HARD_SWISH_OPSET = 14
#: How far float32 constants such as 1 / 6 may lie from what they stand for, relatively.
TOLERANCE = 1e-5


def with_plain_forms(model: onnx.ModelProto, names: Names) -> None:
    """Rewrite ``model`` in place."""
    means_as_pools(model, names)
    _Rewriting(model, names).run()


@dataclass(slots=True)
class _Rewriting:
    model: onnx.ModelProto
    names: Names
    constants: dict[str, Array] = field(init=False)
    producers: dict[str, onnx.NodeProto] = field(default_factory=dict[str, onnx.NodeProto])
    readers: Counter[str] = field(init=False)
    nodes: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    gone: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.constants = {entry.name: decode(entry) for entry in graph.initializer}
        self.readers = Counter(name for node in graph.node for name in set(node.input))
        self.readers.update(entry.name for entry in graph.output)

    def run(self) -> None:
        knows_hard_swish = default_opset(self.model) >= HARD_SWISH_OPSET
        for node in self.model.graph.node:
            source = self._hard_swish(node) if knows_hard_swish else None
            if source is not None:
                node.CopyFrom(helper.make_node("HardSwish", [source], list(node.output), node.name))
            elif node.op_type == "Sum":
                self._sum(node)
            elif node.op_type == "Div":
                self._division(node)
            elif node.op_type == "Gemm":
                self._dense(node)
            self.nodes.append(node)
            self.producers |= dict.fromkeys(node.output, node)
        holder = onnx.GraphProto()
        holder.node.extend(node for node in self.nodes if not self.gone & set(node.output))
        del self.model.graph.node[:]
        self.model.graph.node.extend(holder.node)

    def _sum(self, node: onnx.NodeProto) -> None:
        """The node becomes the last Add."""
        total, rest = node.input[0], list(node.input[1:])
        if not rest:
            node.op_type = "Identity"
            return
        label = node.name or node.output[0]
        for name in rest[:-1]:
            partial = self.names.fresh(f"{label}_partial")
            self.nodes.append(helper.make_node("Add", [total, name], [partial], partial))
            total = partial
        node.CopyFrom(helper.make_node("Add", [total, rest[-1]], list(node.output), node.name))

    def _division(self, node: onnx.NodeProto) -> None:
        divisor = self.constants.get(node.input[1])
        if divisor is None or divisor.dtype != np.float32 or not divisor.all():
            return
        node.op_type = "Mul"
        node.input[1] = self._constant(f"{node.input[1]}_reciprocal", np.asarray(np.float32(1) / divisor))

    def _dense(self, node: onnx.NodeProto) -> None:
        """Gemm's factors go into its constants, and a bias of one row becomes a vector."""
        factors = {entry.name: entry.f for entry in node.attribute if entry.name in ("alpha", "beta")}
        alpha, beta = (np.float32(factors.get(name, 1.0)) for name in ("alpha", "beta"))
        weights = self.constants.get(node.input[1])
        bias = self.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        row = bias is not None and bias.ndim > 1 and bias.size == bias.shape[-1]
        if weights is None or (alpha == beta == 1 and not row) or (bias is None and len(node.input) > 2):
            return
        if alpha != 1:
            node.input[1] = self._constant(f"{node.input[1]}_scaled", weights * alpha)
        if bias is not None:
            node.input[2] = self._constant(f"{node.input[2]}_scaled", (bias.reshape(-1) if row else bias) * beta)
        kept = onnx.NodeProto(attribute=[entry for entry in node.attribute if entry.name not in factors])
        del node.attribute[:]
        node.attribute.extend(kept.attribute)

    def _constant(self, stem: str, array: Array) -> str:
        name = self.names.fresh(stem)
        self.constants[name] = array.astype(np.float32)
        self.model.graph.initializer.append(encode(self.constants[name], name))
        return name

    def _hard_swish(self, node: onnx.NodeProto) -> str | None:
        """What the HardSwish is of, when ``node`` is the last step of one; the steps in front are gone then."""
        for pick in (self._scaled_product, self._product_of_gate):
            found = pick(node)
            if found is not None and all(self.readers[name] == 1 for name in found[1]):
                self.gone.update(found[1])
                return found[0]
        return None

    def _scaled_product(self, node: onnx.NodeProto) -> tuple[str, list[str]] | None:
        """(x * Clip(x + 3, 0, 6)) / 6."""
        inner = self._sixth(node)
        product = self.producers.get(inner) if inner else None
        if inner is None or product is None or product.op_type != "Mul":
            return None
        for value, gate in (tuple(product.input), tuple(product.input)[::-1]):
            steps = self._relu6_of(value, gate)
            if steps is not None:
                return value, [inner, *steps]
        return None

    def _product_of_gate(self, node: onnx.NodeProto) -> tuple[str, list[str]] | None:
        """X * (Clip(x + 3, 0, 6) / 6), or x * HardSigmoid(x)."""
        if node.op_type != "Mul" or len(node.input) != 2:
            return None
        for value, gate in (tuple(node.input), tuple(node.input)[::-1]):
            source = self.producers.get(gate)
            if source is None:
                continue
            if source.op_type == "HardSigmoid" and source.input[0] == value and _is_hard_sigmoid(source):
                return value, [gate]
            inner = self._sixth(source)
            steps = self._relu6_of(value, inner) if inner else None
            if inner is not None and steps is not None:
                return value, [gate, *steps]
        return None

    def _sixth(self, node: onnx.NodeProto) -> str | None:
        """What a Div by 6 or a Mul by 1 / 6 scales."""
        if node.op_type == "Div" and self._is(node.input[1], 6):
            return node.input[0]
        if node.op_type == "Mul":
            for place in (0, 1):
                if self._is(node.input[place], 1 / 6):
                    return node.input[1 - place]
        return None

    def _relu6_of(self, value: str, gate: str) -> list[str] | None:
        """The steps of Clip(value + 3, 0, 6) that lead to ``gate``."""
        clip = self.producers.get(gate)
        if clip is None or clip.op_type != "Clip" or len(clip.input) != 3:
            return None
        if not (self._is(clip.input[1], 0) and self._is(clip.input[2], 6)):
            return None
        shift = self.producers.get(clip.input[0])
        if shift is None or shift.op_type != "Add" or value not in shift.input:
            return None
        other = shift.input[1 - list(shift.input).index(value)]
        return [gate, clip.input[0]] if self._is(other, 3) else None

    def _is(self, name: str, number: float) -> bool:
        found = self.constants.get(name)
        return found is not None and found.size == 1 and bool(np.isclose(found.reshape(()), number, TOLERANCE, 0.0))


def _is_hard_sigmoid(node: onnx.NodeProto) -> bool:
    slopes = {entry.name: entry.f for entry in node.attribute}
    given = (slopes.get("alpha", 0.2), slopes.get("beta", 0.5))
    return bool(np.allclose(given, (1 / 6, 0.5), TOLERANCE, 0.0))
