"""What costs time and what would recover it: ranked findings, each with its evidence in cycles.

In: a `View` of an archive whose report records causes. Out: `Finding` records, the costliest first. Each has the form
of a linter's rule: what is wrong, the evidence, what to do, and the layers concerned. ``cycles`` are of one run of the
batch that was built. They are held to lie within 0.5 to 1.5 of what following the advice recovers: for each kind a
test builds the network that follows it. What the EV74 does has bytes and steps, never cycles: the model has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import prod

from sima_compiler.view import units, wordings
from sima_compiler.view.folding import why_not_more
from sima_compiler.view.records import Finding, Layer, Plugin, Port, View

#: Channels that one weight block takes, and that a pixel in the MLA's layout is padded to.
LANES = 16
#: Findings below this share of the run are left out: half of it is within what another schedule of the same network
#: gains or loses.
LEAST_SHARE = 0.01
#: Channels that fill their lanes to this share or more are good enough: 240 of 256 lose 6 %.
GOOD_FILL = 0.94
#: A batch this many times as large is advised: 7/8 of what does not grow with the batch is gained then; twice as much
#: again gains 1/16 more, and asks for twice the memory.
BATCH_FACTOR = 8
#: Output pixels up to which the array waits for weight blocks and tiles have nothing to do: a row of four tiles has 16
#: pixels of each block then, as many cycles as the block takes to load.
FEW_PIXELS = 64
#: Window cells of the kernel that is advised in place of a larger depthwise one.
SMALL_KERNEL = 9


def findings_of(view: View) -> tuple[Finding, ...]:
    """Every finding that is worth its line; nothing where the archive does not record the run."""
    runtime = view.totals.runtime_cycles
    if not runtime or not view.totals.cause_cycles:
        return ()
    layers = list(view.layers)
    found = (
        _idle_lanes(view, layers),
        _large_depthwise(view, layers),
        _wide_depthwise(view, layers),
        _larger_batch(view, layers),
        _spills(view, layers),
        _batch_limit(view),
        _padded_outputs(view),
    )
    kept = [one for one in found if one is not None and (one.cycles is None or one.cycles >= runtime * LEAST_SHARE)]
    return tuple(sorted(kept, key=lambda one: (-(one.cycles or 0), -(one.bytes or 0))))


def _cycles(view: View, layer: Layer, *causes: str) -> int:
    """Cycles of the layer with one of these causes."""
    pairs = zip(view.palette.causes, layer.cause_cycles, strict=False)
    return sum(cycles for cause, cycles in pairs if cause.key in causes)


def _share(view: View, cycles: int) -> str:
    return f"{units.count(cycles)} cycles, {units.percent(cycles / (view.totals.runtime_cycles or 1))} of the run"


def _ids(layers: Iterable[Layer]) -> tuple[int, ...]:
    return tuple(layer.id for layer in layers)


def _sizes(shape: str | None) -> tuple[int, ...]:
    return tuple(int(size) for size in (shape or "").split("x") if size)


def _channels(shape: str | None) -> int:
    return (_sizes(shape) or (0,))[-1]


def _idle_lanes(view: View, layers: Sequence[Layer]) -> Finding | None:
    """Weight blocks are counted: what is gained is the share of them that whole lanes would not need.

    Up to 16 channels there is no smaller size, and first layers fold window columns into the lanes instead.
    """
    gains = [(layer, _lane_gain(view, layer)) for layer in layers if layer.family in {"convolution", "dense"}]
    concerned = [(layer, gain) for layer, gain in gains if gain]
    if not concerned:
        return None
    cycles = sum(gain for _, gain in concerned)
    odd = sorted({size for layer, _ in concerned for size in (_inputs(layer), _outputs(layer)) if _is_odd(size)})
    listed = ", ".join(f"{size} to {size - size % LANES}" for size in odd[:4])
    return Finding(
        kind="idle_lanes",
        title="Channels that leave lanes idle",
        evidence=f"{len(concerned)} layers have channels that are no multiple of {LANES}: the next smaller multiples "
        f"need fewer weight blocks and save {_share(view, cycles)}.",
        advice=f"Use multiples of {LANES} channels: {listed}; the next larger multiple costs the same time as now.",
        cycles=cycles,
        layers=_ids(layer for layer, _ in concerned),
    )  # fmt: skip


def _inputs(layer: Layer) -> int:
    return _channels(layer.input_shapes[0] if layer.input_shapes else None)


def _outputs(layer: Layer) -> int:
    return _channels(layer.output_shape)


def _is_odd(channels: int) -> bool:
    used = -(-channels // LANES) * LANES
    return channels > LANES and channels < used * GOOD_FILL


def _lane_gain(view: View, layer: Layer) -> int:
    kept = 1.0
    for size in (_inputs(layer), _outputs(layer)):
        if _is_odd(size):
            kept *= (size // LANES) / -(-size // LANES)
    return round(_cycles(view, layer, "useful", "padding") * (1 - kept))


def _kernel_cells(layer: Layer) -> int:
    """Window cells of a depthwise convolution: its multiply-accumulates for one output."""
    outputs = prod(_sizes(layer.output_shape)) if layer.output_shape else 0
    return -(-layer.macs // outputs) if layer.macs and outputs else 0


def _depthwise(layers: Sequence[Layer], *, large: bool) -> list[Layer]:
    found = [layer for layer in layers if layer.family == "depthwise" and _kernel_cells(layer)]
    return [layer for layer in found if (_kernel_cells(layer) > SMALL_KERNEL) == large]


def _large_depthwise(view: View, layers: Sequence[Layer]) -> Finding | None:
    """The vector unit takes a step per window cell; those over padding are not counted here."""
    concerned = _depthwise(layers, large=True)
    cycles = sum(
        round(_cycles(view, layer, "useful", "vector") * (1 - SMALL_KERNEL / _kernel_cells(layer)))
        for layer in concerned
    )
    if not cycles:
        return None
    spent = sum(_cycles(view, layer, "useful", "vector") for layer in concerned)
    return Finding(
        kind="large_depthwise",
        title="Large depthwise kernels on the vector unit",
        evidence=f"{len(concerned)} depthwise layers with kernels beyond 3 x 3 work for {_share(view, spent)}: "
        "the vector unit takes a step for each cell of the kernel.",
        advice="Use 3 x 3 kernels where the accuracy allows it.",
        cycles=cycles,
        layers=_ids(concerned),
    )  # fmt: skip


def _wide_depthwise(view: View, layers: Sequence[Layer]) -> Finding | None:
    """A dense convolution is no way out: it takes as long from 16 channels on, and more with every further lane."""
    concerned = [layer for layer in _depthwise(layers, large=False) if _outputs(layer) >= 2 * LANES]
    spent = sum(_cycles(view, layer, "useful", "vector") for layer in concerned)
    if not spent:
        return None
    return Finding(
        kind="depthwise",
        title="Depthwise layers on the vector unit",
        evidence=f"{len(concerned)} depthwise layers work for {_share(view, spent)}: the vector unit does {LANES} "
        "multiply-accumulates per tile and cycle where the array does 256.",
        advice="Halve the channels of these layers (a smaller expansion), which halves their time; "
        "a dense convolution is no faster.",
        cycles=spent // 2,
        layers=_ids(concerned),
    )  # fmt: skip


def _larger_batch(view: View, layers: Sequence[Layer]) -> Finding | None:
    """What is paid once per run, whatever the batch: moving weights, starting layers, units that few pixels leave idle.

    Silent where a larger batch was asked for and refused: that is `_batch_limit`.
    """
    actual, desired = view.batch.actual_batch_size, view.batch.desired_batch_size
    factor = _batch_factor(view)
    if actual is None or factor == 1 or (desired is not None and desired > actual):
        return None
    weights = [_cycles(view, layer, "weights") for layer in layers]
    starts = [_cycles(view, layer, "start") for layer in layers]
    idle = [_cycles(view, layer, "padding", "vector") if _has_few_pixels(layer) else 0 for layer in layers]
    shared = min(sum(weights) + sum(starts) + sum(idle), _paid_once(view, actual))
    cycles = shared * (factor - 1) // factor
    least = LEAST_SHARE * (view.totals.runtime_cycles or 0)
    each = zip(layers, weights, starts, idle, strict=True)
    return Finding(
        kind="larger_batch",
        title="Time that a larger batch shares",
        evidence=f"{units.count(sum(weights))} cycles waiting for weights, {units.count(sum(starts))} starting layers, "
        f"{units.count(sum(idle))} in layers of few pixels: {_share(view, shared)}, do not grow with the batch.",
        advice=f"Ask for a larger batch (--batch-size {factor * actual}): "
        f"about {units.count(cycles / actual)} cycles less per sample.",
        cycles=cycles,
        layers=_ids(layer for layer, *spent in each if sum(spent) > least),
    )  # fmt: skip


def _paid_once(view: View, actual: int) -> int:
    """Cycles of a run that the negotiation has seen not to grow: the line through two sizes, at batch 0.

    From batch 1 no line can be drawn, and the whole run is the limit.
    """
    runs = {row.batch_size: row.cycles for row in view.candidates if row.cycles and row.status == "scheduled"}
    built = view.totals.runtime_cycles or 0
    smaller = max((size for size in runs if size < actual), default=None)
    if smaller is None:
        return built
    return max(0, (runs[smaller] * actual - built * smaller) // (actual - smaller))


def _spills(view: View, layers: Sequence[Layer]) -> Finding | None:
    """Maps that go out to DRAM and come back. Only waiting counts: a spill behind compute costs no time."""
    maps = {tensor.name: tensor.bytes for segment in view.segments for tensor in segment.spilled}
    touching = [layer for layer in layers if layer.output in maps or not maps.keys().isdisjoint(layer.inputs)]
    waits = [(layer, _cycles(view, layer, "input", "output", "dependency")) for layer in touching]
    cycles = sum(wait for _, wait in waits)
    if not cycles:
        return None
    return Finding(
        kind="spills",
        title="Feature maps that are spilled to DRAM",
        evidence=f"{len(maps)} maps of {units.size(sum(maps.values()))} ({', '.join(list(maps)[:3])}) do not stay on "
        f"chip; layers wait for them {_share(view, cycles)}.",
        advice="Keep them on chip: a smaller input, fewer channels in these layers, or more quads where some are left.",
        cycles=cycles,
        layers=_ids(layer for layer, wait in waits if wait),
    )  # fmt: skip


def _batch_factor(view: View) -> int:
    """How many times the batch the on-chip memory may hold: activations grow with it, parameters do not.

    1 where maps are spilled or run in stripes already: a larger batch is worth nothing then.
    """
    capacity = view.machine.on_chip_bytes
    rows = [row for row in view.memory_map if row.kind != "parameters"]
    if capacity is None or not rows:
        return BATCH_FACTOR
    if any(row.kind == "stripe" for row in rows) or any(segment.spilled for segment in view.segments):
        return 1
    changes = sorted(
        change
        for row in rows
        for change in (((row.first_step or 0), row.bytes), ((row.last_step or 0) + 1, -row.bytes))
    )
    peak = max(accumulate(size for _, size in changes))
    parameters = max((row.bytes for row in view.memory_map if row.kind == "parameters"), default=0)
    return max(1, min(BATCH_FACTOR, (capacity - parameters) // peak))


def _has_few_pixels(layer: Layer) -> bool:
    """Pixels of the batch; a global pool has one per sample, which keeps few tiles busy."""
    sizes = _sizes(layer.output_shape)
    return 0 < prod(sizes[:-1]) <= FEW_PIXELS and len(sizes) > 1


def _batch_limit(view: View) -> Finding | None:
    """What keeps the batch from being larger; the best lever that was planned and needs no other machine."""
    actual, reason = view.batch.actual_batch_size, why_not_more(view)
    if not reason or actual is None:
        return None
    following = min((row for row in view.candidates if row.batch_size > actual), key=lambda row: row.batch_size)
    limiting = [layer for layer in view.layers if layer.name == following.limiting_layer]
    planned = [
        lever for row in view.candidates for lever in row.levers if lever.cycles_per_sample and not lever.what_if
    ]
    best = min(planned, key=lambda lever: lever.cycles_per_sample or 0.0, default=None)
    each = (view.totals.runtime_cycles or 0) / actual
    gained = round((each - (best.cycles_per_sample or each)) * actual) if best else 0
    advice = "simac batch MODEL --levers plans what would help."
    if best is not None:
        advice = (
            f"{wordings.lever_sentence(best)}."
            if gained > 0
            else "None of the levers that were planned gives fewer cycles."
        )
    return Finding(
        kind="batch_limit",
        title="What limits the batch",
        evidence=reason,
        advice=advice,
        cycles=gained if gained > 0 else None,
        layers=_ids(limiting),
    )


def _padded_outputs(view: View) -> Finding | None:
    """Outputs in the MLA's layout have whole lanes of channels; the EV74 reads the padding and drops it."""
    padding = {plugin.name: _padding(plugin) for plugin in view.plugins if "detess" in plugin.detail}
    padding = {name: size for name, size in padding.items() if size > 0}
    if not padding:
        return None
    total = sum(padding.values())
    return Finding(
        kind="padded_output",
        title="Outputs whose channels are padded",
        evidence=f"{', '.join(list(padding)[:3])}: of what is read, {units.size(total)} are padding to multiples of "
        f"{LANES} channels.",
        advice=f"Give outputs a multiple of {LANES} channels: the steps stay, but move data only.",
        bytes=total,
        steps=len(padding),
    )


def _padding(plugin: Plugin) -> int:
    """Bytes that the plugin reads and does not write; 0 where sizes are not recorded."""
    read, written = _total(plugin.inputs), _total(plugin.outputs)
    return read - written if plugin.processor == "EV74" and read and written else 0


def _total(ports: Sequence[Port]) -> int | None:
    sizes = [port.bytes for port in ports]
    return sum(size for size in sizes if size is not None) if sizes and None not in sizes else None
