"""The same network for inputs of other rows and columns: what its file would say had it been exported at that size.

In: a `Graph`, the new sizes. Out: a `Graph`, or a `FixedSize` that says what ties the network to its size. Weights,
windows and pads stay. Always holds: pads are those that the file would mean at that size. SAME padding was turned into
numbers by the size that it met; they hold where each strided window meets a size that leaves the same remainder, and
other sizes are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

from sima_compiler.ir.graph import (
    BINARY_OPS,
    UNARY_OPS,
    Attributes,
    ConvAttributes,
    Graph,
    Node,
    Op,
    ShapeAttributes,
    TableAttributes,
    Tensor,
)
from sima_compiler.ir.verify_nodes import window_size

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FixedSize:
    """Why the network cannot be told for a size; ``others_may_do``: a size nearby may do, none is refused for good."""

    reason: str
    others_may_do: bool = False


class _Fixed(Exception):
    """Never leaves this module: `at_size` returns what it carries."""

    def __init__(self, reason: str, *, others_may_do: bool = False) -> None:
        super().__init__(reason)
        self.found = FixedSize(reason, others_may_do)


@dataclass(frozen=True, slots=True)
class InputSize:
    """Rows and columns of every input of a network of maps, and which axes (per sample) they are."""

    rows: int
    columns: int
    axes: Mapping[str, tuple[int, int]]


def input_size(graph: Graph) -> InputSize | FixedSize:
    """The rows and columns that the inputs share."""
    axes = {name: _spatial_axes(graph, name) for name in graph.inputs}
    unknown = [name for name, found in axes.items() if found is None]
    if unknown:
        return FixedSize(f"input {unknown[0]} is no map of rows and columns")
    known = {name: found for name, found in axes.items() if found is not None}
    sizes = {tuple(graph.tensors[name].shape[axis] for axis in known[name]) for name in known}
    if len(sizes) != 1:
        return FixedSize("its inputs have different rows and columns")
    ((rows, columns),) = sizes
    return InputSize(rows, columns, known)


def _spatial_axes(graph: Graph, name: str) -> tuple[int, int] | None:
    """(1, 2) of channels-first maps; behind a Transpose to channels first, where the two come from."""
    if len(graph.tensors[name].shape) != 3:
        return None
    readers = [node for node in graph.nodes if name in node.inputs]
    orders = {node.attributes.permutation for node in readers if isinstance(node.attributes, ShapeAttributes)
              and node.op is Op.TRANSPOSE}  # fmt: skip
    if len(orders) == 1 and all(node.op is Op.TRANSPOSE for node in readers):
        _, rows, columns = next(iter(orders))
        return rows, columns
    return 1, 2


def smaller(graph: Graph) -> tuple[Graph, InputSize, InputSize] | FixedSize:
    """The network at the largest size of at most half the rows and half the columns that its strides divide, with the
    size that it has and the one that it gets.
    """
    size = input_size(graph)
    if isinstance(size, FixedSize):
        return size
    rows = _largest(size.rows // 2, lambda rows: at_size(graph, size, rows, size.columns))
    if isinstance(rows, FixedSize):
        return rows
    columns = _largest(size.columns // 2, lambda columns: at_size(graph, size, rows[0], columns))
    if isinstance(columns, FixedSize):
        return columns
    return columns[1], size, replace(size, rows=rows[0], columns=columns[0])


def _largest(most: int, told: Callable[[int], Graph | FixedSize]) -> tuple[int, Graph] | FixedSize:
    first: FixedSize | None = None
    for size in range(most, 0, -1):
        found = told(size)
        if isinstance(found, Graph):
            return size, found
        first = first or found
        if not found.others_may_do:
            return found
    return first or FixedSize("it has one row or column")


def at_size(graph: Graph, size: InputSize, rows: int, columns: int) -> Graph | FixedSize:
    """The network for inputs of ``rows`` by ``columns``."""
    tensors = dict(graph.tensors)
    for name, (row_axis, column_axis) in size.axes.items():
        shape = list(tensors[name].shape)
        shape[row_axis], shape[column_axis] = rows, columns
        tensors[name] = replace(tensors[name], shape=tuple(shape))
    nodes: list[Node] = []
    try:
        for node in graph.nodes:
            shape, attributes = _retold(node, graph.tensors, tensors)
            tensors[node.output] = replace(tensors[node.output], shape=shape)
            nodes.append(replace(node, attributes=attributes))
    except _Fixed as fixed:
        return fixed.found
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def _retold(node: Node, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> tuple[Shape, Attributes]:
    """The shape of a node's result, and its attributes, which only index tables and pads of slices change."""
    old = [before[name].shape for name in node.inputs]
    new = [after[name].shape for name in node.inputs]
    if old == new:
        return before[node.output].shape, node.attributes
    result = before[node.output].shape
    attributes = node.attributes
    if node.op is Op.RESIZE_NEAREST and isinstance(attributes, ShapeAttributes):
        found = replace(
            attributes,
            rows=_repeated(node, attributes.rows, old[0][1], new[0][1]),
            columns=_repeated(node, attributes.columns, old[0][2], new[0][2]),
        )
        return (new[0][0], len(found.rows), len(found.columns)), found
    return _shape(node, old, new, result), attributes


def _shape(node: Node, old: list[Shape], new: list[Shape], result: Shape) -> Shape:
    match node.op:
        case Op.CONV | Op.MAX_POOL | Op.AVERAGE_POOL:
            return _window(node, old[0], new[0], result)
        case Op.GLOBAL_AVERAGE_POOL:
            return (new[0][0], 1, 1)
        case Op.GEMM | Op.REAL_GEMM:
            return _dense(node, old[0], new[0], result)
        case Op.CONCAT | Op.TRANSPOSE | Op.SLICE | Op.PAD:
            return _moved(node, old, new, result)
        case Op.RESHAPE:
            return _regrouped(node, old[0], new[0], result)
        case Op.TABLE:
            return _tables(node, old[0], new[0])
        case op if op in BINARY_OPS:
            return _together(node, new, result)
        case op if op in UNARY_OPS:
            return new[0]
        case _:
            raise _Fixed(f"{node.op} {node.source or node.name} is only known at its own size")


def _name(node: Node) -> str:
    return f"{node.op} {node.source or node.name}"


def _window(node: Node, old: Shape, new: Shape, result: Shape) -> Shape:
    found = node.attributes
    assert isinstance(found, ConvAttributes), "verified by the frontend"
    top, left, bottom, right = found.pads
    pads = (top + bottom, left + right)
    sizes: list[int] = []
    for axis in (0, 1):
        stride = found.strides[axis]
        if (old[axis + 1] - new[axis + 1]) % stride:
            raise _Fixed(f"the stride of {_name(node)} does not divide it", others_may_do=True)
        size = window_size(new[axis + 1], pads[axis], found.kernel[axis], stride, found.dilations[axis])
        if size < 1:
            raise _Fixed(f"the window of {_name(node)} is larger than its map would be")
        sizes.append(size)
    return (result[0], *sizes)


def _dense(node: Node, old: Shape, new: Shape, result: Shape) -> Shape:
    if old[-1] != new[-1]:
        raise _Fixed(f"{_name(node)} has weights for exactly {old[-1]:,} values, where {new[-1]:,} would come")
    return (*new[:-1], result[-1])


def _moved(node: Node, old: list[Shape], new: list[Shape], result: Shape) -> Shape:
    found = node.attributes
    assert isinstance(found, ShapeAttributes), "verified by the frontend"
    match node.op:
        case Op.CONCAT:
            _agree(node, [(*shape[: found.axis], *shape[found.axis + 1 :]) for shape in new])
            joined = sum(shape[found.axis] for shape in new)
            return (*new[0][: found.axis], joined, *new[0][found.axis + 1 :])
        case Op.TRANSPOSE:
            return tuple(new[0][axis] for axis in found.permutation)
        case Op.PAD:
            pads = zip(found.pads_before, new[0], found.pads_after, strict=True)
            return tuple(before + size + after for before, size, after in pads)
        case _:
            axes = zip(found.starts, found.steps, old[0], new[0], result, strict=True)
            return tuple(_sliced(node, *axis) for axis in axes)


def _agree(node: Node, shapes: list[Shape]) -> None:
    if len(set(shapes)) > 1:
        raise _Fixed(f"the maps that {_name(node)} joins would have different sizes", others_may_do=True)


def _sliced(node: Node, start: int, step: int, old: int, new: int, count: int) -> int:
    """A slice up to the end goes on to the new end; one that stops before is a crop of fixed places."""
    if old == new:
        return count
    if start + count * step < old:
        raise _Fixed(f"{_name(node)} cuts fixed places out of its map")
    if start >= new or (old - new) % step:
        raise _Fixed(f"{_name(node)} starts or steps past the end", others_may_do=True)
    return (new - start + step - 1) // step


def _regrouped(node: Node, old: Shape, new: Shape, result: Shape) -> Shape:
    """Runs of axes with equal products belong together; a run whose product changes must have become one axis."""
    sizes: list[int] = []
    for taken, made in _runs(old, result):
        longer = [at for at in made if result[at] > 1]
        if old[taken.start : taken.stop] == new[taken.start : taken.stop]:
            sizes += result[made.start : made.stop]
        elif len(longer) == 1:
            sizes += [prod(new[taken.start : taken.stop]) if at in longer else 1 for at in made]
        else:
            raise _Fixed(f"{_name(node)} states sizes that belong to this input")
    return tuple(sizes)


def _runs(old: Shape, result: Shape) -> list[tuple[range, range]]:
    """The shortest runs of axes of both shapes with equal products, in order; ones at the end have no partner."""
    runs: list[tuple[range, range]] = []
    left, right, one, other, taken, made = 0, 0, 0, 0, 1, 1
    while one < len(old) or other < len(result):
        if other == len(result) or (one < len(old) and taken <= made):
            taken, one = taken * old[one], one + 1
        else:
            made, other = made * result[other], other + 1
        if taken == made and one > left and other > right:
            runs.append((range(left, one), range(right, other)))
            left, right, taken, made = one, other, 1, 1
    return [*runs, (range(left, one), range(right, other))] if (one, other) != (left, right) else runs


def _tables(node: Node, old: Shape, new: Shape) -> Shape:
    found = node.attributes
    if isinstance(found, TableAttributes) and len(found.tables) > 1 and old[found.axis] != new[found.axis]:
        raise _Fixed(f"{_name(node)} has a function for each of {old[found.axis]:,} places")
    return new


def _together(node: Node, new: list[Shape], result: Shape) -> Shape:
    """Operands of equal sizes, or of size 1 where they are repeated; constants of more places are fixed."""
    shapes = new if node.constant is None else [*new, node.constant.values.shape]
    padded = [(1,) * (len(result) - len(shape)) + shape for shape in shapes]
    sizes = [sorted({*axis} - {1}) for axis in zip(*padded, strict=True)]
    if any(len(axis) > 1 for axis in sizes):
        if node.constant is not None:
            raise _Fixed(f"{_name(node)} has a constant of its map's own size")
        raise _Fixed(f"the maps that {_name(node)} takes would have different sizes", others_may_do=True)
    return tuple(axis[0] if axis else 1 for axis in sizes)


def _repeated(node: Node, table: tuple[int, ...], old: int, new: int) -> tuple[int, ...]:
    """An enlargement by a whole number goes on as it began; others place their rows by the ratio of two sizes."""
    if old == new:
        return table
    times = len(table) // old
    if len(table) != times * old or any(table[at + times] != table[at] + 1 for at in range(len(table) - times)):
        raise _Fixed(f"{_name(node)} does not enlarge by a whole number")
    return table[: new * times]
