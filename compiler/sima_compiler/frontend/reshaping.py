"""Reshape and its relatives, read per sample: the batch in front stays, whatever literal the file wrote for it.

In: shapes with the batch, as the file wrote them. Out: per-sample shapes. Always: a first dimension that is provably
not the batch is refused with a message that says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from sima_compiler.frontend.moves import move
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.rules import BATCH_FIRST
from sima_compiler.frontend.values import Value
from sima_compiler.ir.graph import Op


def convert_reshape(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Reshape to a constant or shape-arithmetic target."""
    shape = reader.shape(node)
    target = _explicit_zeros(node, reader.sizes(node, 1), shape)
    return [reshaped(node, reader, per_sample_target(node, target, shape, reader.batch))]


def _explicit_zeros(node: SourceNode, target: tuple[int | None, ...], shape: tuple[int, ...]) -> tuple[int | None, ...]:
    """Zeros copy the input's dimension; the batch's own zero becomes None."""
    if node.integer("allowzero", 0):
        return target
    known: tuple[int | None, ...] = (None, *shape)
    if any(entry == 0 and position >= len(known) for position, entry in enumerate(target)):
        raise node.invalid(f"target {target} copies a dimension that the input does not have")
    return tuple(known[position] if entry == 0 else entry for position, entry in enumerate(target))


def per_sample_target(
    node: SourceNode, target: tuple[int | None, ...], shape: tuple[int, ...], batch: int
) -> tuple[int, ...]:
    """The target without its batch.

    ``target``: -1 infers, None is the batch. ``batch``: what the file's inputs say, 0 when symbolic.
    """
    found = f"it reshapes (batch, {', '.join(map(str, shape))}) to {_spell(target)}"
    if not target or None in target[1:]:
        raise node.unsupported(f"{found}, which moves the batch", rule=BATCH_FIRST.sentence)
    first, rest = target[0], tuple(entry for entry in target[1:] if entry is not None)
    if first not in (None, -1, batch or 1, 1):
        raise node.unsupported(f"{found}, whose first dimension is not the batch", rule=BATCH_FIRST.sentence)
    elements, known = prod(shape), prod(entry for entry in rest if entry != -1)
    if rest.count(-1) > 1 or (first == -1 and -1 in rest):
        raise node.invalid(f"{found}: at most one -1 is allowed")
    if -1 in rest and known and elements % known == 0:
        rest = tuple(elements // known if entry == -1 else entry for entry in rest)
    if -1 in rest or prod(rest) != elements:
        raise node.unsupported(
            f"{found}, which mixes the batch with other dimensions", rule=BATCH_FIRST.sentence,
            hint="keep the first dimension of every reshape for the batch",
        )  # fmt: skip
    return rest


def _spell(target: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("batch" if entry is None else str(entry) for entry in target) + ")"


def reshaped(node: SourceNode, reader: Reader, shape: tuple[int, ...]) -> Value:
    """A reshape of the node's first input, recorded so that an exported model can write it for any batch."""
    reader.reshapes[node.outputs[0]] = shape
    return move(node, reader, Op.RESHAPE, shape)


def convert_flatten(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Flatten(axis=1); any axis whose first part is the batch alone."""
    shape = reader.shape(node)
    axis = node.integer("axis", 1)
    axis = axis + len(shape) + 1 if axis < 0 else axis
    if axis == 0 or prod(shape[: axis - 1]) != 1:
        raise node.unsupported(f"axis {axis} mixes the batch with other dimensions", rule=BATCH_FIRST.sentence)
    return [reshaped(node, reader, (prod(shape),))]


def convert_squeeze(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Squeeze of given axes."""
    shape = reader.shape(node)
    axes = reader.integers(node, 1, "axes")
    if axes is None:
        raise node.unsupported(
            "without axes it removes the batch when the batch is 1", rule=BATCH_FIRST.sentence, hint="name its axes"
        )
    dropped = {reader.axis(node, axis, len(shape) + 1) for axis in axes}
    if any(shape[axis] != 1 for axis in dropped):
        raise node.invalid(f"axes {axes} of (batch, {', '.join(map(str, shape))}) are not all 1")
    return [reshaped(node, reader, tuple(size for axis, size in enumerate(shape) if axis not in dropped))]


def convert_unsqueeze(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Unsqueeze behind the batch."""
    shape = reader.shape(node)
    axes = reader.integers(node, 1, "axes") or ()
    rank = len(shape) + 1 + len(axes)
    added = {reader.axis(node, axis, rank) for axis in axes}
    rest = iter(shape)
    return [reshaped(node, reader, tuple(1 if axis in added else next(rest) for axis in range(rank - 1)))]
