"""The committed documentation is what the declaration prints; the listing shows every command in a legal order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from sima_compiler.errors import LmError
from sima_compiler.ir.program import Engine, Program
from sima_compiler.lm import format as lm
from sima_compiler.lm.document import document
from sima_compiler.lm.listing import disassemble, merged
from sima_compiler.lm.writer import encode
from tests.lm.programs import programs

PAGE = Path(__file__).parents[2] / "compiler" / "LM_FORMAT.md"


def test_the_committed_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == document(), "run: python -m sima_compiler.lm.document > compiler/LM_FORMAT.md"


def test_every_record_of_the_declaration_is_documented_field_by_field() -> None:
    page = document()
    for record in (*lm.PARTS, *lm.TABLES, *(record for table in lm.OPCODES.values() for record in table.values())):
        section = page.split(f"### {record.name}\n")[1].split("\n### ")[0]
        for field in record.fields:
            assert f"| {field.name} | " in section
            assert field.doc in section


def test_the_listing_names_layers_waits_and_addresses(program: Program) -> None:
    text = disassemble(encode(program))
    assert text == disassemble(program)
    lines = [line for line in text.splitlines() if line.startswith("  compute[0]")]
    assert len(lines) == 1
    for part in ("MLA_0/layer_0", "convolve 3x3", "pads 1/1/1/1", "add b0@0x000000", "lookup", "after in 2"):
        assert part in lines[0]
    assert "load constants 'c0' (656 bytes) -> b2@0x000780" in text


@given(programs())
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_the_listing_shows_every_command_once_in_stream_order(program: Program) -> None:
    order = list(merged(program))
    for engine, stream in zip(Engine, (program.dma_in, program.dma_out, program.compute), strict=True):
        assert [command for one, _, command in order if one is engine] == list(stream)
    assert len(disassemble(program).splitlines()) > len(order)


def test_a_damaged_file_has_no_listing(program: Program) -> None:
    with pytest.raises(LmError):
        disassemble(encode(program)[:-1])
