"""Tensors of the file as arrays, and arrays as tensors.

In: a `TensorProto`, a sparse one, or a Constant node in any of its attribute forms. Out: an array that may not be
written to. Always: a tensor that contradicts itself (sizes, types, cut data) is a `ModelError` that names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from sima_compiler.errors import ModelError

#: Whatever a tensor of a file may hold; what it must be is checked where it matters.
Array = npt.NDArray[Any]

#: No constant may become larger: weights of real networks stay below it, a damaged or hostile shape does not.
LARGEST_CONSTANT = 2**30

#: Constant's attributes that hold one tensor, with the type of what they hold.
_SCALAR_FORMS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}


def decode(tensor: onnx.TensorProto, owner: str = "") -> Array:
    """The tensor's values; ``owner`` names it in messages (default: its own name).

    Raises:
        ModelError: an unknown type, negative or huge sizes, data that does not fill them or lies outside the file.
    """
    label = f"tensor {owner or tensor.name!r}"
    if tensor.data_location == TensorProto.EXTERNAL:
        raise ModelError(f"{label}: its data lies in another file, which was not loaded",
                         hint="give the model's path instead of the parsed model")  # fmt: skip
    check_size(label, tuple(tensor.dims), 1)
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError, UnicodeDecodeError) as error:
        sizes = " x ".join(map(str, tensor.dims)) or "one value"
        kind = type_name(tensor.data_type)
        raise ModelError(f"{label}: its data does not make {sizes} of {kind} ({error})",
                         hint="the file is damaged; export the model again") from error  # fmt: skip


class Constants(Mapping[str, Array]):
    """Initializers by name, each decoded when it is first asked for: most weights are never looked at here."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._tensors = {entry.name: entry for entry in graph.initializer}
        self._arrays: dict[str, Array] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays:
            self._arrays[name] = decode(self._tensors[name])
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def add(self, name: str, array: Array) -> str:
        """Append an initializer to the graph; ``name`` must be free."""
        self._graph.initializer.append(encode(array, name))
        self._tensors[name] = self._graph.initializer[-1]
        self._arrays[name] = array
        return name


def check_size(label: str, dims: tuple[int, ...], item_bytes: int) -> None:
    """Refuse negative sizes and results larger than `LARGEST_CONSTANT`.

    Raises:
        ModelError: names the sizes and the limit.
    """
    if any(size < 0 for size in dims):
        raise ModelError(f"{label}: sizes {dims} are negative", hint="the file is damaged; export the model again")
    total = prod(dims) * item_bytes
    if total > LARGEST_CONSTANT:
        raise ModelError(
            f"{label}: a constant of shape {dims} takes {total:,} bytes, the limit is {LARGEST_CONSTANT:,}",
            hint="let the network compute it from an input, or make it smaller",
        )


def type_name(number: int) -> str:
    """ONNX's name of an element type, also of one that it does not know."""
    names = {value: name for name, value in TensorProto.DataType.items() if value}
    return names.get(number, f"element type {number}, which ONNX does not define")


def encode(array: Array, name: str) -> onnx.TensorProto:
    """A tensor called ``name``."""
    return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)


def decode_sparse(sparse: onnx.SparseTensorProto, owner: str = "") -> Array:
    """A sparse tensor as a dense array.

    Raises:
        ModelError: its places do not lie inside its shape, or it is too large.
    """
    label = f"sparse tensor {owner or sparse.values.name!r}"
    dims = tuple(sparse.dims)
    values, places = decode(sparse.values, owner), decode(sparse.indices, owner)
    check_size(label, dims, values.dtype.itemsize)
    dense = np.zeros(prod(dims), values.dtype)
    if places.dtype != np.int64 or values.ndim != 1:
        raise ModelError(f"{label}: expected a list of values with int64 indices")
    try:
        linear = places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), dims)
        dense[linear] = values
    except (ValueError, IndexError, TypeError) as error:
        raise ModelError(f"{label}: its indices do not fit its shape {dims} ({error})") from error
    return dense.reshape(dims)


def constant_node(node: onnx.NodeProto) -> Array:
    """The value of a Constant node, in whichever attribute it stands.

    Raises:
        ModelError: it has no value, or more than one.
    """
    label = f"node {node.name!r} (Constant)"
    if len(node.attribute) != 1:
        raise ModelError(f"{label}: it has {len(node.attribute)} values, expected one")
    attribute = node.attribute[0]
    if attribute.name == "value" and attribute.type == onnx.AttributeProto.TENSOR:
        return decode(attribute.t, f"of {label}")
    if attribute.name == "sparse_value":
        return decode_sparse(attribute.sparse_tensor, f"of {label}")
    if attribute.name in _SCALAR_FORMS:
        return np.asarray(onnx.helper.get_attribute_value(attribute), _SCALAR_FORMS[attribute.name])
    if attribute.name in ("value_string", "value_strings"):
        return np.asarray(onnx.helper.get_attribute_value(attribute), np.object_)
    raise ModelError(f"{label}: attribute {attribute.name!r} holds no constant")
