"""Runs a host segment in numpy, node by node.

In: a `HostSegment` and its inputs by name. Out: its outputs by name. Always: the same bits as the segment's C, on any
machine: see `sim.host.functions` for what float32 functions are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sima_compiler.errors import HostError, InputError
from sima_compiler.ir.host import Array, HostNode, HostSegment, HostTensor
from sima_compiler.ir.host_rules.use import Value
from sima_compiler.ir.verify_host import known_values, used
from sima_compiler.sim.host.table import KERNELS


def run(segment: HostSegment, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, Array]:
    """The segment's outputs, of exactly the shapes and types that it promises.

    Raises:
        HostError: the segment is not sound. InputError: an input is missing or of another shape or type.
    """
    values = known_values(segment)
    arrays = {tensor.name: _checked(segment, tensor, inputs) for tensor in segment.inputs} | dict(segment.constants)
    last = _last_uses(segment)
    # Overflow, NaN and division by zero are values here as they are in C, not something to warn about.
    with np.errstate(all="ignore"):
        for place, node in enumerate(segment.nodes):
            arrays |= _results(node, values, arrays)
            for name in node.inputs:
                if name and last[name] == place:
                    arrays.pop(name, None)
    return {tensor.name: arrays[tensor.name] for tensor in segment.outputs}


def _results(node: HostNode, values: Mapping[str, Value], arrays: Mapping[str, Array]) -> dict[str, Array]:
    found = KERNELS[node.op](used(node, values), tuple(arrays[name] if name else None for name in node.inputs))
    results = found if isinstance(found, tuple) else (found,)
    named = {name: np.asarray(array) for name, array in zip(node.outputs, results, strict=False) if name}
    for name, array in named.items():
        if (array.shape, array.dtype) != (values[name].shape, values[name].dtype.numpy):
            raise HostError(f"{node.op}: made {array.dtype} {array.shape}, not {values[name]}")
    return named


def _checked(segment: HostSegment, tensor: HostTensor, inputs: Mapping[str, npt.NDArray[Any]]) -> Array:
    if tensor.name not in inputs:
        raise InputError(f"{segment.name}: input {tensor.name!r} is missing", hint=f"give {tensor}")
    found = np.ascontiguousarray(inputs[tensor.name]).reshape(np.shape(inputs[tensor.name]))
    if found.shape != tensor.shape or found.dtype != tensor.dtype.numpy:
        raise InputError(f"{segment.name}: input {tensor.name!r} is {found.dtype} {found.shape}, not {tensor}")
    return found


def _last_uses(segment: HostSegment) -> dict[str, int]:
    """Tensor -> the last node that reads it; outputs and inputs stay."""
    last = {name: place for place, node in enumerate(segment.nodes) for name in node.inputs}
    return last | {tensor.name: len(segment.nodes) for tensor in segment.outputs}
