"""From drafts to layers: renamed maps, joined names.

In: the drafts of a finished builder and the maps to rename. Out: `Layer` records whose names are their parts joined by
underscores, such as ``conv2d_add_relu``; `partition` puts the segment before and the number behind.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from sima_compiler.ir.layers import (
    Binary,
    Blend,
    Convolution,
    Copy,
    Elementwise,
    FeatureMap,
    Kernel,
    Layer,
    Lookup,
    Normalization,
    Pooling,
    Product,
    Resize,
)
from sima_compiler.stages.lowering.builder import Draft

Names = dict[str, str]


def layer_of(draft: Draft, names: Names) -> Layer:
    """The finished layer of a draft."""
    return Layer(
        name=_name(draft.parts),
        operator=draft.operator,
        kernel=_renamed_kernel(draft.kernel, names),
        inputs=tuple(names.get(name, name) for name in draft.inputs),
        output=names.get(draft.output, draft.output),
        sources=tuple(dict.fromkeys(draft.sources)),
    )


def _name(parts: tuple[str, ...]) -> str:
    """The pieces of a layer, without a change of scale that only rides along."""
    return "_".join([part for part in parts if part != "requantize"] or parts)


def renamed_maps(maps: dict[str, FeatureMap], names: Names) -> dict[str, FeatureMap]:
    """The maps under their final names, in the order in which they were made."""
    final = (replace(found, name=names.get(name, name)) for name, found in maps.items())
    return {found.name: found for found in final}


def _renamed_kernel(kernel: Kernel, names: Names) -> Kernel:
    match kernel:
        case Convolution(binary=Binary() as binary) | Elementwise(binary=binary):
            operand = binary.operand if binary.operand is None else names.get(binary.operand, binary.operand)
            return replace(kernel, binary=replace(binary, operand=operand))
        case Copy():
            moves = tuple(replace(move, source=names.get(move.source, move.source)) for move in kernel.moves)
            return replace(kernel, moves=moves)
        case Convolution() | Pooling() | Lookup() | Resize() | Blend() | Normalization() | Product():
            return kernel
        case _:
            assert_never(kernel)
