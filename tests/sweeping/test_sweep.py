"""Sweeps: what a table holds against single compiles, what is computed again and what is not, and what failures say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from sima_compiler import Archive, Machine, Model, OptionError, sweep
from sima_compiler.sweeping.finished import FILE_NAME, Finished
from sima_compiler.sweeping.points import SweptNetwork, points_of
from sima_compiler.view.sweep import Goal, SweepRow, SweepTable
from tests.networks.float_net import FloatNet
from tests.support.qdq_writer import Style, write_qdq

TWO_DOZEN: dict[str, Any] = {"batch_sizes": (1, 2, 3, 5), "quads": (1, 2, 4), "compress": (True, False)}


class Counting(ThreadPoolExecutor):
    """Threads that remember how many points they were given."""

    submitted = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        return super().submit(fn, *args, **kwargs)


@pytest.fixture(scope="module")
def two_dozen(swept: Model) -> SweepTable:
    """24 points, compiled in two processes of this machine."""
    return sweep(swept, **TWO_DOZEN, jobs=2)


def test_rows_are_those_of_single_compiles(swept: Model, two_dozen: SweepTable, tmp_path: Path) -> None:
    asked = [(row.quads, row.compress, row.desired_batch_size) for row in two_dozen]
    assert asked == [
        (quads, packed, batch) for quads in (1, 2, 4) for packed in (True, False) for batch in (1, 2, 3, 5)
    ]
    bare = Model.from_bytes(swept.to_bytes(), "small")
    for row in two_dozen.rows[::7]:
        result = bare.compile(tmp_path, row.desired_batch_size, row.compress, quads=row.quads)
        assert row.actual_batch_size == result.actual_batch_size
        assert row.runtime_cycles == result.runtime_cycles
        assert row.bound_cycles == result.bound_cycles
        assert row.archive_bytes == result.path.stat().st_size
        report = Archive.open(result.path).report
        assert report is not None
        assert report.machine is not None
        microseconds = result.runtime_cycles / report.machine.clock_mhz
        assert row.latency_us == microseconds
        assert row.samples_per_second == pytest.approx(result.actual_batch_size / (microseconds * 1e-6))
        assert row.peak_on_chip_bytes == max(segment.peak_bytes or 0 for segment in report.segments)
        assert report.dram is not None
        assert row.dram_bytes == report.dram.loaded_bytes + report.dram.stored_bytes


def test_the_frontier_and_the_best_against_their_definitions(two_dozen: SweepTable) -> None:
    def numbers(row: SweepRow) -> tuple[float, float]:
        assert row.latency_us
        assert row.samples_per_second
        return row.latency_us, row.samples_per_second

    def is_beaten(row: SweepRow) -> bool:
        latency, rate = numbers(row)
        others = {numbers(other) for other in two_dozen} - {(latency, rate)}
        return any(quicker <= latency and busier >= rate for quicker, busier in others)

    frontier = {(row.latency_us, row.samples_per_second) for row in two_dozen.pareto}
    assert frontier == {(row.latency_us, row.samples_per_second) for row in two_dozen if not is_beaten(row)}
    assert 1 < len(two_dozen.pareto) < len(two_dozen)
    assert [row.latency_us for row in two_dozen.pareto] == sorted(row.latency_us or 0 for row in two_dozen.pareto)
    quickest = two_dozen.best("latency")
    assert quickest is not None
    assert quickest.latency_us == min(row.latency_us or 0 for row in two_dozen)
    busiest = two_dozen.best(Goal.THROUGHPUT)
    assert busiest is not None
    assert busiest.samples_per_second == max(row.samples_per_second or 0 for row in two_dozen)
    with pytest.raises(OptionError, match="no goal 'speed'"):
        two_dozen.best("speed")


def test_any_executor_gives_the_same_table(swept: Model, two_dozen: SweepTable) -> None:
    with Counting(2) as threads:
        assert sweep(swept, **TWO_DOZEN, executor=threads) == two_dozen
    assert threads.submitted == 24


def test_finished_points_are_never_compiled_again(swept: Model, two_dozen: SweepTable, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    heard: list[tuple[str, int, int]] = []
    with Counting(1) as threads:
        sweep(swept, **{**TWO_DOZEN, "quads": 4}, executor=threads, output_path=folder)
        assert threads.submitted == 8
        whole = sweep(swept, **TWO_DOZEN, executor=threads, output_path=folder,
                      on_row=lambda row, done, total: heard.append((row.key, done, total)))  # fmt: skip
        assert threads.submitted == 24
        assert whole == two_dozen
        assert sorted(key for key, _, _ in heard) == sorted(row.key for row in two_dozen)
        assert [done for _, done, _ in heard] == list(range(1, 25))
        lines = (folder / FILE_NAME).read_text("utf-8").splitlines()
        # A line that was cut off is computed again, and what follows it is not lost.
        (folder / FILE_NAME).write_text("\n".join([*lines[:-1], lines[-1][:40]]), "utf-8")
        assert sweep(swept, **TWO_DOZEN, executor=threads, output_path=folder) == two_dozen
        assert threads.submitted == 25
        assert sweep(swept, **TWO_DOZEN, executor=threads, output_path=folder) == two_dozen
        assert threads.submitted == 25


def test_a_key_holds_all_that_decides_and_nothing_else(swept: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine.load("mlsoc")
    network = SweptNetwork(swept.name, swept.checksum, b"")

    def key(network: SweptNetwork = network, **changed: Any) -> str:
        options = {
            "batch_sizes": [1],
            "quads": [None],
            "compress": [True],
            "machines": [machine],
            "input_sizes": [None],
        }
        (point,) = points_of(network, **{**options, **changed})
        return point.key

    first = key()
    assert key(replace(network, content=b"x")) == first
    assert key(quads=[machine.quads]) == first
    others = [
        key(replace(network, checksum="0" * 64)),
        key(batch_sizes=[2]),
        key(quads=[1]),
        key(compress=[False]),
        key(machines=[replace(machine, dram_bytes_per_cycle=machine.dram_bytes_per_cycle + 1)]),
        key(input_sizes=[(9, 8)]),
    ]
    monkeypatch.setattr("sima_compiler.sweeping.points.__version__", "0.0.0")
    others.append(key())
    assert len({first, *others}) == 8


def test_failures_are_rows_with_reasons(swept: Model, tmp_path: Path) -> None:
    small = tmp_path / "small.yaml"
    text = Machine.load("mlsoc").text
    small.write_text(text.replace("sram_bytes_per_quad: 1048576", "sram_bytes_per_quad: 4096"), "utf-8")
    with Counting(1) as threads:
        table = sweep(swept, batch_sizes=1, quads=(4, 99), input_shapes=[None, (7, 9), (1, 3, 16, 16)],
                      executor=threads, output_path=tmp_path / "kept")  # fmt: skip
        assert [row.problem_type for row in table] == ["", "OptionError"] * 3
        assert table[1].problem == "quads must be from 1 to 4 on mlsoc, found 99"
        assert [row.input_size for row in table] == ["", "", "7x9", "7x9", "16x16", "16x16"]
        assert (table[4].runtime_cycles or 0) > (table[0].runtime_cycles or 0)
        again = sweep(swept, batch_sizes=1, quads=99, executor=threads, output_path=tmp_path / "kept")
        assert again.rows == (table[1],)
        assert threads.submitted == 6, "a failure of the point is as final as a result"
    text = repr(table)
    assert "6, 3 of them failed" in text
    assert "quads must be from 1 to 4 on mlsoc, found 99" in text


def test_a_size_that_the_compiler_tells_equals_the_file_exported_at_it(tmp_path: Path) -> None:
    def exported(rows: int, columns: int) -> onnx.ModelProto:
        net = FloatNet(5)
        last = net.unary("Relu", net.conv(net.input((3, rows, columns), "image"), 16, 3))
        return write_qdq(net.model([net.dense(net.flatten(net.global_pool(last)), 5)], "sized"), 11, Style())

    small, large = exported(8, 8), exported(16, 24)
    with Counting(1) as threads:
        told = sweep(small, input_shapes=[(16, 24)], executor=threads)
        own = sweep(large, executor=threads)
    assert (told[0].runtime_cycles, told[0].archive_bytes) != (None, None)
    assert told[0].runtime_cycles == own[0].runtime_cycles


def test_a_file_with_open_sizes_is_read_once_per_size(tmp_path: Path) -> None:
    net = FloatNet(5)
    last = net.unary("Relu", net.conv(net.input((3, 8, 8), "image"), 16, 3))
    model = write_qdq(net.model([last], "open"), 11, Style())
    for entry in (*model.graph.input, *model.graph.output):
        for axis, name in ((2, "rows"), (3, "columns")):
            entry.type.tensor_type.shape.dim[axis].dim_param = name
    del model.graph.value_info[:]
    path = tmp_path / "open.onnx"
    onnx.save(model, path)
    with Counting(1) as threads:
        table = sweep(path, input_shapes=[(8, 8), {"image": (1, 3, 16, 16)}], executor=threads)
        assert [row.input_size for row in table] == ["8x8", "16x16"]
        assert not table.failed
        with pytest.raises(OptionError, match="leaves its input sizes open"):
            sweep(path, executor=threads)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"batch_sizes": 0}, "batch size is 0"),
        ({"batch_sizes": [2, 1.5]}, "batch size is 1.5"),
        ({"batch_sizes": []}, "no batch size is given"),
        ({"quads": "4"}, "quads is '4'"),
        ({"machines": "none"}, "no machine 'none'"),
        ({"input_shapes": [(1, 4, 8, 8)]}, "only rows and columns can change"),
        ({"input_shapes": [{"picture": (1, 3, 8, 8)}]}, "no input 'picture'"),
        ({"input_shapes": [(0, 8)]}, "expected a whole number"),
        ({"input_shapes": []}, "no input shape is given"),
        ({"keep_archives": True}, "needs an output_path"),
    ],
)
def test_what_cannot_be_swept_is_said_before_the_work(swept: Model, options: dict[str, Any], problem: str) -> None:
    with Counting(1) as threads, pytest.raises(Exception, match=problem) as caught:
        sweep(swept, **options, executor=threads)
    assert type(caught.value).__module__ == "sima_compiler.errors"
    assert threads.submitted == 0


def test_archives_are_kept_under_their_keys(swept: Model, tmp_path: Path) -> None:
    with Counting(1) as threads:
        table = sweep(swept, batch_sizes=(1, 2), executor=threads, output_path=tmp_path, keep_archives=True)
        for row in table:
            assert Path(row.archive) == tmp_path / row.key / "small_mpk.tar.gz"
            assert Archive.open(row.archive).batch.actual == row.actual_batch_size
        Path(table[0].archive).unlink()
        assert sweep(swept, batch_sizes=(1, 2), executor=threads, output_path=tmp_path, keep_archives=True) == table
        assert threads.submitted == 3
        assert Path(table[0].archive).is_file()


class Dying(Executor):
    """Breaks at chosen submissions, as a pool does whose process was killed."""

    def __init__(self, dies_at: set[int]) -> None:
        self.dies_at, self.submitted = dies_at, 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        if self.submitted in self.dies_at:
            future.set_exception(BrokenProcessPool("a process was terminated abruptly"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_point_whose_process_dies_is_tried_again_once(swept: Model, tmp_path: Path) -> None:
    table = sweep(swept, batch_sizes=(1, 2, 3), executor=Dying({2}), output_path=tmp_path / "once")
    assert not table.failed
    place = Dying({2, 4})
    table = sweep(swept, batch_sizes=(1, 2, 3), executor=place, output_path=tmp_path / "twice")
    assert [row.problem_type for row in table] == ["", "WorkerDied", ""]
    assert place.submitted == 4
    assert len(Finished(tmp_path / "twice").rows) == 2, "a death says nothing about the point"


def test_kill_9_in_the_middle_and_a_second_run_that_does_the_rest(
    swept: Model, two_dozen: SweepTable, tmp_path: Path
) -> None:
    saved = swept.save("small", tmp_path)
    folder = tmp_path / "kept"
    command = [sys.executable, "-m", "sima_compiler", "sweep", str(saved), "--batch-size", "1,2,3,5"]
    command += ["--quads", "1,2,4", "--weights", "both", "--jobs", "1", "-o", str(folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as process:
        while not (folder / FILE_NAME).exists() or (folder / FILE_NAME).read_bytes().count(b"\n") < 3:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    done = len(Finished(folder).rows)
    assert 3 <= done < 24
    with Counting(1) as threads:
        table = sweep(saved, **TWO_DOZEN, executor=threads, output_path=folder)
    assert threads.submitted == 24 - done
    assert table == two_dozen


def test_a_script_without_a_guard_is_told_how_to_write_it(swept: Model, tmp_path: Path) -> None:
    saved = swept.save("small", tmp_path)
    script = tmp_path / "script.py"
    script.write_text(
        f"from sima_compiler import sweep\nprint(sweep({str(saved)!r}, batch_sizes=(1, 2), jobs=2))\n", "utf-8"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 1
    assert "hint: put what the script does below: if __name__ == '__main__':" in done.stderr


def test_csv_json_and_pandas_hold_every_row(two_dozen: SweepTable) -> None:
    lines = two_dozen.to_csv().splitlines()
    assert len(lines) == 25
    assert lines[0].startswith("key,network,input_size,machine,quads,compress,desired_batch_size,actual_batch_size")
    data = json.loads(json.dumps(two_dozen.to_dict()))
    assert [row["key"] for row in data["rows"]] == [line.split(",")[0] for line in lines[1:]]
    frame = two_dozen.to_pandas()
    assert list(frame["runtime_cycles"]) == [row.runtime_cycles for row in two_dozen]
    best = two_dozen.best("throughput")
    assert best is not None
    assert max(frame["samples_per_second"]) == best.samples_per_second
