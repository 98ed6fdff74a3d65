"""A model with several obstacles: all are named, none is made up, and the work around each is counted."""

from __future__ import annotations

import pytest

from sima_compiler import Model, ModelError, UnsupportedError
from sima_compiler.frontend.canonical import canonical
from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from tests.support.qdq_graph import QdqGraph

#: Multiply-accumulates of one sample of each convolution below: 8 x 8 places, 3 x 3 x 4 weights, 4 channels.
CONVOLUTION = 8 * 8 * 9 * 4 * 4


def convolution(pen: QdqGraph, value: str, **attributes: object) -> str:
    return pen.op("Conv", value, pen.weights((4, 4, 3, 3), axis=0), pads=[1, 1, 1, 1], **attributes)


def obstacles_of(pen: QdqGraph) -> list[tuple[str, int | None, int | None]]:
    with pytest.raises(ModelError) as caught:
        Model.from_onnx(pen.model(), "net")
    return [(found.operator, found.macs_before, found.macs_behind) for found in caught.value.obstacles]


def test_every_obstacle_is_found_with_the_work_around_it() -> None:
    pen = QdqGraph()
    first = pen.pair(convolution(pen, pen.input((4, 8, 8))))
    odd = pen.pair(pen.op("Sinh", first))
    second = pen.pair(convolution(pen, odd))
    pen.output(pen.pair(pen.op("Asin", second)))
    assert obstacles_of(pen) == [("Sinh", CONVOLUTION, CONVOLUTION), ("Asin", 2 * CONVOLUTION, 0)]


def test_what_stands_behind_an_obstacle_is_judged_by_its_own_rules() -> None:
    pen = QdqGraph()
    odd = pen.pair(pen.op("Sinh", pen.input((4, 8, 8))))
    fine = pen.pair(convolution(pen, odd))
    pen.output(pen.pair(pen.op("Asin", fine)))
    assert [operator for operator, _, _ in obstacles_of(pen)] == ["Sinh", "Asin"]


def test_what_the_a65_can_run_behind_an_obstacle_is_none() -> None:
    pen = QdqGraph()
    odd = pen.pair(pen.op("Sinh", pen.input((4, 8, 8))))
    pen.output(pen.op("CumSum", pen.op("Softmax", odd), pen.constant([2])))
    assert [operator for operator, _, _ in obstacles_of(pen)] == ["Sinh"]


def test_a_node_that_only_reads_what_an_obstacle_hides_is_none() -> None:
    """Without a QuantizeLinear between them the scale stays unknown; the addition alone would be right."""
    pen = QdqGraph()
    source = pen.input((4, 8, 8))
    hidden = pen.op("Sinh", source)
    moved = pen.op("Transpose", pen.op("Relu", hidden), perm=[0, 1, 3, 2])
    pen.output(pen.pair(pen.op("Add", pen.pair(moved), source)))
    assert [operator for operator, _, _ in obstacles_of(pen)] == ["Sinh"]


def test_obstacles_in_parallel_branches_do_not_count_each_others_work() -> None:
    pen = QdqGraph()
    source = pen.input((4, 8, 8))
    left = pen.pair(pen.op("Sinh", pen.pair(convolution(pen, source))))
    right = pen.pair(pen.op("Asin", pen.pair(convolution(pen, pen.pair(convolution(pen, source))))))
    pen.output(pen.pair(pen.op("Add", left, right)))
    assert sorted(obstacles_of(pen)) == [("Asin", 2 * CONVOLUTION, 0), ("Sinh", CONVOLUTION, 0)]


def test_an_output_that_no_quantizer_completes_is_an_obstacle_too() -> None:
    pen = QdqGraph()
    source = pen.input((4, 8, 8))
    pen.output(convolution(pen, source))
    pen.output(convolution(pen, source))
    with pytest.raises(UnsupportedError) as caught:
        graph_from_onnx(canonical(pen.model()), "net")
    assert [found.operator for found in caught.value.obstacles] == ["graph output"] * 2
    assert "without a QuantizeLinear" in caught.value.message


def test_the_error_names_the_count_and_the_first_three() -> None:
    pen = QdqGraph()
    value = pen.input((4, 8, 8))
    for operator in ("Sinh", "Asin", "Acos", "Atanh"):
        value = pen.pair(pen.op(operator, value))
    pen.output(value)
    with pytest.raises(UnsupportedError) as caught:
        Model.from_onnx(pen.model(), "net")
    assert caught.value.message.startswith("net: 4 obstacles")
    assert all(operator in caught.value.message for operator in ("Sinh", "Asin", "Acos"))
    assert "Atanh" not in caught.value.message
    assert "simac check net" in caught.value.hint


def test_a_single_obstacle_keeps_its_own_error() -> None:
    pen = QdqGraph()
    pen.output(pen.pair(pen.op("Sinh", pen.input((4, 8, 8)))))
    with pytest.raises(UnsupportedError, match="operator Sinh is not supported") as caught:
        Model.from_onnx(pen.model(), "net")
    assert caught.value.operator == "Sinh"
    assert [found.sentence for found in caught.value.obstacles] == [caught.value.message]


@pytest.mark.parametrize(
    ("operator", "inputs", "outputs", "name"),
    [
        ("DynamicQuantizeLinear", 1, 3, "dynamic quantization"),
        ("LSTM", 3, 1, "recurrent"),
        ("NonMaxSuppression", 2, 1, "post-processing"),
        ("MatMulInteger", 2, 1, "dynamic quantization"),
    ],
)
def test_kinds_of_operators_are_called_by_their_names(operator: str, inputs: int, outputs: int, name: str) -> None:
    pen = QdqGraph()
    made = pen.op(operator, *[pen.input((4, 8, 8), f"image{place}") for place in range(inputs)], outputs=outputs)
    pen.output(pen.pair(made if outputs == 1 else made[0]))
    with pytest.raises(UnsupportedError, match=f"operator {operator} is {name}") as caught:
        Model.from_onnx(pen.model(), "net")
    assert caught.value.hint
