"""What a compile does not import: a small one would wait for that longer than for its own work."""

from __future__ import annotations

import subprocess
import sys

#: Of no use to ``simac compile MODEL --json``: the quantizer, the simulator, the reference, reports, their packages.
UNUSED = (
    *("onnxruntime", "jsonschema", "matplotlib", "IPython"),
    *("sima_compiler.frontend.quantize", "sima_compiler.frontend.calibration", "sima_compiler.frontend.export"),
    *("sima_compiler.sim", "sima_compiler.simulation", "sima_compiler.checking", "sima_compiler.levers"),
    *("sima_compiler.view.reading", "sima_compiler.view.page", "sima_compiler.view.html", "sima_compiler.view.advice"),
)


def test_a_compile_imports_neither_quantizer_nor_simulator_nor_reports() -> None:
    script = "import sys, sima_compiler.cli.compile, sima_compiler.model\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "sima_compiler.pipeline" in done.stdout.split()
    assert not set(UNUSED) & set(done.stdout.split())
