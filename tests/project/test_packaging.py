"""What a user's `pip install` receives: the two packages, their data files, the command, and nothing of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "compiler" / "sima_compiler"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def names(wheel: zipfile.ZipFile) -> set[str]:
    return set(wheel.namelist())


#: Where a wheel keeps what goes to an environment's own folders, and the two things that we put there.
DATA = ".data/data/"
ENABLING = ".data/data/etc/jupyter/jupyter_server_config.d/sima_nb.json"
SHARED = ".data/data/share/jupyter/labextensions/sima-nb/"
EXTENSION = ROOT / "sima_nb" / "labextension"


def test_only_our_two_packages_are_installed(names: set[str]) -> None:
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name and DATA not in name}
    assert packages == {"sima_nb", "sima_compiler"}


def test_the_extension_is_shipped_where_jupyterlab_looks(names: set[str]) -> None:
    shipped = {name.split(SHARED)[1] for name in names if SHARED in name}
    built = {path.relative_to(EXTENSION).as_posix() for path in EXTENSION.rglob("*") if path.is_file()}
    assert shipped == built | {"install.json"}
    data = {name for name in names if DATA in name}
    assert [name for name in data if SHARED not in name] == [name for name in data if name.endswith(ENABLING)] != []


def test_no_test_is_shipped(names: set[str]) -> None:
    assert not [name for name in names if "test" in name.rsplit("/", 1)[-1] or "/tests/" in name or "conftest" in name]


def test_every_module_and_data_file_is_shipped(names: set[str]) -> None:
    expected = {
        path.relative_to(folder.parent).as_posix()
        for folder in (ENGINE, ROOT / "sima_nb")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and EXTENSION not in path.parents
    }
    assert {"sima_compiler/py.typed", "sima_compiler/machine/specs/mlsoc.yaml", "sima_nb/py.typed"} <= expected
    assert expected <= names


def test_jupyterlab_lists_the_extension_as_good(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """What the wheel brings, as `jupyter labextension list` judges it."""
    for name in wheel.namelist():
        _, found, inside = name.partition(SHARED)
        if found:
            path = tmp_path / "labextensions" / "sima-nb" / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wheel.read(name))
    environment = os.environ | {"JUPYTER_PATH": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    command = [sys.executable, "-c", "from jupyterlab.labextensions import main; main()", "list"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    (line,) = (line for line in (done.stdout + done.stderr).split("\n") if " sima-nb " in line)
    assert "enabled" in line
    assert "OK" in line


def test_jupyter_server_lists_the_extension_as_good(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """With nothing to enable by hand: what the wheel brings, as `jupyter server extension list` judges it."""
    wheel.extractall(tmp_path)
    (enabling,) = tmp_path.glob(f"*{ENABLING}")
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(enabling.parents[1]),
        "PYTHONPATH": str(tmp_path),
    }
    command = [sys.executable, "-m", "jupyter_server.extension.serverextension", "list"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    lines = (done.stdout + done.stderr).splitlines()
    assert any("sima_nb" in line and "enabled" in line for line in lines)
    assert any("sima_nb" in line and "OK" in line for line in lines)


def test_the_package_is_imported_without_jupyter_server(tmp_path: Path) -> None:
    """Only Jupyter Server itself needs it: the engine, the magics and the widgets do not."""
    code = (
        "import sys\nimport sima_nb, sima_nb.magics, sima_nb.widgets.stats\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('jupyter_server', 'tornado')]"
    )
    run_python(code, tmp_path)


def test_starting_jupyter_server_loads_nothing_heavy(tmp_path: Path) -> None:
    """Every start of every server would pay for it; the reader is loaded with the first file that is opened."""
    code = (
        "import sys\nimport sima_nb\nsima_nb._jupyter_server_extension_points()\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('numpy', 'onnx', 'IPython')]"
    )
    run_python(code, tmp_path)


def run_python(code: str, folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr


def test_metadata_states_python_licence_and_extras(wheel: zipfile.ZipFile, names: set[str]) -> None:
    (path,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    found = Parser().parsestr(wheel.read(path).decode("utf-8"))
    assert found["Name"] == "sima-nb"
    assert found["Requires-Python"] == ">=3.11"
    assert found["License-Expression"] == "Apache-2.0"
    assert set(found.get_all("Provides-Extra") or []) == {"lab", "a65", "dask", "tables", "exact", "dev"}


#: Compilers whose next version would write other bytes of the same source.
PINNED = ("ziglang",)


def test_requirements_have_lower_bounds_and_no_upper_ones() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    wrong = [text for texts in lists for text in texts
             if ">=" not in text or "==" in text or ("<" in text and not text.startswith(PINNED))]  # fmt: skip
    assert not wrong


def test_simac_is_installed_as_a_command(wheel: zipfile.ZipFile, names: set[str]) -> None:
    (path,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
    assert "simac = sima_compiler.cli:main" in wheel.read(path).decode("utf-8")
    assert "sima_compiler/cli.py" in names or "sima_compiler/cli/__init__.py" in names
