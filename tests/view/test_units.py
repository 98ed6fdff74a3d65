"""Numbers as people read them: committed cases that the browser's code is held to as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sima_compiler.view import units

CASES = json.loads((Path(__file__).parent / "units_cases.json").read_text("utf-8"))


@pytest.mark.parametrize(("name", "arguments", "text"), CASES, ids=[f"{c[0]}{c[1]}" for c in CASES])
def test_a_number_is_written_as_committed(name: str, arguments: list[float], text: Any) -> None:
    found = getattr(units, name)(*arguments)
    assert (list(found) if isinstance(found, tuple) else found) == text
