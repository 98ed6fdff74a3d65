"""The maps that leave: one per output of the graph, in its order, under its name.

In: a finished `Builder`. Out: the builder with a map for every output, and the new name of every map that was renamed.
Always holds: an output's map is whole, is no input, serves no other output, and its ``source_shape`` is the tensor's.

::

    before: y = Transpose(Conv(x)) as output      after: the convolution's map under the name y; nothing moves
    before: x is input and output                 after: a reshape layer copies x to x/output
"""

from __future__ import annotations

from dataclasses import replace

from sima_compiler.ir.layers import Copy, Layout
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.copies import copy_into
from sima_compiler.stages.lowering.feature_maps import new_map, view_of_map
from sima_compiler.stages.lowering.views import storage_axes


def claim_outputs(builder: Builder) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names of the outputs' maps in the graph's order, and the maps to rename (old name -> new name)."""
    claimed: dict[str, str] = {}
    names: list[str] = []
    owners = _owners(builder)
    for position, name in enumerate(builder.graph.outputs):
        source = builder.view(name).source
        if owners.get(source) != position:
            names.append(_copied(builder, name))
            continue
        claimed[source] = name
        _credit(builder, name)
        order = storage_axes(builder.view(name))
        found = builder.maps[source]
        builder.maps[source] = replace(
            found, quant=builder.tensor(name).quant, source_shape=builder.tensor(name).shape, source_axes=order or ()
        )
        names.append(name)
    return tuple(names), claimed


def _credit(builder: Builder, name: str) -> None:
    """The layer that makes an output also stands for the nodes that only renamed it."""
    view = builder.view(name)
    index = builder.producer(view.source)
    if index is not None:
        draft = builder.drafts[index]
        builder.drafts[index] = replace(draft, sources=draft.sources + view.sources)


def _owners(builder: Builder) -> dict[str, int]:
    """Which output (by position) each map may become: the one of its own name first, else the first that fits."""
    owners: dict[str, int] = {}
    order = sorted(enumerate(builder.graph.outputs), key=lambda pair: builder.view(pair[1]).source != pair[1])
    for position, name in order:
        view = builder.view(name)
        fits = builder.whole(name) and storage_axes(view) is not None and view.source not in builder.graph.inputs
        if fits:
            owners.setdefault(view.source, position)
    return owners


def _copied(builder: Builder, name: str) -> str:
    """A layer that copies an output which cannot have the map that it lies on."""
    tensor, view = builder.tensor(name), builder.view(name)
    taken = name in builder.maps or name in builder.graph.inputs
    result = new_map(replace(tensor, name=builder.fresh(f"{name}/output") if taken else name), layout=Layout.HWC16)
    parts = view.parts or ("reshape",)
    operator = "transpose" if "transpose" in parts else parts[-1]
    draft = Draft(operator, Copy(()), (), result.name, parts, view.sources)
    copy_into(builder, [(view, view_of_map(result))], result, draft)
    return result.name
