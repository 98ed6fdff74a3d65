"""A host segment: the part of a network that the Cortex-A65 runs, as operators of ONNX on tensors of fixed shapes.

Nodes have the spelling of ONNX's default domain at `OPSET`: the same operands in the same places (``""`` where an
optional one is left out), the same attributes. What determines a shape (axes, starts, sizes, targets) is a constant.
Shapes cover the whole actual batch. Tensors between nodes carry no record: `ir.verify_host.infer` gives their shapes.

Two operators differ, so that every shape is fixed: NonMaxSuppression has exactly `most_boxes` rows, those behind the
last selected box filled with -1; and RMSNormalization, younger than `OPSET`, has the meaning of opset 23. Their form in
ONNX is written out (`a65.onnx_form`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

#: The version of ONNX's default domain whose operators host nodes are.
OPSET = 20

#: Axes of a tensor at most: the C kernels keep their counters in arrays of this length.
MOST_AXES = 8

#: Values of attributes: ONNX's INT, FLOAT, STRING and their lists.
AttributeValue = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
Array = npt.NDArray[Any]


class Dtype(StrEnum):
    """Types of values, by numpy's names."""

    FLOAT32 = "float32"
    INT64 = "int64"
    INT32 = "int32"
    BOOL = "bool"
    UINT8 = "uint8"
    INT8 = "int8"

    @property
    def numpy(self) -> np.dtype[Any]:
        """The same for numpy; bytes in memory are little-endian everywhere."""
        return np.dtype(self.value)

    @property
    def bytes(self) -> int:
        """Bytes of one value."""
        return self.numpy.itemsize


@dataclass(frozen=True, slots=True)
class HostTensor:
    """One value that enters, leaves or is handed on; ``shape`` covers the whole batch, () is a scalar."""

    name: str
    shape: tuple[int, ...]
    dtype: Dtype

    @property
    def size(self) -> int:
        """How many values."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of all values."""
        return self.size * self.dtype.bytes


@dataclass(frozen=True, slots=True)
class HostNode:
    """One operator. ``inputs`` and ``outputs`` name tensors, ``""`` one that is left out.

    ``source`` is the node's name in the model file, for people.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict[str, AttributeValue])
    source: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class HostSegment:
    """Nodes in the order of execution. ``constants`` are arrays of the types of `Dtype`, by name; they are not inputs.

    Two segments are equal if their bytes are (`ir.host_bytes`).
    """

    name: str
    inputs: tuple[HostTensor, ...]
    outputs: tuple[HostTensor, ...]
    nodes: tuple[HostNode, ...]
    constants: Mapping[str, Array]


def constant_tensor(name: str, value: Array) -> HostTensor:
    """What a constant is.

    Raises:
        ValueError: its type is none of `Dtype`.
    """
    return HostTensor(name, tuple(value.shape), Dtype(value.dtype.name))
