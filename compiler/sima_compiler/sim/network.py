"""The reference of a whole network: every segment in turn, reals between them.

In: a `Network` and arrays by input name, source layout, the same batch in front of each. Out: arrays by output name.
Always: bytes of the MLA are those of `reference`, and what enters or leaves it is quantized as the EV74 does; passing a
tensor on as reals and quantizing it again gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy.typing as npt

from sima_compiler import arithmetic
from sima_compiler.ir.graph import Graph, Int8Array
from sima_compiler.ir.host import Array
from sima_compiler.ir.network import Network, host_segments
from sima_compiler.sim.host.run import run
from sima_compiler.sim.inputs import checked_inputs
from sima_compiler.sim.reference import run_graph


def run_network(network: Network, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
    """Evaluate the network: float32 (batch, *shape) per input; what the A65 makes has its own types and shapes.

    Raises:
        InputError: an input is missing, unknown, not float, not finite, or of another shape.
    """
    values, _ = _evaluated(network, inputs, keep=False)
    return {name: values[name] for name in network.outputs}


def run_all(network: Network, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, Int8Array]:
    """The bytes of every tensor of the MLA, by name.

    Raises:
        InputError: as for `run_network`.
    """
    return _evaluated(network, inputs, keep=True)[1]


def _evaluated(
    network: Network, inputs: Mapping[str, npt.ArrayLike], *, keep: bool
) -> tuple[dict[str, Array], dict[str, Int8Array]]:
    """Reals and integers that cross between segments, and the bytes of the MLA: of its outputs, or all."""
    values: dict[str, Array] = dict(checked_inputs(network.inputs, inputs))
    stored: dict[str, Int8Array] = {}
    hosts = host_segments(network, len(next(iter(values.values()))))
    for segment in network.segments:
        if isinstance(segment, Graph):
            found = run_graph(segment, {name: values[name] for name in segment.inputs}, keep=keep)
            stored |= found
            values |= {
                name: arithmetic.dequantize(found[name], segment.tensors[name].quant) for name in segment.outputs
            }
        else:
            host = next(hosts)
            values |= run(host, {tensor.name: values[tensor.name] for tensor in host.inputs})
    return values, stored
