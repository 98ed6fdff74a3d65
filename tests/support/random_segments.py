"""Random networks of several segments: branches, skips, host layers in the middle and at the end.

In: a seed. Out: a QDQ model whose host layers are exact (they select and sort), so that every element of every output
has to equal onnxruntime's.
"""

from __future__ import annotations

import numpy as np
import onnx

from tests.support.headed import Sketch

CHANNELS, SIDE = 8, 5
#: Steps of a network; the mix makes two to seven segments.
FEWEST, MOST = 4, 9


def random_segments(seed: int) -> onnx.ModelProto:
    """The network of one seed."""
    random = np.random.default_rng(seed)
    net = Sketch(shape=(CHANNELS, SIDE, SIDE), seed=seed)
    values, outputs = [net.quantized("x", 0.043, 2)], {}
    for number in range(int(random.integers(FEWEST, MOST + 1))):
        name = f"v{number}"
        first, second = (values[int(random.integers(len(values)))] for _ in range(2))
        first = values[-1] if random.random() < 0.6 else first  # mostly a chain, sometimes a branch
        kind = random.choice(["conv", "add", "sorted", "chosen", "conv"])
        if kind == "conv":
            values.append(net.conv(first, name, (CHANNELS, CHANNELS), kernel=int(random.choice([1, 3]))))
            continue
        if kind == "add":
            net.node("Add", [first, second], [name])
        elif kind == "sorted":
            many = net.constant(f"{name}_k", np.array([CHANNELS], np.int64))
            net.node("TopK", [first, many], [name, f"{name}_places"], axis=1)
            if random.random() < 0.3:
                outputs[f"{name}_places"] = "int64"
        else:
            limit = net.constant(f"{name}_limit", np.float32(random.normal()))
            net.node("Greater", [first, limit], [f"{name}_above"])
            net.node("Where", [f"{name}_above", first, second], [name])
        if kind != "add" and random.random() < 0.2:
            outputs[name] = "float32"
        values.append(net.quantized(name, float(np.float32(random.uniform(0.03, 0.09))), int(random.integers(-20, 20))))
    outputs[values[-1]] = "float32"
    return net.model(outputs, f"segments_{seed}")
