"""Operators that move values, in C.

In: a `Site`. Out: `Code`. Views are not here: their result is the operand itself (`a65.plan`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from math import prod

from sima_compiler.a65.lowering.site import C_TYPES, Code, Lowering, Site, lines_of, real
from sima_compiler.ir.host import Dtype
from sima_compiler.ir.host_rules.blending import blends
from sima_compiler.ir.host_rules.moves import moves, steps

#: Operators whose result has the operand's values in their order.
VIEWS = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})


def _moved(site: Site) -> Code:
    """Every result by the tables of its moves."""
    dtype = site.values[0].dtype
    fill = site.operand(2) if site.use.node.op == "Pad" else "NULL"
    parts: list[Code] = []
    for number, found in enumerate(moves(site.use)):
        if not found.tables:
            parts.append(site.call("sima_copy", site.results[number], site.operand(0), dtype.bytes))
            continue
        names = [f"from{number}_{axis}" for axis in range(len(found.tables))]
        parts += [site.table(name, table.tolist()) for name, table in zip(names, found.tables, strict=True)]
        record = f"static const sima_moves {site.named(f'moves{number}')} = "
        pointers = ", ".join(site.named(name) for name in names)
        sizes = ", ".join(map(str, found.shape))
        parts.append(Code(tables=(f"{record}{{{len(names)}, {{{sizes}}}, {{{pointers}}}}};",)))
        definition = f"SIMA_TAKE({C_TYPES[dtype]})"
        parts.append(
            site.made(
                f"sima_take_{dtype}",
                definition,
                site.operand(0),
                fill,
                site.results[number],
                site.at(f"moves{number}"),
            )
        )
    return reduce(lambda one, other: one + other, parts)


def _resize(site: Site) -> Code:
    """Linear: tables of two places and two weights for every axis."""
    if site.use.node.attributes.get("mode", "nearest") != "linear":
        return _moved(site)
    axes, code = blends(site.use), Code()
    for number, axis in enumerate(axes):
        for side, places, weights in (("near", axis.near, axis.near_weights), ("far", axis.far, axis.far_weights)):
            code += site.table(f"{side}{number}", places.tolist())
            if axis.is_blended:
                code += site.table(f"{side}_weights{number}", map(real, weights), "float")
    blended = [number for number, axis in enumerate(axes) if axis.is_blended]
    places = [", ".join(site.named(f"{side}{number}") for number in range(len(axes))) for side in ("near", "far")]
    weights = [
        ", ".join(site.named(f"{side}_weights{n}") if n in blended else "NULL" for n in range(len(axes)))
        for side in ("near", "far")
    ]
    sizes = ", ".join(str(len(axis.near)) for axis in axes)
    counts = f"{len(axes)}, {len(blended)}, {{{', '.join(map(str, blended or [0]))}}}, {{{sizes}}}"
    pointers = ", ".join("{" + ", ".join(f"{{{row}}}" for row in rows) + "}" for rows in (places, weights))
    record = f"static const sima_blends {site.named('blends')} = {{{counts}, {pointers}}};"
    return code + Code(tables=(record,)) + site.call("sima_blend", site.operand(0), site.results[0], site.at("blends"))


def viewed(site: Site) -> Code:
    """A view that has to be copied, since its result leaves the segment."""
    return site.call("sima_copy", site.results[0], site.operand(0), site.count * site.values[0].dtype.bytes)


def _concat(site: Site) -> Code:
    shape, width = site.values[0].shape, site.values[0].dtype.bytes
    axis = site.use.axis(site.use.integer("axis", 0), len(shape))
    row = prod(shape[axis:]) * width
    code, first = Code(), 0
    for index in range(len(site.use.inputs)):
        part = prod(site.value(index).shape[axis:]) * width
        code += site.call("sima_join", site.operand(index), site.results[0], prod(shape[:axis]), part, row, first)
        first += part
    return code


def _trilu(site: Site) -> Code:
    shape, dtype = site.values[0].shape, site.values[0].dtype
    offset = (site.use.integers(1) or (0,))[0]
    sizes = (prod(shape[:-2]), shape[-2], shape[-1], offset, site.use.integer("upper", 1))
    return site.made(f"sima_trilu_{dtype}", f"SIMA_TRILU({C_TYPES[dtype]})", site.operand(0), site.results[0], *sizes)


def _index(site: Site) -> Dtype:
    return site.value(1).dtype


def _gather(site: Site) -> Code:
    shape = site.value(0).shape
    axis = site.use.axis(site.use.integer("axis", 0), len(shape))
    outer, size, inner = lines_of(shape, axis)
    kind = _index(site)
    sizes = (outer, size, prod(site.value(1).shape), inner * site.values[0].dtype.bytes)
    definition = f"SIMA_GATHER({C_TYPES[kind]})"
    return site.made(f"sima_gather_{kind}", definition, site.operand(0), site.operand(1), site.results[0], *sizes)


def _elements(site: Site, name: str, *more: object) -> Code:
    """GatherElements and ScatterElements: a grid over the indices, with the steps of the values."""
    shape, indices, kind = site.value(0).shape, site.value(1).shape, _index(site)
    axis = site.use.axis(site.use.integer("axis", 0), len(shape))
    # Joining axes would lose the one that the indices are of: each is written as it is.
    texts = [", ".join(map(str, found)) for found in (indices, steps(shape))]
    table = f"static const sima_grid {site.named('grid')} = {{{len(shape)}, {{{texts[0]}}}, {{{{{texts[1]}}}}}}};"
    definition = f"SIMA_{name.upper()}({C_TYPES[kind]}, sima_place_{kind})"
    pointers = [site.operand(index) for index in range(len(site.use.inputs))]
    call = site.made(
        f"sima_{name}_{kind}",
        definition,
        *pointers,
        site.results[0],
        site.at("grid"),
        axis,
        shape[axis],
        site.values[0].dtype.bytes,
        *more,
    )
    return Code(tables=(table,)) + call


def _gather_elements(site: Site) -> Code:
    return _elements(site, "gather_elements")


def _scatter_elements(site: Site) -> Code:
    return _elements(site, "scatter_elements", site.count * site.values[0].dtype.bytes)


def _gather_nd(site: Site) -> Code:
    shape, indices, kind = site.value(0).shape, site.value(1).shape, _index(site)
    shared, depth = site.use.integer("batch_dims", 0), indices[-1]
    named = shape[shared : shared + depth]
    code = site.table("sizes", named) + site.table("steps", steps(named))
    inner = prod(shape[shared + depth :]) * site.values[0].dtype.bytes
    sizes = (prod(shape[:shared]), prod(indices[shared:-1]), depth, site.named("sizes"), site.named("steps"))
    definition = f"SIMA_GATHER_ND({C_TYPES[kind]}, sima_slice_{kind})"
    pointers = (site.operand(0), site.operand(1), site.results[0])
    return code + site.made(f"sima_gather_nd_{kind}", definition, *pointers, *sizes, prod(named), inner)


def _scatter_nd(site: Site) -> Code:
    shape, indices, kind = site.value(0).shape, site.value(1).shape, _index(site)
    depth, width = indices[-1], site.values[0].dtype.bytes
    named = shape[:depth]
    code = site.table("sizes", named) + site.table("steps", steps(named))
    sizes = (prod(indices[:-1]), depth, site.named("sizes"), site.named("steps"), prod(shape[depth:]) * width)
    definition = f"SIMA_SCATTER_ND({C_TYPES[kind]}, sima_slice_{kind})"
    pointers = (site.operand(0), site.operand(1), site.operand(2), site.results[0])
    return code + site.made(f"sima_scatter_nd_{kind}", definition, *pointers, *sizes, site.count * width)


_MOVED = ("Transpose", "Slice", "Split", "Expand", "Tile", "Pad", "DepthToSpace", "SpaceToDepth")

LOWERINGS: Mapping[str, Lowering] = {
    **dict.fromkeys(_MOVED, _moved),
    "Resize": _resize,
    **dict.fromkeys(VIEWS, viewed),
    "Concat": _concat,
    "Trilu": _trilu,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "ScatterElements": _scatter_elements,
}
