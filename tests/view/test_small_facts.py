"""Values of records that others build on: small, and wrong at once where one sign or place is."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from sima_compiler.obstacle import Obstacle
from sima_compiler.view.advice.replay import Changed, recovered_cycles
from sima_compiler.view.check import CheckReport, ModelKind, check_markup
from sima_compiler.view.records import Layer, View
from sima_compiler.view.text import tree_text


def record(kind: type, **values: Any) -> Any:
    """A record with these values, and None or nothing for the others that must be given."""
    required = {field.name: None for field in fields(kind)}
    made = object.__new__(kind)
    for name, value in {**required, **values}.items():
        object.__setattr__(made, name, value)
    return made


@pytest.mark.parametrize(("compute", "runtime", "cycles"), [(5, 7, 7), (5, None, 5), (None, None, 0), (5, 0, 0)])
def test_a_layers_cycles_are_those_of_the_run_where_it_is_recorded(
    compute: int | None, runtime: int | None, cycles: int
) -> None:
    assert record(Layer, compute_cycles=compute, runtime_cycles=runtime).cycles == cycles


def test_nothing_is_recovered_by_no_change_and_never_less_than_nothing() -> None:
    view = record(View, machine=SimpleNamespace(dram_bytes_per_cycle=2))
    layers = [record(Layer, id=1, compute_cycles=100, loaded_bytes=20, blocks=2)]
    assert recovered_cycles(view, layers, {}) == 0
    assert recovered_cycles(view, layers, {1: Changed(-10.0)}) == 0
    assert recovered_cycles(view, layers, {1: Changed(30.0)}) == 30
    assert (
        recovered_cycles(view, layers, {1: Changed(95.0)}) == 100 - 12
    )  # its loads take 10 and half of it comes behind


def test_obstacles_that_are_alike_are_told_with_the_hint_of_the_first() -> None:
    alike = {"found": "is odd", "operator": "Conv", "rule": "even"}
    obstacles = (
        Obstacle(node="a", hint="cut there: --cut-at a", **alike),
        Obstacle(node="b", hint="cut there: --cut-at b", **alike),
    )
    kind = next(iter(ModelKind))
    report = CheckReport("m.onnx", kind, compiles=False, verdict="no", obstacles=obstacles, nodes=2, macs=None)
    text = str(check_markup(report))
    assert "--cut-at a" in text
    assert "--cut-at b" not in text
    assert "2 nodes a, b" in text


def test_sizes_of_files_stand_below_each_other() -> None:
    files = [SimpleNamespace(name="a.so", bytes=1), SimpleNamespace(name="a_long_name.lm", bytes=2)]
    lines = tree_text(record(View, files=files, path="x/net_mpk.tar.gz", name="net")).splitlines()
    assert lines[0] == "net_mpk.tar.gz"
    assert len(lines[1]) == len(lines[2])
    assert lines[1].endswith("1 bytes") or lines[1].endswith("1 byte")
