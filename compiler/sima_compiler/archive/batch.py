"""The batch size that was asked for, the one that was built, and the candidates between them.

In: a read `*_mpk.json` and, where there is one, the compile report. Out: a frozen `BatchResult`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sima_compiler.archive.mpk_document import MpkDocument
from sima_compiler.errors import SchemaError

_LISTS = ("limiting_tensors", "spilled", "levers")
_TEXTS = ("status", "limiting_layer", "reason")


@dataclass(frozen=True, slots=True)
class BatchCandidate:
    """One row of the negotiation; field names are the report's keys. Absent numbers are None."""

    batch_size: int
    feasible: bool
    status: str = ""
    peak_on_chip_bytes: int | None = None
    cycles: int | None = None
    cycles_per_sample: float | None = None
    samples_per_second: float | None = None
    limiting_layer: str | None = None
    limiting_tensors: tuple[str, ...] = ()
    spilled: tuple[str, ...] = ()
    reason: str = ""
    levers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchResult:
    """``desired`` and ``actual`` as the MLA plugins carry them, None where they do not."""

    desired: int | None
    actual: int | None
    candidates: tuple[BatchCandidate, ...] = ()
    reason: str = ""


def read_batch(mpk: MpkDocument, report: Mapping[str, Any] | None, *, entry: str = "") -> BatchResult:
    """The batch sizes of an archive; candidates and reason only where a report is given.

    Raises:
        SchemaError: the report's rows are not of the report's shape.
    """
    sizes = [(p.desired_batch_size, p.actual_batch_size) for p in mpk.plugins if p.processor == "MLA"]
    desired, actual = next((pair for pair in sizes if pair[1] is not None), (None, None))
    rows = (report or {}).get("candidates", [])
    reason = (report or {}).get("reason", "")
    if not isinstance(rows, list) or not isinstance(reason, str):
        raise SchemaError(f"{entry}: candidates must be a list and reason a text", entry=entry)
    return BatchResult(desired, actual, tuple(_candidate(row, i, entry) for i, row in enumerate(rows)), reason)


def _candidate(row: Any, index: int, entry: str) -> BatchCandidate:
    if not isinstance(row, dict) or not isinstance(row.get("batch_size"), int) or "feasible" not in row:
        raise SchemaError(f"{entry}: candidates[{index}] needs batch_size and feasible", entry=entry)
    known = {field.name for field in fields(BatchCandidate)}
    values = {key: _value(key, row[key], f"{entry}: candidates[{index}].{key}") for key in known & row.keys()}
    return BatchCandidate(**values)


def _value(key: str, value: Any, place: str) -> Any:
    """``value`` checked against the key's kind; lists become tuples of texts."""
    if key in _LISTS and isinstance(value, list):
        return tuple(str(item) for item in value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if key in _TEXTS:
        sound = isinstance(value, str) or (value is None and key == "limiting_layer")
    elif key == "feasible":
        sound = isinstance(value, bool)
    else:
        sound = key not in _LISTS and (is_number or (value is None and key != "batch_size"))
    if not sound:
        raise SchemaError(f"{place} has the wrong kind: {value!r:.60}", entry=place.split(":", maxsplit=1)[0])
    return value
