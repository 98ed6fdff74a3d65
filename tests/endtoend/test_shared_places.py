"""Maps that share a place on chip, in the arrangements where one could overwrite another that is still needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.networks.float_net import FloatNet
from tests.support.judges import assert_judges_agree
from tests.support.qdq_writer import Style, write_qdq


def function_of_a_part(net: FloatNet) -> list[str]:
    """A part of a concatenation has its last reader before the whole has: its bytes must not be reused."""
    x = net.input((16, 9, 9))
    parts = [net.conv(x, 16, 3), net.conv(x, 16)]
    inner = net.concat(parts)
    whole = net.concat([inner, net.conv(x, 32)])
    lowered = net.unary("Sigmoid", inner)
    return [net.conv(lowered, 8), net.conv(whole, 8)]


def sum_with_a_part(net: FloatNet) -> list[str]:
    x = net.input((16, 9, 9))
    a, b = net.conv(x, 32), net.conv(x, 32, 3)
    whole = net.concat([a, b])
    total = net.binary("Add", net.conv(whole, 32), a)
    return [net.conv(total, 8), net.conv(net.unary("Tanh", whole), 8)]


def function_of_the_whole(net: FloatNet) -> list[str]:
    """The whole has its last reader before a part has."""
    x = net.input((16, 9, 9))
    a, b = net.conv(x, 16), net.conv(x, 16, 3)
    changed = net.unary("Tanh", net.concat([a, b]))
    return [net.conv(changed, 8), net.conv(a, 8, 3), net.conv(changed, 4, 3)]


def chain_of_functions(net: FloatNet) -> list[str]:
    x = net.conv(net.input((16, 9, 9)), 32)
    y = net.unary("HardSwish", net.unary("Sigmoid", net.unary("Tanh", x)))
    return [net.binary("Mul", y, net.conv(x, 32, 3)), net.conv(y, 5)]


NETWORKS: list[Callable[[FloatNet], list[str]]] = [
    function_of_a_part,
    sum_with_a_part,
    function_of_the_whole,
    chain_of_functions,
]


@pytest.mark.parametrize("same_scale", [True, False])
@pytest.mark.parametrize("build", NETWORKS)
def test_nothing_overwrites_what_is_still_needed(
    tmp_path: Path, build: Callable[[FloatNet], list[str]], same_scale: bool
) -> None:
    net = FloatNet(9)
    quantized = write_qdq(net.model(build(net)), 9, Style(concat_keeps_scale=same_scale))
    assert_judges_agree(quantized, tmp_path, batch=2, compress=True)
