"""What every test shares: fixed randomness, golden files, tools that may be missing, and a folder for big fixtures.

A test that needs a program from outside (`@pytest.mark.needs_chromium`, or the fixture `chromium`, and the same for
qemu) is left out where that program is missing; the run ends with what was left out and the command that adds it. With
``SIMA_NB_REQUIRE_ALL=1`` in the environment, as in ``.ci/run``, anything left out fails the run.

`make test` runs two processes side by side; each takes whole files, and folders with costly fixtures whole, so that
every fixture is made once. What both may need is made once under `shared_dir`.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from xdist.remote import Producer
    from xdist.scheduler.loadscope import LoadScopeScheduling
    from xdist.workermanage import WorkerController

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("ci")

REQUIRE_ALL = "SIMA_NB_REQUIRE_ALL"
GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program from outside. ``name`` is the fixture, ``needs_<name>`` the mark."""

    name: str
    executables: tuple[str, ...]
    install: str

    def find(self) -> str | None:
        return next(filter(None, map(shutil.which, self.executables)), None)


TOOLS = (
    Tool("chromium", ("chromium", "chromium-browser", "google-chrome"), "apt-get install chromium"),
    Tool("qemu_aarch64", ("qemu-aarch64", "qemu-aarch64-static"), "apt-get install qemu-user"),
)
#: Folders whose tests share something costly (a Jupyter server, a browser's profile): they stay in one process. They
#: come first, and after them the folders that take longest, so that both processes end together.
TOGETHER = ("jupyterlab", "extension", "server", "labextension", "onnx_nodes")
LONGEST = ("endtoend", "lowering", "frontend", "spelling", "allocation")
_omitted = pytest.StashKey[dict[str, int]]()
_skipped = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing with them")


def pytest_configure(config: pytest.Config) -> None:
    # A run in the background of a shell starts with SIGINT ignored; tests of interruptions need what a terminal gives.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Set before any test module loads numpy or onnxruntime: two threads, the same on every machine.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "2")
    config.stash[_omitted] = {}
    config.stash[_skipped] = []
    config.pluginmanager.register(Durations(config.stash[_skipped]), "durations-by-area")
    for tool in TOOLS:
        config.addinivalue_line("markers", f"needs_{tool.name}: left out where {tool.executables[0]} is missing")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = [tool for tool in TOOLS if tool.find() is None]
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        tool = next((tool for tool in missing if _needs(item, tool)), None)
        if tool is None:
            kept.append(item)
        else:
            dropped.append(item)
            config.stash[_omitted][tool.name] = config.stash[_omitted].get(tool.name, 0) + 1
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    items[:] = sorted(kept, key=lambda item: _turn(item.nodeid))


def _area(nodeid: str) -> str:
    """The folder below tests/ that a test stands in."""
    parts = Path(nodeid.partition("::")[0]).parent.parts
    return "/".join(parts[1:2]) or "tests"


def _turn(nodeid: str) -> int:
    order = (*TOGETHER, *LONGEST)
    return order.index(_area(nodeid)) if _area(nodeid) in order else len(order)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class Whole(LoadScopeScheduling):
        """Gives a process whole files, or whole folders of `TOGETHER`."""

        def _split_scope(self, nodeid: str) -> str:
            return _area(nodeid) if _area(nodeid) in TOGETHER else nodeid.partition("::")[0]

    return Whole(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController, error: object | None) -> None:
    """One of several processes has ended: what it left out counts here."""
    del error
    found: dict[str, int] = getattr(node, "workeroutput", {}).get("omitted", {})
    for name, count in found.items():
        # Every process collects all tests, so each leaves out the same ones.
        node.config.stash[_omitted][name] = count


def _needs(item: pytest.Item, tool: Tool) -> bool:
    marked = item.get_closest_marker(f"needs_{tool.name}") is not None
    return marked or tool.name in getattr(item, "fixturenames", ())


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    stash = session.config.stash
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["omitted"] = stash[_omitted]  # pyright: ignore[reportAttributeAccessIssue]
        return
    if os.environ.get(REQUIRE_ALL) == "1" and exitstatus == 0 and (stash[_omitted] or stash[_skipped]):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


class Durations:
    """Seconds per folder of tests/, set-up included, in one line at the end of a run that took some; and what skipped.

    Reports of every process arrive here.
    """

    def __init__(self, skipped: list[str]) -> None:
        self.milliseconds: Counter[str] = Counter()
        self.skipped = skipped

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.milliseconds[_area(report.nodeid)] += round(1000 * report.duration)
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        areas = [f"{area} {spent / 1000:.0f}" for area, spent in self.milliseconds.most_common() if spent >= 1000]
        if areas:
            terminalreporter.write_line(f"seconds by area: {', '.join(areas)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for tool in TOOLS:
        count = config.stash[_omitted].get(tool.name, 0)
        if count:
            tests = "1 test" if count == 1 else f"{count} tests"
            reason = f"because {tool.executables[0]} is not installed; to add: {tool.install}"
            terminalreporter.write_line(f"left out: {tests}, {reason}", yellow=True)
    if os.environ.get(REQUIRE_ALL) == "1" and (config.stash[_omitted] or config.stash[_skipped]):
        terminalreporter.write_line(f"{REQUIRE_ALL}=1: something was left out or skipped, so the run fails", red=True)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium or Chrome executable; tests that ask for it are left out where there is none."""
    return _found("chromium")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """The run's one Chromium: a second one beside it is more than playwright's plain interface allows."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--js-flags=--expose-gc", "--enable-precise-memory-info"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def qemu_aarch64() -> str:
    """Path of qemu's user-mode emulator for 64-bit Arm."""
    return _found("qemu_aarch64")


def _found(name: str) -> str:
    path = next(tool for tool in TOOLS if tool.name == name).find()
    assert path is not None, f"{name} vanished between collection and run"
    return path


@pytest.fixture(scope="session")
def fixture_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tests of this process: make each thing once, under its own name."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def shared_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the whole run and all its processes: make each thing under its own lock (`tests/support/once`)."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "of_all"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Compare a text with ``tests/golden/<module>/<test>.txt``; ``--update-golden`` writes the file instead."""
    module = Path(str(request.node.path)).stem
    name = re.sub(r"[^\w.-]+", "_", request.node.name).strip("_")
    return Golden(GOLDEN / module / f"{name}.txt", update=bool(request.config.getoption("--update-golden")))


@dataclass(frozen=True, slots=True)
class Golden:
    """A committed text; calling it compares, or writes when ``update`` is set."""

    path: Path
    update: bool

    def __call__(self, text: str) -> None:
        text = text if text.endswith("\n") else f"{text}\n"
        if self.update:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(text, "utf-8")
            return
        expected = self.path.read_text("utf-8") if self.path.is_file() else ""
        if text != expected:
            where = os.path.relpath(self.path, Path.cwd())
            state = "differs" if expected else "does not exist yet"
            diff = difflib.unified_diff(
                expected.splitlines(), text.splitlines(), f"{where} (committed)", f"{where} (now)", lineterm=""
            )
            pytest.fail(
                "\n".join([f"golden text {state}; if the new text is right: pytest --update-golden", *diff]),
                pytrace=False,
            )
