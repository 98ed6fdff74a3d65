"""Archives that hold no more than the published form promises: every command opens them or says what is missing.

The commands come from the table of the command line, so a new one is held to this too.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Archive
from sima_compiler.archive.acceptance import accepts, check_archive
from sima_compiler.cli.dispatch import COMMANDS
from sima_nb.display import Summary
from tests.archive.archive_samples import ELF, STATS, described, header, tar_bytes, write_gz

DOCUMENT = json.dumps(described()).encode()
ELF_ONLY = {"net_mpk.json": DOCUMENT, "net_stage1_mla.elf": ELF}
#: Further files as newer SDKs pack them; nobody here reads them, so what stands in them must not matter.
EXTRA = {
    "preproc.json": b'{"graph_name": "preproc", "x": 1e400}',
    "mla.json": b"{}",
    "detess_dequant.json": b"[1, 2,",
    "pipeline_sequence.json": b'{"pipelines": [], "pipelines": []}',
    "0_preproc.json": b"\xff\xfe",
    "1_process_mla.json": b"",
}


def with_host_segment() -> bytes:
    """The same document with a plugin for the A65 behind the others."""
    document = described()
    size = document["plugins"][-1]["output_nodes"][0]["size"]
    types = [{"scalar": "float32", "shape": [1, size // 4]}]
    document["plugins"][-1:] = [
        {
            "name": "APU_1",
            "sequence": len(document["plugins"]),
            "processor": "A65",
            "type": "sgpProcess",
            "config_params": {"input_names": ["a", "b"], "input_types": types * 2, "output_types": types * 2},
            "input_nodes": document["plugins"][-1]["input_nodes"],
            "output_nodes": document["plugins"][-1]["output_nodes"],
            "resources": {"executable": "net_stage2_a65.so"},
        }
    ]
    return json.dumps(document).encode()


ARCHIVES: dict[str, tuple[str, dict[str, bytes]]] = {
    "document and elf": ("resnet_50.tar.gz", ELF_ONLY),
    "files of SDK 1.6": ("yolo26n-det-int8-b1.tar.gz", {**ELF_ONLY, **EXTRA}),
    "plain document": ("resnet_50-mpk.tar.gz", {"mpk.json": DOCUMENT, "net_stage1_mla.elf": ELF}),
    "in a folder": ("net_mpk (1).tar.gz", {f"build/net/{name}": data for name, data in ELF_ONLY.items()}),
    "with statistics": ("net.tgz", {**ELF_ONLY, "net_stage1_mla_stats.yaml": STATS.encode()}),
    "host segment": ("net_mpk.tar.gz", {"net_mpk.json": with_host_segment(), "net_stage1_mla.elf": ELF,
                                        "net_stage2_a65.so": ELF}),
    "no binary": ("net_mpk.tar.gz", {"net_mpk.json": DOCUMENT}),
    "an old lm": ("net_mpk.tar.gz", {"net_mpk.json": DOCUMENT.replace(b".elf", b".lm"), "net_stage1_mla.lm": b"LM00"}),
}  # fmt: skip


def made(folder: Path, kind: str) -> Path:
    name, members = ARCHIVES[kind]
    return write_gz(folder, tar_bytes([(header(key), data) for key, data in members.items()]), name)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", ARCHIVES)
def test_every_command_answers_with_sentences(simac, tmp_path: Path, kind: str, command: str) -> None:
    path = made(tmp_path, kind)
    samples = tmp_path / "x.npz"
    np.savez(samples, in0=np.zeros((2, 3, 4, 4), np.float32), in1=np.zeros((2, 3, 4, 4), np.float32))
    words = [command, path, *(["--input", samples] if command == "simulate" else []), "--json"]
    done = simac(*words)
    assert "Traceback" not in done.err
    assert "this is a bug" not in done.err
    assert done.code in (0, 1, 2)
    if done.code == 1:
        error = done.json["error"]
        assert error["type"] not in ("InternalError", "KeyError", "AttributeError", "TypeError", "ValueError")
        assert path.name in error["message"] or any(
            name.split("/")[-1] in error["message"] for name in ARCHIVES[kind][1]
        )
        assert error["hint"]
    assert sorted(found.name for found in tmp_path.iterdir()) == sorted([path.name, "x.npz"])


@pytest.mark.parametrize("kind", ARCHIVES)
def test_inspect_says_what_such_an_archive_does_not_record(simac, tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, kind)
    done = simac("inspect", path)
    data = simac("inspect", path, "--json").json
    assert done.code == 0
    known = "statistics" in kind
    assert ("no *_mla_stats.yaml" in done.out) != known
    assert ("no *_mla_stats.yaml" in " ".join(data["not_recorded"])) != known
    assert "only archives of this compiler hold a report" in done.out
    assert [file["name"] for file in data["files"]] == list(ARCHIVES[kind][1])
    assert (data["compute_cycles"] is not None) == known
    assert ("is not in the archive" in done.out) == (kind == "no binary")


@pytest.mark.parametrize("kind", ARCHIVES)
def test_the_notebook_shows_it_whole(tmp_path: Path, kind: str) -> None:
    archive = Archive.open(made(tmp_path, kind))
    summary = Summary.of(archive)
    for form in (repr(summary), summary._repr_html_()):
        assert "MLA" in form
        assert all(name.split("/")[-1] in form for name in ARCHIVES[kind][1])
    assert (summary.desired_batch_size, summary.actual_batch_size) == (2, 2)
    assert summary.runtime_cycles is None


@pytest.mark.parametrize(
    "kind", ["document and elf", "files of SDK 1.6", "plain document", "in a folder", "host segment"]
)
def test_nothing_public_stands_in_their_way(tmp_path: Path, kind: str) -> None:
    found = check_archive(made(tmp_path, kind))
    assert accepts(tuple(outcome for outcome in found.loader if outcome.rule != "file_name"))
    broken = [outcome.rule for outcome in found.decoder if outcome.findings]
    assert broken == (["everything_is_read"] if kind == "host segment" else [])
