"""Temporaries that carry names and locks, sweeps that take only what is dead, and folders that are looked at first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sima_compiler.errors import OutputError
from sima_compiler.files.scratch import scratch_folder
from sima_compiler.files.whole import check_target, new_file, sweep_temporaries, write_whole

DEAD = ".old.bin.0123456789abcdef.sima-part"


def test_a_write_sweeps_what_is_dead_and_leaves_what_is_alive(tmp_path: Path) -> None:
    (tmp_path / DEAD).write_bytes(b"half")
    (tmp_path / ".old.bin.sima-part").write_bytes(b"not a name of ours")
    with new_file(tmp_path / "slow.bin") as slow:
        slow.write(b"1")
        (living,) = (path for path in tmp_path.iterdir() if path.name.startswith(".slow.bin."))
        write_whole(tmp_path / "quick.bin", b"2")
        assert living.exists()
        assert not (tmp_path / DEAD).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".old.bin.sima-part", "quick.bin", "slow.bin"]
    assert (tmp_path / "slow.bin").read_bytes() == b"1"


def test_what_another_process_writes_is_left_alone_until_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sima_compiler.files.whole import new_file\n"
        "with new_file(Path(sys.argv[1])) as file: print('ready', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.bin")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sweep_temporaries(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        process.kill()
    assert len(list(tmp_path.iterdir())) == 1
    sweep_temporaries(tmp_path)
    assert not list(tmp_path.iterdir())


def test_links_and_pipes_under_such_names_are_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    link, pipe = tmp_path / DEAD, tmp_path / DEAD.replace("old", "pipe")
    link.symlink_to(precious)
    os.mkfifo(pipe)
    write_whole(tmp_path / "a.bin", b"1")
    assert precious.read_text() == "kept"
    assert link.is_symlink()


def test_the_longest_name_that_a_folder_takes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'ä' * 125}.bin"
    write_whole(path, b"1")
    assert path.read_bytes() == b"1"
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(tmp_path / ("a" * 300), b"1")


def test_a_new_file_that_must_not_replace_keeps_what_came_meanwhile(tmp_path: Path) -> None:
    def write_late() -> None:
        with new_file(tmp_path / "a", replace=False) as file:
            file.write(b"late")
            (tmp_path / "a").write_bytes(b"early")

    with pytest.raises(FileExistsError):
        write_late()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"early"]


@pytest.mark.parametrize("failure", [ValueError("x"), KeyboardInterrupt()], ids=["error", "ctrl-c"])
def test_what_ends_the_writing_leaves_nothing(tmp_path: Path, failure: BaseException) -> None:
    def fail(_file: object) -> None:
        raise failure

    with pytest.raises(type(failure)):
        write_whole(tmp_path / "a", fail)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["folder", "pipe"])
def test_only_ordinary_files_are_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for attempt in (check_target, lambda path: write_whole(path, b"")):
        with pytest.raises(OutputError):
            attempt(tmp_path / name)


def test_a_folder_that_may_not_be_written_to_is_found_by_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    with pytest.raises(OutputError) as caught:
        check_target(tmp_path / "a")
    assert caught.value.message == f"{tmp_path}: cannot be written to: Permission denied"


def test_scratch_folders_of_the_dead_go_and_those_of_the_living_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = tmp_path / "sima-quantize-0123456789abcdef"
    dead.mkdir()
    (dead / "weights").write_bytes(b"x")
    with scratch_folder("verify") as first:
        (first / "a").write_bytes(b"1")
        assert not dead.exists()
        with scratch_folder("quantize") as second:
            assert first.exists()
            assert first != second
        assert list(tmp_path.iterdir()) == [first]
    assert not list(tmp_path.iterdir())


def test_onnxruntimes_temporaries_lie_in_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx

    from sima_compiler import quantize
    from tests.support.small_models import small_float_model

    made: list[str] = []
    mkdir = os.mkdir

    def noted(path: str, *arguments: int, **keywords: int) -> None:
        made.append(str(path))
        mkdir(path, *arguments, **keywords)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    onnx.save(small_float_model(), tmp_path / "float.onnx")
    monkeypatch.setattr(os, "mkdir", noted)
    quantize(tmp_path / "float.onnx", [{"image": [[[[0.5] * 8] * 8] * 3]}])
    below = [Path(path).relative_to(tmp_path).parts for path in made]
    assert any("ort.quant" in parts[-1] for parts in below), below
    assert all(parts[0].startswith("sima-") for parts in below), below
    assert [path.name for path in tmp_path.iterdir()] == ["float.onnx"]
