"""Normalizations that exporters write out, found: a mean of squares, its root, the quotient, gain and offset behind it.

In: a model whose constants are folded, and the shapes of its values. Out: `WrittenNorm` records. Always: nothing else
reads the values in between, and the axes are those of an operator; what is quantized in between is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx

from sima_compiler.frontend.constants.tensors import Array, decode
from sima_compiler.frontend.work import Shapes

#: Without one of each no normalization is written out.
ROOTS, MEANS = frozenset({"Sqrt", "Pow"}), frozenset({"ReduceMean"})


def may_hold_norms(model: onnx.ModelProto) -> bool:
    """Whether looking for them can find any: most networks have none, and shapes cost a second of a large one."""
    kinds = {node.op_type for node in model.graph.node}
    return bool(kinds & ROOTS) and bool(kinds & MEANS)


@dataclass(frozen=True, slots=True)
class WrittenNorm:
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
class NormSearch:
    """The normalizations that a model writes out. ``shapes``: of its values, as far as they are known."""

    model: onnx.ModelProto
    shapes: Shapes
    constants: Mapping[str, onnx.TensorProto] = field(init=False)
    producers: dict[str, onnx.NodeProto] = field(init=False)
    readers: dict[str, list[onnx.NodeProto]] = field(default_factory=dict[str, list[onnx.NodeProto]])
    outputs: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.constants = {entry.name: entry for entry in graph.initializer}
        self.producers = {name: node for node in graph.node for name in node.output}
        self.outputs = frozenset(entry.name for entry in graph.output)
        for node in graph.node:
            for name in set(node.input):
                self.readers.setdefault(name, []).append(node)

    def all(self) -> list[WrittenNorm]:
        """Every normalization, with the gain and the offset behind it."""
        found = [norm for node in self.model.graph.node for norm in [self._root(node)] if norm is not None]
        whole = [self._with_offset(self._with_gain(norm)) for norm in found]
        return [norm for norm in whole if self._is_closed(norm)]

    def _root(self, node: onnx.NodeProto) -> WrittenNorm | None:
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
            return WrittenNorm(value, axes, epsilon, centred=False, inside=frozenset(inside), output=output)
        source, more = mean
        return WrittenNorm(source, axes, epsilon, centred=True, inside=frozenset(inside | more), output=output)

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
        stated = self.constant(node.input[1]) if len(node.input) > 1 else None
        if stated is not None:
            given = tuple(int(axis) for axis in stated.reshape(-1))
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

    def _with_gain(self, norm: WrittenNorm) -> WrittenNorm:
        return self._with(norm, "Mul")

    def _with_offset(self, norm: WrittenNorm) -> WrittenNorm:
        return self._with(norm, "Add") if norm.centred else norm

    def _with(self, norm: WrittenNorm, operator: str) -> WrittenNorm:
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
        return WrittenNorm(norm.source, norm.axes, norm.epsilon, norm.centred, inside, node.output[0], gain, offset)

    def _fits(self, name: str, norm: WrittenNorm) -> bool:
        """Whether a constant has one value for each of a row, or for each channel of an image."""
        varying = self.varying(name, norm)
        return varying is not None and (
            varying <= set(norm.axes) or (norm.over_pixels(self.rank(norm)) and varying <= {1})
        )

    def varying(self, name: str, norm: WrittenNorm) -> set[int] | None:
        """The axes along which a constant has several values; None for anything else."""
        values, rank = self.constant(name), self.rank(norm)
        if values is None or values.dtype != np.float32 or values.ndim > rank:
            return None
        return {rank - values.ndim + axis for axis, size in enumerate(values.shape) if size > 1}

    def rank(self, norm: WrittenNorm) -> int:
        """Dimensions of what is normalized, the batch among them."""
        return len(self.shapes.get(norm.source) or ())

    def _is_closed(self, norm: WrittenNorm) -> bool:
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
        entry = self.constants.get(name)
        single = entry is not None and prod(entry.dims) == 1
        return float(decode(entry).reshape(())) if entry is not None and single else None

    def constant(self, name: str) -> Array | None:
        """The values of a constant; None for anything else."""
        entry = self.constants.get(name)
        return None if entry is None else decode(entry)
