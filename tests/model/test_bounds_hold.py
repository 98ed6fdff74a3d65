"""No schedule lies below the bounds: random networks, batches and machines, every one compiled for real."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sima_compiler import DoesNotFitError, Model
from tests.strategies import networks
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
