"""Rules of the operators that sum products: matrices, convolutions, pools, recurrent layers.

In: a `Use`. Out: shape and type of every result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.host import Dtype
from sima_compiler.ir.host_rules.use import FLOATS, INTEGERS, Infer, Use, Value


def _matmul(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows()
    first, second = use.value(0, FLOATS).shape, use.value(1, FLOATS).shape
    use.require(bool(first) and bool(second), "a scalar is no matrix")
    left = first if len(first) > 1 else (1, *first)
    right = second if len(second) > 1 else (*second, 1)
    use.require(left[-1] == right[-2], f"{first} times {second}: {left[-1]} is not {right[-2]}")
    shape = use.broadcast((left[:-2], right[:-2]))
    rows = (left[-2],) if len(first) > 1 else ()
    columns = (right[-1],) if len(second) > 1 else ()
    return (Value((*shape, *rows, *columns), Dtype.FLOAT32),)


def _gemm(use: Use) -> tuple[Value, ...]:
    use.arity(2, 3)
    use.knows("alpha", "beta", "transA", "transB")
    use.number("alpha", 1.0)
    use.number("beta", 1.0)
    first, second = use.value(0, FLOATS).shape, use.value(1, FLOATS).shape
    use.require(len(first) == len(second) == 2, f"{first} times {second}, where matrices are taken")
    rows, depth = first[::-1] if use.integer("transA", 0) else first
    other, columns = second[::-1] if use.integer("transB", 0) else second
    use.require(depth == other, f"{first} times {second}: {depth} is not {other}")
    if use.has(2):
        added = use.value(2, FLOATS).shape
        use.require(use.broadcast((added, (rows, columns))) == (rows, columns), f"{added} added to {(rows, columns)}")
    return (Value((rows, columns), Dtype.FLOAT32),)


@dataclass(frozen=True, slots=True)
class Windows:
    """A window over the places of a map, an entry per spatial axis; ``pads`` in front and behind."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    sizes: tuple[int, ...]


def windows(use: Use, places: tuple[int, ...], kernel: tuple[int, ...]) -> Windows:
    """The window of a convolution or a pool, with its padding worked out."""
    rank = len(places)
    strides = use.listed("strides", (1,) * rank, rank)
    dilations = use.listed("dilations", (1,) * rank, rank)
    use.require(min((*strides, *dilations, *kernel), default=1) > 0, "sizes, strides and dilations are positive")
    pads = _pads(use, places, kernel, strides, dilations)
    ceils = bool(use.integer("ceil_mode", 0))
    sizes: list[int] = []
    for place, size in enumerate(places):
        room = size + sum(pads[place]) - (dilations[place] * (kernel[place] - 1) + 1)
        use.require(room >= 0, f"a window of {kernel} does not fit into {places} with pads {pads}")
        count = -(-room // strides[place]) if ceils else room // strides[place]
        # A window that starts behind the map and its front pad would see nothing but the pad at the end.
        sizes.append(count + (count * strides[place] < size + pads[place][0]))
    return Windows(kernel, strides, dilations, pads, tuple(sizes))


def _pads(
    use: Use, places: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    rank = len(places)
    mode = use.text("auto_pad", "NOTSET", ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"))
    if mode == "VALID":
        return ((0, 0),) * rank
    if mode == "NOTSET":
        found = use.listed("pads", (0,) * 2 * rank, 2 * rank)
        use.require(min(found, default=0) >= 0, f"pads {found} are negative")
        return tuple(zip(found[:rank], found[rank:], strict=True))
    pairs: list[tuple[int, int]] = []
    for size, cells, stride, dilation in zip(places, kernel, strides, dilations, strict=True):
        missing = max(0, (-(-size // stride) - 1) * stride + dilation * (cells - 1) + 1 - size)
        less, more = missing // 2, missing - missing // 2
        pairs.append((less, more) if mode == "SAME_UPPER" else (more, less))
    return tuple(pairs)


def conv_windows(use: Use) -> Windows:
    """The window of a Conv."""
    value, weights = use.value(0, FLOATS), use.value(1, FLOATS)
    kernel = use.listed("kernel_shape", weights.shape[2:])
    use.require(kernel == weights.shape[2:], f"kernel_shape {kernel} and weights of {weights.shape}")
    return windows(use, value.shape[2:], kernel)


def _conv(use: Use) -> tuple[Value, ...]:
    use.arity(2, 3)
    use.knows("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    value, weights = use.value(0, FLOATS), use.value(1, FLOATS)
    use.require(value.rank == weights.rank >= 3, f"{value.shape} and weights of {weights.shape}")
    groups, outputs = use.integer("group", 1), weights.shape[0]
    fits = groups > 0 and outputs % groups == 0 and value.shape[1] == weights.shape[1] * groups
    use.require(fits, f"{value.shape[1]} channels in {groups} groups and weights of {weights.shape}")
    if use.has(2):
        use.require(use.value(2, FLOATS).shape == (outputs,), f"a bias of {use.value(2).shape} for {outputs} channels")
    return (Value((value.shape[0], outputs, *conv_windows(use).sizes), Dtype.FLOAT32),)


def transposed_windows(use: Use) -> Windows:
    """The window of a ConvTranspose: ``pads`` are the places that the result leaves out, in front and behind."""
    places, weights = use.value(0, FLOATS).shape[2:], use.value(1, FLOATS)
    rank, kernel = len(places), weights.shape[2:]
    use.require(use.listed("kernel_shape", kernel) == kernel, f"kernel_shape and weights of {weights.shape}")
    strides = use.listed("strides", (1,) * rank, rank)
    dilations = use.listed("dilations", (1,) * rank, rank)
    more = use.listed("output_padding", (0,) * rank, rank)
    pads = use.listed("pads", (0,) * 2 * rank, 2 * rank)
    use.text("auto_pad", "NOTSET", ("NOTSET",))
    use.require(min((*strides, *dilations, *kernel), default=1) > 0, "sizes, strides and dilations are positive")
    use.require(min((*pads, *more), default=0) >= 0, f"pads {pads} and output_padding {more}: one is negative")
    sizes = tuple(
        strides[k] * (places[k] - 1) + more[k] + dilations[k] * (kernel[k] - 1) + 1 - pads[k] - pads[k + rank]
        for k in range(rank)
    )
    use.require(min(sizes) > 0, f"pads {pads} leave {sizes}")
    return Windows(kernel, strides, dilations, tuple(zip(pads[:rank], pads[rank:], strict=True)), sizes)


def _conv_transpose(use: Use) -> tuple[Value, ...]:
    use.arity(2, 3)
    use.knows("auto_pad", "dilations", "group", "kernel_shape", "output_padding", "pads", "strides")
    value, weights = use.value(0, FLOATS), use.value(1, FLOATS)
    use.require(
        value.rank == weights.rank >= 3 and 0 not in value.shape, f"{value.shape} and weights of {weights.shape}"
    )
    groups = use.integer("group", 1)
    fits = groups > 0 and value.shape[1] == weights.shape[0] and weights.shape[0] % groups == 0
    use.require(fits, f"{value.shape[1]} channels in {groups} groups and weights of {weights.shape}")
    outputs = weights.shape[1] * groups
    if use.has(2):
        use.require(use.value(2, FLOATS).shape == (outputs,), f"a bias of {use.value(2).shape} for {outputs} channels")
    return (Value((value.shape[0], outputs, *transposed_windows(use).sizes), Dtype.FLOAT32),)


def pool_windows(use: Use) -> Windows:
    """The window of a pool; of a global one the whole map."""
    places = use.value(0).shape[2:]
    if use.node.op.startswith("Global"):
        return Windows(places, (1,) * len(places), (1,) * len(places), ((0, 0),) * len(places), (1,) * len(places))
    return windows(use, places, use.listed("kernel_shape", (), len(places)))


def pool_counts(use: Use) -> npt.NDArray[np.float64]:
    """Of an average pool: how many cells of each window count, those in the map or also those in its pads."""
    found, counts = pool_windows(use), np.ones(())
    includes_pads = bool(use.integer("count_include_pad", 0))
    for axis, size in enumerate(use.value(0).shape[2:]):
        before, behind = found.pads[axis] if includes_pads else (0, 0)
        starts = np.arange(found.sizes[axis]) * found.strides[axis] - found.pads[axis][0]
        reach = starts[:, None] + np.arange(found.kernel[axis]) * found.dilations[axis]
        counts = counts[..., None] * ((reach >= -before) & (reach < size + behind)).sum(-1)
    return counts.astype(np.float64)


def _pool(*names: str) -> Infer:
    def infer(use: Use) -> tuple[Value, ...]:
        use.arity(1)
        use.knows(*names)
        value = use.value(0, FLOATS)
        use.require(value.rank >= 3 and 0 not in value.shape[2:], f"{value.shape} has no places")
        found = pool_windows(use)
        fits = all(max(pair) < cells for pair, cells in zip(found.pads, found.kernel, strict=True))
        use.require(fits, f"pads {found.pads} of a window of {found.kernel}")
        return (Value((*value.shape[:2], *found.sizes), Dtype.FLOAT32),)

    return infer


def _recurrent(gates: int, takes: int, states: int) -> Infer:
    """LSTM (4 gates, 8 operands, 2 states) or GRU (3, 6, 1); operands as ONNX orders them, layout 0."""

    def infer(use: Use) -> tuple[Value, ...]:
        use.arity(3, takes, outputs=1 + states)
        use.knows("hidden_size", "direction", "layout", "linear_before_reset", "input_forget", "activations")
        use.require(use.integer("layout", 0) == 0, "layout=1 is not taken")
        use.require(use.integer("input_forget", 0) == 0, "input_forget=1 is not taken")
        count = 2 if use.text("direction", "forward", ("forward", "reverse", "bidirectional"))[0] == "b" else 1
        standard = (("Sigmoid", "Tanh", "Tanh") if gates == 4 else ("Sigmoid", "Tanh")) * count
        given = use.node.attributes.get("activations", standard)
        use.require(given == standard, f"activations {given}, where {standard} is taken")
        value = use.value(0, FLOATS)
        use.require(value.rank == 3, f"{value.shape}, where (steps, batch, values) is taken")
        steps, batch, width = value.shape
        hidden = use.integer("hidden_size", 0)
        shapes = {
            1: (count, gates * hidden, width),
            2: (count, gates * hidden, hidden),
            3: (count, 2 * gates * hidden),
            5: (count, batch, hidden),
            6: (count, batch, hidden),
            7: (count, 3 * hidden),
        }
        for index, shape in shapes.items():
            if index < 3 or use.has(index):
                found = use.value(index, FLOATS).shape
                use.require(found == shape, f"operand {index} of {found}, where {shape} is taken")
        _check_lengths(use, steps, batch)
        state = Value((count, batch, hidden), Dtype.FLOAT32)
        return (Value((steps, count, batch, hidden), Dtype.FLOAT32), *(state,) * states)

    return infer


def _check_lengths(use: Use, steps: int, batch: int) -> None:
    if use.has(4):
        lengths = use.constant(4, INTEGERS)
        fits = lengths.shape == (batch,) and bool(((lengths >= 0) & (lengths <= steps)).all())
        use.require(fits, f"sequence lengths {lengths.tolist()} of {batch} samples of {steps} steps")


_WINDOW = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides")

RULES: Mapping[str, Infer] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _pool(*_WINDOW, "storage_order"),
    "AveragePool": _pool(*_WINDOW, "count_include_pad"),
    "GlobalMaxPool": _pool(),
    "GlobalAveragePool": _pool(),
    "LSTM": _recurrent(4, 8, 2),
    "GRU": _recurrent(3, 6, 1),
}
