"""Hostile and damaged archives: every refusal with its cause and its entry."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import tarfile
import zlib
from pathlib import Path

import pytest

from sima_compiler.archive.gunzip import Limits
from sima_compiler.archive.reader import Archive
from sima_compiler.errors import (
    ArchiveError,
    InvalidArchiveError,
    PathTraversalError,
    SchemaError,
    SizeLimitError,
    UnsupportedExtensionError,
)
from tests.archive.archive_samples import document, header, plain_members, plain_tar, tar_bytes, write_gz

UNSAFE_NAMES = [
    "/etc/passwd",
    "//server/share",
    "../up",
    "a/../../up",
    "a/..",
    "a/.. /b",
    "a/.../b",
    "C:/windows",
    "c:evil",
    "a/D:evil",
    "a\\b",
    "a/b\\..\\c",
    "\\\\server\\share",
    "a\u2044b",
    "a\u2215b",
    "a\uff0fb",
    "a\u29f8b",
    "a\u2571b",
    "a\uff3cb",
    "a\u2216b",
    "a\ufe68b",
    "\uff0e\uff0e/b",
    "\u2024\u2024/b",
    "\u2025/b",
    "a\ufe52b",
    "a\u2026",
]


@pytest.mark.parametrize("name", UNSAFE_NAMES, ids=ascii)
@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_unsafe_names_are_refused(tmp_path: Path, name: str, tar_format: int) -> None:
    data = tar_bytes([(header("net_mpk.json"), b"{}"), (header(name), b"x")], tar_format)
    with pytest.raises(PathTraversalError) as caught:
        Archive.open(write_gz(tmp_path, data))
    assert caught.value.entry == ascii(name)[1:-1]


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    for tar_format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT):
        data = tar_bytes([(header("net_mpk.json"), b"{}"), (header("bad\udcff"), b"x")], tar_format)
        assert b"bad\xff" in data
        with pytest.raises(PathTraversalError, match="UTF-8"):
            Archive.open(write_gz(tmp_path, data))


def test_a_long_name_in_an_extended_header_is_checked_too(tmp_path: Path) -> None:
    for tar_format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        name = "a/" * 60 + "../../" * 8 + "x" * 50
        data = tar_bytes([(header("net_mpk.json"), b"{}"), (header(name), b"x")], tar_format)
        with pytest.raises((PathTraversalError, InvalidArchiveError)):
            Archive.open(write_gz(tmp_path, data))


@pytest.mark.parametrize(
    "name", ["bell\x07", "escape\x1b[2J", "hidden\u202egnp", "line\nbreak", "a/" * 65 + "b", "x" * 1025]
)
def test_names_that_no_terminal_shows_truly_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArchiveError):
        Archive.open(write_gz(tmp_path, plain_tar((header(name), b"x"))))


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "character device"),
        (tarfile.BLKTYPE, "block device"),
        (tarfile.FIFOTYPE, "FIFO"),
        (b"Z", "unknown tar type"),
    ],
)
def test_only_files_and_folders_pass(tmp_path: Path, kind: bytes, word: str) -> None:
    info = header("odd", kind=kind)
    info.linkname = "net_mpk.json"
    with pytest.raises(InvalidArchiveError, match=word) as caught:
        Archive.open(write_gz(tmp_path, plain_tar((info, b""))))
    assert caught.value.entry == "odd"


@pytest.mark.parametrize("name", ["net_mpk.json", "./net_mpk.json", ".//./net_mpk.json", "net_stage1_mla.lm/inside"])
def test_duplicates_after_normalisation_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArchiveError, match=r"twice|inside another entry"):
        Archive.open(write_gz(tmp_path, plain_tar((header(name), b"{}"))))


def test_two_spellings_of_one_accented_name_are_duplicates(tmp_path: Path) -> None:
    extra = [(header("caf\u00e9.so"), b""), (header("cafe\u0301.so"), b"")]
    with pytest.raises(InvalidArchiveError, match="twice"):
        Archive.open(write_gz(tmp_path, plain_tar(*extra)))


def test_a_file_where_a_folder_is_implied_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArchiveError, match="twice"):
        Archive.open(write_gz(tmp_path, plain_tar((header("a/b"), b""), (header("a"), b""))))


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    whole = write_gz(tmp_path, plain_tar()).read_bytes()
    path = tmp_path / "net_mpk.tar.gz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidArchiveError):
            Archive.open(path)


def test_no_flipped_byte_changes_what_is_read(tmp_path: Path) -> None:
    """Padding bits of the compressed data carry nothing; every other flip is an error."""
    path = write_gz(tmp_path, plain_tar())
    whole = path.read_bytes()
    noticed = 0
    for position in range(10, len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        try:
            archive = Archive.open(path)
        except ArchiveError:
            noticed += 1
        else:
            assert all(archive.read(name) == data for name, data in plain_members())
    assert noticed >= len(whole) - 10 - 2


def test_every_flipped_byte_of_a_tar_header_is_noticed(tmp_path: Path) -> None:
    whole = plain_tar()
    second = 512 + 512 * -(-len(plain_members()[0][1]) // 512)
    assert whole[second : second + 3] == b"net"
    for start in (0, second):
        for position in range(start, start + 512, 3):
            damaged = bytearray(whole)
            damaged[position] ^= 0x01
            with pytest.raises(InvalidArchiveError, match=r"corrupt tar header|not a tar archive"):
                Archive.open(write_gz(tmp_path, bytes(damaged)))


def test_a_tar_cut_inside_valid_gzip_is_noticed(tmp_path: Path) -> None:
    whole = plain_tar()
    end = whole.rstrip(b"\0")
    for length in (100, 512, 700, len(end), -(-len(end) // 512) * 512, -(-len(end) // 512) * 512 + 512):
        with pytest.raises(InvalidArchiveError, match="truncated"):
            Archive.open(write_gz(tmp_path, whole[:length]))


def test_trailing_garbage_is_refused_in_both_layers(tmp_path: Path) -> None:
    with pytest.raises(InvalidArchiveError, match="trailing"):
        Archive.open(write_gz(tmp_path, plain_tar() + b"more"))
    with pytest.raises(InvalidArchiveError, match="trailing"):
        Archive.open(write_gz(tmp_path, plain_tar() + plain_tar()))
    path = write_gz(tmp_path, plain_tar())
    for garbage in (b"x", b"\0x", bytes(1 << 20) + b"x", b"\x1f", bytes(512) + gzip.compress(plain_tar())):
        path.write_bytes(gzip.compress(plain_tar()) + garbage)
        with pytest.raises(InvalidArchiveError, match="trailing"):
            Archive.open(path)


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "net_mpk.tar.gz"
    with pytest.raises(InvalidArchiveError, match="No such file"):
        Archive.open(path)
    for data, word in ((b"", "truncated"), (b"PK\x03\x04zip", "not a gzip"), (plain_tar(), "not a gzip")):
        path.write_bytes(data)
        with pytest.raises(InvalidArchiveError, match=word):
            Archive.open(path)
    with pytest.raises(InvalidArchiveError, match="not a tar"):
        Archive.open(write_gz(tmp_path, b"just some text" * 100))
    with pytest.raises(InvalidArchiveError, match="empty"):
        Archive.open(write_gz(tmp_path, bytes(1024)))
    with pytest.raises(InvalidArchiveError, match="empty"):
        Archive.open(write_gz(tmp_path, tar_bytes([(header("folder", kind=tarfile.DIRTYPE), b"")])))
    path.unlink()
    path.mkdir()
    with pytest.raises(InvalidArchiveError, match="folder"):
        Archive.open(path)
    fifo = tmp_path / "fifo_mpk.tar.gz"
    os.mkfifo(fifo)
    with pytest.raises(InvalidArchiveError, match="not a regular file"):
        Archive.open(fifo)


@pytest.mark.parametrize("name", ["net_mpk.zip", "net_mpk.tar", "net_mpk.tar.gz.part", "net", "net.sima"])
def test_what_is_no_archive_by_name_or_content_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedExtensionError, match=r"no such file"):
        Archive.open(tmp_path / name)
    for data in (b"", b"PK\3\4", b"\x1f", plain_tar()):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UnsupportedExtensionError, match=r"_mpk\.tar\.gz") as caught:
            Archive.open(tmp_path / name)
        assert caught.value.hint


def test_an_archive_needs_exactly_one_document(tmp_path: Path) -> None:
    with pytest.raises(InvalidArchiveError, match=r"no \*_mpk\.json or mpk\.json"):
        Archive.open(write_gz(tmp_path, tar_bytes([(header("other.json"), b"{}")])))
    text = json.dumps(document()).encode()
    with pytest.raises(InvalidArchiveError, match="more than one"):
        Archive.open(write_gz(tmp_path, tar_bytes([(header("a_mpk.json"), text), (header("b_mpk.json"), text)])))
    assert Archive.open(write_gz(tmp_path, plain_tar((header("other_mpk.json"), b"no JSON")))).mpk.name == "net"


def test_limits_by_default_are_the_published_ones() -> None:
    limits = Limits()
    assert (limits.entries, limits.json_bytes) == (2048, 32 * 1024 * 1024)
    assert limits.entry_bytes == limits.total_bytes == 8 * 1024**3


def test_too_many_entries(tmp_path: Path) -> None:
    extra = [(header(f"file{i}"), b"") for i in range(2046)]
    assert len(Archive.open(write_gz(tmp_path, plain_tar(*extra))).files) == 2048
    with pytest.raises(SizeLimitError, match="2048") as caught:
        Archive.open(write_gz(tmp_path, plain_tar(*extra, (header("one_more"), b""))))
    assert caught.value.entry == "one_more"


def test_declared_sizes_are_refused_before_their_bytes_are_read(tmp_path: Path) -> None:
    for name, size in (("huge.so", (8 << 30) + 1), ("huge.json", (32 << 20) + 1), ("x_mpk.json", 1 << 40)):
        block = header(name, size).tobuf(tarfile.GNU_FORMAT)
        with pytest.raises(SizeLimitError, match=str(size)) as caught:
            Archive.open(write_gz(tmp_path, block))
        assert caught.value.entry == name


def test_the_total_is_limited(tmp_path: Path) -> None:
    limits = Limits(total_bytes=5000)
    extra = (header("a.so"), b"x" * 2000)
    Archive.open(write_gz(tmp_path, plain_tar(extra)), limits=limits)
    with pytest.raises(SizeLimitError, match="total"):
        Archive.open(write_gz(tmp_path, plain_tar(extra, (header("b.so"), b"x" * 3000))), limits=limits)


def test_texts_that_are_always_read_are_limited_together(tmp_path: Path) -> None:
    """Each within its own limit, thousands would fill the memory; other texts are read when they are asked for."""
    limits = Limits(yaml_bytes=3000, json_bytes=5000, kept_bytes=0)
    stats = b"1:\n  name: a\n  start_cycle: 0\n  end_cycle: 9\n" + b"#" * 2000
    many = [(header(f"net_stage{number}_mla_stats.yaml"), stats) for number in range(2, 9)]
    assert Archive.open(write_gz(tmp_path, plain_tar(*many[:4])), limits=limits).stats is not None
    with pytest.raises(SizeLimitError, match="pipeline, report and statistics"):
        Archive.open(write_gz(tmp_path, plain_tar(*many)), limits=limits)
    others = [(header(f"notes{number}.json"), b" " * 4000) for number in range(9)]
    archive = Archive.open(write_gz(tmp_path, plain_tar(*others)), limits=limits)
    assert archive.read("notes3.json") == b" " * 4000


def test_reading_can_be_stopped(tmp_path: Path) -> None:
    """At every piece of the file, when it is opened and when it is read again."""
    path = write_gz(tmp_path, plain_tar((header("large.so"), bytes(1 << 20))))

    class LeftError(Exception):
        pass

    def leave() -> None:
        raise LeftError

    with pytest.raises(LeftError):
        Archive.open(path, watch=leave)
    archive = Archive.open(path, limits=Limits(kept_bytes=0))
    with pytest.raises(LeftError):
        archive.watched(leave).read("large.so")
    assert len(archive.read("large.so")) == 1 << 20


def test_a_decompression_bomb_is_stopped(tmp_path: Path) -> None:
    """600 MiB of zeros in 0.6 MB: one flushed block of compressed zeros, repeated."""
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(header("zeros.so", 600 << 20).tobuf()) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    path = tmp_path / "net_mpk.tar.gz"
    path.write_bytes(start + block * 600)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(SizeLimitError, match="decompression bomb"):
        Archive.open(path)


def test_constant_weights_are_no_bomb(tmp_path: Path) -> None:
    archive = Archive.open(write_gz(tmp_path, plain_tar((header("net_stage3_mla.lm"), bytes(30 << 20)))))
    assert len(archive.read("net_stage3_mla.lm")) == 30 << 20


@pytest.mark.parametrize(
    "text",
    [
        '{"plugins": [], "a": {"b": 1, "b": 2}}',
        '{"plugins": [], "plugins": []}',
        '{"plugins": [], "a": [[[{"x": 1, "\\u0078": 2}]]]}',
        '{"plugins": [], "a": ' + "[" * 64 + "]" * 64 + "}",
        '{"plugins": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"plugins": [], "a": NaN}',
        '{"plugins": [], "a": -Infinity}',
        '{"plugins": [], "a": 1e999}',
        '{"plugins": [], "a": ' + "9" * 5000 + "}",
        '{"plugins": [], "a": "\\ud800"}',
        '{"plugins": []} x',
        '{"plugins": [],}',
        "",
        "[]",
        "{}",
        '{"plugins": {}}',
        '{"plugins": [3]}',
        '{"plugins": [{"name": "a"}]}',
        '{"plugins": [{"name": "a", "processor": 3}]}',
        '{"plugins": [{"name": "a", "processor": "MLA", "sequence": "1"}]}',
        '{"plugins": [{"name": "a", "processor": "MLA", "config_params": {"actual_batch_size": 0}}]}',
        '{"plugins": [{"name": "a", "processor": "MLA", "output_nodes": [{"size": -1}]}]}',
    ],
    ids=lambda text: text[:50],
)
def test_documents_that_break_json_or_the_shape(tmp_path: Path, text: str) -> None:
    with pytest.raises(SchemaError, match=r"net_mpk\.json") as caught:
        Archive.open(write_gz(tmp_path, tar_bytes([(header("net_mpk.json"), text.encode())])))
    assert caught.value.entry == "net_mpk.json"


def test_json_nested_to_the_limit_is_read(tmp_path: Path) -> None:
    text = '{"plugins": [], "a": ' + "[" * 63 + "]" * 63 + "}"
    assert Archive.open(write_gz(tmp_path, tar_bytes([(header("net_mpk.json"), text.encode())]))).plugins == {}


def test_invalid_utf8_in_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="UTF-8"):
        Archive.open(write_gz(tmp_path, tar_bytes([(header("net_mpk.json"), b'{"plugins": [], "a": "\xff"}')])))


@pytest.mark.parametrize("seed", range(10))
def test_random_headers_with_right_checksums_open_or_are_refused(tmp_path: Path, seed: int) -> None:
    """No header, however odd, gives anything but an archive or an error of this family."""
    source = random.Random(seed)
    whole = plain_tar((header("dir/name.so"), b"z" * 700), (header("long" * 60), b"y"))
    starts = [at for at in range(0, len(whole), 512) if whole[at + 257 : at + 262] == b"ustar"]
    assert len(starts) >= 5
    for _ in range(30):
        damaged = bytearray(whole)
        start = source.choice(starts)
        for _ in range(source.randrange(1, 6)):
            field = source.choice([(0, 100), (124, 136), (156, 157), (157, 257), (257, 265), (345, 500), (512, 560)])
            damaged[start + source.randrange(*field)] = source.choice(
                [0, 0x2F, 0x30, 0x37, 0x4C, 0x67, 0x78, 0x80, 0xFF]
            )
        damaged[start + 148 : start + 156] = b" " * 8
        damaged[start + 148 : start + 156] = b"%06o\0 " % sum(damaged[start : start + 512])
        with contextlib.suppress(ArchiveError):
            Archive.open(write_gz(tmp_path, bytes(damaged)))
