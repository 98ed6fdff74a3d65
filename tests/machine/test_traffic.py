"""What commands move on chip and how long their ports take, on numbers that anybody can add up."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from sima_compiler import Machine
from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.layers import Window
from sima_compiler.ir.program import ArrayMapping, Convolve, Fill, Operand, Wait, WayOut
from sima_compiler.machine.contention import FULL_SPEED, speeds
from sima_compiler.machine.cost import ArrayWork, array_cycles, array_traffic, compute_cycles, depthwise_cycles
from sima_compiler.machine.traffic import (
    Reach,
    SharedPorts,
    Traffic,
    port_cycles,
    run_pixels,
    shared_ports,
    transfer_cycles,
    window_reads,
)

#: One quad of four tiles, 32 pixels per pass, 8 cycles to fill; ports of 64 bytes per cycle.
PORTS = replace(Machine.load("tiny"), quads=1)
SHARED = replace(PORTS, sram_port_bytes_per_quad=64)
SAME = Window((3, 3), (1, 1), (1, 1), (1, 1, 1, 1))


def map_of(rows: int, columns: int, channels: int) -> Operand:
    return Operand(0, 0, 1, rows, columns, channels, rows * columns * channels, columns * channels, channels)


def convolve(rows: int, channels: int, window: Window, groups: int, mapping: ArrayMapping) -> Convolve:
    source = target = map_of(rows, rows, channels)
    unit = Quantization(1.0, 0)
    return Convolve(0, Wait(), source, target, 0, window, groups, 0, unit, (-128, 127), WayOut.PLAIN, None, mapping)


def test_a_block_of_the_array_on_one_port() -> None:
    """64 pixels, 2 output and 4 input blocks over 2 x 2 tiles: 128 cycles of work, then 32 to leave.

    Two pixel streams of 32 x 16 x 4 bytes, two weight streams of 4 x 256, 64 x 2 x 16 bytes of results: 8,192 bytes.
    """
    work, mapping = ArrayWork(64, 2, 4), ArrayMapping(2, 2)
    assert array_traffic(work, mapping, SHARED) == Traffic(4096, 2048, 0, 2048)
    assert array_cycles(work, mapping, SHARED) == 8 + 128 + 32
    residual = replace(work, operand_bytes=16)
    assert array_cycles(residual, mapping, SHARED) == 8 + (8192 + 2048) // 64 + 32
    assert array_cycles(residual, mapping, PORTS) == 8 + 128 + 32
    narrow = replace(SHARED, sram_channel_bytes_per_kilocycle=20_480)
    assert array_cycles(work, mapping, narrow) == 8 + 200 + 32


def test_tiles_that_idle_read_nothing() -> None:
    """3 output blocks over 2 tiles: the second round has one; 10 pixels over 4 tiles: 10, not 12."""
    assert array_traffic(ArrayWork(32, 3, 1), ArrayMapping(1, 2), SHARED) == Traffic(1024, 768, 0, 1536)
    assert array_traffic(ArrayWork(10, 1, 1), ArrayMapping(4, 1), SHARED) == Traffic(160, 256, 0, 160)


def test_parts_of_the_contraction_share_neither_pixels_nor_weights_and_write_once() -> None:
    assert array_traffic(ArrayWork(16, 2, 4), ArrayMapping(1, 2, 2), SHARED) == Traffic(1024, 2048, 0, 512)


def test_an_input_buffer_spares_window_cells_while_the_rows_of_a_pass_fit() -> None:
    """3x3 on 8 x 8 pixels: two passes of 32 pixels, each over at most 5 + 2 rows of 8 pixels."""
    reach = Reach(1, 8, 8, 8, 8, 1, 3, 16)
    work, mapping = ArrayWork(64, 1, 9, reach=reach), ArrayMapping(1, 1)
    assert array_traffic(replace(work, reach=None), mapping, SHARED).inputs == 9 * 64 * 16
    wide, narrow = (replace(SHARED, input_buffer_pixels_per_quad=size) for size in (56, 55))
    assert array_traffic(work, mapping, wide).inputs == 2 * 56 * 16
    assert array_traffic(work, mapping, narrow).inputs == 9 * 64 * 16


@pytest.mark.parametrize(("samples", "run", "rows"), [(1, 1, 3), (1, 16, 5), (1, 64, 8), (2, 16, 7), (2, 128, 16)])
def test_rows_behind_a_run_wherever_it_starts(samples: int, run: int, rows: int) -> None:
    assert run_pixels(Reach(samples, 8, 8, 8, 8, 1, 3, 16), run) == rows * 8


def test_a_depthwise_convolution_reads_its_cells_its_weights_and_writes() -> None:
    """3x3 on 8 x 8 x 16: 64 vectors over 4 tiles take 144 cycles; 576 + 9 vectors are read and 64 written."""
    command = convolve(8, 16, SAME, 16, ArrayMapping(1, 1))
    assert compute_cycles(command, PORTS, 1) == 8 + 147
    assert compute_cycles(command, SHARED, 1) == 8 + 163
    assert compute_cycles(command, replace(SHARED, input_buffer_pixels_per_quad=64), 1) == 8 + 144
    halved = replace(SHARED, sram_write_bytes_per_quad=5)
    assert compute_cycles(command, halved, 1) == 8 + 205


def test_filling_only_writes() -> None:
    command = Fill(0, Wait(), map_of(8, 8, 16), 0)
    assert compute_cycles(command, SHARED, 1) == 8 + 16
    assert compute_cycles(command, replace(SHARED, sram_port_bytes_per_quad=32), 1) == 8 + 32


@pytest.mark.parametrize(("cells", "cycles"), [(1, 2), (4, 2), (9, 6), (25, 14), (49, 26)])
def test_depthwise_windows_in_steps(cells: int, cycles: int) -> None:
    assert depthwise_cycles(cells, PORTS) == cells
    assert depthwise_cycles(cells, replace(PORTS, depthwise_cells_per_step=4, depthwise_step_cycles=2)) == cycles


@pytest.mark.parametrize(("room", "vectors"), [(0, 576), (8, 576), (9, 484), (36, 100), (63, 80), (64, 64)])
def test_patches_that_fit_the_buffer(room: int, vectors: int) -> None:
    """36 vectors hold 6 x 6, so 2 x 2 patches of 4 x 4 results that share 2 rows and columns: 10 x 10.

    63 hold 7 x 8, so 2 patches of whole rows that share 2 of them: 10 x 8. 9 hold one window, without its padding.
    """
    machine = replace(SHARED, input_buffer_pixels_per_quad=room)
    assert window_reads((8, 8, 8, 8), SAME, machine) == vectors


def test_a_buffer_never_makes_it_worse_and_never_spares_a_pixel_that_is_needed() -> None:
    dice = random.Random(11)
    for _ in range(300):
        kernel, stride = (dice.randint(1, 4), dice.randint(1, 4)), (dice.randint(1, 3), dice.randint(1, 3))
        dilation, out = (dice.randint(1, 2), dice.randint(1, 2)), (dice.randint(1, 9), dice.randint(1, 9))
        starts = [[place * step for place in range(size)] for step, size in zip(stride, out, strict=True)]
        spans = [[cell * step for cell in range(size)] for step, size in zip(dilation, kernel, strict=True)]
        touched = [{a + b for a in start for b in span} for start, span in zip(starts, spans, strict=True)]
        sizes = (max(touched[0]) + 1, max(touched[1]) + 1, *out)
        window, cells = Window(kernel, stride, dilation, (0, 0, 0, 0)), kernel[0] * kernel[1] * out[0] * out[1]
        before = cells
        for room in range(0, 400, 7):
            reads = window_reads(sizes, window, replace(SHARED, input_buffer_pixels_per_quad=room))
            assert len(touched[0]) * len(touched[1]) <= reads <= before
            before = reads


def test_ports_take_the_slowest_of_all_limits() -> None:
    machine = replace(PORTS, sram_read_bytes_per_quad=10, sram_write_bytes_per_quad=4)
    assert port_cycles(Traffic(50, 30, 20, 8), machine) == 10
    assert port_cycles(Traffic(5, 3, 2, 81), machine) == 21
    assert port_cycles(Traffic(50, 30, 20, 8), replace(machine, sram_port_bytes_per_quad=9)) == 12
    assert port_cycles(Traffic(50, 30, 20, 8), replace(machine, sram_channel_bytes_per_kilocycle=4096)) == 13


def test_what_a_command_shares_with_transfers() -> None:
    assert shared_ports(Traffic(600, 200, 100, 300), 50, PORTS, 1) == SharedPorts()
    whole = ((64_000, 24_000),)
    assert shared_ports(Traffic(600, 200, 100, 300), 50, SHARED, 1) == SharedPorts(whole, whole)
    channel = replace(SHARED, sram_channel_bytes_per_kilocycle=40_960)
    found = shared_ports(Traffic(600, 200, 100, 300), 50, channel, 2)
    assert found == SharedPorts(((128_000, 48_000), (81_920, 12_000)), ((128_000, 48_000),))


def test_loads_share_the_write_ports_and_stores_the_read_ports() -> None:
    machine = replace(PORTS, transfers_share_ports=1, sram_read_bytes_per_quad=40, sram_write_bytes_per_quad=20)
    found = shared_ports(Traffic(600, 200, 100, 300), 50, machine, 2)
    assert found == SharedPorts(loads=((40_000, 12_000),), stores=((80_000, 36_000),))
    assert transfer_cycles(1000, machine, 2, incoming=True) == 25
    assert transfer_cycles(1000, machine, 2, incoming=False) == 13


def test_a_transfer_takes_as_long_as_its_port_alone_needs() -> None:
    assert transfer_cycles(1000, PORTS, 1, incoming=True) == 0
    assert transfer_cycles(1000, SHARED, 1, incoming=True) == 16
    channel = replace(SHARED, sram_channel_bytes_per_kilocycle=10_000)
    assert transfer_cycles(1000, channel, 2, incoming=True) == 50
    assert transfer_cycles(1000, channel, 2, incoming=False) == 8


def test_no_port_passes_more_than_its_limit() -> None:
    dice = random.Random(5)
    for _ in range(2000):
        limits = [dice.randrange(1, 90_000) for _ in range(dice.randrange(1, 3))]
        ports = [(limit, dice.randrange(limit + 1)) for limit in limits]
        wanted = dice.randrange(1, min(limits) + 1)
        for urgent in (False, True):
            job, transfer = speeds(ports, wanted, urgent=urgent)
            assert 0 <= job <= FULL_SPEED >= transfer >= 0
            assert (transfer if urgent else job) == FULL_SPEED
            assert all(use * job + wanted * transfer <= limit * FULL_SPEED for limit, use in ports)


def test_the_shared_port_file_of_the_tests_reaches_its_limits() -> None:
    machine = Machine.load(Path(__file__).with_name("shared_port.yaml"))
    ample = replace(machine, sram_port_bytes_per_quad=0, sram_channel_bytes_per_kilocycle=0)
    command = Fill(0, Wait(), map_of(8, 8, 16), 0)
    assert compute_cycles(command, machine, 1) > compute_cycles(command, ample, 1)
