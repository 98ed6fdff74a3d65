"""The engine imports, compiles and simulates where no notebook software is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

BLOCKER = """
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    NAMES = {"IPython", "ipywidgets", "ipykernel", "plotly", "anywidget", "traitlets", "comm", "sima_nb"}

    def find_spec(self, name, path=None, target=None):
        root = name.split(".")[0]
        if root in self.NAMES or root.startswith("jupyter"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""

COMPILE = """
import numpy as np
from onnx import TensorProto, helper, numpy_helper
from sima_compiler import Archive, quantize, simulate

rng = np.random.default_rng(0)
weights = numpy_helper.from_array(rng.normal(size=(8, 3, 3, 3)).astype(np.float32), "w")
node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])
result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 8, 8, 8])
graph = helper.make_graph([node], "one", [image], [result], [weights])
onnx_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
onnx_model.ir_version = 10
from pathlib import Path
path = Path(sys.argv[1]) / "one.onnx"
path.write_bytes(onnx_model.SerializeToString())
sample = rng.normal(size=(1, 3, 8, 8)).astype(np.float32)
model = quantize(str(path), [{"x": sample}])
built = model.compile(output_path=sys.argv[1], machine="tiny", quads=1)
run = simulate(Archive.open(built.path), {"x": sample})
assert np.array_equal(run.outputs["y"], model.execute({"x": sample})[0])
"""


def run_blocked(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = f"import sys; sys.path[:0] = [{str(ROOT / 'compiler')!r}]\n"
    command = [sys.executable, "-c", BLOCKER + paths + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_blocker_blocks() -> None:
    assert "No module named 'IPython'" in run_blocked("import IPython").stderr
    assert "No module named 'jupyterlab'" in run_blocked("import jupyterlab").stderr


def test_every_module_imports_without_notebook_packages() -> None:
    folder = ROOT / "compiler" / "sima_compiler"
    names = sorted(".".join(path.relative_to(folder.parent).with_suffix("").parts) for path in folder.rglob("*.py"))
    assert len(names) > 20
    wanted = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
    result = run_blocked(f"import importlib\nfor name in {wanted!r}: importlib.import_module(name)")
    assert result.returncode == 0, result.stderr


def test_it_compiles_and_simulates_without_notebook_packages(tmp_path: Path) -> None:
    result = run_blocked(COMPILE, str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert [path.name for path in tmp_path.glob("*_mpk.tar.gz")] == ["one_mpk.tar.gz"]


def test_importing_the_package_is_cheap() -> None:
    """`simac --help` and `%load_ext` must not wait for onnxruntime, sympy or plotly."""
    code = "import sima_compiler; print([n for n in ('onnxruntime', 'sympy') if n in sys.modules])"
    result = run_blocked(code)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr
