"""The imports between our modules run in one direction; this walks every import statement and holds it to the table."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "compiler" / "sima_compiler"
NOTEBOOK = ROOT / "sima_nb"

BASE = {"errors", "obstacle", "screen", "version"}
RECORDS = BASE | {"folders", "files", "ir", "arithmetic", "realsums", "rowwise", "options", "progress"}
DEVICES = RECORDS | {"machine", "lm", "a65"}
PLANNING = DEVICES | {"stages", "sim"}
ABOUT_A_COMPILE = RECORDS | {"machine", "lm", "archive", "bounds", "negotiate", "pipeline"}
WHOLE = PLANNING | ABOUT_A_COMPILE | {"frontend", "reporting", "compilation", "simulation", "tessellation"}

#: Room (first name below `sima_compiler`) -> rooms that it may import besides itself. Order is data order.
MAY_IMPORT: dict[str, set[str]] = {
    "obstacle": set(),
    "errors": {"obstacle"},
    "version": set(),
    "screen": set(),
    "folders": {"errors"},
    "files": {"errors", "folders"},
    "progress": BASE,
    "options": BASE,
    "keywords": BASE | {"options"},
    "ir": BASE,
    "arithmetic": BASE | {"ir"},
    "realsums": BASE | {"ir", "arithmetic"},
    "rowwise": BASE | {"ir", "arithmetic"},
    "machine": RECORDS,
    "lm": RECORDS,
    "a65": RECORDS,
    "frontend": DEVICES,
    "stages": DEVICES,
    "sim": RECORDS | {"machine", "lm"},
    "archive": BASE | {"folders", "files", "ir", "lm", "machine", "sim"},
    "bounds": RECORDS | {"machine", "lm"},
    "pipeline": PLANNING,
    "negotiate": PLANNING | {"pipeline"},
    "agreement": PLANNING | {"pipeline", "negotiate"},
    "levers": PLANNING | {"pipeline", "negotiate", "agreement"},
    "reporting": ABOUT_A_COMPILE,
    "tessellation": BASE | {"ir", "options"},
    "building": ABOUT_A_COMPILE | {"a65", "agreement", "reporting", "tessellation"},
    "compilation": ABOUT_A_COMPILE | {"reporting", "levers", "agreement", "building"},
    "simulation": RECORDS | {"machine", "lm", "a65", "archive", "sim"},
    "checking": WHOLE | {"view"},
    "accuracy": WHOLE | {"view"},
    "model": WHOLE | {"keywords", "checking", "view", "accuracy"},
    "feeding": WHOLE | {"view"},
    "verification": WHOLE | {"feeding", "model", "view"},
    "exporting": WHOLE | {"model", "view"},
    "sweeping": WHOLE | {"model", "view"},
    "arguments": WHOLE | {"model"},
    "sources": WHOLE | {"model", "verification", "exporting", "view", "arguments"},
    "__init__": WHOLE | {"model", "sweeping", "arguments", "sources", "verification", "exporting", "view"},
    "view": BASE | {"archive", "files", "lm"},
    "cli": WHOLE | {"view", "model", "sweeping", "__init__", "arguments", "sources"},
    "demo": WHOLE | {"model", "__init__", "cli"},
    "__main__": {"cli"},
}
#: Only these import stages; the stages' own folder is ruled by `test_a_stage_never_imports_a_stage`.
STAGE_USERS = {"pipeline", "negotiate", "stages"}
#: Rooms of the tile stage, each of which sees those in front of it.
TILING_ROOMS = ("block", "maps", "cuts", "writing")
#: Packages that know ONNX -> where they may be imported: anywhere, or only inside functions.
ONNX_ANYWHERE = {"frontend", "demo"}
ONNX_INSIDE_FUNCTIONS = {"model", "cli", "sources", "a65"}
#: Modules whose ``__all__`` is what the notebook side may import.
PUBLIC = ("sima_compiler", "sima_compiler.view", "sima_compiler.cli")
NOTEBOOK_PACKAGES = {"IPython", "ipywidgets", "ipykernel", "plotly", "anywidget", "traitlets", "sima_nb"}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name: ``target`` is the dotted module, ``name`` what is taken from it ("" for the module)."""

    path: Path
    line: int
    target: str
    name: str
    at_top: bool

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def root(self) -> str:
        return self.target.split(".")[0]


def imports_of(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text("utf-8"), str(path))
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_for_types(node)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        at_top = id(node) not in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, alias.name, "", at_top)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(path, node.lineno, node.module or "", alias.name, at_top)


def _is_for_types(node: ast.AST) -> bool:
    """`if TYPE_CHECKING:`, whose imports never run."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def module_parts(path: Path) -> tuple[str, ...]:
    """Names below `sima_compiler`: ("stages", "tile") for stages/tile.py, ("stages",) for stages/__init__.py."""
    parts = path.relative_to(ENGINE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def room_of(path: Path) -> str:
    return module_parts(path)[0]


def target_parts(found: Import) -> tuple[str, ...]:
    """Names below `sima_compiler` of the imported module, whichever way the statement spells it."""
    parts = tuple(found.target.split("."))[1:]
    below = ENGINE.joinpath(*parts)
    if found.name and ((below / f"{found.name}.py").is_file() or (below / found.name).is_dir()):
        parts = (*parts, found.name)
    return parts or ("__init__",)


ENGINE_FILES = files(ENGINE)
ENGINE_IMPORTS = [found for path in ENGINE_FILES for found in imports_of(path)]
OWN_IMPORTS = [found for found in ENGINE_IMPORTS if found.root == "sima_compiler"]


def test_every_room_is_in_the_table() -> None:
    unknown = sorted({room_of(path) for path in ENGINE_FILES} - set(MAY_IMPORT))
    assert not unknown, (
        f"no room for {', '.join(unknown)}: decide what it may import and add a row to MAY_IMPORT in {__file__}, "
        "and a paragraph to ARCHITECTURE.md"
    )


def test_rooms_import_only_what_the_table_allows() -> None:
    wrong: list[str] = []
    for found in OWN_IMPORTS:
        source, target = room_of(found.path), target_parts(found)[0]
        if target != source and target not in MAY_IMPORT.get(source, set()):
            wrong.append(f"{found.place}: {source} must not import {target}")
    assert not wrong, "\n".join(wrong)


def test_the_table_has_no_cycle() -> None:
    done: set[str] = set()
    waiting = dict(MAY_IMPORT)
    while waiting:
        ready = [room for room, needs in waiting.items() if needs & set(MAY_IMPORT) <= done]
        assert ready, f"rooms that need each other: {sorted(waiting)}"
        done.update(ready)
        for room in ready:
            del waiting[room]


def test_imports_are_absolute() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in [*ENGINE_FILES, *files(NOTEBOOK)]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not wrong, f"relative imports: {wrong}"


def test_only_the_pipeline_and_the_negotiation_import_stages() -> None:
    wrong = [f.place for f in OWN_IMPORTS if target_parts(f)[0] == "stages" and room_of(f.path) not in STAGE_USERS]
    assert not wrong, f"stages are started by pipeline.py and negotiate.py alone: {wrong}"


def test_a_stage_never_imports_a_stage() -> None:
    """A stage is a file in stages/; a folder in stages/ holds helpers and belongs to the one stage that imports it."""
    owners: dict[str, set[str]] = {}
    wrong: list[str] = []
    for found in OWN_IMPORTS:
        source, target = module_parts(found.path), target_parts(found)
        if source[0] != "stages" or target[0] != "stages" or len(source) < 2 or len(target) < 2:
            continue
        own, other = source[1], target[1]
        if own == other:
            continue
        if (ENGINE / "stages" / other).is_dir():
            owners.setdefault(other, set()).add(own)
        else:
            wrong.append(f"{found.place}: {own} imports the stage {other}")
    shared = {helper: sorted(users) for helper, users in owners.items() if len(users) > 1}
    assert not wrong, "\n".join(wrong)
    assert not shared, f"helpers of more than one stage; move what they share to ir/ or machine/: {shared}"


def test_every_module_of_the_tile_stage_has_a_room() -> None:
    below = [module_parts(path)[2:] for path in ENGINE_FILES if module_parts(path)[:2] == ("stages", "tiling")]
    assert {parts[0] for parts in below if parts} == set(TILING_ROOMS)


def test_arrows_between_the_rooms_of_the_tile_stage_run_one_way() -> None:
    wrong: list[str] = []
    for found in OWN_IMPORTS:
        source, target = module_parts(found.path), target_parts(found)
        if len(source) < 3 or source[:2] != ("stages", "tiling") or target[:2] != ("stages", "tiling"):
            continue
        seen = TILING_ROOMS[: TILING_ROOMS.index(source[2]) + 1]
        if len(target) < 3 or target[2] not in seen:
            wrong.append(f"{found.place}: {source[2]} must not import {'.'.join(target)}")
        if not found.at_top:
            wrong.append(f"{found.place}: imports stand at the top, where a circle would show")
    assert not wrong, "\n".join(wrong)


def test_the_pass_over_constants_knows_nothing_of_the_reader() -> None:
    allowed = {("frontend", "constants"), ("frontend", "loading"), ("errors",)}
    wrong = [
        f"{found.place}: {'.'.join(target_parts(found))}"
        for found in OWN_IMPORTS
        if module_parts(found.path)[:2] == ("frontend", "constants") and target_parts(found)[:2] not in allowed
    ]
    assert not wrong, f"frontend/constants works on files alone: {wrong}"


def test_onnx_stays_in_the_frontend() -> None:
    wrong: list[str] = []
    for found in ENGINE_IMPORTS:
        room = room_of(found.path)
        if found.root not in {"onnx", "onnxruntime"} or room in ONNX_ANYWHERE:
            continue
        if room not in ONNX_INSIDE_FUNCTIONS or found.at_top:
            wrong.append(f"{found.place}: {room} must not import {found.target}" + " at its top" * found.at_top)
    assert not wrong, "\n".join(wrong)


def test_the_engine_knows_no_notebook() -> None:
    wrong = [
        f"{found.place}: {found.target}"
        for found in ENGINE_IMPORTS
        if found.root in NOTEBOOK_PACKAGES or found.root.startswith("jupyter")
    ]
    assert not wrong, f"the engine must run without any notebook package: {wrong}"


def test_the_engine_names_no_notebook_package_in_a_string() -> None:
    """`import_module("sima_nb")` is an import as well; only documentation may name the package."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}"
        for path in ENGINE_FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"sima_nb(\.\w+)*", node.value)
    ]
    assert not wrong, f"nothing in the engine imports upward by name: {wrong}"


@pytest.mark.parametrize("path", files(NOTEBOOK), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_notebook_side_sees_only_the_public_surface(path: Path) -> None:
    public = {name: _public_names(name) for name in PUBLIC}
    wrong = [
        f"{found.place}: {found.target} {found.name}".strip()
        for found in imports_of(path)
        if found.root == "sima_compiler" and (found.name or "") not in {"", *public.get(found.target, set())}
    ]
    assert not wrong, f"import from {' and '.join(PUBLIC)} only what their __all__ names: {wrong}"


def _public_names(module: str) -> set[str]:
    return {*importlib.import_module(module).__all__, "__version__"}
