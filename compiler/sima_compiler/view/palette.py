"""Closed sets that people see, each key with its label, colour, pattern and sentence: decided here and nowhere else.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; patterns tell the keys apart without any colour.
A name that fits no family is ``other``, so that layers of newer compilers still have a place.
"""

from __future__ import annotations

import re

from sima_compiler.view.records import Label, Palette

BLUE, SKY, GREEN, ORANGE = "#0072B2", "#56B4E9", "#009E73", "#E69F00"
VERMILION, PURPLE, YELLOW, GREY = "#D55E00", "#CC79A7", "#F0E442", "#999999"

FAMILIES = (
    Label("convolution", "convolution", BLUE, "solid"),
    Label("depthwise", "depthwise", SKY, "diagonal"),
    Label("dense", "dense", PURPLE, "cross"),
    Label("pooling", "pooling", GREEN, "dots"),
    Label("elementwise", "elementwise", ORANGE, "horizontal"),
    Label("activation", "activation", VERMILION, "vertical"),
    Label("data_movement", "data movement", YELLOW, "zigzag"),
    Label("other", "other", GREY, "checks"),
)

#: Where every cycle of a run goes: work of the compute queue, then its stalls.
CAUSES = (
    Label(
        "useful",
        "useful multiply-accumulates",
        BLUE,
        "solid",
        "the layer's multiply-accumulates at the machine's peak rate",
    ),
    Label(
        "padding",
        "padding and idle lanes",
        SKY,
        "diagonal",
        "the array works on padding, with idle lanes or tiles, or on rows that it computes twice",
    ),
    Label("vector", "vector unit", GREEN, "dots", "the vector unit works: pools, elementwise, depthwise, copies"),
    Label("start", "fill and start", YELLOW, "zigzag", "layers start, the array fills and drains"),
    Label("compute", "compute, not divided further", BLUE, "solid", "older reports do not say what compute is made of"),
    Label("weights", "waiting for weights", ORANGE, "horizontal", "a transfer of weights is late", is_stall=True),
    Label("input", "waiting for inputs", PURPLE, "cross", "a transfer of activations is late", is_stall=True),
    Label("output", "waiting for outputs", VERMILION, "vertical", "results must leave first", is_stall=True),
    Label("instruction", "waiting for instructions", GREY, "checks", "commands arrive late", is_stall=True),
    Label(
        "dependency",
        "waiting for another command",
        "#000000",
        "grid",
        "another engine's command, or a spilled tensor, is not done",
        is_stall=True,
    ),
)

BOUNDS = (
    Label("compute", "compute", BLUE, "solid", "most of the layer's time the compute queue works"),
    Label("weights_dma", "weights DMA", ORANGE, "horizontal", "most of its time it waits while weights are moved"),
    Label("activation_dma", "activation DMA", PURPLE, "cross", "most of its time it waits while activations are moved"),
    Label("latency", "latency", GREY, "checks", "most of its time it waits while nothing is moved"),
)

ENGINES = (
    Label("compute", "compute", BLUE, "solid", "MAC array and vector unit, one queue"),
    Label("dma_in", "DMA in", ORANGE, "horizontal", "DRAM to on-chip memory"),
    Label("dma_out", "DMA out", VERMILION, "vertical", "on-chip memory to DRAM"),
)

PROCESSORS = (
    Label("MLA", "MLA", BLUE, "solid", "the machine learning accelerator"),
    Label("EV74", "EV74", GREEN, "dots", "the vision processor: quantize, tessellate, and back"),
    Label("A65", "Cortex-A65", ORANGE, "horizontal", "the host's processor"),
    Label("host", "host", GREY, "checks", "outside the archive"),
)

BUFFERS = (
    Label("activation", "activation", BLUE, "solid", "a feature map"),
    Label("stripe", "stripe", SKY, "diagonal", "rows of a feature map that is never whole on chip"),
    Label("parameters", "parameters", ORANGE, "horizontal", "weights, bias, multipliers and tables of a layer"),
)

#: What a file of an archive is; keys are `sima_compiler.archive.names.FileKind`.
ROLES = (
    Label("mpk", "pipeline description"),
    Label("report", "compile report"),
    Label("stats", "cycles per layer"),
    Label("mla", "MLA program"),
    Label("a65", "Cortex-A65 library"),
    Label("json", "JSON"),
    Label("yaml", "YAML"),
    Label("other", ""),
)

#: How a row of the batch negotiation came about.
STATUSES = (
    Label("scheduled", "scheduled", note="planned and scheduled"),
    Label("estimated", "estimated", note="between two scheduled sizes"),
    Label("does_not_fit", "does not fit", note="no plan keeps on chip what batch 1 keeps there"),
)

PALETTE = Palette(
    families=FAMILIES,
    causes=CAUSES,
    bounds=BOUNDS,
    engines=ENGINES,
    processors=PROCESSORS,
    buffers=BUFFERS,
    roles=ROLES,
    statuses=STATUSES,
)

_PATTERNS: tuple[tuple[str, str], ...] = (
    ("depthwise", r"depthwise|dwconv"),
    ("convolution", r"conv"),
    ("dense", r"dense|matmul|gemm|einsum|fully"),
    ("pooling", r"pool|reduce|mean"),
    (
        "data_movement",
        r"concat|slice|split|pad\b|pad_|transpose|reshape|resize|upsample|copy|move|tess|space|take|layout",
    ),
    (
        "activation",
        r"relu|sigmoid|tanh|swish|silu|gelu|lookup|lut|softmax|arg_max|norm|clip|exp|elu|requantize|activation",
    ),
    ("elementwise", r"add|sub|mul|div|elementwise"),
)


def family(name: str) -> str:
    """The family of a layer such as ``MLA_0/conv2d_add_relu_3`` or of an operator such as ``conv2d``."""
    operator = operator_of(name)
    if re.match(r"add|sub|mul|div", operator):
        return "elementwise"
    for key, pattern in _PATTERNS:
        if re.search(pattern, operator):
            return key
    return "other"


def operator_of(name: str) -> str:
    """The operator inside a layer's name: segment and counter removed, lower case."""
    return re.sub(r"_\d+$", "", name.rsplit("/", 1)[-1]).lower()


def label_of(labels: tuple[Label, ...], key: str | None) -> Label:
    """The label of a key; a key that this release does not know is its own label, in grey."""
    found = next((label for label in labels if label.key == key), None)
    return found or Label(key or "", (key or "").replace("_", " "), GREY, "checks")
