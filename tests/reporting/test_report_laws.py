"""Laws that every report keeps: parts add up, times and bytes agree with the `.lm` beside it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator

from sima_compiler import Archive
from sima_compiler.archive.report import parse_report, report_schema
from sima_compiler.ir.commands import on_array
from sima_compiler.ir.program import Convolve, Engine, LoadConstants
from sima_compiler.lm.reader import LmFile, read
from sima_compiler.machine.cost import command_work
from sima_compiler.machine.description import Machine
from sima_compiler.machine.runs import leads
from sima_compiler.machine.starts import entries
from sima_compiler.view.reading import view_of


def report_of(archive: Archive) -> Any:
    """The report, which is there."""
    assert archive.report is not None
    return archive.report


def program_of(archive: Archive) -> LmFile:
    return read(archive.read(archive.lm_files[0]))


def test_the_member_follows_its_schema_and_reads_back(compiled: Archive) -> None:
    (name,) = (file.name for file in compiled.files if file.kind == "report")
    Draft202012Validator(report_schema()).validate(report_of(compiled).to_dict())
    assert parse_report(compiled.read(name)).to_dict() == report_of(compiled).to_dict()


def test_causes_add_up_to_the_runtime_of_every_layer_and_of_all(compiled: Archive) -> None:
    report = report_of(compiled)
    for layer in report.layers:
        assert min(layer.work_cycles.values()) >= 0, layer.name
        assert sum(layer.work_cycles.values()) == layer.compute_cycles, layer.name
        assert layer.compute_cycles + sum(layer.stall_cycles.values()) == layer.runtime_cycles, layer.name
    assert sum(layer.runtime_cycles or 0 for layer in report.layers) == report.runtime_cycles
    assert sum(report.work_cycles.values()) == report.compute_cycles
    assert sum(report.work_cycles.values()) + sum(report.stall_cycles.values()) == report.runtime_cycles
    for cause, cycles in report.work_cycles.items():
        assert cycles == sum(layer.work_cycles[cause] for layer in report.layers), cause


def test_useful_cycles_are_the_multiply_accumulates_at_the_peak(compiled: Archive) -> None:
    """Where the bound is one of multiply-accumulates, useful cycles over the runtime are the efficiency."""
    report = report_of(compiled)
    assert report.machine is not None
    peak = report.machine.macs_per_cycle or 0
    assert report.macs == sum(layer.macs or 0 for layer in report.layers)
    assert report.work_cycles["useful"] == -(-report.macs // peak)
    for layer in report.layers:
        assert abs(layer.work_cycles["useful"] - (layer.macs or 0) / peak) < 1, layer.name
    if report.bound_by == "macs":
        assert report.work_cycles["useful"] == report.bound_cycles
    else:
        assert report.work_cycles["useful"] < (report.bound_cycles or 0)


def test_each_unit_has_the_cycles_of_its_commands(compiled: Archive) -> None:
    """From the `.lm` alone: cycles of the array are useful or padding, cycles of the vector unit vector or useful."""
    found, report = program_of(compiled), report_of(compiled)
    machine = Machine.parse(found.program.machine)
    array, vector, fills = Counter[int](), Counter[int](), Counter[int]()
    works = [command_work(command, machine, found.program.quads) for command in found.program.compute]
    for command, work in zip(found.program.compute, works, strict=True):
        works_on_array = isinstance(command, Convolve) and on_array(command)
        (array if works_on_array else vector)[command.layer] += work.cycles - work.filling
        fills[command.layer] += work.filling
    program, entered = found.program, Counter[int]()
    transfers = (*program.dma_in, *program.dma_out)
    begun = entries(program.compute, transfers, program.tensors, program.constants)
    ahead = leads(program.compute, works, begun, machine)
    for command, entry, lead in zip(program.compute, begun, ahead, strict=True):
        entered[command.layer] += entry.cycles(machine) - lead
    for index, layer in enumerate(report.layers):
        work = layer.work_cycles
        assert work["start"] == fills[index] + entered[index], layer.name
        assert work["useful"] + work["padding"] + work["vector"] == array[index] + vector[index], layer.name
        assert work["padding"] <= array[index], layer.name
        if not array[index]:
            assert work["padding"] == 0, layer.name


def test_the_map_meets_its_peak_and_no_two_buffers_meet(compiled: Archive) -> None:
    report = report_of(compiled)
    (segment,) = report.segments
    rows = report.memory_map
    assert max(row.address + row.bytes for row in rows) == segment.peak_bytes
    order = sorted(rows, key=lambda row: row.start_cycle)
    for index, one in enumerate(order):
        for other in order[index + 1 :]:
            if other.start_cycle > one.end_cycle:
                break
            apart = one.address + one.bytes <= other.address or other.address + other.bytes <= one.address
            assert apart, (one.name, other.name)
    tensors = program_of(compiled).program.tensors
    assert {(spill.name, spill.bytes) for spill in segment.spilled} == {
        (tensor.name, tensor.bytes) for tensor in tensors if tensor.role == "spill"
    }


def test_buffers_are_there_while_commands_touch_them(compiled: Archive) -> None:
    found, trace = program_of(compiled).program, compiled.trace()
    rows = report_of(compiled).memory_map
    loads = trace.start_cycles[trace.engines == Engine.DMA_IN]
    for command, start in zip(found.dma_in, loads.tolist(), strict=True):
        assert rows[command.buffer].start_cycle <= start
        assert command.layer + 1 in rows[command.buffer].layers
    steps = trace.end_cycles[trace.engines == Engine.COMPUTE].tolist()
    for step, command in enumerate(found.compute):
        if isinstance(command, Convolve):
            for buffer in (command.source.buffer, command.target.buffer, command.parameters):
                row = rows[buffer]
                assert row.first_step <= step <= row.last_use_step <= row.last_step
                assert row.start_cycle <= steps[step] <= row.end_cycle


def test_traffic_adds_up_and_parameters_are_the_same_things_twice(compiled: Archive) -> None:
    found, report = program_of(compiled), report_of(compiled)
    dram = report.dram
    assert dram is not None
    assert sum(layer.loaded_bytes or 0 for layer in report.layers) == dram.loaded_bytes
    assert sum(layer.stored_bytes or 0 for layer in report.layers) == dram.stored_bytes
    constants = [len(block.data) for block in found.program.constants]
    assert sum(layer.parameter_bytes or 0 for layer in report.layers) == dram.parameter_bytes == sum(constants)
    stored = sum(layer.stored_parameter_bytes or 0 for layer in report.layers)
    assert stored == dram.stored_parameter_bytes == sum(found.stored_bytes)
    if not report.compress:
        assert dram.stored_parameter_bytes == dram.parameter_bytes
    loaded = sum(found.stored_bytes[c.constants] for c in found.program.dma_in if isinstance(c, LoadConstants))
    assert dram.loaded_parameter_bytes == loaded
    spills = {index for index, tensor in enumerate(found.program.tensors) if tensor.role == "spill"}
    back = [c.box.bytes for c in found.program.dma_in if not isinstance(c, LoadConstants) and c.tensor in spills]
    assert dram.loaded_spill_bytes == sum(back)
    assert dram.stored_spill_bytes == sum(c.box.bytes for c in found.program.dma_out if c.tensor in spills)
    (segment,) = report.segments
    assert bool(segment.spilled) == bool(dram.loaded_spill_bytes)
    assert dram.instruction_bytes >= sum(map(sum, found.command_bytes))


def test_the_view_places_layers_and_lanes_as_the_report_does(compiled: Archive) -> None:
    view, report = view_of(compiled), report_of(compiled)
    causes = [cause.key for cause in view.palette.causes]
    assert view.not_recorded == ()
    assert {*report.work_cycles, *report.stall_cycles} <= set(causes), "a cause without a label"
    events = list(view.events)
    for layer, row in zip(view.layers, report.layers, strict=True):
        own = [event for event in events if (event.engine, event.layer) == ("compute", layer.id)]
        assert layer.run_start_cycle == min((event.start_cycle for event in own), default=None)
        assert layer.run_end_cycle == max((event.end_cycle for event in own), default=None)
        told = dict(zip(causes, layer.cause_cycles, strict=True))
        assert told == {**dict.fromkeys(causes, 0), **row.work_cycles, **row.stall_cycles}
    assert any(len(row.intervals) > 1 for row in report.layers) or compiled.name != "unet_small"


def test_intervals_are_those_of_the_trace(compiled: Archive) -> None:
    trace, report = compiled.trace(), report_of(compiled)
    names = {"dma_in": "load_intervals", "dma_out": "store_intervals", "compute": "intervals"}
    for engine, field in names.items():
        code = trace.engine_names.index(engine)
        for index, layer in enumerate(report.layers):
            chosen = (trace.engines == code) & (trace.layers == index)
            busy = np.zeros(report.runtime_cycles + 1, bool)
            for start, end in zip(trace.start_cycles[chosen], trace.end_cycles[chosen], strict=True):
                busy[start : end + 1] = True
            told = np.zeros_like(busy)
            for start, end in getattr(layer, field):
                assert not told[start : end + 1].any()
                told[start : end + 1] = True
            assert np.array_equal(busy, told), (engine, layer.name)
