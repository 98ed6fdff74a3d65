"""The evaluators of constants: onnxruntime first, onnx's own where that has no kernel, neither unless it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sima_compiler import UnsupportedError
from sima_compiler.frontend.constants import evaluation
from sima_compiler.frontend.constants.evaluation import evaluate
from tests.support.qdq_graph import QdqGraph

SETS = helper.make_model(helper.make_graph([], "none", [], []), opset_imports=[helper.make_opsetid("", 20)])


def computed(node: onnx.NodeProto, *arrays: np.ndarray, sets: onnx.ModelProto = SETS) -> list[np.ndarray]:
    feeds = dict(zip(node.input, arrays, strict=True))
    return list(evaluate([node], feeds, list(node.output), sets).values())


def test_what_onnxruntime_has_no_kernel_for_is_left_to_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its CPU has no Mul of int8."""
    tried: list[object] = []
    original = evaluation._onnxruntime

    def watched(*arguments: object) -> object:
        tried.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(evaluation, "_onnxruntime", watched)
    node = helper.make_node("Mul", ["a", "b"], ["c"])
    (result,) = computed(node, np.int8([3, -4]), np.int8([5, 6]))
    assert tried
    assert result.dtype == np.int8
    assert result.tolist() == [15, -24]


def test_quantization_is_onnxruntimes_own() -> None:
    """Ties go to even numbers, and what lies outside saturates."""
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    values = np.float32([0.5, 1.5, -0.5, -1.5, 2.5, 1e9, -1e9])
    (result,) = computed(node, values, np.float32(1), np.int8(3))
    assert result.tolist() == [3, 5, 3, 1, 5, 127, -128]


def test_a_node_at_fault_is_named_among_many() -> None:
    nodes = [helper.make_node("Neg", ["a"], ["b"], "fine"), helper.make_node("Unheard", ["b"], ["c"], "strange")]
    with pytest.raises(UnsupportedError, match=r"node 'strange' \(Unheard\)") as caught:
        evaluate(nodes, {"a": np.ones(2, np.float32)}, ["c"], SETS)
    assert caught.value.node == "strange"


def test_weights_behind_their_pairs_are_computed_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from sima_compiler import Model

    runs: list[int] = []
    original = evaluation._onnxruntime
    monkeypatch.setattr(evaluation, "_onnxruntime", lambda *given: (runs.append(1), original(*given))[1])
    net = QdqGraph()
    x = net.input((4, 6, 6))
    for _ in range(12):
        parameters = [net.constant(0.004, np.float32), net.constant(0, np.int8)]
        stored = net.op(
            "QuantizeLinear", net.constant(net.random.normal(0, 0.2, (4, 4, 1, 1)), np.float32), *parameters
        )
        x = net.pair(net.op("Conv", x, net.op("DequantizeLinear", stored, *parameters)))
    net.output(x)
    Model.from_onnx(net.model())
    assert len(runs) == 1


def test_unknown_sizes_that_the_input_bounds_are_computed() -> None:
    (places,) = computed(helper.make_node("NonZero", ["x"], ["y"]), np.int64([0, 3, 0, 4]))
    assert places.tolist() == [[1, 3]]


READ = """
import sys
from sima_compiler.model import Model
Model.from_onnx(sys.argv[1]).compile(sys.argv[2])
print(*sorted(name for name in ("onnxruntime", "onnx.reference") if name in sys.modules))
"""


@pytest.mark.parametrize("needs", [False, True])
def test_evaluators_are_imported_only_when_needed(needs: bool, tmp_path: Path) -> None:
    """Plain constants, views of them and shape arithmetic without calculation need neither."""
    net = QdqGraph()
    kernel = net.op("Reshape", net.op("Identity", net.weights((4, 27), axis=0)), net.constant([4, 3, 3, -1]))
    x = net.pair(net.op("Conv", net.input((3, 6, 6)), kernel, net.constant([1, 2, 3, 4], np.float32)))
    batch = net.op("Slice", net.op("Shape", x), net.constant([0]), net.constant([1]))
    target = net.op("Concat", net.op("Cast", batch, to=TensorProto.INT64), net.constant([-1]), axis=0)
    x = net.op("Reshape", x, target)
    if needs:
        x = net.op("Mul", x, net.op("Exp", net.constant(0.3, np.float32)))
    net.output(net.pair(x))
    path = tmp_path / "net.onnx"
    onnx.save(net.model(), path)
    run = subprocess.run(
        [sys.executable, "-c", READ, str(path), str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    assert run.stdout.split() == (["onnxruntime"] if needs else [])
