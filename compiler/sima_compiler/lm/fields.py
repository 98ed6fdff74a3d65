"""The alphabet of `.lm`: how one value of each kind becomes bytes and comes back.

In: a Python value and a growing bytearray, or a `Cursor` over bytes. Out: bytes appended, or the value. Always holds:
``read(write(v)) == v``, every value has exactly one encoding, and nothing is allocated before the bytes that it
claims to need are known to be there. A value that does not fit its kind is `InternalError` when written (a stage broke
its promise) and `LmError` when read (the file is damaged).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from sima_compiler.errors import InternalError, LmError

#: Largest value of an unsigned number: 7 groups of 7 bits.
UINT_LIMIT = (1 << 49) - 1
UINT_BYTES = 7


class Cursor:
    """A reading position in ``data[start:end]``; ``where`` opens every error's sentence."""

    __slots__ = ("data", "end", "position", "where")

    def __init__(self, data: bytes, start: int, end: int, where: str) -> None:
        self.data = data
        self.position = start
        self.end = end
        self.where = where

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return self.end - self.position

    def fail(self, sentence: str) -> LmError:
        """An error that names the place."""
        return LmError(f"{self.where}, byte {self.position}: {sentence}", hint="the file is damaged: build it again")

    def byte(self) -> int:
        """The next byte."""
        if self.position >= self.end:
            raise self.fail("the section ends in the middle of a value")
        value = self.data[self.position]
        self.position += 1
        return value

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if count > self.remaining:
            raise self.fail(f"a value claims {count} bytes, {self.remaining} are left")
        self.position += count
        return self.data[self.position - count : self.position]

    def uint(self) -> int:
        """The next unsigned number (see `Uint`)."""
        value = self.byte()
        if value < 0x80:
            return value
        value &= 0x7F
        for group in range(1, UINT_BYTES):
            byte = self.byte()
            value |= (byte & 0x7F) << (7 * group)
            if byte < 0x80:
                if byte == 0:
                    raise self.fail("a number is written with more bytes than it needs")
                return value
        raise self.fail(f"a number is longer than {UINT_BYTES} bytes")


def write_uint(out: bytearray, value: int) -> None:
    """Append an unsigned number: 7 bits per byte, lowest first, the top bit set on all bytes but the last."""
    if not 0 <= value <= UINT_LIMIT:
        raise InternalError(f"encode: {value} is not an unsigned number up to {UINT_LIMIT}")
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


class Kind(Protocol):
    """One way to write a value; ``label`` names it in the documentation."""

    @property
    def label(self) -> str:
        """Its name in the documentation."""
        ...

    def write(self, out: bytearray, value: Any) -> None:
        """Append ``value``."""
        ...

    def read(self, cursor: Cursor) -> Any:
        """The next value."""
        ...


@dataclass(frozen=True, slots=True)
class Uint:
    """Unsigned number, 1 to 7 bytes."""

    label: str = "uint"

    def write(self, out: bytearray, value: int) -> None:
        """Append ``value``."""
        write_uint(out, value)

    def read(self, cursor: Cursor) -> int:
        """The next value."""
        return cursor.uint()


@dataclass(frozen=True, slots=True)
class Int:
    """Signed number: 2 v for v >= 0 and -2 v - 1 below, as an unsigned number."""

    label: str = "int"

    def write(self, out: bytearray, value: int) -> None:
        """Append ``value``."""
        write_uint(out, 2 * value if value >= 0 else -2 * value - 1)

    def read(self, cursor: Cursor) -> int:
        """The next value."""
        folded = cursor.uint()
        return -(folded + 1) // 2 if folded & 1 else folded // 2


@dataclass(frozen=True, slots=True)
class Index:
    """A place in a table as a signed number; -1 in the file, None here, for no place."""

    label: str = "int"

    def write(self, out: bytearray, value: int | None) -> None:
        """Append ``value``."""
        Int().write(out, -1 if value is None else value)

    def read(self, cursor: Cursor) -> int | None:
        """The next value; a place below -1 is left to whoever knows the table."""
        value = Int().read(cursor)
        return None if value == -1 else value


@dataclass(frozen=True, slots=True)
class Int8:
    """One byte, two's complement."""

    label: str = "int8"

    def write(self, out: bytearray, value: int) -> None:
        """Append ``value``."""
        if not -128 <= value <= 127:
            raise InternalError(f"encode: {value} does not fit int8")
        out.append(value & 0xFF)

    def read(self, cursor: Cursor) -> int:
        """The next value."""
        value = cursor.byte()
        return value - 256 if value > 127 else value


@dataclass(frozen=True, slots=True)
class Bool:
    """One byte, 0 or 1."""

    label: str = "bool"

    def write(self, out: bytearray, value: bool) -> None:
        """Append ``value``."""
        out.append(1 if value else 0)

    def read(self, cursor: Cursor) -> bool:
        """The next value."""
        value = cursor.byte()
        if value > 1:
            raise cursor.fail(f"a flag is 0 or 1, found {value}")
        return value == 1


@dataclass(frozen=True, slots=True)
class Float32:
    """IEEE 754 single precision, little-endian, finite."""

    label: str = "float32"

    def write(self, out: bytearray, value: float) -> None:
        """Append ``value``."""
        try:
            packed = struct.pack("<f", value)
        except OverflowError as error:
            raise InternalError(f"encode: {value!r} does not fit float32") from error
        if struct.unpack("<f", packed)[0] != value or not math.isfinite(value):
            raise InternalError(f"encode: {value!r} is not a finite float32 value")
        out += packed

    def read(self, cursor: Cursor) -> float:
        """The next value."""
        value: float = struct.unpack("<f", cursor.take(4))[0]
        if not math.isfinite(value):
            raise cursor.fail("a number is not finite")
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """UTF-8 after its length in bytes (uint)."""

    limit: int = 4096

    @property
    def label(self) -> str:
        """Its name in the documentation."""
        return f"text, up to {self.limit} bytes"

    def write(self, out: bytearray, value: str) -> None:
        """Append ``value``."""
        encoded = value.encode("utf-8")
        if len(encoded) > self.limit:
            raise InternalError(f"encode: a text of {len(encoded)} bytes, the limit is {self.limit}: {value[:60]!r}")
        write_uint(out, len(encoded))
        out += encoded

    def read(self, cursor: Cursor) -> str:
        """The next value."""
        size = cursor.uint()
        if size > self.limit:
            raise cursor.fail(f"a text of {size} bytes, the limit is {self.limit}")
        try:
            return cursor.take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise cursor.fail("a text is not UTF-8") from error


@dataclass(frozen=True, slots=True)
class Choice:
    """One byte: the position in ``members``."""

    members: tuple[Enum, ...]

    @property
    def label(self) -> str:
        """Its name in the documentation."""
        return "one of " + ", ".join(f"{index} {member.value}" for index, member in enumerate(self.members))

    def write(self, out: bytearray, value: Enum) -> None:
        """Append ``value``."""
        out.append(self.members.index(value))

    def read(self, cursor: Cursor) -> Enum:
        """The next value."""
        index = cursor.byte()
        if index >= len(self.members):
            raise cursor.fail(f"a choice of {len(self.members)} has no entry {index}")
        return self.members[index]


@dataclass(frozen=True, slots=True)
class Many:
    """A count (uint) and that many values."""

    kind: Kind
    limit: int = UINT_LIMIT

    @property
    def label(self) -> str:
        """Its name in the documentation."""
        bound = "" if self.limit == UINT_LIMIT else f", up to {self.limit}"
        return f"count (uint{bound}), then each: {self.kind.label}"

    def write(self, out: bytearray, value: tuple[Any, ...]) -> None:
        """Append ``value``."""
        if len(value) > self.limit:
            raise InternalError(f"encode: {len(value)} values, the limit is {self.limit}")
        write_uint(out, len(value))
        for item in value:
            self.kind.write(out, item)

    def read(self, cursor: Cursor) -> tuple[Any, ...]:
        """The next value."""
        count = cursor.uint()
        if count > min(self.limit, cursor.remaining):
            raise cursor.fail(f"a list claims {count} values, {cursor.remaining} bytes are left")
        return tuple(self.kind.read(cursor) for _ in range(count))


@dataclass(frozen=True, slots=True)
class Exactly:
    """A fixed number of values, one after the other."""

    kind: Kind
    count: int

    @property
    def label(self) -> str:
        """Its name in the documentation."""
        return f"{self.count} x {self.kind.label}"

    def write(self, out: bytearray, value: tuple[Any, ...]) -> None:
        """Append ``value``."""
        if len(value) != self.count:
            raise InternalError(f"encode: {len(value)} values where {self.count} belong")
        for item in value:
            self.kind.write(out, item)

    def read(self, cursor: Cursor) -> tuple[Any, ...]:
        """The next value."""
        return tuple(self.kind.read(cursor) for _ in range(self.count))


@dataclass(frozen=True, slots=True)
class Maybe:
    """One byte, 0 for absent (None) or 1, and then the value."""

    kind: Kind

    @property
    def label(self) -> str:
        """Its name in the documentation."""
        return f"flag byte, then if 1: {self.kind.label}"

    def write(self, out: bytearray, value: Any) -> None:
        """Append ``value``."""
        out.append(0 if value is None else 1)
        if value is not None:
            self.kind.write(out, value)

    def read(self, cursor: Cursor) -> Any:
        """The next value."""
        return self.kind.read(cursor) if Bool().read(cursor) else None


@dataclass(frozen=True, slots=True)
class Field:
    """A named part of a record; ``doc`` is the sentence that the documentation shows."""

    name: str
    kind: Kind
    doc: str


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of a dataclass in its own order, one after the other, without gaps."""

    name: str
    build: Callable[..., Any]
    doc: str
    fields: tuple[Field, ...]

    @property
    def label(self) -> str:
        """Its name in the documentation."""
        return f"[{self.name}](#{self.name.lower()})"

    def write(self, out: bytearray, value: Any) -> None:
        """Append ``value``."""
        for field in self.fields:
            try:
                field.kind.write(out, getattr(value, field.name))
            except InternalError as error:
                raise InternalError(f"{error.message} (in {self.name}.{field.name})") from error

    def read(self, cursor: Cursor) -> Any:
        """The next value."""
        return self.build(*[field.kind.read(cursor) for field in self.fields])
