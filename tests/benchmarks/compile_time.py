"""How long a compile takes, as whole processes, beside the peer's in the same run.

In: networks. Out: tables of wall time, processor time and peak memory. Times are quoted, ratios are compared.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.children import Usage, least, measure
from tests.benchmarks.networks import CACHE, WITHOUT_FOLDER, generated, shared_folder
from tests.benchmarks.peers import install_peers, run_vela
from tests.benchmarks.tables import Row, Section

REPEATS = 3
TIME_LIMIT, MEMORY_LIMIT = 1 / 3, 300.0
#: Wall time of a compile that is asked for so many samples, over that for one.
BATCH_LIMITS = {16: 3.0, 32: 4.0}

TEXT = f"""\
The whole process `simac compile`, interpreter start and imports included, one thread; of {REPEATS} interleaved runs the
one with the least wall time. Vela compiles the same network in between. Asking for a large batch
tries the candidates below it."""


def section() -> Section:
    """The table; without the networks folder the comparison with Vela is left out."""
    rows = list(_rows())
    text = TEXT if shared_folder() is not None else f"{TEXT} Vela: {WITHOUT_FOLDER}."
    return Section("Compile time and memory", "python -m tests.benchmarks.run compile_time", text, rows)


def _rows() -> Iterator[Row]:
    folder = shared_folder()
    if folder is not None:
        yield from _against_vela(folder)
    generated("light_resnet50")
    source = CACHE / "light_resnet50.sima"
    rounds = [{size: _simac(source, size) for size in (1, *BATCH_LIMITS)} for _ in range(REPEATS)]
    best = {size: least([usages[size] for usages in rounds]) for size in rounds[0]}
    yield Row("light_resnet50, batch 1", _facts(best[1]), best[1].megabytes, MEMORY_LIMIT)
    for size, limit in BATCH_LIMITS.items():
        facts = _facts(best[size])
        yield Row(f"light_resnet50, batch {size} over batch 1", facts, best[size].wall / best[1].wall, limit)


def _against_vela(folder: Path) -> Iterator[Row]:
    install_peers()
    ours: list[Usage] = []
    theirs: list[Usage] = []
    for _ in range(REPEATS):
        ours.append(_simac(folder / "resnet50_int8_qdq.onnx", 1))
        theirs.append(run_vela(folder / "resnet50_int8.tflite").usage)
    our, their = least(ours), least(theirs)
    yield Row("Vela, resnet50", _facts(their))
    yield Row("resnet50, wall time over Vela's", _facts(our), our.wall / their.wall, TIME_LIMIT)
    yield Row("resnet50, processor time over Vela's", _facts(our), our.processor / their.processor, TIME_LIMIT)
    yield Row("resnet50, peak megabytes", _facts(our), our.megabytes, MEMORY_LIMIT)


def _simac(source: Path, batch: int) -> Usage:
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "sima_compiler", "compile", str(source), "-o", output]
        return measure([*command, "--batch-size", str(batch), "--json"])


def _facts(usage: Usage) -> dict[str, str]:
    return {"wall": f"{usage.wall:.2f} s", "processor": f"{usage.processor:.2f} s", "peak": f"{usage.megabytes:.0f} MB"}
