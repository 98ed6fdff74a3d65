"""Whether another server is alive is told by its lock, in the form that each system has."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from sima_nb.jobs import locks
from sima_nb.jobs.process import _crashed  # pyright: ignore[reportPrivateUsage] - what Windows lacks, without Windows


class FirstByte:
    """`msvcrt.locking` as Windows has it: a byte of a file is held by one handle, and given back with it."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        self.holders: dict[int, int] = {}

    def locking(self, handle: int, mode: int, size: int) -> None:
        assert size == 1
        assert os.lseek(handle, 0, os.SEEK_CUR) == 0
        file = os.fstat(handle).st_ino
        if mode == self.LK_UNLCK:
            assert self.holders.pop(file) == handle
        elif self.holders.setdefault(file, handle) != handle:
            raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("system", ["posix", "windows"])
def test_a_lock_lives_as_long_as_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    windows = FirstByte()
    if system == "windows":
        monkeypatch.setattr(locks, "_fcntl", None)
        monkeypatch.setattr(locks, "_msvcrt", windows)
    path = tmp_path / "one.lock"
    assert not locks.is_held(path)
    lock = locks.held(path)
    assert locks.is_held(path)
    assert locks.is_held(path), "looking gives nothing back"
    with pytest.raises(OSError, match=r"."):
        locks.held(path)
    lock.close()
    windows.holders.clear()
    assert not locks.is_held(path)
    assert not locks.is_held(path), "looking takes nothing"


def test_a_crash_is_told_where_there_are_no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sima_nb.jobs.process.signal", SimpleNamespace())
    assert "exit code 1" in _crashed(1)["message"]
