"""Names out of files on a terminal: whatever a layer, a plugin or a file is called, it is text and steers nothing."""

from __future__ import annotations

import json
import logging
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sima_compiler import arguments
from sima_compiler.archive.mpk_document import MpkDocument
from sima_compiler.archive.tree import build_tree
from sima_compiler.cli import stats
from sima_compiler.cli.command import Output, Warnings
from sima_compiler.cli.layout import pairs, table
from sima_compiler.screen import printable, printable_lines
from tests.archive.archive_samples import document, header, tar_bytes, write_gz

NAMES = {
    "colour": ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    "clear screen": ("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
    "title": ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    "one byte escape": ("\x9b31m", r"\x9b31m"),
    "line break": ("layer\nFAKE  total 0", r"layer\nFAKE  total 0"),
    "carriage return": ("good\rbad", r"good\rbad"),
    "backspace": ("a\b\bxy", r"a\x08\x08xy"),
    "tab": ("a\tb", r"a\tb"),
    "nothing": ("a\0b", r"a\x00b"),
    "right to left": ("abc\u202egnp", r"abc\u202egnp"),
    "invisible": ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
    "line separator": ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
    "delete": ("a\x7f", r"a\x7f"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_every_character_without_a_glyph_is_written_out(kind: str) -> None:
    name, shown = NAMES[kind]
    assert printable(name) == shown
    assert printable_lines(name) == shown.replace(r"\n", "\n")


def test_no_character_of_unicode_escapes_and_ordinary_text_is_left_alone() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        hidden = unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert (printable(char) != char) == hidden
        assert not hidden or printable(char).isascii()
    for text in ("MLA_0/conv2d_add_relu_3", "Gefäß 模型 \N{ROCKET}", "a b  c", "a\\x1bb", ""):
        assert printable(text) == text


def hostile_archive(folder: Path, name: str) -> Path:
    described: dict[str, Any] = document()
    described["name"] = name
    for index, plugin in enumerate(described["plugins"]):
        plugin["name"] = f"{name}{index}"
    described["plugins"][0]["config_params"]["kernel"] = name
    described["plugins"][1]["resources"]["executable"] = name
    stats = f"1: {{name: {json.dumps(name)}, start_cycle: 0, end_cycle: 9, {json.dumps(name)}: 1}}\n"
    members = [("net_mpk.json", json.dumps(described).encode()), ("net_stage1_mla_stats.yaml", stats.encode())]
    return write_gz(folder, tar_bytes([(header(key), data) for key, data in members]))


@pytest.mark.parametrize("kind", NAMES)
def test_what_commands_print_holds_no_control_characters(simac, tmp_path: Path, kind: str) -> None:
    name, shown = NAMES[kind]
    path = hostile_archive(tmp_path, name)
    for words in (("inspect", path), ("stats", path), ("simulate", path), ("disassemble", path)):
        done = simac(*words)
        assert printable_lines(done.out) == done.out
        assert printable_lines(done.err) == done.err
    inspected, stats = simac("inspect", path).out, simac("stats", path).out
    assert all(f"{shown}{index}" in inspected for index in range(3))
    assert inspected.count(shown) >= 5
    assert shown in stats
    assert len(stats.splitlines()) == 3
    assert simac("stats", path, "--json").json["layers"][0]["name"] == name
    assert simac("stats", path, "--json").out.isascii()


@pytest.mark.parametrize("kind", ["colour", "one byte escape", "right to left", "tab"])
def test_file_names_and_wrong_words_are_shown_as_text_too(simac, tmp_path: Path, kind: str) -> None:
    name, shown = NAMES[kind]
    for words in (
        ("inspect", tmp_path / name),
        ("compile", tmp_path / f"{name}.onnx"),
        (name,),
        ("stats", "x", f"--{name}"),
    ):
        done = simac(*words)
        assert done.code
        assert shown in done.err
        assert printable_lines(done.out + done.err) == done.out + done.err
    described = hostile_archive(tmp_path, name)
    renamed = described.rename(tmp_path / f"{name}.tar.gz")
    assert shown in simac("inspect", renamed).out.splitlines()[0]


def test_whatever_a_command_returns_reaches_the_terminal_as_text(simac, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last gate: a command that forgets about names cannot print them as they are."""
    careless = replace(stats.COMMAND, run=lambda _: Output({"name": "\x1b[2J"}, "one\x1b[2J\ntwo\x9b\r\u202e"))
    monkeypatch.setattr(stats, "COMMAND", careless)
    assert simac("stats", "x").out == "one\\x1b[2J\ntwo\\x9b\\r\\u202e\n"
    assert simac("stats", "x", "--json").out == '{"name": "\\u001b[2J"}\n'


@pytest.mark.parametrize("kind", ["colour", "line break", "right to left"])
def test_cells_trees_warnings_and_the_log_are_text(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    name, shown = NAMES[kind]
    assert table(("a",), [(name,)]).splitlines()[1] == shown
    assert pairs([("a", name)]) == f"a  {shown}"
    assert shown in str(build_tree(name, [(name, 1, "other")])).splitlines()[1]
    Warnings()(name)
    with arguments.logging_from_arguments(arguments.argparse.Namespace(verbose=True)):
        logging.getLogger("sima_compiler").warning("reading %s", name)
    printed = capsys.readouterr().err
    assert printable_lines(printed) == printed


def test_errors_about_a_document_quote_its_names(tmp_path: Path) -> None:
    described = document()
    described["plugins"][0]["sequence"] = "\x1b[31m"
    with pytest.raises(Exception, match="x1b") as caught:
        MpkDocument.parse(json.dumps(described).encode())
    assert printable(str(caught.value)) == str(caught.value)
