"""Files of onnxruntime's `quantize_static`: what the committed table says of them is so."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnxruntime.quantization import quantize_static

from tests.quantize_static.networks import NETWORKS
from tests.quantize_static.options import OPTIONS, Option
from tests.quantize_static.run import FORMS, PAGE, outcome


def table() -> dict[str, tuple[str, ...]]:
    """The cells of each row of the committed table, by option."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text("utf-8").splitlines() if line.count(" | ") == 2]
    return {label: tuple(cells) for label, *cells in rows}


def test_the_table_has_every_option_and_nothing_is_wrong() -> None:
    rows = table()
    assert [label for label in rows if label != "Option"] == [option.label for option in OPTIONS]
    for cells in list(rows.values())[1:]:
        for cell in cells:
            parts = [part.split(" ", 1) for part in cell.split(", ")]
            assert sum(int(count) for count, _ in parts) == len(NETWORKS)
            assert {verdict for _, verdict in parts} <= {"exact", "refused", "not written"}


def test_every_documented_option_is_tried() -> None:
    """The names that the documentation of `quantize_static` lists, each in a row's arguments or extra options."""
    lines = (quantize_static.__doc__ or "").split("extra_options:")[1].splitlines()
    named = [line[16:] for line in lines if line[:16].isspace() and line[16:17].isalpha() and " = " in line]
    documented = {line.split("=")[0].strip() for line in named}
    tried = {name for option in OPTIONS for name in option.extra}
    assert len(documented) > 20
    assert documented <= tried


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", range(len(OPTIONS)))
def test_one_network_of_each_row(tmp_path: Path, place: int, form: str) -> None:
    """The networks take turns, so that every option and every network is tried, in both forms."""
    option: Option = OPTIONS[place]
    name = list(NETWORKS)[place % len(NETWORKS)]
    found = outcome(option, form, name, tmp_path)
    cell = dict(zip(FORMS, table()[option.label], strict=True))[form]
    assert found.verdict in {part.split(" ", 1)[1] for part in cell.split(", ")}, found
    if found.verdict == "refused":
        assert all(reason.split(": ", 1)[1] for reason in found.reasons), found.reasons
