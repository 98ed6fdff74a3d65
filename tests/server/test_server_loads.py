"""Large and hostile files, many clients, clients that leave: the server stays small and answers."""

from __future__ import annotations

import gzip
import http.client
import json
import subprocess
import tarfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Limits
from sima_nb.server.errors import ClientLeftError
from sima_nb.server.opening import OpenFiles
from sima_nb.server.pool import Cancellation
from tests.archive.archive_samples import document, header, plain_tar, tar_bytes, write_gz
from tests.server.conftest import head_of
from tests.support.archives import stats_text
from tests.support.jupyter_server import Server
from tests.support.small_models import write_small_model

MIB = 1 << 20
BLOCKS = 64


def test_a_hundred_clients_at_once(server: Server) -> None:
    """Each gets its own answer; the same file is opened once, and other requests are not held up."""
    paths = ["small_mpk.tar.gz", "vendor_mpk.tar.gz", "small_mla_stats.yaml", "nothing_mpk.tar.gz"]

    def ask(number: int) -> tuple[int, str]:
        answer = server.get("view", path=paths[number % 4])
        return answer.status, head_of(answer)["kind"] if answer.status == 200 else answer.error["type"]

    with ThreadPoolExecutor(100) as clients:
        found = list(clients.map(ask, range(100)))
    kinds = [(200, "archive"), (200, "archive"), (200, "stats"), (404, "PathError")]
    assert found == [kinds[number % 4] for number in range(100)]


HOSTILE = {
    "path upwards": ("PathTraversalError", plain_tar((header("../up"), b"x"))),
    "absolute": ("PathTraversalError", plain_tar((header("/etc/passwd"), b"x"))),
    "imitated slash": ("PathTraversalError", plain_tar((header("a\u2044b"), b"x"))),
    "link": ("InvalidArchiveError", plain_tar((header("odd", kind=tarfile.SYMTYPE), b""))),
    "device": ("InvalidArchiveError", plain_tar((header("odd", kind=tarfile.CHRTYPE), b""))),
    "twice": ("InvalidArchiveError", plain_tar((header("net_mpk.json"), b"{}"))),
    "duplicate keys": ("SchemaError", tar_bytes([(header("net_mpk.json"), b'{"a": 1, "a": 2}')])),
    "deep": ("SchemaError", tar_bytes([(header("net_mpk.json"), b"[" * 100_000)])),
    "no pipeline": ("InvalidArchiveError", tar_bytes([(header("readme.txt"), b"x")])),
    "not tar": ("InvalidArchiveError", b"no tar" * 1000),
    "too many": ("SizeLimitError", plain_tar(*((header(f"f{n}"), b"") for n in range(2100)))),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_are_refused_by_their_cause(server: Server, case: str) -> None:
    kind, data = HOSTILE[case]
    name = f"{case.replace(' ', '_')}_mpk.tar.gz"
    write_gz(server.folder, data, name)
    answer = server.get("view", path=name)
    assert (answer.status, answer.error["type"]) == (422, kind)
    assert answer.error["message"].startswith(name)


def test_bombs_and_damage_are_refused_without_memory(server: Server) -> None:
    (server.folder / "bomb_mpk.tar.gz").write_bytes(bomb_of(600))
    before = memory_of(server)["VmRSS"]
    answer = server.get("view", path="bomb_mpk.tar.gz")
    assert answer.status == 422
    assert answer.error["type"] == "SizeLimitError"
    whole = (server.folder / "small_mpk.tar.gz").read_bytes()
    for name, data in {
        "cut": whole[:-20],
        "prolonged": whole + b"x",
        "flipped": whole[:-6] + b"\0" + whole[-5:],
    }.items():
        (server.folder / f"{name}_mpk.tar.gz").write_bytes(data)
        assert server.get("view", path=f"{name}_mpk.tar.gz").error["type"] == "InvalidArchiveError"
    assert memory_of(server)["VmHWM"] - before < 100 * MIB


def bomb_of(mebibytes: int) -> bytes:
    """A tar file that begins well and goes on with zeros; a full flush forgets what was, so each MiB is alike."""
    start = tar_bytes([(header("net_mpk.json"), json.dumps(document()).encode())])[: 2 * 512]
    pack = zlib.compressobj(9, wbits=31)
    head = pack.compress(start) + pack.flush(zlib.Z_FULL_FLUSH)
    block = pack.compress(bytes(MIB)) + pack.flush(zlib.Z_FULL_FLUSH)
    return head + block * mebibytes + pack.flush()


@pytest.fixture(scope="module")
def large(server: Server) -> str:
    """An archive of 1 GB: one program out of the same 16 MiB again and again, each a gzip member of its own."""
    path = server.folder / "large_mpk.tar.gz"
    mpk = json.dumps(document("large_stage1_mla.lm")).encode()
    start = tar_bytes([(header("large_mpk.json"), mpk)])[: 512 + -(-len(mpk) // 512) * 512]
    program = header("large_stage1_mla.lm", BLOCKS * 16 * MIB).tobuf(tarfile.USTAR_FORMAT)
    block = np.zeros((256, 65536), np.uint8)
    block[:, :1200] = np.random.default_rng(1).integers(0, 256, (256, 1200))
    member = gzip.compress(block.tobytes(), 6, mtime=0)
    with path.open("wb") as file:
        file.write(gzip.compress(start + program, mtime=0))
        for _ in range(BLOCKS):
            file.write(member)
        file.write(gzip.compress(bytes(1024), mtime=0))
    return path.name


def test_the_tree_of_a_gigabyte_is_quick_and_small(server: Server, large: str) -> None:
    """At most twice what tar takes to list the same file, with less than 100 MB more in memory."""
    before = memory_of(server)["VmRSS"]
    started = time.monotonic()
    listed = subprocess.run(["tar", "tzf", str(server.folder / large)], capture_output=True, text=True, check=True)
    by_tar = time.monotonic() - started
    started = time.monotonic()
    files = server.get("tree", path=large).json["files"]
    ours = time.monotonic() - started
    assert [file["name"] for file in files] == listed.stdout.split()
    assert files[1]["bytes"] == BLOCKS * 16 * MIB
    print(ours, by_tar)
    assert ours <= 2 * by_tar + 0.1, (ours, by_tar)
    view = server.get("view", path=large)
    assert len(view.body) < MIB
    preview = server.get("member", path=large, member="large_stage1_mla.lm").json
    assert preview["kind"] == "refused"
    assert memory_of(server)["VmHWM"] - before < 100 * MIB


def test_work_ends_when_its_client_leaves(narrow: Server, server: Server, large: str) -> None:
    """One at work, one waiting, the others told so at once; when they hang up, the thread is free again."""
    (narrow.folder / large).hardlink_to(server.folder / large)
    started = time.monotonic()
    assert narrow.get("tree", path=large).status == 200
    whole = time.monotonic() - started
    (narrow.folder / large).touch()
    waiting = [asking(narrow, large) for _ in range(2)]
    started = time.monotonic()
    assert narrow.get("view", path=large).error["type"] == "BusyError"
    for connection in waiting:
        connection.close()
    while (answer := narrow.get("view", path="vendor_mpk.tar.gz")).status == 503:
        time.sleep(0.05)
    assert head_of(answer)["kind"] == "archive"
    assert time.monotonic() - started < whole / 2
    assert "Traceback" not in narrow.log.read_text("utf-8")


def test_checks_wait_in_a_queue_that_has_an_end(narrow: Server) -> None:
    """Each is a process: two at work, one that waits, and the next is told so at once."""
    write_small_model(narrow.folder)
    waiting = [asking(narrow, "small.onnx", "check") for _ in range(3)]
    assert narrow.get("check", path="small.onnx").error["type"] == "BusyError"
    for connection in waiting:
        assert connection.getresponse().status == 200
        connection.close()
    assert narrow.get("check", path="small.onnx").json["compiles"]


def asking(server: Server, path: str, end: str = "view") -> http.client.HTTPConnection:
    """A request that is on its way."""
    connection = server.connect()
    connection.request("GET", server.target(end, {"path": path}), headers=server.headers_of(None))
    time.sleep(0.2)
    return connection


def test_an_odd_spelling_of_statistics_is_left_when_its_client_leaves(tmp_path: Path) -> None:
    """YAML that no quick way reads takes seconds: nobody reads it to its end for one who left."""
    path = tmp_path / "odd_mla_stats.yaml"
    path.write_text(
        "".join(f"{n}: {{name: a{n}, start_cycle: {n}, end_cycle: {n}}}\n" for n in range(300_000)), "utf-8"
    )
    cancellation = Cancellation()
    timer = threading.Timer(0.3, cancellation.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(ClientLeftError):
        OpenFiles(1, Limits()).open(path, path.name, cancellation)
    assert time.monotonic() - started < 3
    timer.join()


def test_limits_are_settings(narrow: Server) -> None:
    (narrow.folder / "net_mla_stats.yaml").write_bytes(stats_text([f"MLA_0/conv_{n}" for n in range(99)]))
    (narrow.folder / "net_mpk.json").write_text('{"plugins": []}' + 5000 * " ", "utf-8")
    for path in ("net_mla_stats.yaml", "net_mpk.json"):
        assert narrow.get("view", path=path).error["type"] == "SizeLimitError"


def memory_of(server: Server) -> dict[str, int]:
    """Bytes in memory now (VmRSS) and at most so far (VmHWM)."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text("utf-8").splitlines()
    rows = (line.split() for line in lines if line.startswith(("VmRSS", "VmHWM")))
    return {name.rstrip(":"): int(kilobytes) * 1024 for name, kilobytes, _ in rows}
