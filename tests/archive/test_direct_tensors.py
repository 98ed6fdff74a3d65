"""``tessellate_parameters``: which plugins a pipeline has with and without, and that the numbers stay.

The lists for 10, 16 and 51 channels stand in docs/segments.md too, from which they are read here.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Model, OptionError, TensorDRAMLayout, TensorTessellateParameters, UnsupportedError, simulate
from sima_compiler.archive.grammar import validate
from tests.support.headed import Sketch
from tests.support.judges import model_inputs

GUIDE = Path(__file__).parents[2] / "docs" / "segments.md"
HWC, HWC16 = TensorDRAMLayout.HWC, TensorDRAMLayout.HWC16


def network(inputs: int, outputs: int) -> Model:
    """One convolution of that many channels to that many."""
    net = Sketch(shape=(inputs, 6, 5))
    net.conv(net.quantized("x"), "y", (inputs, outputs))
    return Model.from_onnx(net.model({"y_dq": "float32"}), "direct")


def kernels(folder: Path, model: Model, batch: int = 1, **direct: TensorDRAMLayout) -> list[str]:
    """The pipeline's plugins by kernel, after the numbers were compared with the reference."""
    parameters = {name: TensorTessellateParameters(dram_layout=layout) for name, layout in direct.items()}
    result = model.compile(folder, batch_size=batch, tessellate_parameters=parameters)
    assert validate(result.archive.mpk.raw) == []
    inputs = model_inputs(model, result.actual_batch_size, 3)
    (found,) = simulate(result.archive, inputs).outputs.values()
    assert np.array_equal(found, model.execute(inputs)[0])
    plugins = result.archive.mpk.plugins
    return [plugin.kernel.removesuffix("_transform") if plugin.kernel else plugin.processor for plugin in plugins]


def rows_of_the_guide() -> dict[tuple[int, str], list[str]]:
    """Channels and what was asked for -> plugins, as docs/segments.md lists them."""
    rows = re.findall(r"^\| (\d+) \| (none|HWC16|HWC) \| (.+?) \|$", GUIDE.read_text("utf-8"), re.MULTILINE)
    return {(int(channels), asked): plugins.split(", ") for channels, asked, plugins in rows}


@pytest.mark.parametrize("channels", [10, 16, 51])
@pytest.mark.parametrize("asked", ["none", "HWC", "HWC16"])
def test_the_guide_lists_the_plugins_of_an_output(channels: int, asked: str, tmp_path: Path) -> None:
    direct = {} if asked == "none" else {"y_dq": TensorDRAMLayout(asked)}
    assert kernels(tmp_path, network(3, channels), **direct) == rows_of_the_guide()[channels, asked]


def test_every_row_of_the_guide_is_compiled() -> None:
    assert set(rows_of_the_guide()) == {(count, asked) for count in (10, 16, 51) for asked in ("none", "HWC", "HWC16")}


@pytest.mark.parametrize("channels", [10, 16, 51])
def test_an_input_goes_straight_to_the_mla(channels: int, tmp_path: Path) -> None:
    found = kernels(tmp_path, network(channels, 16), batch=3, x=HWC)
    assert found == ["quantization", "MLA", "detessellation", "dequantization", "pass_through"]


def test_a_tensor_is_named_by_its_node_too(tmp_path: Path) -> None:
    assert "detessellation" not in kernels(tmp_path, network(3, 16), y_node_output=HWC)


def test_padded_channels_are_the_tessellations_alone(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="10 channels") as caught:
        kernels(tmp_path, network(10, 16), x=HWC16)
    assert "TensorDRAMLayout.HWC" in caught.value.hint


def test_what_means_nothing_is_refused(tmp_path: Path) -> None:
    model = network(3, 16)
    with pytest.raises(OptionError, match="no input or output 'z'") as caught:
        kernels(tmp_path, model, z=HWC)
    assert "y_dq, x" in caught.value.hint
    with pytest.raises(UnsupportedError, match="tile_shape"):
        model.compile(tmp_path, tessellate_parameters={"x": TensorTessellateParameters((1, 2, 2, 3))})
    with pytest.raises(OptionError, match="is a str"):
        model.compile(tmp_path, tessellate_parameters={"x": "HWC"})  # pyright: ignore[reportArgumentType]
