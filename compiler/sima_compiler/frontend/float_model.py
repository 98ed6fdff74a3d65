"""A float model made ready for quantization.

In: a float ONNX model as exporters write it, float16 and double too. Out: the same function in float32 at opset 13 or
newer with constants folded, batch normalization folded into convolutions, and the forms of `float_forms`. Always: input
and output names stay.
"""

from __future__ import annotations

import onnx

from sima_compiler.errors import ModelError
from sima_compiler.files.scratch import scratch_folder
from sima_compiler.frontend.canonical import with_minimum_opset
from sima_compiler.frontend.constants.checks import refuse_bad_numbers
from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.normal import normalized
from sima_compiler.frontend.constants.ordering import arrange
from sima_compiler.frontend.constants.parameters import state_parameters
from sima_compiler.frontend.float_forms import with_plain_forms
from sima_compiler.frontend.group_norms import group_norms_as_instances
from sima_compiler.frontend.normalization import fold_normalizations
from sima_compiler.frontend.work import inferred_shapes
from sima_compiler.frontend.written_norms import with_whole_norms

#: Rewrites into operators that the compiler does not have: four strided slices become SpaceToDepth.
UNWANTED = ["SliceConcatToSpaceToDepthFusion"]
#: Rewrites a product of sequences and its bias as a Gemm of all rows of all samples, where the batch is a number.
MIXES_BATCH = ["MatMulAddFusion"]


def prepare_float(model: onnx.ModelProto) -> onnx.ModelProto:
    """The prepared copy.

    Raises:
        ModelError: the model cannot be brought to opset 13, or onnxruntime cannot load it.
    """
    result = normalized(model)
    refuse_bad_numbers(result.graph)
    result = with_minimum_opset(result)
    state_parameters(result, Names.of(result))
    group_norms_as_instances(result, Names.of(result))  # onnxruntime would write it out as its definition
    result = _optimized(result)
    result = with_whole_norms(result)
    names = Names.of(result)
    with_plain_forms(result, names)
    fold_normalizations(result, names)
    arrange(result.graph)
    return result


def _optimized(model: onnx.ModelProto) -> onnx.ModelProto:
    """What onnxruntime calls basic optimizations: constants folded, batch normalization folded into convolutions."""
    import onnxruntime

    with scratch_folder("prepare") as folder:
        path = folder / "optimized.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"],
                disabled_optimizers=[*UNWANTED, *(MIXES_BATCH if _multiplies_sequences(model) else [])],
            )  # fmt: skip
        except Exception as error:  # onnxruntime's exceptions have no common public base
            raise ModelError(f"onnxruntime refuses the model: {error}") from error
        return onnx.load(path)


def _multiplies_sequences(model: onnx.ModelProto) -> bool:
    """Whether a MatMul has axes between the batch and the row."""
    shapes = inferred_shapes(model)
    products = (node for node in model.graph.node if node.op_type == "MatMul")
    return any(len(shapes.get(node.input[0]) or ()) > 2 for node in products)
