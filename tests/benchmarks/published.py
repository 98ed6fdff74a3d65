"""Our predictions beside measurements that others published. One number of the machine is fitted, to one row.

In: ResNet-50 and a detector. Out: a table of prediction over published. `start_cycles` is fitted to the documented
layer, whose row is therefore exact; all others are predictions. The published latencies include the host: their rows
stand a second time with one assumed host time, whose errors are printed and held by no test.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from sima_compiler import Archive
from tests.benchmarks.networks import generated
from tests.benchmarks.tables import Row, Section

MLPERF = "MLPerf Inference v4.0, closed, edge"
#: Milliseconds of one batch in MLPerf's single-stream and multi-stream results.
LATENCIES = {1: 0.846, 8: 2.906}
#: Assumed: the host's share of one batch, fitted to both latencies; most of what batch 1 takes is not the chip's.
HOST_MS = 0.49
OFFLINE_BATCH, OFFLINE_RATE = 14, 3387.5
#: The vendor's documentation of the per-layer statistics: start 63,615, end 71,558.
#: Of its windows, the cells on the map: of 3 x 56 along an axis, two lie over padding.
LAYER_CYCLES, LAYER_MACS = 7_944, (3 * 56 - 2) ** 2 * 64 * 64
YOLO_CYCLES = 1_222_587

TEXT = """\
Prediction over published. MLPerf's figures are for whole systems, host overhead included (1 GHz, four quads); the layer
is the excerpt in the vendor's documentation of `*_mla_stats.yaml`: a 3x3 convolution, 64 to 64 channels, 56x56. That
row is what `start_cycles` is fitted to; the offline row follows from it. The latencies stand twice: alone, and with a
host time of 0.49 ms a batch, which is assumed. The detector's figure is a third party's for yolo_11s at 640x640 on the
vendor's *next* chip; ours is a detector of the same kind and size (its MACs stand beside it) on the present one."""


def section() -> Section:
    """The table."""
    rows = [*_resnet_rows(), _yolo_row()]
    return Section("Beside published measurements", "python -m tests.benchmarks.run published", TEXT, rows)


def _resnet_rows() -> Iterator[Row]:
    model = generated("light_resnet50")
    with tempfile.TemporaryDirectory() as folder:
        results = [model.compile(output_path=folder, batch_size=batch) for batch in LATENCIES]
        for (batch, published), result in zip(LATENCIES.items(), results, strict=True):
            chip = result.runtime_cycles / 1e6
            yield _row(f"ResNet-50, batch {batch}, ms", MLPERF, published, chip)
            yield _row(f"the same with an assumed {HOST_MS} ms of host", MLPERF, published, chip + HOST_MS)
        result = model.compile(output_path=folder, batch_size=OFFLINE_BATCH)
        rate = result.actual_batch_size / result.runtime_cycles * 1e9
        name = f"ResNet-50, batch {result.actual_batch_size}, images/s"
        yield _row(name, f"{MLPERF}, batch {OFFLINE_BATCH}", OFFLINE_RATE, rate)
        yield _layer_row(model.compile(output_path=folder).archive)


def _layer_row(archive: Archive) -> Row:
    name = "3x3, 64 to 64 channels, 56x56, cycles (fitted)"
    return _row(name, "vendor's documentation", LAYER_CYCLES, documented_layer(archive))


def documented_layer(archive: Archive) -> int:
    """Cycles of the documented layer in ResNet-50's statistics: the first of its kind."""
    assert archive.report is not None
    alike = (LAYER_MACS, 56 * 56 * 64)
    layers = archive.report.layers
    return next(layer.compute_cycles or 0 for layer in layers if (layer.macs, layer.input_bytes) == alike)


def _yolo_row() -> Row:
    with tempfile.TemporaryDirectory() as folder:
        result = generated("yolo_style_640").compile(output_path=folder)
        assert result.archive.report is not None
        macs = sum(layer.macs or 0 for layer in result.archive.report.layers) / 1e9
    name = f"detector, 640x640, {macs:.1f} GMAC, cycles"
    return _row(name, "third party, yolo_11s (10.7 GMAC), next chip", YOLO_CYCLES, result.runtime_cycles)


def _row(name: str, source: str, published: float, predicted: float) -> Row:
    facts = {"source": source, "published": _text(published), "predicted": _text(predicted)}
    return Row(name, facts, predicted / published)


def _text(value: float) -> str:
    return f"{value:,.3f}" if value < 100 else f"{value:,.0f}"
