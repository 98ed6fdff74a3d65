"""The View: everything that a person is shown about an archive or a statistics file, as one frozen record.

`sima_compiler.view.reading` makes it; every form (HTML, text, widget, offline page, JSON) reads it and nothing else.
Its field names are used everywhere: in Python, in JSON (`sima_compiler.view.columns`) and in TypeScript
(``schema.json``, which is generated from this module).

None, an empty tuple and an absent column mean "not recorded": other compilers' archives and older reports lack much of
this. Cycles are of one run of the whole actual batch; ``start_cycle`` and ``end_cycle`` are inclusive, on one axis for
all MLA segments. Sizes are bytes. A *step* is a compute command of its segment, counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sima_compiler.archive.report_records import (
    BatchCandidate,
    DramTraffic,
    HostLayer,
    MemoryBuffer,
    Placement,
    TensorBytes,
)
from sima_compiler.view.tables import Table

#: Version of the View's shape: the major number changes when old readers would misread it.
VIEW_SCHEMA_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Label:
    """A key of a closed set with what people read and see for it.

    ``colour`` is ``#rrggbb``; ``pattern`` (solid, diagonal, dots ...) tells it apart without colour; ``note`` is one
    sentence that explains it. ``is_stall`` marks causes in which the compute queue waits.
    """

    key: str
    label: str
    colour: str = ""
    pattern: str = "solid"
    note: str = ""
    is_stall: bool = False


@dataclass(frozen=True, slots=True)
class Palette:
    """The closed sets, each in the order of legends. ``cause_cycles`` everywhere follow the order of ``causes``."""

    families: tuple[Label, ...]
    causes: tuple[Label, ...]
    bounds: tuple[Label, ...]
    engines: tuple[Label, ...]
    processors: tuple[Label, ...]
    buffers: tuple[Label, ...]
    roles: tuple[Label, ...]
    statuses: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class ViewMachine:
    """What was compiled for. ``clock_assumed``: the file names no clock, so the published one is taken.

    ``start_cycles``: what a layer pays to begin, for each sample.
    """

    name: str
    clock_mhz: float
    clock_assumed: bool
    quads: int | None = None
    macs_per_cycle: int | None = None
    dram_bytes_per_cycle: int | None = None
    on_chip_bytes: int | None = None
    start_cycles: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """The batch that was asked for and the one that was built; ``sentence`` says both and why.

    ``why_not_more`` and ``why_not_faster`` answer what everybody asks then, empty where the question does not arise;
    ``would_help`` has a sentence for each lever that the file names.
    """

    desired_batch_size: int | None
    actual_batch_size: int | None
    reason: str
    sentence: str
    why_not_more: str = ""
    why_not_faster: str = ""
    would_help: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole network, MLA alone. ``counted`` says in sentences what the numbers include and what they do not.

    ``cycles`` are the runtime cycles where recorded, else the static schedule's; latency and rate follow from them.
    ``static_cycles`` is the length of the static schedule's axis, ``cause_cycles`` sum up to ``runtime_cycles``.
    ``bound_by``: macs or dram, whichever of the two decides ``bound_cycles``. ``overlaps`` is the sentence of
    ``counted`` that says how layers were counted which overlap or leave gaps; empty where none do.
    """

    layers: int
    cycles: int
    static_cycles: int
    compute_cycles: int
    runtime_cycles: int | None = None
    bound_cycles: int | None = None
    bound_by: str | None = None
    padded_bound_cycles: int | None = None
    efficiency: float | None = None
    macs: int | None = None
    cause_cycles: tuple[int, ...] = ()
    latency_us: float | None = None
    samples_per_second: float | None = None
    dram: DramTraffic | None = None
    counted: tuple[str, ...] = ()
    overlaps: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """Layers that one processor runs without a break, in the order of execution; host segments have no cycles.

    ``start_cycle`` is where it begins in the run, ``static_start_cycle`` where it begins in the static schedule.
    """

    name: str
    processor: str
    file: str = ""
    layers: int = 0
    start_cycle: int | None = None
    static_start_cycle: int | None = None
    compute_cycles: int | None = None
    runtime_cycles: int | None = None
    steps: int | None = None
    on_chip_bytes: int | None = None
    peak_bytes: int | None = None
    lower_bound_bytes: int | None = None
    spilled: tuple[TensorBytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. ``start_cycle`` and ``end_cycle`` place it in the static schedule, ``run_start_cycle`` and
    ``run_end_cycle`` (its first and last cycle of compute) in the run.

    ``family`` is a key of ``palette.families``, ``bound_by`` one of ``palette.bounds``. ``cause_cycles`` sum up to
    ``runtime_cycles``. Shapes are texts like ``1x56x56x64``: samples, rows, columns, channels. ``placement`` is the
    sentence that says why it runs on ``processor``. ``loaded_bytes`` and ``stored_bytes`` cross the DRAM's port.
    """

    id: int
    name: str
    family: str = "other"
    operator: str = ""
    segment: str = ""
    processor: str = ""
    start_cycle: int | None = None
    end_cycle: int | None = None
    run_start_cycle: int | None = None
    run_end_cycle: int | None = None
    compute_cycles: int | None = None
    runtime_cycles: int | None = None
    cause_cycles: tuple[int, ...] = ()
    macs: int | None = None
    utilization: float | None = None
    bound_by: str | None = None
    sources: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    output: str | None = None
    input_shapes: tuple[str, ...] = ()
    output_shape: str | None = None
    input_bytes: int | None = None
    output_bytes: int | None = None
    weight_bytes: int | None = None
    parameter_bytes: int | None = None
    stored_parameter_bytes: int | None = None
    loaded_bytes: int | None = None
    stored_bytes: int | None = None
    blocks: int | None = None
    block_shape: str | None = None
    placement: str | None = None

    @property
    def cycles(self) -> int:
        """Cycles with stalls where the run is recorded, else those of the static schedule; 0 where neither is."""
        return self.compute_cycles or 0 if self.runtime_cycles is None else self.runtime_cycles


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of the run in which an engine works for one layer (its id). ``engine``: compute, dma_in or dma_out."""

    engine: str
    layer: int
    start_cycle: int
    end_cycle: int


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of the archive; ``role`` is a key of ``palette.roles``."""

    name: str
    bytes: int
    role: str


@dataclass(frozen=True, slots=True)
class Port:
    """A buffer that a plugin reads or writes."""

    name: str
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Plugin:
    """One step of the pipeline; ``detail`` is the kernel, or the file of the archive that it runs."""

    sequence: int
    name: str
    processor: str
    detail: str
    desired_batch_size: int | None = None
    actual_batch_size: int | None = None
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A buffer on its way from plugin ``source`` to plugin ``target``, by index.

    No source: it is an input of the model, or nobody in the archive writes it. No target: an output of the model.
    """

    name: str
    source: int | None = None
    target: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of advice. ``evidence`` is a sentence with its numbers; ``cycles`` what following it could recover.

    Advice about the EV74 has ``bytes`` and ``steps`` in place of cycles. ``layers`` are ids.
    """

    kind: str
    title: str
    evidence: str
    advice: str
    cycles: int | None = None
    bytes: int | None = None
    steps: int | None = None
    layers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is shown. ``kind``: archive or stats; ``report_version`` is None without a report.

    ``wordings`` are the sentences and words that views share, by key. ``host_sentence`` says how many segments and host
    layers there are, and what the archive leaves to the host; ``host_layers`` are the nodes of the A65. ``left_out``
    says which rows a shortened View lacks, ``not_recorded`` what the file itself does not say, in sentences that may
    follow "not recorded:".
    """

    schema_version: str
    kind: str
    name: str
    path: str
    report_version: str | None
    machine: ViewMachine
    batch: Batch
    totals: Totals
    segments: tuple[Segment, ...]
    layers: Table[Layer]
    palette: Palette
    wordings: Mapping[str, str] = field(repr=False)
    events: Table[Event]
    memory_map: Table[MemoryBuffer]
    candidates: Table[BatchCandidate]
    placements: Table[Placement]
    files: Table[FileRow]
    plugins: Table[Plugin]
    links: Table[Link]
    left_to_host: tuple[str, ...] = ()
    host_sentence: str = ""
    host_layers: tuple[HostLayer, ...] = ()
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    left_out: tuple[str, ...] = ()
    not_recorded: tuple[str, ...] = ()

    @property
    def stall_cycles(self) -> dict[str, int]:
        """Stalled cycles by cause, in the palette's order; empty where the run is not recorded."""
        pairs = zip(self.palette.causes, self.totals.cause_cycles, strict=False)
        return {cause.key: cycles for cause, cycles in pairs if cause.is_stall}

    @property
    def plugin_counts(self) -> dict[str, int]:
        """Plugins per processor, in the order of their first use."""
        counts: dict[str, int] = {}
        for plugin in self.plugins:
            counts[plugin.processor] = counts.get(plugin.processor, 0) + 1
        return counts
