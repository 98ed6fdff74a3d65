"""The peer tools: installed into their own environment, run as programs, their own summary read back.

In: a network file. Out: the cycles that the tool estimates, and what running it cost.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.children import Usage, measure

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements-peers.txt"
ENVIRONMENT = Path("build") / "benchmarks" / "peers"
VELA_OPTIONS = (
    *("--accelerator-config", "ethos-u85-2048", "--config", "Arm/vela.ini"),
    *("--system-config", "Ethos_U85_SYS_DRAM_High", "--memory-mode", "Dedicated_Sram"),
)


@dataclass(frozen=True, slots=True)
class VelaRun:
    """Vela's summary of one network: total, array, on-chip and DRAM cycles, and MACs; ``usage``: the whole process."""

    total: int
    array: int
    sram: int
    dram: int
    macs: int
    usage: Usage


def install_peers() -> str:
    """Creates the environment once; the version that is installed."""
    vela = ENVIRONMENT / "bin" / "vela"
    if not vela.is_file():
        measure([sys.executable, "-m", "venv", str(ENVIRONMENT)])
        measure([str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--quiet", "install", "-r", str(REQUIREMENTS)])
    return measure([str(vela), "--version"]).output.strip()


def run_vela(network: Path) -> VelaRun:
    """Vela's estimate for a `.tflite` file."""
    output = ENVIRONMENT.parent / "vela" / network.stem
    usage = measure([str(ENVIRONMENT / "bin" / "vela"), *VELA_OPTIONS, "--output-dir", str(output), str(network)])
    (summary,) = output.glob("*_summary_*.csv")
    with summary.open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    names = ("cycles_total", "cycles_npu", "cycles_sram_access", "cycles_dram_access", "nn_macs")
    total, array, sram, dram, macs = (int(float(row[name])) for name in names)
    return VelaRun(total, array, sram, dram, macs, usage)
