"""Operator families and their colours (Okabe and Ito's palette, which colour-blind readers can tell apart).

In: a layer's or an operator's name. Out: a family; a family's colour and reading name. A name that fits no family is
``other``, so that layers of newer compilers still have a place.
"""

from __future__ import annotations

import re

BLUE, SKY, GREEN, ORANGE = "#0072B2", "#56B4E9", "#009E73", "#E69F00"
VERMILION, PURPLE, YELLOW, GREY = "#D55E00", "#CC79A7", "#F0E442", "#999999"

#: Family -> colour, in the order of legends.
FAMILY_COLOURS: dict[str, str] = {
    "convolution": BLUE,
    "depthwise": SKY,
    "dense": PURPLE,
    "pooling": GREEN,
    "elementwise": ORANGE,
    "activation": VERMILION,
    "data movement": YELLOW,
    "other": GREY,
}

#: Stall name -> colour; "compute" stands for the cycles that are no stall.
STALL_COLOURS: dict[str, str] = {
    "compute": BLUE,
    "weights": ORANGE,
    "input": SKY,
    "output": GREEN,
    "instruction": PURPLE,
    "dependency": VERMILION,
}

_PATTERNS: tuple[tuple[str, str], ...] = (
    ("depthwise", r"depthwise|dwconv"),
    ("convolution", r"conv"),
    ("dense", r"dense|matmul|gemm|einsum|fully"),
    ("pooling", r"pool|reduce|mean"),
    (
        "data movement",
        r"concat|slice|split|pad\b|pad_|transpose|reshape|resize|upsample|copy|move|tess|space|take|layout",
    ),
    ("activation", r"relu|sigmoid|tanh|swish|silu|gelu|lookup|lut|softmax|clip|exp|elu|requantize|activation"),
    ("elementwise", r"add|sub|mul|div|elementwise"),
)


def family(name: str) -> str:
    """The family of a layer such as ``MLA_0/conv2d_add_relu_3`` or of an operator such as ``conv2d``."""
    operator = operator_of(name)
    head = re.match(r"add|sub|mul|div", operator)
    if head:
        return "elementwise"
    for label, pattern in _PATTERNS:
        if re.search(pattern, operator):
            return label
    return "other"


def operator_of(name: str) -> str:
    """The operator inside a layer's name: segment and counter removed, lower case."""
    return re.sub(r"_\d+$", "", name.rsplit("/", 1)[-1]).lower()


def stall_colour(name: str) -> str:
    """The colour of a stall; grey for a name that this release does not know."""
    return STALL_COLOURS.get(name, GREY)
