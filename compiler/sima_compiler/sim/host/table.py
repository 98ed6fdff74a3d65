"""The numpy kernel of every host operator of `ir.host_rules.table`."""

from __future__ import annotations

from collections.abc import Mapping

from sima_compiler.sim.host import elementwise, movement, products, recurrent, rows, selecting
from sima_compiler.sim.host.kernel import Kernel

KERNELS: Mapping[str, Kernel] = {
    **elementwise.KERNELS,
    **movement.KERNELS,
    **rows.KERNELS,
    **selecting.KERNELS,
    **products.KERNELS,
    **recurrent.KERNELS,
}
