"""A file that is not there: what lies beside it and was probably meant, in every command that takes one."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from sima_compiler import Archive, ArchiveError, CalibrationError, MlaStats, ModelError
from sima_compiler.files.nearby import meant
from sima_compiler.sources import read_npz, source_of

NAMES = ("resnet50.onnx", "resnet50_mpk.tar.gz", "resnet50_stage1_mla_stats.yaml", "samples.npz", "other.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("resnet5.onnx", "resnet50.onnx"),
        ("resnet50.sima", "resnet50.onnx"),
        ("*.gz", "resnet50_mpk.tar.gz"),
        ("sample.npz", "samples.npz"),
        (".", "other.txt or {0}/resnet50.onnx or {0}/resnet50_mpk.tar.gz"),
        ("quite_another.bin", ""),
    ],
)
def test_what_is_close_is_offered(folder: Path, named: str, found: str) -> None:
    told = meant(folder / named, lambda _: True)
    assert told == (f"did you mean {folder}/{found.format(folder)}?" if found else "")


def test_a_missing_folder_names_the_nearest_that_exists(folder: Path) -> None:
    assert meant(folder / "a" / "b" / "x.onnx", lambda _: True) == (
        f"there is no folder {folder / 'a' / 'b'}; the nearest that exists is {folder}"
    )


def test_every_reader_offers_files_of_its_own_kind(folder: Path) -> None:
    for read, error, named, found in (
        (lambda path: read_npz(path, CalibrationError), CalibrationError, "sample.npz", "samples.npz"),
        (Archive.open, ArchiveError, "resnet_mpk.tar.gz", "resnet50_mpk.tar.gz"),
        (Archive.open, ArchiveError, "*mpk*", "resnet50_mpk.tar.gz"),
        (MlaStats.read, ArchiveError, "resnet50_stage_mla_stats.yaml", "resnet50_stage1_mla_stats.yaml"),
        (lambda path: source_of(Namespace(model=path)), ModelError, "resnet.onnx", "resnet50.onnx"),
    ):
        with pytest.raises(error) as caught:
            read(folder / named)
        assert caught.value.hint == f"did you mean {folder / found}?"


def test_a_variable_that_the_notebook_did_not_know_is_said() -> None:
    with pytest.raises(ModelError) as caught:
        source_of(Namespace(model=Path("$model")))
    assert "no variable of that name" in (caught.value.hint or "")
