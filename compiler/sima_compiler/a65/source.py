"""The C of one host segment.

In: a `HostSegment`. Out: `Source`: the text of `segment.c` and the files that it includes. Always: the same segment
gives the same texts; everything that `segment.c` calls stands in the kernels' headers, which are shipped as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from importlib.resources import files

from sima_compiler.a65.lowering.site import C_TYPES, Code, Site, real
from sima_compiler.a65.lowering.table import LOWERINGS
from sima_compiler.a65.onnx_form import to_onnx_bytes
from sima_compiler.a65.plan import MemoryPlan, aligned, plan_memory
from sima_compiler.ir.host import Dtype, HostNode, HostSegment, HostTensor
from sima_compiler.ir.host_bytes import constant_places, to_bytes
from sima_compiler.ir.host_rules import coefficients
from sima_compiler.ir.host_rules.use import Value
from sima_compiler.ir.host_text import host_text
from sima_compiler.ir.verify_host import known_values, used
from sima_compiler.screen import printable

HEADERS = ("base", "elementwise", "functions", "movement", "products", "recurrent", "rows", "selecting", "sima_host")
SEGMENT_FILE, ONNX_FILE, C_FILE = "segment.bin", "segment.onnx", "segment.c"


@dataclass(frozen=True, slots=True)
class Source:
    """``files``: name -> bytes, `C_FILE` among them, all of one folder."""

    files: Mapping[str, bytes]

    @property
    def text(self) -> str:
        """The C of the segment."""
        return self.files[C_FILE].decode()


def source_of(segment: HostSegment) -> Source:
    """The files that the segment's library is built from.

    Raises:
        HostError: the segment is not sound.
    """
    data = to_bytes(segment)
    found = {f"{name}.h": header(name).encode() for name in HEADERS}
    found |= {SEGMENT_FILE: data, ONNX_FILE: to_onnx_bytes(segment), C_FILE: _text(segment, data).encode()}
    return Source(found)


def header(name: str) -> str:
    """One of the kernels' headers, with the coefficients of its functions."""
    text = files("sima_compiler.a65.kernels").joinpath(f"{name}.h").read_text("utf-8")
    for table in ("EXP", "LOG", "TANH", "ERF", "ERF_FAR"):
        text = text.replace(f"@{table}@", ", ".join(real(value) for value in getattr(coefficients, table)))
    return text


def _text(segment: HostSegment, data: bytes) -> str:
    values = known_values(segment)
    tensors = {name: HostTensor(name, value.shape, value.dtype) for name, value in values.items()}
    plan = plan_memory(segment, tensors)
    names = _names(segment, plan, tensors)
    codes = [_code(number, node, values, names) for number, node in enumerate(segment.nodes) if _runs(node, plan)]
    whole = reduce(lambda one, other: one + other, codes, Code())
    workspace = aligned(plan.bytes) + aligned(whole.scratch)
    parts = [
        *(f"// {_comment(line)}".rstrip() for line in host_text(segment).splitlines()),
        *(f'#include "{name}.h"' for name in HEADERS),
        "",
        *_embedded(segment, data, names),
        "",
        *sorted((whole.instances or {}).values()),
        "",
        *whole.tables,
        "",
        "const uint32_t sima_host_version = 1;",
        f"const uint64_t sima_host_workspace_bytes = {workspace};",
        "",
        "int sima_host_run(const void *const *inputs, void *const *outputs, void *workspace)",
        "{",
        *(f"    {line}" for line in _body(segment, plan, names, tensors, codes)),
        "    return 0;",
        "}",
    ]
    return "\n".join(parts) + "\n"


def _comment(text: str) -> str:
    """A name as it may stand in a line's comment: printable, and without what continues a line."""
    return printable(text).replace("\\", "/").encode("ascii", "replace").decode().replace("??/", "?? /")


def _runs(node: HostNode, plan: MemoryPlan) -> bool:
    return node.outputs[0] not in plan.views


def _names(segment: HostSegment, plan: MemoryPlan, tensors: Mapping[str, HostTensor]) -> dict[str, str]:
    """Tensor -> the C name of the pointer to it."""
    names = {tensor.name: f"in{number}" for number, tensor in enumerate(segment.inputs)}
    names |= {name: f"c{number}" for number, name in enumerate(sorted(segment.constants))}
    given = set(names)
    names |= {t.name: f"out{number}" for number, t in enumerate(segment.outputs) if t.name not in given}
    names |= {name: f"t{number}" for number, name in enumerate(plan.offsets)}
    names |= {view: names[source] for view, source in plan.views.items()}
    return names | dict.fromkeys(set(tensors) - set(names), "NULL")


def _code(number: int, node: HostNode, values: Mapping[str, Value], names: Mapping[str, str]) -> Code:
    site = Site(
        prefix=f"n{number}",
        use=used(node, values),
        operands=tuple(names[name] if name else "NULL" for name in node.inputs),
        results=tuple(names[name] if name else "NULL" for name in node.outputs),
        values=tuple(values[name] if name else Value((), Dtype.FLOAT32) for name in node.outputs),
    )
    found = LOWERINGS[node.op](site)
    title = _comment(f"{node.op} {node.source}".strip())
    return Code((f"// {title}", *found.calls), found.tables, found.instances, found.scratch)


def _embedded(segment: HostSegment, data: bytes, names: Mapping[str, str]) -> list[str]:
    """The segment, its ONNX form and this text as sections of their own; constants are places in the first."""
    lines = ["// Constants lie in the segment's own bytes, which the assembler takes from a file.", "__asm__("]
    for section, file in (("segment", SEGMENT_FILE), ("onnx", ONNX_FILE), ("source", C_FILE)):
        symbol = f"sima_host_{section}"
        lines += [
            f'    ".section .sima.{section}, \\"a\\"\\n.balign 64\\n"',
            f'    ".globl {symbol}\\n.type {symbol}, %object\\n{symbol}:\\n"',
            f'    ".incbin \\"{file}\\"\\n.size {symbol}, . - {symbol}\\n"',
        ]
    places = constant_places(segment, data)
    lines += [f'    ".set {names[name]}, sima_host_segment + {place}\\n"' for name, place in places.items()]
    lines.append('    ".text\\n");')
    for name in places:
        dtype = Dtype(segment.constants[name].dtype.name)
        hidden = '__attribute__((visibility("hidden")))'
        lines.append(f"extern const {C_TYPES[dtype]} {names[name]}[] {hidden}; // {_comment(name)}")
    return lines


def _body(
    segment: HostSegment,
    plan: MemoryPlan,
    names: Mapping[str, str],
    tensors: Mapping[str, HostTensor],
    codes: list[Code],
) -> list[str]:
    given = {tensor.name for tensor in segment.inputs} | set(segment.constants)
    calls = [line for code in codes for line in code.calls]
    # An input or a constant that leaves as it came.
    calls += [
        f"sima_copy(outputs[{number}], {names[tensor.name]}, {tensor.bytes});"
        for number, tensor in enumerate(segment.outputs)
        if tensor.name in given
    ]
    places = [(tensor, "const ", f"inputs[{number}]") for number, tensor in enumerate(segment.inputs)]
    places += [(t, "", f"outputs[{number}]") for number, t in enumerate(segment.outputs) if t.name not in given]
    places += [
        (tensors[name], "", f"({C_TYPES[tensors[name].dtype]} *)(base + {offset})")
        for name, offset in plan.offsets.items()
    ]
    read = {word for line in calls for word in re.findall(r"\w+", line.partition("//")[0])}
    return [
        "unsigned char *const base = workspace;",
        f"unsigned char *const scratch = base + {aligned(plan.bytes)};",
        *(_pointer(const, t, names[t.name], place) for t, const, place in places if names[t.name] in read),
        "(void)inputs, (void)outputs, (void)scratch;",
        "",
        *calls,
    ]


def _pointer(const: str, tensor: HostTensor, name: str, place: str) -> str:
    shape = "x".join(map(str, tensor.shape)) or "one"
    return f"{const}{C_TYPES[tensor.dtype]} *const {name} = {place}; // {_comment(tensor.name)}, {shape}"
