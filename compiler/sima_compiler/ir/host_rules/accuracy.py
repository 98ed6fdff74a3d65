"""How near the float32 functions of host kernels come to the real ones, for `docs/host-kernels.md`; a test measures it.

Errors are in units in the last place of float32: half of one is the best that any function can do.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The function of that name from ``low`` to ``high``; ``most``: its largest error in ulp, rounded up."""

    name: str
    low: float
    high: float
    most: float


#: Of pow the exponent's range; the base lies between 2e-9 and 5e8.
ACCURACIES = (
    Accuracy("exp", -87.0, 88.7, 1.0),
    Accuracy("log", 1e-38, 3e38, 0.8),
    Accuracy("tanh", -12.0, 12.0, 1.4),
    Accuracy("erf", -5.0, 5.0, 1.1),
    Accuracy("sigmoid", -87.0, 88.0, 2.2),
    Accuracy("softplus", -87.0, 88.0, 2.4),
    Accuracy("pow", -4.0, 4.0, 0.51),
)
