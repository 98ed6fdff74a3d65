"""Normalizations that exporters write out, as one operator each.

::

    before: ReduceMean, Sub, Pow 2, ReduceMean, Add, Sqrt, Div, Mul, Add     after: LayerNormalization
    before: the same over rows and columns, a gain per channel               after: InstanceNormalization
    before: the same over the channels of an image      after: Transpose, LayerNormalization, Transpose
    before: Pow 2, ReduceMean, Add, Sqrt, Div, Mul                           after: RMSNormalization

A square may be a product, a quotient Reciprocal and Mul or a power of -0.5; the difference may stand there
twice. What is
quantized in between stays as it is, and so does what something else reads. Always: the same function up to the
rounding of float32; the last value keeps its name.

In: a model whose constants are folded. Out: the model, at a newer operator set where an operator needs it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, version_converter

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.normal import normalized
from sima_compiler.frontend.constants.tensors import encode
from sima_compiler.frontend.loading import default_opset
from sima_compiler.frontend.norm_search import NormSearch, WrittenNorm, may_hold_norms
from sima_compiler.frontend.work import inferred_shapes

#: What onnx's converter raises.
CONVERSION_ERRORS = (
    RuntimeError, ValueError, TypeError, IndexError, version_converter.ConvertError,
    onnx.shape_inference.InferenceError, onnx.checker.ValidationError,
)  # fmt: skip
#: Operator sets that brought the operators.
LAYER_NORM_OPSET, RMS_NORM_OPSET = 17, 23


def with_whole_norms(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every normalization that is written out as one operator."""
    if not may_hold_norms(model):
        return model
    norms = NormSearch(model, inferred_shapes(model)).all()
    if not norms:
        return model
    wanted = LAYER_NORM_OPSET if all(norm.centred for norm in norms) else RMS_NORM_OPSET
    if default_opset(model) < wanted:
        try:
            model = normalized(version_converter.convert_version(model, wanted))
        except (*CONVERSION_ERRORS, ModelError):  # a node that the converter does not know: it runs as it is written
            return model
    search = NormSearch(model, inferred_shapes(model))
    _rewrite(model, search)
    return model


def _rewrite(model: onnx.ModelProto, search: NormSearch) -> None:
    written = {norm.output: norm for norm in search.all()}
    names, nodes = Names.of(model), list[onnx.NodeProto]()
    gone = {name for norm in written.values() for name in norm.inside - {norm.source}}
    for node in model.graph.node:
        norm = written.get(node.output[0]) if node.output else None
        if norm is not None:
            nodes.extend(_Writer(model, search, names).nodes(norm, node.name or norm.output))
        elif not gone & set(node.output):
            nodes.append(node)
    holder = onnx.GraphProto()
    holder.node.extend(nodes)
    del model.graph.node[:]
    model.graph.node.extend(holder.node)


@dataclass(frozen=True, slots=True)
class _Writer:
    model: onnx.ModelProto
    search: NormSearch
    names: Names

    def nodes(self, norm: WrittenNorm, label: str) -> list[onnx.NodeProto]:
        """The operator, between two movements where the row does not stand last."""
        rank = self.search.rank(norm)
        by_channel = any(1 in (self.search.varying(name, norm) or ()) for name in (norm.gain, norm.offset) if name)
        if norm.over_pixels(rank) and norm.centred and by_channel and 1 not in norm.axes:
            inputs = [
                norm.source,
                *(self._values(name, fill, (1,), norm) for name, fill in ((norm.gain, 1), (norm.offset, 0))),
            ]
            return [helper.make_node("InstanceNormalization", inputs, [norm.output], label, epsilon=norm.epsilon)]
        operator = "LayerNormalization" if norm.centred else "RMSNormalization"
        inputs = [self._values(norm.gain, 1, norm.axes, norm)]
        inputs += [self._values(norm.offset, 0, norm.axes, norm)] if norm.offset else []
        if norm.ends(rank):
            axis = norm.axes[0] - rank
            return [
                helper.make_node(
                    operator, [norm.source, *inputs], [norm.output], label, axis=axis, epsilon=norm.epsilon
                )
            ]
        turned, result = (self.names.fresh(f"{norm.output}_{part}") for part in ("turned", "normalized"))
        last = [axis for axis in range(rank) if axis != 1]
        back = [0, rank - 1, *range(1, rank - 1)]
        return [
            helper.make_node("Transpose", [norm.source], [turned], turned, perm=[*last, 1]),
            helper.make_node(operator, [turned, *inputs], [result], label, axis=-1, epsilon=norm.epsilon),
            helper.make_node("Transpose", [result], [norm.output], self.names.fresh(f"{label}_back"), perm=back),
        ]

    def _values(self, name: str, fill: float, axes: tuple[int, ...], norm: WrittenNorm) -> str:
        """A constant of the row's shape: ``name`` spread over ``axes``, or ``fill`` everywhere."""
        shape = self.search.shapes.get(norm.source) or ()
        size = tuple(shape[axis] or 1 for axis in axes)
        values = np.asarray(fill if not name else self.search.constant(name), np.float32)
        spread = values.reshape((1,) * (len(shape) - values.ndim) + values.shape)
        spread = np.broadcast_to(
            spread, tuple(size[axes.index(axis)] if axis in axes else 1 for axis in range(len(shape)))
        )
        stored = self.names.fresh(f"{name or norm.output}_row")
        self.model.graph.initializer.append(encode(np.ascontiguousarray(spread.reshape(size)), stored))
        return stored
