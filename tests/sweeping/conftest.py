"""One small quantized network for every sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from sima_compiler import Model
from tests.support.small_models import write_small_model


@pytest.fixture(scope="session")
def swept(fixture_dir: Path) -> Model:
    folder = fixture_dir / "sweeping"
    folder.mkdir(exist_ok=True)
    return Model.from_onnx(write_small_model(folder))
