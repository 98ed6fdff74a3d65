"""What calibration data leaves in doubt, as sentences: samples that hardly vary, ranges that cut values off.

In: the float model, what `quantize_static` made of it, and the samples. Out: warnings, one per tensor. Always: nothing
changes; values are looked at sample by sample, so that a large network needs no memory for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from sima_compiler.frontend.kept_clamps import OUTPUT_SUFFIX
from sima_compiler.ir.graph import Float32Array

#: Pieces that are run again with every tensor as an output: enough to see what is cut off, cheap beside calibration.
MOST_PIECES = 8
#: Share of a tensor's values beyond its range from which it is said, however little they are beyond it.
SATURATED_SHARE = 1e-3
#: Widths of the range by which a single value may lie beyond it: the 99.999th percentile always cuts a few, and cutting
#: little of them off is what it is for; one that is cut to less than half of itself may be what the network looks for.
SATURATED_REACH = 0.5
#: Samples whose spread is below this share of the input's range are taken for copies of one.
LEAST_SPREAD = 0.01
#: Tensors named one by one; beyond that they are counted.
MOST_NAMED = 8

Samples = Sequence[Mapping[str, npt.NDArray[Any]]]


@dataclass(slots=True)
class _Seen:
    """What one tensor held over all samples."""

    low: float = float("inf")
    high: float = float("-inf")
    beyond: int = 0
    values: int = 0
    range: tuple[float, float] = field(default=(0.0, 0.0))

    def add(self, array: Float32Array, step: float) -> None:
        self.low = min(self.low, float(array.min()))
        self.high = max(self.high, float(array.max()))
        self.beyond += int(np.sum((array < self.range[0] - step) | (array > self.range[1] + step)))
        self.values += array.size

    @property
    def saturates(self) -> bool:
        """Whether many values lie beyond the range, or any far beyond it."""
        low, high = self.range
        reach = max(low - self.low, self.high - high)
        return self.beyond > SATURATED_SHARE * self.values or reach > SATURATED_REACH * (high - low)


def advice(model: onnx.ModelProto, quantized: onnx.ModelProto, samples: Samples) -> tuple[str, ...]:
    """Every warning about the samples and the ranges that came of them."""
    return (*_alike_inputs(samples), *_limited(_tensor_warnings(model, quantized, samples)))


def _alike_inputs(samples: Samples) -> list[str]:
    """Inputs that are one value, or whose samples are copies of each other."""
    warnings: list[str] = []
    for name in samples[0]:
        values = np.concatenate([piece[name] for piece in samples]).astype(np.float32)
        low, high = float(values.min()), float(values.max())
        spread = float((values.max(axis=0) - values.min(axis=0)).max())
        if low == high:
            warnings.append(f"input {name!r}: every calibration value is {low:g}, so no range can be learned from it")
        elif len(values) > 1 and spread < LEAST_SPREAD * (high - low):
            warnings.append(
                f"input {name!r}: the {len(values)} calibration samples hardly differ (by {spread:.3g} in a range of "
                f"{high - low:.3g}): ranges will fit these and nothing else"
            )
    return warnings


def _limited(warnings: Sequence[str]) -> list[str]:
    more = len(warnings) - MOST_NAMED
    return [*warnings[:MOST_NAMED], *([f"... and {more} more tensors of that kind"] if more > 0 else [])]


def _tensor_warnings(model: onnx.ModelProto, quantized: onnx.ModelProto, samples: Samples) -> list[str]:
    seen = _observed(model, _ranges(quantized), samples)
    warnings: list[str] = []
    for name, found in seen.items():
        if found.low == found.high:
            warnings.append(
                f"tensor {name!r}: is {found.low:g} on every calibration sample, so its range is a guess; give samples "
                "that use this part of the network"
            )
        elif found.saturates:
            warnings.append(
                f"tensor {name!r}: {found.beyond} of {found.values} calibration values lie beyond its range "
                f"[{found.range[0]:.4g}, {found.range[1]:.4g}] and saturate; they reach from {found.low:.4g} to "
                f"{found.high:.4g}"
            )
    return warnings


def _ranges(quantized: onnx.ModelProto) -> dict[str, tuple[float, float, float]]:
    """Lowest and highest value and step of each quantized tensor, under its name in the float model."""
    constants = {entry.name: entry for entry in quantized.graph.initializer}
    found: dict[str, tuple[float, float, float]] = {}
    for node in quantized.graph.node:
        if node.op_type != "QuantizeLinear" or len(node.input) < 3 or node.input[0] in constants:
            continue
        if node.input[1] not in constants or node.input[2] not in constants:
            continue
        scale = float(numpy_helper.to_array(constants[node.input[1]]).reshape(-1)[0])
        zero = int(numpy_helper.to_array(constants[node.input[2]]).reshape(-1)[0])
        name = node.input[0].removesuffix(OUTPUT_SUFFIX)
        found[name] = ((-128 - zero) * scale, (127 - zero) * scale, scale)
    return found


def _observed(
    model: onnx.ModelProto, ranges: Mapping[str, tuple[float, float, float]], samples: Samples
) -> dict[str, _Seen]:
    """What the float model's inputs and inner tensors hold on the first samples."""
    seen = {name: _Seen(range=ranges[name][:2]) for name in ranges}
    for piece in islice(samples, MOST_PIECES):
        for name in ranges.keys() & piece.keys():
            seen[name].add(np.asarray(piece[name], np.float32), ranges[name][2])
    _watch(model, seen, ranges, samples)
    return {name: found for name, found in seen.items() if found.values}


def _watch(
    model: onnx.ModelProto,
    seen: Mapping[str, _Seen],
    ranges: Mapping[str, tuple[float, float, float]],
    samples: Samples,
) -> None:
    """Runs the float model with its inner tensors as outputs."""
    import onnxruntime

    produced = {name for node in model.graph.node for name in node.output}
    names = [name for name in ranges if name in produced]
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    if not names:
        return
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    for piece in islice(samples, MOST_PIECES):
        for name, array in zip(names, session.run(None, dict(piece)), strict=True):
            values = np.asarray(array, np.float32)
            if values.size:
                seen[name].add(values, ranges[name][2])
