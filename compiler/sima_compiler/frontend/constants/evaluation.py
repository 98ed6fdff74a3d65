"""Constants computed by onnxruntime, or by onnx's evaluator where onnxruntime has no kernel.

In: nodes in order, the arrays that they read, the results that are wanted. Out: arrays by name. Always: a result's size
is known to be allowed before anything runs; neither evaluator is imported unless there is something to compute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import onnx
from onnx import helper

from sima_compiler.errors import ModelError, UnsupportedError
from sima_compiler.frontend.constants.ordering import label
from sima_compiler.frontend.constants.tensors import LARGEST_CONSTANT, Array, check_size, encode

#: Operators whose result is not the same twice, or may only be known while the network runs.
UNREPEATABLE = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
#: Sizes that depend on values, or that onnx does not infer (Q and DQ of com.microsoft), yet never exceed those of the
#: input by more than its number of axes.
BOUNDED_BY_INPUT = frozenset(
    {"NonZero", "Compress", "Unique", "NonMaxSuppression", "QuantizeLinear", "DequantizeLinear"}
)
#: Tensors of at most this many values may be what a size depends on; longer ones are weights.
LONGEST_SHAPE = 1024
#: onnxruntime's severity of "fatal": it would otherwise print to the terminal before it raises.
QUIET = 4


def evaluate(
    nodes: Sequence[onnx.NodeProto], feeds: Mapping[str, Array], wanted: Sequence[str], model: onnx.ModelProto
) -> dict[str, Array]:
    """``wanted`` values that ``nodes`` make of ``feeds``; ``model`` tells the operator sets.

    Raises:
        UnsupportedError: neither evaluator can run a node. ModelError: a result would exceed `LARGEST_CONSTANT`.
    """
    if len(nodes) > 1:
        graph = _graph(nodes, feeds, wanted, model)
        if _sizes_are_known(graph, nodes):
            # One by one, the node at fault can be named or left to the other evaluator.
            with suppress(Exception):
                return _onnxruntime(graph, feeds, wanted)
    return _one_by_one(nodes, feeds, wanted, model)


def _one_by_one(
    nodes: Sequence[onnx.NodeProto], feeds: Mapping[str, Array], wanted: Sequence[str], model: onnx.ModelProto
) -> dict[str, Array]:
    known = dict(feeds)
    for node in nodes:
        given = {name: known[name] for name in node.input if name}
        results = [name for name in node.output if name]
        graph = _graph([node], given, results, model)
        if not _sizes_are_known(graph, [node]):
            _bounded(node, given)
        known |= _either(node, graph, given, results)
    return {name: known[name] for name in wanted}


def _either(
    node: onnx.NodeProto, graph: onnx.ModelProto, feeds: Mapping[str, Array], results: Sequence[str]
) -> dict[str, Array]:
    with suppress(Exception):  # onnxruntime's exceptions have no common public base
        return _onnxruntime(graph, feeds, results)
    from onnx.reference import ReferenceEvaluator

    try:
        with np.errstate(all="ignore"):
            values = ReferenceEvaluator(graph).run(list(results), dict(feeds))
    except Exception as error:  # the evaluator raises whatever its operator does
        raise UnsupportedError(
            f"{label(node)}: its constant result cannot be computed ({error})", node=node.name, operator=node.op_type,
            hint="simplify the model before quantizing it, for example with onnxsim",
        ) from error  # fmt: skip
    return {name: np.asarray(value) for name, value in zip(results, values, strict=True)}


def _onnxruntime(graph: onnx.ModelProto, feeds: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = QUIET
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inputs = {entry.name: feeds[entry.name] for entry in session.get_inputs()}
    return {name: np.asarray(array) for name, array in zip(wanted, session.run(list(wanted), inputs), strict=True)}


def _graph(
    nodes: Sequence[onnx.NodeProto], feeds: Mapping[str, Array], wanted: Sequence[str], model: onnx.ModelProto
) -> onnx.ModelProto:
    """The nodes as a model: short feeds stand in it, because sizes depend on them; long ones are its inputs."""
    short = [name for name, array in feeds.items() if array.size <= LONGEST_SHAPE]
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
        if name not in short
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in wanted]
    graph = helper.make_graph(nodes, "constants", inputs, outputs, [encode(feeds[name], name) for name in short])
    opsets = [helper.make_opsetid(entry.domain, entry.version) for entry in model.opset_import]
    return helper.make_model(graph, opset_imports=opsets, ir_version=min(max(model.ir_version, 4), 10))


def _sizes_are_known(graph: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> bool:
    """Whether every result's size follows from the nodes; refuses those that are too large."""
    try:
        inferred = onnx.shape_inference.infer_shapes(graph, data_prop=True).graph
    except (RuntimeError, ValueError, TypeError, onnx.shape_inference.InferenceError):  # the node contradicts itself
        return False
    kinds = {entry.name: entry.type for entry in (*inferred.value_info, *inferred.output)}
    complete = True
    for node in nodes:
        for name in filter(None, node.output):
            dims = _dims(kinds.get(name))
            if dims is None:
                complete = False
            else:
                check_size(label(node), dims, _item_bytes(kinds[name]))
    return complete


def _dims(kind: onnx.TypeProto | None) -> tuple[int, ...] | None:
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return tuple(dim.dim_value for dim in dims) if all(dim.HasField("dim_value") for dim in dims) else None


def _item_bytes(kind: onnx.TypeProto) -> int:
    try:
        return helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type).itemsize
    except (KeyError, ValueError, TypeError):
        return 8


def _bounded(node: onnx.NodeProto, feeds: Mapping[str, Array]) -> None:
    """Allow a result of unknown size only where the input bounds it."""
    largest = max((array.size * max(array.ndim, 1) * 8 for array in feeds.values()), default=0)
    if node.op_type in BOUNDED_BY_INPUT and largest <= LARGEST_CONSTANT:
        return
    if not node.domain and not onnx.defs.has(node.op_type):
        raise UnsupportedError(
            f"{label(node)}: its constant result cannot be computed, for ONNX has no operator {node.op_type!r}",
            node=node.name, operator=node.op_type, hint="export the model again, or simplify it with onnxsim",
        )  # fmt: skip
    shapes = ", ".join(str(array.shape) for array in feeds.values()) or "nothing"
    raise ModelError(
        f"{label(node)}: the size of its constant result, made of {shapes}, cannot be known before it is computed",
        hint="the node contradicts itself, or the model must be simplified before it is quantized, e.g. with onnxsim",
    )
