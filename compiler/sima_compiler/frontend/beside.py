"""Quantizations right beside products, where the file has them behind a movement or a limit.

::

    before: DQ -> Flatten -> Gemm -> Relu -> Q      after: DQ -> Flatten -> Q, DQ -> Gemm -> Q, DQ -> Relu -> Q

All pairs on one side have the parameters that the file states there. What only selects values commutes with
quantizing, and so do limits, since quantizing keeps the order; so the function is the same, but onnxruntime computes
the product on bytes, as it does where files have their quantizations there, and not in float32 in an order of its host.

In: a QDQ model with stated parameters. Out: the same model, in place, and a warning for each product. Always: a file
whose quantizations stand beside its products, or where onnxruntime moves or drops what is between, stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper

from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.ordering import arrange, label
from sima_compiler.frontend.constants.tensors import Constants
from sima_compiler.frontend.moves import TRANSPARENT

PRODUCTS = frozenset({"Conv", "Gemm", "MatMul"})
LIMITS = frozenset({"Relu", "Clip"})
#: Movements of one value; those that join several have several scales.
MOVES = TRANSPARENT | {"Flatten", "Pad", "Resize", "Upsample", "Gather", "Tile", "Expand", "SpaceToDepth",
                       "DepthToSpace", "Split", "Dropout"}  # fmt: skip
#: How much onnxruntime lets a limit cut off that it drops.
EPSILON = float(np.finfo(np.float32).eps)

#: Nodes from a product to a QuantizeLinear, which comes last.
Path = tuple[onnx.NodeProto, ...]


def quantize_beside_products(model: onnx.ModelProto, names: Names) -> list[str]:
    """Rewrite ``model`` in place; returns warnings."""
    pairing = _Pairing(model, names)
    for node in list(model.graph.node):
        if node.op_type in PRODUCTS and not node.domain and node.output:
            pairing.product(node)
    if pairing.warnings:
        arrange(model.graph)
    return pairing.warnings


@dataclass(slots=True)
class _Pairing:
    """Who makes and who reads each value; new nodes are added as they are made."""

    model: onnx.ModelProto
    names: Names
    constants: Constants = field(init=False)
    producers: dict[str, onnx.NodeProto] = field(default_factory=dict[str, onnx.NodeProto])
    readers: dict[str, list[onnx.NodeProto]] = field(default_factory=dict[str, list[onnx.NodeProto]])
    outputs: frozenset[str] = field(init=False)
    warnings: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.constants = Constants(graph)
        self.outputs = frozenset(entry.name for entry in graph.output)
        for node in graph.node:
            self.producers |= dict.fromkeys(node.output, node)
            for name in dict.fromkeys(node.input):
                self.readers.setdefault(name, []).append(node)

    def product(self, node: onnx.NodeProto) -> None:
        """Pairs in front of and behind one product, where they are missing and may be."""
        source = self._source_behind_moves(node)
        end = self._end(node)
        paths = self._paths(end.output[0])
        if paths is None or (source is None and not self._is_far(node, paths)):
            return
        if len({self._stated(path[-1]) for path in paths}) > 1:
            return  # the product has several scales
        if source is not None:
            place = list(node.input).index(node.input[0])
            node.input[place] = self._pair(node.input[0], source.input[1:3])
        if self._is_far(node, paths):
            after = self._pair(end.output[0], paths[0][-1].input[1:3])
            for reader in self.readers[end.output[0]]:
                reader.input[:] = [after if name == end.output[0] else name for name in reader.input]
        self.warnings.append(
            f"{label(node)}: onnxruntime computes it in float32, for no quantization stands right beside it; it is "
            "read with one there, which makes a difference of one step where a result lies half-way between two"
        )

    def _pair(self, value: str, parameters: Sequence[str]) -> str:
        quantized, result = self.names.fresh(f"{value}_beside"), self.names.fresh(f"{value}_real")
        for operator, source, target in (("QuantizeLinear", value, quantized), ("DequantizeLinear", quantized, result)):
            inputs = [source, *parameters]
            self.model.graph.node.append(helper.make_node(operator, inputs, [target], self.names.fresh(target)))
        return result

    def _source_behind_moves(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """The DequantizeLinear in front of what moves the product's input; None where it is right in front, or none."""
        name, apart = node.input[0], False
        while (producer := self.producers.get(name)) is not None and producer.op_type != "DequantizeLinear":
            keeps = producer.op_type in MOVES - {"Pad"} or producer.op_type == "Relu"
            if not keeps or producer.domain:
                return None
            apart = apart or producer.op_type not in TRANSPARENT
            name = producer.input[0]
        dynamic = producer is not None and producer.input[0] not in self.constants
        return producer if apart and dynamic else None

    def _end(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """The Add of a constant that onnxruntime takes into a MatMul in front of it, or the product itself."""
        readers = self.readers.get(node.output[0], [])
        if node.op_type != "MatMul" or len(readers) != 1 or readers[0].op_type != "Add":
            return node
        others = [name for name in readers[0].input if name != node.output[0]]
        return readers[0] if others and all(map(self._is_constant, others)) else node

    def _is_constant(self, name: str) -> bool:
        producer = self.producers.get(name)
        return name in self.constants or (
            producer is not None and producer.op_type == "DequantizeLinear" and producer.input[0] in self.constants
        )

    def _paths(self, value: str) -> list[Path] | None:
        """Every way from a value to a QuantizeLinear; None where something else reads it."""
        found: list[Path] = []
        for path in self._ways(value, ()):
            if path is None or len(path[-1].input) < 3:
                return None
            found.append(path)
        return found or None

    def _ways(self, value: str, before: Path) -> Iterator[Path | None]:
        if value in self.outputs:
            yield None
        for reader in self.readers.get(value, []):
            if reader.op_type == "QuantizeLinear":
                yield (*before, reader)
            elif reader.domain or reader.op_type not in MOVES | LIMITS or value not in reader.input[:1]:
                yield None
            else:
                for result in filter(None, reader.output):
                    yield from self._ways(result, (*before, reader))

    def _is_far(self, node: onnx.NodeProto, paths: Sequence[Path]) -> bool:
        """Whether onnxruntime does not see a quantization right behind the product."""
        # Equal quantizations of one value count as one: onnxruntime merges them.
        ways = {tuple(map(id, path[:-1])): path for path in paths}
        between = [step for path in paths for step in path[:-1]]
        if not between or (len(ways) == 1 and all(self._vanishes(step, paths[0][-1]) for step in between)):
            return False
        # A product without a bias is one on bytes anyway, scaled, unless a limit follows.
        scaled = node.op_type == "MatMul" or (node.op_type == "Gemm" and len(node.input) < 3)
        limited = any(path[0].op_type in LIMITS for path in paths)
        return not scaled or limited or self._end(node) is not node

    def _stated(self, quantizer: onnx.NodeProto) -> tuple[object, ...]:
        """Scale and zero point; by name where they are no constants."""
        arrays = [(name, self.constants.get(name)) for name in quantizer.input[1:3]]
        return tuple(name if array is None else (array.dtype.str, array.tobytes()) for name, array in arrays)

    def _vanishes(self, step: onnx.NodeProto, quantizer: onnx.NodeProto) -> bool:
        """Whether onnxruntime moves the quantization past a step, or drops it for limiting no further."""
        if step.op_type not in LIMITS:
            return step.op_type in TRANSPARENT
        scale, zero = (self.constants.get(name) for name in quantizer.input[1:3])
        if scale is None or zero is None or scale.size != 1 or zero.size != 1 or zero.dtype.kind not in "iu":
            return True
        info = np.iinfo(zero.dtype)
        reach = [(int(end) - int(zero.reshape(()))) * float(scale.reshape(())) for end in (info.min, info.max)]
        low, high = self._bounds(step)
        return low - reach[0] <= EPSILON and reach[1] - high <= EPSILON

    def _bounds(self, step: onnx.NodeProto) -> tuple[float, float]:
        if step.op_type == "Relu":
            return 0.0, float("inf")
        found = [float("-inf"), float("inf")]
        for place, name in enumerate(step.input[1:3]):
            array = self.constants.get(name)
            if array is not None and array.size == 1:
                found[place] = float(array.reshape(()))
        return found[0], found[1]
