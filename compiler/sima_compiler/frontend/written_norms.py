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

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper, version_converter

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.normal import normalized
from sima_compiler.frontend.constants.tensors import Array, decode, encode
from sima_compiler.frontend.loading import default_opset
from sima_compiler.frontend.work import Shapes, inferred_shapes

#: What onnx's converter raises.
CONVERSION_ERRORS = (
    RuntimeError, ValueError, TypeError, IndexError, version_converter.ConvertError,
    onnx.shape_inference.InferenceError, onnx.checker.ValidationError,
)  # fmt: skip
#: Operator sets that brought the operators.
LAYER_NORM_OPSET, RMS_NORM_OPSET = 17, 23


@dataclass(frozen=True, slots=True)
class _Norm:
    """A normalization that was found: what it is of, over which axes, and the values in between, which go."""

    source: str
    axes: tuple[int, ...]
    epsilon: float
    centred: bool
    inside: frozenset[str]
    output: str
    gain: str = ""
    offset: str = ""

    def ends(self, rank: int) -> bool:
        """Whether the row is the last axes."""
        return self.axes[0] > 0 and self.axes == tuple(range(self.axes[0], rank))

    def over_pixels(self, rank: int) -> bool:
        """Whether the row is all pixels of one channel."""
        return rank > 2 and self.axes == tuple(range(2, rank))


@dataclass(slots=True)
class _Search:
    model: onnx.ModelProto
    shapes: Shapes
    constants: dict[str, Array] = field(init=False)
    producers: dict[str, onnx.NodeProto] = field(init=False)
    readers: dict[str, list[onnx.NodeProto]] = field(default_factory=dict[str, list[onnx.NodeProto]])
    outputs: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.constants = {entry.name: decode(entry) for entry in graph.initializer}
        self.producers = {name: node for node in graph.node for name in node.output}
        self.outputs = frozenset(entry.name for entry in graph.output)
        for node in graph.node:
            for name in set(node.input):
                self.readers.setdefault(name, []).append(node)

    def all(self) -> list[_Norm]:
        """Every normalization, with the gain and the offset behind it."""
        found = [norm for node in self.model.graph.node for norm in [self._root(node)] if norm is not None]
        whole = [self._with_offset(self._with_gain(norm)) for norm in found]
        return [norm for norm in whole if self._is_closed(norm)]

    def _root(self, node: onnx.NodeProto) -> _Norm | None:
        """A norm whose square root (or power of -0.5) this node is."""
        exponent = self._number(node.input[1]) if node.op_type == "Pow" and len(node.input) == 2 else None
        if node.op_type != "Sqrt" and exponent not in (0.5, -0.5):
            return None
        found = self._power(node.input[0])
        if found is None:
            return None
        value, axes, epsilon, inside = found
        quotient = self._quotient(node.output[0], value, inverse=exponent == -0.5)
        if quotient is None:
            return None
        output, between = quotient
        inside |= {node.output[0], *between}
        mean = self._mean_taken_off(value, axes)
        if mean is None:
            return _Norm(value, axes, epsilon, centred=False, inside=frozenset(inside), output=output)
        source, more = mean
        return _Norm(source, axes, epsilon, centred=True, inside=frozenset(inside | more), output=output)

    def _power(self, name: str) -> tuple[str, tuple[int, ...], float, set[str]] | None:
        """What is squared, over which axes its mean is taken, and the epsilon that is added."""
        inside, epsilon, node = {name}, 0.0, self.producers.get(name)
        if node is not None and node.op_type == "Add":
            sides = [(self._number(node.input[1 - place]), node.input[place]) for place in (0, 1)]
            known = [(number, side) for number, side in sides if number is not None]
            if not known:
                return None
            epsilon, mean = float(known[0][0]), known[0][1]
            inside.add(mean)
            node = self.producers.get(mean)
        axes = self._axes(node)
        square = self.producers.get(node.input[0]) if node is not None and axes is not None else None
        if node is None or square is None or axes is None or epsilon < 0:
            return None
        twice = square.op_type == "Mul" and self._same(square.input[0], square.input[1])
        if not twice and not (square.op_type == "Pow" and self._number(square.input[1]) == 2):
            return None
        inside.update((node.input[0], *square.input[: 2 if twice else 1]))
        inside.discard("")
        return square.input[0], axes, epsilon, inside - {square.input[0]}

    def _axes(self, node: onnx.NodeProto | None) -> tuple[int, ...] | None:
        """Axes of a ReduceMean that keeps them, counted from the front."""
        if node is None or node.op_type != "ReduceMean" or not next(
            (entry.i for entry in node.attribute if entry.name == "keepdims"), 1
        ):  # fmt: skip
            return None
        given = next((tuple(entry.ints) for entry in node.attribute if entry.name == "axes"), ())
        if len(node.input) > 1 and node.input[1] in self.constants:
            given = tuple(int(axis) for axis in self.constants[node.input[1]].reshape(-1))
        rank = len(self.shapes.get(node.input[0]) or ())
        return tuple(sorted(axis % rank for axis in given)) if given and rank else None

    def _quotient(self, root: str, value: str, *, inverse: bool) -> tuple[str, set[str]] | None:
        """The value divided by the root, and the values between root and quotient."""
        behind = self.readers.get(root, [])
        if len(behind) != 1:
            return None
        node = behind[0]
        if not inverse and node.op_type == "Div" and node.input[1] == root and self._same(node.input[0], value):
            return node.output[0], {node.input[0]}
        if not inverse and (
            node.op_type == "Reciprocal" or (node.op_type == "Div" and self._number(node.input[0]) == 1)
        ):
            found = self._quotient(node.output[0], value, inverse=True)
            return None if found is None else (found[0], {*found[1], node.output[0]})
        if inverse and node.op_type == "Mul":
            for place in (0, 1):
                if node.input[place] == root and self._same(node.input[1 - place], value):
                    return node.output[0], {node.input[1 - place]}
        return None

    def _mean_taken_off(self, value: str, axes: tuple[int, ...]) -> tuple[str, set[str]] | None:
        """What ``value`` is without its mean over the axes."""
        node = self.producers.get(value)
        mean = self.producers.get(node.input[1]) if node is not None and node.op_type == "Sub" else None
        if node is None or mean is None or self._axes(mean) != axes or mean.input[0] != node.input[0]:
            return None
        return node.input[0], {value, node.input[1]}

    def _with_gain(self, norm: _Norm) -> _Norm:
        return self._with(norm, "Mul")

    def _with_offset(self, norm: _Norm) -> _Norm:
        return self._with(norm, "Add") if norm.centred else norm

    def _with(self, norm: _Norm, operator: str) -> _Norm:
        """The norm with a constant per value of a row behind it."""
        behind = self.readers.get(norm.output, [])
        if len(behind) != 1 or norm.output in self.outputs or behind[0].op_type != operator:
            return norm
        node = behind[0]
        other = node.input[1] if node.input[0] == norm.output else node.input[0]
        if not self._fits(other, norm):
            return norm
        inside = norm.inside | {norm.output}
        gain, offset = (other, "") if operator == "Mul" else (norm.gain, other)
        return _Norm(norm.source, norm.axes, norm.epsilon, norm.centred, inside, node.output[0], gain, offset)

    def _fits(self, name: str, norm: _Norm) -> bool:
        """Whether a constant has one value for each of a row, or for each channel of an image."""
        varying = self.varying(name, norm)
        return varying is not None and (
            varying <= set(norm.axes) or (norm.over_pixels(self.rank(norm)) and varying <= {1})
        )

    def varying(self, name: str, norm: _Norm) -> set[int] | None:
        """The axes along which a constant has several values; None for anything else."""
        values, rank = self.constants.get(name), self.rank(norm)
        if values is None or values.dtype != np.float32 or values.ndim > rank:
            return None
        return {rank - values.ndim + axis for axis, size in enumerate(values.shape) if size > 1}

    def rank(self, norm: _Norm) -> int:
        """Dimensions of what is normalized, the batch among them."""
        return len(self.shapes.get(norm.source) or ())

    def _is_closed(self, norm: _Norm) -> bool:
        """Whether nothing else reads what goes, and the axes are those of an operator."""
        if not norm.ends(self.rank(norm)) and norm.axes != (1,):
            return False
        gone = {*norm.inside, norm.output} - {norm.source}
        for name in norm.inside - {norm.source}:
            if name in self.outputs or any(not gone & set(node.output) for node in self.readers.get(name, [])):
                return False
        return True

    def _same(self, one: str, other: str) -> bool:
        """Whether two values are the same, or the same difference written twice."""
        first, second = self.producers.get(one), self.producers.get(other)
        if one == other:
            return True
        return bool(
            first and second and first.op_type == second.op_type == "Sub" and list(first.input) == list(second.input)
        )

    def _number(self, name: str) -> float | None:
        found = self.constants.get(name)
        return float(found.reshape(())) if found is not None and found.size == 1 else None


def with_whole_norms(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every normalization that is written out as one operator."""
    norms = _Search(model, inferred_shapes(model)).all()
    if not norms:
        return model
    wanted = LAYER_NORM_OPSET if all(norm.centred for norm in norms) else RMS_NORM_OPSET
    if default_opset(model) < wanted:
        try:
            model = normalized(version_converter.convert_version(model, wanted))
        except (*CONVERSION_ERRORS, ModelError):  # a node that the converter does not know: it runs as it is written
            return model
    search = _Search(model, inferred_shapes(model))
    _rewrite(model, search)
    return model


def _rewrite(model: onnx.ModelProto, search: _Search) -> None:
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
    search: _Search
    names: Names

    def nodes(self, norm: _Norm, label: str) -> list[onnx.NodeProto]:
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

    def _values(self, name: str, fill: float, axes: tuple[int, ...], norm: _Norm) -> str:
        """A constant of the row's shape: ``name`` spread over ``axes``, or ``fill`` everywhere."""
        shape = self.search.shapes.get(norm.source) or ()
        size = tuple(shape[axis] or 1 for axis in axes)
        values = np.asarray(self.search.constants[name] if name else fill, np.float32)
        spread = values.reshape((1,) * (len(shape) - values.ndim) + values.shape)
        spread = np.broadcast_to(
            spread, tuple(size[axes.index(axis)] if axis in axes else 1 for axis in range(len(shape)))
        )
        stored = self.names.fresh(f"{name or norm.output}_row")
        self.model.graph.initializer.append(encode(np.ascontiguousarray(spread.reshape(size)), stored))
        return stored
