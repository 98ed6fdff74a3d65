"""Older layouts of the compile report in the form of the present one.

In: a parsed report and its major version. Out: the same facts under the present keys. What an older layout did not
record stays absent, and is never made up.
"""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

_TENSOR = re.compile(r"(.+) \(([\d,]+) bytes\)", re.DOTALL)


def upgraded(report: Json, major: int) -> Json:
    """``report`` of that major version under the present keys."""
    return _from_1(report) if major == 1 else report


def _from_1(report: Json) -> Json:
    """Layout 1: tensors and levers as sentences, one segment, and DRAM sizes of two different things."""
    changed = {
        "candidates": _rows(report.get("candidates"), _candidate_1),
        "memory_map": _rows(report.get("memory_map"), _buffer_1),
        "segments": _segments_1(report),
        "layers": _rows(report.get("layers"), _layer_1),
        "dram": _dram_1(report.get("dram")),
    }
    kept = {key: value for key, value in report.items() if key not in {"memory", *changed}}
    return kept | {key: value for key, value in changed.items() if value is not None}


def _rows(rows: Any, change: Any) -> Any:
    """Every row changed; whatever is no list of objects is left for the decoder to refuse."""
    if not isinstance(rows, list):
        return rows
    return [change(row) if isinstance(row, dict) else row for row in rows]


def _candidate_1(row: Json) -> Json:
    tensors, levers = row.get("limiting_tensors"), row.get("levers")
    if isinstance(tensors, list):
        row = row | {"limiting_tensors": [_tensor_1(text) for text in tensors]}
    if isinstance(levers, list):
        row = row | {"levers": [{"text": text} for text in levers]}
    return row


def _tensor_1(text: Any) -> Any:
    """``"t3 (1,024 bytes)"`` as data."""
    found = _TENSOR.fullmatch(text) if isinstance(text, str) else None
    return {"name": found[1], "bytes": int(found[2].replace(",", ""))} if found else {"name": text}


def _layer_1(row: Json) -> Json:
    """``stored_weight_bytes`` were the stored blocks of constants, not the weights alone."""
    names = {"stored_weight_bytes": "stored_parameter_bytes"}
    return {names.get(key, key): value for key, value in row.items()}


def _buffer_1(row: Json) -> Json:
    """``first`` and ``last`` were steps; their cycles are not recorded."""
    names = {"first": "first_step", "last": "last_step"}
    return {names.get(key, key): value for key, value in row.items()}


def _segments_1(report: Json) -> list[Json] | None:
    """There was one MLA segment, named by its layers."""
    layers, memory = report.get("layers"), report.get("memory")
    first = layers[0] if isinstance(layers, list) and layers else None
    if not isinstance(first, dict) or not isinstance(first.get("segment"), str):
        return None
    times = {key: report[key] for key in ("compute_cycles", "runtime_cycles") if key in report}
    sizes: Json = {}
    if isinstance(memory, dict):
        names = {"capacity_bytes": "on_chip_bytes", "peak_bytes": "peak_bytes"}
        names |= {"lower_bound_bytes": "lower_bound_bytes"}
        sizes = {names[key]: value for key, value in memory.items() if key in names}
    return [{"name": first["segment"], "processor": "MLA", "start_cycle": 0, **times, **sizes}]


def _dram_1(dram: Any) -> Any:
    if not isinstance(dram, dict):
        return dram
    names = {"weights_raw_bytes": "weight_bytes", "weights_stored_bytes": "stored_parameter_bytes"}
    return {names.get(key, key): value for key, value in dram.items()}
