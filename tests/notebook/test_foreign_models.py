"""Other people's objects: anything with `compile(output_path=..., batch_size=...)` works with the magic."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sima_compiler import ModelError, OutputError
from sima_nb.foreign import accepted_keywords, compile_foreign
from tests.notebook.conftest import Notebook
from tests.support.archives import vendor_archive

DEFAULTS = {"output_path": ".", "batch_size": 1, "compress": True}


class VendorModel:
    """Compiles as the vendor's own class does: writes an archive and returns None."""

    def __init__(self, name: str = "vendor") -> None:
        self.name = name
        self.calls: list[dict[str, Any]] = []

    def compile(self, output_path: str, batch_size: int = 1, compress: bool = True) -> None:
        self.calls.append({"output_path": output_path, "batch_size": batch_size, "compress": compress})
        vendor_archive(Path(output_path), self.name)


def test_a_compile_that_returns_none_is_found_and_shown(notebook: Notebook, tmp_path: Path) -> None:
    model = VendorModel()
    notebook.shell.user_ns["sdk"] = model
    summary = notebook.run(f"%sima_compile sdk -o {tmp_path} --batch-size 4 --no-compress")
    assert model.calls == [{"output_path": str(tmp_path), "batch_size": 4, "compress": False}]
    assert Path(summary.path) == tmp_path / "vendor_mpk.tar.gz"
    assert (summary.desired_batch_size, summary.actual_batch_size) == (4, 3)
    assert summary.plugins == {"EV74": 1, "MLA": 1}
    assert [layer.name for layer in summary.layers] == ["MLA_0/conv2d_add_relu_0"]
    assert (summary.runtime_cycles, summary.compute_cycles) == (None, 100)
    assert len(notebook.bundles(with_html="data-sima-report")) == 1


def test_options_that_it_does_not_take_are_dropped_with_a_warning(notebook: Notebook, tmp_path: Path) -> None:
    notebook.shell.user_ns["sdk"] = VendorModel()
    summary = notebook.run(f"%sima_compile sdk -o {tmp_path} --quads 2 --machine tiny")
    assert len(summary.warnings) == 2
    assert all("VendorModel.compile does not take" in warning for warning in summary.warnings)
    assert any("quads" in warning and "2" in warning for warning in summary.warnings)


def test_older_archives_in_the_folder_are_not_taken_for_the_result(tmp_path: Path) -> None:
    other = vendor_archive(tmp_path, "another")
    os.utime(other, (2_000_000_000, 2_000_000_000))
    found = compile_foreign(VendorModel(), DEFAULTS | {"output_path": str(tmp_path)}, DEFAULTS)
    assert found.path.name == "vendor_mpk.tar.gz"


def test_an_archive_that_is_replaced_counts_as_written(tmp_path: Path) -> None:
    old = vendor_archive(tmp_path)
    os.utime(old, (1_000_000_000, 1_000_000_000))
    found = compile_foreign(VendorModel(), DEFAULTS | {"output_path": str(tmp_path)}, DEFAULTS)
    assert found.path == old


def test_a_compile_that_writes_nothing_is_an_error(notebook: Notebook, tmp_path: Path) -> None:
    vendor_archive(tmp_path)
    notebook.run("class Idle:\n    def compile(self, output_path, batch_size): return None\nidle = Idle()")
    error, lines = notebook.fail(f"%sima_compile idle -o {tmp_path}")
    assert isinstance(error, OutputError)
    assert "Idle" in lines[0]
    assert str(tmp_path) in lines[0]


def test_errors_of_the_object_itself_keep_their_traceback(notebook: Notebook, tmp_path: Path) -> None:
    notebook.run("class Broken:\n    def compile(self, output_path, batch_size): return 1 / 0\nbroken = Broken()")
    error, lines = notebook.fail(f"%sima_compile broken -o {tmp_path}")
    assert isinstance(error, ZeroDivisionError)
    assert any("compile" in line for line in lines)


def test_a_compile_with_free_keywords_gets_every_option() -> None:
    def compile_anything(**_: Any) -> None: ...

    keywords = DEFAULTS | {"quads": 2}
    assert accepted_keywords(compile_anything, keywords) == keywords


def test_a_compile_without_a_batch_size_is_refused(tmp_path: Path) -> None:
    class Other:
        def compile(self, optimizer: str) -> None: ...

    with pytest.raises(ModelError, match="batch_size"):
        compile_foreign(Other(), DEFAULTS | {"output_path": str(tmp_path)}, DEFAULTS)
