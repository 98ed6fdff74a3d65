"""A whole run in about a minute: ``python -m sima_compiler.demo [--output DIR] [--batch-size 32]``.

ResNet-50's topology with seeded weights is quantized, saved, compiled for more samples than fit, and a whole batch runs
on the simulated machine; every logit is compared with onnxruntime. Files stay in the output folder. Exit status 0 means
that every integer and every float agreed, 1 that something differed or failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from sima_compiler import Archive, Model, SimaError, arithmetic, quantize, simulate
from sima_compiler.cli.compile import describe
from sima_compiler.cli.layout import table
from sima_compiler.cli.progress import progress_bar
from sima_compiler.frontend.light_models import light_model

NAME = "light_resnet50"
SEED = 50
CALIBRATION_SAMPLES = 2

Floats = Mapping[str, npt.NDArray[np.float32]]


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sima_compiler.demo",
        description="Quantize, compile and simulate ResNet-50 with seeded weights; compare with onnxruntime.",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), help="folder for the files (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="samples to ask for (%(default)s)")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        same = run(options.output, options.batch_size)
    except (SimaError, OSError) as error:
        print(f"demo failed: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(
        f"\n{'Passed' if same else 'FAILED'} in {time.monotonic() - started:.0f} s. The files are in {options.output}."
    )
    return 0 if same else 1


def run(folder: Path, batch_size: int) -> bool:
    """The demonstration itself; True when every compared number is equal."""
    folder.mkdir(parents=True, exist_ok=True)
    with step("weights: ResNet-50's topology with seeded values; untrained, so its answers mean nothing"):
        source = folder / f"{NAME}.onnx"
        onnx.save(light_model(NAME, SEED), source)
    with step(f"quantize: int8, calibrated with {CALIBRATION_SAMPLES} seeded random images; accuracy is meaningless"):
        model = quantize(str(source), list(calibration(source)), model_name=NAME)
        model.save(NAME, str(folder))
    with step(f"compile: at most {batch_size} samples per run"), progress_bar() as progress:
        result = model.compile(output_path=str(folder), batch_size=batch_size, progress=progress)
    archive = Archive.open(result.path)
    inputs = images(model, result.actual_batch_size)
    with step(f"simulate: a whole batch of {result.actual_batch_size} on the .lm's commands"):
        simulated = simulate(archive, inputs)
    with step("onnxruntime: the same batch, the same model"):
        oracle = run_onnxruntime(model, inputs)
    print(f"\n{describe(result)}\n\n{longest_layers(archive)}\n")
    return compare(model, simulated.quantized, simulated.outputs, oracle)


@contextmanager
def step(title: str) -> Generator[None]:
    """Say what starts, then how long it took."""
    print(title, flush=True)
    started = time.monotonic()
    yield
    print(f"    {time.monotonic() - started:.1f} s", flush=True)


def calibration(source: Path) -> Iterator[Floats]:
    """Seeded random images under the input name of the float model."""
    value = onnx.load(source, load_external_data=False).graph.input[0]
    shape = [1, *(int(item.dim_value) for item in value.type.tensor_type.shape.dim[1:])]
    random = np.random.default_rng(SEED)
    for _ in range(CALIBRATION_SAMPLES):
        yield {value.name: random.standard_normal(shape, dtype=np.float32)}


def images(model: Model, batch: int) -> dict[str, npt.NDArray[np.float32]]:
    """One seeded batch, other images than those of the calibration."""
    random = np.random.default_rng(SEED + 1)
    shapes = {name: model.graph.tensors[name].shape for name in model.graph.inputs}
    return {name: random.standard_normal((batch, *shape), dtype=np.float32) for name, shape in shapes.items()}


def run_onnxruntime(model: Model, inputs: Floats) -> dict[str, npt.NDArray[np.float32]]:
    """Outputs by name of the form of the model that onnxruntime evaluates in integers throughout."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    data = model.to_onnx(uint8=True).SerializeToString()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    results = [np.asarray(values, np.float32) for values in session.run(names, dict(inputs))]
    return dict(zip(names, results, strict=True))


def compare(model: Model, integers: Mapping[str, npt.NDArray[np.int8]], reals: Floats, oracle: Floats) -> bool:
    """Print one line per output; True when no integer and no float differs."""
    wrong = 0
    for name, expected in oracle.items():
        wanted = arithmetic.quantize(expected, model.graph.tensors[name].quant)
        different = int(np.sum(wanted != integers[name])), int(np.sum(expected != reals[name]))
        print(f"{name}: {expected.size:,} values; {different[0]} integers and {different[1]} floats differ")
        wrong += sum(different)
    return wrong == 0 and set(oracle) == set(reals)


def longest_layers(archive: Archive, count: int = 8) -> str:
    """The layers that take most of the static schedule, in its order."""
    layers = archive.stats.layers if archive.stats else ()
    total = sum(layer.end_cycle - layer.start_cycle + 1 for layer in layers)
    kept = sorted(layers, key=lambda layer: layer.start_cycle - layer.end_cycle)[:count]
    rows = [
        (layer.name, f"{cycles:,}", f"{100 * cycles / total:.1f} %")
        for layer in sorted(kept, key=lambda layer: layer.id)
        for cycles in [layer.end_cycle - layer.start_cycle + 1]
    ]
    title = f"the {len(rows)} longest of {len(layers)} layers, static schedule"
    return f"{title}\n{table(('layer', 'cycles', 'share'), rows, right=(1, 2))}"


if __name__ == "__main__":
    sys.exit(main())
