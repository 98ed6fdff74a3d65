"""No schedule lies below the bounds: random networks, batches and machines, every one compiled for real."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sima_compiler import DoesNotFitError, Machine, Model
from tests.networks.float_net import FloatNet
from tests.strategies import networks
from tests.support.qdq_writer import Style, write_qdq
from tests.support.small_models import write_small_model

SHARED = str(Path(__file__).parents[1] / "machine" / "shared_port.yaml")
SETTINGS = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@SETTINGS
@given(networks(), st.booleans(), st.sampled_from([1, 2, 3]), st.sampled_from(["tiny", "mlsoc", SHARED]))
def test_no_schedule_is_faster_than_its_bounds(drawn, compress: bool, batch: int, machine: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.onnx"
        path.write_bytes(drawn.quantized.SerializeToString())
        try:
            result = Model.from_onnx(path).compile(folder, batch, compress, machine=machine)
        except DoesNotFitError:
            return
    assert result.bound_cycles <= result.padded_bound_cycles <= result.runtime_cycles
    assert result.compute_cycles <= result.runtime_cycles


def test_the_bound_does_not_depend_on_whether_weights_are_stored_compressed(tmp_path: Path) -> None:
    """It counts the smaller of both sizes, so that a worse choice never looks closer to it."""
    model = Model.from_onnx(write_small_model(tmp_path))
    stored = model.compile(str(tmp_path), compress=True)
    raw = model.compile(str(tmp_path), compress=False)
    assert raw.bound_cycles == stored.bound_cycles


#: (input shape, outputs, kernel, pads, dilation, groups): windows that hang far out of their maps.
HANGING = [
    ((400, 1, 1), 8, 7, 3, 1, 1),
    ((400, 3, 3), 8, 3, 7, 7, 1),
    ((24, 8, 8), 24, 65, 32, 1, 24),
    ((3, 9, 9), 8, 33, 16, 1, 1),
]


@pytest.mark.parametrize(("shape", "outputs", "kernel", "pad", "dilation", "groups"), HANGING)
def test_parts_that_are_left_out_over_padding_do_not_beat_the_bound(
    tmp_path: Path, shape: tuple[int, int, int], outputs: int, kernel: int, pad: int, dilation: int, groups: int
) -> None:
    machine = tmp_path / "small.yaml"
    text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", "sram_bytes_per_quad: 4096")
    machine.write_text(text.replace("quads: 2", "quads: 1"), encoding="utf-8")
    net = FloatNet(1)
    y = net.conv(net.input(shape), outputs, kernel, pads=(pad,) * 4, dilation=dilation, groups=groups)
    result = Model.from_onnx(write_qdq(net.model([y]), 1, Style())).compile(str(tmp_path), machine=str(machine))
    assert result.bound_cycles <= result.padded_bound_cycles <= result.runtime_cycles
