"""20,000 damaged files, each judged: an error of ours, or the numbers that onnxruntime gives. ``make test-long``.

``python -m tests.long.mutated [--count N] [--first SEED] [--results FILE]`` prints the counts and what is wrong, and
exits with 1 if anything is. Files are judged in child processes of 250 each, so that a crash of a library costs one
child and names its file; a file that takes longer than `SECONDS` is a hang.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx

from sima_compiler import Archive, Model, SimaError, simulate
from sima_compiler.errors import InternalError
from sima_compiler.sim.reference import run_graph
from tests.long.mutations import mutated
from tests.long.sections import write_section
from tests.spelling.networks import NETWORKS, plain
from tests.support.judges import boundary_parameters, model_inputs
from tests.support.oracle import quantize_by_onnxruntime
from tests.support.outside import Outside, unlike
from tests.support.qdq_graph import INT8, UINT8
from tests.support.qdq_writer import random_inputs
from tests.support.small_models import small_float_model

SECONDS = 20
CHUNK = 250
MEMORY = 6 << 30
#: One in so many files that are read is compiled and simulated too; the rest are evaluated by the reference.
COMPILED = 8
RESULTS = Path(__file__).with_name("results.md")


@dataclass(frozen=True, slots=True)
class Finding:
    """``verdict``: see `GOOD` and `BAD`."""

    seed: int
    verdict: str
    detail: str = ""


#: "no oracle": onnxruntime itself refuses the file that was read.
GOOD = ("refused", "equal", "no oracle")
BAD = ("wrong", "traceback", "hang", "crash")


def judge(seed: int, folder: Path) -> Finding:
    """Damage a network as ``seed`` says, read it, and compare what can be read."""
    random = np.random.default_rng(seed)
    sources = originals()
    data = mutated(sources[seed % len(sources)], random)
    path = folder / "mutated.onnx"
    path.write_bytes(data)
    try:
        with limited(SECONDS):
            return compared(seed, path)
    except TimeoutError as error:
        return Finding(seed, "hang", _where(error))
    except InternalError as error:
        return Finding(seed, "traceback", _where(error))
    except SimaError:
        return Finding(seed, "refused")
    except AssertionError as error:
        return Finding(seed, "wrong", str(error)[:300])
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is what this looks for
        return Finding(seed, "traceback", _where(error))


def compared(seed: int, path: Path) -> Finding:
    """Raises what reading raises, and AssertionError for numbers that are not onnxruntime's."""
    model = Model.from_onnx(path)
    inputs = model_inputs(model, 2, seed)
    with np.errstate(all="ignore"):
        integers = run_graph(model.graph, inputs)
        reals = dict(zip(model.graph.outputs, model.execute(inputs), strict=True))
    if seed % COMPILED == 0:
        archive = Archive.open(model.compile(path.parent, 1, machine="tiny").path)
        run = simulate(archive, {name: array[:1] for name, array in inputs.items()})
        for name, array in integers.items():
            assert np.array_equal(array[:1], run.quantized[name]), f"{name}: reference and .lm differ"
    try:
        proto = distinct(onnx.load(path))
        outside = Outside(proto, model.graph.outputs)
        expected = outside.run(inputs, boundary_parameters(model))
    except Exception as error:  # noqa: BLE001 -- onnxruntime's errors have no common base
        return Finding(seed, "no oracle", str(error)[:200])
    problems = {
        name: problem for name, array in expected.items() if (problem := unlike(array, reals[name], integers[name]))
    }
    if not problems:
        return Finding(seed, "equal")
    steps = max(_steps(expected[name], reals[name], model.graph.tensors[name].quant.scale) for name in problems)
    raise AssertionError(f"{steps} steps, {problems}")


def distinct(model: onnx.ModelProto) -> onnx.ModelProto:
    """Nodes with names of their own: onnxruntime refuses two that are called alike, which ONNX allows."""
    for index, node in enumerate(model.graph.node):
        node.name = f"node {index}"
    return model


def _steps(expected: np.ndarray, found: np.ndarray, scale: float) -> int:
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return 999
    with np.errstate(all="ignore"):
        steps = np.abs(expected.astype(np.float64) - found) / scale
    return int(np.rint(np.nan_to_num(steps, nan=999, posinf=999).max()))


@cache
def originals() -> tuple[bytes, ...]:
    """The good files: networks of many operators in both types of bytes, and one in QOperator form."""
    files = [plain(name, kind).SerializeToString() for name in NETWORKS for kind in (UINT8, INT8)]
    source = small_float_model()
    samples = [random_inputs(source, 1, np.random.default_rng(seed)) for seed in range(2)]
    with tempfile.TemporaryDirectory() as folder:
        for operators in (False, True):
            made = quantize_by_onnxruntime(source, samples, Path(folder), operators=operators)
            files.append(made.SerializeToString())
    return tuple(files)


@contextmanager
def limited(seconds: int) -> Generator[None]:
    """Raises TimeoutError in the middle of whatever takes longer."""

    def stop(signum: int, frame: object) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _where(error: BaseException) -> str:
    frames = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-4:]]
    return f"{type(error).__name__}: {str(error)[:160]} at {' > '.join(frames)}".replace("\n", " ")


def child(first: int, count: int) -> None:
    """One line per file: seed, verdict, detail; flushed, so that a crash leaves the number of its file."""
    warnings.simplefilter("ignore")
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            print(f"{seed}\tstarted\t", flush=True)
            found = judge(seed, Path(folder))
            print(f"{seed}\t{found.verdict}\t{found.detail.splitlines()[0] if found.detail else ''}", flush=True)


def chunk(first: int, count: int) -> list[Finding]:
    """Findings of ``count`` files from one child process, or from several where a file ends it."""
    found: list[Finding] = []
    while len(found) < count:
        start = first + len(found)
        command = [sys.executable, "-m", "tests.long.mutated", "--child", "--first", str(start)]
        command += ["--count", str(count - len(found))]
        limit = 60 + (count - len(found)) * SECONDS
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        run = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, env=environment)
        lines = [line.split("\t", 2) for line in run.stdout.splitlines() if line.count("\t") == 2]
        found += [Finding(int(seed), verdict, detail) for seed, verdict, detail in lines if verdict != "started"]
        if len(found) < count and (not lines or lines[-1][1] == "started"):
            seed = int(lines[-1][0]) if lines else start
            found.append(Finding(seed, "crash", f"exit {run.returncode}: {run.stderr[-200:]!r}"))
    return found


def report(counts: Mapping[str, int], first: int, seconds: float) -> str:
    """The committed counts."""
    rows = [f"| {verdict} | {counts.get(verdict, 0):,} |" for verdict in (*GOOD, *BAD)]
    return "\n".join([
        "# Damaged files", "",
        f"`make test-long`, seeds {first:,} to {first + sum(counts.values()) - 1:,}, {seconds:.0f} s.", "",
        "| Ends in | Files |", "|---|---|", *rows, "",
        "*refused*: an error of ours. *equal*: every element is onnxruntime's on the same file, products on bytes and",
        "biases in the unit of their products (tests/support/integer_form.py). *no oracle*: onnxruntime itself refuses",
        "the file.", "",
    ])  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Judge damaged files.")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--results", type=Path, help="write the counts into this file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(options.first, options.count)
        return 0
    started, counts = time.monotonic(), Counter[str]()
    for first in range(options.first, options.first + options.count, CHUNK):
        for found in chunk(first, min(CHUNK, options.first + options.count - first)):
            counts[found.verdict] += 1
            if found.verdict in BAD:
                print(f"seed {found.seed}: {found.verdict}: {found.detail}", flush=True)
    print(dict(counts))
    if options.results:
        write_section(report(counts, options.first, time.monotonic() - started), options.results)
    return int(any(counts[verdict] for verdict in BAD))


if __name__ == "__main__":
    sys.exit(main())
