"""Everything that stands in the way of one model, collected while reading goes on.

In: the error of a node, and the node. Out: an `Unknown` for each of its outputs, and at the end one error that carries
every `Obstacle`. Always: a node that depends on an unknown value is no obstacle by itself; behind the next
QuantizeLinear the scale is known again, and with it everything that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx

from sima_compiler.errors import ModelError, SimaError, UnsupportedError
from sima_compiler.frontend.onnx_node import SourceNode, source_node
from sima_compiler.frontend.refusals import KINDS, refuse_operator
from sima_compiler.frontend.values import Unknown
from sima_compiler.frontend.work import Shapes, inferred_shapes, work_around
from sima_compiler.obstacle import Obstacle

#: How many obstacles an error names; ``simac check`` names all.
NAMED_IN_ERRORS = 3


class Obstacles:
    """The obstacles of one reading of one file, in the order in which nodes are read."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._shapes: Shapes | None = None
        self._errors: list[ModelError] = []
        self._found: list[Obstacle] = []

    def __bool__(self) -> bool:
        return bool(self._errors)

    def record(self, error: ModelError, node: SourceNode | None = None) -> Sequence[Unknown]:
        """Takes the error of ``node`` (None: of an output or the file); one unknown value for each of its outputs."""
        error.hint = error.hint or way_out(self._model, node)
        self._errors.append(error)
        self._found.append(obstacle_of(error, node))
        return () if node is None else self.unknown(node)

    def unknown(self, node: SourceNode) -> Sequence[Unknown]:
        """The outputs of a node of which only the shapes can be known."""
        if self._shapes is None:
            self._shapes = inferred_shapes(self._model)
        return [Unknown(_per_sample(self._shapes.get(name))) for name in node.outputs]

    def raise_if_any(self, origin: str) -> None:
        """Ends the reading when there was an obstacle.

        Raises:
            ModelError: the only error itself, or one that names the first obstacles; both carry all of them.
        """
        if not self._errors:
            return
        shapes = inferred_shapes(self._model) if self._shapes is None else self._shapes
        around = work_around(self._model, shapes)
        found = tuple(_with_work(obstacle, around.get(obstacle.node)) for obstacle in self._found)
        first = self._errors[0]
        if len(found) == 1:
            first.obstacles = found
            raise first
        kind = UnsupportedError if isinstance(first, UnsupportedError) else ModelError
        raise kind(listed(found, origin), hint=f"simac check {origin} lists them all", obstacles=found)


def listed(found: Sequence[Obstacle], origin: str) -> str:
    """The count and the first obstacles, each with its hint below it."""
    lines = [f"{origin}: {len(found)} obstacles" + (", among them" if len(found) > NAMED_IN_ERRORS else "")]
    for obstacle in found[:NAMED_IN_ERRORS]:
        lines += [f"  {obstacle.sentence}", *([f"    {obstacle.hint}"] if obstacle.hint else [])]
    return "\n".join(lines)


def way_out(model: onnx.ModelProto, node: SourceNode | None) -> str:
    """What is left where no rule knows better: the part in front of the node, and the rest on the host."""
    produced = {name for proto in model.graph.node for name in proto.output}
    value = next((name for name in node.inputs if name in produced), "") if node else ""
    if not value:
        return ""
    inputs = [entry.name for entry in model.graph.input]
    # The check would refuse operators of other domains, which may be why the network must end there.
    command = f"onnx.utils.extract_model(MODEL, 'front.onnx', {inputs}, [{value!r}], check_model=False)"
    return f"let the network end in front of it and run the rest on the host: {command}"


def refused_operators(model: onnx.ModelProto) -> tuple[Obstacle, ...]:
    """Operators that are refused wherever they stand, for a model that cannot be read any further."""
    found: list[Obstacle] = []
    for index, proto in enumerate(model.graph.node):
        node = source_node(proto, index)
        if node.domain or any(node.operator in kind.operators for kind in KINDS):
            try:
                refuse_operator(node)
            except ModelError as error:
                error.hint = error.hint or way_out(model, node)
                found.append(obstacle_of(error, node))
    return tuple(found)


def obstacle_of(error: SimaError, node: SourceNode | None = None) -> Obstacle:
    """What an error says, as data."""
    named = error if isinstance(error, UnsupportedError) else None
    rule = named.rule if named else ""
    label = f"{node.label}: " if node else f"node {named.node!r} ({named.operator}): " if named else ""
    return Obstacle(
        found=error.message.removeprefix(label).removesuffix(f"; rule: {rule}"),
        node=node.name if node else named.node if named else "",
        operator=node.operator if node else named.operator if named else "",
        rule=rule,
        hint=error.hint,
    )


def _per_sample(sizes: tuple[int | None, ...] | None) -> tuple[int, ...] | None:
    """A shape without the batch; None when a size is missing."""
    rest = sizes[1:] if sizes else None
    return None if rest is None or None in rest else tuple(size for size in rest if size is not None)


def _with_work(obstacle: Obstacle, around: tuple[int, int] | None) -> Obstacle:
    return obstacle if around is None else replace(obstacle, macs_before=around[0], macs_behind=around[1])
