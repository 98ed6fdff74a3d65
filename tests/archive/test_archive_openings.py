"""Archives as they come: whatever the file is called, however it was packed, and with parts that cannot be read."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from sima_compiler.archive import package
from sima_compiler.archive.names import archive_name, kind_of
from sima_compiler.archive.package import write_archive
from sima_compiler.archive.reader import Archive
from sima_compiler.archive.strict_json import LARGEST_JSON
from sima_compiler.errors import InvalidArchiveError, SizeLimitError, UnsupportedExtensionError
from tests.archive.archive_samples import (
    NEXT_STATS,
    STATS,
    document,
    header,
    newer_vendor_members,
    plain_members,
    plain_tar,
    tar_bytes,
    write_gz,
)

NAMES = {
    "resnet50_mpk.tar.gz": "resnet50",
    "resnet50_mpk (1).tar.gz": "resnet50",
    "resnet50_mpk(2).tar.gz": "resnet50",
    "resnet50_mpk.tar (3).gz": "resnet50",
    "resnet50_mpk.tar-4.gz": "resnet50",
    "RESNET50_MPK.TAR.GZ": "RESNET50",
    "resnet_50.tar.gz": "resnet_50",
    "yolo26n-det-int8-b1.tar.gz": "yolo26n-det-int8-b1",
    "yolo26n-det-int8-b1-mpk.tar.gz": "yolo26n-det-int8-b1",
    "mnist_640_480.tgz": "mnist_640_480",
    "two words_mpk (12).tgz": "two words",
    "mpk.tar.gz": "mpk",
    "net.v2.1_mpk.tar.gz": "net.v2.1",
    "net(1)_mpk.tar.gz": "net(1)",
    "download": "download",
    "net_mpk.tar.gz.part": "net_mpk.tar.gz.part",
}


@pytest.mark.parametrize("name", NAMES)
def test_any_name_opens_by_content_and_gives_the_models_name(tmp_path: Path, name: str) -> None:
    archive = Archive.open(write_gz(tmp_path, plain_tar(), name))
    assert archive.name == archive_name(name) == NAMES[name]
    assert archive.tree.name == name
    assert archive.read("net_stage1_mla.lm") == b"binary"


def split_at(data: bytes, cuts: list[int]) -> bytes:
    """One gzip member per piece."""
    edges = [0, *cuts, len(data)]
    return b"".join(gzip.compress(data[a:b], mtime=0) for a, b in itertools.pairwise(edges))


@pytest.mark.parametrize(
    "cuts",
    [[512], [100], [0, 0, 7], [1, 2, 3, 511, 512, 513], list(range(64, 2048, 64))],
    ids=lambda cuts: str(len(cuts)),
)
@pytest.mark.parametrize("zeros", [0, 1, 511, 512, 10240, 1 << 20])
def test_several_gzip_members_and_zeros_behind_them_are_read(tmp_path: Path, cuts: list[int], zeros: int) -> None:
    path = tmp_path / "net_mpk.tar.gz"
    path.write_bytes(split_at(plain_tar(), cuts) + bytes(zeros))
    archive = Archive.open(path)
    assert [(name, archive.read(name)) for name, _ in plain_members()] == plain_members()


def test_every_truncation_of_several_members_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "net_mpk.tar.gz"
    tar = plain_tar()
    whole = split_at(tar, [300, 1024, 1100])
    content = len(tar.rstrip(b"\0")) // 512 * 512 + 512
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            Archive.open(path)
        except InvalidArchiveError:
            continue
        assert len(gzip.decompress(whole[:length])) >= content + 1024  # nothing but padding is missing


@pytest.mark.parametrize(
    "tail",
    [b"x", b"\0" * 512 + b"x", b"\x1f\x8b", b"\x1f\x8b\x08garbage", gzip.compress(b"x"), gzip.compress(plain_tar())],
    ids=["byte", "behind zeros", "half a header", "damaged member", "member with a byte", "a second archive"],
)
def test_what_is_neither_member_nor_zero_is_refused(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "net.tgz"
    path.write_bytes(gzip.compress(plain_tar()) + tail)
    with pytest.raises(InvalidArchiveError, match=r"trailing|corrupt|truncated"):
        Archive.open(path)


def test_a_bomb_in_many_members_is_one_bomb(tmp_path: Path) -> None:
    start = gzip.compress(header("zeros.so", 600 << 20).tobuf())
    path = tmp_path / "net.tar.gz"
    path.write_bytes(start + gzip.compress(bytes(1 << 20)) * 600)
    with pytest.raises(SizeLimitError, match="decompression bomb"):
        Archive.open(path)


def test_thousands_of_empty_members_cost_little(tmp_path: Path) -> None:
    path = tmp_path / "net.tar.gz"
    path.write_bytes(gzip.compress(b"") * 20_000 + gzip.compress(plain_tar()))
    begin = time.process_time()
    assert Archive.open(path).mpk.name == "net"
    assert time.process_time() - begin < 3


@pytest.mark.parametrize(
    ("members", "chosen"),
    [
        (["mpk.json"], "mpk.json"),
        (["./mpk.json"], "mpk.json"),
        (["pack/mpk.json"], "pack/mpk.json"),
        (["net-mpk.json"], "net-mpk.json"),
        (["MPK.json"], "MPK.json"),
        (["mpk.json", "net_mpk.json"], "net_mpk.json"),
    ],
    ids=str,
)
def test_the_document_may_be_called_plainly(tmp_path: Path, members: list[str], chosen: str) -> None:
    text = json.dumps(document()).encode()
    data = tar_bytes([(header(name), text if name.lstrip("./") == chosen else b"no JSON") for name in members])
    archive = Archive.open(write_gz(tmp_path, data, "net.tar.gz"))
    assert archive.mpk.name == "net"
    assert kind_of(chosen) == "mpk"


@pytest.mark.parametrize("name", ["xmpk.json", "mpk.json.txt", "pipeline_sequence.json", "._mpk.json", "mpk_json"])
def test_other_files_are_no_document(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArchiveError, match=r"no \*_mpk\.json or mpk\.json"):
        Archive.open(write_gz(tmp_path, tar_bytes([(header(name), b"{}")])))


def test_a_tar_that_a_browser_unpacked_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "net_mpk.tar"
    path.write_bytes(plain_tar())
    with pytest.raises(UnsupportedExtensionError) as caught:
        Archive.open(path)
    assert "gzip " in caught.value.hint


def test_a_folder_of_archives_names_them(tmp_path: Path) -> None:
    write_gz(tmp_path, plain_tar(), "resnet_50.tar.gz")
    with pytest.raises(UnsupportedExtensionError, match="a folder") as caught:
        Archive.open(tmp_path)
    assert "resnet_50.tar.gz" in caught.value.hint


UNREADABLE = {
    "cut": STATS[:-20].encode(),
    "no yaml": b"1: {name: a",
    "bytes": b"\xff\xfe\x00",
    "empty": b"",
    "a table": b"layers: 3\n",
    "negative": STATS.replace("end_cycle: 149", "end_cycle: 50").encode(),
    "tags": b"1: !!python/object:os.system x\n",
    "words": STATS.replace("149", "many").encode(),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_stats_file_that_cannot_be_read_hides_only_itself(tmp_path: Path, kind: str) -> None:
    name = "net_stage1_mla_stats.yaml"
    extra = [(header(name), UNREADABLE[kind])]
    archive = Archive.open(write_gz(tmp_path, plain_tar(*extra)))
    if kind == "cut":  # what is left of the last number is a number
        assert archive.stats is None or archive.stats.total_cycles < 150
    else:
        assert archive.stats is None
        assert len(archive.warnings) == 1
        assert archive.warnings[0].startswith(name)
        assert "not shown" in archive.warnings[0]
    assert archive.batch.actual == 12
    assert archive.read(name) == UNREADABLE[kind]


def test_the_other_segments_of_an_unreadable_one_are_shown(tmp_path: Path) -> None:
    extra = [
        (header("net_stage1_mla_stats.yaml"), b"- broken"),
        (header("net_stage3_mla_stats.yaml"), NEXT_STATS.encode()),
    ]
    archive = Archive.open(write_gz(tmp_path, plain_tar(*extra)))
    assert archive.stats is not None
    assert [layer.name for layer in archive.stats.layers] == ["MLA_2/softmax_2"]
    assert [warning.split(",")[0] for warning in archive.warnings] == ["net_stage1_mla_stats.yaml"]


def test_too_large_a_stats_file_still_refuses_the_archive(tmp_path: Path) -> None:
    block = header("net_stage1_mla_stats.yaml", (128 << 20) + 1).tobuf()
    with pytest.raises(SizeLimitError, match=r"stage1_mla_stats"):
        Archive.open(write_gz(tmp_path, block))


@pytest.mark.parametrize(
    "binary", ["net_stage2_mla.lm", "net_stage1_mla.elf", "Net_stage1_mla.lm", "x/net_stage1_mla.lm"]
)
def test_an_executable_that_nobody_packed_is_a_warning(tmp_path: Path, binary: str) -> None:
    members = [("net_mpk.json", json.dumps(document(binary)).encode()), ("net_stage1_mla.lm", b"binary")]
    archive = Archive.open(write_gz(tmp_path, tar_bytes([(header(name), data) for name, data in members])))
    assert archive.warnings == (f"MLA_0 names the executable {binary}, which is not in the archive; it cannot run",)


def test_executables_in_folders_and_placeholders_are_no_warning(tmp_path: Path) -> None:
    members = [("pack/net_mpk.json", json.dumps(document()).encode()), ("pack/net_stage1_mla.lm", b"binary")]
    archive = Archive.open(write_gz(tmp_path, tar_bytes([(header(name), data) for name, data in members])))
    assert archive.warnings == ()
    newer = Archive.open(write_gz(tmp_path, tar_bytes([(header(n), d) for n, d in newer_vendor_members()]), "n.tgz"))
    assert [warning.split(",")[0] for warning in newer.warnings] == ["NPU_3 names the executable net_stage2_npu.bin"]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Honolulu", "Etc/GMT+12", "Europe/Berlin", "Asia/Tokyo"])
def test_zip_tools_take_the_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """Zip knows no date before 1980, and tools compute it in local time."""
    path = tmp_path / "net_mpk.tar.gz"
    write_archive(path, plain_members())
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with zipfile.ZipFile(io.BytesIO(), "w") as packed:
            for name, _ in plain_members():
                packed.write(tmp_path / "out" / name, name)
            assert {info.date_time[:3] for info in packed.infolist()} == {(1980, 1, 1)}
    finally:
        monkeypatch.undo()
        time.tzset()
    assert time.gmtime(package.MEMBER_DATE)[:3] == (1980, 1, 1)


def test_json_may_have_as_many_bytes_as_the_vendors_loader_takes() -> None:
    assert LARGEST_JSON == 32 * 1024 * 1024
