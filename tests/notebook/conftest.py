"""A real IPython shell inside the test process, and a small compiled model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from sima_compiler import Archive, Model
from tests.support.small_models import write_small_model


@dataclass(frozen=True, slots=True)
class Notebook:
    """Runs cells; keeps what they display and the errors that they show."""

    shell: InteractiveShell
    shown_errors: list[list[str]]

    def run(self, cell: str) -> Any:
        """Run a cell that must succeed; returns its value."""
        outcome = self.shell.run_cell(cell, store_history=True)
        outcome.raise_error()
        return outcome.result

    def fail(self, cell: str) -> tuple[BaseException, list[str]]:
        """Run a cell that must fail; returns the exception and the lines that a reader sees."""
        before = len(self.shown_errors)
        outcome = self.shell.run_cell(cell, store_history=True)
        error = outcome.error_in_exec
        assert error is not None, "the cell was expected to fail"
        return error, [line for lines in self.shown_errors[before:] for line in lines]

    @property
    def displays(self) -> list[dict[str, Any]]:
        """Everything that was published, in order."""
        publisher = self.shell.display_pub
        assert isinstance(publisher, CapturingDisplayPublisher)
        return publisher.outputs

    def bundles(self, *, with_html: str) -> list[dict[str, Any]]:
        """Published data whose HTML holds that text."""
        return [output["data"] for output in self.displays if with_html in output["data"].get("text/html", "")]


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config, colors="nocolor")
    shell.display_pub = CapturingDisplayPublisher(parent=shell)
    shown: list[list[str]] = []
    monkeypatch.setattr(shell, "_showtraceback", lambda _kind, _value, lines: shown.append(list(lines)))
    session = Notebook(shell, shown)
    session.run("%load_ext sima_nb")
    yield session
    InteractiveShell.clear_instance()


@pytest.fixture(scope="session")
def small_model(fixture_dir: Path) -> Path:
    """Path of a small quantized ONNX model."""
    folder = fixture_dir / "notebook"
    folder.mkdir(exist_ok=True)
    return write_small_model(folder)


@pytest.fixture(scope="session")
def small_archive(small_model: Path) -> Archive:
    """That model compiled for a batch of 3."""
    result = Model.from_onnx(small_model).compile(output_path=str(small_model.parent), batch_size=3)
    return Archive.open(result.path)
