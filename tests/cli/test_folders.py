"""The folder for results: made when only its last part is missing, refused with the nearest one otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import OutputError, output_folder
from sima_compiler.folders import check_folder, check_output_folder, nearest_folder


def test_the_last_part_is_made_and_kept(tmp_path: Path) -> None:
    with output_folder(tmp_path / "out") as is_new:
        assert is_new
    with output_folder(tmp_path / "out") as is_new:
        assert not is_new
    assert (tmp_path / "out").is_dir()


def test_a_failure_takes_the_new_folder_away_but_never_what_lies_in_it(tmp_path: Path) -> None:
    def fail(folder: Path, *, leave: bool) -> None:
        with output_folder(folder):
            if leave:
                (folder / "other").write_text("")
            raise KeyboardInterrupt

    for leave in (False, True):
        with pytest.raises(KeyboardInterrupt):
            fail(tmp_path / str(leave), leave=leave)
    assert [path.name for path in tmp_path.iterdir()] == ["True"]


@pytest.mark.parametrize("missing", ["a/b", "a/b/c/d"])
def test_a_missing_parent_names_the_nearest_folder(tmp_path: Path, missing: str) -> None:
    with pytest.raises(OutputError, match=f"the nearest that exists is {tmp_path}") as caught:
        check_output_folder(tmp_path / missing)
    assert str(tmp_path / missing) in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="file: not a folder"):
            check_output_folder(path)


def test_a_folder_that_must_exist_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=f"no such folder; the nearest that exists is {tmp_path}"):
        check_folder(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_relative_paths_are_near_to_where_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_output_folder(Path("out"))
    assert nearest_folder(Path("a/b")) == tmp_path


@pytest.mark.parametrize("command", ["compile", "quantize"])
def test_a_folder_that_may_not_be_written_to_is_found_before_the_work(
    simac, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Asked for of the system, because root, as which tests may run, may write to every folder."""
    may = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: may(path, mode) and not (mode & os.W_OK and Path(path) == tmp_path)
    )
    np.savez(tmp_path / "bad.npz", image=np.full((1, 3, 8, 8), np.nan, np.float32))
    words = (samples / "float.onnx", "--calibration", tmp_path / "bad.npz")
    error = simac(command, *words, "-o", tmp_path, "--json").json["error"]
    assert error["message"] == f"{tmp_path}: cannot be written to: Permission denied"
    if command == "compile":
        (tmp_path / "out").mkdir()
        more = ("-o", tmp_path / "out", "--html", tmp_path / "page.html", "--json")
        assert (
            simac(command, *words, *more).json["error"]["message"]
            == f"--html {tmp_path}: cannot be written to: Permission denied"
        )


def test_a_folder_with_the_name_of_the_archive_is_found_before_the_work(simac, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "small_mpk.tar.gz").mkdir()
    error = simac("compile", samples / "small.onnx", "-o", tmp_path, "--json").json["error"]
    assert error["message"] == f"{tmp_path / 'small_mpk.tar.gz'}: a folder has that name"
