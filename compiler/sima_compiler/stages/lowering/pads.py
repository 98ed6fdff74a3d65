"""Pad nodes folded into the window that reads them.

In: the steps of a graph. Out: the same steps where a spatial Pad with one reader, a window, became that window's pads.

::

    before: Pad (top, left, bottom, right) -> Conv with pads p     after: Conv with pads p + (top, left, bottom, right)

Checks, so that no byte changes: a Conv pads with its input's zero point, so the Pad must too; a MaxPool never picks a
padded cell, so the Pad must fill with -128; an AveragePool must count padded cells already, or have no pads of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from sima_compiler.ir.graph import ConvAttributes, Graph, Op, ShapeAttributes, Tensor
from sima_compiler.stages.lowering.borders import touches_map
from sima_compiler.stages.lowering.byte_functions import Step


def fold_pads(steps: tuple[Step, ...], graph: Graph) -> tuple[Step, ...]:
    """The steps without the Pads that a window can do itself."""
    readers = Counter([name for step in steps for name in step.inputs] + list(graph.outputs))
    kept: dict[str, Step] = {}
    for step in steps:
        pad = kept.get(step.inputs[0])
        merged = None
        if pad is not None and pad.node.op is Op.PAD and readers[pad.output] == 1:
            merged = _merge(pad, step, graph.tensors[pad.inputs[0]])
        if pad is not None and merged is not None:
            del kept[pad.output]
        kept[step.output] = step if merged is None else merged
    return tuple(kept.values())


def _merge(pad: Step, reader: Step, source: Tensor) -> Step | None:
    attributes, window = pad.node.attributes, reader.node.attributes
    if not isinstance(attributes, ShapeAttributes) or not isinstance(window, ConvAttributes) or len(source.shape) != 3:
        return None
    if attributes.pads_before[0] or attributes.pads_after[0] or pad.node.clamp != (-128, 127):
        return None
    fill = source.quant.zero_point if attributes.fill is None else attributes.fill
    if not _exact(reader.node.op, window, fill, source.quant.zero_point):
        return None
    extra = (*attributes.pads_before[1:], *attributes.pads_after[1:])
    top, left, bottom, right = (own + more for own, more in zip(window.pads, extra, strict=True))
    padded = replace(window, pads=(top, left, bottom, right))
    if not touches_map(padded):
        return None
    counted = window.count_include_pad or reader.node.op is Op.AVERAGE_POOL
    return replace(
        reader,
        node=replace(reader.node, attributes=replace(padded, count_include_pad=counted)),
        inputs=pad.inputs,
        sources=pad.sources + reader.sources,
        covers=pad.covers | reader.covers,
    )


def _exact(op: Op, window: ConvAttributes, fill: int, zero_point: int) -> bool:
    if op is Op.CONV:
        return fill == zero_point
    if op is Op.MAX_POOL:
        return fill == -128
    return op is Op.AVERAGE_POOL and fill == zero_point and (window.count_include_pad or not any(window.pads))
