"""Matrix products of two activations, as attention has them.

In: steps of `PRODUCT_OPS` on (..., M, K) and (..., K, N). Out: a `Product` of two maps whose rows are the axes in
front: M pixels of K channels, and N pixels of K channels, the second matrix transposed. A tensor that lies otherwise
is copied.

::

    before: Q (heads, T, d), K (heads, T, d) -> Transpose -> MatMul      after: matmul; the transposition is free
    before: P (heads, T, T), V (heads, T, d) -> MatMul                   after: a copy that turns V, matmul
"""

from __future__ import annotations

from math import prod

from sima_compiler import arithmetic
from sima_compiler.ir.graph import Op, Tensor
from sima_compiler.ir.layers import FeatureMap, Layout, Product
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.byte_functions import Step
from sima_compiler.stages.lowering.copies import materialise
from sima_compiler.stages.lowering.feature_maps import view_of_map
from sima_compiler.stages.lowering.views import same_order


def lower_product(builder: Builder, step: Step) -> None:
    """One layer, behind the copies that bring both matrices into place."""
    left, right = (builder.tensor(name) for name in step.inputs)
    output = builder.tensor(step.output)
    axes = tuple(range(len(left.shape)))
    names = [
        _brought(builder, name, axes if place == 0 else (*axes[:-2], axes[-1], axes[-2]))
        for place, name in enumerate(step.inputs)
    ]
    real = step.node.op is not Op.MATMUL
    factor = arithmetic.product_factor(left.quant, right.quant, None if real else output.quant)
    kernel = Product(float(factor), real, output.quant, step.node.clamp)
    draft = Draft("matmul", kernel, (names[0], names[1]), step.output, ("matmul", *step.node.fused), step.sources)
    builder.produce(step, draft, _matrices(output, output.name, axes))


def _brought(builder: Builder, name: str, order: tuple[int, ...]) -> str:
    """The map of a tensor that lies in ``order``, its last axis the channels and the one before the columns."""
    wanted, view = _matrices(builder.tensor(name), name, order), builder.view(name)
    sizes = (wanted.rows, wanted.columns, wanted.channels)
    if builder.whole(name) and builder.sizes(view.source) == sizes and same_order(view, view_of_map(wanted)):
        return view.source
    if name in builder.maps:
        wanted = _matrices(builder.tensor(name), builder.fresh(f"{name}/matrices"), order)
    before = builder.views[name]
    materialise(builder, name, wanted, view_of_map(wanted))
    builder.views[name] = before if builder.uses[name] > 1 else builder.views[name]
    return wanted.name


def _matrices(tensor: Tensor, name: str, order: tuple[int, ...]) -> FeatureMap:
    sizes = [tensor.shape[axis] for axis in order]
    return FeatureMap(
        name=name,
        rows=prod(sizes[:-2]),
        columns=sizes[-2],
        channels=sizes[-1],
        quant=tensor.quant,
        layout=Layout.HWC16,
        source_shape=tensor.shape,
        source_axes=order,
    )
