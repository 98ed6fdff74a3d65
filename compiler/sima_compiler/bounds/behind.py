"""Work that cannot begin until the last weights have arrived, whichever a program loads last.

In: a segment and the loads of its layers. Out: cycles. A network of one result that ends in a dense layer and then
looks at whole rows of scores: every score depends on all weights in front, and the row on all scores. So from the byte
that comes last on, all that follows the dense layer is still to be done.
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.bounds.loads import LayerLoad
from sima_compiler.ir.layers import Convolution, Layer, Normalization, RowKind, Segment


def work_behind_weights(segment: Segment, loads: Sequence[LayerLoad]) -> int:
    """Cycles of the layers behind the last weights, from the first on that needs every result of those; 0 where a
    program might compute part of them earlier.
    """
    weighted = [index for index, load in enumerate(loads) if load.raw_bytes]
    if not weighted or len(segment.outputs) != 1:
        return 0
    last = segment.layers[weighted[-1]]
    before = _ancestors(last, segment)
    needed = {*segment.inputs, *(segment.layers[index].output for index in weighted)}
    if not _mixes_all(last, segment) or not needed <= before:
        return 0
    reached, needing, cycles = {last.output}, set[str](), 0
    for layer, load in zip(segment.layers[weighted[-1] + 1 :], loads[weighted[-1] + 1 :], strict=True):
        if needing.intersection(layer.inputs) or (reached.intersection(layer.inputs[:1]) and _looks_at_rows(layer)):
            needing.add(layer.output)
            cycles += load.padded_cycles
        elif reached.intersection(layer.inputs):
            reached.add(layer.output)
    return cycles


def _mixes_all(layer: Layer, segment: Segment) -> bool:
    """Whether each of its results depends on all that it reads: a product with one pixel of all channels."""
    source, target = segment.maps[layer.inputs[0]], segment.maps[layer.output]
    one = all(found.rows == found.columns == 1 for found in (source, target))
    return one and isinstance(layer.kernel, Convolution) and layer.kernel.groups == 1


def _looks_at_rows(layer: Layer) -> bool:
    """Whether each of its results depends on all channels of a pixel."""
    return isinstance(layer.kernel, Normalization) and layer.kernel.kind is not RowKind.RESPONSE


def _ancestors(layer: Layer, segment: Segment) -> set[str]:
    """The layer's result and every map that it is computed of."""
    makers = {made.output: made for made in segment.layers}
    found, waiting = {layer.output}, [layer.output]
    while waiting:
        maker = makers.get(waiting.pop())
        fresh = () if maker is None else [name for name in maker.inputs if name not in found]
        found.update(fresh)
        waiting.extend(fresh)
    return found
