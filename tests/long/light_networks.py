"""All nine networks of the onnx package, with seeded weights, at batches 1 and 4.

Each is quantized by onnxruntime's own `quantize_static`, compiled, simulated, and judged from its original file:
operators of `frontend.float_inside` are fed onnxruntime's input, every other node is exact, and the archive computes
what the reference says, every element.

``python -m tests.long.light_networks`` writes tests/long/light_networks.md; names try those alone.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sima_compiler import Archive, Model
from sima_compiler.frontend.light_models import light_model, light_model_names
from tests.networks.quantized import quantized_original
from tests.support.fed_nodes import Fed, assert_fed_nodes_agree
from tests.support.work_share import share_on_the_accelerator

PAGE = Path(__file__).parent / "light_networks.md"
BATCHES = (1, 4)
COLUMNS = (
    "network", "batch asked, actual", "work on the MLA", "cycles", "output elements", "listed nodes: one step off, of",
    "end to end: off, by up to", "top-1 agreement",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One network at one batch. ``cycles`` are those of the whole batch."""

    name: str
    asked: int
    batch: int
    share: float
    cycles: int
    verdict: Fed


def tried(name: str, folder: Path) -> list[Row]:
    """The network at every batch.

    Raises:
        AssertionError: an element differs that must not, or less than 95 % of the work is on the accelerator.
    """
    original = quantized_original(light_model(name, 1), folder / f"{name}.onnx")
    model = Model.from_onnx(original, name)
    share = share_on_the_accelerator(model, original)
    assert share >= 0.95, f"{name}: {share:.3f} of its multiplications are on the accelerator"
    return [_judged(model, original, batch, share, folder) for batch in BATCHES]


def _judged(model: Model, original: Path, batch: int, share: float, folder: Path) -> Row:
    with contextlib.redirect_stdout(io.StringIO()):
        verdict = assert_fed_nodes_agree(original, folder, batch=batch, seed=batch, model=model, compress=batch > 1)
    archive = Archive.open(folder / f"{model.name}_mpk.tar.gz")
    report = archive.report
    assert report is not None
    assert report.actual_batch_size is not None
    assert report.runtime_cycles is not None
    return Row(model.name, batch, report.actual_batch_size, share, report.runtime_cycles, verdict)


def page(rows: list[Row]) -> str:
    """The committed table."""
    lines = [
        "# The networks of the onnx package",
        "",
        "Nine topologies with seeded weights (He's normal distribution; never trained), quantized by onnxruntime's",
        "`quantize_static`, against onnxruntime on the same file. *Listed nodes*: those that onnxruntime sums in",
        "float32, each given onnxruntime's own input; every other node is exact in every element.",
        "Written by `python -m tests.long.light_networks`.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"| {' | '.join('---' for _ in COLUMNS)} |",
        *map(_line, rows),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    nodes, outputs = row.verdict.nodes.values(), row.verdict.outputs.values()
    listed = f"{sum(node.off for node in nodes)} of {sum(node.elements for node in nodes):,}" if nodes else "none"
    off, steps = sum(found.off for found in outputs), max(found.steps for found in outputs)
    cells = (
        f"light_{row.name}", f"{row.asked}, {row.batch}", f"{row.share:.3f}", f"{row.cycles:,}",
        f"{sum(found.elements for found in outputs):,}", listed, f"{off}, {steps} steps" if off else "equal",
        f"{row.verdict.top1:.4f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main(names: list[str]) -> None:
    rows: list[Row] = []
    for name in names or light_model_names():
        with tempfile.TemporaryDirectory() as folder:
            rows += tried(name, Path(folder))
        print(*map(_line, rows[-len(BATCHES) :]), sep="\n", flush=True)
    if not names:
        PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    np.seterr(all="ignore")
    main(sys.argv[1:])
