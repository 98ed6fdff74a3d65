"""Hundreds of random small networks: numpy, the simulated `.lm` and onnxruntime agree on every element."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnxruntime.quantization import QuantType

from sima_compiler import Machine
from tests.strategies import Drawn, float_networks, networks
from tests.support.judges import assert_judges_agree
from tests.support.oracle import quantize_by_onnxruntime
from tests.support.qdq_writer import random_inputs

#: As many as take a minute of one core; `tests.long.random_graphs` judges thousands.
WANTED = 200
# No shrinking: a failing network prints itself and is small already, and shrinking compiles for minutes.
SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.large_base_example,
    ],
    phases=[Phase.explicit, Phase.generate],
)
SEEDED = st.integers(0, 2**31).flatmap(
    lambda seed: st.tuples(st.just(seed), float_networks(seed=seed, steps=5, common=True))
)


def test_200_random_networks(tmp_path: Path) -> None:
    """Each at one batch: a third at 1, the others beyond."""
    alone: set[str] = set()
    beyond_one: set[str] = set()

    @settings(SETTINGS, max_examples=4 * WANTED)
    @given(networks(), st.booleans(), st.sampled_from([2, 3]), st.booleans())
    def check(drawn: Drawn, compress: bool, batch: int, tiny: bool) -> None:
        digest = hashlib.sha256(drawn.quantized.SerializeToString()).hexdigest()
        seen = alone | beyond_one
        if digest in seen or len(seen) == WANTED:
            return
        wanted = 1 if len(seen) % 3 == 0 else batch
        machine = "tiny" if tiny else "mlsoc"
        verdict = assert_judges_agree(drawn.quantized, tmp_path, batch=wanted, compress=compress, machine=machine)
        (beyond_one if verdict.batch > 1 else alone).add(digest)

    check()
    assert len(alone | beyond_one) == WANTED
    assert len(beyond_one) > WANTED // 2


@pytest.mark.parametrize("operators", [False, True], ids=["qdq", "qoperator"])
def test_random_networks_quantized_by_onnxruntime(tmp_path: Path, operators: bool) -> None:
    """The same, with files as `quantize_static` writes them, in both of its forms."""
    seen: set[str] = set()

    @settings(SETTINGS, max_examples=100)
    @given(SEEDED, st.booleans(), st.sampled_from([QuantType.QInt8, QuantType.QUInt8]))
    def check(drawn: tuple[int, onnx.ModelProto], per_channel: bool, activation: QuantType) -> None:
        if len(seen) == 30:
            return
        seed, float_model = drawn
        batches = [random_inputs(float_model, 2, np.random.default_rng(seed + index)) for index in range(2)]
        quantized = quantize_by_onnxruntime(
            float_model, batches, tmp_path, operators=operators, per_channel=per_channel, activation=activation
        )
        assert_judges_agree(quantized, tmp_path, batch=2, compress=per_channel)
        seen.add(hashlib.sha256(quantized.SerializeToString()).hexdigest())

    check()
    assert len(seen) == 30


def test_random_networks_on_4_kib_are_neither_refused_nor_wrong(tmp_path: Path) -> None:
    """Most of their maps are larger than the memory: every kind of layer is striped, cut, or summed in parts."""
    text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", "sram_bytes_per_quad: 4096")
    machine = tmp_path / "small.yaml"
    machine.write_text(text.replace("quads: 2", "quads: 1"), encoding="utf-8")
    seen: set[str] = set()

    @settings(SETTINGS, max_examples=200)
    @given(networks())
    def check(drawn: Drawn) -> None:
        digest = hashlib.sha256(drawn.quantized.SerializeToString()).hexdigest()
        if digest in seen or len(seen) == 40:
            return
        assert_judges_agree(drawn.quantized, tmp_path, batch=1, compress=len(seen) % 2 == 0, machine=str(machine))
        seen.add(digest)

    check()
    assert len(seen) == 40
