"""Results of the long runs: one committed page, a section per run, each written again by its own run."""

from __future__ import annotations

import re
from pathlib import Path

RESULTS = Path(__file__).with_name("results.md")


def with_section(page: str, text: str) -> str:
    """``page`` with ``text``, a first heading and what belongs to it, in the place of the section so named."""
    heading = text.partition("\n")[0]
    parts = [part.strip() for part in re.split(r"(?m)^(?=# )", page) if part.strip()]
    kept = [text.strip() if part.partition("\n")[0] == heading else part for part in parts]
    if text.strip() not in kept:
        kept.append(text.strip())
    return "\n\n".join(kept) + "\n"


def write_section(text: str, path: Path = RESULTS) -> None:
    """The same on disk."""
    path.write_text(with_section(path.read_text("utf-8") if path.exists() else "", text), "utf-8")
