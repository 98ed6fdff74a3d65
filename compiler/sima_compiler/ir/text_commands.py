"""Commands inside the text forms of tilings and schedules: one line each, every field that is not at rest.

In: a command, before or after it has its waits. Out: text without layer and wait. Always: fields are walked, not
listed, so a new one shows; what does nothing (a full clamp, no lookup, no parameters) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.layers import Window
from sima_compiler.ir.program import ArrayMapping, BinaryStep, Box, Command, Operand, Part, Wait, WayOut
from sima_compiler.ir.text_values import clamp_text, quant_text, shape_text, window_text

#: Fields that are numbers of something in a table, with the letter that the table's lines start with.
_REFERENCES = {
    "buffer": "b",
    "source_buffer": "b",
    "target_buffer": "b",
    "parameters": "b",
    "tensor": "t",
    "constants": "k",
}


def command_text(command: Command) -> str:
    """The command's kind and its fields, as ``load tensor: tensor t0, dram offset 0, ...``."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(command).__name__).lower()
    return f"{kind}: {', '.join(_fields(command))}"


def wait_text(wait: Wait) -> str:
    """What must be complete before, as `` after in 2, compute 1``; empty for a command that waits for nothing."""
    counts = (("in", wait.dma_in), ("out", wait.dma_out), ("compute", wait.compute))
    parts = [f"{engine} {count}" for engine, count in counts if count]
    return f" after {', '.join(parts)}" if parts else ""


def _fields(record: Any) -> Iterator[str]:
    for field in fields(record):
        value = getattr(record, field.name)
        at_rest = value is None or value is False or value in (Part.WHOLE, WayOut.PLAIN)
        if not at_rest and field.name not in {"layer", "wait"}:
            yield from _field(field.name, value)


def _field(name: str, value: Any) -> Iterator[str]:
    label = name.replace("_", " ")
    match value:
        case True:
            yield label
        case Operand():
            yield f"{label} {_operand(value)}"
        case Box():
            ends = f"dram {_strides(value.dram_strides)} chip {_strides(value.chip_strides)}"
            yield f"box {shape_text(value.sizes)} {ends}"
        case Window():
            yield window_text(value.kernel, value.strides, value.dilations, value.pads)
        case Quantization():
            yield f"{label} {quant_text(value)}"
        case ArrayMapping():
            yield f"tiles {value.pixels}x{value.outputs}x{value.contraction}{' folded' * value.folded}"
        case BinaryStep():
            yield f"{label} ({', '.join(_fields(value))})"
        case tuple():
            yield from clamp_text(value) if name == "clamp" else [f"{label} {_strides(value)}"]
        case _:
            yield f"{label} {_REFERENCES.get(name, '')}{value}"


def _operand(operand: Operand) -> str:
    sizes = shape_text((operand.samples, operand.rows, operand.columns, operand.channels))
    padding = f"+{operand.padding}" if operand.padding else ""
    strides = _strides((operand.sample_stride, operand.row_stride, operand.pixel_stride))
    return f"b{operand.buffer}+{operand.offset} [{sizes}{padding} by {strides}]"


def _strides(strides: tuple[int, ...]) -> str:
    return "/".join(map(str, strides))
