"""The maps that leave: one per output of the graph, in its order, under its name.

In: a finished `Builder`. Out: the builder with a map for every output, and the new name of every map that was renamed.
Always holds: an output's map is whole, is no input, serves no other output, and its ``source_shape`` is the tensor's.

::

    before: y = Transpose(Conv(x)) as output      after: the convolution's map under the name y; nothing moves
    before: y as output lies in another order     after: a layer copies y/before to y
    before: x is input and output                 after: a reshape layer copies x to x/output
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from sima_compiler.ir.layers import Copy, FeatureMap, Layout
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.copies import copy_into
from sima_compiler.stages.lowering.feature_maps import new_map, packed_where_it_may, view_of_map
from sima_compiler.stages.lowering.views import View, is_whole, reshaped, storage_axes


def claim_outputs(builder: Builder, plain: Collection[str] = ()) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names of the outputs' maps in the graph's order, and the maps to rename (old name -> new name).

    Outputs that are ``plain`` are stored in the order of axes that inputs have.
    """
    claimed: dict[str, str] = {}
    names: list[str] = []
    owners = _owners(builder, plain)
    for position, name in enumerate(builder.graph.outputs):
        view = _home(builder, name)
        if owners.get(view.source) == position:
            _claim(builder, name, view)
            claimed[view.source] = name
            names.append(name)
        else:
            names.append(_copied(builder, name, claimed))
    return tuple(names), claimed


def packed_outputs(maps: Mapping[str, FeatureMap], outputs: tuple[str, ...], lanes: int) -> dict[str, FeatureMap]:
    """The maps, with outputs of few channels packed where `packed_where_it_may` allows it."""
    alone = len(outputs) == 1
    return {
        name: packed_where_it_may(found, lanes, alone=alone) if name in outputs else found
        for name, found in maps.items()
    }


def laid_out(maps: Mapping[str, FeatureMap], layouts: Mapping[str, Layout]) -> dict[str, FeatureMap]:
    """The maps, those of inputs and outputs in the layouts that were asked for."""
    return {name: replace(found, layout=layouts[name]) if name in layouts else found for name, found in maps.items()}


def _home(builder: Builder, name: str) -> View:
    """Where an output lies: on the map of its own name if there is one, else wherever it was found last."""
    own = builder.maps.get(name)
    view = None if own is None else reshaped(view_of_map(own), builder.tensor(name).shape)
    return builder.view(name) if view is None else view


def _claim(builder: Builder, name: str, view: View) -> None:
    """The map becomes the output's; its layer also stands for the nodes that only renamed it."""
    tensor, found = builder.tensor(name), builder.maps[view.source]
    order = storage_axes(view) or ()
    builder.maps[view.source] = replace(found, quant=tensor.quant, source_shape=tensor.shape, source_axes=order)
    index = builder.producer(view.source)
    if index is not None:
        draft = builder.drafts[index]
        builder.drafts[index] = replace(draft, sources=draft.sources + view.sources)


def _owners(builder: Builder, plain: Collection[str]) -> dict[str, int]:
    """Which output (by position) each map may become: the one of its own name first, else the first that fits."""
    owners: dict[str, int] = {}
    order = sorted(enumerate(builder.graph.outputs), key=lambda pair: pair[1] not in builder.maps)
    for position, name in order:
        view = _home(builder, name)
        found = builder.maps[view.source]
        stands_alone = is_whole(view, found.elements) and storage_axes(view) is not None
        if name in plain:
            stands_alone = stands_alone and storage_axes(view) == new_map(builder.tensor(name)).source_axes
        if stands_alone and found.layout is Layout.HWC16 and view.source not in builder.graph.inputs:
            owners.setdefault(view.source, position)
    return owners


def _copied(builder: Builder, name: str, claimed: dict[str, str]) -> str:
    """A layer that copies an output which cannot have the map that it lies on; returns the copy's final name.

    The copy gets the output's name, and a map that had it before gets another; only an input keeps its own.
    """
    tensor, view = builder.tensor(name), builder.view(name)
    taken = name in builder.maps or name in builder.graph.inputs
    result = new_map(replace(tensor, name=builder.fresh(f"{name}/output") if taken else name), layout=Layout.HWC16)
    parts = view.parts or ("reshape",)
    operator = "transpose" if "transpose" in parts else parts[-1]
    draft = Draft(operator, Copy(()), (), result.name, parts, view.sources)
    copy_into(builder, [(view, view_of_map(result))], result, draft)
    if not taken or name in builder.graph.inputs:
        return result.name
    claimed.setdefault(name, builder.fresh(f"{name}/before"))
    claimed[result.name] = name
    return name
