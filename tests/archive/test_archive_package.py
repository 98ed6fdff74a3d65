"""Writing: the same bytes every time, and after any failure the old archive or none."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import pytest

from sima_compiler.archive import package
from sima_compiler.archive.gzipped import GzipWriter
from sima_compiler.archive.package import write_archive
from sima_compiler.archive.reader import Archive
from sima_compiler.errors import InvalidArchiveError, OutputError, PathTraversalError
from tests.archive.archive_samples import plain_members

NAME = "net_mpk.tar.gz"
COMPILER = str(Path(package.__file__).parents[2])


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a script in a process of its own, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), COMPILER, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_tar_reads_it_and_it_says_nothing_about_its_maker(tmp_path: Path) -> None:
    path = tmp_path / NAME
    members = [("net_stage1_mla.lm", b"\0" * 3000), *plain_members()[:1]]
    write_archive(path, members)
    listed = subprocess.run(["tar", "tvzf", path], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[-1] for line in listed] == ["net_mpk.json", "net_stage1_mla.lm"]
    assert all("-rw-r--r-- 0/0" in line and "1980-01-01" in line for line in listed)
    raw = path.read_bytes()
    assert raw[3:8] == bytes(5)  # no name, no comment, no time in the gzip header
    with tarfile.open(path) as tar:
        infos = tar.getmembers()
        assert {(i.mtime, i.uid, i.gid, i.uname, i.gname, i.mode) for i in infos} == {
            (package.MEMBER_DATE, 0, 0, "", "", 0o644)
        }
        found = tar.extractfile("net_stage1_mla.lm")
        assert found is not None
        assert found.read() == members[0][1]
    assert gzip.decompress(raw)[257:263] == b"ustar\0"


def test_the_same_members_give_the_same_bytes_anywhere(tmp_path: Path) -> None:
    code = """
        import sys; sys.path.insert(0, sys.argv[1])
        from pathlib import Path
        from sima_compiler.archive.package import write_archive
        write_archive(Path(sys.argv[2]), [("b.lm", bytes(range(256)) * 50), ("a_mpk.json", b"{}"), ("c.so", b"")])
    """
    results = []
    for number, name in enumerate(("one_mpk.tar.gz", "two_mpk.tar.gz")):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert run_python(code, folder / name).stderr == ""
        results.append((folder / name).read_bytes())
    assert results[0] == results[1]


def test_long_and_accented_names_survive(tmp_path: Path) -> None:
    path = tmp_path / NAME
    members = [*plain_members(), ("d/" * 20 + "x" * 180 + ".so", b"1"), ("café_模型.so", b"2")]
    write_archive(path, members)
    assert [file.name for file in Archive.open(path).files] == [name for name, _ in members]


def test_unusable_names_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for members, error in (
        ([("../up", b"")], PathTraversalError),
        ([("a\\b", b"")], PathTraversalError),
        ([("a\nb", b"")], InvalidArchiveError),
        ([("./a", b"")], OutputError),
        ([("", b"")], OutputError),
        ([("a", b""), ("a", b"")], OutputError),
    ):
        with pytest.raises(error):
            write_archive(tmp_path / NAME, members)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="missing: no such folder") as caught:
        write_archive(tmp_path / "missing" / NAME, plain_members())
    assert "mkdir" in caught.value.hint
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="not a folder"):
        write_archive(tmp_path / "file" / NAME, plain_members())
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_the_archives_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(OutputError, match=NAME):
        write_archive(tmp_path / NAME, plain_members())
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


DROP_ROOT = """
    import os, sys; sys.path.insert(0, sys.argv[1])
    from pathlib import Path
    from sima_compiler.archive.package import write_archive
    from sima_compiler.errors import OutputError
    if os.getuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    try:
        write_archive(Path(sys.argv[2]), [("net_mpk.json", b"{}")])
    except OutputError as error:
        print(type(error).__name__, error.message, error.hint, sep="|")
"""


def test_a_read_only_folder_is_one_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "readonly"
    folder.mkdir()
    write_archive(folder / NAME, plain_members())
    before = (folder / NAME).read_bytes()
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.getuid() and len(parent.parts) > 2:
            parent.chmod(0o755)
    folder.chmod(0o555)
    try:
        result = run_python(DROP_ROOT, folder / NAME)
    finally:
        folder.chmod(0o755)
    assert result.stderr == ""
    kind, message, hint = result.stdout.strip().split("|")
    assert (kind, hint) == ("OutputError", "choose a folder that you may write to")
    assert message == f"{folder / NAME}: cannot be written: Permission denied"
    assert [p.name for p in folder.iterdir()] == [NAME]
    assert (folder / NAME).read_bytes() == before


@pytest.mark.parametrize("limit", [0, 100, 40_000, 600_000])
def test_a_disk_that_fills_up_leaves_the_old_archive(tmp_path: Path, limit: int) -> None:
    """The operating system itself refuses to let the file grow beyond ``limit`` bytes."""
    code = """
        import random, resource, sys; sys.path.insert(0, sys.argv[1])
        from pathlib import Path
        from sima_compiler.archive.package import write_archive
        from sima_compiler.errors import OutputError
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
        try:
            write_archive(Path(sys.argv[2]), [("net_mpk.json", b"{}"), ("a.lm", random.Random(0).randbytes(700_000))])
        except OutputError as error:
            print(error.message, error.hint, sep="|")
    """
    write_archive(tmp_path / NAME, plain_members())
    before = (tmp_path / NAME).read_bytes()
    result = run_python(code, tmp_path / NAME, limit)
    assert result.stderr == ""
    assert "cannot be written" in result.stdout
    assert "disk space" in result.stdout
    assert [p.name for p in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
@pytest.mark.parametrize(
    "failure", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"]
)
def test_failures_at_every_moment_clean_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, failure: BaseException
) -> None:
    write_archive(tmp_path / NAME, plain_members())
    before = (tmp_path / NAME).read_bytes()

    def fail(*_arguments: object, **_options: object) -> None:
        raise failure

    owner, name = {"write": (GzipWriter, "write"), "fsync": (os, "fsync"), "replace": (os, "replace")}[moment]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        if moment == "replace":
            patch.setattr(Path, "replace", fail)
        with pytest.raises(OutputError if isinstance(failure, OSError) else KeyboardInterrupt):
            write_archive(tmp_path / NAME, [*plain_members(), ("more.so", b"x" * 1000)])
    assert [p.name for p in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).read_bytes() == before


def test_a_new_archive_takes_the_old_ones_place_with_ordinary_permissions(tmp_path: Path) -> None:
    write_archive(tmp_path / NAME, plain_members())
    write_archive(tmp_path / NAME, [*plain_members(), ("more.so", b"x")])
    assert len(Archive.open(tmp_path / NAME).files) == 3
    plain = tmp_path / "plain"
    plain.write_text("")
    assert (tmp_path / NAME).stat().st_mode == plain.stat().st_mode


def test_an_interrupted_process_leaves_nothing_half_written(tmp_path: Path) -> None:
    """SIGINT while a large archive is being written: the process dies of it and the folder is as before."""
    code = """
        import random, sys; sys.path.insert(0, sys.argv[1])
        from pathlib import Path
        from sima_compiler.archive.package import write_archive
        data = random.Random(0).randbytes(60_000_000).translate(bytes(range(128)) * 2)  # shrinks, slowly
        print("ready", flush=True)
        write_archive(Path(sys.argv[2]), [("net_mpk.json", b"{}"), ("a.lm", data)])
    """
    command = [sys.executable, "-c", textwrap.dedent(code), COMPILER, str(tmp_path / NAME)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while not list(tmp_path.iterdir()) and process.poll() is None:
            pass
        process.send_signal(2)
        _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert list(tmp_path.iterdir()) == []
