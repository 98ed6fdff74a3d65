"""The report's committed schema, judged by the jsonschema package."""

from __future__ import annotations

import copy
import json
from dataclasses import fields
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sima_compiler.archive.report import REPORT_SCHEMA_VERSION, dump_report, parse_report, report_schema
from sima_compiler.archive.report_records import (
    BatchCandidate,
    CompileReport,
    DramTraffic,
    HostLayer,
    Lever,
    LimitingTensor,
    MemoryBuffer,
    Placement,
    ReportLayer,
    ReportMachine,
    ReportSegment,
    TensorBytes,
)
from sima_compiler.errors import SchemaError, UnsupportedVersionError

STALLS = {"weights": 1, "input": 2, "output": 3, "instruction": 4, "dependency": 5}


def sample() -> dict[str, Any]:
    work = {"useful": 40, "padding": 20, "vector": 5, "start": 20}
    layer = {
        "id": 1, "name": "MLA_0/conv2d_0", "operator": "conv2d", "segment": "MLA_0", "sources": ["Conv_0"],
        "inputs": ["x"], "output": "y", "input_shapes": [[1, 2, 3, 4]], "output_shape": [1, 2, 3, 5],
        "compute_cycles": 85, "runtime_cycles": 100, "work_cycles": work, "stall_cycles": STALLS, "macs": 1000,
        "utilization": 0.5, "bound_by": "compute", "intervals": [[0, 84]], "load_intervals": [[0, 9]],
        "store_intervals": [], "weight_bytes": 9, "parameter_bytes": 12, "stored_parameter_bytes": 8,
        "input_bytes": 7, "output_bytes": 6, "loaded_bytes": 15, "stored_bytes": 0, "blocks": 1,
        "block_shape": [1, 2, 3, 5],
    }  # fmt: skip
    built = {
        "batch_size": 1, "feasible": True, "status": "scheduled", "peak_on_chip_bytes": 100, "cycles": 100,
        "cycles_per_sample": 100.0, "samples_per_second": 1e7, "limiting_layer": "MLA_0/conv2d_0",
        "limiting_tensors": [{"name": "x", "bytes": 7, "reason": "would spill to DRAM"}], "spilled": [],
        "reason": "fits", "levers": [],
    }  # fmt: skip
    lever = {
        "text": "fewer channels", "feasible": None, "largest_batch_size": None, "cycles_per_sample": None,
        "what_if": False, "samples_per_second": None, "reason": "",
    }  # fmt: skip
    refused = built | {
        "batch_size": 2, "feasible": False, "status": "does_not_fit", "cycles": None, "cycles_per_sample": None,
        "samples_per_second": None, "limiting_layer": None, "levers": [lever],
    }  # fmt: skip
    segment = {
        "name": "MLA_0", "processor": "MLA", "file": "net_stage1_mla.lm", "start_cycle": 0, "compute_cycles": 85,
        "runtime_cycles": 100, "steps": 1, "on_chip_bytes": 1000, "peak_bytes": 100, "lower_bound_bytes": 90,
        "spilled": [{"name": "x", "bytes": 7}],
    }  # fmt: skip
    buffer = {
        "name": "x", "kind": "activation", "address": 0, "bytes": 7, "segment": "MLA_0", "first_step": 0,
        "last_step": 3, "last_use_step": 2, "start_cycle": 0, "end_cycle": 84, "layers": [1],
    }  # fmt: skip
    return {
        "schema_version": REPORT_SCHEMA_VERSION, "name": "net",
        "machine": {
            "name": "mlsoc", "clock_mhz": 1000.0, "quads": 4, "macs_per_cycle": 25, "dram_bytes_per_cycle": 64,
            "on_chip_bytes": 1000, "start_cycles": 9,
        },
        "desired_batch_size": 2, "actual_batch_size": 1, "reason": "two do not fit",
        "verdict": "1 MLA segment, 1 host layer in 1 A65 segment with 0 % of the MACs: TopK 'best'", "compress": True,
        "compute_cycles": 85, "runtime_cycles": 100, "bound_cycles": 40, "bound_by": "macs",
        "padded_bound_cycles": 50, "efficiency": 0.4, "macs": 1000, "work_cycles": work, "stall_cycles": STALLS,
        "segments": [segment], "layers": [layer], "candidates": [built, refused],
        "placements": [{"node": "Conv_0", "operator": "conv2d", "processor": "MLA", "reason": "has a kernel"}],
        "host_layers": [
            {
                "node": "best", "operator": "TopK", "segment": "APU_1", "reason": "It sorts", "rule": "no sorting",
                "remedy": "", "macs": 0, "share": 0.0,
            }
        ],
        "memory_map": [buffer],
        "dram": {
            "loaded_bytes": 15, "stored_bytes": 6, "loaded_parameter_bytes": 8, "loaded_spill_bytes": 0,
            "stored_spill_bytes": 0, "instruction_bytes": 30, "weight_bytes": 9, "parameter_bytes": 12,
            "stored_parameter_bytes": 8,
        },
        "cut": [], "warnings": [],
    }  # fmt: skip


def is_valid(report: dict[str, Any]) -> bool:
    return Draft202012Validator(report_schema()).is_valid(report)


def test_the_schema_is_a_schema_and_takes_a_report() -> None:
    Draft202012Validator.check_schema(report_schema())
    Draft202012Validator(report_schema()).validate(sample())
    report = parse_report(json.dumps(sample()).encode())
    assert report.to_dict() == sample()
    assert parse_report(dump_report(report)) == report


def test_the_schema_names_the_fields_of_the_records() -> None:
    """One set of names: a field that only one of the two knows would be written and never described, or the reverse."""
    schema = report_schema()
    parts = {
        CompileReport: schema, ReportLayer: schema["$defs"]["layer"], BatchCandidate: schema["$defs"]["candidate"],
        HostLayer: schema["$defs"]["host_layer"], Placement: schema["$defs"]["placement"],
        MemoryBuffer: schema["$defs"]["buffer"],
        ReportSegment: schema["$defs"]["segment"], LimitingTensor: schema["$defs"]["limiting"],
        Lever: schema["$defs"]["lever"], TensorBytes: schema["$defs"]["tensor"],
        DramTraffic: schema["properties"]["dram"], ReportMachine: schema["properties"]["machine"],
    }  # fmt: skip
    for record, part in parts.items():
        assert [field.name for field in fields(record)] == list(part["properties"]), record
        assert sorted(part["required"]) == sorted(part["properties"]), record


@pytest.mark.parametrize("count", [-1, 1 << 53, 1.0, True, "1"])
def test_counts_that_no_reader_holds_exactly_are_refused(count: object) -> None:
    report = json.dumps({"schema_version": "2.0", "compute_cycles": count}).encode()
    with pytest.raises(SchemaError, match="compute_cycles must be a whole number"):
        parse_report(report)


def test_a_newer_minor_version_with_new_keys_is_valid() -> None:
    newer: dict[str, Any] = sample() | {"schema_version": "2.12", "carbon": {"grams": 3}}
    newer["layers"][0]["colour"] = "red"
    assert is_valid(newer)
    assert not is_valid(sample() | {"schema_version": "1.0"})


@pytest.mark.parametrize("key", sorted(sample()))
def test_every_key_is_required(key: str) -> None:
    report = sample()
    del report[key]
    assert not is_valid(report)


@pytest.mark.parametrize("part", ["layers", "segments", "candidates", "placements", "host_layers", "memory_map"])
def test_every_key_of_every_row_is_required(part: str) -> None:
    for key in sample()[part][0]:
        report = sample()
        del report[part][0][key]
        assert not is_valid(report), key


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("efficiency",), 1.01),
        (("compute_cycles",), -1),
        (("compute_cycles",), 1.5),
        (("actual_batch_size",), 0),
        (("reason",), ""),
        (("stall_cycles", "weights"), None),
        (("machine", "clock_mhz"), 0),
        (("layers", 0, "bound_by"), "magic"),
        (("layers", 0, "utilization"), 2),
        (("layers", 0, "intervals"), [[1, 2, 3]]),
        (("layers", 0, "sources"), [3]),
        (("candidates", 0, "status"), "guessed"),
        (("candidates", 0, "feasible"), "yes"),
        (("placements", 0, "processor"), "GPU"),
        (("dram", "loaded_bytes"), "1"),
    ],
)
def test_wrong_values_are_refused(path: tuple[str | int, ...], value: object) -> None:
    report: Any = copy.deepcopy(sample())
    place = report
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert not is_valid(report)


def test_nulls_and_texts_where_other_things_belong_are_one_sentence() -> None:
    """Every field of every record, once with each wrong value: read, or refused with its place; never anything else."""
    wrong = (None, "text", [], {}, -1, 0.5, True, 10**30)
    refused = 0
    for place in _places(sample()):
        for value in wrong:
            report = json.loads(json.dumps(sample()))
            holder: Any = report
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = value
            said = _refusal(json.dumps(report).encode())
            refused += bool(said)
            assert "\n" not in said
            assert not said or str(place[-1]) in said or isinstance(place[-1], int), said
    assert refused > 1000


def _refusal(data: bytes) -> str:
    """What is said against a report, nothing where it is read."""
    try:
        parse_report(data)
    except (SchemaError, UnsupportedVersionError) as error:
        return error.message
    return ""


def _places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Places of all values, of a list its first item's."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value[:1]))
    return [place for key, item in items for place in ((*above, key), *_places(item, (*above, key)))]
