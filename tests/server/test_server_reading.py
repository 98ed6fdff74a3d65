"""What the viewers ask of the server: each kind of file, pages, comparisons, and every error in one form."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sima_compiler import Archive
from sima_compiler.view import MemberPreviews, compare_paths, page_html, to_binary, view_of_path
from tests.server.conftest import head_of
from tests.support.jupyter_server import Server


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("small_mpk.tar.gz", "archive"),
        ("inside_mpk.tar.gz", "archive"),
        ("vendor_mpk.tar.gz", "archive"),
        ("small_mla_stats.yaml", "stats"),
        ("small_mpk.json", "pipeline"),
        ("small.onnx", "model"),
        ("./small.onnx", "model"),
    ],
)
def test_each_kind_is_recognised(server: Server, path: str, kind: str) -> None:
    head = head_of(server.get("view", path=path))
    assert head["kind"] == kind
    assert head["identity"] == server.get("state", path=path).json["identity"]
    assert len(head["parts"]) == (kind != "model")


def test_a_view_is_the_one_of_the_notebook_but_for_its_path(server: Server) -> None:
    view = view_of_path(server.folder / "small_mpk.tar.gz")
    expected, columns = to_binary(view)
    answer = server.get("view", path="small_mpk.tar.gz")
    head = head_of(answer)
    (part,) = head["parts"]
    found = part["file"]
    assert found["view"].pop("path") == "small_mpk.tar.gz"
    expected["view"].pop("path")
    assert found == expected
    assert answer.body.endswith(columns)


def test_the_report_is_kept_as_the_page_that_simac_writes(server: Server) -> None:
    answer = server.get("page", path="small_mpk.tar.gz")
    assert (answer.status, answer.headers["Content-Disposition"]) == (200, "attachment")
    expected = page_html(replace(view_of_path(server.folder / "small_mpk.tar.gz"), path="small_mpk.tar.gz"))
    assert answer.body.decode() == expected
    assert server.get("page", path="notes.json").status == 400


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("notes.yaml", "YAML, but no MLA statistics"),
        ("notes.json", "a JSON object with alpha, beta"),
        ("small_compile_report.json", "the compile report of an archive"),
        ("empty.json", "an empty file"),
        ("picture.tgz", "a PNG image"),
    ],
)
def test_what_is_not_ours_is_named(server: Server, path: str, says: str) -> None:
    head = head_of(server.get("view", path=path))
    assert head["kind"] == "other"
    assert head["parts"] == []
    assert says in head["sentence"]
    assert path in head["sentence"]


def test_the_tree_is_the_archives(server: Server) -> None:
    files = server.get("tree", path="small_mpk.tar.gz").json["files"]
    archive = Archive.open(server.folder / "small_mpk.tar.gz")
    assert files == [{"name": file.name, "bytes": file.bytes, "kind": str(file.kind)} for file in archive.files]
    assert server.get("tree", path="small_mla_stats.yaml").status == 400


def test_the_model_of_an_archive_is_found_by_its_name(server: Server) -> None:
    """Beside it or in the folder above; what no compile of this server wrote is otherwise nobody's."""
    (server.folder / "built").mkdir()
    (server.folder / "built" / "small_mpk (1).tar.gz").hardlink_to(server.folder / "small_mpk.tar.gz")
    for path in ("small_mpk.tar.gz", "built/small_mpk (1).tar.gz"):
        assert server.get("source", path=path).json == {"path": "small.onnx"}
    assert server.get("source", path="vendor_mpk.tar.gz").json == {"path": None}
    assert server.get("source", path="notes.json").status == 400
    assert server.get("source", path="nothing_mpk.tar.gz").status == 404


def test_members_come_in_pages_and_programs_disassembled(server: Server) -> None:
    previews = MemberPreviews(Archive.open(server.folder / "small_mpk.tar.gz"))
    for member, page, search in [
        ("small_stage1_mla.lm", 0, ""),
        ("small_stage1_mla.lm", 99, "load"),
        ("small_mpk.json", 0, "MLA"),
    ]:
        found = server.get("member", path="small_mpk.tar.gz", member=member, page=page, search=search)
        expected = previews.page(member, page, search).to_dict()
        assert found.json == {name: list(v) if isinstance(v, tuple) else v for name, v in expected.items()}
    for wrong in ("-1", "x", "1" * 30):
        assert server.get("member", path="small_mpk.tar.gz", member="small_mpk.json", page=wrong).status == 400
    missing = server.get("member", path="small_mpk.tar.gz", member="../small_mpk.json")
    assert (missing.status, missing.error["type"]) == (400, "ArchiveError")
    assert server.get("member", path="notes.json", member="x").status == 404


def test_two_files_are_compared(server: Server) -> None:
    before, after = "small_mpk.tar.gz", "vendor_mpk.tar.gz"
    head = head_of(server.get("comparison", before=before, after=after))
    expected = compare_paths(server.folder / before, server.folder / after)
    assert head["compared"] == json.loads(json.dumps(expected.to_browser()))
    assert [part["file"]["view"]["path"] for part in head["parts"]] == [before, after]
    wrong = server.get("comparison", before=before, after="notes.json")
    assert wrong.status == 400
    assert "notes.json" in wrong.error["message"]


def test_members_are_extracted_beside_the_archive(server: Server) -> None:
    asked = {"path": "small_mpk.tar.gz", "members": ["small_mpk.json", "small_stage1_mla.lm"]}
    answer = server.post("extract", asked)
    assert answer.json["folder"] == "small"
    archive = Archive.open(server.folder / "small_mpk.tar.gz")
    for name in asked["members"]:
        assert (server.folder / "small" / name).read_bytes() == archive.read(name)
    again = server.post("extract", asked)
    assert (again.status, again.error["type"]) == (422, "OutputError")
    assert server.post("extract", {"path": "small_mpk.tar.gz", "members": []}).status == 400
    assert server.post("extract", {"path": 3, "members": ["x"]}).status == 400
    assert server.post("extract", {"path": "notes.json", "members": ["x"]}).status == 404


def test_a_changed_file_is_read_again(server: Server) -> None:
    path = server.folder / "changing_mla_stats.yaml"
    path.write_text("1:\n  name: MLA_0/a\n  start_cycle: 0\n  end_cycle: 9\n", "utf-8")
    first = head_of(server.get("view", path=path.name))
    path.write_text("1:\n  name: MLA_0/a\n  start_cycle: 0\n  end_cycle: 99\n", "utf-8")
    second = head_of(server.get("view", path=path.name))
    assert [head["parts"][0]["file"]["view"]["totals"]["cycles"] for head in (first, second)] == [10, 100]
    assert first["identity"] != second["identity"]
