"""Shapes, types and names of a host segment.

In: a `HostSegment`. Out: what every tensor in it is. Always: a segment that passes runs in all its forms.
"""

from __future__ import annotations

from collections.abc import Mapping

from sima_compiler.errors import HostError
from sima_compiler.ir.host import MOST_AXES, HostNode, HostSegment, HostTensor, constant_tensor
from sima_compiler.ir.host_rules.table import HOST_RULES
from sima_compiler.ir.host_rules.use import Use, Value


def infer(segment: HostSegment) -> dict[str, HostTensor]:
    """Every tensor of the segment by its name: inputs, constants and results of nodes.

    Raises:
        HostError: an operator is unknown or its rule is broken, a name is made twice or read before it is made, or an
            output is not what the segment promises.
    """
    values = _given(segment)
    for node in segment.nodes:
        for name, value in zip(node.outputs, results(node, values), strict=False):
            if name and name in values:
                raise HostError(f"{segment.name}: tensor {name!r} is made twice")
            if name:
                values[name] = value
    tensors = {name: HostTensor(name, value.shape, value.dtype) for name, value in values.items()}
    for tensor in tensors.values():
        if len(tensor.shape) > MOST_AXES:
            raise HostError(f"{segment.name}: {tensor} has {len(tensor.shape)} axes, where {MOST_AXES} are taken")
    for tensor in segment.outputs:
        if tensors.get(tensor.name) != tensor:
            raise HostError(f"{segment.name}: output {tensor} is {tensors.get(tensor.name, 'never made')}")
    if not segment.outputs:
        raise HostError(f"{segment.name}: no output")
    return tensors


def results(node: HostNode, values: Mapping[str, Value]) -> tuple[Value, ...]:
    """What one node gives, by what its operands are.

    Raises:
        HostError: with the sentence of the rule that it breaks.
    """
    use = used(node, values)
    found = HOST_RULES[node.op].infer(use)
    use.require(len(node.outputs) <= len(found), f"{len(node.outputs)} results of {len(found)}")
    return found


def used(node: HostNode, values: Mapping[str, Value]) -> Use:
    """The node with its operands.

    Raises:
        HostError: the operator is unknown, or an operand was never made.
    """
    if node.op not in HOST_RULES:
        raise HostError(f"{node.op} {node.source!r} is no operator of host segments", hint="`HOST_RULES` lists them")
    missing = [name for name in node.inputs if name and name not in values]
    if missing:
        raise HostError(
            f"{node.op} {node.source!r} reads {', '.join(map(repr, missing))}, which nothing made before it"
        )
    return Use(node, tuple(values[name] if name else None for name in node.inputs))


def known_values(segment: HostSegment) -> dict[str, Value]:
    """All tensors as the rules see them, constants with their values.

    Raises:
        HostError: as `infer`.
    """
    tensors = infer(segment)
    return {n: Value(t.shape, t.dtype, segment.constants.get(n)) for n, t in tensors.items()}


def _given(segment: HostSegment) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for tensor in segment.inputs:
        if not tensor.name or tensor.name in values or tensor.name in segment.constants:
            raise HostError(f"{segment.name}: input {tensor.name!r} is unnamed or named twice")
        values[tensor.name] = Value(tensor.shape, tensor.dtype)
    for name, array in segment.constants.items():
        try:
            tensor = constant_tensor(name, array)
        except ValueError as error:
            raise HostError(f"{segment.name}: constant {name!r}: {error}") from error
        values[name] = Value(tensor.shape, tensor.dtype, array)
    return values
