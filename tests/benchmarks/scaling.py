"""How compile time grows with the number of layers.

In: synthetic chains, branching graphs and fans of 100 to 5,000 layers. Out: processor seconds of one compile each, and
the growth from 100 layers over what n log n allows.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import onnx

from sima_compiler import Model
from tests.benchmarks.tables import Row, Section
from tests.support.qdq_graph import QdqGraph

SIZES = (100, 300, 1000, 3000, 5000)
CHANNELS, EDGE = 16, 4

TEXT = """\
Reading the ONNX file, compiling and writing the archive, in processor seconds of one process. `chain`: convolutions in
a row. `branchy`: convolutions in pairs, joined by additions, with a concatenation every tenth layer. `fan_out`:
convolutions of one map, all joined by one concatenation. The ratio is the time at n layers over the time at 100,
divided by (n log n) / (100 log 100): at most 1 means no worse than n log n."""


def section() -> Section:
    """The table."""
    return Section("Compile time against the number of layers", "python -m tests.benchmarks.run scaling", TEXT, _rows())


def _rows() -> list[Row]:
    return [row for kind in ("chain", "branchy", "fan_out") for row in _growth(kind)]


def _growth(kind: str) -> Iterator[Row]:
    base = 0.0
    for size in SIZES:
        seconds = min(_compile_seconds(kind, size) for _ in range(3 if size < 1000 else 1))
        base = base or seconds
        ratio = (seconds / base) / (size * math.log(size) / (SIZES[0] * math.log(SIZES[0])))
        facts = {
            "layers": f"{size:,}",
            "seconds": f"{seconds:.2f}",
            "ms a layer": f"{seconds / size * 1e3:.2f}",
        }
        yield Row(kind, facts, ratio, 1.0 if size > SIZES[0] else None)


def _compile_seconds(kind: str, size: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{kind}_{size}.onnx"
        onnx.save(synthetic(kind, size), path)
        started = time.process_time()
        Model.from_onnx(path).compile(output_path=folder)
        return time.process_time() - started


def synthetic(kind: str, size: int) -> onnx.ModelProto:
    """A graph of ``size`` layers."""
    net = QdqGraph(seed=size)
    x = net.input((CHANNELS, EDGE, EDGE))
    if kind == "fan_out":
        net.output(net.pair(net.op("Concat", *(_conv(net, x) for _ in range(size - 1)), axis=1)))
        return net.model()
    made = 0
    while made < size:
        if kind == "chain" or made + 4 > size:
            x, count = _conv(net, x), 1
        elif made % 10 < 3:
            parts = [_conv(net, x), _conv(net, x)]
            x, count = _conv(net, net.pair(net.op("Concat", *parts, axis=1)), 2 * CHANNELS), 4
        else:
            x, count = net.pair(net.op("Add", _conv(net, x), _conv(net, _conv(net, x)))), 4
        made += count
    net.output(x)
    return net.model()


def _conv(net: QdqGraph, x: str, inputs: int = CHANNELS) -> str:
    return net.pair(net.op("Conv", x, net.weights((CHANNELS, inputs, 1, 1), axis=0)))
