"""Equal resources: the same networks, on a description of the peer's machine, against the peer's own estimate.

In: the networks folder and the peers' environment. Out: a table of both numbers, measured in the same run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from sima_compiler import Model
from tests.benchmarks.alike import charged_alike
from tests.benchmarks.networks import WITHOUT_FOLDER, generated, shared_folder
from tests.benchmarks.peers import install_peers, run_vela
from tests.benchmarks.sram import SramAudit, audit
from tests.benchmarks.tables import Row, Section

MACHINES = Path(__file__).parent / "machines"
#: Our runtime over Vela's total cycles, both charged alike: not slower. A comparison that is lost stays in the table.
LIMITS = {"resnet50": 1.0, "mobilenetv2": 1.0, "efficientnetb0": 1.0}
#: The charges of `alike`, in the order of the columns.
CHARGES = ("scales", "weight channel", "microblocks", "sums", "bursts", "folding")
#: ZigZag 3.9.0 on its own TPU-like machine and its own ResNet-50; it takes more than four minutes, so it is quoted.
ZIGZAG_CYCLES, ZIGZAG_LIMIT = 8_002_606, 0.7

TEXT = """\
Machine descriptions: machines/*.yaml; machines/README.md pairs every parameter with its source. Vela's figures are
those of its summary file (`cycles_total`), made in this very run. Our runtime has every on-chip byte charged, transfers
included, on one shared port of 64 bytes per cycle with 40.96 for each channel, as Vela does. `audited` is that runtime
plus whatever a second count of the bytes would still add to a layer (machines/README.md).

Vela charges more than that, and six of its charges have no field in a machine description: `+ ...` is our runtime over
Vela's with one of them added, `charged alike` our runtime with all six. That is what the ratio judges, because only
then do both sides pay for the same things. Our program was planned without them, so what it would do about them is not
credited. A ratio above 1 is a comparison that we lose. `DRAM as a channel` is a harder reading of one of the six: all
of DRAM delivers the 6 bytes per cycle of one DMA channel, maps included. ZigZag's figure is quoted from a run of
version 3.9.0 (259 s, 674 MB) on its own TPU-like example machine, as a second opinion: its weights are
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
        with tempfile.TemporaryDirectory() as output:
            result = model.compile(output_path=output, machine=str(MACHINES / "ethos_u85_2048.yaml"))
            ours, alike = audit(result.archive), charged_alike(result.archive)
        narrow = compiled(model, "ethos_u85_2048_channel")
        facts = {
            "peer": f"{theirs.total:,}",
            "peer's array alone": f"{theirs.array:,}",
            "ours": f"{ours.runtime:,} ({ours.runtime / theirs.total:.3f})",
            "audited": f"{ours.audited:,}",
            **{f"+ {charge}": f"{alike.each[charge] / theirs.total:.3f}" for charge in CHARGES},
            "DRAM as a channel": f"{narrow.runtime:,} ({narrow.runtime / theirs.total:.3f})",
            "charged alike": f"{alike.together:,}",
        }
        yield Row(name, facts, alike.together / theirs.total, limit)


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
