"""Windows that would lie wholly in their padding: the padding becomes part of the map.

In: an image and a window with pads. Out: a map and a window on it, every place of which touches the map.

::

    before: Conv 1 x 1 with pads 1 on x      after: pad, then Conv 1 x 1 without pads
    before: Conv 3 x 3 with pads 1 on x      after: the same
"""

from __future__ import annotations

from dataclasses import replace

from sima_compiler.ir.graph import ConvAttributes
from sima_compiler.ir.layers import Copy
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.byte_functions import Step
from sima_compiler.stages.lowering.copies import box, copy_into, make_canonical
from sima_compiler.stages.lowering.feature_maps import new_map, view_of_map


def touches_map(window: ConvAttributes) -> bool:
    """Whether every place of the window spans at least one cell that is no padding; with dilation, its cells may all
    lie beside it.
    """
    reach = [(kernel - 1) * dilation for kernel, dilation in zip(window.kernel, window.dilations, strict=True)]
    return all(pad <= reach[axis % 2] for axis, pad in enumerate(window.pads))


def with_borders(builder: Builder, step: Step, window: ConvAttributes, fill: int) -> tuple[str, ConvAttributes]:
    """The map that the step's window slides over, and the window; ``fill`` is what its padding holds."""
    source = make_canonical(builder, step.inputs[0])
    if touches_map(window):
        return source, window
    tensor, view = builder.tensor(step.inputs[0]), builder.view(step.inputs[0])
    channels, rows, columns = tensor.shape
    top, left, bottom, right = window.pads
    shape = (channels, rows + top + bottom, columns + left + right)
    result = new_map(replace(tensor, name=builder.fresh(f"{tensor.name}/padded"), shape=shape))
    target = box(view_of_map(result), (0, top, left), tensor.shape)
    draft = Draft("pad", Copy(()), (), result.name, ("pad",), step.sources)
    copy_into(builder, [(view, target)], result, draft, fill)
    return result.name, replace(window, pads=(0, 0, 0, 0))
