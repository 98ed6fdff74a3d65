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

#: (network, batch, limit) against `bound_cycles`.
BOUND = (
    ("light_resnet50", 1, 1.12),
    ("light_resnet50", 8, 1.08),
    ("light_resnet50", 14, 1.08),
    ("resnet50", 1, 1.12),
    ("resnet50", 8, 1.08),
    ("resnet50", 14, 1.08),
    ("yolo_style_640", 1, 1.15),
    ("mobilenet_v2", 1, 1.25),
    ("mobilenetv2", 1, 1.25),
    ("efficientnet_b0", 1, 1.45),
    ("efficientnetb0", 1, 1.45),
    ("light_squeezenet", 1, 1.5),
)
#: (network, batch, limit) against `padded_bound_cycles`.
PADDED = (
    ("light_vgg19", 1, 1.1),
    ("mobilenet_v2", 8, 1.1),
    ("mobilenetv2", 8, 1.1),
    ("efficientnet_b0", 8, 1.1),
    ("efficientnetb0", 8, 1.1),
    ("unet_512", 1, 1.1),
    ("unet_512", 4, 1.1),
)

TEXT = """\
Machine `mlsoc`, all four quads, compress=True. `bound` is the larger of MACs over peak and compulsory bytes over DRAM
bandwidth; `padded` adds whole vectors and weight blocks, and what does not fit on chip (docs/machine-model.md). Weights
are drawn at random: Gaussian ones (light_*, mobilenet_v2, ...) compress to about nine tenths, uniform noise (resnet50,
mobilenetv2 and efficientnetb0 from the networks folder) does not compress at all. Trained weights do better."""


def section() -> Section:
    """The table; networks from the folder are left out where there is none."""
    return Section("Runtime over the lower bounds", "python -m tests.benchmarks.run bounds", TEXT, tuple(_rows()))


def _rows() -> Iterator[Row]:
    for cases, which in ((BOUND, "bound"), (PADDED, "padded")):
        for name, batch, limit in cases:
            model = network(name)
            if model is not None:
                yield row(name, model, batch, limit, which)


def network(name: str) -> Model | None:
    """The network of that name, or None when it lies in a folder that is not there."""
    if name not in SHARED:
        return generated(name)
    folder = shared_folder()
    return Model.from_onnx(folder / f"{name}_int8_qdq.onnx") if folder is not None else None


def row(name: str, model: Model, batch: int, limit: float, which: str) -> Row:
    """One compile and its ratio. A batch that was not built is a miss: its row says which one was."""
    with tempfile.TemporaryDirectory() as folder:
        result = model.compile(output_path=folder, batch_size=batch)
    least = result.bound_cycles if which == "bound" else result.padded_bound_cycles
    built = result.actual_batch_size
    stalls = {key: value for key, value in result.stall_cycles.items() if value}
    facts = {
        "batch": str(batch) if built == batch else f"{batch} (built {built})",
        "runtime": f"{result.runtime_cycles:,}",
        "bound": f"{result.bound_cycles:,}",
        "padded": f"{result.padded_bound_cycles:,}",
        "compute": f"{result.compute_cycles:,}",
        "stalls": ", ".join(f"{key} {value:,}" for key, value in stalls.items()),
        "over": which,
    }
    return Row(name, facts, result.runtime_cycles / least if built == batch else float("inf"), limit)
