"""``python -m sima_compiler.stages.allocate`` as a process of its own, with files as people write them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sima_compiler.stages.allocation.command import main
from sima_compiler.stages.allocation.problem import Buffer, Problem
from sima_compiler.stages.allocation.solution import solution_of
from sima_compiler.stages.allocation.validator import validate
from tests.allocation.allocation_problems import best_of_four, live_bytes, random_problem

ROOT = Path(__file__).parents[2]
SMALL = "id,lower,upper,size\na,0,4,32\nb,2,8,16\nc,4,9,32\n"
WITHOUT_ORTOOLS = """
import importlib.abc, runpy, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "ortools":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
runpy.run_module("sima_compiler.stages.allocate", run_name="__main__")
"""


def allocate(*arguments: object, launcher: tuple[str, ...] = ("-m", "sima_compiler.stages.allocate")):
    command = [sys.executable, *launcher, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "compiler")}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def table(tmp_path: Path, text: str) -> tuple[Path, Path]:
    source = tmp_path / "in.csv"
    source.write_bytes(text.encode())
    return source, tmp_path / "out.csv"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_gets_offsets_that_a_stranger_can_check(tmp_path: Path) -> None:
    problem = random_problem(300, "mixed", 4)
    lines = [f"{b.lower},{b.size},{b.id},{b.upper}" for b in problem.buffers]
    source, target = table(tmp_path, "lower,size,id,upper\n" + "\n".join(lines) + "\n")
    done = allocate(source, "--capacity", best_of_four(problem), "-o", target)
    assert done.returncode == 0, done.stderr
    rows = rows_of(target)
    assert list(rows[0]) == ["lower", "size", "id", "upper", "offset"]
    buffers = tuple(Buffer(r["id"], int(r["lower"]), int(r["upper"]), int(r["size"])) for r in rows)
    assert buffers == problem.buffers
    found = solution_of(buffers, [int(row["offset"]) for row in rows])
    assert not validate(Problem(buffers, best_of_four(problem)), found)
    assert f"peak {found.peak}" in done.stdout
    assert f"lower bound {live_bytes(problem)}" in done.stdout


def test_unknown_columns_line_ends_and_a_byte_order_mark_are_no_trouble(tmp_path: Path) -> None:
    text = '\ufeffid, lower ,upper,size,note,alignment\r\na,0,4,10,"x, ""y""",\r\n\r\nb,2,8,16,,16\r\n'
    source, target = table(tmp_path, text)
    assert allocate(source, "--capacity", 26 + 6, "-o", target).returncode == 0
    rows = rows_of(target)
    assert [row["note"] for row in rows] == ['x, "y"', ""]
    assert int(rows[1]["offset"]) % 16 == 0


def test_the_own_output_can_be_read_again(tmp_path: Path) -> None:
    source, target = table(tmp_path, SMALL)
    again = tmp_path / "again.csv"
    assert allocate(source, "--capacity", 48, "-o", target).returncode == 0
    assert allocate(target, "--capacity", 48, "-o", again).returncode == 0
    assert again.read_bytes() == target.read_bytes()


def test_what_does_not_fit_exits_with_1_and_names_peak_and_bound(tmp_path: Path) -> None:
    source, target = table(tmp_path, SMALL)
    target.write_text("kept")
    done = allocate(source, "--capacity", 47, "-o", target)
    assert done.returncode == 1
    assert done.stderr == (
        "error: does not fit: the peak is 48, the capacity 47, the lower bound 48; no placement fits\n"
    )
    assert target.read_text() == "kept"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column id, lower, upper, size"),
        ("id,lower,size\na,0,1\n", "line 1: no column upper"),
        ("id,lower,upper,size,size\n", "line 1: column 'size' stands there twice"),
        ("id,lower,upper,size\na,0,4\n", "line 2: 3 fields, the first line names 4"),
        ("id,lower,upper,size\na,0,4,1\n\na,0,4,1\n", "line 4: id a already stands in line 2"),
        ("id,lower,upper,size\na,0,x,1\n", "line 2: upper is 'x', expected a whole number"),
        ("id,lower,upper,size\na,0,4.0,1\n", "line 2: upper is '4.0', expected a whole number"),
        ("id,lower,upper,size\na,4,4,1\n", "line 2: buffer a: upper 4 must lie above lower 4"),
        ("id,lower,upper,size\na,0,4,0\n", "line 2: buffer a: size 0 must be at least 1"),
        ("id,lower,upper,size\na,0,4,-3\n", "line 2: buffer a: size -3 must be at least 1"),
        ("id,lower,upper,size\na,0,4,99999999999999999999\n", "expected a whole number below 2**62"),
        ("id,lower,upper,size\n,0,4,3\n", "line 2: the id is empty"),
        ('id,lower,upper,size\n"a,0,4,3\n', "not a CSV file"),
    ],
)
def test_a_wrong_table_exits_with_2_and_names_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    source, target = table(tmp_path, text)
    assert main([str(source), "--capacity", "100", "-o", str(target)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert not target.exists()


def test_wrong_usage_and_unusable_paths_exit_with_2(tmp_path: Path) -> None:
    source, target = table(tmp_path, SMALL)
    for arguments in (
        (source, "-o", target),
        (source, "--capacity", "-1", "-o", target),
        (source, "--capacity", "many", "-o", target),
        (source, "--capacity", 48),
        (tmp_path / "absent.csv", "--capacity", 48, "-o", target),
        (source, "--capacity", 48, "-o", tmp_path / "absent" / "out.csv"),
    ):
        done = allocate(*arguments)
        assert done.returncode == 2, arguments
        assert "error: " in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]


def test_exact_without_ortools_names_the_extra(tmp_path: Path) -> None:
    source, target = table(tmp_path, SMALL)
    arguments = (source, "--capacity", 48, "-o", target)
    done = allocate(*arguments, "--exact", launcher=("-c", WITHOUT_ORTOOLS))
    assert done.returncode == 2
    assert "pip install 'sima-nb[exact]'" in done.stderr
    assert allocate(*arguments, launcher=("-c", WITHOUT_ORTOOLS)).returncode == 0


def test_exact_is_asked_for_by_name_and_fits_the_bound(tmp_path: Path) -> None:
    problem = random_problem(40, "even", 7)
    lines = [f"{b.id},{b.lower},{b.upper},{b.size}" for b in problem.buffers]
    source, target = table(tmp_path, "id,lower,upper,size\n" + "\n".join(lines) + "\n")
    done = allocate(source, "--capacity", live_bytes(problem), "-o", target, "--exact")
    assert done.returncode == 0, done.stderr
    assert f"peak {live_bytes(problem)} of {live_bytes(problem)}" in done.stdout
