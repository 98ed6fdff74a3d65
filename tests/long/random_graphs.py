"""10,000 random graphs of two generators that share no code, every element against the original file.

``python -m tests.long.random_graphs [--count N] [--first SEED] [--until HH:MM]``: ``--count`` graphs of each, on
`mlsoc`, `tiny` and a memory of 8 KiB, batches 1 to 5, in turns until all are judged or the clock says so. The counts go
into tests/long/results.md; what is wrong is printed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

from sima_compiler import Machine, SimaError
from tests.long.sections import write_section
from tests.strategies import Drawn, networks
from tests.support.grown_graphs import MACHINES, Grown, grown
from tests.support.judges import assert_judges_agree

COUNT = 5000
#: Graphs that one run of hypothesis draws; more would repeat themselves.
PIECE = 25
QUIET = settings(
    deadline=None,
    database=None,
    max_examples=PIECE,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def main() -> int:
    """Judge in turns; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--until", metavar="HH:MM", help="UTC; no graph is begun behind it")
    options = parser.parse_args()
    counts = {"drawn by hypothesis": Counter[str](), "grown from branches": Counter[str]()}
    with tempfile.TemporaryDirectory() as folder:
        sources = (hypothetical(options.first), (grown(number) for number in _numbers(options.first)))
        turns = zip(counts.values(), sources, strict=True)
        waiting = list(turns)
        while waiting and not _is_late(options.until):
            for mine, source in list(waiting):
                for _ in range(PIECE):
                    if mine.total() >= options.count:
                        break
                    found = next(source)
                    mine[judged(found, Path(folder))] += 1
                if mine.total() >= options.count:
                    waiting.remove((mine, source))
            print(counts, flush=True)
    write_section(report(counts, options.first))
    return int(any(mine["wrong"] for mine in counts.values()))


def judged(graph: Grown, folder: Path) -> str:
    """exact, refused by a rule, or wrong; what is not exact is printed with its file."""
    machine = str(eight_kib(folder)) if graph.machine == "8 KiB" else graph.machine
    try:
        assert_judges_agree(graph.model, folder, batch=graph.batch, compress=graph.compress, machine=machine)
    except SimaError as error:
        return _noted("refused", graph, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the graph is told and the next one judged
        return _noted("wrong", graph, error)
    return "exact"


def eight_kib(folder: Path) -> Path:
    """`tiny` with one quad of 8 KiB."""
    path = folder / "eight_kib.yaml"
    if not path.exists():
        text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", "sram_bytes_per_quad: 8192")
        path.write_text(text.replace("quads: 2", "quads: 1"), "utf-8")
    return path


def hypothetical(first: int) -> Iterator[Grown]:
    """The other generator's networks, with machines and batches drawn alike."""
    for piece in _numbers(first):
        random = np.random.default_rng(piece)
        for drawn in _piece(piece):
            yield Grown(
                model=drawn.quantized,
                batch=int(random.integers(1, 6)),
                machine=MACHINES[int(random.integers(len(MACHINES)))],
                compress=bool(random.integers(2)),
            )


def _piece(number: int) -> list[Drawn]:
    found: list[Drawn] = []

    @QUIET
    @seed(number)
    @given(networks())
    def collect(drawn: Drawn) -> None:
        found.append(drawn)

    run: Callable[[], None] = collect
    run()
    return found


def _numbers(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1


def _noted(verdict: str, graph: Grown, error: Exception) -> str:
    path = Path(tempfile.gettempdir()) / f"{verdict}_{os.getpid()}_{time.time_ns()}.onnx"
    path.write_bytes(graph.model.SerializeToString())
    said = f"{type(error).__name__}: {error}".replace("\n", " ")[:400]
    print(f"{verdict}: {path}: {graph.machine}, batch {graph.batch}, {graph.compress}: {said}", flush=True)
    return verdict


def _is_late(until: str | None) -> bool:
    return until is not None and time.strftime("%H:%M", time.gmtime()) >= until


def report(counts: dict[str, Counter[str]], first: int) -> str:
    """The section of the results page."""
    rows = [
        f"| {name} | {mine.total():,} | {mine['exact']:,} | {mine['refused']:,} | {mine['wrong']:,} |"
        for name, mine in counts.items()
    ]
    table = "\n".join(rows)
    return f"""# Random graphs

`python -m tests.long.random_graphs`, seeds from {first}: two generators that share no code (tests/strategies.py,
tests/support/grown_graphs.py), on `mlsoc`, `tiny` and 8 KiB, batches 1 to 5: numpy, the simulated `.lm` and onnxruntime
on the original file.

| Generator | Graphs | Every element equal | Refused by a rule | Wrong |
|---|---|---|---|---|
{table}
"""


if __name__ == "__main__":
    raise SystemExit(main())
