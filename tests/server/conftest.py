"""One Jupyter Server for the run, with files of every kind in the folder that it serves."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sima_compiler import Archive, Model
from tests.support.archives import vendor_archive
from tests.support.jupyter_server import Answer, Server, running_server
from tests.support.small_models import write_small_model


@pytest.fixture(scope="session")
def server(fixture_dir: Path) -> Iterator[Server]:
    """Behind a base URL, as on a hub."""
    folder = fixture_dir / "jupyter_server"
    folder.mkdir()
    with running_server(folder, base="/user/ada/") as server:
        fill(server.folder)
        yield server


@pytest.fixture(scope="session")
def narrow(fixture_dir: Path) -> Iterator[Server]:
    """One thread, one place to wait, low limits; hidden files are shown."""
    folder = fixture_dir / "narrow_server"
    folder.mkdir()
    options = ("--SimaNb.threads=1", "--SimaNb.waiting=1", "--SimaNb.yaml_bytes=1000", "--SimaNb.json_bytes=5000")
    with running_server(folder, *options, "--ContentsManager.allow_hidden=True") as server:
        vendor_archive(server.folder)
        yield server


def fill(folder: Path) -> None:
    """Ours, the vendor's, statistics, a pipeline, models, and what is none of them; links, hidden and outside files."""
    model = write_small_model(folder)
    compiled = Model.from_onnx(model).compile(output_path=folder, batch_size=3)
    vendor_archive(folder)
    archive = Archive.open(compiled.path)
    (folder / "small_mla_stats.yaml").write_bytes(archive.read("small_stage1_mla_stats.yaml"))
    (folder / "small_mpk.json").write_bytes(archive.read("small_mpk.json"))
    (folder / "small_compile_report.json").write_bytes(archive.read("small_compile_report.json"))
    (folder / "notes.yaml").write_text("a: [1, 2]\n", "utf-8")
    (folder / "notes.json").write_text('{"alpha": 1, "beta": 2}', "utf-8")
    (folder / "empty.json").write_text("", "utf-8")
    (folder / "picture.tgz").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    outside = folder.parent / "outside"
    outside.mkdir()
    for name in ("secret_mpk.tar.gz", ".hidden_mpk.tar.gz"):
        os.link(compiled.path, outside / name)
    (folder / "out_mpk.tar.gz").symlink_to(outside / "secret_mpk.tar.gz")
    (folder / "elsewhere").symlink_to(outside, target_is_directory=True)
    (folder / "inside_mpk.tar.gz").symlink_to(compiled.path)
    os.link(compiled.path, folder / ".hidden_mpk.tar.gz")
    (folder / "hiding_mpk.tar.gz").symlink_to(folder / ".hidden_mpk.tar.gz")


def head_of(parcel: Answer) -> dict[str, Any]:
    """The head of a parcel, after its layout was checked."""
    assert parcel.status == 200, parcel.body
    assert parcel.headers["Content-Type"] == "application/vnd.sima-nb.parcel"
    (length,) = struct.unpack_from("<I", parcel.body)
    head = json.loads(parcel.body[4 : 4 + length])
    start = -(-(4 + length) // 8) * 8
    for part in head["parts"]:
        assert part["offset"] % 8 == 0
        assert start + part["offset"] + part["length"] <= len(parcel.body)
    return head
