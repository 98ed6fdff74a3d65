"""Files are written by `sima_compiler.files` alone: a write of another kind would be half there after a kill."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Calls that write, make or move files, wherever they are spelled.
WRITES = {"write_text", "write_bytes", "mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryDirectory", "rename"}
#: Module -> why it may: what each writes is of no use to anyone when its process is gone.
MAY = {
    "compiler/sima_compiler/cli/streams.py": "the null device",
    "compiler/sima_compiler/cli/simulate.py": "a member of a zip file that `write_whole` fills",
    "compiler/sima_compiler/frontend/ort_temporaries.py": "passes on what onnxruntime asks for",
    "sima_nb/jobs/process.py": "the log of a running job, which grows",
    "sima_nb/jobs/locks.py": "locks, which are empty",
    "compiler/sima_compiler/a65/native.py": "files for one run of the emulator, in a scratch folder",
    "compiler/sima_compiler/a65/toolchain.py": "sources for one run of the cross compiler, in a scratch folder",
    "compiler/sima_compiler/sweeping/executors.py": "networks for the processes of one sweep, in a folder of its own",
    "compiler/sima_compiler/sweeping/finished.py": "appends whole lines; one cut short is passed over when it is read",
    "sima_nb/jobs/child.py": "moves an archive that is whole",
}


def test_nothing_else_writes_files() -> None:
    wrong = {
        f"{name}:{line}: {what}"
        for folder in ("compiler/sima_compiler", "sima_nb")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in [str(path.relative_to(ROOT))]
        if name not in MAY and not name.startswith("compiler/sima_compiler/files/")
        for line, what in writes(path)
    }
    assert not wrong, f"write through sima_compiler.files.whole: {sorted(wrong)}"
    assert all(list(writes(ROOT / name)) for name in MAY), "an exception that is no longer needed"


def writes(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.value if isinstance(node.func, ast.Attribute) else None
        owner = called.id if isinstance(called, ast.Name) else ""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        values = [word.value for word in node.args if isinstance(word, ast.Constant)]
        opens = name == "open" and owner != "os" and any(_is_mode(value) for value in values)
        if name in WRITES or opens or (owner, name) in {("os", "replace"), ("os", "open")}:
            yield node.lineno, name


def _is_mode(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 3 and bool(set(value) & set("wxa+"))
