"""What somebody probably meant who named a file that is not there.

In: a path and which names would do. Out: a hint, or nothing. Only the folder that was named is looked at.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

#: Files that a hint names.
_MOST = 3


def meant(path: Path, would_do: Callable[[str], bool]) -> str:
    """``did you mean ...?`` with files of that folder, the nearest folder where the folder is not there, or "".

    A folder stands for what is in it, a pattern for what it matches; else names are close by their letters, or differ
    in their suffix alone.
    """
    folder = path if path.is_dir() else path.parent
    try:
        names = sorted(found.name for found in folder.iterdir() if would_do(found.name))
    except FileNotFoundError:
        return _nearest(folder)
    except OSError:
        return ""
    found = names if path.is_dir() else _close(path.name, names)
    return f"did you mean {' or '.join(str(folder / name) for name in found[:_MOST])}?" if found else ""


def _close(name: str, names: list[str]) -> list[str]:
    if any(letter in name for letter in "*?["):
        return [one for one in names if fnmatch(one, name)]
    by_letters = difflib.get_close_matches(name, names, 1)
    if by_letters:
        return by_letters
    stems = {one.partition(".")[0]: one for one in reversed(names)}
    return [stems[stem] for stem in difflib.get_close_matches(name.partition(".")[0], list(stems), 1, cutoff=0.8)]


def _nearest(folder: Path) -> str:
    there = next((parent for parent in folder.parents if parent.is_dir()), None)
    return f"there is no folder {folder}" + ("" if there is None else f"; the nearest that exists is {there.resolve()}")
