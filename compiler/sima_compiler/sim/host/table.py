"""The numpy function of every host operator of `ir.host_rules.table`.

A function takes the node's `Use` and its operands as arrays (None where one is left out), and gives one array or more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sima_compiler.ir.host import Array
from sima_compiler.ir.host_rules.use import Use

Operands = tuple[Array | None, ...]
Kernel = Callable[[Use, Operands], Array | tuple[Array, ...]]

KERNELS: Mapping[str, Kernel] = {}
