"""A file for another input size: what an exporter would write for it, where no node states a size."""

from __future__ import annotations

import onnx


def at_input_size(model: onnx.ModelProto, rows: int, columns: int) -> onnx.ModelProto:
    """The file with other rows and columns at its inputs; what it says of inner sizes is forgotten."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    del found.graph.value_info[:]
    for entry in found.graph.input:
        sizes = entry.type.tensor_type.shape.dim
        sizes[2].dim_value, sizes[3].dim_value = rows, columns
    for entry in found.graph.output:
        for size in list(entry.type.tensor_type.shape.dim)[1:]:
            size.Clear()
    return found
