"""Host segments in numpy against onnxruntime: every operator, every attribute, edges included."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis.strategies import DataObject, data, integers, lists, sampled_from

from sima_compiler.a65.lowering.table import LOWERINGS
from sima_compiler.a65.onnx_form import to_onnx_bytes
from sima_compiler.errors import HostError, InputError
from sima_compiler.ir.host import HostSegment
from sima_compiler.ir.host_rules.table import HOST_RULES, REAL_ERROR
from sima_compiler.sim.host import run
from sima_compiler.sim.host.table import KERNELS
from tests.support.host_cases import Case, all_cases, one
from tests.support.random_host_segments import random_segment

CASES: dict[str, list[Case]] = defaultdict(list)
for _case in all_cases():
    CASES[_case.op].append(_case)


def oracle(segment: HostSegment, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(to_onnx_bytes(segment), options, providers=["CPUExecutionProvider"])
    results = session.run(None, dict(inputs))
    return {tensor.name: np.asarray(value) for tensor, value in zip(segment.outputs, results, strict=True)}


def error(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference as a share of the largest number; infinite where one is finite and the other is not."""
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    if found.dtype != np.float32:
        return float(not np.array_equal(found, wanted))
    finite = np.isfinite(wanted)
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    if not same[~finite | ~np.isfinite(found)].all():
        return float("inf")
    difference = np.abs(found[finite].astype(np.float64) - wanted[finite])
    return float(difference.max(initial=0) / max(np.abs(wanted[finite]).max(initial=0), np.finfo(np.float32).tiny))


def test_every_operator_has_a_kernel_a_rule_and_cases() -> None:
    assert set(HOST_RULES) == set(KERNELS) == set(LOWERINGS) == set(CASES)


@pytest.mark.parametrize("op", sorted(HOST_RULES))
def test_a_kernel_agrees_with_onnxruntime(op: str) -> None:
    wrong: list[str] = []
    for case in CASES[op]:
        found, wanted = run(case.segment, case.inputs), oracle(case.segment, case.inputs)
        worst = max(error(found[name], value) for name, value in wanted.items())
        if worst > HOST_RULES[op].error and not case.undefined:
            wrong.append(f"{case.name}: {worst:.2e}")
    assert not wrong, wrong


@pytest.mark.parametrize(
    "seeds", [range(first, first + 25) for first in range(0, 100, 25)], ids=lambda s: f"{s[0]}..{s[-1]}"
)
def test_random_segments_agree_with_onnxruntime(seeds: range) -> None:
    for seed in seeds:
        segment, inputs = random_segment(seed)
        found = run(segment, inputs)
        for name, wanted in oracle(segment, inputs).items():
            # Twenty nodes one after the other add up what each may differ by.
            assert error(found[name], wanted) <= 5 * REAL_ERROR, (seed, name)


@given(data())
@settings(max_examples=60)
def test_any_shapes_broadcast_as_onnxruntime_broadcasts(draw: DataObject) -> None:
    shape = draw.draw(lists(integers(0, 4), max_size=5))
    other = [draw.draw(sampled_from((1, size))) for size in shape][draw.draw(integers(0, len(shape))) :]
    random = np.random.default_rng(len(shape))
    pair = [random.standard_normal(sizes).astype(np.float32) for sizes in (shape, other)]
    case = one("shapes", draw.draw(sampled_from(("Add", "Sub", "Mul", "Less"))), pair)
    assert error(run(case.segment, case.inputs)["y0"], oracle(case.segment, case.inputs)["y0"]) == 0


def test_what_onnxruntime_leaves_to_chance_is_defined_here() -> None:
    edges = np.array([np.inf, -np.inf, np.nan, 3e9, -1.5, 255.9], np.float32)
    cast = one("saturates", "Cast", [edges], to=2)
    assert run(cast.segment, cast.inputs)["y0"].tolist() == [255, 0, 0, 255, 0, 255]
    cast = one("saturates", "Cast", [edges], to=6)
    assert run(cast.segment, cast.inputs)["y0"].tolist() == [2**31 - 1, -(2**31), 0, 2**31 - 1, -1, 255]
    divided = one("by zero", "Div", [np.array([7, -7, -(2**31)], np.int32), np.array([0, 2, -1], np.int32)])
    assert run(divided.segment, divided.inputs)["y0"].tolist() == [0, -3, -(2**31)]
    gathered = one("outside", "Gather", [np.arange(4), np.array([-9, 9])])
    assert run(gathered.segment, gathered.inputs)["y0"].tolist() == [0, 3]


def test_of_equal_values_the_first_is_taken() -> None:
    ties = np.array([[1, 3, 3, -0.0, 0.0, 3]], np.float32)
    top = one("ties", "TopK", [ties, np.array([5])], constants=[1], outputs=2)
    assert run(top.segment, top.inputs)["y1"].tolist() == [[1, 2, 5, 0, 3]]
    bottom = one("ties", "TopK", [ties, np.array([2])], constants=[1], outputs=2, largest=0)
    assert run(bottom.segment, bottom.inputs)["y1"].tolist() == [[3, 4]]


def test_rows_behind_the_last_selected_box_are_filled() -> None:
    boxes = np.array([[[0, 0, 1, 1], [0, 0, 1, 0.9], [5, 5, 6, 6]]], np.float32)
    scores, most, overlap = np.array([[[0.9, 0.8, 0.7]]], np.float32), np.array([3]), np.array([0.5], np.float32)
    case = one("two of three", "NonMaxSuppression", [boxes, scores, most, overlap], constants=[2, 3])
    assert run(case.segment, case.inputs)["y0"].tolist() == [[0, 0, 0], [0, 0, 2], [-1, -1, -1]]


def test_inputs_that_do_not_fit_are_refused() -> None:
    case = one("x", "Exp", [np.zeros((2, 3), np.float32)])
    with pytest.raises(InputError, match="'x0' is missing"):
        run(case.segment, {})
    with pytest.raises(InputError, match=r"float64 \(2, 3\)"):
        run(case.segment, {"x0": np.zeros((2, 3))})


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "sentence"),
    [
        ("Add", [np.zeros(2, np.float32), np.zeros(3, np.float32)], {}, "do not broadcast"),
        ("Add", [np.zeros(2, np.float32), np.zeros(2, np.int64)], {}, "one type"),
        ("Softmax", [np.zeros((2, 3), np.float32)], {"axis": 2}, "axis 2 of 2 axes"),
        ("Softmax", [np.zeros((2, 3), np.float32)], {"axes": 1}, "attribute axes is not known"),
        ("Reshape", [np.zeros((2, 3), np.float32), np.array([6])], {}, "has to be a constant"),
        ("Conv", [np.zeros((1, 3, 8), np.float32), np.zeros((4, 2, 3), np.float32)], {}, "3 channels in 1 groups"),
        ("LSTM", [np.zeros((5, 1, 3), np.float32)] * 3, {"hidden_size": 4}, "operand 1 of"),
        ("Einsum", [np.zeros(2, np.float32)], {"equation": "i->i"}, "no operator of host segments"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_told_by_its_sentence(op: str, operands: list, attributes: dict, sentence: str) -> None:
    with pytest.raises(HostError, match=sentence):
        one("wrong", op, operands, **attributes)
