"""Runtime over the lower bounds on the bundled machine.

In: networks at batch sizes. Out: a table of runtime, bound and their ratio beside the limits that this project set
itself. Absolute cycles stand beside every ratio, because better compression lowers runtime and bound alike.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from sima_compiler import Model
from tests.benchmarks.networks import SHARED, generated, shared_folder
from tests.benchmarks.tables import Row, Section

#: (network, batch, limit) against `padded_bound_cycles`; the other bound knows nothing of starts.
CASES = (
    ("light_resnet50", 1, 1.012),
    ("light_resnet50", 8, 1.03),
    ("light_resnet50", 14, 1.025),
    ("resnet50", 1, 1.012),
    ("resnet50", 8, 1.03),
    ("resnet50", 14, 1.025),
    ("yolo_style_640", 1, 1.08),
    ("mobilenet_v2", 1, 1.09),
    ("mobilenetv2", 1, 1.09),
    ("mobilenet_v2", 8, 1.036),
    ("mobilenetv2", 8, 1.036),
    ("efficientnet_b0", 1, 1.08),
    ("efficientnetb0", 1, 1.08),
    ("efficientnet_b0", 8, 1.03),
    ("efficientnetb0", 8, 1.03),
    ("light_squeezenet", 1, 1.07),
    ("light_vgg19", 1, 1.045),
    ("unet_512", 1, 1.03),
    ("unet_512", 4, 1.03),
)

TEXT = """\
Machine `mlsoc`, all four quads, compress=True. `bound` is the larger of MACs over peak and compulsory bytes over DRAM
bandwidth; `padded` adds whole vectors and weight blocks, the start of every node for every sample, and what does not
fit on chip (docs/machine-model.md); it is what ratios are over. Weights are drawn at random: Gaussian ones (light_*,
mobilenet_v2, ...) compress to about nine tenths, uniform noise (resnet50, mobilenetv2 and efficientnetb0 from the
networks folder) does not compress at all. Trained weights do better."""


def section() -> Section:
    """The table; networks from the folder are left out where there is none."""
    return Section("Runtime over the lower bounds", "python -m tests.benchmarks.run bounds", TEXT, tuple(_rows()))


def _rows() -> Iterator[Row]:
    for name, batch, limit in CASES:
        model = network(name)
        if model is not None:
            yield row(name, model, batch, limit)


def network(name: str) -> Model | None:
    """The network of that name, or None when it lies in a folder that is not there."""
    if name not in SHARED:
        return generated(name)
    folder = shared_folder()
    return Model.from_onnx(folder / f"{name}_int8_qdq.onnx") if folder is not None else None


def row(name: str, model: Model, batch: int, limit: float) -> Row:
    """One compile and its ratio. A batch that was not built is a miss: its row says which one was."""
    with tempfile.TemporaryDirectory() as folder:
        result = model.compile(output_path=folder, batch_size=batch)
    built = result.actual_batch_size
    stalls = {key: value for key, value in result.stall_cycles.items() if value}
    facts = {
        "batch": str(batch) if built == batch else f"{batch} (built {built})",
        "runtime": f"{result.runtime_cycles:,}",
        "bound": f"{result.bound_cycles:,}",
        "padded": f"{result.padded_bound_cycles:,}",
        "compute": f"{result.compute_cycles:,}",
        "stalls": ", ".join(f"{key} {value:,}" for key, value in stalls.items()),
    }
    return Row(
        name, facts, result.runtime_cycles / result.padded_bound_cycles if built == batch else float("inf"), limit
    )
