"""How few output channels a block of a layer may compute.

In: a layer's site. Out: numbers of channels below all of them, largest first: whole groups and vectors, then single
channels where a contraction is that long.
"""

from __future__ import annotations

from sima_compiler.ir.layers import Convolution, Normalization
from sima_compiler.stages.tiling.block.parameters import parts_of_vector
from sima_compiler.stages.tiling.cuts.plans import LayerSite


def narrower_widths(site: LayerSite) -> list[int]:
    """Widths of whole groups, or of parts of a vector without groups; none where a pixel is looked at as a whole."""
    kernel, channels = site.layer.kernel, site.target.channels
    if isinstance(kernel, Normalization):
        return []
    unit = min(site.machine.lanes, channels)
    if isinstance(kernel, Convolution) and kernel.groups > 1:
        unit = channels // kernel.groups
        unit = unit * max(1, site.machine.lanes // unit) if kernel.is_depthwise else unit
    sizes = [channels]
    while sizes[-1] > unit:
        sizes.append(max(unit, sizes[-1] // 2 // unit * unit))
    if isinstance(kernel, Convolution) and kernel.groups == 1:
        sizes += parts_of_vector(unit)
    return sizes[1:]


def widths_in_group(site: LayerSite) -> list[int]:
    """Widths below one group, which divide it; none for a layer without groups of several outputs."""
    kernel = site.layer.kernel
    if not isinstance(kernel, Convolution) or kernel.groups == 1 or kernel.is_depthwise:
        return []
    group = site.target.channels // kernel.groups
    return [size for size in range(group - 1, 0, -1) if group % size == 0]
