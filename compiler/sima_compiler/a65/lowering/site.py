"""One node on its way into C.

In: a node with its operands and the C names of its tensors. Out: `Code`: kernels to instantiate, tables, calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from sima_compiler.ir.host import Array, Dtype
from sima_compiler.ir.host_rules.moves import steps
from sima_compiler.ir.host_rules.use import Use, Value

#: How C calls a value of each type; booleans are bytes, since a `_Bool` that holds another byte has no meaning in C.
C_TYPES: Mapping[Dtype, str] = {
    Dtype.FLOAT32: "float",
    Dtype.INT64: "int64_t",
    Dtype.INT32: "int32_t",
    Dtype.BOOL: "uint8_t",
    Dtype.UINT8: "uint8_t",
    Dtype.INT8: "int8_t",
}
#: Numbers in a line of a table.
_PER_LINE = 16


@dataclass(frozen=True, slots=True)
class Code:
    """``instances``: a kernel's name -> the line that makes it; ``scratch``: bytes that the calls need there."""

    calls: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    instances: Mapping[str, str] | None = None
    scratch: int = 0

    def __add__(self, other: Code) -> Code:
        """One after the other."""
        return Code(
            calls=self.calls + other.calls,
            tables=self.tables + other.tables,
            instances=dict(self.instances or {}) | dict(other.instances or {}),
            scratch=max(self.scratch, other.scratch),
        )


@dataclass(frozen=True, slots=True)
class Site:
    """``prefix`` starts the names of the node's tables; ``operands`` and ``results`` are pointers, NULL if left out."""

    prefix: str
    use: Use
    operands: tuple[str, ...]
    results: tuple[str, ...]
    values: tuple[Value, ...]

    def value(self, index: int) -> Value:
        """An operand, which is there."""
        return self.use.value(index)

    def operand(self, index: int) -> str:
        """The pointer to an operand, NULL where it is left out."""
        return self.operands[index] if index < len(self.operands) else "NULL"

    @property
    def count(self) -> int:
        """Values of the first result."""
        return prod(self.values[0].shape)

    def call(self, kernel: str, *arguments: object) -> Code:
        """A call of a kernel that is in the headers."""
        return Code(calls=(f"{kernel}({', '.join(map(str, arguments))});",))

    def made(self, kernel: str, definition: str, *arguments: object) -> Code:
        """A call of a kernel that a macro makes: its name is put in front of the macro's other arguments."""
        macro, _, rest = definition.partition("(")
        return self.call(kernel, *arguments) + Code(instances={kernel: f"{macro}({kernel}, {rest}"})

    def table(self, name: str, values: Iterable[object], kind: str = "int64_t") -> Code:
        """A table of numbers; `named` is what it is called."""
        texts = [str(value) for value in values] or ["0"]
        lines = [", ".join(texts[first : first + _PER_LINE]) for first in range(0, len(texts), _PER_LINE)]
        body = ",\n    ".join(lines)
        return Code(tables=(f"static const {kind} {self.named(name)}[] = {{{body}}};",))

    def grid(self, name: str, sizes: Sequence[int], *operand_steps: Sequence[int]) -> Code:
        """A `sima_grid`, with axes joined where all operands allow it."""
        sizes, joined = _joined(sizes, [*operand_steps])
        while len(joined) < 3:
            joined.append((0,) * len(sizes))
        texts = ", ".join(_braces(found) for found in joined)
        return Code(
            tables=(f"static const sima_grid {self.named(name)} = {{{len(sizes)}, {_braces(sizes)}, {{{texts}}}}};",)
        )

    def named(self, name: str) -> str:
        """The C name of one of the node's tables."""
        return f"{self.prefix}_{name}"

    def at(self, name: str) -> str:
        """The address of a grid or another record."""
        return f"&{self.named(name)}"


def _braces(values: Iterable[object]) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


def broadcast_steps(shape: Sequence[int], target: Sequence[int]) -> tuple[int, ...]:
    """Steps of an operand along the axes of the shape that it is spread to: 0 where it is spread."""
    missing = len(target) - len(shape)
    own = [0 if size == 1 else step for size, step in zip(shape, steps(shape), strict=True)]
    return (0,) * missing + tuple(own)


def _joined(sizes: Sequence[int], operands: list[Sequence[int]]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The same walk with fewer axes: none of size 1, neighbours as one where every operand runs on across them."""
    kept: list[tuple[int, tuple[int, ...]]] = []
    for axis, size in enumerate(sizes):
        found = tuple(operand[axis] for operand in operands)
        if size == 1:
            continue
        if kept and all(before == step * size for before, step in zip(kept[-1][1], found, strict=True)):
            kept[-1] = (kept[-1][0] * size, found)
        else:
            kept.append((size, found))
    kept = kept or [(1, (0,) * len(operands))]
    return tuple(size for size, _ in kept), [tuple(found[place] for _, found in kept) for place in range(len(operands))]


def lines_of(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    """Values in front of an axis, along it and behind it."""
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])


def real(value: float) -> str:
    """A float32 as C writes it, exactly."""
    number = np.float32(value)
    if not np.isfinite(number):
        return "SIMA_NAN" if np.isnan(number) else "-SIMA_INFINITY" if number < 0 else "SIMA_INFINITY"
    return f"{float(number).hex()}f"


def first_of(value: Array) -> Any:
    """The number that a constant of one value holds."""
    return value.reshape(-1)[0]


Lowering = Callable[[Site], Code]
