"""How fast the simulator runs what was compiled, against onnxruntime on the same network.

In: ResNet-50. Out: seconds per image of both, one thread each, and whether the outputs are equal.
"""

from __future__ import annotations

import sys
import tempfile

from tests.benchmarks.children import measure
from tests.benchmarks.networks import CACHE, generated
from tests.benchmarks.tables import Row, Section

LIMIT = 25.0

TEXT = """\
One image through the `.lm`, bytes and cycles, against one image through onnxruntime's optimised uint8 session; one
thread each, the best of several runs after a first one. The child process also compares every output."""

CHILD = """
import sys, time
import numpy as np, onnxruntime
from sima_compiler import Model, Archive, simulate
model = Model.load(sys.argv[1], sys.argv[2])
archive = Archive.open(model.compile(output_path=sys.argv[3]).path)
shape = model.graph.tensors[model.graph.inputs[0]].shape
image = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
feed = {model.graph.inputs[0]: image}
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model.to_onnx(uint8=True).SerializeToString(), options)
def best(run, times):
    run()
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        spent.append(time.perf_counter() - started)
    return min(spent)
ours, theirs = simulate(archive, feed).outputs, session.run(None, feed)
names = [output.name for output in session.get_outputs()]
assert all(np.array_equal(ours[name], found) for name, found in zip(names, theirs)), "outputs differ"
print("SECONDS", best(lambda: simulate(archive, feed), 5), best(lambda: session.run(None, feed), 20))
"""


def section() -> Section:
    """The table."""
    generated("light_resnet50")
    with tempfile.TemporaryDirectory() as folder:
        printed = measure([sys.executable, "-c", CHILD, "light_resnet50", str(CACHE), folder]).output
    ours, theirs = (float(part) for part in printed.split("SECONDS")[1].split()[:2])
    facts = {"ours": f"{ours * 1e3:.0f} ms", "onnxruntime": f"{theirs * 1e3:.1f} ms", "outputs": "equal"}
    row = Row("light_resnet50, one image", facts, ours / theirs, LIMIT)
    return Section("Simulator speed", "python -m tests.benchmarks.run simulation_speed", TEXT, (row,))
