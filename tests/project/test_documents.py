"""What the documents state is true of the tree: links, commands, folders, and every number of the machine page."""

from __future__ import annotations

import ast
import contextlib
import re
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from sima_compiler.cli import main
from sima_compiler.ir.program import ArrayMapping
from sima_compiler.machine.cost import ArrayWork, array_cycles
from sima_compiler.machine.description import Machine

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "compiler" / "sima_compiler"
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "compiler").glob("*.md"),
        *ROOT.glob("notebooks/*.md"),
    ]
)


def prose(path: Path) -> str:
    """The document without its fenced code."""
    return re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Anchors as GitHub forms them from headings."""
    titles = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    broken: list[str] = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name) if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_command_that_is_mentioned_exists(document: Path) -> None:
    known = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    mentioned = set(re.findall(r"`make ([a-z]+)`", document.read_text("utf-8")))
    mentioned |= set(re.findall(r"^make ([a-z]+)$", document.read_text("utf-8"), re.MULTILINE))
    assert mentioned <= known


def test_the_readme_leads_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "make demo" in text
    assert "make test" in text


def test_the_architecture_has_a_paragraph_for_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rooms = {path.name for path in ENGINE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    missing = sorted(room for room in rooms - {"__init__.py", "__main__.py"} if f"`{room}" not in text)
    assert not missing, f"ARCHITECTURE.md says nothing about {missing}"


def test_the_architecture_names_every_stage() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    stages = {path.stem for path in (ENGINE / "stages").glob("*.py")} - {"__init__"}
    assert stages
    assert not sorted(stage for stage in stages if f"`{stage}`" not in text)


def test_every_file_that_a_document_names_exists() -> None:
    """Paths in backticks that start at one of our folders."""
    pattern = re.compile(r"`((?:compiler|sima_nb|tests|docs|notebooks|\.ci)/[\w./-]+)`")
    for document in DOCUMENTS:
        missing = [name for name in pattern.findall(document.read_text("utf-8")) if not (ROOT / name).exists()]
        assert not missing, f"{document.name}: {missing}"


def machine_rows() -> dict[str, tuple[str, str]]:
    """Field -> value and origin, from the table of the machine page."""
    text = (ROOT / "docs" / "machine-model.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|[^|]*\| (.+) \|$", text, re.MULTILINE)
    return {name: (value, origin) for name, value, origin in rows}


def test_the_machine_page_states_every_parameter_with_its_value_and_origin() -> None:
    chip = yaml.safe_load((ENGINE / "machine" / "specs" / "mlsoc.yaml").read_text("utf-8"))
    rows = machine_rows()
    numbers = set(chip) - {"name"}
    assert set(rows) == numbers >= {field.name for field in fields(Machine) if field.default is MISSING} - {"name"}
    assert {name: value for name, (value, _) in rows.items()} == {name: str(chip[name]) for name in numbers}
    assert all(re.match(r"(published|assumed|fitted): \S", origin) for _, origin in rows.values())


def test_the_machine_page_states_every_optional_field_with_its_default() -> None:
    text = (ROOT / "docs" / "machine-model.md").read_text("utf-8")
    stated = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|[^|]*\|$", text, re.MULTILINE))
    optional = {field.name: str(field.default) for field in fields(Machine) if field.default is not MISSING}
    assert stated == {name: value for name, value in optional.items() if name != "text"}


def test_the_machine_file_and_the_page_agree_on_what_is_published() -> None:
    text = (ENGINE / "machine" / "specs" / "mlsoc.yaml").read_text("utf-8")
    origins = dict(re.findall(r"^(\w+): \d+ +# (published|assumed|fitted):", text, re.MULTILINE))
    assert origins == {name: origin.split(":")[0] for name, (_, origin) in machine_rows().items()}


def test_the_worked_example_of_the_machine_page_is_what_the_cost_model_says() -> None:
    machine = Machine.load("mlsoc")
    cycles = array_cycles(ArrayWork(pixels=56 * 56, outputs=4, contraction=36), ArrayMapping(16, 4), machine)
    text = (ROOT / "docs" / "machine-model.md").read_text("utf-8")
    assert f"**{cycles:,} cycles**" in text
    peak = 56 * 56 * 64 * 64 * 9 / cycles / machine.macs_per_cycle(4)
    assert f"{peak:.1%}".replace("%", " %") in text
    assert f"{machine.macs_per_cycle(4):,} multiply-accumulates" in text
    assert f"{machine.macs_per_cycle(4) * 2 * machine.clock_mhz / 1e6:.1f} TOPS" in text


def fenced(document: Path, language: str) -> str:
    """All code blocks of a language, in lists as well."""
    blocks = re.findall(rf"^ *```{language}\n(.*?)^ *```", document.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return "\n".join(blocks)


def shown_commands() -> list[str]:
    lines = [line.strip() for path in DOCUMENTS for line in fenced(path, "sh").splitlines()]
    return sorted({line.split("#")[0].strip() for line in lines if line.startswith("simac ")})


@pytest.mark.parametrize("line", shown_commands())
def test_every_simac_line_that_is_shown_uses_options_that_exist(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, command, *words = line.split()
    with contextlib.suppress(SystemExit):
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert f"usage: simac {command}" in shown
    assert not [word for word in words if word.startswith("-") and not re.search(rf"(?<!\S){word}\b", shown)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_import_that_is_shown_works(document: Path) -> None:
    code = fenced(document, "python")
    if code:
        shown = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
        wanted = {(node.module, alias.name) for node in shown for alias in node.names}
        assert not [f"{module}.{name}" for module, name in wanted if not hasattr(import_module(str(module)), name)]
