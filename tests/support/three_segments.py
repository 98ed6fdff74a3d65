"""An archive of three segments, MLA - A65 - MLA, put together by hand from one compiled segment.

The second MLA segment is the first one under other names; the A65 segment has a library's name and no code.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from sima_compiler import Archive, MlaStats
from sima_compiler.archive.report import dump_report
from sima_compiler.archive.report_records import CompileReport, Placement, ReportLayer, ReportSegment
from sima_compiler.lm.reader import decode
from sima_compiler.lm.writer import encode
from tests.support.archives import write_archive

HOST_LAYER = "APU_1/softmax_{}"


def three_segments(compiled: Archive, folder: Path, name: str = "three") -> Path:
    """``<folder>/<name>_mpk.tar.gz`` from an archive of one MLA segment."""
    report, stats = compiled.report, compiled.stats
    assert report is not None
    assert stats is not None
    count = len(report.layers)
    first = compiled.read(compiled.lm_files[0])
    names = [_renamed(layer.name, count + 1) for layer in report.layers]
    files = {
        f"{name}_mpk.json": json.dumps(_document(name, report)).encode(),
        f"{name}_stage1_mla.lm": first,
        f"{name}_stage2_a65.so": b"\x7fELF",
        f"{name}_stage3_mla.lm": _second(first, names),
        f"{name}_stage1_mla_stats.yaml": stats.to_yaml().encode(),
        f"{name}_stage3_mla_stats.yaml": _second_stats(stats, count + 1).to_yaml().encode(),
        f"{name}_compile_report.json": dump_report(_report(name, report, names)),
    }
    return write_archive(folder / f"{name}_mpk.tar.gz", files)


def _renamed(name: str, shift: int) -> str:
    """``MLA_0/conv2d_3`` as a layer of ``MLA_2``, counted on."""
    operator, _, number = name.removeprefix("MLA_0/").rpartition("_")
    return f"MLA_2/{operator}_{int(number) + shift}"


def _second(data: bytes, names: list[str]) -> bytes:
    program = decode(data)
    layers = tuple(replace(layer, name=name) for layer, name in zip(program.layers, names, strict=True))
    return encode(replace(program, segment="MLA_2", layers=layers))


def _second_stats(stats: MlaStats, shift: int) -> MlaStats:
    names = [_renamed(name, shift) for name in stats.names]
    return MlaStats.from_columns(stats.ids + shift, names, stats.start_cycles, stats.end_cycles)


def _report(name: str, report: CompileReport, names: list[str]) -> CompileReport:
    (mla,) = report.segments
    count, runtime = len(report.layers), report.runtime_cycles or 0
    host = ReportLayer(count + 1, HOST_LAYER.format(count), "softmax", "APU_1", sources=("Softmax_9",))
    second = [_moved(layer, name, count + 1, runtime) for layer, name in zip(report.layers, names, strict=True)]
    buffers = [
        replace(
            row,
            segment="MLA_2",
            start_cycle=(row.start_cycle or 0) + runtime,
            end_cycle=(row.end_cycle or 0) + runtime,
            layers=tuple(layer + count + 1 for layer in row.layers),
        )
        for row in report.memory_map
    ]
    return replace(
        report,
        name=name,
        compute_cycles=2 * (report.compute_cycles or 0),
        runtime_cycles=2 * runtime,
        bound_cycles=2 * (report.bound_cycles or 0),
        macs=2 * (report.macs or 0),
        work_cycles={cause: 2 * cycles for cause, cycles in report.work_cycles.items()},
        stall_cycles={cause: 2 * cycles for cause, cycles in report.stall_cycles.items()},
        segments=(
            replace(mla, file=f"{name}_stage1_mla.lm"),
            ReportSegment("APU_1", "A65", f"{name}_stage2_a65.so"),
            replace(mla, name="MLA_2", file=f"{name}_stage3_mla.lm", start_cycle=runtime),
        ),
        layers=(*report.layers, host, *second),
        placements=(*report.placements, Placement("Softmax_9", "softmax", "A65", "the MLA has no kernel for softmax")),
        memory_map=(*report.memory_map, *buffers),
    )


def _moved(layer: ReportLayer, name: str, ids: int, cycles: int) -> ReportLayer:
    def later(spans: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        return tuple((start + cycles, end + cycles) for start, end in spans)

    return replace(
        layer,
        id=layer.id + ids,
        name=name,
        segment="MLA_2",
        sources=tuple(f"{source}_again" for source in layer.sources),
        intervals=later(layer.intervals),
        load_intervals=later(layer.load_intervals),
        store_intervals=later(layer.store_intervals),
    )


def _document(name: str, report: CompileReport) -> dict[str, Any]:
    """A pipeline in which each plugin reads what the one before it wrote."""
    batch = report.actual_batch_size
    mla = {"desired_batch_size": report.desired_batch_size, "actual_batch_size": batch, "number_of_quads_to_user": 4}
    kernel = {"desired_batch_size": batch, "actual_batch_size": batch, "params": {}}
    steps: list[tuple[str, str, dict[str, Any], str]] = [
        ("quantize_0", "EV74", {**kernel, "kernel": "quantization_transform"}, "kernel_name_tbd"),
        ("MLA_0", "MLA", mla, f"{name}_stage1_mla.lm"),
        ("APU_1", "A65", {"input_names": ["t2"]}, f"{name}_stage2_a65.so"),
        ("MLA_2", "MLA", mla, f"{name}_stage3_mla.lm"),
        ("dequantize_0", "EV74", {**kernel, "kernel": "dequantization_transform"}, "kernel_name_tbd"),
    ]
    plugins = [
        {
            "name": plugin,
            "sequence": number,
            "processor": processor,
            "type": "sgpProcess",
            "config_params": config,
            "input_nodes": [{"name": f"t{number - 1}", "size": 64 * number}],
            "output_nodes": [{"name": f"t{number}", "type": "buffer", "size": 64 * (number + 1)}],
            "resources": {"executable": executable},
        }
        for number, (plugin, processor, config, executable) in enumerate(steps, 1)
    ]
    return {
        "name": name,
        "model_path": f"{name}.sima",
        "model_checksum": "0",
        "model_sdk_version": "2.1.0",
        "input_nodes": [{"name": "t0", "type": "buffer", "size": 64}],
        "plugins": plugins,
    }
