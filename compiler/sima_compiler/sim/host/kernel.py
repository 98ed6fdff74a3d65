"""What a numpy kernel of a host operator is."""

from __future__ import annotations

from collections.abc import Callable

from sima_compiler.ir.host import Array
from sima_compiler.ir.host_rules.use import Use

Operands = tuple[Array | None, ...]
#: Takes the node's `Use` and its operands (None where one is left out), gives one array or more.
Kernel = Callable[[Use, Operands], Array | tuple[Array, ...]]


def present(operands: Operands, index: int) -> Array:
    """An operand that the rules say is there."""
    found = operands[index]
    assert found is not None
    return found


def optional(operands: Operands, index: int) -> Array | None:
    """An operand that may be left out."""
    return operands[index] if index < len(operands) else None
