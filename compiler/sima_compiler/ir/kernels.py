"""What is true of every kernel: the one declaration that the tables of all levels read.

In: a kernel of `ir.layers`. Out: its `KernelFacts`. Always holds: every kernel states every fact; none has a default.

What a level does with a kernel (its text, checks, constants, blocks, commands, cycles, bounds, execution) stands at
that level, as one ``match`` that names every kernel; whoever only asks what is true of one asks here. A new kernel is
a record in `layers` and a case here; the type checker and `tests/project/test_kernel_tables.py` say what else it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from sima_compiler.ir.layers import (
    Binary,
    Blend,
    Broadcast,
    Convolution,
    Copy,
    Elementwise,
    Int8Array,
    Kernel,
    Lookup,
    Normalization,
    Pooling,
    Product,
    Resize,
    Window,
)

#: Kernels that sum over a window, so that a block's sums may wait in the accumulators for their next part.
Reduction = Convolution | Pooling


class Unit(StrEnum):
    """What computes a kernel."""

    ARRAY = "array"
    VECTOR = "vector"


class Reach(StrEnum):
    """What a result reads of the layer's first input."""

    PLACE = "place"  # the value at its own place
    PIXEL = "pixel"  # all channels at its own place
    MATRIX = "matrix"  # all channels at its own place, against those of a pixel of the second map
    WINDOW = "window"  # the cells of a window
    TABLES = "tables"  # the rows and the columns that index tables name
    MOVES = "moves"  # what moves bring there


class Scope(StrEnum):
    """Which blocks of a layer have the same constants."""

    LAYER = "layer"  # all of them
    CHANNELS = "channels"  # those of the same output channels
    PLACES = "places"  # those of the same rows and columns
    BLOCK = "block"  # none but the block itself

    @property
    def by_channel(self) -> bool:
        """Whether they differ from channel block to channel block."""
        return self in (Scope.CHANNELS, Scope.BLOCK)

    @property
    def by_place(self) -> bool:
        """Whether they differ from stripe to stripe."""
        return self in (Scope.PLACES, Scope.BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFacts:
    """The facts of one kernel.

    ``window`` is what slides over the first input; ``weights`` are what its cells are multiplied with. ``groups``: into
    so many groups the channels fall, within which results sum over all input channels; None where a result reads its
    own channel alone. ``whole_map``: every result reads the whole map of its channel. ``second`` is the second operand,
    and ``takes_second`` says that the way out has room for one more. ``constants`` are the parameters on chip, tables
    included.
    """

    unit: Unit
    reach: Reach
    window: Window | None
    weights: Int8Array | None
    groups: int | None
    whole_map: bool
    second: Binary | None
    takes_second: bool
    constants: Scope

    @property
    def contracts(self) -> bool:
        """Whether results sum over all input channels: a block of few output channels still reads all of them."""
        return self.groups == 1

    @property
    def second_map(self) -> str | None:
        """The map of the second operand; None where it is a constant or absent."""
        return None if self.second is None else self.second.operand


def facts(kernel: Kernel) -> KernelFacts:
    """What is true of a kernel."""
    match kernel:
        case Convolution():
            return KernelFacts(
                unit=Unit.VECTOR if kernel.is_depthwise else Unit.ARRAY,
                reach=Reach.WINDOW,
                window=kernel.window,
                weights=kernel.weights,
                groups=kernel.groups,
                whole_map=False,
                second=kernel.binary,
                takes_second=kernel.binary is None,
                constants=Scope.BLOCK if _value_scope(kernel.binary) is Scope.BLOCK else Scope.CHANNELS,
            )
        case Pooling():
            return KernelFacts(
                unit=Unit.VECTOR,
                reach=Reach.WINDOW,
                window=kernel.window,
                weights=None,
                groups=None,
                whole_map=kernel.is_global,
                second=None,
                takes_second=False,
                constants=Scope.LAYER,
            )
        case Elementwise():
            return KernelFacts(
                unit=Unit.VECTOR,
                reach=Reach.PLACE,
                window=None,
                weights=None,
                groups=None,
                whole_map=False,
                second=kernel.binary,
                takes_second=False,
                constants=_value_scope(kernel.binary),
            )
        case Lookup():
            return _plain(Reach.PLACE, Scope.LAYER)
        case Copy():
            return _plain(Reach.MOVES, Scope.LAYER)
        case Resize() | Blend():
            return _plain(Reach.TABLES, Scope.PLACES)
        case Product():
            return replace(_plain(Reach.MATRIX, Scope.LAYER), unit=Unit.ARRAY)
        case Normalization():
            return _plain(Reach.PIXEL, Scope.PLACES if kernel.per_pixel else Scope.LAYER)
        case _:
            assert_never(kernel)


def _plain(reach: Reach, constants: Scope) -> KernelFacts:
    """The facts of a kernel of the vector unit with one operand and no window."""
    return KernelFacts(
        unit=Unit.VECTOR,
        reach=reach,
        window=None,
        weights=None,
        groups=None,
        whole_map=False,
        second=None,
        takes_second=False,
        constants=constants,
    )


def _value_scope(binary: Binary | None) -> Scope:
    """Which blocks have the same values of a constant second operand."""
    if binary is None or binary.values is None or binary.broadcast is Broadcast.SCALAR:
        return Scope.LAYER
    return Scope.BLOCK if binary.broadcast is Broadcast.NONE else Scope.CHANNELS
