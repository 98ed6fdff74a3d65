"""Tensors that go straight to and from the MLA, without a (de)tessellation on the EV74.

In: the vendor's parameters by tensor, and the network. Out: the layout in DRAM of each tensor that is meant. Always: a
name that means no tensor, and a layout that nothing in front of the MLA could give, are refused before any work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sima_compiler.errors import OptionError, UnsupportedError
from sima_compiler.ir.layers import Layout, Segment
from sima_compiler.ir.network import Network
from sima_compiler.options import TensorDRAMLayout, TensorTessellateParameters

Parameters = Mapping[str, TensorTessellateParameters]
#: What the vendor appends to a node's name for the tensor that it makes.
OUTPUT_SUFFIX = "_output"
LAYOUTS = {TensorDRAMLayout.HWC: Layout.HWC, TensorDRAMLayout.HWC16: Layout.HWC16}


def direct_layouts(network: Network, parameters: Parameters) -> dict[str, Layout]:
    """The layout of each tensor that needs no plugin, by its name in the network.

    Raises:
        OptionError: a key names no input or output of an MLA segment, or a value is no parameters.
        UnsupportedError: a tile shape, which the compiler chooses.
    """
    known = dict(_names(network))
    found: dict[str, Layout] = {}
    for key, value in parameters.items():
        if not isinstance(value, TensorTessellateParameters):
            raise OptionError(
                f"tessellate_parameters[{key!r}] is a {type(value).__name__}",
                hint="give a TensorTessellateParameters",
            )
        if key not in known:
            listed = ", ".join(dict.fromkeys(known.values()))
            raise OptionError(
                f"tessellate_parameters: the MLA has no input or output {key!r}",
                hint=f"its inputs and outputs: {listed}",
            )
        if any(value.tile_shape):
            raise UnsupportedError(
                f"tessellate_parameters[{key!r}]: tile_shape {value.tile_shape} cannot be chosen",
                hint="leave it at (0, 0, 0, 0): the compiler chooses",
            )
        if value.enable_mla:
            found[known[key]] = LAYOUTS[value.dram_layout]
    return found


def _names(network: Network) -> Iterator[tuple[str, str]]:
    """Every name of an input or output of the MLA, with the tensor that it means."""
    for graph in network.graphs:
        makers = {node.output: node for node in graph.nodes}
        for name in graph.outputs:
            node = makers.get(name)
            if node is not None:
                yield f"{node.source or node.name}{OUTPUT_SUFFIX}", name
        for name in (*graph.inputs, *graph.outputs):
            yield name, name


def check_layouts(segment: Segment, layouts: Mapping[str, Layout], lanes: int) -> None:
    """Whether what stands before and behind the MLA can have these layouts.

    Raises:
        UnsupportedError: padded channels that nothing in front of the MLA pads, or parts of a shared buffer that are no
            whole vectors per sample.
    """
    for names, side in ((segment.inputs, "input"), (segment.outputs, "output")):
        for name in names:
            found = segment.maps[name]
            if name not in layouts:
                continue
            if side == "input" and found.layout is Layout.HWC16 and found.channels % lanes:
                raise UnsupportedError(
                    f"input {name!r} has {found.channels} channels, which no EV74 kernel but the tessellation pads to "
                    f"blocks of {lanes}",
                    hint="use TensorDRAMLayout.HWC for it",
                )
            if len(names) > 1 and found.layout is Layout.HWC and found.elements % lanes:
                raise UnsupportedError(
                    f"{side} {name!r} shares a buffer with {len(names) - 1} more, in which every sample is whole "
                    f"units of {lanes} bytes; packed it has {found.elements}",
                    hint="use TensorDRAMLayout.HWC16 for it",
                )
