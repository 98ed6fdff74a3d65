"""Operators that this compiler does not have, called by their names, each kind with its next step.

In: a node whose operator has no converter. Out: an error, always.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import onnx

from sima_compiler.frontend import rules
from sima_compiler.frontend.onnx_node import Rule, SourceNode


@dataclass(frozen=True, slots=True)
class OperatorKind:
    """Operators that are refused for one reason. ``what`` completes "operator X is ..."; without a ``hint`` the network
    may end in front of them.
    """

    operators: frozenset[str]
    what: str
    rule: Rule
    hint: str


DYNAMIC = OperatorKind(
    frozenset({
        "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat",
        "DynamicQuantizeLSTM", "QAttention", "QEmbedLayerNormalization",
    }),
    "dynamic quantization: scales are computed while the network runs",
    rules.STATIC_SCALES,
    "quantize the float model with samples instead: simac quantize MODEL.onnx --calibration SAMPLES.npz -o .",
)  # fmt: skip
WEIGHT_ONLY = OperatorKind(
    frozenset({"MatMulNBits", "MatMulBnb4", "GatherBlockQuantized", "MatMulFpQ4"}),
    "weight-only quantization: weights have few bits, activations stay float",
    rules.QUANTIZED,
    "quantize the float model with samples instead: simac quantize MODEL.onnx --calibration SAMPLES.npz -o .",
)
RECURRENT = OperatorKind(
    frozenset({"LSTM", "GRU", "RNN"}),
    "recurrent: it keeps a state from step to step",
    rules.KNOWN_OPERATOR,
    "",
)
CONTROL_FLOW = OperatorKind(
    frozenset({"If", "Loop", "Scan"}),
    "control flow: which nodes run is decided while the network runs",
    rules.KNOWN_OPERATOR,
    "export the model for one case, without the condition",
)
DATA_DEPENDENT = OperatorKind(
    frozenset({"NonMaxSuppression", "NonZero", "TopK", "Unique", "Compress", "GatherND", "ScatterND", "RoiAlign"}),
    "post-processing whose result depends on the data",
    rules.KNOWN_OPERATOR,
    "",
)
LATER = OperatorKind(
    frozenset(
        {
            "GroupNormalization",
            "LpNormalization",
            "Attention",
            "MultiHeadAttention",
            "ReduceMin",
            "ArgMin",
            "CumSum",
            "GridSample",
            "Where",
        }
    ),
    "one that this compiler has no kernel for yet",
    rules.KNOWN_OPERATOR,
    "",
)
KINDS = (LATER, DYNAMIC, WEIGHT_ONLY, RECURRENT, CONTROL_FLOW, DATA_DEPENDENT)


def whole_kind(model: onnx.ModelProto) -> OperatorKind | None:
    """The kind of quantization, other than static, that a model as a whole is of; None for any other model."""
    operators = {node.op_type for node in model.graph.node}
    return next((kind for kind in (DYNAMIC, WEIGHT_ONLY) if operators & kind.operators), None)


def refuse_operator(node: SourceNode) -> NoReturn:
    """Refuse a node for its operator.

    Raises:
        UnsupportedError: always.
    """
    place = f"{node.domain}.{node.operator}" if node.domain else node.operator
    for kind in KINDS:
        if node.operator in kind.operators:
            raise node.unsupported(f"operator {place} is {kind.what}", rule=kind.rule.sentence, hint=kind.hint)
    raise node.unsupported(f"operator {place} is not supported", rule=rules.KNOWN_OPERATOR.sentence)
