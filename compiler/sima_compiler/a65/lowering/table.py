"""The lowering to C of every host operator of `ir.host_rules.table`."""

from __future__ import annotations

from collections.abc import Mapping

from sima_compiler.a65.lowering import elementwise, movement, products, rows
from sima_compiler.a65.lowering.site import Lowering

LOWERINGS: Mapping[str, Lowering] = {
    **elementwise.LOWERINGS,
    **movement.LOWERINGS,
    **rows.LOWERINGS,
    **products.LOWERINGS,
}
