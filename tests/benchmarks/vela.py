"""Equal resources: the same networks, on a description of the peer's machine, against the peer's own estimate.

In: the networks folder and the peers' environment. Out: a table of both numbers, measured in the same run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from sima_compiler import Model
from tests.benchmarks.networks import WITHOUT_FOLDER, generated, shared_folder
from tests.benchmarks.peers import install_peers, run_vela
from tests.benchmarks.sram import SramAudit, audit
from tests.benchmarks.tables import Row, Section

MACHINES = Path(__file__).parent / "machines"
#: Our runtime over Vela's total cycles.
LIMITS = {"resnet50": 0.48, "mobilenetv2": 0.28, "efficientnetb0": 0.35}
#: ZigZag 3.9.0 on its own TPU-like machine and its own ResNet-50; it takes more than four minutes, so it is quoted.
ZIGZAG_CYCLES, ZIGZAG_LIMIT = 8_002_606, 0.7

TEXT = """\
Machine descriptions: machines/*.yaml; machines/README.md pairs every parameter with its source. Vela's figures are
those of its summary file (`cycles_total`), made in this very run. Our runtime has every on-chip byte charged, transfers
included, on one shared port of 64 bytes per cycle with 40.96 for each channel, as Vela does. `audited` is that runtime
plus whatever a second count of the bytes would still add to a layer (machines/README.md); it is what the ratio judges.
`DRAM as a channel` is our runtime when DRAM delivers only the 6 bytes per cycle that Vela grants one DMA channel
instead of the 24 of the port. ZigZag's figure is quoted from a run of version 3.9.0 (259 s, 674 MB): its weights are
raw, so ours are too (compress=False)."""


def section() -> Section:
    """The table, or a sentence where the networks are missing."""
    command = "python -m tests.benchmarks.run vela"
    folder = shared_folder()
    rows = list(_vela_rows(folder)) if folder is not None else []
    version = f" Vela {install_peers()}." if folder is not None else f" Vela: {WITHOUT_FOLDER}."
    return Section("Equal resources against Vela and ZigZag", command, TEXT + version, (*rows, zigzag_row()))


def _vela_rows(folder: Path) -> Iterator[Row]:
    install_peers()
    for name, limit in LIMITS.items():
        theirs = run_vela(folder / f"{name}_int8.tflite")
        model = Model.from_onnx(folder / f"{name}_int8_qdq.onnx")
        ours = compiled(model, "ethos_u85_2048")
        narrow = compiled(model, "ethos_u85_2048_channel")
        facts = {
            "peer": f"{theirs.total:,}",
            "peer's array alone": f"{theirs.array:,}",
            "ours": f"{ours.runtime:,} ({ours.runtime / theirs.total:.3f})",
            "audited": f"{ours.audited:,}",
            "DRAM as a channel": f"{narrow.runtime:,} ({narrow.runtime / theirs.total:.3f})",
        }
        yield Row(name, facts, ours.audited / theirs.total, limit)


def zigzag_row() -> Row:
    """ResNet-50 on ZigZag's machine against the quoted figure."""
    ours = compiled(generated("light_resnet50"), "zigzag_tpu_like", compress=False)
    facts = {"peer": f"{ZIGZAG_CYCLES:,}", "ours": f"{ours.runtime:,}"}
    return Row("light_resnet50 (ZigZag)", facts, ours.runtime / ZIGZAG_CYCLES, ZIGZAG_LIMIT)


def compiled(model: Model, machine: str, *, compress: bool = True) -> SramAudit:
    """Our runtime on a machine of this folder, and the audit of its on-chip port."""
    with tempfile.TemporaryDirectory() as folder:
        result = model.compile(output_path=folder, compress=compress, machine=str(MACHINES / f"{machine}.yaml"))
        return audit(result.archive)
