"""Running tests against a mutant, in a process forked from one that has imported the libraries.

In: a `Mutant` and what to run. Out: a `Verdict`. The mutated module is put in place by an import hook: no file is
touched. Our own packages are never imported before the fork.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest

from tests.long.mutate.drawing import ENGINE, Mutant
from tests.long.mutate.sites import mutated_source

KILLED, SURVIVED, HANGS, GONE = "killed", "survived", "hangs", "gone"
#: Address space of a run: a mutant may well ask for all memory there is.
MEMORY = 12 << 30


@dataclass(frozen=True, slots=True)
class Verdict:
    """``killer``: the first test that failed, or the signal; "hangs" counts as killed, "gone" is no such site."""

    status: str
    killer: str
    seconds: float


def judge(mutant: Mutant | None, tests: Sequence[str], limit: float, watching: Path | None = None) -> Verdict:
    """Run ``tests``, files or tests in order, until one fails; without a mutant they are run as they are."""
    source = None if mutant is None else mutated_source(mutant.source, mutant.name)
    if mutant is not None and source is None:
        return Verdict(GONE, "", 0.0)
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="mutant-"))
    child = os.fork()
    if not child:
        _run(mutant, source, tests, folder, watching)
    status = _waited(child, limit)
    seconds = round(time.monotonic() - started, 1)
    killer = (folder / "killer").read_text("utf-8") if (folder / "killer").exists() else ""
    said = (folder / "said").read_text("utf-8", "replace")
    shutil.rmtree(folder, ignore_errors=True)
    if status is None:
        return Verdict(HANGS, killer, seconds)
    code = os.waitstatus_to_exitcode(status)
    if code == pytest.ExitCode.OK:
        return Verdict(SURVIVED, "", seconds)
    if not killer and code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise RuntimeError(f"pytest did not run: {said}")
    return Verdict(KILLED, killer or f"exit code {code}", seconds)


def reach(file: str) -> dict[str, Any]:
    """A test file without any mutant, in which all must pass: its seconds, and per test seconds and what it calls.

    Functions of the engine are named ``module function``. What fixtures and helpers keep is called by the first test
    alone, so that a file counts as one that calls a function if any of its tests does.
    """
    folder = Path(tempfile.mkdtemp(prefix="mutant-"))
    verdict = judge(None, [file], 1800, watching=folder / "reach")
    if verdict.status != SURVIVED:
        raise RuntimeError(f"{file} fails without a mutant: {verdict.killer}")
    found = json.loads((folder / "reach").read_text("utf-8"))
    shutil.rmtree(folder, ignore_errors=True)
    return {"seconds": verdict.seconds, "tests": found}


def chosen(reached: dict[str, dict[str, Any]], mutant: Mutant) -> list[str]:
    """The tests that judge a mutant, of the files that call its function: those that do so themselves first."""
    function = f"{mutant.module} {mutant.function}"
    called = {name for found in reached.values() for _, names in found["tests"].values() for name in names}
    everywhere = function not in called
    first: list[tuple[float, str]] = []
    then: list[tuple[float, str]] = []
    for found in reached.values():
        if everywhere or any(function in names for _, names in found["tests"].values()):
            for test, (seconds, names) in found["tests"].items():
                (first if function in names else then).append((seconds, test))
    return [test for _, test in [*sorted(first), *sorted(then)]]


def prepare() -> None:
    """Import what every run needs and no test concerns."""
    import hypothesis
    import numpy as np
    import onnx
    import onnxruntime
    import yaml

    assert all((hypothesis, np, onnx, onnxruntime, yaml))
    assert not any(name.startswith("sima") for name in sys.modules)


def _waited(child: int, limit: float) -> int | None:
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        number, status = os.waitpid(child, os.WNOHANG)
        if number:
            return status
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _run(mutant: Mutant | None, source: str | None, tests: Sequence[str], folder: Path, watching: Path | None) -> None:
    code = 70
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT)
        os.dup2(said, 1)
        os.dup2(said, 2)
        if mutant is not None and source is not None:
            sys.meta_path.insert(0, _Finder(mutant.dotted, source))
        options = ("-x", "-q", "--tb=no", "-p", "no:cacheprovider", f"--basetemp={folder / 'tmp'}")
        files = dict.fromkeys(test.partition("::")[0] for test in tests)
        plugins: list[object] = [_First(folder / "killer"), _InOrder(tests)]
        plugins += [_Watching(watching)] if watching else []
        code = int(pytest.main([*options, *files], plugins=plugins))
    finally:
        os._exit(code)


class _First:
    """Notes the first test that failed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self._path.exists():
            self._path.write_text(report.nodeid, "utf-8")

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self._path.exists():
            self._path.write_text(report.nodeid, "utf-8")


class _InOrder:
    """Leaves the chosen tests, in their order; where only files are given, everything."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._places = {test: place for place, test in enumerate(tests) if "::" in test}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._places:
            items[:] = sorted(
                (item for item in items if item.nodeid in self._places), key=lambda item: self._places[item.nodeid]
            )


class _Watching:
    """Notes what every test calls, and how long it takes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, tuple[float, list[str]]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        seen: set[CodeType] = set()

        def note(frame: FrameType, _event: str, _value: object) -> None:
            seen.add(frame.f_code)

        started = time.monotonic()
        sys.setprofile(note)
        try:
            return (yield)
        finally:
            sys.setprofile(None)
            names = {name for name in map(_function, seen) if name}
            self._found[item.nodeid] = (round(time.monotonic() - started, 3), sorted(names))

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps(self._found), "utf-8")


def _function(code: CodeType) -> str:
    """``module function`` of a piece of the engine; what stands in a function counts as the function."""
    path = Path(code.co_filename)
    if not path.is_relative_to(ENGINE):
        return ""
    names = [name for name in code.co_qualname.split(".") if not name.startswith("<")]
    return f"{path.relative_to(ENGINE)} {'.'.join(names)}"


class _Finder(MetaPathFinder):
    """Gives one module another source."""

    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(fullname, spec.origin, self._source)
        return spec


class _Loader(SourceFileLoader):
    """The file's loader, but for what it holds; nothing is read from or written to a cache."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_data(self, path: str) -> bytes:
        if not str(path).endswith(".py"):
            raise OSError(path)
        return self._source.encode("utf-8")

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Write nothing."""


def load(path: Path) -> dict[str, Any]:
    """A JSON object, empty without a file: verdicts by mutant, reasons, seconds."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}
