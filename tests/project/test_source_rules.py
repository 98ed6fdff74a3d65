"""Rules about the source text that no linter knows: sizes, chip numbers, stray paths, and who may print."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "compiler" / "sima_compiler"
LIBRARY = sorted(
    path for folder in (ENGINE, ROOT / "sima_nb") for path in folder.rglob("*.py") if "__pycache__" not in path.parts
)
MODULE_LINES = 400
FUNCTION_LINES = 60

#: "file" or "file:function" -> why it may be longer. Empty is the aim.
LONGER: dict[str, str] = {}
#: Modules that talk to a terminal.
PRINTERS = ("compiler/sima_compiler/cli", "compiler/sima_compiler/demo")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_modules_are_short_enough_to_read() -> None:
    sizes = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in LIBRARY}
    long = [f"{name}: {size} lines" for name, size in sizes.items() if size > MODULE_LINES and name not in LONGER]
    assert not long, f"over {MODULE_LINES} lines; split by idea: {long}"


def test_functions_are_short_enough_to_read() -> None:
    long = [
        f"{name_of(path)}:{function.lineno} {function.name}: {length} lines"
        for path in LIBRARY
        for function in functions(parse(path))
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
        and f"{name_of(path)}:{function.name}" not in LONGER
    ]
    assert not long, f"over {FUNCTION_LINES} lines: {long}"


def test_exceptions_from_the_size_limits_are_still_needed_and_have_reasons() -> None:
    for place, reason in LONGER.items():
        path, _, function = place.partition(":")
        assert len(reason) > 20, f"{place}: say why"
        tree = parse(ROOT / path)
        if function:
            sizes = [(f.end_lineno or 0) - f.lineno + 1 for f in functions(tree) if f.name == function]
            assert max(sizes, default=0) > FUNCTION_LINES, f"{place} no longer needs its exception"
        else:
            assert len((ROOT / path).read_text("utf-8").splitlines()) > MODULE_LINES, f"{place} no longer needs it"


def test_every_module_says_what_it_is_for() -> None:
    bare = [name_of(path) for path in LIBRARY if not (ast.get_docstring(parse(path)) or "").strip()]
    assert not bare, f"modules without a docstring: {bare}"


def test_only_the_command_line_and_the_demo_print() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in LIBRARY
        if not name_of(path).startswith(PRINTERS)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not wrong, f"the library never prints; use logging or return a value: {wrong}"


def chip_numbers() -> set[int]:
    """Memory sizes of the real machine and its peak: numbers that nobody writes by chance."""
    chip = yaml.safe_load((ENGINE / "machine" / "specs" / "mlsoc.yaml").read_text("utf-8"))
    sram, quads = chip["sram_bytes_per_quad"], chip["quads"]
    peak = chip["tiles_per_quad"] * chip["lanes"] ** 2
    return {sram, quads * sram, quads * peak}


def test_stages_hold_no_number_of_a_chip() -> None:
    names = {path.stem for path in (ENGINE / "machine" / "specs").glob("*.yaml")}
    forbidden = chip_numbers() | names
    assert {6553600, 16384, "mlsoc"} <= forbidden
    wrong = [
        f"{name_of(path)}:{node.lineno}: {node.value!r}"
        for path in [*sorted((ENGINE / "stages").rglob("*.py")), ENGINE / "pipeline.py", ENGINE / "negotiate.py"]
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant) and type(node.value) in {int, str} and node.value in forbidden
    ]
    assert not wrong, f"chip facts belong to machine/specs: {wrong}"


def tracked_texts() -> list[tuple[str, str]]:
    """Name and text of every tracked text file outside tests/ (all files where there is no git)."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        names = [name for name in listed.split("\0") if name]
    else:
        names = [name_of(path) for path in LIBRARY]
    texts: list[tuple[str, str]] = []
    for name in names:
        if name.startswith("tests/") or not (ROOT / name).is_file():
            continue
        try:
            texts.append((name, (ROOT / name).read_text("utf-8")))
        except UnicodeDecodeError:
            continue
    return texts


def test_no_path_or_host_of_one_machine_is_committed() -> None:
    pattern = re.compile(
        r"(?<![\w.*~-])/(?:work|root|tmp|home|opt)/|https?://[^\s/\"']*(?:pypi|registry|mirror|nexus|artifactory|localhost)"
    )
    wrong = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_path_rule_recognises_what_it_forbids() -> None:
    texts = tracked_texts()
    assert len(texts) > 20
    assert any(name == "pyproject.toml" for name, _ in texts)
