"""Archives of every version so far still open; what they lack is not recorded, and nothing of it is made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Archive, simulate
from sima_compiler.archive.report_records import Lever
from sima_compiler.view.reading import view_of

SAMPLES = Path(__file__).parent / "samples"


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*_mpk.tar.gz")), ids=lambda path: path.name)
def test_it_opens_runs_and_is_shown(path: Path) -> None:
    archive = Archive.open(path)
    assert archive.report is not None
    inputs = {"image": np.zeros((archive.batch.actual or 1, 3, 8, 8), np.float32)}
    assert simulate(archive, inputs).trace.runtime_cycles == archive.report.runtime_cycles
    assert archive.trace().runtime_cycles == archive.report.runtime_cycles
    view = view_of(archive)
    assert [layer.id for layer in view.layers] == [1, 2, 3, 4]
    assert sum(layer.compute_cycles or 0 for layer in view.layers) == view.totals.compute_cycles


def test_report_1_0() -> None:
    archive = Archive.open(SAMPLES / "report_1_0_mpk.tar.gz")
    report = archive.report
    assert report is not None
    assert report.schema_version == "1.0"
    assert (report.runtime_cycles, report.compute_cycles, report.bound_cycles) == (933, 601, 53)
    (segment,) = report.segments
    assert (segment.name, segment.processor, segment.peak_bytes, segment.on_chip_bytes) == (
        "MLA_0",
        "MLA",
        8720,
        26214400,
    )
    assert report.dram is not None
    assert (report.dram.loaded_bytes, report.dram.stored_bytes) == (3644, 15)
    assert (report.dram.weight_bytes, report.dram.stored_parameter_bytes) == (2816, 3068)
    assert report.dram.parameter_bytes is None
    first = report.layers[0]
    assert (first.stored_parameter_bytes, first.parameter_bytes) == (566, None)
    assert first.intervals == ((228, 367),)
    assert (first.work_cycles, first.input_shapes, first.blocks, report.bound_by) == ({}, (), None, None)
    buffer = report.memory_map[1]
    assert (buffer.name, buffer.first_step, buffer.last_step) == ("t1_relu_raw", 0, 1)
    assert (buffer.start_cycle, buffer.last_use_step, buffer.layers) == (None, None, ())
    view = view_of(archive)
    causes = dict(zip((cause.key for cause in view.palette.causes), view.totals.cause_cycles, strict=True))
    assert {key: cycles for key, cycles in causes.items() if cycles} == {"compute": 601, "weights": 228, "output": 104}
    assert [sum(layer.cause_cycles) for layer in view.layers] == [layer.runtime_cycles for layer in report.layers]
    assert "blocks" not in view.layers.columns
    assert view.not_recorded == (
        "what compute cycles are spent on",
        "when each engine works",
        "shapes and blocks",
        "when buffers are in use",
    )


def test_report_1_0_of_a_batch_that_does_not_fit() -> None:
    archive = Archive.open(SAMPLES / "report_1_0_tiny_mpk.tar.gz")
    refused = archive.batch.candidates[-1]
    assert (refused.batch_size, refused.feasible, refused.status) == (40, False, "does_not_fit")
    assert refused.levers == (
        Lever("use 2 quads instead of 1: 65,536 bytes on chip"),
        Lever("a smaller input resolution"),
    )
