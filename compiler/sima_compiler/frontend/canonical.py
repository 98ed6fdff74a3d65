"""One spelling for what files write in several ways, so that the reader and onnxruntime see the same operators.

Before -> after: everything of `constants.normal`; QOperator form -> QDQ form; operator sets below 13 -> 13; zero points
left out -> stated; weights around any zero point -> around 0; a bias of any kind -> int32 in units of input scale times
weight scale; limits on bytes -> limits on reals;
quantizations right beside products. Always: the same function; what does not match stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import onnx
from onnx import version_converter

from sima_compiler.errors import ModelError
from sima_compiler.frontend.beside import quantize_beside_products
from sima_compiler.frontend.byte_forms import bytes_as_reals
from sima_compiler.frontend.constants.checks import refuse_bad_numbers
from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.normal import normalized
from sima_compiler.frontend.constants.parameters import state_parameters
from sima_compiler.frontend.constants.weights import settle_weights
from sima_compiler.frontend.container import WARNINGS_KEY
from sima_compiler.frontend.loading import default_opset, is_quantized
from sima_compiler.frontend.old_softmax import keep_batch_apart
from sima_compiler.frontend.onnx_node import source_node
from sima_compiler.frontend.qoperator import desugar
from sima_compiler.frontend.rules import BIAS_SCALE
from sima_compiler.frontend.written_norms import with_whole_norms

#: What onnx's converter raises for a model that contradicts itself; its own exceptions have no common base.
CONVERSION_ERRORS = (
    RuntimeError, ValueError, TypeError, IndexError, version_converter.ConvertError,
    onnx.shape_inference.InferenceError, onnx.checker.ValidationError,
)  # fmt: skip
#: Oldest operator set whose DequantizeLinear knows scales per channel.
MINIMUM_OPSET = 13


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in its canonical spelling, as a copy.

    Raises:
        ModelError: a file that contradicts itself, a QOperator whose scales are no constants, or an operator set that
            cannot be converted.
    """
    result = normalized(model)
    if not is_quantized(result):
        return result
    result = desugar(result)
    if default_opset(result) < MINIMUM_OPSET:
        result = normalized(with_minimum_opset(result))  # the conversion makes constants of its own
    result = with_whole_norms(result)
    names = Names.of(result)
    state_parameters(result, names)
    refuse_bad_numbers(result.graph)
    bytes_as_reals(result, names)
    _keep_warnings(result, [*quantize_beside_products(result, names), *settle_weights(result, names, _check_bias)])
    return _with_output_shapes(result)


def _check_bias(node: onnx.NodeProto, found: str, fits: bool) -> None:
    BIAS_SCALE.check(source_node(node, 0), found, fits)


def kept_warnings(model: onnx.ModelProto) -> list[str]:
    """What `canonical` had to say about the model, also long ago."""
    return [text for entry in model.metadata_props if entry.key == WARNINGS_KEY for text in json.loads(entry.value)]


def _keep_warnings(model: onnx.ModelProto, warnings: Sequence[str]) -> None:
    if warnings:
        texts = [*kept_warnings(model), *warnings]
        rest = [entry for entry in model.metadata_props if entry.key != WARNINGS_KEY]
        holder = onnx.ModelProto(metadata_props=rest)
        del model.metadata_props[:]
        model.metadata_props.extend(holder.metadata_props)
        model.metadata_props.append(onnx.StringStringEntryProto(key=WARNINGS_KEY, value=json.dumps(texts)))


def _with_output_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Some exporters leave the outputs' shapes out, which onnx's full check does not accept."""
    if all(entry.type.tensor_type.HasField("shape") for entry in model.graph.output):
        return model
    try:
        return onnx.shape_inference.infer_shapes(model)
    except (RuntimeError, ValueError, TypeError, onnx.shape_inference.InferenceError):
        return model  # a node contradicts itself: the reader names it


def with_minimum_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at opset 13 or newer.

    Raises:
        ModelError: onnx cannot convert it.
    """
    if default_opset(model) >= MINIMUM_OPSET:
        return model
    try:
        result = version_converter.convert_version(model, MINIMUM_OPSET)
    except CONVERSION_ERRORS as error:
        raise ModelError(
            f"the model's operator set {default_opset(model)} cannot be converted to {MINIMUM_OPSET}: {error}",
            hint=f"export it with opset {MINIMUM_OPSET} or newer",
        ) from error
    keep_batch_apart(result)
    return result
