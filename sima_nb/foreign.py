"""Compiling with somebody else's object: anything with ``compile(output_path=..., batch_size=...)``.

In: such an object (the vendor's own ``Model`` among them) and the options of a compile. Out: the path of the archive
that it wrote, found by comparing the output folder before and after, so that one that returns nothing will do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sima_compiler import ModelError, OutputError, output_folder

ARCHIVE_PATTERN = "*_mpk.tar.gz"
_ALWAYS = frozenset({"output_path", "batch_size"})


@dataclass(frozen=True, slots=True)
class ForeignResult:
    """``path`` of the archive, what ``compile`` returned, and warnings about options that it does not take."""

    path: Path
    returned: Any
    warnings: tuple[str, ...]


def is_foreign_model(value: object) -> bool:
    """Whether ``value`` has a ``compile`` method to call."""
    return callable(getattr(value, "compile", None)) and not isinstance(value, type)


def compile_foreign(model: Any, keywords: Mapping[str, Any], defaults: Mapping[str, Any]) -> ForeignResult:
    """Call ``model.compile`` with the options that it takes and find the archive.

    ``keywords`` are the options; those that equal ``defaults`` are dropped silently when the object does not take them.

    Raises:
        OutputError: no archive appeared, or the folder neither exists nor can be made.
        Whatever ``model.compile`` raises passes through.
    """
    folder = Path(keywords["output_path"]).expanduser()
    accepted = accepted_keywords(model.compile, keywords)
    dropped = [name for name in keywords if name not in accepted and keywords[name] != defaults.get(name)]
    before = _snapshot(folder)
    with output_folder(folder):
        returned = model.compile(**accepted)
    path = _returned_path(returned) or _changed_archive(folder, before)
    if path is None:
        raise OutputError(
            f"{type(model).__name__}.compile wrote no {ARCHIVE_PATTERN} into {folder}",
            hint="look at what it printed, or open an existing archive with sima_nb.Summary.of(path)",
        )
    kind = type(model).__name__
    warnings = tuple(f"{kind}.compile does not take {name}: {keywords[name]!r} was ignored" for name in dropped)
    return ForeignResult(path, returned, warnings)


def accepted_keywords(function: Callable[..., object], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The part of ``keywords`` that ``function``'s signature takes; folder and batch size alone when it has none."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {name: value for name, value in keywords.items() if name in _ALWAYS}
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return dict(keywords)
    names = {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
    missing = sorted(_ALWAYS - names)
    if missing:
        raise ModelError(f"{function}: compile does not take {', '.join(missing)}", hint="wrap it in one that does")
    return {name: value for name, value in keywords.items() if name in names}


def _snapshot(folder: Path) -> dict[Path, tuple[int, int, int]]:
    found: dict[Path, tuple[int, int, int]] = {}
    for path in folder.glob(ARCHIVE_PATTERN) if folder.is_dir() else ():
        status = path.stat()
        found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def _changed_archive(folder: Path, before: Mapping[Path, tuple[int, int, int]]) -> Path | None:
    """The newest archive that is new or differs from before."""
    after = _snapshot(folder)
    changed = [path for path, status in after.items() if before.get(path) != status]
    return max(changed, key=lambda path: after[path][0], default=None)


def _returned_path(returned: Any) -> Path | None:
    """The path that a result object names, if that file exists."""
    named = returned if isinstance(returned, str | Path) else getattr(returned, "path", None)
    path = Path(named) if isinstance(named, str | Path) else None
    return path if path is not None and path.is_file() else None
