"""Nothing is read without leave, and nothing that Jupyter itself would not show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.conftest import head_of
from tests.support.jupyter_server import Server, running_server

GOOD = "small_mpk.tar.gz"
READERS = {
    "view": {"path": GOOD},
    "state": {"path": GOOD},
    "tree": {"path": GOOD},
    "member": {"path": GOOD, "member": "small_mpk.json"},
    "comparison": {"before": GOOD, "after": GOOD},
    "source": {"path": GOOD},
    "page": {"path": GOOD},
}


@pytest.mark.parametrize("end", READERS)
@pytest.mark.parametrize("token", ["", "0" * 32], ids=["no token", "wrong token"])
def test_without_the_right_token_nothing_is_read(server: Server, end: str, token: str) -> None:
    assert server.get(end, **READERS[end]).status == 200
    refused = server.get(end, token=token, **READERS[end])
    assert (refused.status, refused.error["type"]) == (403, "Forbidden")


@pytest.mark.parametrize("token", ["", "0" * 32], ids=["no token", "wrong token"])
def test_without_the_right_token_nothing_is_written_or_started(server: Server, token: str) -> None:
    refused = server.post("extract", {"path": GOOD, "members": ["small_stage1_mla_stats.yaml"]}, token=token)
    assert (refused.status, refused.error["type"]) == (403, "Forbidden")
    assert not (server.folder / "small" / "small_stage1_mla_stats.yaml").exists()
    for end, query in {"check": {"path": "small.onnx"}, "jobs": {}, "jobs/abc": {}, "jobs/abc/log": {}}.items():
        assert server.get(end, token=token, **query).error["type"] == "Forbidden"
    assert server.post("jobs", {"path": "small.onnx"}, token=token).error["type"] == "Forbidden"
    assert server.get("jobs").json == {"jobs": []}


def test_a_cookie_alone_reads_but_does_not_write(server: Server) -> None:
    """A page of another site sends the user's cookies; it cannot send the word against forgery."""
    cookies = server.cookies()
    sent = {"Cookie": written(cookies)}
    assert server.send("GET", server.target("view", {"path": GOOD}), sent).status == 200
    body = b'{"path": "vendor_mpk.tar.gz", "members": ["vendor_mpk.json"]}'
    target = server.target("extract", {})
    word = cookies["_xsrf"]
    for without in ({}, {"X-XSRFToken": "0" * len(word)}):
        assert server.send("POST", target, sent | without, body).error["type"] == "Forbidden"
    assert not (server.folder / "vendor").exists()
    assert server.send("POST", target, sent | {"X-XSRFToken": word}, body).status == 200


def test_a_page_of_another_site_reads_nothing(server: Server) -> None:
    sent = {"Origin": "http://elsewhere.example", "Cookie": written(server.cookies())}
    assert server.send("GET", server.target("view", {"path": GOOD}), sent).status == 404


def written(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


OUTSIDE = {
    "absolute": "{root}/small_mpk.tar.gz",
    "absolute elsewhere": "{root}/../outside/secret_mpk.tar.gz",
    "up": "../outside/secret_mpk.tar.gz",
    "up in the middle": "small/../../outside/secret_mpk.tar.gz",
    "up and back": "elsewhere/../small_mpk.tar.gz",
    "link": "out_mpk.tar.gz",
    "through a link": "elsewhere/secret_mpk.tar.gz",
    "hidden": ".hidden_mpk.tar.gz",
    "link to hidden": "hiding_mpk.tar.gz",
    "missing": "nothing_mpk.tar.gz",
    "folder": "elsewhere",
    "null": "small_mpk.tar.gz\0",
    "empty": "",
    "long": "a/" * 3000,
    "long name": "a" * 300,
}


@pytest.mark.parametrize("case", OUTSIDE)
@pytest.mark.parametrize("end", READERS)
def test_nothing_else_is_served(server: Server, end: str, case: str) -> None:
    path = OUTSIDE[case].format(root=server.folder)
    wanted = {name: path if value == GOOD else value for name, value in READERS[end].items()}
    answer = server.get(end, **wanted)
    if end == "state" and answer.status == 200:
        assert answer.json == {"identity": None}
        return
    assert answer.status in {400, 404}
    assert answer.error["type"] in {"PathError", "RequestError"}
    if not path.startswith("/"):
        assert str(server.folder) not in answer.body.decode()


@pytest.mark.parametrize("case", [name for name in OUTSIDE if name != "folder"])
def test_nothing_is_written_elsewhere(server: Server, case: str) -> None:
    outside = server.folder.parent / "outside"
    before = sorted(path.name for path in outside.iterdir())
    path = OUTSIDE[case].format(root=server.folder)
    assert server.post("extract", {"path": path, "members": ["small_mpk.json"]}).status in {400, 404}
    assert sorted(path.name for path in outside.iterdir()) == before


def test_percent_signs_are_part_of_a_name(server: Server) -> None:
    """A path is decoded once: what a second decoding would make of it is another file's name."""
    assert server.get("view", path="%2e%2e/outside/secret_mpk.tar.gz").status == 404
    name = "50%25 net_mpk.tar.gz"
    (server.folder / name).write_bytes((server.folder / GOOD).read_bytes())
    assert head_of(server.get("view", path=name))["kind"] == "archive"


def test_other_addresses_and_ways_of_asking_are_errors_in_the_same_form(server: Server) -> None:
    assert server.get("nothing").error["type"] == "PathError"
    assert server.get("view").error["type"] == "RequestError"
    assert server.post("view", {}).error["type"] == "MethodNotAllowed"
    assert server.ask("POST", "extract", body=b"{").error["type"] == "HTTPError"
    assert server.ask("POST", "extract", body=b"[]").status == 400


def test_hidden_files_are_served_where_jupyter_shows_them(narrow: Server) -> None:
    (narrow.folder / ".net_mla_stats.yaml").write_text("1:\n  name: a\n  start_cycle: 0\n  end_cycle: 9\n", "utf-8")
    assert head_of(narrow.get("view", path=".net_mla_stats.yaml"))["kind"] == "stats"


KEEPING = """
from jupyter_server.services.contents.manager import ContentsManager
class Elsewhere(ContentsManager):
    def dir_exists(self, path): return path == ""
    def is_hidden(self, path): return False
"""


def test_a_contents_manager_without_a_folder_is_a_sentence(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "keeping.py").write_text(KEEPING, "utf-8")
    with running_server(tmp_path, "--ServerApp.contents_manager_class=keeping.Elsewhere") as server:
        answer = server.get("view", path="net_mpk.tar.gz")
        assert (answer.status, answer.error["type"]) == (501, "NotLocalError")
        assert "do not lie in a folder" in answer.error["message"]
