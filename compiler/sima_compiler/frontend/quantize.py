"""Float ONNX plus calibration data to QDQ ONNX, by onnxruntime's static quantization.

In: a float model and an iterable of {input name: array}. Out: a QDQ `ModelProto`: int8 activations, asymmetric per
tensor; int8 weights, symmetric per channel; opset 13 or newer. Always: no file is left behind, nothing is logged.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from sima_compiler.errors import CalibrationError, ModelError
from sima_compiler.frontend.calibration import CalibrationData, checked_samples
from sima_compiler.frontend.float_model import prepare_float
from sima_compiler.frontend.kept_clamps import restore_clamps
from sima_compiler.frontend.loading import is_quantized, load_onnx

#: Operators that are quantized on top of onnxruntime's own list, so that each stands between quantizations.
EXTRA_OPERATORS = ("Sub", "Tanh", "HardSigmoid", "HardSwish", "ReduceMean", "Slice")
#: Severities of onnxruntime's own log: its default, and what silences it.
ORT_WARNING, ORT_FATAL = 2, 4
#: How calibration turns observed values into ranges.
METHODS = ("minmax", "percentile")


def quantize_onnx(
    source: str | Path | onnx.ModelProto, calibration_data: CalibrationData, *, method: str = "minmax"
) -> onnx.ModelProto:
    """The quantized model.

    ``calibration_data``: float arrays by input name, any batch in front; ``method``: "minmax" or "percentile".

    Raises:
        CalibrationError: the data is missing, empty, not finite, or does not fit the inputs.
        ModelError: the model is not usable, or quantized already.
    """
    if method not in METHODS:
        raise CalibrationError(f"calibration method {method!r} is unknown", hint=f"choose one of {', '.join(METHODS)}")
    model = load_onnx(source)
    if is_quantized(model):
        raise ModelError(
            "the model is quantized already", hint="leave the calibration out: Model.from_onnx, or simac compile MODEL"
        )
    model = prepare_float(model)
    samples = checked_samples(model, calibration_data)
    return _quantize_static(model, samples, method)


class _Samples:
    """The calibration reader that onnxruntime asks for."""

    def __init__(self, samples: Sequence[Mapping[str, npt.NDArray[np.float32]]]) -> None:
        self._iterator: Iterator[Mapping[str, npt.NDArray[np.float32]]] = iter(samples)

    def get_next(self) -> Mapping[str, npt.NDArray[np.float32]] | None:
        return next(self._iterator, None)


def _quantize_static(
    model: onnx.ModelProto, samples: Sequence[Mapping[str, npt.NDArray[np.float32]]], method: str
) -> onnx.ModelProto:
    from onnxruntime import quantization
    from onnxruntime.quantization.calibrate import CalibrationDataReader
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    reader = type("Samples", (_Samples, CalibrationDataReader), {})(samples)
    methods = {"minmax": quantization.CalibrationMethod.MinMax, "percentile": quantization.CalibrationMethod.Percentile}
    with _quiet(), tempfile.TemporaryDirectory(prefix="sima-quantize-") as folder:
        target = Path(folder) / "quantized.onnx"
        try:
            quantization.quantize_static(
                model, str(target), reader,
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=sorted({*QLinearOpsRegistry, *QDQRegistry, *EXTRA_OPERATORS}),
                per_channel=True,
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
                calibrate_method=methods[method],
                extra_options={
                    "ActivationSymmetric": False, "WeightSymmetric": True,
                    "ForceQuantizeNoInputCheck": True,  # or a pool on an input would stay in float
                },
            )  # fmt: skip
        except Exception as error:  # onnxruntime raises many kinds for models that it cannot run
            raise ModelError(f"onnxruntime cannot quantize the model: {error}") from error
        result = onnx.load(target)
    restore_clamps(model, result)
    return result


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep onnxruntime's advice to itself: root-logger messages, warnings, and its session log."""
    import onnxruntime

    root, before = logging.getLogger(), logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    onnxruntime.set_default_logger_severity(ORT_FATAL)
    handlers = list(root.handlers)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.handlers[:] = handlers
        onnxruntime.set_default_logger_severity(ORT_WARNING)
        logging.disable(before)
