"""Every number of the report that is told to people, once more: from the public trace and the bytes of the `.lm`.

Nothing of `sima_compiler.reporting`, `machine` or `bounds` is used; what a number means is written here.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from fractions import Fraction

import yaml

from sima_compiler import Archive
from sima_compiler.ir.program import LoadConstants
from sima_compiler.lm.reader import LmFile, read

#: Codes of the sections that hold commands, as compiler/LM_FORMAT.md numbers them.
STREAMS = (7, 8, 9)


def opened(archive: Archive) -> tuple[LmFile, dict[str, float]]:
    """The one program, and the numbers of the machine description inside it."""
    (name,) = archive.lm_files
    found = read(archive.read(name))
    return found, yaml.safe_load(found.program.machine)


def layer_cycles(archive: Archive) -> tuple[Counter[str], Counter[str], int]:
    """Compute and stall cycles by layer, and the cycles behind the last compute event."""
    trace = archive.trace()
    computing = trace.engine_names.index("compute")
    work, stalls, end = Counter[str](), Counter[str](), 0
    for engine, layer, first, last in zip(
        trace.engines.tolist(),
        trace.layers.tolist(),
        trace.start_cycles.tolist(),
        trace.end_cycles.tolist(),
        strict=True,
    ):
        if engine == computing:
            name = trace.layer_names[layer]
            stalls[name] += first - end
            work[name] += last + 1 - first
            end = last + 1
    return work, stalls, trace.runtime_cycles - end


def test_cycles_of_every_layer_are_those_of_its_events(compiled: Archive) -> None:
    report = compiled.report
    assert report is not None
    work, stalls, rest = layer_cycles(compiled)
    late = 0
    for layer in report.layers:
        assert layer.compute_cycles == work[layer.name], layer.name
        waited = (layer.runtime_cycles or 0) - work[layer.name]
        assert waited == sum(layer.stall_cycles.values())
        assert waited >= stalls[layer.name], layer.name
        late += waited - stalls[layer.name]
    assert late == rest  # behind the last command some layer still stores
    assert report.compute_cycles == work.total()
    assert report.runtime_cycles == compiled.trace().runtime_cycles == work.total() + stalls.total() + rest
    assert report.stall_cycles.keys() == report.layers[0].stall_cycles.keys()
    for cause, cycles in report.stall_cycles.items():
        assert cycles == sum(layer.stall_cycles[cause] for layer in report.layers), cause


def test_stalls_have_the_causes_of_the_events(compiled: Archive) -> None:
    report, trace = compiled.report, compiled.trace()
    assert report is not None
    causes = Counter[str]()
    for cause, stalled in zip(trace.causes.tolist(), trace.stall_cycles.tolist(), strict=True):
        causes[trace.cause_names[cause]] += stalled
    for cause, cycles in report.stall_cycles.items():
        rest = cycles - causes[cause]
        assert rest == 0 or (cause == "output" and rest == layer_cycles(compiled)[2]), cause


def test_the_machine_is_the_one_in_the_program(compiled: Archive) -> None:
    report = compiled.report
    assert report is not None
    assert report.machine is not None
    found, told = opened(compiled)
    tiles = found.program.quads * told["tiles_per_quad"]
    assert report.machine.clock_mhz == told["clock_mhz"] == compiled.trace().clock_mhz
    assert report.machine.quads == found.program.quads
    assert report.machine.macs_per_cycle == tiles * told["lanes"] ** 2
    assert report.machine.on_chip_bytes == found.program.quads * told["sram_bytes_per_quad"]
    assert report.machine.dram_bytes_per_cycle == told["dram_bytes_per_cycle"]
    assert report.actual_batch_size == found.program.batch


def test_rates_utilization_and_efficiency(compiled: Archive) -> None:
    report = compiled.report
    assert report is not None
    found, told = opened(compiled)
    runtime = compiled.trace().runtime_cycles
    peak = found.program.quads * told["tiles_per_quad"] * told["lanes"] ** 2
    (built,) = (row for row in report.candidates if row.batch_size == report.actual_batch_size)
    assert built.cycles == runtime
    each = Fraction(runtime, found.program.batch)
    assert built.cycles_per_sample is not None
    assert abs(built.cycles_per_sample - each) <= Fraction(1, 2000)
    for row in report.candidates:
        if row.cycles:
            rate = Fraction(told["clock_mhz"]) * 1_000_000 * row.batch_size / row.cycles
            assert row.samples_per_second is not None
            assert abs(row.samples_per_second - rate) <= Fraction(1, 1000), row.batch_size
    assert report.efficiency is not None
    assert abs(report.efficiency - Fraction(report.bound_cycles or 0, runtime)) <= Fraction(1, 1_000_000)
    work, _, _ = layer_cycles(compiled)
    for layer in report.layers:
        share = Fraction(layer.macs or 0, work[layer.name] * peak) if work[layer.name] else 0
        assert layer.utilization is not None
        assert abs(layer.utilization - share) <= Fraction(1, 1_000_000), layer.name
        assert share <= 1


def test_bytes_of_the_dram(compiled: Archive) -> None:
    report = compiled.report
    assert report is not None
    found, told = opened(compiled)
    program, dram = found.program, report.dram
    assert dram is not None
    loaded, stored = Counter[str](), Counter[str]()
    spills = {number for number, tensor in enumerate(program.tensors) if tensor.role == "spill"}
    spilled = {"in": 0, "out": 0}
    for load in program.dma_in:
        size = found.stored_bytes[load.constants] if isinstance(load, LoadConstants) else math.prod(load.box.sizes)
        loaded[program.layers[load.layer].name] += size
        if not isinstance(load, LoadConstants) and load.tensor in spills:
            spilled["in"] += size
    for store in program.dma_out:
        stored[program.layers[store.layer].name] += math.prod(store.box.sizes)
        if store.tensor in spills:
            spilled["out"] += math.prod(store.box.sizes)
    assert (dram.loaded_bytes, dram.stored_bytes) == (loaded.total(), stored.total())
    assert (dram.loaded_spill_bytes, dram.stored_spill_bytes) == (spilled["in"], spilled["out"])
    for layer in report.layers:
        assert (layer.loaded_bytes, layer.stored_bytes) == (loaded[layer.name], stored[layer.name]), layer.name
    burst = int(told["dram_burst_bytes"])
    sizes = dict(sections(compiled.read(compiled.lm_files[0])))
    streams = (program.dma_in, program.dma_out, program.compute)
    fetched = [sizes[code] - count_bytes(len(stream)) for code, stream in zip(STREAMS, streams, strict=True)]
    assert dram.instruction_bytes == sum(-(-size // burst) * burst for size in fetched)


def count_bytes(count: int) -> int:
    """Bytes of a number in front of a table: seven bits each."""
    return max(1, -(-count.bit_length() // 7))


def sections(data: bytes) -> list[tuple[int, int]]:
    """Code and size of each section, from the table behind the first 40 bytes."""
    (count,) = struct.unpack_from("<I", data, 36)
    entries = [struct.unpack_from("<IQQI", data, 40 + 24 * place) for place in range(count)]
    return [(code, size) for code, _, size, _ in entries]


def test_the_peak_is_that_of_the_buffers_in_the_program(compiled: Archive) -> None:
    report = compiled.report
    assert report is not None
    program = opened(compiled)[0].program
    peak = max(buffer.address + buffer.bytes for buffer in program.buffers)
    assert report.segments[0].peak_bytes == peak
    (built,) = (row for row in report.candidates if row.batch_size == report.actual_batch_size)
    assert built.peak_on_chip_bytes == peak <= (report.segments[0].on_chip_bytes or 0)
    rows = [(row.name, row.address, row.bytes) for row in report.memory_map]
    assert rows == [(buffer.name, buffer.address, buffer.bytes) for buffer in program.buffers]
