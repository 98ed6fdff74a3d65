"""Every documented option of onnxruntime's `quantize_static`, one set of arguments per row of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationMethod, QuantType


@dataclass(frozen=True, slots=True)
class Option:
    """``arguments`` of `quantize_static`, ``extra`` of its ``extra_options``; ``opset`` of the float network."""

    label: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 17


def _types(activation: QuantType, weight: QuantType, **more: Any) -> dict[str, Any]:
    return {"activation_type": activation, "weight_type": weight, **more}


def _switch(name: str, value: Any = True, **arguments: Any) -> Option:
    return Option(f"{name} = {value}", arguments, {name: value})


S8, U8, S16, U16, S4, U4 = (
    QuantType.QInt8, QuantType.QUInt8, QuantType.QInt16, QuantType.QUInt16, QuantType.QInt4, QuantType.QUInt4,
)  # fmt: skip
#: The first weights and the first activation behind a product of every network in `networks`.
WEIGHTS, ACTIVATION = "w_first", "t_first"

OPTIONS: tuple[Option, ...] = (
    Option("defaults"),
    Option("per_channel", {"per_channel": True}),
    Option("reduce_range", {"reduce_range": True}),
    Option("per_channel, reduce_range", {"per_channel": True, "reduce_range": True}),
    Option("activation_type QUInt8", _types(U8, S8)),
    Option("activation_type QUInt8, per_channel", _types(U8, S8, per_channel=True)),
    Option("activation_type QUInt8, reduce_range", _types(U8, S8, reduce_range=True)),
    Option("both types QUInt8", _types(U8, U8)),
    Option("both types QUInt8, per_channel", _types(U8, U8, per_channel=True)),
    Option("both types QUInt8, reduce_range", _types(U8, U8, reduce_range=True)),
    Option("weight_type QUInt8", _types(S8, U8)),
    Option("activation_type QUInt16", _types(U16, U8), opset=21),
    Option("activation_type QInt16", _types(S16, S8), opset=21),
    Option("weight_type QInt4", _types(U8, S4), opset=21),
    Option("weight_type QUInt4", _types(U8, U4), opset=21),
    Option("both types QFLOAT8E4M3FN", _types(QuantType.QFLOAT8E4M3FN, QuantType.QFLOAT8E4M3FN,
                                              calibrate_method=CalibrationMethod.Distribution), opset=19),
    Option("op_types_to_quantize Conv, Gemm, MatMul", {"op_types_to_quantize": ["Conv", "Gemm", "MatMul"]}),
    Option("nodes_to_quantize, the first only", {"nodes_to_quantize": ["first"]}),
    Option("nodes_to_exclude, the first", {"nodes_to_exclude": ["first"]}),
    Option("nodes_to_exclude, the last", {"nodes_to_exclude": ["last"]}),
    Option("use_external_data_format", {"use_external_data_format": True}),
    Option("calibrate_method Entropy", {"calibrate_method": CalibrationMethod.Entropy}),
    Option("calibrate_method Percentile", {"calibrate_method": CalibrationMethod.Percentile}),
    Option("calibrate_method Distribution", {"calibrate_method": CalibrationMethod.Distribution}),
    Option("calibration_providers CPU", {"calibration_providers": ["CPUExecutionProvider"]}),
    Option("opset 13", opset=13),
    Option("opset 21", opset=21),
    _switch("extra.Sigmoid.nnapi"),
    _switch("ActivationSymmetric"),
    Option("ActivationSymmetric, activation_type QUInt8", _types(U8, S8), {"ActivationSymmetric": True}),
    Option("ActivationRestrictedAsymmetric, activation_type QUInt8", _types(U8, S8),
           {"ActivationRestrictedAsymmetric": True}),
    _switch("WeightSymmetric"),
    _switch("WeightSymmetric", False),
    Option("WeightSymmetric = False, both types QUInt8", _types(U8, U8), {"WeightSymmetric": False}),
    _switch("EnableSubgraph"),
    _switch("ForceQuantizeNoInputCheck"),
    _switch("MatMulConstBOnly"),
    _switch("AddQDQPairToWeight"),
    Option("AddQDQPairToWeight, per_channel", {"per_channel": True}, {"AddQDQPairToWeight": True}),
    _switch("OpTypesToExcludeOutputQuantization", ("Conv", "MatMul")),
    _switch("DedicatedQDQPair"),
    Option("QDQOpTypePerChannelSupportToAxis = MatMul: 1", {"per_channel": True},
           {"QDQOpTypePerChannelSupportToAxis": {"MatMul": 1}}),
    _switch("CalibTensorRangeSymmetric"),
    _switch("CalibStridedMinMax", 1),
    Option("CalibMovingAverage, constant 0.1", {}, {"CalibMovingAverage": True, "CalibMovingAverageConstant": 0.1}),
    _switch("CalibMaxIntermediateOutputs", 2),
    _switch("SmoothQuant"),
    Option("SmoothQuant, alpha 0.7, no folding", {},
           {"SmoothQuant": True, "SmoothQuantAlpha": 0.7, "SmoothQuantFolding": False}),
    _switch("UseQDQContribOps"),
    _switch("MinimumRealRange", 0.5),
    Option("TensorQuantOverrides, scale and zero point", {},
           {"TensorQuantOverrides": {ACTIVATION: [
               {"scale": np.array(0.031, np.float32), "zero_point": np.array(-9, np.int8)}
           ]}}),
    Option("TensorQuantOverrides, symmetric", {}, {"TensorQuantOverrides": {ACTIVATION: [{"symmetric": True}]}}),
    Option("TensorQuantOverrides, weights reduce_range", {},
           {"TensorQuantOverrides": {WEIGHTS: [{"reduce_range": True}]}}),
    Option("TensorQuantOverrides, rmin and rmax", {},
           {"TensorQuantOverrides": {ACTIVATION: [{"rmin": np.float32(-1.5), "rmax": np.float32(2.5)}]}}),
    Option("TensorQuantOverrides, weights QUInt8", _types(U8, S8),
           {"TensorQuantOverrides": {WEIGHTS: [{"quant_type": U8}]}}),
    Option("TensorQuantOverrides, activation QUInt16", _types(U8, S8),
           {"TensorQuantOverrides": {ACTIVATION: [{"quant_type": U16}]}}, opset=21),
    _switch("QDQKeepRemovableActivations"),
    _switch("QDQDisableWeightAdjustForInt32Bias"),
)  # fmt: skip
