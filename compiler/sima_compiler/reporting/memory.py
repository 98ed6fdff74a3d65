"""The report's memory: the map of on-chip buffers in steps and cycles, and what crosses the DRAM's port.

In: facts and run. Out: `MemoryBuffer` rows, `DramTraffic`. Always holds: two buffers that share an address are apart in
steps and in cycles.
"""

from __future__ import annotations

from sima_compiler.archive.report_records import DramTraffic, MemoryBuffer
from sima_compiler.ir.program import LoadConstants, Role
from sima_compiler.machine.occupancy import buffer_uses
from sima_compiler.reporting.facts import ReportFacts, ReportRun


def memory_map(facts: ReportFacts, run: ReportRun) -> tuple[MemoryBuffer, ...]:
    """Every buffer with its place, its time and the layers that touch it."""
    memory = facts.negotiation.plan.memory
    uses = buffer_uses(facts.schedule.program, run.timeline)
    return tuple(
        MemoryBuffer(
            name=buffer.name,
            kind=str(buffer.kind),
            address=address,
            bytes=buffer.bytes,
            segment=facts.segment.name,
            first_step=buffer.first,
            last_step=buffer.last,
            last_use_step=use.last_step,
            start_cycle=use.start,
            end_cycle=max(use.end - 1, 0),
            layers=tuple(facts.first + layer + 1 for layer in use.layers),
        )
        for buffer, address, use in zip(memory.tiling.buffers, memory.addresses, uses, strict=True)
    )


def dram_traffic(facts: ReportFacts, run: ReportRun) -> DramTraffic:
    """What crosses the DRAM's port in one run."""
    schedule = facts.schedule
    program = schedule.program
    parameters = sum(len(schedule.stored[load.constants]) for load in program.dma_in if isinstance(load, LoadConstants))
    tensors = [load for load in program.dma_in if not isinstance(load, LoadConstants)]
    spills = {index for index, tensor in enumerate(program.tensors) if tensor.role is Role.SPILL}
    return DramTraffic(
        loaded_bytes=parameters + sum(load.box.bytes for load in tensors),
        stored_bytes=sum(store.box.bytes for store in program.dma_out),
        loaded_parameter_bytes=parameters,
        loaded_spill_bytes=sum(load.box.bytes for load in tensors if load.tensor in spills),
        stored_spill_bytes=sum(store.box.bytes for store in program.dma_out if store.tensor in spills),
        instruction_bytes=run.instruction_bytes,
        weight_bytes=sum(load.raw_bytes for load in facts.loads),
        parameter_bytes=sum(len(constants.data) for constants in program.constants),
        stored_parameter_bytes=sum(len(block) for block in schedule.stored),
    )
