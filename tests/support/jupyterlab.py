"""A JupyterLab of the tests' own, and a notebook in it as a page of Chromium.

In: a folder. Out: `Lab` (server, its address, its folder of notebooks) and `NotebookPage`. Nothing of the machine's own
configuration, settings, workspaces or extensions is read, but for what the environment's packages bring; the built
extension of this checkout is what JupyterLab loads.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
from playwright.sync_api import Browser, Locator, Page

from tests.support.jupyter_server import enable

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "sima_nb" / "labextension"
#: Seconds for a server or a page to come up while other work runs on the same two cores.
PATIENCE = 90
#: What the applications complain of by themselves, with no output of ours on the page: Notebook 7.6 twice,
#: JupyterLab's debugger, which still asks a kernel that is being shut down, and its toolbars, which are laid out a
#: moment after they are shown, even if they have been closed by then.
NOT_OURS = (
    "reading 'schema'",
    "Command 'filebrowser:open-path' not registered",
    "Could not restore the debugger state: Canceled future for debug_request",
    "Cannot read properties of null (reading 'promise')",
)


@dataclass(frozen=True, slots=True)
class Lab:
    """A running server. ``folder`` holds the notebooks, which kernels start in."""

    address: str
    token: str
    folder: Path

    def write(self, name: str, cells: Sequence[str]) -> Path:
        """A notebook with these code cells and no outputs."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.folder / name
        nbformat.write(notebook, path)
        return path

    def save_settings(self, plugin: str, settings: Mapping[str, Any]) -> None:
        """What a user has set of a plugin; pages that are opened from now on begin with it."""
        request = urllib.request.Request(
            f"{self.address}/lab/api/settings/{quote(plugin, safe='@')}",
            data=json.dumps({"raw": json.dumps(settings)}).encode(),
            headers={"Authorization": f"token {self.token}"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=PATIENCE):
            pass

    def url(self, name: str, app: str = "lab") -> str:
        """Where a notebook opens: in JupyterLab, or in Notebook 7 with ``app="notebook"``."""
        place = f"lab/tree/{quote(name)}?reset&" if app == "lab" else f"notebooks/{quote(name)}?"
        return f"{self.address}/{place}token={self.token}"


@contextlib.contextmanager
def running_lab(folder: Path, python: str = "", base: str = "") -> Generator[Lab]:
    """A server that ends with the block, together with its kernels.

    ``python`` is another environment's, whose installed packages are used instead of this checkout; ``base`` is a path
    below which everything is served, as on a hub.
    """
    notebooks, token, port = folder / "notebooks", secrets.token_hex(16), _free_port()
    environment = _environment(folder, installed=bool(python))
    notebooks.mkdir()
    options = (
        *("--no-browser", "--allow-root", "--expose-app-in-browser", "--ip=127.0.0.1", f"--port={port}"),
        *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={notebooks}", f"--IdentityProvider.token={token}"),
        *("--JupyterNotebookApp.expose_app_in_browser=True", f"--ServerApp.base_url={base}/"),
    )
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [python or sys.executable, "-m", "jupyterlab", *options],
            env=environment,
            cwd=notebooks,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            lab = Lab(f"http://127.0.0.1:{port}{base}", token, notebooks)
            _wait_for(lab, server, folder / "server.log")
            yield lab
        finally:
            _end(server)


@dataclass(slots=True)
class NotebookPage:
    """A notebook that is open in Chromium. ``complaints`` are errors of the page and requests that left the server."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])

    @property
    def cells(self) -> Locator:
        """Every cell."""
        return self.page.locator(".jp-Notebook .jp-Cell")

    @property
    def outputs(self) -> Locator:
        """What cells show, in order."""
        return self.page.locator(".jp-Notebook .jp-OutputArea-output")

    def command(self, name: str, **arguments: Any) -> None:
        """Run one of the application's commands and wait for its end."""
        self.page.evaluate(
            "async ([name, given]) => { await window.jupyterapp.commands.execute(name, given) }", [name, arguments]
        )

    def wait_idle(self) -> None:
        """Wait until there is a kernel with nothing to do."""
        self.page.wait_for_function(f"() => {_SESSION}?.kernel?.status === 'idle'", timeout=1000 * PATIENCE)

    def run_all(self) -> None:
        """Run every cell and wait for the last; the first try may be dropped while the kernel comes up."""
        self.wait_idle()
        counts: list[int] = []
        for _ in range(20):
            self.command("notebook:run-all-cells")
            counts = self.page.evaluate(f"() => {_PANEL}.content.widgets.map(cell => cell.model.executionCount ?? 0)")
            if all(counts):
                return
            time.sleep(0.5)
        raise AssertionError(f"cells did not run: {counts}")

    def python(self, code: str) -> str:
        """Run code in the kernel beside the cells; returns what it printed, and fails where it does."""
        found = self.page.evaluate(
            """async code => {
              const kernel = SESSION.kernel;
              const future = kernel.requestExecute({ code, store_history: false, silent: false });
              let text = "";
              future.onIOPub = message => { text += message.content.text ?? ""; };
              const reply = await future.done;
              return { text, error: reply.content.status === "ok" ? "" : String(reply.content.evalue) };
            }""".replace("SESSION", _SESSION),
            code,
        )
        assert not found["error"], found["error"]
        return found["text"].strip()

    def save(self) -> None:
        """Write the notebook to its file."""
        self.command("docmanager:save")

    def restart(self) -> None:
        """Restart the kernel and wait for the new one."""
        self.page.evaluate(f"async () => {{ await {_SESSION}.kernel.restart() }}")
        self.wait_idle()

    def shut_down(self) -> None:
        """End the kernel: the notebook has none afterwards."""
        self.page.evaluate(f"async () => {{ await {_PANEL}.context.sessionContext.shutdown() }}")

    def reload(self) -> None:
        """Load the page again, as a person does."""
        self.page.reload()
        self.wait_open()

    def wait_open(self) -> None:
        """Wait for the notebook's first cell."""
        self.cells.first.wait_for(timeout=1000 * PATIENCE)


_PANEL = "window.jupyterapp.shell.currentWidget"
_SESSION = "window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.session"


@contextlib.contextmanager
def open_notebook(browser: Browser, lab: Lab, name: str, app: str = "lab") -> Generator[NotebookPage]:
    """A notebook as a page; the block ends with its kernel, and nothing may have complained by then."""
    complaints: list[str] = []
    with quiet_page(browser, lab, complaints) as page:
        notebook = NotebookPage(page, complaints)
        page.goto(lab.url(name, app))
        notebook.wait_open()
        yield notebook
        page.evaluate(f"async () => {{ await {_SESSION}?.shutdown?.() }}")


@contextlib.contextmanager
def quiet_page(browser: Browser, lab: Lab, complaints: list[str]) -> Generator[Page]:
    """A page with no cookies of others; when the block ends well, nothing may have complained."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("console", lambda message: _note(complaints, message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: _note(complaints, str(error)))
    page.on("request", lambda sent: _note_request(complaints, lab, sent.url))
    try:
        yield page
    finally:
        context.close()
    assert not complaints, "\n".join(complaints)[:4000]


def _note(complaints: list[str], text: str) -> None:
    if not any(known in text for known in NOT_OURS):
        complaints.append(text)


def _note_request(complaints: list[str], lab: Lab, url: str) -> None:
    inside = (lab.address, lab.address.replace("http", "ws"), "data:", "blob:")
    if not url.startswith(inside):
        complaints.append(f"a request left the page: {url}")


def _environment(folder: Path, *, installed: bool) -> dict[str, str]:
    """Folders of the test's own, and this checkout's extension in front of an installed one."""
    extensions = folder / "share" / "labextensions"
    extensions.mkdir(parents=True)
    if not installed:
        (extensions / "sima-nb").symlink_to(EXTENSION, target_is_directory=True)
        enable(folder / "config")
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    # Without this the page asks whether it may fetch news.
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet), "utf-8")
    return os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PATH": str(folder / "share"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": "" if installed else os.pathsep.join([str(ROOT), str(ROOT / "compiler")]),
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait_for(lab: Lab, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{lab.address}/api", timeout=5):
            return
        time.sleep(0.3)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """The server's own process group: its kernels go with it."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(10)
