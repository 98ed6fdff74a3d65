"""A View with everything recorded, made by hand: right values are known without asking the compiler."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from sima_compiler.archive.report_records import BatchCandidate, Lever, LimitingTensor, MemoryBuffer
from sima_compiler.view.columns import to_json
from sima_compiler.view.folding import answered
from sima_compiler.view.reading import view_of_path
from sima_compiler.view.records import Event, FileRow, Finding, Layer, Link, Plugin, Port, Segment, View
from sima_compiler.view.tables import Table

SAMPLES = Path(__file__).parents[1] / "archive" / "samples"
LAYERS = 40
KINDS = ("convolution", "depthwise", "elementwise", "pooling")
#: What a name may hold: markup, a comment, line and paragraph separators, marks of direction, and great length.
HOSTILE = "</script><img src=x onerror=window.hit=1><!--\u2028\u2029\u202e\u0007" + "n" * 5000


def cycles_of(layer: int) -> int:
    """Runtime cycles of a layer: all different, so that orders are told apart."""
    return 1000 + 37 * ((layer * 17) % LAYERS)


def causes_of(layer: int, causes: int) -> tuple[int, ...]:
    """A layer's cycles by cause: half useful, a tenth waiting for weights, the rest padding."""
    cycles = cycles_of(layer)
    useful, weights = cycles // 2, cycles // 10
    found = [useful, cycles - useful - weights, 0, 0, weights]
    return (*found, *[0] * (causes - len(found)))


def sample_view(suffix: str = "") -> View:
    """Forty layers in one segment; ``suffix`` ends every name that a file could hold."""
    base = view_of_path(SAMPLES / "report_1_0_mpk.tar.gz")
    causes = len(base.palette.causes)
    starts = [sum(cycles_of(before) for before in range(layer)) for layer in range(LAYERS)]
    layers = [_layer(layer, starts[layer], causes, suffix) for layer in range(LAYERS)]
    total = sum(cycles_of(layer) for layer in range(LAYERS))
    sums = tuple(sum(layer.cause_cycles[cause] for layer in layers) for cause in range(causes))
    events = [
        Event(engine, layer + 1, start, end)
        for engine in ("compute", "dma_in", "dma_out")
        for layer in range(LAYERS)
        for start, end in [_interval(engine, starts[layer], cycles_of(layer))]
    ]
    segment = Segment("MLA_0", "MLA", layers=LAYERS, runtime_cycles=total, on_chip_bytes=1 << 20, peak_bytes=786_432)
    view = replace(
        base,
        name=f"sample{suffix}",
        path=f"sample_mpk.tar.gz{suffix}",
        machine=replace(base.machine, on_chip_bytes=1 << 20),
        batch=replace(base.batch, desired_batch_size=32, actual_batch_size=4, sentence="Batch 4 is built."),
        totals=replace(
            base.totals,
            layers=LAYERS,
            cycles=total,
            runtime_cycles=total,
            static_cycles=total,
            compute_cycles=total,
            bound_cycles=total // 2,
            efficiency=0.5,
            cause_cycles=sums,
        ),
        segments=(segment,),
        layers=Table.of(Layer, layers),
        events=Table.of(Event, events),
        memory_map=Table.of(MemoryBuffer, [_buffer(layer, starts[layer], suffix) for layer in range(LAYERS)]),
        candidates=Table.of(BatchCandidate, _candidates(suffix)),
        files=Table.of(FileRow, _files(suffix)),
        plugins=Table.of(Plugin, _plugins(suffix)),
        links=Table.of(Link, _links(suffix)),
        warnings=(f"a warning{suffix}",),
        findings=(Finding("weights", f"Weights decide{suffix}", "Evidence.", "Do this.", cycles=500, layers=(3, 4)),),
    )
    return replace(view, batch=answered(view))


def sample_json(suffix: str = "") -> dict[str, Any]:
    """The same as the browser gets it."""
    return to_json(sample_view(suffix))


def stats_json(folder: Path) -> dict[str, Any]:
    """A plain statistics file: three layers, a gap, and two that overlap."""
    path = folder / "plain_stage1_mla_stats.yaml"
    rows = [("conv2d_0", 0, 99), ("add_1", 150, 249), ("conv2d_2", 200, 399)]
    text = "".join(
        f"{number}:\n  name: MLA_0/{name}\n  start_cycle: {start}\n  end_cycle: {end}\n"
        for number, (name, start, end) in enumerate(rows, 1)
    )
    path.write_text(text, "utf-8")
    return to_json(view_of_path(path))


def embedded(data: dict[str, Any]) -> str:
    """JSON that an HTML page can hold, whatever the texts in it are."""
    return json.dumps(data).replace("<", "\\u003c")


def _layer(layer: int, start: int, causes: int, suffix: str) -> Layer:
    cycles = cycles_of(layer)
    kind = KINDS[layer % len(KINDS)]
    return Layer(
        id=layer + 1,
        name=f"MLA_0/{kind}_{layer}{suffix}",
        family=kind,
        operator=kind,
        segment="MLA_0",
        processor="MLA",
        start_cycle=start,
        end_cycle=start + cycles - 1,
        run_start_cycle=start,
        run_end_cycle=start + cycles - 1,
        compute_cycles=cycles - cycles // 10,
        runtime_cycles=cycles,
        cause_cycles=causes_of(layer, causes),
        macs=1000 * cycles,
        utilization=(layer % 10) / 10,
        bound_by="compute",
        sources=(f"node_{layer}{suffix}", f"relu_{layer}"),
        inputs=(f"in_{layer}{suffix}",),
        output=f"out_{layer}{suffix}",
        input_shapes=("4x8x8x16",),
        output_shape="4x8x8x16",
        input_bytes=4096,
        output_bytes=4096,
        placement=f"{kind} is a kernel of the machine",
    )


def _interval(engine: str, start: int, cycles: int) -> tuple[int, int]:
    if engine == "compute":
        return start + cycles // 10, start + cycles - 1
    return (start, start + cycles // 4) if engine == "dma_in" else (start + cycles // 2, start + cycles - 1)


def _buffer(layer: int, start: int, suffix: str) -> MemoryBuffer:
    return MemoryBuffer(
        name=f"buffer_{layer}{suffix}",
        kind="activation" if layer % 3 else "parameters",
        address=262_144 * (layer % 3),
        bytes=262_144,
        segment="MLA_0",
        first_step=layer,
        last_step=layer + 1 if layer == 5 else layer,
        last_use_step=layer,
        start_cycle=start,
        end_cycle=start + cycles_of(layer) - 1,
        layers=(layer + 1,),
    )


def _candidates(suffix: str) -> list[BatchCandidate]:
    small = [
        BatchCandidate(
            size, size <= 4, "scheduled", 100_000 * size, 60_000, cycles, 16_000.0, f"MLA_0/conv_{size}{suffix}"
        )
        for size, cycles in ((1, 21_000.0), (2, 19_800.0), (4, 20_000.0))
    ]
    tensor = LimitingTensor(f"map{suffix}", 1_000_000, "the largest map")
    lever = Lever("4 quads instead of 1", feasible=True, largest_batch_size=8)
    what_if = Lever("a machine with 2 MiB on chip", what_if=True)
    large = [
        BatchCandidate(
            size,
            feasible=False,
            status="does_not_fit",
            limiting_layer=f"MLA_0/conv_5{suffix}",
            limiting_tensors=(tensor,),
            reason=f"needs {size * 250_000:,} bytes on chip",
            levers=(lever, what_if),
        )
        for size in range(5, 33)
    ]
    return [*small, *large]


def _files(suffix: str) -> list[FileRow]:
    return [
        FileRow(f"sample_mpk.json{suffix}", 2048, "mpk"),
        FileRow("sample_stage1_mla.lm", 4096, "mla"),
        FileRow("data/extra.json", 10, "json"),
        FileRow("data/huge.bin", 200 * 1024 * 1024, "other"),
    ]


def _plugins(suffix: str) -> list[Plugin]:
    return [
        Plugin(1, f"quantize_0{suffix}", "EV74", "quantization_transform", 4, 4, (Port("x", 16),), (Port("q", 4),)),
        Plugin(2, "MLA_0", "MLA", "sample_stage1_mla.lm", 32, 4, (Port("q", 4),), (Port(f"y{suffix}", 8),)),
    ]


def _links(suffix: str) -> list[Link]:
    return [Link("x", None, 0, 16), Link("q", 0, 1, 4), Link(f"y{suffix}", 1, None, 8)]
