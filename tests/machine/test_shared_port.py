"""A machine whose commands and transfers share one port: every judge, and time that adds up."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import onnx
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sima_compiler import Archive, DoesNotFitError, Machine, Model
from sima_compiler.lm.reader import read
from sima_compiler.machine.cost import command_work
from sima_compiler.sim.timing import replay_lm
from tests.networks.float_net import FloatNet
from tests.strategies import Drawn, networks
from tests.support.judges import assert_judges_agree
from tests.support.qdq_writer import Style, write_qdq
from tests.support.small_models import write_small_model

PORTS = ("sram_port_bytes_per_quad", "sram_read_bytes_per_quad", "sram_write_bytes_per_quad", "dram_bytes_per_cycle")
SHARED = Path(__file__).with_name("shared_port.yaml")
SETTINGS = settings(
    max_examples=25, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("seed", [1])
def test_random_networks_agree_on_every_element_and_every_cycle(tmp_path: Path, seed: int) -> None:
    slowed: list[int] = []

    @SETTINGS
    @given(networks(), st.booleans(), st.sampled_from([1, 2]))
    def check(drawn: Drawn, compress: bool, batch: int) -> None:
        try:
            verdict = assert_judges_agree(
                drawn.quantized, tmp_path, batch=batch, compress=compress, machine=str(SHARED), seed=seed
            )
        except DoesNotFitError:
            return
        slowed.append(lost_on_ports(verdict.path))

    check()
    assert len(slowed) > 15
    assert sum(lost > 0 for lost in slowed) > 2


def lost_on_ports(path: Path) -> int:
    """Cycles that commands lost to transfers, after all that must hold for an archive's time."""
    archive = Archive.open(path)
    assert archive.report is not None
    (name,) = archive.lm_files
    data = archive.read(name)
    replayed = replay_lm(data)
    assert replayed.runtime_cycles == archive.report.runtime_cycles
    assert replayed.compute_cycles + sum(replayed.stall_cycles.values()) == replayed.runtime_cycles
    for _, timing in replayed.layers:
        assert timing.compute + sum(timing.stalls.values()) == timing.runtime
    spans = [event.end - event.start for event in replayed.events if event.engine == "compute"]
    return sum(spans) - sum(timing.compute for _, timing in replayed.layers)


def test_compute_cycles_do_not_depend_on_transfers(tmp_path: Path) -> None:
    """The static schedule is that of the commands alone; what they lose on the port is a stall."""
    result = Model.from_onnx(write_small_model(tmp_path)).compile(str(tmp_path), machine=str(SHARED))
    (name,) = result.archive.lm_files
    program = read(result.archive.read(name)).program
    machine = Machine.parse(program.machine)
    works = [command_work(command, machine, program.quads) for command in program.compute]
    layers = len({command.layer for command in program.compute})
    runs = zip(pairwise(program.compute), pairwise(works), strict=True)
    common = sum(
        machine.fill_cycles + min(before.draining, work.entering)
        for (one, two), (before, work) in runs
        if one.layer == two.layer
    )
    assert result.compute_cycles == sum(work.cycles for work in works) + layers * machine.layer_sync_cycles - common
    assert common


def test_the_padded_bound_knows_how_fast_windows_are(tmp_path: Path) -> None:
    """Depthwise windows in steps of four cells and wide ports: 9 cells take 6 cycles, and the bound must not say 9.

    On a map of 24 x 24, 4 corners see 4 cells of their windows (2 cycles) and 88 edges 6 (4 cycles).
    """
    net = FloatNet(3)
    name = net.input((32, 24, 24))
    for _ in range(4):
        name = net.conv(name, 32, 3, groups=32)
    onnx.save(write_qdq(net.model([name], "windows"), 3, Style()), tmp_path / "windows.onnx")
    fast = (
        yaml.safe_load(SHARED.read_text("utf-8")) | dict.fromkeys(PORTS, 4096) | {"sram_channel_bytes_per_kilocycle": 0}
    )
    machine = tmp_path / "fast.yaml"
    machine.write_text(yaml.safe_dump(fast | {"sram_bytes_per_quad": 1 << 20}), "utf-8")
    result = Model.from_onnx(tmp_path / "windows.onnx").compile(str(tmp_path), machine=str(machine))
    vectors = 2 * 24 * 24
    chip = Machine.parse(machine.read_text("utf-8"))
    # Fetched and loaded before anything is computed, stored behind it.
    edges = 3 * (chip.dma_latency_cycles + -(-chip.dram_burst_bytes // chip.dram_bytes_per_cycle))
    work = 4 * 2 * (4 * 2 + 88 * 4 + 22 * 22 * 6) // 8
    assert result.padded_bound_cycles == work + 4 * chip.fill_cycles + edges
    assert result.padded_bound_cycles <= result.compute_cycles < 4 * (vectors // 8) * 9
