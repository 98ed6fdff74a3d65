"""onnxruntime as the judge from outside, and the other ways to quantize that people use."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static


def run_onnxruntime(
    model: onnx.ModelProto, inputs: Mapping[str, np.ndarray], *, optimized: bool = True
) -> dict[str, np.ndarray]:
    """Every output of ``model`` by name: one thread, the graph optimized or as the file has it."""
    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    results = session.run(names, dict(inputs))
    return {name: np.asarray(values) for name, values in zip(names, results, strict=True)}


class SampleReader(CalibrationDataReader):
    """Arrays by input name, as `quantize_static` asks for them."""

    def __init__(self, batches: Iterable[Mapping[str, np.ndarray]]) -> None:
        self._all = list(batches)
        self._batches = iter(self._all)

    def get_next(self) -> dict[str, np.ndarray]:
        return dict(next(self._batches, {}))

    def __len__(self) -> int:
        return len(self._all)

    def set_range(self, start_index: int, end_index: int) -> None:
        """From here to there next, which calibration in strides asks for."""
        self._batches = iter(self._all[start_index:end_index])


def quantize_by_onnxruntime(
    model: onnx.ModelProto,
    batches: Iterable[Mapping[str, np.ndarray]],
    folder: Path,
    *,
    operators: bool = False,
    per_channel: bool = True,
    activation: QuantType = QuantType.QInt8,
) -> onnx.ModelProto:
    """onnxruntime's own static quantization; ``operators`` asks for the QOperator form instead of QDQ."""
    source, target = folder / "float.onnx", folder / "quantized.onnx"
    onnx.save(model, source)
    with quiet_onnxruntime():
        quantize_static(
            source,
            target,
            SampleReader(batches),
            quant_format=QuantFormat.QOperator if operators else QuantFormat.QDQ,
            per_channel=per_channel,
            activation_type=activation,
            weight_type=QuantType.QInt8,
            extra_options={"ForceQuantizeNoInputCheck": True},
        )
    return onnx.load(target)


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """What people do before `quantize_static`: constants and batch normalizations folded by a session, and a Sum of two
    written as Add, because it leaves Sum in float."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "folded.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        result = onnx.load(target)
    for node in result.graph.node:
        if node.op_type == "Sum" and len(node.input) == 2:
            node.op_type = "Add"
    return result


@contextmanager
def quiet_onnxruntime() -> Generator[None]:
    """Without the advice to pre-process, which it logs at every call, and without its sessions' own warnings."""
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(3)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)
        logging.disable(logging.NOTSET)


def differing(expected: np.ndarray, found: np.ndarray) -> str:
    """Empty when both agree in shape, type and every element; otherwise the first difference as a sentence."""
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return f"expected {expected.dtype} {expected.shape}, found {found.dtype} {found.shape}"
    wrong = np.argwhere(expected != found)
    if not len(wrong):
        return ""
    place = tuple(int(index) for index in wrong[0])
    return f"{len(wrong)} of {expected.size} differ, first at {place}: expected {expected[place]}, found {found[place]}"
