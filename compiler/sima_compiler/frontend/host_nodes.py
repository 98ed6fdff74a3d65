"""A node of the file as the A65 has it: ONNX's spelling of one operator set, and constants that know the batch.

In: a node and what its constant inputs are. Out: a `HostNode`, or several, with their constants by name. Always: the
node's meaning in the file; a size that the file writes as its own batch becomes the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sima_compiler.frontend.functions import real_constant
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.values import BATCHES, Constant, QuantizedConstant, ShapeVector
from sima_compiler.ir.host import Array, AttributeValue, Dtype, HostNode
from sima_compiler.ir.network import BatchArray

HostConstant = Array | BatchArray
#: Operators whose sizes are an input, by its place.
SIZED = {"Reshape": 1, "Expand": 1}
#: Recurrent operators: the places of their first states, (directions, batch, hidden).
STATES = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}
#: Reductions that had their axes as an attribute before operator set 18.
REDUCTIONS = frozenset(
    {"ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp",
     "ReduceLogSum", "ReduceSum"}
)  # fmt: skip
DTYPES = frozenset(dtype.value for dtype in Dtype)


@dataclass(frozen=True, slots=True)
class HostForm:
    """Nodes that together are one of the file's, and constants that they read."""

    nodes: tuple[HostNode, ...]
    constants: Mapping[str, HostConstant]


def host_form(
    node: SourceNode, given: Mapping[str, Constant | ShapeVector | QuantizedConstant], *, batch: int, batched: bool
) -> HostForm:
    """``node`` with its constant inputs ``given`` by name.

    ``batch`` is what the file writes as its batch (0: nothing); ``batched``: the first dimension of the node's first
    input is the batch.

    Raises:
        UnsupportedError: an attribute or a constant of a kind that the A65 has not.
    """
    constants = {name: _constant(node, value) for name, value in given.items()}
    attributes = {name: _attribute(node, name, value) for name, value in node.attributes.items()}
    found = HostForm((HostNode(node.operator, node.inputs, node.outputs, attributes, node.name),), constants)
    found = _axes_as_input(node, found)
    found = _counted_parts(found)
    found = _batch_in_sizes(found, batch) if batched and batch else found
    return _states_of_all_samples(found, batch)


def _constant(node: SourceNode, value: Constant | ShapeVector | QuantizedConstant) -> HostConstant:
    if isinstance(value, ShapeVector):
        return _batch_array(node, value)
    array = real_constant(value) if isinstance(value, QuantizedConstant) else np.asarray(value.array)
    if array.dtype.name not in DTYPES:
        raise node.unsupported(f"it has a constant of type {array.dtype}")
    return np.ascontiguousarray(array)


def _batch_array(node: SourceNode, value: ShapeVector) -> BatchArray:
    """Numbers that grow evenly with the batch."""
    first, second, third = (np.asarray(array, np.int64) for array in value.values)
    if first.shape == second.shape == third.shape:
        slope = (second - first) // (BATCHES[1] - BATCHES[0])
        found = BatchArray(np.asarray(first - slope * BATCHES[0]), np.asarray(slope))
        if all(np.array_equal(found.at(batch), array) for batch, array in zip(BATCHES, value.values, strict=True)):
            return found
    raise node.unsupported("it reads a size that does not grow evenly with the batch")


def _attribute(node: SourceNode, name: str, value: Any) -> AttributeValue:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        entries = [entry.decode("utf-8", "replace") if isinstance(entry, bytes) else entry for entry in value]
        if all(isinstance(entry, int | float | str) for entry in entries):
            return tuple(entries)
    raise node.unsupported(f"its attribute {name!r} is a {type(value).__name__}")


def _axes_as_input(node: SourceNode, found: HostForm) -> HostForm:
    """Before: ReduceMax of axes [2]. After: ReduceMax with a second input that holds them."""
    (own,) = found.nodes
    axes = node.integers("axes")
    if own.op not in REDUCTIONS or axes is None or len(own.inputs) > 1:
        return found
    label = f"{own.outputs[0]}/axes"
    rest = {name: value for name, value in own.attributes.items() if name != "axes"}
    changed = replace(own, inputs=(*own.inputs, label), attributes=rest)
    return HostForm((changed,), {**found.constants, label: np.array(axes, np.int64)})


def _counted_parts(found: HostForm) -> HostForm:
    """A Split without sizes says since operator set 18 how many parts it makes."""
    (own,) = found.nodes
    if own.op != "Split" or "num_outputs" in own.attributes or (len(own.inputs) > 1 and own.inputs[1]):
        return found
    return replace(found, nodes=(replace(own, attributes={**own.attributes, "num_outputs": len(own.outputs)}),))


def _batch_in_sizes(found: HostForm, batch: int) -> HostForm:
    """Sizes whose first is the batch that the file writes."""
    (own,) = found.nodes
    place = SIZED.get(own.op)
    label = own.inputs[place] if place is not None and place < len(own.inputs) else ""
    sizes = found.constants.get(label)
    if not isinstance(sizes, np.ndarray) or sizes.size == 0 or int(sizes.reshape(-1)[0]) != batch:
        return found
    base, slope = sizes.astype(np.int64), np.zeros(sizes.shape, np.int64)
    base[0], slope[0] = 0, 1
    own_label = f"{own.outputs[0]}/sizes"
    inputs = tuple(own_label if at == place else name for at, name in enumerate(own.inputs))
    constants = {name: value for name, value in found.constants.items() if name != label}
    return HostForm((replace(own, inputs=inputs),), {**constants, own_label: BatchArray(base, slope)})


def _states_of_all_samples(found: HostForm, batch: int) -> HostForm:
    """First states that the file writes for its own batch: none where they are zero, else the same for every sample."""
    (own,) = found.nodes
    for place in STATES.get(own.op, ()):
        label = own.inputs[place] if place < len(own.inputs) else ""
        state = found.constants.get(label)
        if not isinstance(state, np.ndarray) or batch < 1 or state.ndim != 3 or state.shape[1] != batch:
            continue
        *_, last = found.nodes
        spread = "" if not state.any() else f"{own.outputs[0] or own.outputs[-1]}/state_{place}"
        inputs = tuple(spread if at == place else name for at, name in enumerate(last.inputs))
        nodes = (*found.nodes[:-1], replace(last, inputs=inputs))
        constants = {name: value for name, value in found.constants.items() if name != label}
        if spread:
            sizes = np.array(state.shape, np.int64) * [1, 0, 1]
            constants |= {f"{spread}/first": state[:, :1], f"{spread}/sizes": BatchArray(sizes, np.array([0, 1, 0]))}
            nodes = (HostNode("Expand", (f"{spread}/first", f"{spread}/sizes"), (spread,), {}, own.source), *nodes)
        found = HostForm(nodes, constants)
    return found
