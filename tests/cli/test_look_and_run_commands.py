"""`simac inspect`, `stats`, `simulate`, `disassemble`, and what holds for every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Archive, MlaStats, Model, simulate
from sima_compiler.cli.dispatch import COMMANDS
from sima_compiler.cli.layout import pairs, table
from sima_compiler.version import __version__
from tests.archive.archive_samples import header, plain_members, plain_tar, tar_bytes, write_gz
from tests.support.archives import vendor_archive


def test_version(simac) -> None:
    done = simac("--version")
    assert (done.code, done.out) == (0, f"simac {__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_examples_and_json(simac, command: str) -> None:
    done = simac(command, "--help")
    assert done.code == 0
    assert f"examples:\n  simac {command} " in done.out
    assert "--json" in done.out


@pytest.mark.parametrize("command", ["inspect", "stats", "disassemble"])
def test_missing_files_are_errors_without_a_traceback(simac, tmp_path: Path, command: str) -> None:
    done = simac(command, tmp_path / "nowhere_mpk.tar.gz", "--json")
    assert done.code == 1
    assert "nowhere_mpk.tar.gz" in done.json["error"]["message"]
    assert "Traceback" not in done.err


def test_inspect_lists_what_is_in_an_archive(simac, archive: Path) -> None:
    opened = Archive.open(archive)
    data = simac("inspect", archive, "--json").json
    assert data["files"] == [{"name": file.name, "bytes": file.bytes} for file in opened.files]
    assert [plugin["name"] for plugin in data["plugins"]] == [plugin.name for plugin in opened.mpk.plugins]
    assert (data["desired_batch_size"], data["actual_batch_size"]) == (3, opened.batch.actual)
    assert (data["compute_cycles"], data["runtime_cycles"]) == (
        opened.stats.total_cycles,
        opened.report.runtime_cycles,
    )
    text = simac("inspect", archive).out
    for word in [file.name for file in opened.files] + [plugin.name for plugin in opened.mpk.plugins]:
        assert word in text


def test_inspect_and_stats_read_archives_of_other_compilers(simac, tmp_path: Path) -> None:
    path = vendor_archive(tmp_path, layers=["MLA_0/conv2d_add_relu_0", "MLA_0/max_pool2d_1"])
    data = simac("inspect", path, "--json").json
    assert (data["desired_batch_size"], data["actual_batch_size"], data["runtime_cycles"]) == (4, 3, None)
    assert "4 desired -> 3 actual" in simac("inspect", path).out
    assert simac("stats", path, "--json").json["total_cycles"] == 200


OVERLAPPING = (
    "- {name: MLA_0/a, start_cycle: '100', end_cycle: 199.0}\n"
    "- {name: MLA_0/b, start_cycle: 150, end_cycle: 249}\n"
    "- {name: MLA_0/c, start_cycle: 300, end_cycle: 299}\n"
)


def test_one_total_and_how_it_was_counted_in_every_output(simac, tmp_path: Path) -> None:
    stats = MlaStats.parse(OVERLAPPING)
    assert (stats.total_cycles, sum(layer.cycles for layer in stats.layers)) == (150, 200)
    path = write_gz(tmp_path, plain_tar((header("net_stage1_mla_stats.yaml"), OVERLAPPING.encode())), "net (1).tar.gz")
    (tmp_path / "net.yaml").write_text(OVERLAPPING)
    for source in (path, tmp_path / "net.yaml"):
        data = simac("stats", source, "--json").json
        assert (data["total_cycles"], data["counting"]) == (150, stats.counting)
        assert [row["share"] for row in data["layers"]] == [100 / 150, 100 / 150, 0]
        text = simac("stats", source).out
        assert "150 cycles in all" in text
        assert stats.counting in text
    data = simac("inspect", path, "--json").json
    assert (data["compute_cycles"], data["counting"]) == (150, stats.counting)
    assert stats.counting in simac("inspect", path).out
    for words in ("50 cycles in which layers overlap", "100 cycles before", "1 layer has no length"):
        assert words in stats.counting


def test_stats_are_in_the_order_of_their_first_cycles(simac, tmp_path: Path) -> None:
    rows = [("late", 50, 59), ("early", 0, 9), ("long", 10, 49), ("also early", 0, 9)]
    text = "".join(f"- {{name: {name}, start_cycle: {start}, end_cycle: {end}}}\n" for name, start, end in rows)
    (tmp_path / "net.yaml").write_text(text)

    def names(*words: str) -> list[str]:
        return [row["name"] for row in simac("stats", tmp_path / "net.yaml", *words, "--json").json["layers"]]

    assert names() == ["early", "also early", "long", "late"]
    assert names("--sort", "duration") == ["long", "late", "early", "also early"]
    assert names("--sort", "duration", "--top", "2") == ["long", "late"]


def test_layers_without_any_length_have_no_share(simac, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("- {name: a}\n")
    assert simac("stats", tmp_path / "net.yaml", "--json").json["layers"][0]["share"] == 0


def test_unreadable_statistics_and_missing_executables_are_said(simac, tmp_path: Path) -> None:
    members = [("net_mpk.json", plain_members()[0][1]), ("net_stage1_mla_stats.yaml", b"1: [")]
    path = write_gz(tmp_path, tar_bytes([(header(name), data) for name, data in members]))
    data = simac("inspect", path, "--json").json
    assert [warning.split(" ")[0] for warning in data["warnings"]] == ["MLA_0", "net_stage1_mla_stats.yaml,"]
    assert data["compute_cycles"] is None
    text = simac("inspect", path).out
    assert all(warning in text for warning in data["warnings"])
    refused = simac("stats", path, "--json")
    assert refused.code == 1
    assert "net_stage1_mla_stats.yaml, line 1: layer 1: expected a mapping" in refused.json["error"]["message"]
    assert "executable" not in refused.json["error"]["message"]


def test_inspect_shows_a_saved_model(simac, samples: Path) -> None:
    data = simac("inspect", samples / "small.sima", "--json").json
    assert data["inputs"] == [{"name": "image", "shape": [3, 8, 8]}]
    assert "image" in simac("inspect", samples / "small.sima").out


def test_stats_of_archive_and_file_agree(simac, archive: Path, tmp_path: Path) -> None:
    opened = Archive.open(archive)
    name = next(file.name for file in opened.files if file.name.endswith("_mla_stats.yaml"))
    (tmp_path / name).write_bytes(opened.read(name))
    from_archive = simac("stats", archive, "--json").json
    from_file = simac("stats", tmp_path / name, "--json").json
    assert from_archive["layers"] == from_file["layers"]
    assert [(row["id"], row["name"], row["start_cycle"], row["end_cycle"]) for row in from_archive["layers"]] == [
        (layer.id, layer.name, layer.start_cycle, layer.end_cycle) for layer in opened.stats.layers
    ]
    assert sum(row["share"] for row in from_archive["layers"]) == pytest.approx(1)
    assert sum(row["cycles"] for row in from_archive["layers"]) == from_archive["total_cycles"]


def test_stats_sorted_and_cut(simac, archive: Path) -> None:
    every = simac("stats", archive, "--json").json["layers"]
    longest = simac("stats", archive, "--sort", "duration", "--top", "2", "--json").json
    expected = sorted(every, key=lambda row: (-row["cycles"], row["id"]))[:2]
    assert longest["layers"] == expected
    assert longest["layer_count"] == len(every)
    text = simac("stats", archive, "--sort", "duration", "--top", "2").out
    assert f"2 of {len(every)} layers" in text
    assert simac("stats", archive, "--top", "0", "--json").json["error"]["type"] == "OptionError"


def test_simulate_writes_what_the_library_computes(simac, samples: Path, archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "y.npz"
    done = simac("simulate", archive, "--input", samples / "batch.npz", "--output", target, "--json")
    assert done.code == 0
    data = done.json
    with np.load(samples / "batch.npz") as arrays:
        inputs = dict(arrays)
    run = simulate(Archive.open(archive), inputs)
    with np.load(target) as written:
        assert sorted(written.files) == sorted(run.outputs)
        for name, expected in run.outputs.items():
            assert written[name].dtype == np.float32
            np.testing.assert_array_equal(written[name], expected)
    reference = Model.from_onnx(samples / "small.onnx").execute(inputs)
    np.testing.assert_array_equal(next(iter(run.outputs.values())), reference[0])
    assert data["runtime_cycles"] == data["compute_cycles"] + sum(data["stall_cycles"].values())
    assert data["runtime_cycles"] == Archive.open(archive).report.runtime_cycles
    assert data["outputs"] == {name: list(array.shape) for name, array in run.outputs.items()}
    assert [path.name for path in tmp_path.iterdir()] == ["y.npz"]


def test_simulate_writes_the_same_bytes_again(simac, samples: Path, archive: Path, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        assert simac("simulate", archive, "--input", samples / "batch.npz", "--output", tmp_path / name).code == 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_simulate_without_inputs_draws_the_same_numbers_every_time(simac, archive: Path, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        done = simac("simulate", archive, "--output", tmp_path / name, "--json")
        assert done.json["runtime_cycles"] == Archive.open(archive).report.runtime_cycles
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as written:
        values = next(iter(written.values()))
        assert len(np.unique(values, axis=0)) == len(values) == 3, "every sample is another one"


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"picture": np.zeros((3, 3, 8, 8), np.float32)}, "image"),
        ({"image": np.zeros((2, 3, 8, 8), np.float32)}, "2"),
        ({"image": np.zeros((3, 3, 9, 8), np.float32)}, "9"),
        ({"image": np.full((3, 3, 8, 8), np.nan, np.float32)}, "image"),
    ],
    ids=["name", "batch", "shape", "nan"],
)
def test_simulate_refuses_inputs_that_do_not_fit(simac, archive: Path, tmp_path: Path, arrays, part: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    done = simac("simulate", archive, "--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz", "--json")
    assert done.code == 1
    assert done.json["error"]["type"] == "InputError"
    assert part in done.json["error"]["message"]
    assert not (tmp_path / "y.npz").exists()


def test_simulate_refuses_files_that_are_no_arrays(simac, archive: Path, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 not a zip")
    done = simac("simulate", archive, "--input", tmp_path / "x.npz", "--json")
    assert done.json["error"]["type"] == "InputError"
    away = simac("simulate", archive, "--input", samples / "batch.npz", "--output", tmp_path / "no" / "y.npz", "--json")
    assert away.json["error"]["type"] == "OutputError"


def test_simulate_says_when_an_archive_cannot_run(simac, samples: Path, tmp_path: Path) -> None:
    done = simac("simulate", vendor_archive(tmp_path), "--input", samples / "batch.npz", "--json")
    assert done.code == 1
    assert ".lm" in done.json["error"]["message"]


def test_disassemble_lists_commands_of_archive_and_file(simac, archive: Path, tmp_path: Path) -> None:
    opened = Archive.open(archive)
    name = opened.lm_files[0]
    (tmp_path / name).write_bytes(opened.read(name))
    by_archive = simac("disassemble", archive, "--json").json["segments"]
    by_file = simac("disassemble", tmp_path / name, "--json").json["segments"]
    assert by_archive == by_file
    assert "convolve" in by_archive[0]["listing"]
    assert simac("disassemble", archive, "--segment", "1").out == simac("disassemble", archive).out
    assert simac("disassemble", archive, "--segment", "2", "--json").json["error"]["type"] == "OptionError"


def test_a_damaged_binary_is_one_clear_error(simac, archive: Path, tmp_path: Path) -> None:
    opened = Archive.open(archive)
    data = bytearray(opened.read(opened.lm_files[0]))
    data[len(data) // 2] ^= 1
    (tmp_path / "bad.lm").write_bytes(data)
    assert simac("disassemble", tmp_path / "bad.lm", "--json").json["error"]["type"] == "LmError"


def test_a_reader_that_goes_away_is_no_error(archive: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "sima_compiler", "disassemble", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        process.stdout.close()
        _, complaint = process.communicate(timeout=60)
    assert complaint == b""
    assert process.returncode == 0


def test_tables_align_and_end_without_blanks() -> None:
    text = table(("name", "n"), [("a", "1"), ("long name", "1,000")], right=(1,))
    assert text == "name           n\na              1\nlong name  1,000"
    assert pairs([("a", "1"), ("dropped", ""), ("long", "2")]) == "a     1\nlong  2"


def test_help_loads_neither_onnx_nor_the_compiler() -> None:
    code = "import sys; from sima_compiler.cli.dispatch import build_parser; build_parser(); print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    loaded = set(done.stdout.split())
    assert "sima_compiler.cli.compile" in loaded
    assert not loaded & {"onnx", "onnxruntime", "plotly", "IPython", "sima_compiler.pipeline", "sima_nb"}


def test_a_stdout_without_unicode_still_gets_the_tree(archive: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "sima_compiler", "inspect", str(archive)]
    done = subprocess.run(command, capture_output=True, timeout=60, env=environment)
    assert done.returncode == 0
    assert b"small_mpk.json" in done.stdout
