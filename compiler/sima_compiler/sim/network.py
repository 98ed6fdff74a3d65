"""The reference of a whole network: every segment in turn, reals between them.

In: a `Network` and arrays by input name, source layout, the same batch in front of each. Out: arrays by output name.
Always: bytes of the MLA are those of `reference`, and what enters or leaves it is quantized as the EV74 does; passing a
tensor on as reals and quantizing it again gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy.typing as npt

from sima_compiler import arithmetic
from sima_compiler.ir.graph import Graph
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
    values: dict[str, Array] = dict(checked_inputs(network.inputs, inputs))
    batch = len(next(iter(values.values())))
    hosts = host_segments(network, batch)
    for segment in network.segments:
        if isinstance(segment, Graph):
            found = run_graph(segment, {name: values[name] for name in segment.inputs})
            values |= {name: arithmetic.dequantize(array, segment.tensors[name].quant) for name, array in found.items()}
        else:
            host = next(hosts)
            values |= run(host, {tensor.name: values[tensor.name] for tensor in host.inputs})
    return {name: values[name] for name in network.outputs}
