"""The page of host kernels, printed from their tables: ``python -m sima_compiler.a65.page > docs/host-kernels.md``.

In: the table of operators, measured errors, the library's header. Out: Markdown. Always: every operator appears.
"""

from __future__ import annotations

import sys

from sima_compiler.a65.source import header
from sima_compiler.a65.toolchain import INSTALL, SHARED, TARGET
from sima_compiler.ir.host import MOST_AXES, OPSET
from sima_compiler.ir.host_rules import elementwise, indexing, movement, products, rows
from sima_compiler.ir.host_rules.accuracy import ACCURACIES
from sima_compiler.ir.host_rules.table import HOST_RULES, REAL_ERROR

_OPENING = f"""# Host kernels

What the MLA cannot run goes to the Cortex-A65 as a *host segment*: operators of ONNX's operator set {OPSET} on tensors
of fixed shapes (at most {MOST_AXES} axes; float32, int64, int32, bool, uint8, int8), compiled to a `.so` of its own.
This page is printed from the tables that the compiler uses by `python -m sima_compiler.a65.page >
docs/host-kernels.md`; a test fails when the two differ.

Compiling such a network needs a cross compiler: `{INSTALL}`. Nothing else does: `simac simulate` runs what
the `.so` carries in numpy, and no network without a host segment asks for it.
"""

_NUMBERS = """## Numbers

Every kernel exists twice, in numpy (`sima_compiler/sim/host`) and in C (`sima_compiler/a65/kernels`), and both give the
same bits: a test runs the machine code of all of them under qemu and compares. Of a NaN only that it is one holds.

- Every operation on reals is one IEEE 754 operation, never fused, in an order that is written down.
- Sums (reductions, means, norms, products, convolutions, recurrent gates) are taken in float64, value after value in
  row-major order, and rounded to float32 once. Products of two float32 are exact there.
- `exp`, `log`, `tanh` and `erf` are polynomials of our own in float32, with no library behind them; `pow` works in
  float64.
- Integers wrap. Of equal values the first comes first.

Largest errors of the functions, in units in the last place of float32 (half of one is the best possible), over 200,000
values of the range:

| function | range | largest error |
|---|---|---|
"""

_DEFINED = """## What onnxruntime leaves to chance

Where ONNX says nothing and onnxruntime does what the processor or the shape happens to give, host kernels do this:

| operator | case | here |
|---|---|---|
| Cast | a real number that the integer type cannot hold | the nearest one; NaN is 0 |
| Div, Mod of integers | by 0 | 0; the operand |
| Gather and its like, ScatterND and its like | an index outside of the axis | the nearest place |
| Max, Min, Relu, Clip, reductions | NaN | NaN |
| ArgMax, ArgMin, TopK | NaN | above all numbers |
| TopK with sorted=0 | order | sorted |
| ReduceMax, ReduceMin, MaxPool | 0 and -0 | 0 |
| QuantizeLinear | NaN | the zero point |
| NonMaxSuppression | rows behind the last selected box | there is a fixed number of rows; these are -1 |
"""

_FORMS = """## Operators

*equal*: the values are onnxruntime's. Otherwise the largest difference as a share of the largest value in the tensor.

| operator | against onnxruntime |
|---|---|
"""


def page() -> str:
    """The whole page."""
    parts = [_OPENING, _operators(), _NUMBERS + _errors(), _DEFINED, _library()]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _operators() -> str:
    rooms = (elementwise, movement, indexing, rows, products)
    groups: dict[tuple[int, float], list[str]] = {}
    for number, room in enumerate(rooms):
        for op in room.RULES:
            groups.setdefault((number, HOST_RULES[op].error), []).append(op)
    lines = [f"| {', '.join(sorted(ops))} | {_error(error)} |" for (_, error), ops in sorted(groups.items())]
    return _FORMS + "\n".join(lines) + "\n"


def _error(error: float) -> str:
    return f"{error:.0e}".replace("e-0", "e-") if error else "equal"


def _errors() -> str:
    lines = [f"| {row.name} | {row.low:g} to {row.high:g} | {row.most:g} |" for row in ACCURACIES]
    return (
        "\n".join(lines)
        + f"\n\nAgainst onnxruntime no real result lies further off than {_error(REAL_ERROR)} of the tensor's range.\n"
    )


def _library() -> str:
    return f"""## The library

```c
{header("sima_host").strip()}
```

It needs no other library. Built with

```
python -m ziglang cc {" ".join(SHARED)} {" ".join(TARGET)} -fPIC -shared segment.c
```

the same segment gives the same bytes in any folder. The archive view shows the C that a library was built from.
"""


if __name__ == "__main__":
    sys.stdout.write(page())
