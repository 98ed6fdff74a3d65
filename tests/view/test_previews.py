"""Members as pages of text: every kind, searched, cut, guarded, and never larger than a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sima_compiler.a65 import build
from sima_compiler.archive.reader import Archive
from sima_compiler.errors import ArchiveError
from sima_compiler.ir.host import Dtype, HostNode, HostSegment, HostTensor
from sima_compiler.lm.listing import disassemble
from sima_compiler.view import previews
from sima_compiler.view.previews import LONGEST_LINE, PAGE_LINES, MemberPreviews
from tests.archive.archive_samples import document
from tests.support.archives import write_archive
from tests.support.elf_files import tiny_elf

SAMPLE = Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_mpk.tar.gz"


@pytest.fixture(scope="module")
def ours() -> MemberPreviews:
    return MemberPreviews(Archive.open(SAMPLE))


def desk(folder: Path, *members: tuple[str, bytes]) -> MemberPreviews:
    path = write_archive(folder / "net_mpk.tar.gz", {"net_mpk.json": json.dumps(document()).encode(), **dict(members)})
    return MemberPreviews(Archive.open(path))


def all_lines(pages: MemberPreviews, member: str) -> list[str]:
    first = pages.page(member)
    found = [line for number in range(first.pages) for line in pages.page(member, number).lines]
    assert pages.page(member, first.pages - 1).first_line + len(pages.page(member, first.pages - 1).lines) - 1 == len(
        found
    )
    return found


def test_a_listing_is_the_disassembly_page_by_page(ours: MemberPreviews) -> None:
    (name,) = ours.archive.lm_files
    assert ours.page(name).kind == "listing"
    assert all_lines(ours, name) == disassemble(ours.archive.read(name)).splitlines()


def test_json_is_indented_and_means_the_same(ours: MemberPreviews) -> None:
    (name,) = (file.name for file in ours.archive.files if file.name.endswith("_mpk.json"))
    assert ours.page(name).kind == "json"
    assert json.loads("\n".join(all_lines(ours, name))) == json.loads(ours.archive.read(name))


def test_yaml_is_shown_as_it_is(ours: MemberPreviews) -> None:
    (name,) = (file.name for file in ours.archive.files if file.name.endswith(".yaml"))
    assert ours.page(name).kind == "yaml"
    assert "\n".join(all_lines(ours, name)).encode() == ours.archive.read(name)


def test_hits_are_counted_in_the_whole_member_and_name_their_pages(tmp_path: Path) -> None:
    lines = [f"line {number}" + (" Needle" if number in (3, 250, 251, 999) else "") for number in range(1000)]
    found = desk(tmp_path, ("notes.txt", "\n".join(lines).encode())).page("notes.txt", 1, "nEEDLE")
    assert (found.hits, found.hit_pages) == (4, (0, 1, 4))
    assert found.lines == tuple(lines[PAGE_LINES : 2 * PAGE_LINES])
    assert (found.page, found.pages, found.first_line) == (1, 5, 201)


@pytest.mark.parametrize(("asked", "given"), [(-3, 0), (0, 0), (7, 1), (1, 1)])
def test_a_page_that_is_not_there_is_the_nearest_one(tmp_path: Path, asked: int, given: int) -> None:
    pages = desk(tmp_path, ("notes.txt", "\n".join("x" * PAGE_LINES * 2).encode()))
    assert pages.page("notes.txt", asked).page == given


def test_long_lines_are_cut_and_say_so(tmp_path: Path) -> None:
    (line,) = desk(tmp_path, ("notes.txt", b"y" * 5_000)).page("notes.txt").lines
    assert line == "y" * LONGEST_LINE + "… (3,000 more characters)"


def test_an_elf_file_is_its_symbols(tmp_path: Path) -> None:
    data = tiny_elf([(b"a65_run", 0x12, 1, 0x1000, 64), (b"expf", 0x10, 0, 0, 0)])
    found = desk(tmp_path, ("net_stage2_a65.so", data)).page("net_stage2_a65.so")
    assert found.kind == "symbols"
    assert found.lines[0] == "ELF file for AArch64, 2 symbols"
    assert found.lines[3].split() == ["1000", "64", "global", "function", "a65_run"]
    assert found.lines[4].endswith("expf  (from elsewhere)")


def test_a_host_library_shows_the_c_that_it_was_built_from(tmp_path: Path) -> None:
    tensor = HostTensor("x", (2, 3), Dtype.FLOAT32)
    node = HostNode("Softmax", ("x",), ("y",), {"axis": -1}, "head")
    library = build(HostSegment("tail", (tensor,), (replace(tensor, name="y"),), (node,), {}))
    lines = desk(tmp_path, ("net_stage2_a65.so", library)).page("net_stage2_a65.so").lines
    assert any(line.endswith("function     sima_host_run") for line in lines)
    assert "built from" in lines
    assert "    sima_softmax(in0, out0, 2, 3, 1, 0);" in lines


def test_other_binaries_are_their_first_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 400
    found = desk(tmp_path, ("blob.bin", data))
    page = found.page("blob.bin")
    assert page.kind == "hex"
    assert page.lines[4] == "00000040  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO"
    assert all_lines(found, "blob.bin")[-1] == "... 36.0 KiB more"


def test_what_is_damaged_is_refused_with_its_reason(tmp_path: Path) -> None:
    pages = desk(tmp_path, ("net_stage1_mla.lm", b"not an lm"), ("net_stage2_a65.so", b"\x7fELF\x02\x01" + bytes(200)))
    assert pages.page("net_stage1_mla.lm").kind == "refused"
    assert pages.page("net_stage1_mla.lm").lines[0]
    assert pages.page("net_stage2_a65.so").kind in {"refused", "symbols"}


@pytest.mark.parametrize("name", ["net_stage1_mla.lm", "notes.txt", "extra.json"])
def test_what_is_too_large_is_a_sentence_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(previews, "LARGEST_TEXT", 1000)
    monkeypatch.setattr(previews, "LARGEST_LISTING", 1000)
    found = desk(tmp_path, (name, b'{"a": 1}' + b" " * 5000)).page(name)
    assert found.kind == "refused"
    assert found.lines[0].startswith("4.9 KiB are more than the 1000 bytes")
    assert found.lines[1]


def test_text_that_is_no_json_is_shown_all_the_same(tmp_path: Path) -> None:
    assert desk(tmp_path, ("extra.json", b"{'a': 1")).page("extra.json").lines == ("{'a': 1",)


def test_a_member_that_is_not_there_is_an_error(ours: MemberPreviews) -> None:
    with pytest.raises(ArchiveError, match="nothing"):
        ours.page("nothing")


def test_only_the_last_few_members_are_kept(tmp_path: Path) -> None:
    names = [f"n{number}.txt" for number in range(6)]
    pages = desk(tmp_path, *((name, name.encode()) for name in names))
    for name in names:
        pages.page(name)
    assert list(pages._known) == names[-previews.KEPT_MEMBERS :]
