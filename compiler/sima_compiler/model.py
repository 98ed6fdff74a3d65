"""`Model`: a quantized network with the vendor's interface: load, save, execute, compile.

In: a quantized ONNX model. Out: arrays, ``.sima`` files, archives. Always: a model never changes after it is made. What
only some methods need is imported by them: a compile need not wait for the quantizer, the reference and the
simulator.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from sima_compiler.compilation import CompileOptions, CompileResult, compile_network
from sima_compiler.errors import OptionError, UnsupportedError
from sima_compiler.frontend.canonical import canonical
from sima_compiler.frontend.container import SUFFIX, network_bytes, read_sima, refuse_foreign, write_sima
from sima_compiler.frontend.cutting import with_cuts
from sima_compiler.frontend.frames import with_activations
from sima_compiler.frontend.input_shapes import InputShapes, with_input_shapes
from sima_compiler.frontend.loading import OnnxModel, first_bytes, load_onnx, parse_onnx
from sima_compiler.frontend.onnx_qdq import Reading, ending_on_mla, read_onnx
from sima_compiler.ir.graph import Float32Array, Graph
from sima_compiler.ir.host import Array
from sima_compiler.ir.network import Network, host_segments, output_shapes
from sima_compiler.keywords import check_name, check_options, log_level_of_call, refuse_caching, warn_ignored
from sima_compiler.machine.description import Machine
from sima_compiler.options import L2CachingMode, TensorTessellateParameters
from sima_compiler.progress import ProgressCallback
from sima_compiler.tessellation import direct_layouts

if TYPE_CHECKING:
    from sima_compiler.frontend.calibration import CalibrationData
    from sima_compiler.view.accuracy import LayerErrors
    from sima_compiler.view.check import CheckReport


class Model:
    """A quantized network: QDQ ONNX, int8 activations, and the graph read from it."""

    def __init__(
        self,
        onnx_model: OnnxModel,
        name: str,
        source: str = "",
        warnings: Sequence[str] = (),
        *,
        mla_only: bool = False,
    ) -> None:
        """Use `Model.from_onnx`, `Model.load` or `quantize`; ``warnings`` go in front of those of reading.

        ``mla_only``: the network ends at the last tensors of the MLA.

        Raises:
            ModelError: float, damaged, or beyond this compiler; OptionError: the name is no file name.
        """
        check_name(name)
        self._name = name
        self._source = source
        self._mla_only = mla_only
        self._onnx = with_activations(canonical(onnx_model), unsigned=False)
        reading = read_onnx(self._onnx, name, source, hosts=True)
        reading = ending_on_mla(reading) if mla_only else reading
        told = tuple(dict.fromkeys((*warnings, *reading.graph.warnings)))
        self._reading: Reading = replace(
            reading, graph=replace(reading.graph, warnings=told), network=replace(reading.network, warnings=told)
        )

    @staticmethod
    def from_onnx(
        source: str | Path | OnnxModel,
        name: str | None = None,
        *,
        input_shapes: InputShapes | None = None,
        cut_at: Sequence[str] = (),
        mla_only: bool = False,
    ) -> Model:
        """A quantized ONNX model (QDQ or QOperator form); ``name`` defaults to the file's or the graph's.

        ``input_shapes`` gives whole shapes, by input name, to inputs of which the file leaves sizes open. ``cut_at``:
        the network ends at these tensors of the file; ``mla_only``: at the last ones of the MLA, where it would go on
        with host layers.

        Raises:
            ModelError: not readable, not ONNX, float, or not supported; it carries every obstacle.
            OptionError: ``input_shapes`` contradicts the file, or it has no tensor of a name in ``cut_at``.
        """
        if isinstance(source, OnnxModel):
            name, origin = name or source.graph.name or "model", ""
        else:
            name, origin = name or Path(source).stem, str(source)
            refuse_foreign(first_bytes(Path(source)), origin)
        proto = with_cuts(with_input_shapes(load_onnx(source), input_shapes or {}), _names_of(cut_at))
        return Model(proto, name, origin, mla_only=mla_only)

    @staticmethod
    def from_bytes(content: bytes, name: str, source: str = "") -> Model:
        """What `Model.to_bytes` gave, in this process or another.

        Raises:
            ModelError: it is not that.
        """
        return Model(parse_onnx(content, source or name), name, source)

    @staticmethod
    def load(name: str | Path, directory: str | Path = "") -> Model:
        """The model that was saved as ``name`` (with or without ``.sima``) in ``directory``.

        Raises:
            ForeignModelError: the vendor SDK's container. ModelError: missing, damaged, too new.
        """
        file = Path(name) if str(name).endswith(SUFFIX) else Path(f"{name}{SUFFIX}")
        saved = read_sima(Path(directory) / file)
        return Model(saved.model, saved.name, saved.source)

    @staticmethod
    def check(
        source: str | Path | OnnxModel,
        *,
        input_shapes: InputShapes | None = None,
        cut_at: Sequence[str] = (),
        mla_only: bool = False,
    ) -> CheckReport:
        """Everything that keeps a model, float or quantized, from compiling, and what runs where; nothing is compiled.

        Raises:
            OptionError: ``input_shapes`` contradicts the file, or it has no tensor of a name in ``cut_at``. A model
                that is no good is a report, not an error.
        """
        from sima_compiler.checking import check_model

        return check_model(
            source,
            lambda model, name, origin: Model(model, name, origin, mla_only=mla_only).network,
            input_shapes=input_shapes,
            cut_at=_names_of(cut_at),
        )

    def save(self, name: str | None = None, output_directory: str | Path = "") -> Path:
        """Write ``output_directory/name.sima``; the folder is created when its parent exists.

        Raises:
            OutputError: with the system's reason; nothing half-written is left.
        """
        chosen = str(name or self._name).removesuffix(SUFFIX)
        check_name(chosen)
        return write_sima(self._onnx, chosen, self._source, Path(output_directory))

    def renamed(self, name: str) -> Model:
        """The same network under another name."""
        return Model(self._onnx, name, self._source, self.graph.warnings, mla_only=self._mla_only)

    def ending(self, cut_at: Sequence[str] = (), *, mla_only: bool = False) -> Model:
        """The same network, ending at the tensors ``cut_at``, with ``mla_only`` at the last tensors of the MLA.

        Raises:
            OptionError: the model has no tensor of that name. UnsupportedError: the MLA reads what host layers make.
        """
        cut = with_cuts(self._onnx, _names_of(cut_at))
        return Model(cut, self._name, self._source, self.graph.warnings, mla_only=mla_only or self._mla_only)

    @property
    def name(self) -> str:
        """The model's name: what archives are called after."""
        return self._name

    @property
    def source(self) -> str:
        """Path of the file that the model was read from; empty when it came from memory."""
        return self._source

    @property
    def network(self) -> Network:
        """The network in segments of the MLA and of the A65."""
        return self._reading.network

    @property
    def graph(self) -> Graph:
        """The network's nodes of the MLA, those of all its segments; without host layers the whole network."""
        return self._reading.graph

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Per-sample shape of each input."""
        return {port.name: port.shape for port in self.network.inputs}

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Per-sample shape of each output; of an output of the A65 whose first axis is not the batch, all of its shape
        for one sample.
        """
        hosted = {tensor.name: tensor.shape for part in host_segments(self.network, 1) for tensor in part.outputs}
        open_sizes = output_shapes(self.network)
        shapes = {name: shape[1:] if open_sizes[name][:1] == ("batch",) else shape for name, shape in hosted.items()}
        return {
            name: shapes[name] if name in shapes else self.graph.tensors[name].shape for name in self.network.outputs
        }

    @property
    def origins(self) -> dict[str, str]:
        """Tensor of the graph -> the value of the ONNX file that it is.

        For an output it is the real value itself: another than the file's output where operators at the end are left to
        the host.
        """
        return {**self._reading.origins, **self._reading.ends}

    def execute(self, inputs: Mapping[str, npt.ArrayLike]) -> list[Array]:
        """Run the reference: float32 (batch, *shape) by input name -> arrays in output order, float32 but for integers
        that the A65 makes.

        Raises:
            InputError: names, types or shapes do not fit.
        """
        from sima_compiler.sim.network import run_network

        results = run_network(self.network, inputs)
        return [results[name] for name in self.network.outputs]

    def evaluate(
        self,
        data: Iterable[tuple[Mapping[str, npt.ArrayLike], Any]],
        criterion: Callable[[list[Array], Any], float],
    ) -> float:
        """The mean over all samples of ``criterion(outputs, labels)``, a number for the samples of one piece of data.

        ``data``: pairs of ({input name: array, samples in front}, labels), the labels being whatever the criterion
        takes.

        Raises:
            InputError: there is no data, or it does not fit.
        """
        from sima_compiler.accuracy import evaluate

        return evaluate(self.execute, data, criterion)

    def analyze_quantization_error(
        self,
        data: Iterable[Mapping[str, npt.ArrayLike]],
        error_metric: Callable[[Float32Array, Float32Array], float],
        *,
        local_feed: bool = False,
    ) -> LayerErrors:
        """``error_metric(reference, ours)`` of every layer, averaged over all samples of ``data``.

        The reference is this network without rounding, its ranges limited as they are. ``local_feed``: every layer
        reads the reference's values, so that the error is its own; else what the quantized network gave.

        Raises:
            InputError: there is no data, or it does not fit.
            UnsupportedError: host layers stand between those of the MLA.
        """
        from sima_compiler.accuracy import exact_values, layer_errors

        if len([segment for segment in self.network.segments if isinstance(segment, Graph)]) != 1:
            raise UnsupportedError("layers of the MLA stand on both sides of host layers: their errors mix",
                                   hint="cut the network: model.ending(cut_at=[...])")  # fmt: skip
        exact = exact_values(self.graph, self.to_onnx(), self.origins)
        return layer_errors(self.graph, exact, data, error_metric, local_feed=local_feed)

    def to_onnx(self, uint8: bool = False) -> OnnxModel:
        """The network as QDQ ONNX: float32 in and out, symbolic batch, ending where the archive ends.

        ``uint8`` shifts activations to uint8, the form that onnxruntime computes with integers throughout.
        """
        from sima_compiler.frontend.export import export_onnx

        return export_onnx(self._onnx, self._reading, unsigned=uint8)

    def compile(
        self,
        output_path: str | Path = ".",
        batch_size: int = 1,
        compress: bool = True,
        log_level: int | None = logging.NOTSET,
        tessellate_parameters: Mapping[str, TensorTessellateParameters] | None = None,
        l2_caching_mode: L2CachingMode = L2CachingMode.NONE,
        preserve: bool = True,
        *,
        machine: str | Path | Machine = "mlsoc",
        quads: int | None = None,
        progress: ProgressCallback | None = None,
        exact: bool = False,
        levers: bool = False,
        cut_at: Sequence[str] = (),
        mla_only: bool = False,
        **sdk_keywords: Any,
    ) -> CompileResult:
        """Compile to ``output_path/<name>_mpk.tar.gz`` for the largest feasible batch up to ``batch_size``.

        ``quads`` is how many of the machine's quads to use, all of them when None. ``progress`` receives `Progress`
        records and may raise to stop; nothing is half-written then. ``exact`` lets OR-Tools place the on-chip buffers
        (``pip install 'sima-nb[exact]'``): slower, and sometimes a lower peak. ``levers`` plans what would help the
        batch size (more quads, compression, as what-ifs more on-chip memory and a smaller input), each about as long
        as the compile. ``cut_at`` ends the network at these tensors of the file, ``mla_only`` at the last tensors of
        the MLA instead of in host layers. ``tessellate_parameters``: inputs and outputs of the MLA, by name or as
        ``<node>_output``, that go straight to and from it in the layout that they state, without a plugin of the EV74.

        Raises:
            OptionError: a value is out of range. UnsupportedError: a non-default caching mode, or ``mla_only`` where
                the MLA reads what host layers make. MissingExtraError: host layers, and no cross compiler for them.
            MachineError, DoesNotFitError, OutputError, CompileInterrupted: as their names say.
        """
        check_options(
            batch_size, {"compress": compress, "exact": exact, "levers": levers, "mla_only": mla_only}, quads, log_level
        )
        refuse_caching(l2_caching_mode)
        warn_ignored(preserve, sdk_keywords)
        ended = self.ending(cut_at, mla_only=mla_only) if cut_at or mla_only else self
        chosen = machine if isinstance(machine, Machine) else Machine.load(machine)
        options = CompileOptions(
            output_path=Path(output_path),
            batch_size=int(batch_size),
            compress=compress,
            machine=chosen,
            quads=chosen.quads if quads is None else int(quads),
            source_checksum=ended.checksum,
            progress=progress,
            exact=exact,
            levers=levers,
            layouts=direct_layouts(ended.network, tessellate_parameters or {}),
        )
        with log_level_of_call(log_level):
            return compile_network(ended.network, options)

    def to_bytes(self) -> bytes:
        """The quantized network as bytes, whatever file it was read from; `Model.from_bytes` reads them."""
        return network_bytes(self._onnx)

    @property
    def checksum(self) -> str:
        """SHA-256 of `to_bytes`, hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def __repr__(self) -> str:
        return f"Model({self._name!r}, inputs={self.inputs}, outputs={self.outputs}, nodes={len(self.graph.nodes)})"


def quantize(
    model: str | Path | OnnxModel,
    calibration_data: CalibrationData,
    model_name: str | None = None,
    *,
    method: str = "minmax",
    input_shapes: InputShapes | None = None,
    cut_at: Sequence[str] = (),
    mla_only: bool = False,
) -> Model:
    """Quantize a float ONNX model with calibration data: an iterable of {input name: array}, batch in front.

    onnxruntime's `CalibrationDataReader` will do too. Integer inputs keep their type. Sizes that the file leaves open
    are those of ``input_shapes`` (whole shapes by input name), else those of the samples. What the samples leave in
    doubt stands in ``graph.warnings`` of the result. ``cut_at`` and ``mla_only`` end it earlier, as in
    `Model.from_onnx`.

    Raises:
        CalibrationError: the data is missing, empty, not finite or does not fit. ModelError: the model is not usable.
        OptionError: ``input_shapes`` contradicts the file.
    """
    from sima_compiler.frontend.quantize import quantize_onnx

    whole = with_cuts(load_onnx(model), _names_of(cut_at)) if cut_at else model
    done = quantize_onnx(whole, calibration_data, method=method, input_shapes=input_shapes)
    named = model.graph.name or "model" if isinstance(model, OnnxModel) else Path(model).stem
    origin = "" if isinstance(model, OnnxModel) else str(model)
    return Model(done.model, model_name or named, origin, done.warnings, mla_only=mla_only)


def _names_of(tensors: object) -> tuple[str, ...]:
    """Names of tensors; a lone text would be taken apart into letters."""
    if isinstance(tensors, str) or not isinstance(tensors, Sequence):
        raise OptionError(f"cut_at is {tensors!r}, expected a list of tensor names", hint="cut_at=[NAME]")
    return tuple(str(name) for name in tensors)


__all__ = ["CompileResult", "Model", "quantize"]
