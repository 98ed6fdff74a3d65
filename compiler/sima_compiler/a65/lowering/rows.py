"""Operators that look at several values at once, in C.

In: a `Site`. Out: `Code`. Always: the order of every sum is that of `sim.host.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from sima_compiler.a65.lowering.site import C_TYPES, Code, Lowering, Site, broadcast_steps, first_of, lines_of, real
from sima_compiler.ir.host import Dtype
from sima_compiler.ir.host_rules.moves import steps
from sima_compiler.ir.host_rules.rows import most_boxes, reduced_axes

_UNSIGNED = {Dtype.INT64: "uint64_t", Dtype.INT32: "uint32_t"}
#: Reductions of reals: what stands for no value, what a value adds, what is left. In double but for the last two.
_REAL: Mapping[str, tuple[str, str, str]] = {
    "ReduceSum": ("0.0", "a + (double)v", "(float)a"),
    "ReduceMean": ("0.0", "a + (double)v", "(float)(a / (double)count)"),
    "ReduceProd": ("1.0", "a * (double)v", "(float)a"),
    "ReduceL1": ("0.0", "a + (double)sima_abs(v)", "(float)a"),
    "ReduceL2": ("0.0", "a + (double)v * (double)v", "(float)__builtin_sqrt(a)"),
    "ReduceSumSquare": ("0.0", "a + (double)v * (double)v", "(float)a"),
    "ReduceLogSum": ("0.0", "a + (double)v", "sima_log((float)a)"),
    "ReduceMax": ("row[0]", "v > a || v != v ? v : a", "a + 0.0f"),
    "ReduceMin": ("row[0]", "v < a || v != v ? v : a", "a + 0.0f"),
}
#: The same of integers, which wrap.
_WHOLE: Mapping[str, tuple[str, str, str]] = {
    "ReduceSum": ("0", "({t})(({u})a + ({u})v)", "a"),
    "ReduceProd": ("1", "({t})(({u})a * ({u})v)", "a"),
    "ReduceMax": ("row[0]", "v > a ? v : a", "a"),
    "ReduceMin": ("row[0]", "v < a ? v : a", "a"),
}


def _reduced(site: Site) -> Code:
    shape, axes, dtype = site.value(0).shape, reduced_axes(site.use), site.value(0).dtype
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    step = steps(shape)
    code = site.grid("kept", [shape[axis] for axis in kept], [step[axis] for axis in kept])
    code += site.grid("reduced", [shape[axis] for axis in axes], [step[axis] for axis in axes])
    arguments = (site.operand(0), site.results[0], site.at("kept"), site.at("reduced"))
    op = site.use.node.op
    if op == "ReduceLogSumExp":
        return code + site.call("sima_log_sum_exp", *arguments)
    return code + site.made(f"sima_{op.lower()}_{dtype}", _reduction(op, dtype), *arguments)


def _reduction(op: str, dtype: Dtype) -> str:
    kind = C_TYPES[dtype]
    if dtype is Dtype.FLOAT32:
        wide = "float" if op in ("ReduceMax", "ReduceMin") else "double"
        return f"SIMA_REDUCE({kind}, {wide}, {', '.join(_REAL[op])})"
    texts = [text.format(t=kind, u=_UNSIGNED.get(dtype, "")) for text in _WHOLE[op]]
    return f"SIMA_REDUCE({kind}, {kind}, {', '.join(texts)})"


def _key(dtype: Dtype) -> str:
    return "sima_key" if dtype is Dtype.FLOAT32 else "sima_same"


def _axis_sizes(site: Site, default: int) -> tuple[int, int, int]:
    shape = site.value(0).shape
    return lines_of(shape, site.use.axis(site.use.integer("axis", default), len(shape)))


def _place(site: Site) -> Code:
    dtype = site.value(0).dtype
    is_largest = int(site.use.node.op == "ArgMax")
    flags = (is_largest, int(bool(site.use.integer("select_last_index", 0))))
    definition = f"SIMA_PLACE_OF_BEST({C_TYPES[dtype]}, {_key(dtype)})"
    sizes = _axis_sizes(site, 0)
    return site.made(f"sima_place_of_best_{dtype}", definition, site.operand(0), site.results[0], *sizes, *flags)


def _top(site: Site) -> Code:
    dtype = site.value(0).dtype
    most = int(first_of(site.use.constant(1)))
    definition = f"SIMA_TOP({C_TYPES[dtype]}, {_key(dtype)})"
    # A kernel keeps values and places together: one that is not wanted has room in the scratch.
    room = most * prod(site.value(0).shape) // max(1, _axis_sizes(site, -1)[1]) * 8
    wanted = [name if name != "NULL" else "(void *)scratch" for name in (*site.results, "NULL")[:2]]
    largest = int(bool(site.use.integer("largest", 1)))
    code = site.made(f"sima_top_{dtype}", definition, site.operand(0), *wanted, *_axis_sizes(site, -1), most, largest)
    return code + Code(scratch=room if "(void *)scratch" in wanted else 0)


def _cumulative(site: Site) -> Code:
    shape, dtype = site.value(0).shape, site.value(0).dtype
    axis = site.use.axis(int(first_of(site.use.constant(1))), len(shape))
    flags = [int(bool(site.use.integer(name, 0))) for name in ("exclusive", "reverse")]
    kind = C_TYPES[dtype]
    if dtype is Dtype.FLOAT32:
        definition = "SIMA_CUMULATIVE(float, double, a + (double)v)"
    else:
        definition = f"SIMA_CUMULATIVE({kind}, {kind}, ({kind})(({_UNSIGNED[dtype]})a + ({_UNSIGNED[dtype]})v))"
    sizes = lines_of(shape, axis)
    return site.made(f"sima_cumulative_{dtype}", definition, site.operand(0), site.results[0], *sizes, *flags)


def _softmax(site: Site) -> Code:
    is_logarithm = int(site.use.node.op == "LogSoftmax")
    return site.call("sima_softmax", site.operand(0), site.results[0], *_axis_sizes(site, -1), is_logarithm)


def _lp_norm(site: Site) -> Code:
    is_squared = int(site.use.integer("p", 2) == 2)
    return site.call("sima_lp_norm", site.operand(0), site.results[0], *_axis_sizes(site, -1), is_squared)


def _trailing_norm(site: Site) -> Code:
    """The rows, then gains and offsets that are spread over them."""
    shape = site.value(0).shape
    axis = site.use.axis(site.use.integer("axis", -1), len(shape))
    sizes = (prod(shape[:axis]), prod(shape[axis:]), real(site.use.number("epsilon", 1e-5)))
    kernel = "sima_centre_rows" if site.use.node.op == "LayerNormalization" else "sima_even_rows"
    code = site.call(kernel, site.operand(0), site.results[0], *sizes)
    for index, name, expression in ((1, "mul", "x * y"), (2, "add", "x + y")):
        if site.use.has(index):
            own = broadcast_steps(site.value(index).shape, shape)
            code += site.grid(f"grid{index}", shape, broadcast_steps(shape, shape), own)
            definition = f"SIMA_BINARY(float, float, float, {expression})"
            pointers = (site.results[0], site.operand(index), site.results[0], site.at(f"grid{index}"))
            code += site.made(f"sima_{name}_float32", definition, *pointers)
    return code


def _channel_norm(site: Site) -> Code:
    """InstanceNormalization and BatchNormalization: samples, channels, places."""
    samples, channels, *places = site.value(0).shape
    kernel = "sima_instance_norm" if site.use.node.op == "InstanceNormalization" else "sima_batch_norm"
    pointers = [site.operand(index) for index in range(len(site.use.inputs))]
    sizes = (samples, channels, prod(places), real(site.use.number("epsilon", 1e-5)))
    return site.call(kernel, *pointers, site.results[0], *sizes)


def _suppression(site: Site) -> Code:
    samples, classes, boxes = site.value(1).shape
    limit = most_boxes(site.use) // max(1, samples * classes)
    overlap = real(float(first_of(site.use.constant(3, {Dtype.FLOAT32})))) if site.use.has(3) else "0.0f"
    least = real(float(first_of(site.use.constant(4, {Dtype.FLOAT32})))) if site.use.has(4) else "0.0f"
    sizes = (samples, classes, boxes, limit, overlap, int(site.use.has(4)), least)
    centred = site.use.integer("center_point_box", 0)
    code = site.call(
        "sima_suppress", site.operand(0), site.operand(1), site.results[0], "(void *)scratch", *sizes, centred
    )
    return code + Code(scratch=boxes * 8)


def _one_hot(site: Site) -> Code:
    shape, index, dtype = site.value(0).shape, site.value(0).dtype, site.values[0].dtype
    axis = site.use.axis(site.use.integer("axis", -1), len(shape) + 1)
    sizes = (prod(shape[:axis]), site.values[0].shape[axis], prod(shape[axis:]))
    whole = "sima_index_of" if index is Dtype.FLOAT32 else "sima_same"
    definition = f"SIMA_ONE_HOT({C_TYPES[index]}, {C_TYPES[dtype]}, {whole})"
    pointers = (site.operand(0), site.operand(2), site.results[0])
    return site.made(f"sima_one_hot_{index}_{dtype}", definition, *pointers, *sizes)


LOWERINGS: Mapping[str, Lowering] = {
    **dict.fromkeys((*_REAL, "ReduceLogSumExp"), _reduced),
    "ArgMax": _place,
    "ArgMin": _place,
    "TopK": _top,
    "CumSum": _cumulative,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "LpNormalization": _lp_norm,
    "LayerNormalization": _trailing_norm,
    "RMSNormalization": _trailing_norm,
    "InstanceNormalization": _channel_norm,
    "BatchNormalization": _channel_norm,
    "NonMaxSuppression": _suppression,
    "OneHot": _one_hot,
}
