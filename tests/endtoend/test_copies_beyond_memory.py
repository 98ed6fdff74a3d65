"""Copies and vector layers of maps many times larger than a memory of 4 KiB: no refusal, and all judges agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.networks.float_net import FloatNet
from tests.support.judges import assert_judges_agree
from tests.support.qdq_writer import Style, write_qdq

SPECS = Path(__file__).parents[2] / "compiler" / "sima_compiler" / "machine" / "specs"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny machine with one quad of 4 KiB."""
    text = (SPECS / "tiny.yaml").read_text()
    for field, value in (("name", "four_kib"), ("quads", "1"), ("sram_bytes_per_quad", "4096")):
        lines = [f"{field}: {value}" if line.startswith(f"{field}:") else line for line in text.splitlines()]
        text = "\n".join(lines) + "\n"
    path = tmp_path_factory.mktemp("machine") / "four_kib.yaml"
    path.write_text(text)
    return str(path)


def transposed(net: FloatNet, x: str, *axes: int) -> str:
    shape = tuple(net.shapes[x][axis] for axis in axes)
    return net.node("Transpose", [x], shape, perm=[0, *(axis + 1 for axis in axes)])


def wide_rows(net: FloatNet) -> list[str]:
    x = net.input((5, 31, 60))
    return [net.unary("Sigmoid", net.reshape(x, (5 * 31, 60))), net.reshape(x, (60, 31, 5))]


def flat(net: FloatNet) -> list[str]:
    x = net.conv(net.input((3, 30, 31)), 20)
    return [net.reshape(x, (20 * 30 * 31,))]


def shuffle(net: FloatNet) -> list[str]:
    x = net.conv(net.input((3, 20, 24)), 24)
    parts = transposed(net, net.reshape(x, (4, 6, 480)), 1, 0, 2)
    return [net.conv(net.reshape(parts, (24, 20, 24)), 3)]


def cut_twice(net: FloatNet) -> list[str]:
    """Neither reshape is a view of what it reads: each goes through a packed map of its own."""
    x = net.unary("Tanh", net.reshape(net.input((31, 40, 18)), (1, 155, 6, 24)))
    return [net.unary("Sigmoid", net.reshape(x, (8, 2790)))]


def transposes(net: FloatNet) -> list[str]:
    x = net.input((17, 19, 50))
    y = net.conv(transposed(net, x, 2, 0, 1), 5)
    return [y, net.conv(transposed(net, x, 1, 2, 0), 7)]


def space_to_depth(net: FloatNet) -> list[str]:
    x = net.conv(net.input((3, 24, 40)), 5)
    parts = net.node("Transpose", [net.reshape(x, (5, 12, 2, 20, 2))], (2, 2, 5, 12, 20), perm=[0, 3, 5, 1, 2, 4])
    return [net.conv(net.reshape(parts, (20, 12, 20)), 4)]


def many_sources(net: FloatNet) -> list[str]:
    x = net.input((6, 20, 44))
    parts = [x, net.unary("Tanh", x), net.unary("Sigmoid", x), net.unary("HardSwish", x)]
    return [net.concat(parts, 2), net.concat([net.concat(parts, 0), net.concat(parts[::-1], 0)], 1)]


def vectors(net: FloatNet) -> list[str]:
    x = net.reshape(net.input((5, 40, 50)), (5 * 40 * 50,))
    constant = net.constant(np.linspace(-1, 1, 5 * 40 * 50, dtype=np.float32))
    y = net.binary("Add", net.unary("Tanh", x), constant, net.shapes[x])
    return [net.binary("Mul", y, x)]


NETWORKS: list[Callable[[FloatNet], list[str]]] = [
    wide_rows,
    flat,
    shuffle,
    cut_twice,
    transposes,
    space_to_depth,
    many_sources,
    vectors,
]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("build", NETWORKS)
def test_large_copies_run_anywhere(
    tmp_path: Path, machine: str, build: Callable[[FloatNet], list[str]], batch: int
) -> None:
    net = FloatNet(5)
    original = write_qdq(net.model(build(net)), 5, Style())
    assert_judges_agree(original, tmp_path, batch=batch, compress=batch == 1, machine=machine)
