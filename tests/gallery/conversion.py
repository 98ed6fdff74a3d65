"""TFLite to ONNX by tf2onnx, in an environment of its own.

In: a .tflite file. Out: the .onnx file beside it. Why apart: tf2onnx reads TFLite through TensorFlow, half a gigabyte
that neither users nor the other tests of this project need.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.gallery.fetching import CACHE, UnreachableError

REQUIREMENTS = Path(__file__).parent / "requirements-tf2onnx.txt"


def converted(source: Path, cache: Path = CACHE) -> Path:
    """The ONNX form, made once.

    Raises:
        UnreachableError: tf2onnx cannot be installed. RuntimeError: it cannot convert the file.
    """
    target = source.with_suffix(".onnx")
    if not target.exists():
        python = _environment(cache / "tf2onnx")
        partial = target.with_suffix(".partial")
        command = [
            str(python),
            "-m",
            "tf2onnx.convert",
            "--opset",
            "13",
            "--tflite",
            str(source),
            "--output",
            str(partial),
        ]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if finished.returncode or not partial.exists():
            raise RuntimeError(f"tf2onnx cannot convert {source.name}: {finished.stderr.strip()[-300:]}")
        partial.rename(target)
    return target


def _environment(folder: Path) -> Path:
    """The interpreter of the environment; its stamp is written last, so that half an installation is made again."""
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text("utf-8") != REQUIREMENTS.read_text("utf-8"):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=300)
        command = [
            str(python),
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "--quiet",
            "-r",
            str(REQUIREMENTS),
        ]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        if finished.returncode:
            reason = (finished.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise UnreachableError(f"tf2onnx: {reason}")
        stamp.write_text(REQUIREMENTS.read_text("utf-8"), "utf-8")
    return python
