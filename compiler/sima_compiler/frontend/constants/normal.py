"""The pass before reading: whatever the file looks like, what comes out has one spelling.

In: any ONNX model. Out: a copy without model-local functions, whose nodes stand in structural order under names of
their own and all reach an output, whose constants are initializers (or DequantizeLinear of initializers), and whose
real numbers are float32. Always: the same function of the inputs; a file that contradicts itself is a `ModelError`.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, inliner

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.floats import as_float32
from sima_compiler.frontend.constants.folding import fold_constants
from sima_compiler.frontend.constants.names import Names, check_text
from sima_compiler.frontend.constants.ordering import ordered_nodes
from sima_compiler.frontend.constants.tensors import type_name
from sima_compiler.frontend.constants.wellformed import check_nodes
from sima_compiler.frontend.loading import default_opset

#: What an input may hold, as far as this pass goes; the reader and calibration are stricter.
NUMBERS = frozenset(TensorProto.DataType.values()) - {
    TensorProto.UNDEFINED,
    TensorProto.STRING,
    TensorProto.COMPLEX64,
    TensorProto.COMPLEX128,
}


def normalized(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in one spelling, as a copy.

    Raises:
        ModelError: a value written twice or by nobody, a cycle, a damaged or oversized constant, a name that is not
            text.
        UnsupportedError: a constant that can be computed neither by onnxruntime nor by onnx.
    """
    check_text(model)
    source = without_functions(model)
    _check_inputs(source.graph)
    nodes = ordered_nodes(source.graph)
    check_nodes(nodes, default_opset(source))
    result = _empty_copy(source)
    fold_constants(source, nodes, result.graph, Names.of(source))
    as_float32(result.graph)
    return result


def without_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with calls of its own functions replaced by their bodies; the same object when it has none.

    Raises:
        ModelError: a function that calls itself, or that onnx cannot inline.
    """
    if not model.functions:
        return model
    try:
        return inliner.inline_local_functions(model)
    except (RuntimeError, ValueError, TypeError, onnx.checker.ValidationError) as error:
        raise ModelError(f"the model's own functions cannot be inlined: {error}") from error


def _check_inputs(graph: onnx.GraphProto) -> None:
    constants = {entry.name for entry in graph.initializer}
    for entry in graph.input:
        kind = entry.type.tensor_type.elem_type
        if entry.name not in constants and kind not in NUMBERS:
            raise ModelError(
                f"input {entry.name!r} is no tensor of numbers: {type_name(kind)}",
                hint="the file is damaged, or takes texts or sequences, which this compiler does not",
            )


def _empty_copy(model: onnx.ModelProto) -> onnx.ModelProto:
    """All but nodes, constants and inputs."""
    result = onnx.ModelProto(ir_version=max(model.ir_version, 7), producer_name=model.producer_name)
    result.opset_import.extend(model.opset_import)
    result.metadata_props.extend(model.metadata_props)
    result.graph.name = model.graph.name
    result.graph.output.extend(model.graph.output)
    return result
