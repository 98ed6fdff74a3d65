"""Quantized networks that several tests share; each is made once per run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Model
from sima_compiler.frontend.light_models import light_model
from tests.networks.topologies import mobilenet_v2, unet, yolo_segmenter, yolo_style
from tests.support.once import to_be_made
from tests.support.oracle import folded, quantize_by_onnxruntime
from tests.support.qdq_writer import random_inputs

#: Float networks by name: full size for the comparisons that must hold, small for everything that only needs a network.
BUILDERS: dict[str, Callable[[], onnx.ModelProto]] = {
    "light_resnet50": lambda: light_model("resnet50", 1),
    "light_squeezenet": lambda: light_model("squeezenet", 1),
    "light_shufflenet": lambda: light_model("shufflenet", 1),
    "mobilenet_v2": mobilenet_v2,
    "yolo_style": yolo_style,
    "unet": unet,
    "mobilenet_v2_small": lambda: mobilenet_v2(64, 0.35, classes=10),
    "yolo_style_small": lambda: yolo_style(128, 8, classes=4),
    "unet_small": lambda: unet(48, 8),
    "yolo_segmenter_small": lambda: yolo_segmenter(128, 8, classes=4, masks=8),
}


@dataclass(frozen=True, slots=True)
class Networks:
    """Makes quantized networks on demand and keeps their files in ``folder``.

    The original of each is a file that onnxruntime's own `quantize_static` wrote; the ``.sima`` file was read from it.
    """

    folder: Path

    def __call__(self, name: str) -> Model:
        """The quantized network of that name."""
        return Model.load(name, str(self.path(name).parent))

    def path(self, name: str) -> Path:
        """The ``.sima`` file of that name."""
        target = self.folder / f"{name}.sima"
        with to_be_made(target) as missing:
            if missing:
                Model.from_onnx(self.original(name), name).save(name, str(self.folder))
        return target

    def original(self, name: str) -> Path:
        """The user's file of that name, in QDQ form."""
        target = self.folder / f"{name}.onnx"
        with to_be_made(target) as missing:
            if missing:
                quantized_original(BUILDERS[name](), target)
        return target


def quantized_original(float_model: onnx.ModelProto, target: Path) -> Path:
    """The file that onnxruntime's `quantize_static` makes of a float model and two seeded samples."""
    workplace = target.with_name(f"{target.stem}_quantizing")
    workplace.mkdir()
    float_model = folded(float_model)
    batches = [random_inputs(float_model, 1, np.random.default_rng(index)) for index in range(2)]
    onnx.save(quantize_by_onnxruntime(float_model, batches, workplace), target)
    return target


@pytest.fixture(scope="session")
def quantized_networks(shared_dir: Path) -> Networks:
    folder = shared_dir / "networks"
    folder.mkdir(exist_ok=True)
    return Networks(folder)
