"""A float model made ready for quantization.

In: a float ONNX model as exporters write it. Out: the same function at opset 13 or newer with constants folded, batch
normalization folded into convolutions, and a two-input Sum written as Add. Always: input and output names stay.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
from onnx import version_converter

from sima_compiler.errors import ModelError
from sima_compiler.frontend.loading import default_opset

#: Oldest operator set whose DequantizeLinear knows scales per channel.
MINIMUM_OPSET = 13


def prepare_float(model: onnx.ModelProto) -> onnx.ModelProto:
    """The prepared copy.

    Raises:
        ModelError: the model cannot be brought to opset 13, or onnxruntime cannot load it.
    """
    result = _with_opset(_without_constant_inputs(model))
    result = _optimized(result)
    for node in result.graph.node:
        if node.op_type == "Sum" and len(node.input) == 2:
            node.op_type = "Add"
    return result


def _without_constant_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Initializers that old files repeat among the inputs are constants."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {entry.name for entry in model.graph.initializer}
    kept = [entry for entry in model.graph.input if entry.name not in constants]
    del result.graph.input[:]
    result.graph.input.extend(kept)
    result.ir_version = max(result.ir_version, 7)
    return result


def _with_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    if default_opset(model) >= MINIMUM_OPSET:
        return model
    try:
        return version_converter.convert_version(model, MINIMUM_OPSET)
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"the model's operator set {default_opset(model)} cannot be converted to {MINIMUM_OPSET}: {error}",
            hint="export it with opset 13 or newer",
        ) from error


def _optimized(model: onnx.ModelProto) -> onnx.ModelProto:
    """onnxruntime's basic optimizations: constants folded, batch normalization folded into convolutions."""
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="sima-prepare-") as folder:
        path = Path(folder) / "optimized.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common public base
            raise ModelError(f"onnxruntime refuses the model: {error}") from error
        return onnx.load(path)
