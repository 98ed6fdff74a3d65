"""The report's committed schema, judged by the jsonschema package."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sima_compiler.archive.report import REPORT_SCHEMA_VERSION, dump_report, parse_report, report_schema

STALLS = {"weights": 1, "input": 2, "output": 3, "instruction": 4, "dependency": 5}


def sample() -> dict[str, Any]:
    layer = {
        "id": 1, "name": "MLA_0/conv2d_0", "operator": "conv2d", "segment": "MLA_0", "sources": ["Conv_0"],
        "compute_cycles": 85, "runtime_cycles": 100, "stall_cycles": STALLS, "macs": 1000, "utilization": 0.5,
        "bound_by": "compute", "intervals": [[0, 84]], "weight_bytes": 9, "stored_weight_bytes": 8,
        "input_bytes": 7, "output_bytes": 6,
    }  # fmt: skip
    built = {
        "batch_size": 1, "feasible": True, "status": "scheduled", "peak_on_chip_bytes": 100, "cycles": 100,
        "cycles_per_sample": 100.0, "samples_per_second": 1e7, "limiting_layer": "MLA_0/conv2d_0",
        "limiting_tensors": ["x"], "spilled": [], "reason": "fits", "levers": [],
    }  # fmt: skip
    refused = built | {
        "batch_size": 2, "feasible": False, "status": "does_not_fit", "cycles": None, "cycles_per_sample": None,
        "samples_per_second": None, "limiting_layer": None, "levers": ["fewer channels"],
    }  # fmt: skip
    return {
        "schema_version": REPORT_SCHEMA_VERSION, "name": "net",
        "machine": {"name": "mlsoc", "clock_mhz": 1000, "quads": 4},
        "desired_batch_size": 2, "actual_batch_size": 1, "reason": "two do not fit", "compress": True,
        "compute_cycles": 85, "runtime_cycles": 100, "bound_cycles": 40, "padded_bound_cycles": 50, "efficiency": 0.4,
        "stall_cycles": STALLS, "layers": [layer], "candidates": [built, refused],
        "placements": [{"node": "Conv_0", "operator": "conv2d", "processor": "MLA", "reason": "has a kernel"}],
        "memory_map": [{"name": "x", "kind": "activation", "address": 0, "bytes": 7, "first": 0, "last": 3}],
        "dram": {"weights_raw_bytes": 9, "weights_stored_bytes": 8, "loaded_bytes": 15, "stored_bytes": 6},
        "cut": [], "warnings": [],
    }  # fmt: skip


def is_valid(report: dict[str, Any]) -> bool:
    return Draft202012Validator(report_schema()).is_valid(report)


def test_the_schema_is_a_schema_and_takes_a_report() -> None:
    Draft202012Validator.check_schema(report_schema())
    Draft202012Validator(report_schema()).validate(sample())
    assert parse_report(dump_report(sample())) == sample()


def test_a_newer_minor_version_with_new_keys_is_valid() -> None:
    newer: dict[str, Any] = sample() | {"schema_version": "1.12", "carbon": {"grams": 3}}
    newer["layers"][0]["colour"] = "red"
    assert is_valid(newer)
    assert not is_valid(sample() | {"schema_version": "2.0"})


@pytest.mark.parametrize("key", sorted(sample()))
def test_every_key_is_required(key: str) -> None:
    report = sample()
    del report[key]
    assert not is_valid(report)


@pytest.mark.parametrize("part", ["layers", "candidates", "placements", "memory_map"])
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
