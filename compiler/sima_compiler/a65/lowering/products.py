"""Operators that sum products, and recurrent layers, in C.

In: a `Site`. Out: `Code`. Always: the order of every sum is that of `sim.host.products` and `sim.host.recurrent`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from sima_compiler.a65.lowering.site import Code, Lowering, Site, broadcast_steps, real
from sima_compiler.ir.host_rules.moves import steps
from sima_compiler.ir.host_rules.products import Windows, conv_windows, pool_counts, pool_windows, transposed_windows


def _matmul(site: Site) -> Code:
    first, second = site.value(0).shape, site.value(1).shape
    left = first if len(first) > 1 else (1, *first)
    right = second if len(second) > 1 else (*second, 1)
    stacks = site.use.broadcast((left[:-2], right[:-2]))
    own = [_matrix_steps(shape, stacks) for shape in (left, right)]
    code = site.grid("stacks", stacks, *own)
    pointers = (site.operand(0), site.operand(1), site.results[0], site.at("stacks"))
    return code + site.call("sima_products", *pointers, left[-2], left[-1], right[-1])


def _matrix_steps(shape: Sequence[int], stacks: Sequence[int]) -> tuple[int, ...]:
    """Steps between the matrices of an operand along the axes of the stacks."""
    size = prod(shape[-2:])
    return tuple(step * size for step in broadcast_steps(shape[:-2], stacks))


def _gemm(site: Site) -> Code:
    rows, columns = site.values[0].shape
    turned = [site.use.integer(name, 0) for name in ("transA", "transB")]
    depth = site.value(0).shape[0 if turned[0] else 1]
    # Steps along rows and along the contracted axis, then along the contracted axis and along columns.
    own = (*((1, rows) if turned[0] else (depth, 1)), *((1, depth) if turned[1] else (columns, 1)))
    alpha = real(site.use.number("alpha", 1.0))
    pointers = (site.operand(0), site.operand(1), site.results[0])
    code = site.call("sima_product", *pointers, rows, depth, columns, *own, alpha)
    if not site.use.has(2):
        return code
    shape = site.values[0].shape
    code += site.grid("grid", shape, steps(shape), broadcast_steps(site.value(2).shape, shape))
    definition = f"SIMA_BINARY(float, float, float, x + y * {real(site.use.number('beta', 1.0))})"
    added = (site.results[0], site.operand(2), site.results[0], site.at("grid"))
    return code + site.made(f"sima_gemm_added_{site.prefix}", definition, *added)


def _windows(site: Site, found: Windows) -> Code:
    """The record of a window."""
    places = site.value(0).shape[2:]
    fronts = [front for front, _ in found.pads]
    axes = (places, found.kernel, found.sizes, found.strides, found.dilations, fronts)
    texts = ["{" + ", ".join(map(str, values)) + "}" for values in axes]
    sizes = ", ".join(str(prod(values)) for values in (places, found.kernel, found.sizes))
    record = f"static const sima_windows {site.named('windows')} = {{{len(places)}, {', '.join(texts)}, {sizes}}};"
    return Code(tables=(record,))


def _conv(site: Site) -> Code:
    weights, groups = site.value(1).shape, site.use.integer("group", 1)
    pointers = (site.operand(0), site.operand(1), site.operand(2), site.results[0], site.at("windows"))
    sizes = (site.value(0).shape[0], groups, weights[1], weights[0] // groups)
    return _windows(site, conv_windows(site.use)) + site.call("sima_conv", *pointers, *sizes)


def _conv_transpose(site: Site) -> Code:
    weights, groups = site.value(1).shape, site.use.integer("group", 1)
    pointers = (site.operand(0), site.operand(1), site.operand(2), site.results[0], site.at("windows"))
    sizes = (site.value(0).shape[0], groups, weights[0] // groups, weights[1])
    return _windows(site, transposed_windows(site.use)) + site.call("sima_conv_transpose", *pointers, *sizes)


def _max_pool(site: Site) -> Code:
    code = _windows(site, pool_windows(site.use))
    maps = prod(site.value(0).shape[:2])
    return code + site.call("sima_max_pool", site.operand(0), site.results[0], site.at("windows"), maps)


def _average_pool(site: Site) -> Code:
    counts = [int(count) for count in pool_counts(site.use).reshape(-1)]
    code = _windows(site, pool_windows(site.use)) + site.table("counts", counts, "double")
    pointers = (site.operand(0), site.named("counts"), site.results[0], site.at("windows"))
    return code + site.call("sima_average_pool", *pointers, prod(site.value(0).shape[:2]))


def _recurrent(site: Site) -> Code:
    """States and cells live where the results for them do, or in the scratch where those are not wanted."""
    use, is_lstm = site.use, site.use.node.op == "LSTM"
    steps_, batch, width = site.value(0).shape
    hidden, directions = use.integer("hidden_size", 0), site.value(1).shape[0]
    reverse = int(use.node.attributes.get("direction") == "reverse")
    linear = int(bool(use.integer("linear_before_reset", 0)))
    record = f"{steps_}, {batch}, {width}, {hidden}, {directions}, {reverse}, {linear}"
    code = Code(tables=(f"static const sima_recurrence {site.named('shape')} = {{{record}}};",))
    lengths = use.integers(4)
    if lengths is not None:
        code += site.table("lengths", lengths, "int32_t")
    size, sizes = directions * batch * hidden, 4 * hidden * 4
    places = _places(site, 3 if is_lstm else 2, (steps_ * size * 4, size * 4, size * 4), sizes)
    cells = places[2] if is_lstm else "NULL"
    calls = [f"sima_start({places[1]}, {site.operand(5)}, {size});"]
    calls += [f"sima_start({cells}, {site.operand(6)}, {size});"] if is_lstm else []
    gates = ", ".join(_gates(site, direction, width, hidden, 4 if is_lstm else 3) for direction in range(directions))
    calls.append(f"const sima_gates {site.named('gates')}[] = {{{gates}}};")
    found = "NULL" if lengths is None else site.named("lengths")
    arguments = (site.at("shape"), site.operand(0), site.named("gates"), found, *places[:2], cells, "(float *)scratch")
    calls.append(f"sima_recur({', '.join(arguments)});")
    return code + Code(calls=tuple(calls), scratch=sizes + steps_ * size * 4 + 2 * size * 4)


def _places(site: Site, count: int, bytes_: Sequence[int], first: int) -> list[str]:
    """Where each result lies: its own place, or one in the scratch behind the gates."""
    found: list[str] = []
    for place in range(count):
        name = site.results[place] if place < len(site.results) else "NULL"
        found.append(name if name != "NULL" else f"(float *)(scratch + {first + sum(bytes_[:place])})")
    return found


def _gates(site: Site, direction: int, width: int, hidden: int, gates: int) -> str:
    """The parameters of one direction."""
    rows = gates * hidden
    parts = ((1, rows * width), (2, rows * hidden), (3, 2 * rows), (7, 3 * hidden))
    texts = [
        f"{site.operand(index)} + {direction * size}" if site.operand(index) != "NULL" else "NULL"
        for index, size in parts
    ]
    return "{" + ", ".join(texts) + "}"


LOWERINGS: Mapping[str, Lowering] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _max_pool,
    "GlobalMaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _average_pool,
    "LSTM": _recurrent,
    "GRU": _recurrent,
}
