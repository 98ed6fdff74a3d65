"""Whole networks: the on-chip peak of a compile equals the most bytes that live at one step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sima_compiler import Model
from sima_compiler.archive.reader import Archive
from sima_compiler.errors import OptionError
from sima_compiler.machine.description import Machine
from sima_compiler.pipeline import ConstantStore, Plan, Target, lower, plan
from sima_compiler.stages.allocate import problem_of
from sima_compiler.stages.allocation.solution import Solution
from sima_compiler.stages.allocation.validator import validate

WITHOUT_ORTOOLS = """
import sys
from pathlib import Path
sys.modules["ortools"] = None  # an import of it fails as if it were not installed
from sima_compiler import Model
from sima_compiler.errors import OptionError
model = Model.load(Path(sys.argv[1]).name, Path(sys.argv[1]).parent)
model.compile(sys.argv[2], batch_size=2)
try:
    model.compile(sys.argv[2], batch_size=2, exact=True)
except OptionError as error:
    assert "pip install 'sima-nb[exact]'" in str(error)
else:
    raise AssertionError("exact without OR-Tools must be refused")
"""
MLSOC = Machine.load("mlsoc")
NETWORKS = ("light_resnet50", "mobilenet_v2", "light_squeezenet", "yolo_style", "unet")


def planned(model: Model, *, batch: int = 1, exact: bool = False) -> Plan:
    (segment,) = lower(model.graph, MLSOC).segments
    found = plan(segment, Target(MLSOC, MLSOC.quads, True, exact), batch, ConstantStore(compress=True))
    assert isinstance(found, Plan), found
    return found


def most_live_bytes(found: Plan) -> int:
    buffers = found.memory.tiling.buffers
    return max(sum(b.bytes for b in buffers if b.first <= step <= b.last) for step in {b.first for b in buffers})


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_compile_reaches_the_bound_without_ortools(quantized_networks, name: str, batch: int) -> None:
    found = planned(quantized_networks(name), batch=batch)
    memory = found.memory
    problem = problem_of(memory.tiling, memory.capacity)
    assert memory.peak == memory.lower_bound == most_live_bytes(found)
    assert not validate(problem, Solution(memory.addresses, memory.peak))


@pytest.mark.parametrize(
    ("name", "batch"),
    [("yolo_style", 1), ("yolo_style", 4), ("unet", 1), ("unet", 4), ("light_resnet50", 1), ("mobilenet_v2", 1)],
)
def test_the_exact_solver_reaches_the_bound(quantized_networks, name: str, batch: int) -> None:
    found = planned(quantized_networks(name), batch=batch, exact=True)
    assert found.memory.peak == found.memory.lower_bound == most_live_bytes(found)


def test_exact_allocation_leaves_the_interrupt_key_to_python(quantized_networks) -> None:
    """OR-Tools installs a handler of its own unless told not to, and takes it away together with Python's."""
    before = signal.getsignal(signal.SIGINT)
    planned(quantized_networks("unet_small"), exact=True)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_report_states_peak_and_bound(quantized_networks, tmp_path: Path) -> None:
    model = quantized_networks("unet_small")
    report = Archive.open(model.compile(str(tmp_path)).path).report
    (memory,) = report.segments
    assert memory.on_chip_bytes == MLSOC.sram_bytes(MLSOC.quads)
    assert memory.lower_bound_bytes is not None
    assert memory.peak_bytes is not None
    assert memory.lower_bound_bytes <= memory.peak_bytes <= MLSOC.sram_bytes(MLSOC.quads)
    assert memory.peak_bytes == max(row.address + row.bytes for row in report.memory_map)


def test_an_installed_ortools_changes_no_byte(quantized_networks, tmp_path: Path) -> None:
    here, there = tmp_path / "with", tmp_path / "without"
    here.mkdir()
    there.mkdir()
    path = quantized_networks("unet_small").compile(str(here), batch_size=2).path
    command = [sys.executable, "-c", WITHOUT_ORTOOLS, str(quantized_networks.path("unet_small")), str(there)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "compiler")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert (there / path.name).read_bytes() == path.read_bytes()


def test_exact_must_be_true_or_false(quantized_networks, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="exact is 'yes'"):
        quantized_networks("unet_small").compile(str(tmp_path), exact="yes")
