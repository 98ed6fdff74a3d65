"""Opening archives: what is read from ours and from the vendor's, and extraction."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from sima_compiler.archive.gunzip import Limits
from sima_compiler.archive.package import write_archive
from sima_compiler.archive.reader import Archive
from sima_compiler.archive.report_records import CompileReport, LimitingTensor
from sima_compiler.errors import (
    ArchiveError,
    InvalidArchiveError,
    OutputError,
    SchemaError,
    UnsupportedVersionError,
)
from tests.archive.archive_samples import (
    NEXT_STATS,
    STATS,
    header,
    newer_vendor_members,
    plain_members,
    plain_tar,
    tar_bytes,
    write_gz,
)

REPORT = {
    "schema_version": "1.7",
    "reason": "memory is full",
    "candidates": [
        {"batch_size": 12, "feasible": True, "cycles": 100, "limiting_tensors": ["a"], "unknown": 1},
        {"batch_size": 13, "feasible": False, "cycles": None},
    ],
}


def entries_of(members: list[tuple[str, bytes]]) -> bytes:
    return tar_bytes([(header(name), content) for name, content in members])


def test_everything_that_an_archive_says(tmp_path: Path) -> None:
    path = tmp_path / "net_mpk.tar.gz"
    members = [
        *plain_members(),
        ("net_stage10_mla.lm", b"last"),
        ("net_stage3_mla.lm", b"middle"),
        ("net_stage3_mla_stats.yaml", NEXT_STATS.encode()),
        ("net_stage1_mla_stats.yaml", STATS.encode()),
        ("net_compile_report.json", json.dumps(REPORT).encode()),
    ]
    write_archive(path, members)
    archive = Archive.open(path)
    assert archive.name == "net"
    assert [(file.name, file.bytes) for file in archive.files] == [(name, len(data)) for name, data in members]
    assert archive.lm_files == ("net_stage1_mla.lm", "net_stage3_mla.lm", "net_stage10_mla.lm")
    assert archive.plugins == {"EV74": 2, "MLA": 1}
    assert archive.report is not None
    assert archive.report.schema_version == REPORT["schema_version"]
    assert archive.report.candidates is archive.batch.candidates
    assert (archive.batch.desired, archive.batch.actual, archive.batch.reason) == (16, 12, "memory is full")
    assert [(row.batch_size, row.feasible, row.cycles) for row in archive.batch.candidates] == [
        (12, True, 100),
        (13, False, None),
    ]
    assert archive.batch.candidates[0].limiting_tensors == (LimitingTensor("a"),)
    assert archive.stats is not None
    assert [(x.id, x.name, x.start_cycle, x.end_cycle) for x in archive.stats.layers] == [
        (1, "MLA_0/conv2d_add_relu_0", 0, 99),
        (2, "MLA_0/dense_1", 100, 149),
        (3, "MLA_2/softmax_2", 150, 159),
    ]
    assert all(archive.read(name) == data for name, data in members)


def test_an_archive_of_a_newer_sdk_is_read_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "net_mpk.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        folder = header("./", kind=tarfile.DIRTYPE)
        tar.addfile(folder)
        for name, data in newer_vendor_members():
            source = tmp_path / name
            source.write_bytes(data)
            tar.add(source, arcname=f"./{name}")
    archive = Archive.open(path)
    assert archive.lm_files == ("net_stage1_mla.elf",)
    assert (archive.batch.desired, archive.batch.actual, archive.batch.candidates) == (8, 8, ())
    assert archive.plugins == {"EV74": 2, "MLA": 1, "NPU2": 1}
    assert archive.report is None
    assert archive.mpk.plugins[0].kernel == "warp_transform_v9"
    assert archive.mpk.plugins[0].raw["vendor_extension"] == {"mode": "fast"}
    assert archive.mpk.raw["schema_hint"] == {"nested": [1, 2.5, None]}
    assert {file.name for file in archive.files} == {name for name, _ in newer_vendor_members()}


def test_files_that_macos_adds_are_shown_and_not_read(tmp_path: Path) -> None:
    archive = Archive.open(write_gz(tmp_path, plain_tar((header("._net_mpk.json"), b"\0\5\x16\7"))))
    assert archive.mpk.name == "net"
    assert len(archive.files) == 3


def test_without_stats_and_report_the_rest_is_there(tmp_path: Path) -> None:
    archive = Archive.open(write_gz(tmp_path, plain_tar()))
    assert archive.stats is None
    assert archive.report is None
    assert archive.batch.candidates == ()


def test_large_binaries_are_read_again_and_a_changed_file_is_noticed(tmp_path: Path) -> None:
    path = write_gz(tmp_path, plain_tar((header("big.so"), b"x" * 5000), (header("small.so"), b"yz")))
    archive = Archive.open(path, limits=Limits(kept_bytes=10))
    assert archive.read("big.so") == b"x" * 5000
    assert archive.read("small.so") == b"yz"
    write_gz(tmp_path, plain_tar((header("big.so"), b"z" * 4999)))
    assert archive.read("small.so") == b"yz"
    with pytest.raises(InvalidArchiveError, match="changed since it was opened"):
        archive.read("big.so")


@pytest.mark.parametrize(
    "row",
    [
        3,
        {},
        {"batch_size": 1},
        {"batch_size": None, "feasible": True},
        {"batch_size": True, "feasible": True},
        {"batch_size": 1, "feasible": "yes"},
        {"batch_size": 1, "feasible": True, "cycles": "many"},
        {"batch_size": 1, "feasible": True, "spilled": "x"},
        {"batch_size": 1, "feasible": True, "reason": None},
    ],
    ids=str,
)
def test_candidates_of_the_wrong_kind_are_refused(tmp_path: Path, row: object) -> None:
    report = json.dumps({"schema_version": "1.0", "candidates": [row]}).encode()
    with pytest.raises(SchemaError, match=r"candidates\[0\]") as caught:
        Archive.open(write_gz(tmp_path, plain_tar((header("net_compile_report.json"), report))))
    assert caught.value.entry == "net_compile_report.json"


def test_reading_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    archive = Archive.open(write_gz(tmp_path, plain_tar()))
    with pytest.raises(ArchiveError, match=r"net_stage1_mla\.lm") as caught:
        archive.read("nope")
    assert caught.value.entry == "nope"


def test_report_versions(tmp_path: Path) -> None:
    def opened(version: object) -> Archive:
        report = json.dumps({"schema_version": version, "new_key": [1]}).encode()
        return Archive.open(write_gz(tmp_path, plain_tar((header("net_compile_report.json"), report))))

    for version in ("1.0", "1.99", "2.0", "2.99"):
        assert opened(version).report == CompileReport(version)
    with pytest.raises(UnsupportedVersionError, match=r"3\.0") as caught:
        opened("3.0")
    assert caught.value.entry == "net_compile_report.json"
    assert caught.value.hint
    for version in (1, "one", "", None, "1"):
        with pytest.raises(SchemaError, match="schema_version"):
            opened(version)


def test_extraction_writes_only_what_was_asked_for(tmp_path: Path) -> None:
    path = write_gz(tmp_path, plain_tar((header("sub/big.so"), b"x" * 3000), (header("other.so"), b"o")))
    for limits in (Limits(), Limits(kept_bytes=0)):
        folder = tmp_path / f"out{limits.kept_bytes}"
        folder.mkdir()
        written = Archive.open(path, limits=limits).extract(["sub/big.so", "net_mpk.json"], folder)
        assert written == [folder / "sub" / "big.so", folder / "net_mpk.json"]
        assert written[0].read_bytes() == b"x" * 3000
        assert sorted(p.name for p in folder.rglob("*")) == ["big.so", "net_mpk.json", "sub"]


def test_extraction_replaces_nothing_and_follows_no_link(tmp_path: Path) -> None:
    archive = Archive.open(write_gz(tmp_path, plain_tar((header("sub/a.so"), b"new"))))
    outside, folder = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    folder.mkdir()
    (folder / "sub").symlink_to(outside)
    with pytest.raises(OutputError, match="in the way"):
        archive.extract(["net_mpk.json", "sub/a.so"], folder)
    assert [p.name for p in folder.iterdir()] == ["sub"]
    assert list(outside.iterdir()) == []
    (folder / "net_mpk.json").write_text("old")
    with pytest.raises(OutputError, match="exists already"):
        archive.extract(["net_stage1_mla.lm", "net_mpk.json"], folder)
    assert (folder / "net_mpk.json").read_text() == "old"
    assert not (folder / "net_stage1_mla.lm").exists()
    with pytest.raises(OutputError, match="no such folder"):
        archive.extract(["net_mpk.json"], tmp_path / "missing")


def test_a_report_of_the_first_layout_has_its_one_segment(tmp_path: Path) -> None:
    """Its numbers stood in the report itself; what it did not record is None."""
    old = {
        "schema_version": "1.0", "compute_cycles": 5, "memory": {"capacity_bytes": 64, "peak_bytes": 48},
        "layers": [{"id": 1, "name": "MLA_0/add_0", "segment": "MLA_0"}],
    }  # fmt: skip
    report = Archive.open(
        write_gz(tmp_path, plain_tar((header("net_compile_report.json"), json.dumps(old).encode())))
    ).report
    assert report is not None
    (segment,) = report.segments
    assert (segment.name, segment.processor, segment.compute_cycles) == ("MLA_0", "MLA", 5)
    assert (segment.on_chip_bytes, segment.peak_bytes, segment.runtime_cycles) == (64, 48, None)
