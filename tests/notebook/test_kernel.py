"""The magic in a real kernel, over the wire: what a notebook sees when it is interrupted or meets an error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

Message = dict[str, Any]


class Kernel:
    """A running kernel; `execute` returns the reply and everything that was published."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def execute(self, code: str, watch: Callable[[Message], None] = lambda _: None) -> tuple[Message, list[Message]]:
        published: list[Message] = []

        def collect(message: Message) -> None:
            published.append(message)
            watch(message)

        reply = self.client.execute_interactive(code, timeout=60, output_hook=collect)
        return reply["content"], published


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "IPYTHONDIR": str(folder)}
    manager, client = start_new_kernel(env=environment, cwd=str(folder))
    session = Kernel(manager, client)
    assert session.execute("%load_ext sima_nb")[0]["status"] == "ok"
    yield session
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def errors_of(published: list[Message]) -> list[Message]:
    return [message["content"] for message in published if message["msg_type"] == "error"]


def test_an_error_is_shown_as_its_message_and_stops_run_all(kernel: Kernel) -> None:
    reply, published = kernel.execute("%sima_compile nowhere.onnx")
    (error,) = errors_of(published)
    assert error["ename"] == "ModelError"
    assert error["traceback"] == [
        "ModelError: nowhere.onnx: no such file",
        "hint: MODEL is a .sima or .onnx file",
    ]
    assert reply["status"] == "error"


def test_the_stop_button_gives_one_line(kernel: Kernel) -> None:
    code = (
        "import time\n"
        "class Slow:\n"
        "    def compile(self, output_path, batch_size):\n"
        "        print('started', flush=True)\n"
        "        time.sleep(60)\n"
        "slow = Slow()\n"
        "%sima_compile slow\n"
    )
    started = time.monotonic()

    def stop(message: Message) -> None:
        if message["msg_type"] == "stream" and "started" in message["content"]["text"]:
            kernel.manager.interrupt_kernel()

    reply, published = kernel.execute(code, stop)
    (error,) = errors_of(published)
    assert time.monotonic() - started < 30
    assert reply["status"] == "error"
    assert len(error["traceback"]) == 1
    assert "stopped" in error["traceback"][0]


def test_a_compile_publishes_progress_and_report(kernel: Kernel, small_model: Path, tmp_path: Path) -> None:
    reply, published = kernel.execute(f"r = %sima_compile {small_model} -o {tmp_path} --batch-size 2")
    assert reply["status"] == "ok", reply
    kinds = [message["msg_type"] for message in published if message["msg_type"] in {"display_data", "execute_result"}]
    assert kinds == ["display_data"] * 2
    assert any(message["msg_type"] == "update_display_data" for message in published)
    assert not errors_of(published)
