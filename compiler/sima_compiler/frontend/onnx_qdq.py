"""Quantized ONNX to `Graph`.

In: a `ModelProto` with QuantizeLinear / DequantizeLinear around its operators (int8 or uint8 activations), or in
onnxruntime's QOperator form, which is rewritten to the former first. Out: a `Graph` in the int8 frame with shapes per
sample. Always: values are read in file order, each exactly once; anything that cannot be kept exact is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx

from sima_compiler.errors import ModelError, UnsupportedError
from sima_compiler.frontend import (
    averages,
    constant_reals,
    elementwise,
    host_functions,
    limits,
    movement,
    norms,
    pads,
    products,
    reductions,
    reshaping,
    resizing,
    rows,
    rules,
    selection,
    shapes,
    transposed,
    unary,
    weighted,
    windows,
)
from sima_compiler.frontend.assembly import Assembly
from sima_compiler.frontend.batch import source_batch
from sima_compiler.frontend.builder import output_node
from sima_compiler.frontend.canonical import canonical, kept_warnings
from sima_compiler.frontend.constants.evaluation import UNREPEATABLE
from sima_compiler.frontend.constants.tensors import Constants
from sima_compiler.frontend.hosting import Hosting
from sima_compiler.frontend.integers import BYTE_MOVEMENTS, integer_values, read_values
from sima_compiler.frontend.loading import default_opset, is_quantized
from sima_compiler.frontend.obstacles import Obstacles
from sima_compiler.frontend.onnx_node import SourceNode, source_node
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.refusals import refuse_operator
from sima_compiler.frontend.values import (
    Activation,
    Constant,
    Cut,
    GraphInput,
    Hosted,
    QuantizedConstant,
    ShapeVector,
    Unknown,
    Value,
)
from sima_compiler.ir.graph import Graph
from sima_compiler.ir.network import Network, mla_alone

Converter = Callable[[SourceNode, Reader], Sequence[Value]]

BYTES = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
#: What Python raises where a damaged file holds something that no exporter writes: lists of different lengths, an axis
#: that is not there. Converters check what users meet; the rest ends in an error here.
DAMAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Reading:
    """A network, and what an exporter needs to write the model for any batch and to end where the network ends.

    ``graph`` has the nodes of the MLA, of all its segments. ``reshapes``: per-sample shape of each ONNX value that a
    Reshape or its like makes. ``ends``: ONNX value name of each output. ``origins``: ONNX value name of each tensor
    that a node of the graph makes. ``crossing``: ONNX value name of each tensor of the graph that the A65 reads.
    """

    network: Network
    graph: Graph
    reshapes: Mapping[str, tuple[int, ...]]
    ends: Mapping[str, str]
    origins: Mapping[str, str]
    crossing: Mapping[str, str] = field(default_factory=dict[str, str])


def graph_from_onnx(model: onnx.ModelProto, name: str) -> Graph:
    """The quantized network in ``model``, called ``name``.

    Raises:
        ModelError: the model is float, contradicts itself, or its first dimension is not the batch.
        UnsupportedError: a node that this compiler cannot lower; names node, operator and rule.
    """
    return read_onnx(canonical(model), name).graph


def read_onnx(model: onnx.ModelProto, name: str, origin: str = "", *, hosts: bool = False) -> Reading:
    """`graph_from_onnx` for a model in its canonical spelling, with what an exporter needs.

    ``origin`` is how messages call the file. ``hosts``: what the MLA cannot run is the A65's; without, a last Softmax
    of reals is left out and everything else is an obstacle.
    """
    if not is_quantized(model):
        if all(entry.type.tensor_type.elem_type in BYTES for entry in model.graph.input) and model.graph.input:
            found = f"{origin or name}: its inputs are bytes, and no node says what real numbers they stand for"
            raise UnsupportedError(found, rule=rules.REALS.sentence)
        raise ModelError(
            f"{origin or name}: a float model, it holds no QuantizeLinear",
            hint="quantize it with calibration data: sima_compiler.quantize(model, data), or simac quantize",
        )
    constants = Constants(model.graph)
    integers = integer_values(model, constants)
    inputs, batch, warnings = source_batch(model, set(constants))
    reader = Reader(default_opset(model), batch, integers.quants)
    reader.unsigned = integers.unsigned
    reader.builder.warnings += [*kept_warnings(model), *warnings]
    reader.values.update({key: Constant(array) for key, array in constants.items()})
    reader.readers.update(read_values(model, constants))
    for entry in inputs:
        reader.values[entry.name] = _input_value(entry, reader)
    obstacles, hosting = Obstacles(model), Hosting(model) if hosts else None
    for index, proto in enumerate(model.graph.node):
        _read_node(proto, source_node(proto, index), reader, obstacles, hosting)
    try:
        results = _results(model, reader, obstacles, hosting)
        obstacles.raise_if_any(origin or name)
        made = Assembly(model, reader, hosting, name, [entry.name for entry in inputs], batch).network(results)
    except RecursionError as error:
        raise _too_deep() from error
    network, graph, crossing = made
    network = _without_idle_inputs(network, [entry.name for entry in inputs])
    called = reader.builder.output_names
    ends = {called.get(label, label): value.source if isinstance(value, Cut) else label for label, value in results}
    graph = replace(graph, warnings=network.warnings)
    return Reading(network, graph, dict(reader.reshapes), ends, dict(reader.builder.origins), crossing)


def ending_on_mla(reading: Reading) -> Reading:
    """What was read, up to the last tensors of the MLA.

    Raises:
        UnsupportedError: the MLA reads what the A65 makes.
    """
    network = mla_alone(reading.network)
    (graph,) = network.graphs
    ends = {name: reading.ends.get(name, reading.crossing.get(name, name)) for name in network.outputs}
    return replace(reading, network=network, graph=graph, ends=ends)


def _too_deep() -> UnsupportedError:
    return UnsupportedError(
        "hundreds of operators stand in a row without a QuantizeLinear between them", rule=rules.QUANTIZED.sentence
    )


def _input_value(entry: GraphInput, reader: Reader) -> Value:
    quant = reader.integer_quants.get(entry.name)
    return entry if quant is None else reader.builder.input(entry, quant)


def _without_idle_inputs(network: Network, declared: Sequence[str]) -> Network:
    used = {port.name for port in network.inputs}
    idle = [entry for entry in declared if entry not in used]
    if len(idle) == len(declared):
        raise ModelError("no input of the model reaches an output")
    warnings = tuple(f"input {entry!r} does not reach any output and is left out" for entry in idle)
    return replace(network, warnings=(*network.warnings, *warnings))


def _results(
    model: onnx.ModelProto, reader: Reader, obstacles: Obstacles, hosting: Hosting | None
) -> list[tuple[str, Value]]:
    """Every output with its value; those that cannot be one are obstacles."""
    results: list[tuple[str, Value]] = []
    for entry in model.graph.output:
        try:
            value = _result(entry.name, reader)
            value = _end(value, entry.name, reader, hosting)
        except ModelError as error:
            obstacles.record(error)
        else:
            results.append((entry.name, value))
    return results


def _result(name: str, reader: Reader) -> Value:
    value = reader.values.get(name)
    if value is None:
        raise ModelError(f"output {name!r} is produced by no node")
    if isinstance(value, Constant | QuantizedConstant | ShapeVector):
        raise ModelError(f"output {name!r} does not depend on any input", hint="remove constant outputs")
    return value


def _end(value: Value, name: str, reader: Reader, hosting: Hosting | None) -> Value:
    """What an output ends in: bytes of the MLA, or reals that the A65 makes."""
    value = value if hosting else rows.as_end(value, reader)
    if isinstance(value, Hosted):
        return Hosting.checked_end(name, value, output_node(name))
    if isinstance(value, Unknown | Cut):
        return value
    try:
        reader.builder.check_settles(value, output_node(name))
    except UnsupportedError as error:
        if hosting is None:
            raise
        return Hosting.checked_end(name, hosting.end(name, output_node(name), reader, error), output_node(name))
    return value


def _read_node(
    proto: onnx.NodeProto, node: SourceNode, reader: Reader, obstacles: Obstacles, hosting: Hosting | None
) -> None:
    """Convert one node; what cannot be converted is the A65's or recorded, and reading goes on behind it."""
    try:
        results = _converted(proto, node, reader, hosting) or obstacles.unknown(node)
    except ModelError as error:
        results = obstacles.record(error, node)
    except RecursionError as error:
        raise _too_deep() from error
    except DAMAGE as error:
        results = obstacles.record(node.invalid(f"it contradicts itself ({type(error).__name__}: {error})"), node)
    for name, value in zip(node.outputs, results, strict=False):
        if name:
            reader.values[name] = value


def _converted(proto: onnx.NodeProto, node: SourceNode, reader: Reader, hosting: Hosting | None) -> Sequence[Value]:
    """The values of the node's outputs on the MLA, or else on the A65."""
    given = [reader.values[name] for name in node.inputs if name in reader.values]
    if any(isinstance(value, Unknown) for value in given):
        return _behind_obstacle(node, reader, hosting)
    if hosting is None:
        return _convert(proto, node, reader, given)
    try:
        if any(isinstance(value, Hosted) for value in given):
            _converter(node)  # what the MLA has not at all says so, rather than that it follows another
            return hosting.follow(node, reader)
        return _convert(proto, node, reader, given)
    except UnsupportedError as error:
        return hosting.take(node, reader, error)


def _convert(proto: onnx.NodeProto, node: SourceNode, reader: Reader, given: Sequence[Value]) -> Sequence[Value]:
    """The values of the node's outputs."""
    if _is_constant(node, given):
        return _folded(proto, node, reader)
    if constant_reals.are_constants(node, given) and not node.domain and node.operator not in UNREPEATABLE:
        return constant_reals.fold_reals(proto, node, reader)
    converter = _converter(node)
    on_bytes = any(isinstance(value, Activation) and value.integer for value in given)
    rules.REALS.check(node, "it computes with bytes as numbers", not on_bytes or node.operator in ON_BYTES)
    return converter(node, reader)


def _folded(proto: onnx.NodeProto, node: SourceNode, reader: Reader) -> Sequence[Value]:
    pair = constant_reals.quantized_pair(node, reader) if node.operator == "QuantizeLinear" else None
    return shapes.fold_constants(proto, node, reader) if pair is None else [pair]


def _converter(node: SourceNode) -> Converter:
    converter = CONVERTERS.get(node.operator) if not node.domain else None
    if converter is None:
        refuse_operator(node)
    return converter


def _behind_obstacle(node: SourceNode, reader: Reader, hosting: Hosting | None) -> Sequence[Value]:
    """A node with an unknown input: QuantizeLinear states a scale again, of others only the operator can be judged."""
    value = reader.value(node, 0)
    if node.operator == "QuantizeLinear" and isinstance(value, Unknown) and value.shape is not None:
        return [reader.builder.tensor(node.inputs[0], value.shape, reader.quantization(node))]
    if node.operator not in shapes.SHAPE_OPERATORS and not (hosting and hosting.knows(node)):
        _converter(node)
    return ()


def _is_constant(node: SourceNode, given: Sequence[Value]) -> bool:
    if node.operator == "DequantizeLinear" or node.domain or node.operator in UNREPEATABLE:
        return False
    complete = len(given) == sum(1 for name in node.inputs if name)
    return complete and all(isinstance(value, Constant | ShapeVector) for value in given)


def convert_quantize(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """QuantizeLinear completes what stands in front of it."""
    quant = reader.quantization(node)
    value, name = reader.activation(node), node.inputs[0]
    return [reader.builder.quantized(value, quant, name, node, direct=reader.readers[name] == 1)]


def convert_dequantize(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """DequantizeLinear: of a constant, a quantized constant; of a tensor, its real values."""
    value = reader.value(node, 0)
    if isinstance(value, Constant):
        return [_dequantized_constant(node, reader, value)]
    quant = reader.quantization(node)
    if not isinstance(value, Activation):
        raise node.invalid("its input holds real values already")
    known = reader.builder.quant(value)
    if known != quant:
        raise node.unsupported(f"it reads {value.tensor!r} with {quant}, which was written with {known}")
    return [Activation(value.tensor, value.shape, integer=False)]


def _constants(node: SourceNode, reader: Reader) -> list[np.ndarray]:
    return [reader.constant(node, place) for place in (1, 2) if reader.has(node, place)]


def _dequantized_constant(node: SourceNode, reader: Reader, value: Constant) -> QuantizedConstant:
    constants = _constants(node, reader)
    scales = constants[0].astype(np.float32)
    zeros = constants[1].astype(np.int64) if len(constants) > 1 else np.zeros(scales.shape, np.int64)
    if node.integer("block_size", 0):
        raise node.unsupported("it has scales per block", rule=rules.PER_CHANNEL_AXIS.sentence)
    return QuantizedConstant(value.array, scales.reshape(-1), zeros.reshape(-1), node.integer("axis", 1))


#: Operators that may stand on bytes: what only moves them, and what makes reals of them.
ON_BYTES = BYTE_MOVEMENTS | {"DequantizeLinear", "Cast", "Shape"}

CONVERTERS: dict[str, Converter] = {
    "QuantizeLinear": convert_quantize,
    "DequantizeLinear": convert_dequantize,
    "Conv": weighted.convert_conv,
    "ConvTranspose": transposed.convert_conv_transpose,
    "Gemm": weighted.convert_gemm,
    "MatMul": products.convert_matmul,
    "Einsum": products.convert_einsum,
    "Add": elementwise.convert_binary,
    "Sub": elementwise.convert_binary,
    "Mul": elementwise.convert_binary,
    "Div": elementwise.convert_binary,
    "PRelu": elementwise.convert_prelu,
    "Sum": elementwise.convert_many,
    "Max": elementwise.convert_many,
    "Min": elementwise.convert_many,
    **dict.fromkeys(unary.EXACT, unary.convert_exact),
    **dict.fromkeys(host_functions.FUNCTIONS, host_functions.convert_host_function),
    "BatchNormalization": unary.convert_batch_normalization,
    "Relu": limits.convert_relu,
    "Clip": limits.convert_clip,
    "LeakyRelu": unary.convert_unary,
    "Sigmoid": unary.convert_unary,
    "Tanh": unary.convert_unary,
    "HardSigmoid": unary.convert_unary,
    "HardSwish": unary.convert_unary,
    "MaxPool": windows.convert_max_pool,
    "AveragePool": averages.convert_average_pool,
    "GlobalAveragePool": averages.convert_global_average_pool,
    "LRN": rows.convert_lrn,
    "GlobalMaxPool": reductions.convert_global_max_pool,
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum"), reductions.convert_reduction),
    "Concat": movement.convert_concat,
    "Flatten": reshaping.convert_flatten,
    "Reshape": reshaping.convert_reshape,
    "Squeeze": reshaping.convert_squeeze,
    "Unsqueeze": reshaping.convert_unsqueeze,
    "Transpose": movement.convert_transpose,
    "Slice": movement.convert_slice,
    "Split": movement.convert_split,
    "Pad": pads.convert_pad,
    "Gather": selection.convert_gather,
    "Tile": selection.convert_tile,
    "Expand": selection.convert_expand,
    "SpaceToDepth": selection.convert_space_to_depth,
    "DepthToSpace": selection.convert_depth_to_space,
    "Resize": resizing.convert_resize,
    "Upsample": resizing.convert_resize,
    "Shape": shapes.convert_shape,
    "Cast": movement.convert_cast,
    "Identity": movement.convert_identity,
    "Dropout": movement.convert_identity,
    **dict.fromkeys(("Softmax", "LogSoftmax"), rows.convert_softmax),
    "ArgMax": rows.convert_arg_max,
    "LayerNormalization": norms.convert_layer_norm,
    "RMSNormalization": norms.convert_layer_norm,
    "SimplifiedLayerNormalization": norms.convert_layer_norm,
    "InstanceNormalization": norms.convert_instance_norm,
}
