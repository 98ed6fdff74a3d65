"""Stage 1: the quantized graph as layers that the MLA has.

In: a `Graph` and the machine. Out: a `LayerGraph` of one segment named "" whose layers are in execution order and not
yet numbered. Always holds: evaluating the layers gives exactly the graph's bytes; every map is written by one layer, or
is an input; no layer is there for a node that only renames bytes.

::

    before: Conv -> Relu, Conv -> Add -> Relu, Reshape -> Transpose -> Reshape, Mul(q, Sigmoid(q))
    after:  conv2d_add_relu, conv2d_add_add_relu, one copy, one table
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.ir.graph import PRODUCT_OPS, ROW_OPS, Graph, Op
from sima_compiler.ir.layers import LayerGraph, Layout, Lookup, Segment
from sima_compiler.machine.description import Machine
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.byte_functions import Step, fold_byte_functions
from sima_compiler.stages.lowering.channel_tables import lower_tables
from sima_compiler.stages.lowering.concat_scales import concatenations_of_one_scale
from sima_compiler.stages.lowering.convolutions import lower_convolution, lower_gemm
from sima_compiler.stages.lowering.copies import lower_concat, lower_pad, lower_view
from sima_compiler.stages.lowering.elementwise import lower_elementwise
from sima_compiler.stages.lowering.naming import layer_of, renamed_maps
from sima_compiler.stages.lowering.outputs import claim_outputs, laid_out, packed_outputs
from sima_compiler.stages.lowering.pads import fold_pads
from sima_compiler.stages.lowering.pads_behind import pads_behind_transposes
from sima_compiler.stages.lowering.products import lower_product
from sima_compiler.stages.lowering.rows import lower_rows
from sima_compiler.stages.lowering.transposed import lower_transposed
from sima_compiler.stages.lowering.views import with_lookup
from sima_compiler.stages.lowering.way_out import fuse_table
from sima_compiler.stages.lowering.windows import lower_blend, lower_pool, lower_real_average, lower_resize

_RULES: dict[Op, Callable[[Builder, Step], None]] = {
    Op.CONV: lower_convolution,
    Op.CONV_TRANSPOSE: lower_transposed,
    Op.GEMM: lower_gemm,
    Op.REAL_GEMM: lower_gemm,
    Op.MAX_POOL: lower_pool,
    Op.AVERAGE_POOL: lower_pool,
    Op.GLOBAL_AVERAGE_POOL: lower_pool,
    Op.REAL_AVERAGE_POOL: lower_real_average,
    Op.RESIZE_NEAREST: lower_resize,
    Op.RESIZE_LINEAR: lower_blend,
    Op.RESHAPE: lower_view,
    Op.TRANSPOSE: lower_view,
    Op.SLICE: lower_view,
    Op.CONCAT: lower_concat,
    Op.PAD: lower_pad,
    Op.TABLE: lower_tables,
    **dict.fromkeys(ROW_OPS, lower_rows),
    **dict.fromkeys(PRODUCT_OPS, lower_product),
    **dict.fromkeys(arithmetic.BINARY_OPS, lower_elementwise),
}


def legalize(
    graph: Graph,
    machine: Machine,
    plain: Collection[str] = (),
    layouts: Mapping[str, Layout] = MappingProxyType({}),
) -> LayerGraph:
    """Lower a verified graph; outputs that are ``plain`` are stored as an input would be, and inputs and outputs in the
    ``layouts`` that were asked for.

    Raises:
        UnsupportedError: operands that broadcast along anything but channels, a window on something that is no image,
            a data movement along more than six axes.
    """
    graph = concatenations_of_one_scale(pads_behind_transposes(graph))
    steps = fold_pads(fold_byte_functions(graph), graph)
    builder = Builder.start(graph, steps, machine.lanes)
    for step in steps:
        _lower(builder, step)
    outputs, names = claim_outputs(builder, plain)
    called = dict(zip(graph.outputs, outputs, strict=True))
    asked = {called.get(name, name): layout for name, layout in layouts.items()}
    segment = Segment(
        name="",
        processor="MLA",
        layers=tuple(layer_of(draft, names) for draft in builder.drafts),
        maps=laid_out(packed_outputs(renamed_maps(builder.maps, names), outputs, machine.lanes), asked),
        inputs=graph.inputs,
        outputs=outputs,
    )
    return LayerGraph(graph.name, (segment,), graph.inputs, outputs, graph.cut)


def _lower(builder: Builder, step: Step) -> None:
    if step.table is None:
        _RULES[step.node.op](builder, step)
    elif not fuse_table(builder, step):
        _lower_table(builder, step)


def _lower_table(builder: Builder, step: Step) -> None:
    """A byte function that found no layer to ride on: nothing, part of a coming copy, or a layer of its own."""
    name, table = step.inputs[0], step.table if step.table is not None else arithmetic.ALL_BYTES
    view = builder.view(name)
    renames = np.array_equal(table, arithmetic.ALL_BYTES)
    if renames and builder.tensor(name).quant == builder.tensor(step.output).quant:
        builder.alias(step, view)
    elif not builder.whole(name):
        builder.alias(step, with_lookup(view, table))
    else:
        operator = step.parts[-1]
        draft = Draft(
            operator=operator,
            kernel=Lookup(table),
            inputs=(view.source,),
            output=step.output,
            parts=step.parts,
            sources=step.sources,
        )
        builder.produce_like(step, draft, view, builder.sizes(view.source))
