"""The compile report as records. Field names are the keys of `*_compile_report.json`, and of everything behind it.

None, or an empty tuple, means "not recorded": older layouts lack what later ones have, and rows of the negotiation that
were never scheduled have no cycles. Cycles are of one run of the whole actual batch; ``start_cycle`` and ``end_cycle``
are inclusive. Sizes are bytes. A *step* is a compute command of its segment, counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sima_compiler.archive.typed_json import encode

#: What ``padded_bound_cycles`` takes for granted: unlike the bound itself it does not hold for every legal schedule.
PADDED_BOUND_ASSUMES = (
    "schedules that begin layers in the given order and give up no weights before all layers in front of them are done"
)


@dataclass(frozen=True, slots=True)
class ReportMachine:
    """What was compiled for: peak multiply-accumulates and DRAM bytes per cycle, on-chip bytes of the quads in use, and
    the cycles in which a layer begins, paid for each sample.
    """

    name: str
    clock_mhz: float
    quads: int
    macs_per_cycle: int | None = None
    dram_bytes_per_cycle: int | None = None
    on_chip_bytes: int | None = None
    start_cycles: int | None = None


@dataclass(frozen=True, slots=True)
class TensorBytes:
    """A tensor of the whole batch."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class LimitingTensor:
    """A tensor that keeps a batch size from being built. ``bytes`` of the whole batch, None where not recorded."""

    name: str
    bytes: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Lever:
    """What would help a batch size, as a sentence; the numbers are what planning with it gave, None where not planned.

    ``what_if`` marks levers that change machine or network rather than the compile. ``reason`` says why nothing came of
    planning with it.
    """

    text: str
    feasible: bool | None = None
    largest_batch_size: int | None = None
    cycles_per_sample: float | None = None
    what_if: bool = False
    samples_per_second: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BatchCandidate:
    """One batch size that was weighed. ``status``: scheduled, estimated, or does_not_fit."""

    batch_size: int
    feasible: bool
    status: str = ""
    peak_on_chip_bytes: int | None = None
    cycles: int | None = None
    cycles_per_sample: float | None = None
    samples_per_second: float | None = None
    limiting_layer: str | None = None
    limiting_tensors: tuple[LimitingTensor, ...] = ()
    spilled: tuple[str, ...] = ()
    reason: str = ""
    levers: tuple[Lever, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportSegment:
    """Layers that one processor runs without a break, in the order of execution; ``file`` is its member of the archive.

    ``start_cycle`` is where its run begins on the axis of all MLA segments. ``lower_bound_bytes``: no placement of the
    buffers has a smaller peak. Host segments have no cycles.
    """

    name: str
    processor: str
    file: str = ""
    start_cycle: int | None = None
    compute_cycles: int | None = None
    runtime_cycles: int | None = None
    steps: int | None = None
    on_chip_bytes: int | None = None
    peak_bytes: int | None = None
    lower_bound_bytes: int | None = None
    spilled: tuple[TensorBytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportLayer:
    """One layer. ``compute_cycles`` = sum of ``work_cycles``; ``runtime_cycles`` = that + sum of ``stall_cycles``.

    ``work_cycles``: useful (its multiply-accumulates at the machine's peak rate), padding (the array's other cycles:
    padding, idle lanes, rows computed twice), vector (the vector unit), start (starting, filling and draining).
    ``sources`` are nodes of the source model. Shapes are (samples, rows, columns, channels). ``weight_bytes`` are the
    raw weights; ``parameter_bytes`` its blocks of constants (weights, bias, multipliers, tables) on chip,
    ``stored_parameter_bytes`` the same blocks in DRAM. ``loaded_bytes`` and ``stored_bytes`` cross the DRAM's port.
    ``intervals``: (first, last) cycle of each stretch of compute in the run, ``load_intervals`` and ``store_intervals``
    of its transfers in and out. ``block_shape``: the largest block of
    output that one command computes; ``blocks`` counts the commands.
    """

    id: int
    name: str
    operator: str = ""
    segment: str = ""
    sources: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    output: str = ""
    input_shapes: tuple[tuple[int, ...], ...] = ()
    output_shape: tuple[int, ...] = ()
    compute_cycles: int | None = None
    runtime_cycles: int | None = None
    work_cycles: Mapping[str, int] = field(default_factory=dict[str, int])
    stall_cycles: Mapping[str, int] = field(default_factory=dict[str, int])
    macs: int | None = None
    utilization: float | None = None
    bound_by: str | None = None
    intervals: tuple[tuple[int, int], ...] = ()
    load_intervals: tuple[tuple[int, int], ...] = ()
    store_intervals: tuple[tuple[int, int], ...] = ()
    weight_bytes: int | None = None
    parameter_bytes: int | None = None
    stored_parameter_bytes: int | None = None
    input_bytes: int | None = None
    output_bytes: int | None = None
    loaded_bytes: int | None = None
    stored_bytes: int | None = None
    blocks: int | None = None
    block_shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a node of the source model runs, and why."""

    node: str
    operator: str
    processor: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HostLayer:
    """A node of the source model that the MLA does not run: why, the ``rule`` that it breaks there (empty where it only
    follows another), and the ``remedy`` that would move it back.

    ``macs`` are its multiply-accumulates in one run, ``share`` their part of the whole network's.
    """

    node: str
    operator: str
    segment: str
    reason: str = ""
    rule: str = ""
    remedy: str = ""
    macs: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class MemoryBuffer:
    """A range of on-chip memory that a buffer holds from ``first_step`` to ``last_step``, both included.

    The cycles are those of the run in which commands touch it, from the start of the first transfer or compute command
    to the end of the last; a load may run ahead of ``first_step``. ``last_use_step`` is the last step that reads or
    writes it, or whose result is stored from it: a ``last_step`` behind it is a late free. ``layers`` are ids, in
    order of first use.
    """

    name: str
    kind: str
    address: int
    bytes: int
    segment: str = ""
    first_step: int | None = None
    last_step: int | None = None
    last_use_step: int | None = None
    start_cycle: int | None = None
    end_cycle: int | None = None
    layers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DramTraffic:
    """Bytes that cross the DRAM's port in one run, all MLA segments.

    ``loaded_bytes`` and ``stored_bytes`` are everything that data transfers move in and out, spills and parameters
    included; ``instruction_bytes`` come on top. ``parameter_bytes`` and ``stored_parameter_bytes`` are sizes, not
    traffic: the same blocks of constants on chip and in DRAM.
    """

    loaded_bytes: int
    stored_bytes: int
    loaded_parameter_bytes: int | None = None
    loaded_spill_bytes: int | None = None
    stored_spill_bytes: int | None = None
    instruction_bytes: int | None = None
    weight_bytes: int | None = None
    parameter_bytes: int | None = None
    stored_parameter_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class CompileReport:
    """A whole report. ``bound_by`` says which of the two quotients ``bound_cycles`` is: macs or dram."""

    schema_version: str
    name: str = ""
    machine: ReportMachine | None = None
    desired_batch_size: int | None = None
    actual_batch_size: int | None = None
    reason: str = ""
    verdict: str = ""
    compress: bool | None = None
    compute_cycles: int | None = None
    runtime_cycles: int | None = None
    bound_cycles: int | None = None
    bound_by: str | None = None
    padded_bound_cycles: int | None = None
    efficiency: float | None = None
    macs: int | None = None
    work_cycles: Mapping[str, int] = field(default_factory=dict[str, int])
    stall_cycles: Mapping[str, int] = field(default_factory=dict[str, int])
    segments: tuple[ReportSegment, ...] = ()
    layers: tuple[ReportLayer, ...] = ()
    candidates: tuple[BatchCandidate, ...] = ()
    placements: tuple[Placement, ...] = ()
    host_layers: tuple[HostLayer, ...] = ()
    memory_map: tuple[MemoryBuffer, ...] = ()
    dram: DramTraffic | None = None
    cut: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The report as plain JSON values, keys in the order of the fields."""
        return encode(self)
