"""Host segments as bytes: what is written is read back, and damage is told."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from sima_compiler.errors import HostError
from sima_compiler.ir.host import Dtype, HostNode, HostSegment, HostTensor
from sima_compiler.ir.host_bytes import from_bytes, to_bytes
from sima_compiler.ir.host_text import host_text
from sima_compiler.ir.verify_host import infer
from tests.support.host_cases import all_cases

TAIL = HostSegment(
    name="tail",
    inputs=(HostTensor("x", (2, 5), Dtype.FLOAT32),),
    outputs=(HostTensor("best", (2, 1), Dtype.INT64), HostTensor("y", (2, 5), Dtype.FLOAT32)),
    nodes=(
        HostNode("Softmax", ("x",), ("p",), {"axis": -1}, "head/softmax"),
        HostNode("Mul", ("p", "k"), ("y",)),
        HostNode("ArgMax", ("x",), ("best",), {"axis": 1}),
    ),
    constants={"k": np.array(0.1, np.float32), "a": np.array([], np.int64)},
)


def test_every_case_is_read_back_as_it_was() -> None:
    for case in all_cases():
        data = to_bytes(case.segment)
        assert to_bytes(from_bytes(data)) == data
        assert host_text(from_bytes(data)) == host_text(case.segment)


def test_the_order_of_attributes_and_constants_is_not_part_of_a_segment() -> None:
    attributes = {"perm": (1, 0)}
    first = HostSegment(
        "s", (), (), (HostNode("Transpose", (), (), attributes | {"a": 1}),), {"b": np.zeros(1), "a": np.ones(1)}
    )
    other = HostSegment(
        "s", (), (), (HostNode("Transpose", (), (), {"a": 1} | attributes),), {"a": np.ones(1), "b": np.zeros(1)}
    )
    assert to_bytes(first) == to_bytes(other)


def test_the_text_shows_all_that_matters() -> None:
    assert host_text(TAIL).splitlines() == [
        "host segment tail",
        "input x 2x5 float32",
        "constant a int64 0 []",
        "constant k float32 () [0.1]",
        "p 2x5 float32 = Softmax(x) axis=-1 [head/softmax]",
        "y 2x5 float32 = Mul(p, k)",
        "best 2x1 int64 = ArgMax(x) axis=1",
        "output best",
        "output y",
    ]


def test_any_damage_is_an_error_and_never_another() -> None:
    data, draw = to_bytes(TAIL), random.Random(1)
    for _ in range(1500):
        broken = bytearray(data)
        for _ in range(draw.randint(1, 3)):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        broken = broken[: draw.randrange(len(broken))] if draw.random() < 0.2 else broken
        try:
            infer(from_bytes(bytes(broken), "x.so"))
        except HostError:
            continue


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: data[:10], "does not start with SIMAHOST"),
        (lambda data: data[:-8], "lies outside of the file"),
        (lambda data: data + b"12345678", "where its head tells of"),
        (lambda data: data[:8] + (9).to_bytes(4, "little") + data[12:], "version 9 is newer"),
        (lambda data: data[:12] + (1 << 40).to_bytes(8, "little") + data[20:], "damaged: a head of"),
    ],
    ids=["start", "end", "more", "newer", "head"],
)
def test_damage_is_named(change, sentence: str) -> None:
    with pytest.raises(HostError, match=sentence):
        from_bytes(change(to_bytes(TAIL)), "x.so")


def test_sizes_are_checked_before_anything_is_made() -> None:
    head = {"name": "", "inputs": [], "outputs": [], "nodes": [], "constants": [["a", [1 << 62, 8], "float32"]]}
    text = json.dumps(head).encode()
    data = b"SIMAHOST" + (1).to_bytes(4, "little") + len(text).to_bytes(8, "little") + text
    with pytest.raises(HostError, match="lies outside"):
        from_bytes(data)


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ((HostNode("Exp", ("z",), ("y",)),), "nothing made before it"),
        ((HostNode("Exp", ("x",), ("x",)),), "made twice"),
        ((HostNode("Exp", ("x",), ("z",)),), "never made"),
        ((HostNode("Reshape", ("x", "axes"), ("y",)),), "has 9 axes, where 8 are taken"),
    ],
)
def test_names_and_axes_are_verified(nodes: tuple[HostNode, ...], sentence: str) -> None:
    tensor = HostTensor("x", (2,), Dtype.FLOAT32)
    shape = np.array([2, *(1,) * 8])
    segment = HostSegment("s", (tensor,), (HostTensor("y", (2,), Dtype.FLOAT32),), nodes, {"axes": shape})
    with pytest.raises(HostError, match=sentence):
        infer(segment)
