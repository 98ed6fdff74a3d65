"""Resize by linear interpolation: every coordinate mode, up and down, equal to onnxruntime in every element."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sima_compiler.errors import UnsupportedError
from sima_compiler.frontend.resizing import COORDINATES
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.on_mla import on_mla
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

SCALES = [(2, 2), (1.5, 3), (0.5, 0.5), (0.7, 1.3), (4, 1), (2.37, 3.1)]


def resized(
    scales: tuple[float, float] | None,
    *,
    kind: type = INT8,
    shape: tuple[int, int, int] = (6, 9, 7),
    sizes: tuple[int, int] | None = None,
    same: bool = True,
    **attributes: Any,
) -> onnx.ModelProto:
    """``same``: the result has its input's scale, so that sums of quarters and sixteenths lie on ties."""
    net = QdqGraph(kind)
    x = net.input(shape, scale=0.02, zero=3)
    given = net.constant([1, 1, *scales], np.float32) if scales else ""
    inputs = [x, "", given] if sizes is None else [x, "", "", net.constant([1, shape[0], *sizes], np.int64)]
    attributes = {"coordinate_transformation_mode": "half_pixel", **attributes}
    y = net.op("Resize", *inputs, mode="linear", **attributes)
    net.output(net.pair(y, 0.02 if same else 0.0173, 3))
    return net.model()


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("coordinate", COORDINATES)
def test_every_mode_is_exact(coordinate: str, scales: tuple[float, float]) -> None:
    for same, kind in ((True, INT8), (False, UINT8)):
        model = resized(scales, same=same, kind=kind, coordinate_transformation_mode=coordinate)
        (array,) = assert_reference_agrees(model).values()
        assert len(np.unique(array)) > 50


def test_sizes_and_one_row_are_exact() -> None:
    assert_reference_agrees(resized(None, sizes=(13, 5)))
    assert_reference_agrees(resized((3, 2), shape=(2, 1, 5)))
    assert_reference_agrees(resized((3, 0.4), shape=(2, 1, 5), coordinate_transformation_mode="pytorch_half_pixel"))


@pytest.mark.parametrize("scales", [(2, 2), (0.7, 1.3)])
@pytest.mark.parametrize("machine", ["mlsoc", "tiny"])
def test_the_archive_is_exact_too(scales: tuple[float, float], machine: str, tmp_path: Path) -> None:
    assert_judges_agree(resized(scales), tmp_path, batch=3, compress=True, machine=machine)


def test_maps_beyond_the_memory_are_striped(tmp_path: Path) -> None:
    """16 x 160 x 152 results are several times what the tiny machine holds."""
    model = resized((4, 4), shape=(16, 40, 38))
    verdict = assert_judges_agree(model, tmp_path, batch=1, compress=False, machine="tiny")
    assert verdict.elements == 16 * 160 * 152


def test_limits_and_functions_ride_on_it(tmp_path: Path) -> None:
    net = QdqGraph(seed=2)
    y = net.op("Resize", net.input((6, 5, 5)), "", net.constant([1, 1, 2, 2], np.float32), mode="linear")
    y = net.pair(net.op("Relu", y), 0.02, -128)
    net.output(net.pair(net.op("Sigmoid", y), 1 / 256, -128))
    z = net.op("Resize", y, "", net.constant([1, 1, 2, 1], np.float32), mode="linear")
    net.output(net.pair(z, 0.03, -9))
    assert_judges_agree(net.model(), tmp_path, batch=2, compress=True)


@pytest.mark.parametrize(
    "attributes", [{"antialias": 1}, {"mode": "cubic"}, {"coordinate_transformation_mode": "tf_crop_and_resize"}]
)
def test_other_modes_are_refused(attributes: dict[str, Any]) -> None:
    net = QdqGraph(opset=19)
    scales = net.constant([1, 1, 0.5, 0.5], np.float32)
    up = net.op("Resize", net.input((2, 6, 4)), "", scales, **{"mode": "linear", **attributes})
    net.output(net.pair(up, 0.02, 3))
    with pytest.raises(UnsupportedError, match=r"without antialiasing|coordinate mode"):
        on_mla(net.model())
