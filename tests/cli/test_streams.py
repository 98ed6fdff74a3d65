"""Standard streams that are closed, full, or read by nobody: commands end quietly, with the code of what they did."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

SIMAC = f"{shlex.quote(sys.executable)} -m sima_compiler"


def ended(line: str) -> tuple[int, str, str]:
    """A line of shell: its exit code, stdout and stderr. ``simac`` stands for the command."""
    text = line.replace("simac", SIMAC)
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("simac stats {archive} >&-", 0, ""),
        ("simac stats {archive} --json >&- 2>&- <&-", 0, ""),
        ("simac stats {archive} | true; exit ${{PIPESTATUS[0]}}", 0, ""),
        ("simac stats {archive} >/dev/full", 1, "error: stdout: cannot be written: No space left on device\n"),
        ("simac stats {archive} --json >/dev/full 2>/dev/full", 1, ""),
        ("simac stats {archive}.missing --json >/dev/full", 1, None),
        ("simac stats {archive}.missing 2>&-", 1, ""),
        ("simac stats {archive}.missing 2>/dev/full", 1, ""),
        ("simac stats --nonsense >&- 2>/dev/full", 2, ""),
        ("simac --help >/dev/full", 1, None),
        ("simac --help | true; exit ${{PIPESTATUS[0]}}", 0, ""),
    ],
)
def test_streams_that_take_nothing(archive: Path, line: str, code: int, said: str | None) -> None:
    found, out, err = ended(line.format(archive=shlex.quote(str(archive))))
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert (found, out) == (code, "")
    assert said is None or err == said


def test_a_compile_with_closed_streams_writes_the_same_archive(samples: Path, archive: Path, tmp_path: Path) -> None:
    """Files that are opened get the numbers of closed streams, and whatever a library prints would go into them."""
    line = f"simac compile {samples / 'small.onnx'} --batch-size 3 -o {tmp_path} >&- 2>&- <&-"
    assert ended(line) == (0, "", "")
    assert (tmp_path / archive.name).read_bytes() == archive.read_bytes()
