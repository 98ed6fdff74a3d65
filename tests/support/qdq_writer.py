"""Turns a float ONNX graph into a quantized one (QDQ form) in milliseconds: hundreds of graphs per test run.

Before: ``Conv -> Relu``. After: ``Q -> DQ -> Conv(DQ(weights), DQ(bias)) -> Relu -> Q -> DQ``. Ranges come from one
float run on random data; `Style` draws the liberties that real exporters take. Written from the ONNX specification of
QuantizeLinear and DequantizeLinear, apart from the compiler's frontend, so that both must agree on what a file means.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

MATRIX_OPS = {"Conv", "Gemm", "MatMul"}
ELEMENTWISE = {"Add", "Sub", "Mul", "PRelu"}
MOVES = {"MaxPool", "Reshape", "Flatten", "Transpose", "Slice", "Split", "Resize", "Pad", "Squeeze", "Unsqueeze",
         "SpaceToDepth", "DepthToSpace", "Gather", "Tile"}  # fmt: skip
#: Moves that may get a scale of their own. The rest never do: onnxruntime merges two pairs that meet into a third.
RESCALING_MOVES = {"MaxPool", "Resize", "Pad"}
CLAMPS = {"Relu", "Clip"}


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is written. ``clamp``: Relu and Clip after a producer get their own pair ("pair"), share the one
    behind them ("inline"), or are left to the saturation of the quantized range ("removed")."""

    activation: str = "int8"
    per_channel: bool = True
    clamp: str = "inline"
    moves_keep_scale: bool = True
    own_pair_per_reader: bool = False
    tightness: float = 1.0  # below one, ranges are narrower than the data and values saturate
    concat_keeps_scale: bool = False  # a Concat and all its inputs share one scale, as detectors are often exported
    unusual: bool = False  # scales one power of two apart and zero points anywhere


def write_qdq(model: onnx.ModelProto, seed: int, style: Style) -> onnx.ModelProto:
    """The quantized form of ``model``; weights int8 and symmetric, biases int32, activations as ``style`` says."""
    return _Writer(model, seed, style).write()


class _Writer:
    def __init__(self, model: onnx.ModelProto, seed: int, style: Style) -> None:
        self.model, self.style = model, style
        self.random = np.random.default_rng(seed)
        self.floats = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.outputs = {value.name for value in model.graph.output}
        self.readers = Counter(name for node in model.graph.node for name in node.input)
        self.producer = {name: node for node in model.graph.node for name in node.output}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, np.ndarray] = {}
        self.quants: dict[str, tuple[np.float32, int]] = {}
        self.raw: dict[str, str] = {}  # activations without a pair of their own: float name behind the clamp
        self.count = 0

    def write(self) -> onnx.ModelProto:
        ranges = _ranges(self.model, self.random)
        for value in self.model.graph.input:
            self._choose_tensor(value.name, ranges)
        for node in self.model.graph.node:
            self._choose(node, ranges)
        if self.style.concat_keeps_scale:
            self._unify_concats()
        for value in self.model.graph.input:
            self._pair(value.name, value.name)
        for node in self.model.graph.node:
            self._node(node)
        used = {name for node in self.nodes for name in node.input}
        kept = {key: value for key, value in (self.floats | self.initializers).items() if key in used}
        graph = helper.make_graph(
            self.nodes,
            self.model.graph.name,
            list(self.model.graph.input),
            list(self.model.graph.output),
            [numpy_helper.from_array(values, key) for key, values in kept.items()],
        )
        made = helper.make_model(graph, opset_imports=list(self.model.opset_import), ir_version=self.model.ir_version)
        onnx.checker.check_model(made)
        return made

    def _choose(self, node: onnx.NodeProto, ranges: dict[str, tuple[float, float]]) -> None:
        for name in node.output:
            keeps = self.style.moves_keep_scale or node.op_type not in RESCALING_MOVES
            if node.op_type in MOVES and keeps:
                self.quants[name] = self.quants[node.input[0]]
            elif node.op_type == "Softmax":
                self.quants[name] = (np.float32(1 / 256), self._low())
            else:
                self._choose_tensor(name, ranges)

    def _choose_tensor(self, name: str, ranges: dict[str, tuple[float, float]]) -> None:
        low, high = (value * self.style.tightness for value in ranges[name])
        low, high = min(low, 0.0), max(high, 0.0)
        scale = np.float32(max(high - low, 1e-3) / 255)
        zero = int(np.clip(round(self._low() - low / float(scale)), self._low(), self._low() + 255))
        if self.style.unusual:
            scale = np.float32(2.0 ** round(float(np.log2(scale))))
            zero = int(np.clip(zero + self.random.integers(-9, 10), self._low(), self._low() + 255))
        self.quants[name] = (scale, zero)

    def _unify_concats(self) -> None:
        """From the last Concat to the first, so that nested ones agree as well; moves follow their input."""
        for node in reversed(self.model.graph.node):
            if node.op_type == "Concat":
                self.quants |= dict.fromkeys(node.input, self.quants[node.output[0]])
        for node in self.model.graph.node:
            if node.op_type in MOVES:
                self.quants |= dict.fromkeys(node.output, self.quants[node.input[0]])

    def _low(self) -> int:
        return -128 if self.style.activation == "int8" else 0

    def _scalar(self, stem: str, quant: tuple[np.float32, int]) -> list[str]:
        self.initializers[f"{stem}_scale"] = np.array(quant[0], np.float32)
        self.initializers[f"{stem}_zero"] = np.array(quant[1], self.style.activation)
        return [f"{stem}_scale", f"{stem}_zero"]

    def _emit(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        self.count += 1
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"{outputs[0]}_{op}", **attributes))

    def _pair(self, raw: str, name: str) -> None:
        """Q and DQ behind the float tensor ``raw``, which stands for activation ``name``."""
        parameters = self._scalar(name, self.quants[name])
        self._emit("QuantizeLinear", [raw, *parameters], [f"{name}_q"])
        result = name if name in self.outputs else f"{name}_dq"
        self._emit("DequantizeLinear", [f"{name}_q", *parameters], [result])

    def _read(self, name: str) -> str:
        """The float name under which a node reads activation ``name``."""
        if name in self.raw:
            return self.raw[name]
        if self.style.own_pair_per_reader or name in self.outputs:
            self._emit("DequantizeLinear", [f"{name}_q", f"{name}_scale", f"{name}_zero"], [f"{name}_dq{self.count}"])
            return self.nodes[-1].output[0]
        return f"{name}_dq"

    def _node(self, node: onnx.NodeProto) -> None:
        removed = self.style.clamp == "removed" and not node.doc_string
        if node.op_type in CLAMPS and node.input[0] in self.raw and removed:
            return self._pair(self.raw[node.input[0]], node.output[0])
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.input[:]
        copy.input.extend(self._inputs(node))
        del copy.output[:]
        copy.output.extend(f"{name}_raw" for name in node.output)
        self.nodes.append(copy)
        for name in node.output:
            if node.doc_string == "unpaired" or self._meets_clamp(name):
                self.raw[name] = f"{name}_raw"
            elif self.readers[name] or name in self.outputs:
                self._pair(f"{name}_raw", name)
        return None

    def _meets_clamp(self, name: str) -> bool:
        """Whether the tensor goes straight into its only reader, a Relu or Clip, without a pair between."""
        if self.style.clamp == "pair" or name in self.outputs or self.readers[name] != 1:
            return False
        if self.producer[name].doc_string == "bias":
            return False
        if self.producer[name].op_type not in {"Conv", "Gemm", "MatMul", "Add"}:
            return False
        reader = next(node for node in self.model.graph.node if name in node.input)
        if reader.op_type not in CLAMPS:
            return False
        # Leaving a clamp out is right only where the quantized range starts at zero.
        return self.style.clamp != "removed" or self.quants[reader.output[0]][1] == self._low()

    def _inputs(self, node: onnx.NodeProto) -> list[str]:
        if node.op_type in MATRIX_OPS:
            return self._matrix_inputs(node)
        names: list[str] = []
        for position, name in enumerate(node.input):
            if name not in self.floats or not name:
                names.append(self._read(name) if name else "")
            elif node.doc_string == "bias":
                names.append(self._bias_behind(node, name))
            elif node.doc_string in ("unpaired", "real"):
                names.append(name)
            elif node.op_type in ELEMENTWISE or (node.op_type == "Pad" and position == 2):
                names.append(self._constant(name) if node.op_type != "Pad" else name)
            else:
                names.append(name)
        return names

    def _bias_behind(self, node: onnx.NodeProto, name: str) -> str:
        """The constant of an Add behind a product without a pair: in int32 or in float."""
        product = self.producer[next(value for value in node.input if value not in self.floats)]
        if self.random.integers(2):
            return name
        return self._bias(name, self.quants[product.input[0]][0], self.initializers[f"{product.input[1]}_scale"])

    def _constant(self, name: str) -> str:
        values = self.floats[name]
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        scale = np.float32(max(high - low, 1e-3) / 255)
        zero = int(np.clip(round(self._low() - low / float(scale)), self._low(), self._low() + 255))
        stored = np.clip(np.rint(values / scale) + zero, self._low(), self._low() + 255).astype(self.style.activation)
        self.initializers[f"{name}_q"] = stored
        self._emit("DequantizeLinear", [f"{name}_q", *self._scalar(name, (scale, zero))], [f"{name}_dq{self.count}"])
        return self.nodes[-1].output[0]

    def _matrix_inputs(self, node: onnx.NodeProto) -> list[str]:
        data, weight = self._read(node.input[0]), node.input[1]
        axis = 0 if node.op_type == "Conv" or _attribute(node, "transB") else 1
        scales = self._weights(weight, axis)
        names = [data, f"{weight}_dq"]
        if len(node.input) > 2:
            names.append(self._bias(node.input[2], self.quants[node.input[0]][0], scales))
        return names

    def _weights(self, name: str, axis: int) -> np.ndarray:
        values = self.floats[name]
        others = tuple(index for index in range(values.ndim) if index != axis)
        peak = np.abs(values).max(axis=others) if self.style.per_channel else np.abs(values).max()
        scales = (np.maximum(peak, 1e-4) / 127).astype(np.float32)
        spread = scales.reshape([-1 if index == axis else 1 for index in range(values.ndim)])
        self.initializers[f"{name}_q"] = np.clip(np.rint(values / spread), -127, 127).astype(np.int8)
        self._dequantize(name, scales, np.zeros(scales.shape, np.int8), axis)
        return scales

    def _bias(self, name: str, scale: np.float32, scales: np.ndarray) -> str:
        spread = (scale * scales).astype(np.float32)
        self.initializers[f"{name}_q"] = np.rint(self.floats[name] / spread).astype(np.int32)
        self._dequantize(name, spread, np.zeros(spread.shape, np.int32), 0)
        return f"{name}_dq"

    def _dequantize(self, name: str, scales: np.ndarray, zeros: np.ndarray, axis: int) -> None:
        self.initializers |= {f"{name}_scale": scales, f"{name}_zero": zeros}
        settings = {"axis": axis} if scales.ndim else {}
        self._emit("DequantizeLinear", [f"{name}_q", f"{name}_scale", f"{name}_zero"], [f"{name}_dq"], **settings)


def _attribute(node: onnx.NodeProto, name: str) -> int:
    return next((int(item.i) for item in node.attribute if item.name == name), 0)


def _ranges(model: onnx.ModelProto, random: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of every activation in one float run on random data."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output]
    known = {value.name for value in model.graph.output}
    watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = random_inputs(model, 2, random)
    results = [np.asarray(values) for values in session.run(names, feeds)]
    pairs = [*feeds.items(), *zip(names, results, strict=True)]
    return {name: (float(np.min(values)), float(np.max(values))) for name, values in pairs}


def random_inputs(model: onnx.ModelProto, samples: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Normal data for every input; a batch that the file fixes wins over ``samples``."""
    feeds: dict[str, np.ndarray] = {}
    for value in model.graph.input:
        first, *rest = value.type.tensor_type.shape.dim
        shape = (first.dim_value or samples, *(item.dim_value for item in rest))
        feeds[value.name] = random.standard_normal(shape, dtype=np.float32)
    return feeds
