"""The outside judge: the user's ORIGINAL file in onnxruntime beside the simulated archive, every element.

A fault of the reader is invisible to whoever starts from the compiler's `Graph`. So the expected numbers come from the
file itself, run by an optimized session: its int8 activations turned into uint8 by `tests.support.unsigned`, and what
onnxruntime would leave in float32 of its products put on bytes by `tests.support.integer_form`, which share no code
with the compiler. A file whose batch is fixed runs chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from tests.support.integer_form import idle_nodes, integer_form
from tests.support.oracle import differing
from tests.support.unsigned import MOVES, QLINEAR, inlined, unsigned_form

Original = str | Path | onnx.ModelProto
BYTES = (TensorProto.INT8, TensorProto.UINT8)
#: Merges two changes of scale that meet into a third, which rounds once where the file rounds twice.
MERGES_PAIRS = "DoubleQDQPairsRemover"


@dataclass(frozen=True, slots=True)
class Parameters:
    """Scale and zero point (int8 frame) of bytes at the boundary, as the compiled model states them."""

    scale: float
    zero_point: int


class Outside:
    """A file, prepared once for any number of runs.

    ``wanted``: the archive's outputs; where the archive leaves the last operators to the host, these are values inside
    the file. ``literal``: without onnxruntime's merging of scales that meet, for files that change scales twice.
    ``optimized``: off, every node is run as it is written, in reals.
    """

    def __init__(
        self, original: Original, wanted: Sequence[str], *, literal: bool = False, optimized: bool = True
    ) -> None:
        proto = inlined(load(original))
        form = unsigned_form(integer_form(proto) if optimized else proto)
        self.shifted = form.shifted
        self.graph = form.model.graph
        initial = {entry.name for entry in self.graph.initializer}
        self.inputs = {entry.name: entry for entry in self.graph.input if entry.name not in initial}
        self.declared = list(self.graph.output)
        self.produced = {output: node for node in self.graph.node for output in node.output}
        self.wanted, self.taken = frozenset(wanted), set[str]()
        self.places = {name: self._place(name) for name in wanted}
        self.form = form.model
        # Beside nodes that reach no output, which the form leaves out, onnxruntime would not merge scales either.
        unmerged = literal or bool(idle_nodes(proto.graph))
        self.session = session(form.model, [MERGES_PAIRS] if unmerged else [], optimized=optimized)

    def run(self, inputs: Mapping[str, np.ndarray], quants: Mapping[str, Parameters]) -> dict[str, np.ndarray]:
        """Float32 arrays by name in; out by name: float32, or int8 for outputs that are bytes in the file.

        ``quants`` turns the arrays of inputs that are bytes in the file into these bytes.
        """
        feeds = {name: self._feed(name, array, quants.get(name)) for name, array in inputs.items()}
        feeds |= {name: self._idle(name, feeds) for name in self.inputs if name not in feeds}
        samples = len(next(iter(feeds.values())))
        names = list(dict.fromkeys(self.places.values()))
        found = dict(zip(names, self._run(names, feeds, samples), strict=True))
        return {name: self._in_frame(found[place], place) for name, place in self.places.items()}

    def _run(self, names: list[str], feeds: Mapping[str, np.ndarray], samples: int) -> list[np.ndarray]:
        if not self.inputs_are_free():
            return self._chunks(names, feeds, samples, self._fixed())
        try:
            return [np.asarray(array) for array in self.session.run(names, dict(feeds))]
        except Exception:  # noqa: BLE001 -- a literal batch inside, which only onnxruntime's own words tell from other failures
            return self._chunks(names, feeds, samples, 1)

    def _chunks(self, names: list[str], feeds: Mapping[str, np.ndarray], samples: int, size: int) -> list[np.ndarray]:
        parts: list[list[np.ndarray]] = []
        for start in range(0, samples, size):
            rows = [min(start + offset, samples - 1) for offset in range(size)]
            results = self.session.run(names, {name: array[rows] for name, array in feeds.items()})
            parts.append([np.asarray(array)[: samples - start] for array in results])
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    def inputs_are_free(self) -> bool:
        """Whether the file leaves the batch open."""
        return self._fixed() == 0

    def _fixed(self) -> int:
        return max(_dimensions(entry)[0].dim_value for entry in self.inputs.values())

    def _feed(self, name: str, array: np.ndarray, quant: Parameters | None) -> np.ndarray:
        kind = self.inputs[name].type.tensor_type.elem_type
        if kind not in BYTES:
            return array.astype(helper.tensor_dtype_to_np_dtype(kind))
        if quant is None or not self._is_quantized(name):
            return np.clip(np.rint(array), 0, 255).astype(np.uint8)
        real = np.rint(array / np.float32(quant.scale)) + np.float32(quant.zero_point)
        return (np.clip(real, -128, 127) + 128).astype(np.uint8)

    def _is_quantized(self, name: str) -> bool:
        """Whether bytes are numbers with a scale, rather than pixels that a Cast makes reals of."""
        for node in self.graph.node:
            if name in node.input:
                if node.op_type in MOVES:
                    return self._is_quantized(node.output[0])
                return node.op_type != "Cast"
        return True

    def _idle(self, name: str, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """Something for an input that reaches no output."""
        kind = helper.tensor_dtype_to_np_dtype(self.inputs[name].type.tensor_type.elem_type)
        sizes = [max(item.dim_value, 1) for item in _dimensions(self.inputs[name])[1:]]
        return np.zeros((len(next(iter(feeds.values()))), *sizes), kind)

    def _in_frame(self, array: np.ndarray, place: str) -> np.ndarray:
        if array.dtype == np.uint8:
            return (array.astype(np.int16) - 128).astype(np.int8)
        return array.astype(np.float32)

    def _place(self, name: str) -> str:
        """The session output that holds what the archive calls ``name``."""
        if any(entry.name == name for entry in self.declared):
            return name
        found = self._tap(name)
        if found is None:
            ends = [end for entry in self.declared if entry.name not in self.wanted for end in self._ends(entry.name)]
            found = next((tap for tap in map(self._tap, ends) if tap is not None and tap not in self.taken), None)
        assert found is not None, f"the archive's output {name!r} is no quantized value of the file"
        self.taken.add(found)
        return found

    def _ends(self, name: str) -> list[str]:
        """Values in front of the operators that the archive leaves to the host, nearest first."""
        found: list[str] = []
        while name in self.produced and self.produced[name].input:
            name = self.produced[name].input[0]
            found.append(name)
        return found

    def _tap(self, name: str) -> str | None:
        """A session output that holds the real ``name`` of the file; None where it is not quantized."""
        parts = self._bytes_of(name)
        if not parts:
            return None
        tap = f"{name} / outside judge"
        if not any(entry.name == tap for entry in self.graph.output):
            self.graph.node.append(helper.make_node(*parts, tap))
            self.graph.output.append(helper.make_tensor_value_info(tap, TensorProto.FLOAT, None))
        return tap

    def _bytes_of(self, name: str) -> tuple[str, list[str], list[str]] | tuple[()]:
        """Operator, inputs and outputs of a node that gives this real.

        Where a QuantizeLinear reads the real, what it wrote counts; QOperator form calls the bytes of a real
        ``<real>_quantized``.
        """
        target = [f"{name} / outside judge"]
        readers = (node for node in self.graph.node if name in node.input)
        quantizer = next((node for node in readers if node.op_type == "QuantizeLinear"), None)
        if quantizer is not None:
            return "DequantizeLinear", [quantizer.output[0], *quantizer.input[1:]], target
        if (origin := self._origin(name)) is not None and origin.op_type == "DequantizeLinear":
            moved = name not in origin.output
            return ("Identity", [name], target) if moved else ("DequantizeLinear", list(origin.input), target)
        for stored in (name, f"{name}_quantized"):
            origin = self._origin(stored)
            if origin is not None and origin.op_type in (*QLINEAR, "QLinearConcat", "QuantizeLinear"):
                zero = {"QLinearConcat": 1, "QuantizeLinear": 2}.get(origin.op_type) or QLINEAR[origin.op_type].result
                return "DequantizeLinear", [stored, *origin.input[zero - 1 : zero + 1]], target
        return ()

    def _origin(self, name: str) -> onnx.NodeProto | None:
        """The node that wrote a value, whatever only moved it since."""
        node = self.produced.get(name)
        while node is not None and node.op_type in MOVES:
            node = self.produced.get(node.input[0])
        return node


def load(original: Original) -> onnx.ModelProto:
    """The file with its external data, or the model itself."""
    return original if isinstance(original, onnx.ModelProto) else onnx.load(original)


def session(
    model: onnx.ModelProto, disabled: Sequence[str] = (), *, saved: Path | None = None, optimized: bool = True
) -> onnxruntime.InferenceSession:
    """A session on one thread, without its own warnings; ``saved``: where its optimized graph goes."""
    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if saved is not None:
        options.optimized_model_filepath = str(saved)
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(disabled)
    )


def _dimensions(entry: onnx.ValueInfoProto) -> Sequence[onnx.TensorShapeProto.Dimension]:
    return entry.type.tensor_type.shape.dim


def unlike(expected: np.ndarray, reals: np.ndarray, integers: np.ndarray) -> str:
    """Empty when the archive's output equals the file's: bytes where the file ends in bytes, reals otherwise."""
    found = integers if expected.dtype == np.int8 else reals
    return differing(expected.reshape(found.shape) if expected.size == found.size else expected, found)
