"""The table of host operators: what the A65 can run, and how near each comes to onnxruntime.

`sim.host.table` has a numpy function and `a65.table` a lowering to C for each row; a test walks all three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sima_compiler.ir.host_rules import elementwise, indexing, movement, products, rows
from sima_compiler.ir.host_rules.use import Infer

#: Largest error against onnxruntime, as a share of the largest value of the result.
REAL_ERROR = 1e-5


@dataclass(frozen=True, slots=True)
class HostRule:
    """One operator. ``error``: largest difference from onnxruntime as a share of the largest result; 0: equal."""

    op: str
    infer: Infer
    error: float


#: Elementwise operators whose result is a function of its own arithmetic; all others here are one IEEE operation.
_FUNCTIONS = frozenset(
    {"Exp", "Log", "Tanh", "Sigmoid", "Erf", "HardSwish", "Softplus", "Softsign", "Mish", "Elu", "Celu"}
    | {"HardSigmoid", "Selu", "Gelu", "Mean", "Pow", "Mod"}
)


def _rules() -> dict[str, HostRule]:
    found: dict[str, HostRule] = {}
    for op, infer in elementwise.RULES.items():
        found[op] = HostRule(op, infer, REAL_ERROR if op in _FUNCTIONS else 0.0)
    for room in (movement, indexing):
        # A linear Resize rounds; the nearest one is exact all the same.
        found |= {op: HostRule(op, infer, REAL_ERROR if op == "Resize" else 0.0) for op, infer in room.RULES.items()}
    for room in (rows, products):
        exact = {"ArgMax", "ArgMin", "TopK", "OneHot", "ReduceMax", "ReduceMin", "MaxPool", "GlobalMaxPool"}
        exact |= {"NonMaxSuppression"}
        found |= {op: HostRule(op, infer, 0.0 if op in exact else REAL_ERROR) for op, infer in room.RULES.items()}
    return found


#: Operator -> its rule.
HOST_RULES: Mapping[str, HostRule] = _rules()
