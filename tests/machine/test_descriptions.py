"""Machine files: fields that may be absent, and every field's limits."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path

import pytest
import yaml

from sima_compiler import Machine, MachineError
from sima_compiler.machine.description import LIMITS

SHARED = Path(__file__).with_name("shared_port.yaml")
NUMBERS = [field for field in fields(Machine) if field.name not in ("name", "text")]
OPTIONAL = [field.name for field in NUMBERS if field.default is not MISSING]


def written(**changes: object) -> str:
    raw = yaml.safe_load(SHARED.read_text("utf-8"))
    return yaml.safe_dump({name: value for name, value in (raw | changes).items() if value is not None})


def test_every_number_has_limits_and_defaults_lie_within_them() -> None:
    assert set(LIMITS) == {field.name for field in NUMBERS}
    for field in NUMBERS:
        low, high = LIMITS[field.name]
        assert field.default is MISSING or low <= field.default <= high


def test_what_a_file_does_not_say_is_as_if_the_machine_had_none_of_it() -> None:
    bare = Machine.parse(written(**dict.fromkeys(OPTIONAL)))
    assert [getattr(bare, name) for name in OPTIONAL] == [0, 0, 0, 0, 0, 1, 1, 1, 1, 16, 0, 0]
    said = Machine.load(SHARED)
    assert [getattr(said, name) for name in OPTIONAL] == [0, 0, 40, 25_600, 96, 4, 2, 2, 1, 16, 0, 1]


@pytest.mark.parametrize("name", [field.name for field in NUMBERS if field.default is MISSING])
def test_every_other_field_is_demanded(name: str) -> None:
    with pytest.raises(MachineError, match=f"missing field {name}"):
        Machine.parse(written(**{name: None}))


@pytest.mark.parametrize("name", [field.name for field in NUMBERS])
def test_values_outside_the_limits_are_refused_with_the_limits(name: str) -> None:
    low, high = LIMITS[name]
    for bad in (low - 1, high + 1, -1 << 40, 1.5, "8", True, [8], {}):
        with pytest.raises(MachineError, match=f"{name} must be a whole number from {low} to {high}, found"):
            Machine.parse(written(**{name: bad}))


def test_a_misspelled_field_is_answered_with_the_allowed_ones() -> None:
    with pytest.raises(MachineError, match="unknown field sram_port_bytes") as caught:
        Machine.parse(written(sram_port_bytes=64))
    assert "sram_port_bytes_per_quad" in (caught.value.hint or "")


def test_a_vector_unit_that_outruns_the_array_is_refused() -> None:
    """The bounds count multiply-accumulates at the array's peak: nothing may do more of them in a cycle."""
    with pytest.raises(MachineError, match="depthwise_cells_per_step 33 must be at most 32") as caught:
        Machine.parse(written(depthwise_cells_per_step=33, depthwise_step_cycles=2))
    assert "fewer cells per step" in (caught.value.hint or "")
    assert Machine.parse(written(depthwise_cells_per_step=32, depthwise_step_cycles=2)).depthwise_cells_per_step == 32


@pytest.mark.parametrize(
    "text",
    [
        f"quads: {'7' * 5000}",
        f"quads: 0x{'f' * 5000}",
        f"quads: 0b{'1' * 20000}",
        "quads: 2026-99-99",
        "{[1, 2]: 3}",
        f"{'7' * 5000}: quads",
        f"0x{'f' * 5000}: quads",
        "[" * 2000,
        f"name: 0x{'f' * 5000}",
    ],
    ids=["decimal", "hexadecimal", "binary", "date", "list as key", "key", "hexadecimal key", "deep", "name"],
)
def test_a_value_that_python_cannot_hold_or_write_is_one_error(text: str) -> None:
    kept = "\n".join(line for line in written().splitlines() if not line.startswith(text.partition(":")[0]))
    for whole in (text, f"{kept}\n{text}"):
        with pytest.raises(MachineError) as caught:
            Machine.parse(whole, origin="edge.yaml")
        assert "edge.yaml" in caught.value.message
        assert len(caught.value.message) < 2000
