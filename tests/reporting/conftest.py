"""Archives that the tests of the report share; padding, depthwise layers, copies, stripes and spills are in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sima_compiler import Archive
from tests.networks.quantized import Networks, quantized_networks

__all__ = ["compiled", "quantized_networks"]

COMPILES: Mapping[str, dict[str, Any]] = {
    "mobilenet_v2_small": {"batch_size": 4},
    "yolo_style_small": {"batch_size": 2},
    "unet_small": {"machine": "tiny", "quads": 1, "compress": False},
}


@pytest.fixture(scope="session", params=sorted(COMPILES))
def compiled(
    request: pytest.FixtureRequest, quantized_networks: Networks, tmp_path_factory: pytest.TempPathFactory
) -> Archive:
    """One compiled archive after the other."""
    folder: Path = tmp_path_factory.mktemp("compiled")
    return quantized_networks(request.param).compile(folder, **COMPILES[request.param]).archive
