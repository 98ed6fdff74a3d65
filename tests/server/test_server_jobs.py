"""Compiles as jobs of the server: the queue, progress, logs, cancelling, crashes, full disks, dead servers."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest

from sima_compiler import Archive, Model
from tests.support.jupyter_server import Server, running_server
from tests.support.small_models import small_float_model, write_small_model

#: Random samples that take a float model some seconds to be quantized with.
MANY_SAMPLES = 4000


@pytest.fixture(scope="module")
def works(fixture_dir: Path) -> Iterator[Server]:
    """A server for compiles alone."""
    folder = fixture_dir / "works"
    folder.mkdir()
    with running_server(folder, "--SimaNb.most_jobs=4") as server:
        fill(server.folder)
        yield server


def fill(folder: Path) -> None:
    write_small_model(folder)
    onnx.save(small_float_model(), folder / "float.onnx")
    Model.from_onnx(folder / "small.onnx").save("saved", folder)
    (folder / "broken.onnx").write_bytes(b"no model")
    (folder / "in the way").write_text("", "utf-8")


def submit(server: Server, path: str = "small.onnx", **options: Any) -> dict[str, Any]:
    answer = server.post("jobs", {"path": path, **options})
    assert answer.status == 201, answer.body
    return answer.json


def slow(server: Server, output: str = ".") -> dict[str, Any]:
    return submit(server, "float.onnx", calibration_random=MANY_SAMPLES, output_path=output)


def job_of(server: Server, job: dict[str, Any]) -> dict[str, Any]:
    return server.get(f"jobs/{job['id']}").json


def wait(server: Server, job: dict[str, Any], until: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    deadline, found = time.monotonic() + 60, job
    while time.monotonic() < deadline:
        found = job_of(server, job)
        if until(found):
            return found
        assert not ended(found), found
        time.sleep(0.05)
    raise AssertionError(f"it did not come to that: {found}")


def ended(job: dict[str, Any]) -> bool:
    return job["state"] not in {"queued", "running"}


def at_work(job: dict[str, Any]) -> bool:
    return job["state"] == "running" and bool(job["stages"])


def left_over(server: Server) -> list[str]:
    return [path.name for path in server.folder.rglob(".*") if path.name.startswith((".sima-nb", ".tmp"))]


def records(server: Server) -> list[dict[str, Any]]:
    folder = server.log.parent / "data" / "sima-nb" / "jobs"
    return [json.loads(path.read_text("utf-8")) for path in folder.glob("*/*.json")]


def processes_of(server: Server) -> list[int]:
    """Children that still run, by the record of the server."""
    pids = [record["pid"] for record in records(server) if record["pid"]]
    return [pid for pid in pids if "sima_nb.jobs.child" in command_of(pid)]


def command_of(pid: int) -> str:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        return "" if state == "Z" else Path(f"/proc/{pid}/cmdline").read_text("utf-8")
    except OSError:
        return ""


def test_a_model_is_checked(works: Server) -> None:
    good = works.get("check", path="small.onnx").json
    assert (good["compiles"], good["kind"], good["path"]) == (True, "quantized", "small.onnx")
    needs = works.get("check", path="float.onnx", input_shape="image=1x3x8x8").json
    assert needs["kind"] == "float"
    assert str(works.folder) not in json.dumps(needs)
    wrong = works.get("check", path="broken.onnx").json
    assert (wrong["compiles"], wrong["kind"]) == (False, "not readable")
    assert wrong["obstacles"]
    shape = works.get("check", path="small.onnx", input_shape="nonsense")
    assert (shape.status, shape.error["type"]) == (422, "OptionError")
    assert works.get("check", path="../x.onnx").status == 400
    assert works.get("check", path="nothing.onnx").status == 404


def test_a_check_ends_when_its_client_leaves(works: Server) -> None:
    connection = works.connect()
    connection.request("GET", works.target("check", {"path": "small.onnx"}), headers=works.headers_of(None))
    deadline = time.monotonic() + 20
    while not (found := children_of(works.process.pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found
    connection.close()
    while children_of(works.process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert children_of(works.process.pid) == []
    assert "Traceback" not in works.log.read_text("utf-8")


def children_of(parent: int) -> list[int]:
    """Processes of ours that ``parent`` has started and that still run."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if f"sima_nb.jobs.child\0{parent}\0" in command_of(pid)]


def test_a_job_is_what_simac_compile_gives(works: Server, tmp_path: Path) -> None:
    """The same bytes, whole, with options, in a folder that is made."""
    job = submit(works, "saved.sima", batch_size=3, compress=False, quads=2, output_path="made")
    done = wait(works, job, ended)
    assert done["state"] == "done", done
    assert done["result"]["path"] == "made/saved_mpk.tar.gz"
    assert done["result"]["actual_batch_size"] == 3
    assert done["stages"][0]["stage"] == "read"
    assert all(stage["done"] == stage["total"] for stage in done["stages"])
    expected = Model.load("saved", works.folder).compile(output_path=tmp_path, batch_size=3, compress=False, quads=2)
    assert (works.folder / "made" / "saved_mpk.tar.gz").read_bytes() == expected.path.read_bytes()
    assert works.get("source", path="made/saved_mpk.tar.gz").json == {"path": "saved.sima"}
    log = works.get(f"jobs/{job['id']}/log").json
    assert "sima_compiler" in log["text"]
    assert str(works.folder) not in log["text"]
    rest = works.get(f"jobs/{job['id']}/log", offset=log["offset"]).json
    assert rest == {"text": "", "offset": log["offset"]}
    assert left_over(works) == []


def test_a_float_model_needs_samples(works: Server) -> None:
    failed = wait(works, submit(works, "float.onnx"), ended)
    assert (failed["state"], failed["error"]["type"]) == ("failed", "ModelError")
    assert failed["error"]["message"].startswith("float.onnx")
    done = wait(works, submit(works, "float.onnx", calibration_random=2, name="floating"), ended)
    assert done["result"]["path"] == "floating_mpk.tar.gz"
    assert works.get("source", path="floating_mpk.tar.gz").json == {"path": "float.onnx"}
    assert any("random" in warning for warning in done["result"]["warnings"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "../small.onnx"},
        {"path": "nothing.onnx"},
        {"output_path": "a/b/c"},
        {"output_path": "../elsewhere"},
        {"output_path": "in the way"},
        {"calibration": "../samples.npz"},
        {"machine": "../machine.yaml"},
        {"machine": "/etc/passwd"},
        {"batch_size": "3"},
        {"batch_size": True},
        {"compress": 1},
        {"input_shape": "image=1"},
        {"name": "x" * 600},
    ],
    ids=str,
)
def test_wrong_requests_start_nothing(works: Server, wrong: dict[str, Any]) -> None:
    before = works.get("jobs").json
    answer = works.post("jobs", {"path": "small.onnx", **wrong})
    assert answer.status in {400, 404}
    assert answer.error["message"]
    assert works.get("jobs").json == before


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"batch_size": 0}, "OptionError"),
        ({"quads": 99}, "OptionError"),
        ({"machine": "nothing"}, "MachineError"),
        ({"name": "--html=x"}, None),
        ({"path": "broken.onnx"}, "ModelError"),
    ],
    ids=str,
)
def test_what_cannot_be_compiled_says_why(works: Server, options: dict[str, Any], kind: str | None) -> None:
    found = wait(works, submit(works, **options), ended)
    assert found["state"] == ("failed" if kind else "done"), found
    if kind:
        assert found["error"]["type"] == kind
        assert str(works.folder) not in json.dumps(found)
    assert left_over(works) == []


def test_jobs_queue_and_are_cancelled(works: Server) -> None:
    """One at a time; a waiting one is cancelled as well as a running one, and neither leaves a file or a process."""
    first, second, third = slow(works, "new"), slow(works), submit(works, output_path="third")
    wait(works, first, at_work)
    assert [job_of(works, job)["state"] for job in (second, third)] == ["queued", "queued"]
    fourth = submit(works, output_path="fourth")
    assert fourth["state"] == "queued"
    refused = works.post("jobs", {"path": "small.onnx"})
    assert (refused.status, refused.error["type"]) == (503, "BusyError")
    (pid,) = processes_of(works)
    for job in (second, first):
        assert works.delete(f"jobs/{job['id']}").status == 204
        assert wait(works, job, ended)["state"] == "cancelled"
    assert "sima_nb" not in command_of(pid)
    assert not (works.folder / "new").exists()
    assert [wait(works, job, ended)["state"] for job in (third, fourth)] == ["done", "done"]
    assert left_over(works) == []
    assert works.delete(f"jobs/{first['id']}").status == 204
    assert works.get(f"jobs/{first['id']}").status == 404
    assert works.get("jobs", path="float.onnx").json["jobs"][0]["id"] == second["id"]


def test_a_job_that_is_killed_hurts_no_other(works: Server) -> None:
    killed, other = slow(works), submit(works, output_path="other")
    wait(works, killed, at_work)
    (pid,) = processes_of(works)
    os.kill(pid, signal.SIGKILL)
    found = wait(works, killed, ended)
    assert (found["state"], found["error"]["type"]) == ("failed", "Crashed")
    assert "SIGKILL" in found["error"]["message"]
    assert wait(works, other, ended)["state"] == "done"
    assert left_over(works) == []


def test_a_full_disk_leaves_no_half_file(works: Server) -> None:
    """A disk of the smallest size that a limit on file sizes imitates: every write beyond 2 kB fails."""
    job = submit(works, "float.onnx", calibration_random=500, name="whole")
    wait(works, job, lambda found: processes_of(works))
    (pid,) = processes_of(works)
    import resource

    resource.prlimit(pid, resource.RLIMIT_FSIZE, (2000, 2000))
    found = wait(works, job, ended)
    assert found["state"] == "failed", found
    assert not (works.folder / "whole_mpk.tar.gz").exists()
    assert left_over(works) == []
    assert wait(works, submit(works, output_path="after"), ended)["state"] == "done"


def test_jobs_end_with_a_killed_server_and_are_listed_as_interrupted(tmp_path: Path) -> None:
    with running_server(tmp_path) as first:
        fill(first.folder)
        done = wait(first, submit(first), ended)
        running, waiting = slow(first, "new"), submit(first)
        wait(first, running, at_work)
        (pid,) = processes_of(first)
        first.kill()
        deadline = time.monotonic() + 10
        while command_of(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "sima_nb" not in command_of(pid), "a job outlived its server"
    with running_server(tmp_path) as second:
        states = {job["id"]: job["state"] for job in second.get("jobs").json["jobs"]}
        assert states == {done["id"]: "done", running["id"]: "interrupted", waiting["id"]: "interrupted"}
        assert left_over(second) == []
        assert not (second.folder / "new").exists()
        assert Archive.open(second.folder / "small_mpk.tar.gz")
        again = slow(second)
        wait(second, again, at_work)
        second.process.terminate()
        second.process.wait(20)
        assert {record["id"]: record["state"] for record in records(second)}[again["id"]] == "interrupted"
        assert left_over(second) == []
