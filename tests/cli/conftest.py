"""Runs `simac` in the test process and in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sima_compiler import Model
from sima_compiler.cli import main
from tests.support.small_models import small_float_model, write_small_model


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        return json.loads(self.out)


@pytest.fixture
def simac(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs ``simac`` with the given words in this process."""

    def run(*words: str | Path) -> Outcome:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def simac_process() -> Callable[..., Outcome]:
    """Runs ``simac`` as a process, as a script would."""

    def run(*words: str | Path, cwd: Path | None = None) -> Outcome:
        command = [sys.executable, "-m", "sima_compiler", *map(str, words)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, cwd=cwd)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def samples(fixture_dir: Path) -> Path:
    """Folder with a quantized model, its float form, calibration data and a batch of inputs."""
    folder = fixture_dir / "cli"
    folder.mkdir(exist_ok=True)
    write_small_model(folder)
    onnx.save(small_float_model(), folder / "float.onnx")
    random = np.random.default_rng(3)
    np.savez(folder / "calibration.npz", image=random.standard_normal((4, 3, 8, 8), dtype=np.float32))
    np.savez(folder / "batch.npz", image=random.standard_normal((3, 3, 8, 8), dtype=np.float32))
    Model.from_onnx(folder / "small.onnx").save("small", str(folder))
    return folder


@pytest.fixture(scope="session")
def archive(samples: Path) -> Path:
    """The quantized model compiled for a batch of 3."""
    result = Model.from_onnx(samples / "small.onnx").compile(output_path=str(samples), batch_size=3)
    return result.path
