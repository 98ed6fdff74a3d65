"""A host segment whose maps lie as the EV74 hands them over: channels last.

Before: an input (N, C, H, W), as the source has it. After: an input (N, H, W, C) and a Transpose in front of whoever
reads it; likewise behind what goes to the MLA. Always: the same values; maps in the source's order stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sima_compiler.ir.host import HostNode, HostSegment, HostTensor

#: What is appended to the name of a map in the source's order where the stored one has its own name.
SOURCE_ORDER = "/source_order"


def in_storage_order(
    segment: HostSegment, given: Mapping[str, Sequence[int]], wanted: Mapping[str, Sequence[int]]
) -> HostSegment:
    """The segment; of tensors that it is ``given`` and that are ``wanted`` of it: the source's axes behind the batch in
    the order in which they are stored.
    """
    inputs = {tensor.name for tensor in segment.inputs} & _turned(given).keys()
    outputs = {tensor.name for tensor in segment.outputs} & _turned(wanted).keys()
    turned = {name: _turned(given)[name] for name in inputs} | {name: _turned(wanted)[name] for name in outputs}
    called = {name: f"{name}{SOURCE_ORDER}" for name in inputs | outputs}
    return replace(
        segment,
        inputs=tuple(_stored(tensor, turned) if tensor.name in inputs else tensor for tensor in segment.inputs),
        outputs=tuple(_stored(tensor, turned) if tensor.name in outputs else tensor for tensor in segment.outputs),
        nodes=(
            *(_to_source(name, turned[name], called[name]) for name in sorted(inputs)),
            *(_renamed(node, called) for node in segment.nodes),
            *(_to_storage(called[name], turned[name], name) for name in sorted(outputs)),
        ),
    )


def _turned(orders: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(order) for name, order in orders.items() if tuple(order) != tuple(range(len(order)))}


def _stored(tensor: HostTensor, orders: Mapping[str, tuple[int, ...]]) -> HostTensor:
    batch, *sizes = tensor.shape
    return replace(tensor, shape=(batch, *(sizes[axis] for axis in orders[tensor.name])))


def _renamed(node: HostNode, called: Mapping[str, str]) -> HostNode:
    inputs, outputs = (tuple(called.get(name, name) for name in names) for names in (node.inputs, node.outputs))
    return replace(node, inputs=inputs, outputs=outputs)


def _to_source(name: str, order: tuple[int, ...], result: str) -> HostNode:
    back = tuple(1 + order.index(axis) for axis in range(len(order)))
    return HostNode("Transpose", (name,), (result,), {"perm": (0, *back)}, name)


def _to_storage(name: str, order: tuple[int, ...], result: str) -> HostNode:
    return HostNode("Transpose", (name,), (result,), {"perm": (0, *(axis + 1 for axis in order))}, result)
