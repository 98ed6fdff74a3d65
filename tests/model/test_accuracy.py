"""Criterion and layer errors on a network really trained on real data: the digits of the tutorials."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from sima_compiler import Archive, InputError, Model, quantize, simulate

DIGITS = Path(__file__).parents[2] / "notebooks" / "digits"
Array = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def data() -> dict[str, Array]:
    with np.load(DIGITS / "digits.npz") as held:
        return {name: (held[name] / (1 if name == "labels" else 16)).astype(np.float32) for name in held.files}


@pytest.fixture(scope="module")
def model(data: dict[str, Array]) -> Model:
    return quantize(DIGITS / "digits.onnx", [{"image": data["calibration"]}])


@pytest.fixture(scope="module")
def float_scores(data: dict[str, Array]) -> Array:
    session = onnxruntime.InferenceSession(DIGITS / "digits.onnx")
    return np.asarray(session.run(None, {"image": data["images"]})[0])


def pieces(data: dict[str, Array], size: int) -> Iterator[tuple[dict[str, Array], Array]]:
    for start in range(0, len(data["images"]), size):
        yield {"image": data["images"][start : start + size]}, data["labels"][start : start + size]


def share_right(outputs: list[Array], labels: Array) -> float:
    return float((outputs[0].argmax(1) == labels).mean())


def test_accuracy_in_float_quantized_and_simulated(
    model: Model, data: dict[str, Array], float_scores: Array, tmp_path: Path
) -> None:
    """Three numbers side by side; what the `.lm` computes is what the quantized network computes, to the bit."""
    in_float = share_right([float_scores], data["labels"])
    quantized = model.evaluate(pieces(data, 360), share_right)
    result = model.compile(tmp_path, batch_size=60)
    archive = Archive.open(result.path)
    size = result.actual_batch_size
    assert size == 60
    scores = [simulate(archive, inputs).outputs["scores"] for inputs, _ in pieces(data, size)]
    assert np.array_equal(np.concatenate(scores), model.execute({"image": data["images"]})[0])
    simulated = share_right([np.concatenate(scores)], data["labels"])
    assert in_float >= 0.97
    assert simulated == quantized
    assert abs(quantized - in_float) <= 0.01


def test_pieces_of_other_sizes_weigh_what_they_hold(model: Model, data: dict[str, Array]) -> None:
    whole = model.evaluate(pieces(data, 360), share_right)
    assert model.evaluate(pieces(data, 100), share_right) == pytest.approx(whole, abs=1e-12)
    first = [len(labels) for _, labels in pieces(data, 100)]
    assert first == [100, 100, 100, 60]
    mean_label = model.evaluate(pieces(data, 100), lambda _, labels: float(labels.mean()))
    assert mean_label == pytest.approx(float(data["labels"].mean()))


@pytest.mark.parametrize("wrong", [[], [{"image": 1}], [5], [({"picture": np.zeros((1, 1, 8, 8), np.float32)}, 0)]])
def test_data_that_does_not_fit_is_an_error(model: Model, wrong: list[Any]) -> None:
    with pytest.raises(InputError):
        model.evaluate(wrong, share_right)


def test_errors_of_layers(model: Model, data: dict[str, Array], float_scores: Array) -> None:
    """Fed by the quantized network the last values are the network's outputs; fed locally each error is its own."""
    seen: list[tuple[Array, Array]] = []

    def largest(reference: Array, ours: Array) -> float:
        seen.append((reference, ours))
        return float(np.abs(reference - ours).max())

    images = {"image": data["images"][:40]}
    grown = model.analyze_quantization_error([images], largest)
    reference, ours = seen[-1]
    assert np.array_equal(ours, model.execute(images)[0])
    noise, signal = np.square(reference - float_scores[:40]).sum(), np.square(float_scores[:40]).sum()
    assert signal / noise > 1000, "the reference is the float network but for its weights' 8 bits"
    own = model.analyze_quantization_error([images], largest, local_feed=True)
    assert (
        [layer.node for layer in own] == [layer.node for layer in grown] == [node.source for node in model.graph.nodes]
    )
    assert own.layers[0] == grown.layers[0], "the first layer reads the input either way"
    assert own.layers[-1].error < grown.layers[-1].error, "errors add up"
    assert grown.worst()[0].error == max(layer.error for layer in grown)
    assert grown.samples == 40


def test_errors_are_means_over_samples(model: Model, data: dict[str, Array]) -> None:
    def squares(reference: Array, ours: Array) -> float:
        return float(np.square(reference.astype(np.float64) - ours).mean())

    whole = model.analyze_quantization_error([{"image": data["images"][:30]}], squares)
    parts = [{"image": data["images"][:10]}, {"image": data["images"][10:30]}]
    for one, other in zip(whole, model.analyze_quantization_error(parts, squares), strict=True):
        assert other.error == pytest.approx(one.error)
    with pytest.raises(InputError, match="no data to analyze"):
        model.analyze_quantization_error([], squares)


def test_every_form_of_the_errors_holds_them(model: Model, data: dict[str, Array]) -> None:
    found = model.analyze_quantization_error(
        [{"image": data["images"][:4]}], lambda one, two: float(one.size + two.size)
    )
    plain = json.loads(json.dumps(found.to_dict()))
    assert [row["error"] for row in plain["layers"]] == [layer.error for layer in found]
    for text in (repr(found), str(found._repr_html_())):
        for layer in found:
            assert layer.node in text
            assert f"{layer.error:.4g}" in text
