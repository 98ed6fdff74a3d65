"""MatMul and Einsum: products of an activation with a constant matrix, or of two activations.

In: nodes on activations. Out: a pending product, behind and in front of movements that bring its axes into place.

::

    before: Einsum "bhid,bhjd->bhij"      after: Transpose of the second operand, product
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from sima_compiler.frontend import rules, weighted
from sima_compiler.frontend.left_products import left_product
from sima_compiler.frontend.moves import move
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.selection import picked_along
from sima_compiler.frontend.values import Activation, Constant, Pending, QuantizedConstant, Value
from sima_compiler.ir.graph import Op, RowAttributes, ShapeAttributes

Shape = tuple[int, ...]


def convert_matmul(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """MatMul: with a constant matrix on either side, or of two activations."""
    if isinstance(reader.value(node, 0), Constant | QuantizedConstant):
        return [left_product(node, reader)]
    if isinstance(reader.value(node, 1), Constant | QuantizedConstant):
        return weighted.convert_matmul(node, reader)
    left, right = reader.settled(node, 0), reader.settled(node, 1)
    found = f"its sides have shapes {left.shape} and {right.shape} per sample"
    rules.MATMUL_SIDES.check(node, found, len(left.shape) == len(right.shape) > 1)
    if left.shape[-1] != right.shape[-2]:
        raise node.invalid(found)
    front = left.shape[:-2], right.shape[:-2]
    if front[0] != front[1] and prod(front[1]) == 1:
        return [_by_one_matrix(node, reader, left, right)]
    fits = all(1 in (one, other) or one == other for one, other in zip(*front, strict=True))
    rules.MATMUL_SIDES.check(node, found, fits)
    spread = tuple(max(one, other) for one, other in zip(*front, strict=True))
    left, right = (_spread(node, reader, value, spread, place) for place, value in enumerate((left, right)))
    shape = (*spread, left.shape[-2], right.shape[-1])
    return [Pending(Op.MATMUL, node.name, (left, right), shape)]


def _by_one_matrix(node: SourceNode, reader: Reader, left: Activation, right: Activation) -> Value:
    """Many matrices on the left are one with more rows where they all meet the same matrix."""
    rows, inner, outputs = prod(left.shape[:-1]), left.shape[-1], right.shape[-1]
    sides = (_moved(node, reader, left, (rows, inner), 0), _moved(node, reader, right, (inner, outputs), 1))
    pending = Pending(Op.MATMUL, node.name, sides, (rows, outputs))
    return _shaped(node, pending, (*left.shape[:-1], outputs))


def _spread(node: SourceNode, reader: Reader, value: Activation, front: Shape, place: int) -> Activation:
    """An operand whose axes of length 1 in front became as long as the other's."""
    spread: Value = value
    for axis, size in enumerate(front):
        if value.shape[axis] != size:
            spread = picked_along(node, reader, spread, axis, (0,) * size)
    return value if spread is value else _settled(node, reader, spread, value, f"{node.name}_spread_{place}")


def convert_einsum(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Einsum of two activations that is a matrix product, its axes in any order; of one, which sums and turns axes."""
    equation = node.text("equation", "").replace(" ", "")
    if "," not in equation:
        return [_summed(node, reader, equation)]
    terms = _terms(node, equation)
    left, right = reader.settled(node, 0), reader.settled(node, 1)
    shapes = (left.shape, right.shape)
    if any(len(term) != len(shape) + 1 for term, shape in zip(terms, shapes, strict=False)):
        raise node.invalid(f"equation {equation!r} does not fit inputs of shapes {shapes} per sample")
    one, other, result = (term[1:] for term in terms)
    sizes = dict(zip(other, right.shape, strict=True)) | dict(zip(one, left.shape, strict=True))
    shared = "".join(letter for letter in one if letter in other and letter in result)
    summed = "".join(letter for letter in one if letter in other and letter not in result)
    rows = "".join(letter for letter in one if letter not in other)
    outputs = "".join(letter for letter in other if letter not in one)
    found = f"equation {equation!r} is no matrix product"
    rules.EINSUM_PRODUCT.check(node, found, bool(summed) and set(result) == {*shared, *rows, *outputs})
    front = tuple(sizes[letter] for letter in shared)
    height, inner, width = (prod(sizes[letter] for letter in letters) for letters in (rows, summed, outputs))
    sides = (
        _moved(node, reader, left, (*front, height, inner), 0, _order(one, shared + rows + summed)),
        _moved(node, reader, right, (*front, inner, width), 1, _order(other, shared + summed + outputs)),
    )
    product = Pending(Op.EINSUM, node.name, sides, (*front, height, width))
    letters = shared + rows + outputs
    shaped = _shaped(node, product, tuple(sizes[letter] for letter in letters))
    return [_turned(node, shaped, _order(letters, result))]


def _summed(node: SourceNode, reader: Reader, equation: str) -> Value:
    """Einsum of one activation: sums over the letters that the result has not, the others in any order."""
    given, arrow, result = equation.partition("->")
    plain = arrow and all(part.isalpha() and len(set(part)) == len(part) for part in (given, result))
    found = f"equation {equation!r} takes the diagonal, or leaves axes open"
    rules.EINSUM_PRODUCT.check(node, found, bool(plain) and set(result) <= set(given))
    rules.BATCH_FIRST.check(node, f"equation {equation!r} moves the batch", given[:1] == result[:1])
    shape = reader.shape(node)
    if len(given) != len(shape) + 1:
        raise node.invalid(f"equation {equation!r} does not fit an input of shape {shape} per sample")
    one, kept = given[1:], "".join(letter for letter in given[1:] if letter in result)
    value: Value = reader.activation(node)
    if kept != one:
        gone = tuple(axis for axis, letter in enumerate(one) if letter not in kept)
        left = tuple(shape[one.index(letter)] for letter in kept)
        value = Pending(Op.REDUCE_SUM, node.name, (reader.settled(node),), left, RowAttributes(gone))
    if kept == result[1:]:
        return value
    order = _order(kept, result[1:])
    attributes = ShapeAttributes(permutation=order)
    turned = tuple(shape[one.index(letter)] for letter in result[1:])
    return move(node, reader, Op.TRANSPOSE, turned, attributes, source=value, suffix="turned")


def _terms(node: SourceNode, equation: str) -> tuple[str, str, str]:
    """Both operands' and the result's letters, each beginning with the batch's."""
    inputs, arrow, result = equation.partition("->")
    parts = inputs.split(",")
    plain = (
        arrow and len(parts) == 2 and all(part.isalpha() and len(set(part)) == len(part) for part in (*parts, result))
    )
    rules.EINSUM_PRODUCT.check(node, f"equation {equation!r} is no matrix product of two operands", bool(plain))
    firsts = {part[:1] for part in (*parts, result)}
    rules.BATCH_FIRST.check(node, f"equation {equation!r} moves the batch", len(firsts) == 1)
    return parts[0], parts[1], result


def _order(source: str, target: str) -> Shape:
    return tuple(source.index(letter) for letter in target)


def _moved(
    node: SourceNode, reader: Reader, value: Activation, shape: Shape, place: int, order: Shape | None = None
) -> Activation:
    """An operand with its axes in ``order``, then of that shape."""
    result: Value = value
    if order is not None and order != tuple(range(len(order))):
        turned = tuple(value.shape[axis] for axis in order)
        result = move(node, reader, Op.TRANSPOSE, turned, ShapeAttributes(permutation=order), source=result,
                      suffix=f"turned_{place}")  # fmt: skip
    current = result.shape if isinstance(result, Activation | Pending) else shape
    if current != shape:
        result = move(node, reader, Op.RESHAPE, shape, source=result, suffix=f"shaped_{place}")
    return value if result is value else _settled(node, reader, result, value, f"{node.name}_operand_{place}")


def _settled(node: SourceNode, reader: Reader, value: Value, source: Activation, name: str) -> Activation:
    """A moved operand as a tensor, as direct as ``source``: onnxruntime multiplies without moving."""
    return replace(reader.builder.settled(value, name, node), direct=source.direct)


def _shaped(node: SourceNode, value: Pending, shape: Shape) -> Pending:
    if shape == value.shape:
        return value
    return Pending(Op.RESHAPE, f"{node.name}_shaped", (value,), shape, transparent=True, name=node.outputs[0])


def _turned(node: SourceNode, value: Pending, order: Shape) -> Pending:
    if order == tuple(range(len(order))):
        return value
    shape = tuple(value.shape[axis] for axis in order)
    attributes = ShapeAttributes(permutation=order)
    name = node.outputs[0]
    return Pending(Op.TRANSPOSE, f"{node.name}_turned", (value,), shape, attributes, transparent=True, name=name)
