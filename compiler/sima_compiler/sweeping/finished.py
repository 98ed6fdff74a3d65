"""What earlier runs of a sweep have finished: one JSON object per line, in a file that survives a kill.

In: rows, one at a time. Out: rows by key. Always: a line is on the disk before the next point counts as done; a last
line that was cut off is dropped, and written again by the run that computes it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path

from sima_compiler.errors import OutputError
from sima_compiler.view.sweep import COLUMNS, SweepRow

FILE_NAME = "sweep.jsonl"
_REQUIRED = {field.name for field in fields(SweepRow) if field.default is MISSING}


class Finished:
    """The file of finished rows in a folder; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        """Reads what is there.

        Raises:
            OutputError: the file cannot be read.
        """
        self._path = folder / FILE_NAME if folder else None
        self._ends_whole = True
        self.rows: Mapping[str, SweepRow] = self._read()

    def add(self, row: SweepRow) -> None:
        """Writes a row to the disk.

        Raises:
            OutputError: with the system's reason.
        """
        if self._path is None:
            return
        line = json.dumps(row.to_dict(), ensure_ascii=False)
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(("" if self._ends_whole else "\n") + line + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror or error}") from error
        self._ends_whole = True

    def _read(self) -> dict[str, SweepRow]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            text = self._path.read_text("utf-8", errors="replace")
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be read: {error.strerror or error}") from error
        self._ends_whole = not text or text.endswith("\n")
        return {row.key: row for line in text.split("\n") if (row := _row(line))}


def _row(line: str) -> SweepRow | None:
    """The row of a line; None for one that was cut off, or that another version wrote with other fields."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or not found.keys() >= _REQUIRED or not found.keys() <= set(COLUMNS):
        return None
    return SweepRow(**found)
