"""One node with what it reads, as the rules see it.

In: a `HostNode` and its operands' shapes, types and constant values. Out: checked attributes and operands. Always: what
does not fit raises `HostError` with the demand and what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sima_compiler.errors import HostError
from sima_compiler.ir.host import Array, Dtype, HostNode

FLOATS = frozenset({Dtype.FLOAT32})
INTEGERS = frozenset({Dtype.INT64, Dtype.INT32})
INDICES = INTEGERS
NUMBERS = FLOATS | INTEGERS
BYTES = frozenset({Dtype.UINT8, Dtype.INT8})
BOOLS = frozenset({Dtype.BOOL})
ANY = frozenset(Dtype)


@dataclass(frozen=True, slots=True)
class Value:
    """One operand or result; ``constant`` is its value where it is known."""

    shape: tuple[int, ...]
    dtype: Dtype
    constant: Array | None = None

    @property
    def rank(self) -> int:
        """How many axes."""
        return len(self.shape)


@dataclass(frozen=True, slots=True)
class Use:
    """``inputs`` are the node's operands, None where one is left out."""

    node: HostNode
    inputs: tuple[Value | None, ...]

    def fault(self, sentence: str) -> HostError:
        """An error of this node."""
        place = f"{self.node.op} {self.node.source or '/'.join(self.node.outputs)!r}"
        return HostError(
            f"{place}: {sentence}", hint="`sima_compiler.ir.host_rules` says what each host operator takes"
        )

    def require(self, holds: bool, sentence: str) -> None:
        """Refuses the node unless ``holds``."""
        if not holds:
            raise self.fault(sentence)

    def arity(self, least: int, most: int | None = None, outputs: int = 1) -> None:
        """So many operands and at most so many results."""
        count, most = len(self.inputs), least if most is None else most
        self.require(least <= count <= most, f"{count} operands, where it takes {least} to {most}")
        self.require(1 <= len(self.node.outputs) <= outputs, f"{len(self.node.outputs)} results of at most {outputs}")

    def knows(self, *names: str) -> None:
        """The node has none but these attributes."""
        unknown = sorted(set(self.node.attributes) - set(names))
        self.require(not unknown, f"attribute {', '.join(unknown)} is not known")

    def has(self, index: int) -> bool:
        """Whether an operand is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int, dtypes: Iterable[Dtype] = ANY) -> Value:
        """An operand, which must be there and of one of these types."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise self.fault(f"operand {index} is missing")
        allowed = tuple(dtypes)
        names = ", ".join(sorted(allowed))
        self.require(found.dtype in allowed, f"operand {index} is {found.dtype}, where {names} is taken")
        return found

    def constant(self, index: int, dtypes: Iterable[Dtype] = INDICES) -> Array:
        """The value of an operand, which must be a constant."""
        found = self.value(index, dtypes)
        if found.constant is None:
            raise self.fault(f"operand {index} determines the shape of the result, so it has to be a constant")
        return found.constant

    def integers(self, index: int) -> tuple[int, ...] | None:
        """A constant list of integers; None where the operand is left out."""
        return tuple(int(item) for item in self.constant(index).reshape(-1)) if self.has(index) else None

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        found = self.node.attributes.get(name, default)
        if not isinstance(found, int):
            raise self.fault(f"attribute {name} is {found!r}, not an integer")
        return found

    def number(self, name: str, default: float) -> float:
        """A real attribute."""
        found = self.node.attributes.get(name, default)
        if not isinstance(found, int | float):
            raise self.fault(f"attribute {name} is {found!r}, not a number")
        return float(found)

    def text(self, name: str, default: str, choices: Sequence[str]) -> str:
        """A text attribute, one of ``choices``."""
        found = self.node.attributes.get(name, default)
        if not isinstance(found, str) or found not in choices:
            raise self.fault(f"attribute {name} is {found!r}, where {', '.join(map(repr, choices))} is taken")
        return found

    def listed(self, name: str, default: Sequence[int], count: int | None = None) -> tuple[int, ...]:
        """An attribute that lists integers, ``count`` of them if given."""
        found = self.node.attributes.get(name, tuple(default))
        if not isinstance(found, tuple) or not all(isinstance(item, int) for item in found):
            raise self.fault(f"attribute {name} is {found!r}, not a list of integers")
        self.require(count in (None, len(found)), f"attribute {name} lists {len(found)} integers, not {count}")
        return tuple(int(item) for item in found)

    def axis(self, value: int, rank: int) -> int:
        """An axis counted from the front; one from the back is negative."""
        self.require(-rank <= value < rank, f"axis {value} of {rank} axes")
        return value % rank

    def axes(self, values: Iterable[int], rank: int) -> tuple[int, ...]:
        """Distinct axes in ascending order, counted from the front."""
        found = tuple(self.axis(value, rank) for value in values)
        self.require(len(set(found)) == len(found), f"axes {found} name one twice")
        return tuple(sorted(found))

    def broadcast(self, shapes: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
        """The shape that several shapes meet in, as ONNX and numpy broadcast."""
        found: tuple[int, ...] = ()
        for shape in shapes:
            found = self._met(found, shape)
        return found

    def _met(self, first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
        rank = max(len(first), len(second))
        one, other = ((1,) * (rank - len(shape)) + shape for shape in (first, second))
        met = all(a == b or 1 in (a, b) for a, b in zip(one, other, strict=True))
        self.require(met, f"shapes {first} and {second} do not broadcast")
        return tuple(b if a == 1 else a for a, b in zip(one, other, strict=True))


#: The results of a node, or an error.
Infer = Callable[[Use], tuple[Value, ...]]
