"""Quantized files as people have them: what the compiler is given, and what the outside judge runs.

In: a network's file. Out: paths, by form. A file that is quantized already is taken as it is. A float file gives four:
by onnxruntime's `quantize_static` with nothing but its defaults; by the same after `quant_pre_process`, per channel and
with uint8 activations, in both its forms; and by this project's own quantizer. Always: samples are seeded, so the
files repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import chdir
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import helper
from onnx.version_converter import convert_version
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from sima_compiler.frontend.loading import default_opset, is_quantized
from sima_compiler.frontend.quantize import quantize_onnx
from tests.gallery.catalogue import Network
from tests.support.oracle import SampleReader, quiet_onnxruntime

Samples = list[dict[str, np.ndarray]]
Maker = Callable[[onnx.ModelProto, Samples], onnx.ModelProto]
#: Two show more than one range; real accuracy needs more, which is not what the gallery is about.
CALIBRATION_SAMPLES = 2
PER_CHANNEL_OPSET = 13
CAREFUL = {"per_channel": True, "activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}


def originals(network: Network, file: Path, folder: Path) -> list[tuple[str, Callable[[], Path]]]:
    """The forms of a network by name, each made only when it is asked for: one that fails does not hide the others."""
    model = onnx.load(file)
    model = with_shapes(model, network.inputs)
    if is_quantized(model):
        return [("as it is", partial(_written, _kept, model, [], folder / file.name))]
    samples = make_samples(model, network.values, CALIBRATION_SAMPLES)
    return [(form, partial(_written, maker, model, samples, folder / f"{file.stem}.{form}.onnx"))
            for form, maker in MAKERS.items()]  # fmt: skip


def _written(maker: Maker, model: onnx.ModelProto, samples: Samples, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(maker(model, samples), path)
    return path


def with_shapes(model: onnx.ModelProto, inputs: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """A copy whose inputs have the given shapes; what the file knew of shapes behind them is inferred anew."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    declared = {entry.name: entry for entry in copy.graph.input}
    unknown = set(inputs) - set(declared)
    if unknown:
        raise ValueError(f"the file has no input {', '.join(sorted(unknown))}; it has {', '.join(declared)}")
    for name, shape in inputs.items():
        for dimension, size in zip(declared[name].type.tensor_type.shape.dim, shape, strict=True):
            dimension.dim_value = size
    if inputs:
        del copy.graph.value_info[:]
        for entry in copy.graph.output:
            for dimension in entry.type.tensor_type.shape.dim:
                dimension.Clear()
    return copy


def make_samples(model: onnx.ModelProto, values: tuple[float, float], count: int, seed: int = 0) -> Samples:
    """Seeded random bytes, scaled into ``values`` as pixels are, for every input; an open batch is 1."""
    random = np.random.default_rng(seed)
    constants = {entry.name for entry in model.graph.initializer}
    entries = [entry for entry in model.graph.input if entry.name not in constants]
    return [{entry.name: _sample(entry, values, random) for entry in entries} for _ in range(count)]


def _sample(entry: onnx.ValueInfoProto, values: tuple[float, float], random: np.random.Generator) -> np.ndarray:
    kind = entry.type.tensor_type
    shape = [max(dimension.dim_value, 1) for dimension in kind.shape.dim]
    low, high = values
    data = low + random.integers(0, 256, shape) * ((high - low) / 255)
    return data.astype(helper.tensor_dtype_to_np_dtype(kind.elem_type))


def _kept(model: onnx.ModelProto, _: Samples) -> onnx.ModelProto:
    return model


def by_defaults(model: onnx.ModelProto, samples: Samples) -> onnx.ModelProto:
    """`quantize_static`, every option left alone."""
    return _static(model, samples, {})


def by_advice(model: onnx.ModelProto, samples: Samples) -> onnx.ModelProto:
    """`quant_pre_process` first, as onnxruntime advises; then per channel, activations uint8."""
    return _static(_prepared(model), samples, CAREFUL)


def by_operators(model: onnx.ModelProto, samples: Samples) -> onnx.ModelProto:
    """The same in the form whose operators take and give bytes (QLinearConv and so on)."""
    return _static(_prepared(model), samples, {**CAREFUL, "quant_format": QuantFormat.QOperator})


def _prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    # Per-channel scales exist from operator set 13 on; quantize_static writes a file that nothing loads below that.
    modern = model if default_opset(model) >= PER_CHANNEL_OPSET else convert_version(model, PER_CHANNEL_OPSET)
    # Where its symbolic shape inference fails, it leaves files in the working directory.
    with TemporaryDirectory() as folder, chdir(folder), quiet_onnxruntime():
        source, target = Path(folder) / "float.onnx", Path(folder) / "prepared.onnx"
        onnx.save(modern, source)
        try:
            quant_pre_process(source, target)
        except Exception:  # noqa: BLE001 - its symbolic shape inference gives up on some files with a bare assertion
            quant_pre_process(source, target, skip_symbolic_shape=True)
        return onnx.load(target)


def _static(model: onnx.ModelProto, samples: Samples, options: Mapping[str, object]) -> onnx.ModelProto:
    with TemporaryDirectory() as folder, quiet_onnxruntime():
        source, target = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
        onnx.save(model, source)
        quantize_static(source, target, SampleReader(samples), **options)
        return onnx.load(target)


def by_us(model: onnx.ModelProto, samples: Samples) -> onnx.ModelProto:
    """This project's own quantizer."""
    return quantize_onnx(model, samples).model


MAKERS: dict[str, Maker] = {
    "defaults": by_defaults,
    "advice": by_advice,
    "operators": by_operators,
    "ours": by_us,
}
