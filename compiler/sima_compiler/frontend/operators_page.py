"""The page of operators, printed from the rules: ``python -m sima_compiler.frontend.operators_page``.

In: the table of converters, the rules, and which rule each converter's code names, through whatever functions it calls.
Out: Markdown. Always: every operator that is read, every rule and every kind that is refused appears, so that the page
cannot drift from the code.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from sima_compiler.frontend import rules
from sima_compiler.frontend.float_inside import FLOAT_INSIDE
from sima_compiler.frontend.onnx_node import Rule
from sima_compiler.frontend.onnx_qdq import CONVERTERS
from sima_compiler.frontend.qoperator import LAYOUTS
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.refusals import KINDS

_PACKAGE = "sima_compiler.frontend"
#: What hands a converter its operands: methods called on these names belong to these classes.
_OBJECTS: Mapping[str, type] = {"reader": Reader}
#: Functions of one value: the rules on operands that the code they share names are not about them.
_ONE_OPERAND = frozenset({f"{_PACKAGE}.unary", f"{_PACKAGE}.limits"})
_OPERANDS = f"{_PACKAGE}.functions"
#: Rules that hold for every operator, and are said once.
EVERYWHERE = (rules.BATCH_FIRST, rules.QUANTIZED, rules.STATIC_SCALES, rules.PER_TENSOR, rules.KNOWN_OPERATOR)

_OPENING = """# Operators

What `simac` reads, and the rule that each operator is held to. This page is printed from the rules that the compiler
checks by `python -m sima_compiler.frontend.operators_page > docs/operators.md`; a test fails when the two differ.

`simac check MODEL` says which of these rules a model breaks, at which node, and what to do.

Files are QDQ models (QuantizeLinear and DequantizeLinear around each operator), models in onnxruntime's QOperator form,
and float models, which `simac quantize` turns into the former.
"""

_INSIDE = """Every operator equals onnxruntime on the user's file in every element, but for these: onnxruntime has
them in float32, and sums or evaluates functions in an order of its own. Given the same input, an element may lie one
step off where its value lies half-way between two steps, in no larger share of elements than stands here; tests hold
networks to it. What the simulator computes is always exactly what the reference says.

"""


def page() -> str:
    """The whole page."""
    parts = [_OPENING, _everywhere(), _operators(), _qoperators(), _float_inside(), _refused(), _other_rules()]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts if part)


def rules_of(converter: Callable[..., Any]) -> tuple[Rule, ...]:
    """The rules that a converter's code names, directly or through functions of the frontend, in the page's order."""
    named = set[int]()
    seen = set[Callable[..., Any]]()
    waiting: list[Callable[..., Any]] = [converter]
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        for found in _named(function):
            if isinstance(found, Rule):
                named.add(id(found))
            elif isinstance(found, FunctionType) and _is_entered(function.__module__, found.__module__):
                waiting.append(found)
    return tuple(rule for rule in all_rules().values() if id(rule) in named)


def _is_entered(source: str, target: str) -> bool:
    return target.startswith(_PACKAGE) and not (source in _ONE_OPERAND and target == _OPERANDS)


def all_rules() -> dict[str, Rule]:
    """Every rule by its name in `rules`, in the order in which they stand there."""
    return {name: value for name, value in vars(rules).items() if isinstance(value, Rule)}


def _named(function: Callable[..., Any]) -> Iterator[object]:
    """What the names in a function's code stand for."""
    module = sys.modules[function.__module__]
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Name):
            yield vars(module).get(node.id)
        elif isinstance(node, ast.Attribute):
            yield getattr(_owner(node.value, module), node.attr, None)


def _owner(node: ast.expr, module: ModuleType) -> object:
    """The module or class behind ``rules`` in ``rules.X`` and behind ``reader`` in ``reader.axis``."""
    if isinstance(node, ast.Attribute):
        return _OBJECTS.get(node.attr)
    if isinstance(node, ast.Name):
        known = vars(module).get(node.id)
        return known if isinstance(known, ModuleType) else _OBJECTS.get(node.id)
    return None


def _everywhere() -> str:
    return "## Rules for every operator\n\n" + "".join(f"- {rule.sentence}\n" for rule in EVERYWHERE)


def _operators() -> str:
    alike: dict[str, list[str]] = {}
    for name, converter in sorted(CONVERTERS.items()):
        alike.setdefault(_sentences(rules_of(converter)), []).append(f"`{name}`")
    rows = [(", ".join(names), sentences) for sentences, names in alike.items()]
    return "## Operators that are read\n\n" + _table(("operators", "rules beside those above"), rows)


def _sentences(found: Iterable[Rule]) -> str:
    return "<br>".join(rule.sentence for rule in found if rule not in EVERYWHERE) or "none"


def _qoperators() -> str:
    names = ", ".join(f"`{name}`" for name in sorted({*LAYOUTS, "QLinearConcat"}))
    return f"## QOperator form\n\nRead as the operator that each is the quantized form of: {names}.\n"


def _float_inside() -> str:
    """The committed list of what is not exact; nothing while it is empty."""
    if not FLOAT_INSIDE:
        return ""
    rows = [
        (f"`{op.value}`", f"onnxruntime {row.reason}", f"{row.share:g}", row.measured)
        for op, row in FLOAT_INSIDE.items()
    ]
    head = "## Operators that may differ by one step\n\n" + _INSIDE
    return head + _table(("operator", "why its order cannot be met", "largest share", "measured"), rows)


def _refused() -> str:
    rest = "let the network end in front of it and run the rest on the host; `simac check` gives the command"
    rows = [(", ".join(f"`{name}`" for name in sorted(kind.operators)), kind.what, kind.hint or rest) for kind in KINDS]
    return "## Operators that are refused by name\n\n" + _table(("operators", "what they are", "what to do"), rows)


def _other_rules() -> str:
    """Rules that no converter names: they are about graph, inputs and outputs."""
    used = {id(rule) for converter in CONVERTERS.values() for rule in rules_of(converter)}
    used |= {id(rule) for rule in EVERYWHERE}
    rest = [rule for rule in all_rules().values() if id(rule) not in used]
    if not rest:
        return ""
    return "## Rules for the whole file\n\n" + "".join(f"- {rule.sentence}\n" for rule in rest)


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = [tuple(columns)]
    lines = [*head, tuple("---" for _ in head[0]), *(tuple(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
