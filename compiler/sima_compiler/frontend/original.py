"""A user's own file in onnxruntime, fed and read in the terms of the compiled model.

In: an ONNX model, and float arrays by input name, any number of samples. Out: float arrays by the compiled model's
output names. Always: the file runs as it is, optimized as onnxruntime does by default; only outputs are added where the
archive ends before the file does. A file with a batch of its own runs piece by piece.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from sima_compiler.arithmetic import dequantize, quantize
from sima_compiler.errors import ModelError
from sima_compiler.ir.graph import Float32Array, Quantization

#: What onnxruntime logs from: nothing below fatal, because what goes wrong is raised too.
FATAL = 4
#: onnxruntime's names of types -> numpy's.
TYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(int16)": np.int16, "tensor(uint16)": np.uint16,
    "tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_,
}  # fmt: skip
Array = npt.NDArray[Any]


class Original:
    """One file in onnxruntime.

    ``wanted``: name of the value inside the file by the name of each of the archive's outputs; an output of the file
    goes before it. ``quants``: quantizations of inputs and outputs, for those that hold bytes in the file.
    """

    def __init__(self, model: onnx.ModelProto, wanted: Mapping[str, str], quants: Mapping[str, Quantization]) -> None:
        """Start the session.

        Raises:
            ModelError: onnxruntime refuses the file.
        """
        values = _places(model, wanted)
        self.missing = tuple(name for name in wanted if name not in values)
        self._values, self._quants = values, quants
        self._session = session(_with_outputs(model, list(values.values())))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Float32Array]:
        """Every wanted output that the file has, for all samples.

        Raises:
            ModelError: onnxruntime cannot run the file.
        """
        count = len(next(iter(inputs.values())))
        step = self._batch() or count
        pieces = [self._piece(inputs, start, step, count) for start in range(0, count, step)]
        names = list(self._values)
        joined = [np.concatenate([piece[place] for piece in pieces]) for place in range(len(names))]
        # What has a row per sample loses those that fill the last piece; other rows are results, however many.
        joined = [array[:count] if len(array) == step * len(pieces) else array for array in joined]
        return {name: self._real(name, array) for name, array in zip(names, joined, strict=True)}

    def _batch(self) -> int:
        """The batch that the file fixes, 0 when it is open."""
        first = next(iter(self._session.get_inputs())).shape[0]
        return first if isinstance(first, int) and first > 0 else 0

    def _piece(self, inputs: Mapping[str, Array], start: int, step: int, count: int) -> Sequence[Array]:
        rows = np.minimum(np.arange(start, start + step), count - 1)
        feeds = {entry.name: self._bytes(entry, inputs, rows) for entry in self._session.get_inputs()}
        try:
            return [np.asarray(array) for array in self._session.run(None, feeds)]
        except Exception as error:  # onnxruntime's exceptions have no common public base
            raise ModelError(f"onnxruntime cannot run the file: {error}") from error

    def _bytes(self, entry: Any, inputs: Mapping[str, Array], rows: npt.NDArray[np.int64]) -> Array:
        """One input in the file's own type; inputs that reach no output of the archive are zero."""
        dtype = np.dtype(TYPES.get(entry.type, np.float32))
        if entry.name not in inputs:
            return np.zeros([len(rows), *(size if isinstance(size, int) else 1 for size in entry.shape[1:])], dtype)
        values, quant = inputs[entry.name][rows], self._quants.get(entry.name)
        if dtype.kind == "f":
            return values.astype(dtype)
        if dtype.itemsize > 1 or quant is None:  # wider integers are read as the reals that they are
            return np.rint(values).astype(dtype)
        frame = quantize(values, quant).astype(np.int16)
        return (frame + 128).astype(np.uint8) if dtype == np.uint8 else frame.astype(dtype)

    def _real(self, name: str, array: Array) -> Float32Array:
        quant = self._quants.get(name)
        if array.dtype.kind == "f" or quant is None:
            return array.astype(np.float32)
        frame = array.astype(np.int16) - (128 if array.dtype == np.uint8 else 0)
        return dequantize(frame.astype(np.int8), quant)


def has_int8_activations(model: onnx.ModelProto) -> bool:
    """Whether the file's activations are int8, which onnxruntime computes otherwise than uint8."""
    kinds = {entry.name: entry.data_type for entry in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            stated = [entry.t.data_type for entry in node.attribute if entry.name == "value"]
            kinds[node.output[0]] = stated[0] if stated else 0
    return any(_makes_int8(node, kinds) for node in model.graph.node)


def _makes_int8(node: onnx.NodeProto, kinds: Mapping[str, int]) -> bool:
    """Whether a node quantizes an activation, or computes one in the QOperator form, to int8."""
    if node.op_type == "QuantizeLinear" and node.input[0] in kinds:
        return False
    if node.op_type != "QuantizeLinear" and not node.op_type.startswith(("QLinear", "QGemm")):
        return False
    stated = next((entry.i for entry in node.attribute if entry.name == "output_dtype"), 0)
    zero = kinds.get(node.input[-1]) if len(node.input) > 2 else stated
    if node.op_type == "QLinearConv" and len(node.input) > 7:
        zero = kinds.get(node.input[7])
    return zero == TensorProto.INT8


def check_runs(model: onnx.ModelProto) -> None:
    """Whether onnx's checker and onnxruntime accept the model.

    Raises:
        ModelError: with what they say.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker's C++ side raises what its protobuf does
        raise ModelError(f"onnx's checker refuses the model: {error}") from error
    session(model)


def session(model: onnx.ModelProto) -> Any:
    """An optimized session that logs nothing.

    Raises:
        ModelError: onnxruntime refuses the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common public base
        raise ModelError(f"onnxruntime refuses the file: {error}") from error


def _places(model: onnx.ModelProto, wanted: Mapping[str, str]) -> dict[str, str]:
    """The value of the file for each wanted output that it has."""
    outputs = {entry.name for entry in model.graph.output}
    produced = {name for node in model.graph.node for name in node.output if name}
    found: dict[str, str] = {}
    for name, inside in wanted.items():
        place = next((value for value in (name, inside) if value in outputs), None)
        place = place or next((value for value in (inside, name) if value in produced), None)
        if place:
            found[name] = place
    return found


def _with_outputs(model: onnx.ModelProto, values: Sequence[str]) -> onnx.ModelProto:
    """The file with these outputs, in this order; those that it has keep their types."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    known = {entry.name: entry for entry in model.graph.output}
    del result.graph.output[:]
    for value in values:
        result.graph.output.append(known.get(value, onnx.ValueInfoProto(name=value)))
    return result
