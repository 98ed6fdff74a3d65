"""`simac compile` and `simac quantize`: the keys that scripts rely on, calibration, errors, interruption."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Archive, Model
from sima_compiler.view import view_of_path, wordings
from tests.support.small_models import small_float_model

KEYS = {
    *("path", "desired_batch_size", "actual_batch_size", "compute_cycles", "runtime_cycles", "bound_cycles"),
    *("padded_bound_cycles", "padded_bound_assumes", "efficiency", "stall_cycles", "files", "plugins", "warnings"),
    "verdict",
}
STALLS = {"weights", "input", "output", "instruction", "dependency"}


@pytest.mark.parametrize("model", ["small.onnx", "small.sima"])
def test_json_has_exactly_the_promised_keys(simac, samples: Path, tmp_path: Path, model: str) -> None:
    done = simac("compile", samples / model, "-o", tmp_path, "--batch-size", "3", "--json")
    assert done.code == 0
    data = done.json
    assert set(data) == KEYS
    assert set(data["stall_cycles"]) == STALLS
    assert data["runtime_cycles"] == data["compute_cycles"] + sum(data["stall_cycles"].values())
    assert data["efficiency"] == pytest.approx(data["bound_cycles"] / data["runtime_cycles"], abs=1e-5)
    archive = Archive.open(data["path"])
    assert data["path"] == str(tmp_path / "small_mpk.tar.gz")
    assert data["files"] == [{"name": file.name, "bytes": file.bytes} for file in archive.files]
    assert data["plugins"] == archive.plugins
    assert (data["desired_batch_size"], data["actual_batch_size"]) == (archive.batch.desired, archive.batch.actual)


def test_a_process_prints_one_object_on_stdout_and_nothing_else(simac_process, samples: Path, tmp_path: Path) -> None:
    done = simac_process("compile", samples / "float.onnx", "--calibration-random", "2", "--json", "-v", cwd=tmp_path)
    assert done.code == 0
    assert done.out.count("\n") == 1
    assert done.json["path"] == "float_mpk.tar.gz"
    assert (tmp_path / "float_mpk.tar.gz").is_file()
    assert "warning: " in done.err
    assert "accuracy is meaningless" in done.err
    assert "schedule" in done.err, "-v logs every stage"


def test_the_human_form_says_where_and_which_batch(simac, samples: Path, tmp_path: Path) -> None:
    done = simac("compile", samples / "small.onnx", "-o", tmp_path, "--batch-size", "2")
    assert done.code == 0
    assert str(tmp_path / "small_mpk.tar.gz") in done.out
    assert "2 desired -> 2 actual" in done.out
    words = " ".join(done.out.split())
    assert wordings.PADDED_BOUND_ASSUMES in words[words.index("The bound with padding, ") :]
    assert "small_stage1_mla.lm" in done.out
    cycles = int(re.search(r"runtime cycles +([\d,]+)", done.out)[1].replace(",", ""))
    speed = f"{cycles / 1e3:.2f} µs for the batch at 1,000 MHz, MLA alone; {2e9 / cycles:,.0f} samples per second"
    assert speed in done.out
    assert done.err == ""


def test_random_calibration_is_seeded_and_warns(simac, samples: Path, tmp_path: Path) -> None:
    archives = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        words = ("compile", samples / "float.onnx", "--calibration-random", "2", "-o", tmp_path / folder, "--json")
        data = simac(*words).json
        assert any("meaningless" in warning for warning in data["warnings"])
        archives.append(Path(data["path"]).read_bytes())
    assert archives[0] == archives[1]


def test_calibration_data_is_used(simac, samples: Path, tmp_path: Path) -> None:
    words = ("compile", samples / "float.onnx", "--calibration", samples / "calibration.npz", "-o", tmp_path, "--json")
    assert simac(*words).json["warnings"] == []
    wide = tmp_path / "wide.npz"
    with np.load(samples / "calibration.npz") as arrays:
        np.savez(wide, image=arrays["image"] * 10)
    first = Path(tmp_path / "float_mpk.tar.gz").read_bytes()
    assert simac("compile", samples / "float.onnx", "--calibration", wide, "-o", tmp_path).code == 0
    assert Path(tmp_path / "float_mpk.tar.gz").read_bytes() != first


def test_compression_machine_quads_and_name_take_effect(simac, samples: Path, tmp_path: Path) -> None:
    words = ("compile", samples / "small.onnx", "-o", tmp_path, "--json")
    plain = simac(*words).json
    raw = simac(*words, "--no-compress", "--name", "raw").json
    assert raw["path"].endswith("raw_mpk.tar.gz")
    assert Archive.open(raw["path"]).report.compress is False
    assert Archive.open(plain["path"]).report.compress is True
    narrow = simac(*words, "--quads", "1", "--machine", "tiny", "--name", "tiny").json
    machine = Archive.open(narrow["path"]).report.machine
    assert (machine.name, machine.quads) == ("tiny", 1)


def test_a_saved_model_can_be_compiled_under_another_name(simac, samples: Path, tmp_path: Path) -> None:
    data = simac("compile", samples / "small.sima", "-o", tmp_path, "--name", "other", "--json").json
    assert data["path"] == str(tmp_path / "other_mpk.tar.gz")


def test_html_writes_a_report(simac, samples: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    done = simac("compile", samples / "small.onnx", "-o", tmp_path, "--html", target, "--json")
    assert done.code == 0
    page = target.read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert f"{done.json['runtime_cycles']:,}" in page


def test_quantize_saves_a_model_that_loads(simac, samples: Path, tmp_path: Path) -> None:
    done = simac(
        "quantize", samples / "float.onnx", "--calibration", samples / "calibration.npz", "-o", tmp_path, "--json"
    )
    assert done.code == 0
    path = Path(done.json["path"])
    assert done.json == {"path": str(path), "name": "float", "bytes": path.stat().st_size, "warnings": []}
    assert Model.load("float", tmp_path).graph.inputs == ("image",)
    onnx.checker.check_model(onnx.load(path))


BAD = (
    (["small.onnx", "--batch-size", "0"], "OptionError", "batch_size"),
    (["small.onnx", "--batch-size", "-3"], "OptionError", "-3"),
    (["small.onnx", "--quads", "9"], "OptionError", "9"),
    (["small.onnx", "--machine", "nonesuch"], "MachineError", "nonesuch"),
    (["small.onnx", "-o", "nowhere/at/all"], "OutputError", "nowhere/at/all"),
    (["small.onnx", "--html", "nowhere/r.html"], "OutputError", "nowhere"),
    (["nothere.onnx"], "ModelError", "nothere.onnx"),
    (["nothere.sima"], "ModelError", "nothere.sima"),
    (["calibration.npz"], "ModelError", "calibration.npz"),
    (["float.onnx"], "ModelError", "--calibration"),
    (["float.onnx", "--calibration", "nothere.npz"], "CalibrationError", "nothere.npz"),
    (["float.onnx", "--calibration", "float.onnx"], "CalibrationError", "float.onnx"),
    (["float.onnx", "--calibration-random", "0"], "OptionError", "0"),
    (["small.sima", "--calibration", "calibration.npz"], "OptionError", "calibration"),
)


@pytest.mark.parametrize(("words", "kind", "part"), BAD, ids=lambda value: str(value)[:40])
def test_every_error_is_one_object_with_exit_code_1(
    simac, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], kind: str, part: str
) -> None:
    for path in samples.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    done = simac("compile", *words, "--json")
    assert done.code == 1
    assert set(done.json) == {"error"}
    assert set(done.json["error"]) == {"type", "message", "hint"}
    assert done.json["error"]["type"] == kind
    assert part in done.json["error"]["message"] + done.json["error"]["hint"]
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert sorted(tmp_path.iterdir()) == before
    human = simac("compile", *words)
    assert (human.code, human.out) == (1, "")
    assert human.err.splitlines()[0] == f"error: {done.json['error']['message'].splitlines()[0]}"


@pytest.mark.parametrize(
    "words",
    [[], ["compile"], ["compile", "m.onnx", "--nonsense"], ["compile", "m.onnx", "--batch-size", "x"], ["explode"],
     ["compile", "m.onnx", "--calibration", "a.npz", "--calibration-random", "3"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_exits_with_2_and_prints_nothing_on_stdout(simac, words: list[str]) -> None:
    done = simac(*words)
    assert (done.code, done.out) == (2, "")
    assert "usage: simac" in done.err


@pytest.mark.parametrize("arrays", [{"image": np.zeros((0, 3, 8, 8))}, {"a": np.zeros(2), "b": np.zeros(3)}, {}])
def test_samples_that_do_not_match_are_refused(simac, samples: Path, tmp_path: Path, arrays) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    done = simac("compile", samples / "float.onnx", "--calibration", tmp_path / "bad.npz", "-o", tmp_path, "--json")
    assert done.code == 1
    assert done.json["error"]["type"] == "CalibrationError"


class Terminal(io.StringIO):
    """A stderr that is a terminal; interrupts the process as Ctrl-C does when it sees a word."""

    def __init__(self, interrupt_at: str = "\0") -> None:
        super().__init__()
        self.interrupt_at = interrupt_at

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.interrupt_at in text:
            self.interrupt_at = "\0"
            signal.raise_signal(signal.SIGINT)
        return super().write(text)


def test_a_terminal_sees_a_progress_bar_that_goes_away(
    simac, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert simac("compile", samples / "small.onnx", "-o", tmp_path, "--json").code == 0
    shown = terminal.getvalue()
    assert "plan" in shown
    assert "[####" in shown
    assert shown.endswith("\r\x1b[K")


def test_an_interruption_exits_with_130_and_keeps_the_old_archive(
    simac, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("compile", samples / "small.onnx", "-o", tmp_path)
    assert simac(*words).code == 0
    before = (tmp_path / "small_mpk.tar.gz").read_bytes()
    terminal = Terminal(interrupt_at="encode")
    monkeypatch.setattr("sys.stderr", terminal)
    done = simac(*words, "--batch-size", "2", "--json")
    assert done.code == 130
    assert done.json["error"]["type"] == "Interrupted"
    assert "stopped" in terminal.getvalue().splitlines()[-1]
    assert "Traceback" not in terminal.getvalue()
    assert [path.name for path in tmp_path.iterdir()] == ["small_mpk.tar.gz"]
    assert (tmp_path / "small_mpk.tar.gz").read_bytes() == before


def test_html_needs_no_notebook_package(samples: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'sima_nb', 'IPython', 'plotly'}: raise ImportError(f'no {name}')\n"
        "sys.meta_path.insert(0, Block())\n"
        "from sima_compiler.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["compile", str(samples / "small.onnx"), "-o", str(tmp_path), "--json"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    command = [sys.executable, "-c", code, *words, "--html", str(tmp_path / "r.html")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert "MLA_0" in (tmp_path / "r.html").read_text("utf-8")


def test_a_last_softmax_of_reals_is_on_the_a65_or_left_to_the_host(simac, samples: Path, tmp_path: Path) -> None:
    model = onnx.load(samples / "small.onnx")
    logits = model.graph.output[0].name
    model.graph.node.append(onnx.helper.make_node("Softmax", [logits], ["probabilities"], axis=1))
    model.graph.output[0].name = "probabilities"
    onnx.save(model, tmp_path / "soft.onnx")
    placed = simac("check", tmp_path / "soft.onnx")
    assert "1 MLA segment, 1 host layer in 1 A65 segment" in placed.out
    assert "Softmax" in placed.out
    whole = simac("compile", tmp_path / "soft.onnx", "-o", tmp_path, "--json").json
    assert whole["verdict"].startswith("1 MLA segment, 1 host layer in 1 A65 segment")
    assert whole["plugins"]["A65"] == 1
    done = simac("compile", tmp_path / "soft.onnx", "-o", tmp_path, "--mla-only")
    assert done.code == 0, done.err
    assert any("left to host" in line and "Softmax" in line for line in done.out.splitlines())
    assert any("1 MLA segment, 0 host layers" in line for line in done.out.splitlines())
    (operator,) = simac("inspect", tmp_path / "soft_mpk.tar.gz", "--json").json["left_to_host"]
    assert "Softmax" in operator


def test_a_last_softmax_that_is_quantized_is_in_the_archive(simac, tmp_path: Path) -> None:
    model = small_float_model()
    logits = model.graph.output[0].name
    model.graph.node.append(onnx.helper.make_node("Softmax", [logits], ["probabilities"], axis=1))
    model.graph.output[0].name = "probabilities"
    onnx.save(model, tmp_path / "soft.onnx")
    done = simac("compile", tmp_path / "soft.onnx", "--calibration-random", "1", "-o", tmp_path)
    assert done.code == 0, done.err
    assert not any("left to host" in line for line in done.out.splitlines())
    assert not simac("inspect", tmp_path / "soft_mpk.tar.gz", "--json").json.get("left_to_host")


def open_model(path: Path, tmp_path: Path) -> Path:
    """The file with the rows and columns of its image left open."""
    model = onnx.load(path)
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_param = "side"
    onnx.save(model, tmp_path / path.name)
    return tmp_path / path.name


@pytest.mark.parametrize("name", ["float.onnx", "small.onnx"])
@pytest.mark.parametrize("shape", ["1x3x8x8", "1,3,8,8"])
def test_open_sizes_are_given_on_the_command_line(simac, samples: Path, tmp_path: Path, name: str, shape: str) -> None:
    path = open_model(samples / name, tmp_path)
    words = ["compile", path, "-o", tmp_path, *(["--calibration-random", "2"] if name == "float.onnx" else [])]
    error = simac(*words, "--json").json["error"]
    assert "--input-shape image=1x3xHxW" in error["hint"]
    assert simac(*words, "--input-shape", f"image={shape}").code == 0


@pytest.mark.parametrize("text", ["image", "image=", "=1x3x8x8", "image=1x3xHx8", "image=1x-3x8x8", "image=1x3x8x"])
def test_a_shape_that_is_none(simac, samples: Path, text: str) -> None:
    error = simac("compile", samples / "small.onnx", f"--input-shape={text}", "--json").json["error"]
    assert error["type"] == "OptionError"
    assert "NAME=SIZES" in error["message"]


def test_an_input_has_one_shape(simac, samples: Path) -> None:
    twice = ["--input-shape", "image=1x3x8x8"] * 2
    assert "already" in simac("compile", samples / "small.onnx", *twice, "--json").json["error"]["message"]


def test_quantize_says_what_the_samples_leave_in_doubt(simac, samples: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "same.npz", image=np.repeat(np.random.default_rng(0).random((1, 3, 8, 8), np.float32), 4, 0))
    done = simac("quantize", samples / "float.onnx", "--calibration", tmp_path / "same.npz", "-o", tmp_path, "--json")
    assert any("hardly differ" in warning for warning in done.json["warnings"])
    assert "hardly differ" in done.err


def test_the_costliest_findings_stand_below_the_numbers(simac, samples: Path, tmp_path: Path) -> None:
    text = simac("compile", samples / "small.onnx", "-o", tmp_path).out
    findings = view_of_path(tmp_path / "small_mpk.tar.gz").findings
    assert findings
    flat = " ".join(text.split())
    for finding in findings[:3]:
        gain = f" (up to {finding.cycles:,} cycles)" if finding.cycles is not None else ""
        assert f"{finding.title}{gain}" in flat
        assert finding.advice in flat
