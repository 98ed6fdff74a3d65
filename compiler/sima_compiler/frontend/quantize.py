"""Float ONNX plus calibration data to QDQ ONNX, by onnxruntime's static quantization.

In: a float model and samples. Out: a QDQ `ModelProto`: int8 activations, asymmetric per
tensor; int8 weights, symmetric per channel; opset 13 or newer. Always: no file is left behind, nothing is logged.
"""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx

from sima_compiler.errors import CalibrationError, ModelError
from sima_compiler.files.scratch import scratch_folder
from sima_compiler.frontend.calibration import CalibrationData, checked_samples, samples_of, shapes_of_samples
from sima_compiler.frontend.calibration_advice import advice
from sima_compiler.frontend.float_model import prepare_float
from sima_compiler.frontend.input_shapes import InputShapes, with_input_shapes
from sima_compiler.frontend.kept_clamps import restore_clamps
from sima_compiler.frontend.loading import is_quantized, load_onnx
from sima_compiler.frontend.ort_temporaries import temporaries_in
from sima_compiler.frontend.refusals import whole_kind
from sima_compiler.frontend.taps import with_taps, without_taps

#: Operators that are quantized on top of onnxruntime's own list, so that each stands between quantizations.
EXTRA_OPERATORS = (
    "Sub", "Div", "Neg", "Abs", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Max", "Min", "PRelu", "Tanh",
    "HardSigmoid", "HardSwish", "Slice", "Gather", "Tile", "Expand", "SpaceToDepth", "DepthToSpace",
    "RMSNormalization", "Einsum",
    "GlobalMaxPool", "LRN", "ReduceMax", "ReduceMean", "ReduceSum",
)  # fmt: skip
#: Severities of onnxruntime's own log: its default, and what silences it.
ORT_WARNING, ORT_FATAL = 2, 4
#: What onnxruntime appends to the name of a value for what its pair of Q and DQ makes of it.
DEQUANTIZED_SUFFIX = "_DequantizeLinear_Output"
#: What onnxruntime is asked for beside its defaults; without the last a pool on an input would stay in float.
OPTIONS = {"ActivationSymmetric": False, "WeightSymmetric": True, "ForceQuantizeNoInputCheck": True}
#: How calibration turns observed values into ranges.
METHODS = ("minmax", "percentile")
#: onnxruntime's quantization is made silent by means that concern the whole process.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class Quantized:
    """A QDQ model, and what its calibration leaves in doubt, a sentence each."""

    model: onnx.ModelProto
    warnings: tuple[str, ...]


def quantize_onnx(
    source: str | Path | onnx.ModelProto,
    calibration_data: CalibrationData,
    *,
    method: str = "minmax",
    input_shapes: InputShapes | None = None,
) -> Quantized:
    """The quantized model.

    ``calibration_data``: arrays by input name, any batch in front, or onnxruntime's `CalibrationDataReader`;
    ``method``: "minmax" or "percentile". Sizes that the file leaves open come from ``input_shapes`` (whole shapes by
    input name), else from the first sample.

    Raises:
        CalibrationError: the data is missing, empty, not finite, or does not fit the inputs.
        ModelError: the model is not usable, or quantized already. OptionError: ``input_shapes`` contradicts the file.
    """
    if method not in METHODS:
        raise CalibrationError(f"calibration method {method!r} is unknown", hint=f"choose one of {', '.join(METHODS)}")
    model = load_onnx(source)
    kind = whole_kind(model)
    if kind:
        raise ModelError(f"the model has {kind.what}", hint="give the float model that it was made of")
    if is_quantized(model):
        raise ModelError(
            "the model is quantized already", hint="leave the calibration out: Model.from_onnx, or simac compile MODEL"
        )
    given = samples_of(calibration_data)
    first = list(islice(given, 1))
    model = with_input_shapes(model, input_shapes or {})
    model = with_input_shapes(model, shapes_of_samples(model, *first) if first else {})
    model = prepare_float(model)
    samples = checked_samples(model, chain(first, given))
    quantized = _quantize_static(model, samples, method)
    with _quiet():
        return Quantized(quantized, advice(model, quantized, samples))


class _Samples:
    """The calibration reader that onnxruntime asks for."""

    def __init__(self, samples: Sequence[Mapping[str, npt.NDArray[Any]]]) -> None:
        self._iterator: Iterator[Mapping[str, npt.NDArray[Any]]] = iter(samples)

    def get_next(self) -> Mapping[str, npt.NDArray[Any]] | None:
        return next(self._iterator, None)


def _quantize_static(
    model: onnx.ModelProto, samples: Sequence[Mapping[str, npt.NDArray[Any]]], method: str
) -> onnx.ModelProto:
    """Onnxruntime's quantization of ``model``, which stays as it is.

    Raises:
        ModelError: onnxruntime cannot quantize it.
    """
    try:
        try:
            result, taps = _run(model, samples, method, OPTIONS)
        except ValueError:  # onnxruntime's own adjustment takes one bias scale where LayerNormalization has several
            result, taps = _run(model, samples, method, {**OPTIONS, "QDQDisableWeightAdjustForInt32Bias": True})
    except Exception as error:  # onnxruntime raises many kinds for models that it cannot run
        raise ModelError(f"onnxruntime cannot quantize the model: {error}") from error
    without_taps(result, taps)
    restore_clamps(model, result)
    return result


def _run(
    model: onnx.ModelProto, samples: Sequence[Mapping[str, npt.NDArray[Any]]], method: str, options: Mapping[str, bool]
) -> tuple[onnx.ModelProto, Mapping[str, str]]:
    """One run of `quantize_static` on a copy with taps: its result, and the taps."""
    from onnxruntime import quantization
    from onnxruntime.quantization.calibrate import CalibrationDataReader
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    reader = type("Samples", (_Samples, CalibrationDataReader), {})(samples)
    tapped, taps = with_taps(model)  # a copy: quantize_static moves the weights of what it is given into a file
    methods = {"minmax": quantization.CalibrationMethod.MinMax, "percentile": quantization.CalibrationMethod.Percentile}
    with _ONE_AT_A_TIME, _quiet(), scratch_folder("quantize") as folder, temporaries_in(folder):
        target = folder / "quantized.onnx"
        quantization.quantize_static(
            tapped, str(target), reader,
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=sorted({*QLinearOpsRegistry, *QDQRegistry, *EXTRA_OPERATORS}),
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=methods[method],
            extra_options=dict(options),
        )  # fmt: skip
        return onnx.load(target), taps


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep onnxruntime's advice to itself: prints, root-logger messages, warnings, and its session log."""
    import onnxruntime

    root, before = logging.getLogger(), logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    onnxruntime.set_default_logger_severity(ORT_FATAL)
    handlers = list(root.handlers)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        root.handlers[:] = handlers
        onnxruntime.set_default_logger_severity(ORT_WARNING)
        logging.disable(before)
