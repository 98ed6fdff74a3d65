"""The first dimension is the batch: overridden where the file wrote a number, refused where it is something else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from sima_compiler import Model, ModelError, UnsupportedError
from tests.support.judges import assert_reference_agrees
from tests.support.qdq_graph import QdqGraph

SCALE = (0.02, 3)


def one_node(
    operator: str, shape: tuple[int, ...], *constants: object, batch: int | str = "batch", **attributes
) -> Model:
    return Model.from_onnx(one_node_file(operator, shape, *constants, batch=batch, **attributes))


def one_node_file(
    operator: str, shape: tuple[int, ...], *constants: object, batch: int | str = "batch", **attributes
) -> onnx.ModelProto:
    net = QdqGraph(batch=batch)
    inputs = [net.constant(value) if value is not None else "" for value in constants]
    net.output(net.pair(net.op(operator, net.input(shape), *inputs, **attributes), *SCALE))
    return net.model()


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("target", "batch"),
    [((1, 24), 1), ((1, -1), 1), ((2, 24), 2), ((2, -1), 2), ((0, -1), 4), ((-1, 24), 4), ((1, 24), "batch")],
)
def test_a_literal_batch_is_overridden(target: tuple[int, ...], batch: int | str) -> None:
    original = one_node_file("Reshape", (4, 3, 2), ints(*target), batch=batch)
    model = Model.from_onnx(original)
    assert model.outputs == {next(iter(model.outputs)): (24,)}
    assert model.graph.batch == (batch if isinstance(batch, int) else 0)
    (found,) = assert_reference_agrees(original, batch=5, model=model).values()
    assert found.shape == (5, 24)


def test_sizes_of_a_resize_may_name_the_batch() -> None:
    original = one_node_file("Resize", (2, 3, 4), None, None, ints(1, 2, 7, 9), batch=1, mode="nearest")
    (found,) = assert_reference_agrees(original, batch=3).values()
    assert found.shape == (3, 2, 7, 9)


REFUSED: dict[str, Callable[[], Model]] = {
    "reshape mixes": lambda: one_node("Reshape", (4, 6), ints(-1, 12)),
    "reshape splits": lambda: one_node("Reshape", (4, 6), ints(2, -1, 6), batch=4),
    "reshape drops": lambda: one_node("Reshape", (4, 6), ints(-1)),
    "transpose": lambda: one_node("Transpose", (4, 6), perm=[1, 0, 2]),
    "transpose reverses": lambda: one_node("Transpose", (4, 6)),
    "flatten": lambda: one_node("Flatten", (4, 6), axis=0),
    "flatten later": lambda: one_node("Flatten", (4, 6), axis=2),
    "squeeze the batch": lambda: one_node("Squeeze", (1, 6), ints(0), batch=1),
    "squeeze everything": lambda: one_node("Squeeze", (1, 6), batch=1),
    "unsqueeze in front": lambda: one_node("Unsqueeze", (4, 6), ints(0)),
    "slice": lambda: one_node("Slice", (4, 6), ints(1), ints(2), ints(0)),
    "reduce": lambda: one_node("ReduceMean", (4, 6, 6), axes=[0]),
    "pad": lambda: one_node("Pad", (4,), ints(1, 0, 0, 0)),
    "resize": lambda: one_node("Resize", (4, 6, 6), None, np.array([2, 1, 1, 1], np.float32), mode="nearest"),
    "softmax": lambda: one_node("Softmax", (4,), axis=0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_first_dimension_that_is_not_the_batch_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedError, match="batch") as caught:
        REFUSED[name]()
    assert caught.value.node.startswith("node_")
    assert caught.value.rule == "the first dimension of every tensor is the batch"


@pytest.mark.parametrize("operator", ["Concat", "Split", "MatMul", "Gemm"])
def test_operators_that_join_split_or_sum_over_the_batch(operator: str) -> None:
    net = QdqGraph()
    x = net.input((4,))
    if operator == "Concat":
        y = net.op("Concat", x, x, axis=0)
    elif operator == "Split":
        y, _ = net.op("Split", x, outputs=2, axis=0)
    elif operator == "MatMul":
        y = net.op("MatMul", net.weights((3, 7)), x)
    else:
        y = net.op("Gemm", x, net.weights((4, 7)), transA=1)
    net.output(net.pair(y))
    with pytest.raises(UnsupportedError, match="batch") as caught:
        Model.from_onnx(net.model())
    assert caught.value.operator == operator


def test_inputs_of_different_batches() -> None:
    net = QdqGraph(batch=4)
    x = net.input((4,))
    net.batch = 2
    y = net.input((4,), "other")
    net.output(net.pair(net.op("Add", x, y)))
    with pytest.raises(UnsupportedError, match=r"image: 4, other: 2"):
        Model.from_onnx(net.model())


@pytest.mark.parametrize(
    ("shape", "batch", "expected"),
    [
        ((), 5, "only dimension"),
        ((9, 9), 3, "lone image"),
        ((3, 9, 9), 8, "batch of 8"),
        ((3, 9, 9), 1, ""),
        ((7,), "n", ""),
    ],
)
def test_a_suspicious_first_dimension_is_a_warning(shape: tuple[int, ...], batch: int | str, expected: str) -> None:
    model = one_node("Sigmoid", shape, batch=batch)
    assert [expected in warning for warning in model.graph.warnings] == ([True] if expected else [])


def test_a_symbolic_dimension_behind_the_batch() -> None:
    net = QdqGraph()
    net.output(net.pair(net.op("Sigmoid", net.input((3, 9, 9)))))
    proto = net.model()
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    with pytest.raises(ModelError, match=r"'image': dimension 2 has no fixed size"):
        Model.from_onnx(proto)


def test_an_input_without_dimensions() -> None:
    net = QdqGraph()
    net.output(net.pair(net.op("Sigmoid", net.input((3,)))))
    proto = net.model()
    del proto.graph.input[0].type.tensor_type.shape.dim[:]
    with pytest.raises(UnsupportedError, match="without a batch"):
        Model.from_onnx(proto)
