"""Weights that lie in files beside the model.

In: a parsed model and its folder. Out: the same model with the data inside. Always: nothing outside the folder is read,
however the file asks for it: an absolute path, ``..``, a link that leads out, a device.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from onnx import TensorProto, external_data_helper

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.names import subgraphs

HINT = "keep the weights in files beside the model and name them by their file name alone"


def load_external_data(model: onnx.ModelProto, folder: Path, origin: str) -> None:
    """Read what ``model`` keeps in other files, in place; ``origin`` names the model in messages.

    Raises:
        ModelError: a file is missing, too short, or lies outside ``folder``.
    """
    for tensor in _external_tensors([model.graph, *model.functions]):
        places = {entry.key: entry.value for entry in tensor.external_data}
        label = f"{origin}: tensor {tensor.name!r}"
        _check_place(places.get("location", ""), folder, label)
        try:
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except (OSError, ValueError, OverflowError, RuntimeError, onnx.checker.ValidationError) as error:
            raise ModelError(f"{label}: its external data cannot be read: {error}", hint=HINT) from error


def _check_place(location: str, folder: Path, label: str) -> None:
    if not location or "\0" in location:
        raise ModelError(f"{label}: its external data has no file name", hint=HINT)
    inside = folder.resolve()
    try:
        target = (inside / location).resolve()
        regular = stat.S_ISREG(target.stat().st_mode)
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{label}: its external data {location!r} cannot be read: {error}", hint=HINT) from error
    if Path(location).is_absolute() or ".." in Path(location.replace("\\", "/")).parts:
        raise ModelError(f"{label}: its external data {location!r} lies outside the model's folder", hint=HINT)
    if not target.is_relative_to(inside):
        raise ModelError(f"{label}: its external data {location!r} leads out of the model's folder", hint=HINT)
    if not regular:
        raise ModelError(f"{label}: its external data {location!r} is no regular file", hint=HINT)


def _external_tensors(graphs: Iterable[onnx.GraphProto | onnx.FunctionProto]) -> Iterator[onnx.TensorProto]:
    for graph in graphs:
        tensors = list(_attribute_tensors(graph.node))
        if isinstance(graph, onnx.GraphProto):
            tensors += graph.initializer
            tensors += [part for entry in graph.sparse_initializer for part in (entry.values, entry.indices)]
        yield from (tensor for tensor in tensors if tensor.data_location == TensorProto.EXTERNAL)
        for node in graph.node:
            yield from _external_tensors(subgraphs(node))


def _attribute_tensors(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors) if attribute.type != onnx.AttributeProto.GRAPH else ()
