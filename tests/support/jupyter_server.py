"""A Jupyter Server of the tests' own with our extension in it, and a client that speaks to it as a browser does.

In: a folder. Out: `Server`: address, token, folder of contents, process. Nothing of the machine's own configuration is
read. The configuration file that enables the extension is the one that the wheel ships.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).parents[2]
ENABLING = ROOT / "labextension" / "server_config" / "sima_nb.json"
#: Seconds for a server to come up while other work runs on the same two cores.
PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply. ``error`` is the one form of errors."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, str]:
        found = self.json
        assert list(found) == ["error"], found
        assert set(found["error"]) == {"type", "message", "hint"}
        return found["error"]


@dataclass(slots=True)
class Server:
    """A running server. ``base`` is its base URL; ``folder`` is what it serves."""

    port: int
    token: str
    base: str
    folder: Path
    process: subprocess.Popen[bytes]
    log: Path
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def get(self, end: str, *, token: str | None = None, **query: Any) -> Answer:
        """``GET sima-nb/api/<end>`` with the right token, or another one; "" sends none."""
        return self.ask("GET", end, token=token, query=query)

    def post(self, end: str, body: Any, *, token: str | None = None) -> Answer:
        """``POST sima-nb/api/<end>`` with a JSON body."""
        return self.ask("POST", end, token=token, body=json.dumps(body).encode())

    def delete(self, end: str) -> Answer:
        """``DELETE sima-nb/api/<end>``."""
        return self.ask("DELETE", end)

    def ask(
        self,
        method: str,
        end: str,
        *,
        token: str | None = None,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        return self.send(method, self.target(end, query or {}), self.headers_of(token), body)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Any request, as it stands."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, target, body, dict(headers))
            reply = connection.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read())

    def cookies(self) -> dict[str, str]:
        """What a browser holds after logging in."""
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", f"{self.base}tree?token={self.token}")
            reply = connection.getresponse()
            reply.read()
            headers = reply.getheaders()
        pairs = [text.partition(";")[0].partition("=") for name, text in headers if name.lower() == "set-cookie"]
        return {name: value for name, _, value in pairs}

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def target(self, end: str, query: Mapping[str, Any]) -> str:
        return f"{self.base}sima-nb/api/{end}" + (f"?{urlencode(query)}" if query else "")

    def headers_of(self, token: str | None) -> dict[str, str]:
        word = self.token if token is None else token
        return self.headers | ({"Authorization": f"token {word}"} if word else {})

    def kill(self) -> None:
        """As the system does when memory runs out."""
        self.process.kill()
        self.process.wait(10)


@contextlib.contextmanager
def running_server(folder: Path, *options: str, base: str = "/", root: Path | None = None) -> Generator[Server]:
    """A server that ends with the block. ``options`` are more of its command line."""
    served = root or folder / "served"
    served.mkdir(exist_ok=True)
    token, port = secrets.token_hex(16), free_port()
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"),
        *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={served}", f"--IdentityProvider.token={token}"),
        *(f"--ServerApp.base_url={base}", *options),
    ]
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=server_environment(folder), cwd=served, stdout=out, stderr=out, start_new_session=True
        )
    try:
        server = Server(port, token, base, served, process, log)
        wait_for_server(f"http://127.0.0.1:{port}{base}", process, log)
        yield server
    finally:
        end_server(process)


def server_environment(folder: Path) -> dict[str, str]:
    """Folders of the tests' own, the extension enabled in them, and this checkout's packages."""
    enable(folder / "config")
    return os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")]),
    }


def enable(config: Path) -> None:
    """Put the file that the wheel ships into a folder of configuration."""
    enabled = config / "jupyter_server_config.d"
    enabled.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (enabled / ENABLING.name).symlink_to(ENABLING)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_server(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + PATIENCE
    host, _, base = address.removeprefix("http://").partition("/")
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            contextlib.closing(http.client.HTTPConnection(host, timeout=5)) as connection,
        ):
            connection.request("GET", f"/{base}api")
            connection.getresponse().read()
            return
        time.sleep(0.2)
    raise RuntimeError(f"the server did not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")


def end_server(process: subprocess.Popen[bytes]) -> None:
    """The server's own process group: whatever it started goes with it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
