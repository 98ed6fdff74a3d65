"""Whatever names an archive or statistics -> the opened file and its View.

In: a path, an `Archive`, an `MlaStats`, a `View`, or any result with an ``archive`` or a ``path``. Out: `Opened`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sima_compiler import Archive, MlaStats, OptionError
from sima_compiler.view import View, view_of, view_of_stats

_STATS = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class Opened:
    """``archive`` is None for statistics alone."""

    archive: Archive | None
    view: View


def opened(source: Any) -> Opened:
    """What ``source`` stands for.

    Raises:
        ArchiveError: the file cannot be read. OptionError: nothing that names one.
    """
    if isinstance(source, Opened):
        return source
    if isinstance(source, Archive):
        return Opened(source, view_of(source))
    if isinstance(source, MlaStats):
        return Opened(None, view_of_stats(source))
    if isinstance(source, View):
        return Opened(None, source)
    if isinstance(source, str | Path):
        return _of_path(Path(source).expanduser())
    return _of_result(source)


def opened_archive(source: Any) -> tuple[Archive, View]:
    """As `opened`, for views that read the archive again.

    Raises:
        OptionError: statistics alone.
    """
    found = opened(source)
    if found.archive is None:
        raise _statistics_alone(found.view)
    return found.archive, found.view


def negotiated(source: Any) -> View:
    """The View of something that says how its batch was negotiated.

    Raises:
        OptionError: statistics alone.
    """
    view = opened(source).view
    if view.kind != "archive":
        raise _statistics_alone(view)
    return view


def _statistics_alone(view: View) -> OptionError:
    return OptionError(
        f"{view.name}: statistics alone; this view needs the archive", hint="StatsExplorer shows statistics"
    )


def _of_result(source: Any) -> Opened:
    """A summary has a View with its own warnings, a compile's result an archive, another compiler's perhaps a path."""
    archive, view = getattr(source, "archive", None), getattr(source, "view", None)
    if isinstance(view, View):
        return Opened(archive if isinstance(archive, Archive) else None, view)
    for found in (archive, getattr(source, "path", None)):
        if isinstance(found, Archive | str | Path):
            return opened(found)
    raise OptionError(
        f"{type(source).__name__} names no archive and no statistics",
        hint="give a path, an Archive, an MlaStats, or what compile returned",
    )


def _of_path(path: Path) -> Opened:
    if path.suffix in _STATS:
        return Opened(None, view_of_stats(MlaStats.read(path), str(path)))
    archive = Archive.open(path)
    return Opened(archive, view_of(archive))
