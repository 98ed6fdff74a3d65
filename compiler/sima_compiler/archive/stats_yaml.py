"""The forgiving way to read `*_mla_stats.yaml`: any YAML spelling of the same layers, event by event.

In: text. Out: `StatsColumns`, one value per layer and the line where each begins. ``watch`` is called every so many
events and may raise: a large file of this kind takes seconds, and nobody reads on for one who left.
Always holds: memory grows with the layers only, because no tree is built; aliases, anchors, tags, merge keys and deep
nesting are refused, so no text can expand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from sima_compiler.archive.gunzip import Watch
from sima_compiler.errors import SchemaError

#: Largest id and cycle; the sum over every segment of an archive still fits a signed 64-bit column.
LARGEST = 10**15 - 1
#: Deepest nesting of an unknown key's value.
DEEPEST = 64

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.resolver.Resolver()
# A whole number, also as a tool writes it that keeps cycles in floating point: 7943.0.
_WHOLE = re.compile(r"([+-]?(?:0|[1-9][0-9]*))(?:\.0*)?")
_TEXT_TAG = "tag:yaml.org,2002:str"
_KEYS = ("name", "start_cycle", "end_cycle")
#: Events between two calls of ``watch``: some 20 ms, and a call costs nothing beside them.
_WATCHED_EVENTS = 2048
_NOTHING = re.compile(r"~|null|Null|NULL|")


@dataclass(slots=True)
class StatsColumns:
    """What the parser collects: one value per layer in file order, and the line (from 1) of its key."""

    ids: list[int] = field(default_factory=list[int])
    names: list[str] = field(default_factory=list[str])
    starts: list[int] = field(default_factory=list[int])
    ends: list[int] = field(default_factory=list[int])
    lines: list[int] = field(default_factory=list[int])


def is_plain_text(value: str) -> bool:
    """Whether a YAML reader takes this unquoted scalar for a text and not for a number, a date or a truth value."""
    return _RESOLVER.resolve(yaml.ScalarNode, value, (True, False)) == _TEXT_TAG


def parse_columns(text: bytes | str, entry: str, watch: Watch) -> StatsColumns:
    """Columns of a stats text in any YAML spelling.

    Raises:
        SchemaError: not UTF-8, not YAML, not one mapping of layers, or a value of the wrong kind; with the line. And
            what ``watch`` raises.
    """
    decoded = _decode(text, entry)
    try:
        return _Parser(_watched(yaml.parse(decoded, Loader=_LOADER), watch), entry).document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SchemaError(f"{entry}, line {line}: not YAML: {error.problem}", entry=entry) from error
    except yaml.YAMLError as error:
        raise SchemaError(f"{entry}: not YAML: {error}", entry=entry) from error


def _watched(events: Iterable[yaml.Event], watch: Watch) -> Iterator[yaml.Event]:
    for number, event in enumerate(events):
        if number % _WATCHED_EVENTS == 0:
            watch()
        yield event


def _decode(text: bytes | str, entry: str) -> str:
    try:
        return text.decode("utf-8") if isinstance(text, bytes) else text.encode("utf-8").decode("utf-8")
    except UnicodeError as error:
        position = error.start if isinstance(error, (UnicodeDecodeError, UnicodeEncodeError)) else 0
        line = text[:position].count(b"\n" if isinstance(text, bytes) else "\n") + 1  # type: ignore[arg-type]
        raise SchemaError(f"{entry}, line {line}: not valid UTF-8", entry=entry) from error


class _Parser:
    """A walk over YAML events with one method per level of the grammar."""

    def __init__(self, events: Iterator[yaml.Event], entry: str) -> None:
        self._events = events
        self._entry = entry
        self._columns = StatsColumns()

    def document(self) -> StatsColumns:
        self._next()  # start of the stream
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise SchemaError(f"{self._entry}: the file is empty", entry=self._entry)
        start = self._next()
        if isinstance(start, yaml.SequenceStartEvent):
            self._list()
        elif isinstance(start, yaml.MappingStartEvent):
            for key in self._keys():
                self._layer(self._whole_number(key, "layer id"), key, self._next())
        else:
            raise self._error(start, "expected a mapping from layer ids to layers, or a list of layers")
        self._next()  # end of the document
        following = self._next()
        if not isinstance(following, yaml.StreamEndEvent):
            raise self._error(following, "a second document; expected one")
        return self._columns

    def _list(self) -> None:
        """Layers with a key ``id`` each, or without: then each has the number behind the one before it, from 1."""
        while not isinstance(item := self._next(), yaml.SequenceEndEvent):
            following = self._columns.ids[-1] + 1 if self._columns.ids else 1
            self._layer(following, item, item, in_list=True)

    def _layer(self, layer_id: int, key: yaml.Event, start: yaml.Event, *, in_list: bool = False) -> None:
        if not isinstance(start, yaml.MappingStartEvent):
            raise self._error(start, f"layer {layer_id}: expected a mapping with {', '.join(_KEYS)}")
        values: dict[str, Any] = {}
        seen: set[str] = set()
        for event in self._keys():
            name = self._key_text(event, layer_id)
            if name in seen:
                raise self._error(event, f"layer {layer_id}: the key {name!r} appears twice")
            seen.add(name)
            if in_list and name == "id":
                layer_id = self._whole_number(self._next(), "layer id")
            else:
                self._value(name, layer_id, values)
        self._append(layer_id, values, key)

    def _append(self, layer_id: int, values: dict[str, Any], key: yaml.Event) -> None:
        """A layer without an end has no length; one without any cycle stands where the layer before it ended."""
        columns = self._columns
        start, end = values.get("start_cycle"), values.get("end_cycle")
        if "name" not in values or (start is None and end is not None):
            missing = "start_cycle" if "name" in values else "name"
            raise self._error(key, f"layer {layer_id}: missing {missing}")
        if start is None:
            start = columns.ends[-1] + 1 if columns.ends else 0
        columns.ids.append(layer_id)
        columns.names.append(values["name"])
        columns.starts.append(start)
        columns.ends.append(start - 1 if end is None else end)
        columns.lines.append(key.start_mark.line + 1)

    def _value(self, name: str, layer_id: int, values: dict[str, Any]) -> None:
        event = self._next()
        if name == "name":
            values[name] = self._text(event, layer_id)
        elif name in _KEYS:
            if not _is_nothing(event):
                values[name] = self._whole_number(event, f"layer {layer_id}: {name}", -1 if name == "end_cycle" else 0)
        else:
            self._skip(event)

    def _keys(self) -> Iterator[yaml.Event]:
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            yield event

    def _key_text(self, event: yaml.Event, layer_id: int) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.value == "<<":
            raise self._error(event, f"layer {layer_id}: keys must be plain texts")
        return event.value

    def _text(self, event: yaml.Event, layer_id: int) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, f"layer {layer_id}: name must be a text")
        if event.implicit[0] and not is_plain_text(event.value):
            raise self._error(event, f"layer {layer_id}: name must be a text, found {event.value or 'nothing'}")
        return event.value

    def _whole_number(self, event: yaml.Event, what: str, smallest: int = 0) -> int:
        """Plain or quoted, as an integer or as a decimal without a fraction."""
        found = _WHOLE.fullmatch(event.value) if isinstance(event, yaml.ScalarEvent) else None
        if found is None:
            shown = repr(event.value)[:40] if isinstance(event, yaml.ScalarEvent) else "a collection"
            raise self._error(event, f"{what} must be a whole number, found {shown}")
        if len(found[1]) > 20 or not smallest <= int(found[1]) <= LARGEST:
            raise self._error(event, f"{what} must lie in 0..{LARGEST}, found {found[1][:30]}")
        return int(found[1])

    def _skip(self, event: yaml.Event) -> None:
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise self._error(event, f"nested deeper than {DEEPEST}")
            if depth == 0:
                return
            event = self._next()

    def _next(self) -> yaml.Event:
        event = next(self._events)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._error(event, "anchors and aliases are not allowed")
        if getattr(event, "tag", None) is not None:
            raise self._error(event, "tags are not allowed")
        return event

    def _error(self, event: yaml.Event, sentence: str) -> SchemaError:
        return SchemaError(f"{self._entry}, line {event.start_mark.line + 1}: {sentence}", entry=self._entry)


def _is_nothing(event: yaml.Event) -> bool:
    """An absent value: ``end_cycle:`` or ``end_cycle: null``."""
    return isinstance(event, yaml.ScalarEvent) and event.implicit[0] and _NOTHING.fullmatch(event.value) is not None
