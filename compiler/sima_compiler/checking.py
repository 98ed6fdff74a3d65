"""Everything that stands between a model and its archive, found without compiling it.

In: a file or an ONNX model, float or quantized. Out: a `CheckReport`. Always: a model that is no good is a report,
never an error; only a wrong option is. A float model is quantized with one random sample, because what its quantized
form is made of decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sima_compiler.errors import CalibrationError, ModelError, UnsupportedError
from sima_compiler.frontend.calibration import calibration_random
from sima_compiler.frontend.container import refuse_foreign
from sima_compiler.frontend.cutting import with_cuts
from sima_compiler.frontend.input_shapes import InputShapes, assumed_shapes, with_input_shapes
from sima_compiler.frontend.loading import OnnxModel, first_bytes, is_quantized, load_onnx
from sima_compiler.frontend.obstacles import obstacle_of, refused_operators
from sima_compiler.frontend.quantize import DEQUANTIZED_SUFFIX, quantize_onnx
from sima_compiler.frontend.refusals import DYNAMIC, whole_kind
from sima_compiler.frontend.work import inferred_shapes, total_work
from sima_compiler.ir.network import Network
from sima_compiler.machine.description import Machine
from sima_compiler.obstacle import Obstacle
from sima_compiler.pipeline import lower
from sima_compiler.reporting.hosts import host_layers
from sima_compiler.view.check import CheckReport, ModelKind, verdict_of

#: Sizes that are tried for open ones, in this order: usual for classifiers, for detectors, for segmenters.
ASSUMED_SIZES = (224, 320, 640)
#: Reads a quantized model, called by a name and an origin, as `Model` does.
Read = Callable[[OnnxModel, str, str], Network]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look at a model gave: obstacles, or the graph. ``read`` is the quantized model of a float one."""

    obstacles: tuple[Obstacle, ...] = ()
    network: Network | None = None
    notes: tuple[str, ...] = ()
    read: OnnxModel | None = None


def check_model(
    source: str | Path | OnnxModel,
    read: Read,
    *,
    input_shapes: InputShapes | None = None,
    cut_at: Sequence[str] = (),
) -> CheckReport:
    """Checks ``source``, up to the tensors ``cut_at``; ``input_shapes`` are whole shapes, by input name, for inputs
    with open sizes.

    Raises:
        OptionError: ``input_shapes`` contradicts the file, or it has no tensor of a name in ``cut_at``.
    """
    label = source.graph.name or "model" if isinstance(source, OnnxModel) else str(source)
    try:
        loaded = _loaded(source)
    except ModelError as error:
        return _report(label, ModelKind.UNREADABLE, _Found((obstacle_of(error),)), None)
    model = with_cuts(with_input_shapes(loaded, input_shapes or {}), cut_at)
    kind = kind_of(model)
    look = _checked_float if kind is ModelKind.FLOAT else _checked
    found = look(model, label, read)
    return _looked_further(model, kind, found, label, lambda assumed: look(assumed, label, read))


def _looked_further(
    model: OnnxModel, kind: ModelKind, found: _Found, label: str, look: Callable[[OnnxModel], _Found]
) -> CheckReport:
    """Where sizes are open, what stands behind that is looked for with assumed ones.

    For a float model open sizes are no obstacle, because the samples decide them.
    """
    for size in ASSUMED_SIZES:
        shapes = assumed_shapes(model, size)
        if not shapes:
            break
        assumed = with_input_shapes(model, shapes)
        further = look(assumed)
        if any(not obstacle.node for obstacle in further.obstacles):
            continue  # such as a Reshape to the sizes of another image
        options = " ".join(f"{name}={'x'.join(map(str, shape))}" for name, shape in shapes.items())
        note = f"the file leaves sizes open; checked with --input-shape {options}"
        if kind is ModelKind.FLOAT:
            note += ", when quantizing the samples decide"
        own = () if kind is ModelKind.FLOAT else found.obstacles
        joined = replace(further, obstacles=(*own, *further.obstacles), notes=(note,))
        return _report(label, kind, joined, assumed)
    return _report(label, kind, found, model)


def kind_of(model: OnnxModel) -> ModelKind:
    """What the operators of a model say about it."""
    kind = whole_kind(model)
    if kind:
        return ModelKind.DYNAMIC if kind is DYNAMIC else ModelKind.WEIGHT_ONLY
    return ModelKind.QUANTIZED if is_quantized(model) else ModelKind.FLOAT


def _loaded(source: str | Path | OnnxModel) -> OnnxModel:
    if not isinstance(source, OnnxModel):
        refuse_foreign(first_bytes(Path(source)), str(source))
    return load_onnx(source)


def _checked(model: OnnxModel, label: str, read: Read) -> _Found:
    """Reads and lowers a quantized model."""
    try:
        network = read(model, "model", label)
    except ModelError as error:
        return _Found(error.obstacles or (obstacle_of(error), *refused_operators(model)))
    try:
        for graph in network.graphs:
            lower(graph, Machine.load("mlsoc"))
    except UnsupportedError as error:
        return _Found((obstacle_of(error),), network)
    return _Found(network=network)


def _checked_float(model: OnnxModel, label: str, read: Read) -> _Found:
    """Quantizes with one random sample, then as `_checked`."""
    try:
        quantized = quantize_onnx(model, calibration_random(model, 1)).model
    except (ModelError, CalibrationError) as error:
        return _Found((obstacle_of(error), *refused_operators(model)))
    found = _checked(quantized, label, read)
    named = tuple(_in_the_files_names(obstacle) for obstacle in found.obstacles)
    return replace(found, obstacles=named, read=quantized)


def _in_the_files_names(obstacle: Obstacle) -> Obstacle:
    """Values that quantizing added to are called as the float file calls them."""
    return replace(obstacle, hint=obstacle.hint.replace(f"{DEQUANTIZED_SUFFIX}'", "'"))


def _report(label: str, kind: ModelKind, found: _Found, model: OnnxModel | None) -> CheckReport:
    network, counted = found.network, found.read or model
    left = network.cut if network else ()
    return CheckReport(
        path=label,
        kind=kind,
        compiles=not found.obstacles,
        verdict=verdict_of(kind, label, obstacles=len(found.obstacles), left_to_host=left),
        obstacles=found.obstacles,
        nodes=len(model.graph.node) if model else 0,
        macs=(total_work(counted, inferred_shapes(counted)) or None) if counted else None,
        placement=network.verdict if network and not found.obstacles else "",
        host_layers=host_layers(network) if network else (),
        left_to_host=left,
        warnings=(*found.notes, *(network.warnings if network else ())),
    )
