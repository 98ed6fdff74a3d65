"""Damage done to a good file: bytes flipped, nodes dropped, wires crossed, attributes and constants changed.

In: the bytes of a model and a seeded generator. Out: the bytes of another file, which may be no model at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, helper, numpy_helper

Random = np.random.Generator
ODD_NUMBERS = (-(2**63), -(2**31), -128, -7, -2, -1, 0, 1, 2, 3, 5, 31, 128, 255, 2**31 - 1, 2**40, 2**63 - 1)
ODD_REALS = (
    float("nan"), float("inf"), float("-inf"), 0.0, -0.0, -1.0, 1e-45, 1e-30, 1e-3, 0.5, 1.0, 7.0, 1e30, 3.4e38,
)  # fmt: skip
OPERATORS = (
    "Add", "Mul", "Sub", "Div", "Relu", "Clip", "Sigmoid", "Tanh", "Identity", "Transpose", "Flatten", "Reshape",
    "Squeeze", "Unsqueeze", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "Conv", "Gemm", "MatMul",
    "QuantizeLinear", "DequantizeLinear", "Softmax", "Cast", "Shape", "Gather", "Constant", "ReduceMean", "Max",
    "Split", "Slice", "Pad", "Resize", "HardSwish", "LeakyRelu", "Nonsense", "",
)  # fmt: skip
ATTRIBUTES = (
    "axis",
    "pads",
    "strides",
    "kernel_shape",
    "group",
    "perm",
    "alpha",
    "mode",
    "to",
    "auto_pad",
    "ceil_mode",
)


def mutated(data: bytes, random: Random) -> bytes:
    """One to three mutations, mostly one; a fifth of all files has its bytes damaged."""
    count = _pick(random, (1, 1, 1, 2, 3))
    if random.random() < 0.2:
        for _ in range(count):
            data = _pick(random, BYTES)(data, random)
        return data
    model = onnx.ModelProto.FromString(data)
    for _ in range(count):
        try:
            _pick(random, MODELS)(model, random)
        except (ValueError, TypeError, IndexError, DecodeError):  # the mutation does not fit what an earlier one left
            continue
    return model.SerializeToString()


def _pick(random: Random, items: Sequence[Any]) -> Any:
    return items[int(random.integers(len(items)))]


# --- bytes ------------------------------------------------------------------------------------------------------


def flip_bits(data: bytes, random: Random) -> bytes:
    result = bytearray(data)
    for _ in range(int(random.integers(1, 9))):
        if result:
            result[int(random.integers(len(result)))] ^= 1 << int(random.integers(8))
    return bytes(result)


def overwrite(data: bytes, random: Random) -> bytes:
    at, size = int(random.integers(len(data) + 1)), int(random.integers(1, 17))
    return data[:at] + random.bytes(size) + data[at + size :]


def cut(data: bytes, random: Random) -> bytes:
    return data[: int(random.integers(len(data) + 1))]


def take_out(data: bytes, random: Random) -> bytes:
    at = int(random.integers(len(data) + 1))
    return data[:at] + data[at + int(random.integers(1, 65)) :]


def repeat(data: bytes, random: Random) -> bytes:
    at, size = int(random.integers(len(data) + 1)), int(random.integers(1, 257))
    return data[: at + size] + data[at:]


BYTES: list[Callable[[bytes, Random], bytes]] = [flip_bits, flip_bits, flip_bits, overwrite, cut, take_out, repeat]

# --- models -----------------------------------------------------------------------------------------------------


def drop_node(model: onnx.ModelProto, random: Random) -> None:
    del model.graph.node[int(random.integers(len(model.graph.node)))]


def bypass_node(model: onnx.ModelProto, random: Random) -> None:
    """Whoever read a node's result reads its first input instead."""
    node = _pick(random, model.graph.node)
    for other in model.graph.node:
        other.input[:] = [node.input[0] if name == node.output[0] else name for name in other.input]


def repeat_node(model: onnx.ModelProto, random: Random) -> None:
    copy = onnx.NodeProto.FromString(_pick(random, model.graph.node).SerializeToString())
    model.graph.node.insert(int(random.integers(len(model.graph.node))), copy)


def move_node(model: onnx.ModelProto, random: Random) -> None:
    node = onnx.NodeProto.FromString(
        model.graph.node.pop(int(random.integers(len(model.graph.node)))).SerializeToString()
    )
    model.graph.node.insert(int(random.integers(len(model.graph.node) + 1)), node)


def other_operator(model: onnx.ModelProto, random: Random) -> None:
    _pick(random, model.graph.node).op_type = _pick(random, OPERATORS)


def other_domain(model: onnx.ModelProto, random: Random) -> None:
    _pick(random, model.graph.node).domain = _pick(random, ("com.microsoft", "ai.onnx", "ai.onnx.ml", "nowhere"))


def other_name(model: onnx.ModelProto, random: Random) -> None:
    _pick(random, model.graph.node).name = _pick(random, model.graph.node).name


def cross_wires(model: onnx.ModelProto, random: Random) -> None:
    """An input of one node becomes a value from anywhere."""
    node = _pick(random, model.graph.node)
    node.input[int(random.integers(len(node.input)))] = _pick(random, _values(model))


def exchange_wires(model: onnx.ModelProto, random: Random) -> None:
    one, two = _pick(random, model.graph.node), _pick(random, model.graph.node)
    first, second = (int(random.integers(len(node.input))) for node in (one, two))
    one.input[first], two.input[second] = two.input[second], one.input[first]


def drop_input(model: onnx.ModelProto, random: Random) -> None:
    node = _pick(random, model.graph.node)
    del node.input[int(random.integers(len(node.input)))]


def add_input(model: onnx.ModelProto, random: Random) -> None:
    _pick(random, model.graph.node).input.append(_pick(random, _values(model)))


def rename_output(model: onnx.ModelProto, random: Random) -> None:
    node = _pick(random, model.graph.node)
    node.output[int(random.integers(len(node.output)))] = _pick(random, _values(model))


def drop_attribute(model: onnx.ModelProto, random: Random) -> None:
    node = _pick(random, [node for node in model.graph.node if node.attribute])
    del node.attribute[int(random.integers(len(node.attribute)))]


def add_attribute(model: onnx.ModelProto, random: Random) -> None:
    value = _pick(random, (int(_pick(random, ODD_NUMBERS)), [1, 2], [0, 1, 2, 3], 0.5, "edge", [3, 3]))
    _pick(random, model.graph.node).attribute.append(helper.make_attribute(_pick(random, ATTRIBUTES), value))


def other_attribute(model: onnx.ModelProto, random: Random) -> None:
    """Another number, length, name or type."""
    node = _pick(random, [node for node in model.graph.node if node.attribute])
    item = _pick(random, node.attribute)
    kind = int(random.integers(5))
    if kind == 0:
        item.name = _pick(random, ATTRIBUTES)
    elif kind == 1:
        item.type = int(random.integers(15))
    elif item.type == AttributeProto.INTS and kind < 4:
        item.ints[int(random.integers(len(item.ints)))] = _number(random)
    elif item.type == AttributeProto.INTS:
        item.ints.append(_number(random))
    elif item.type == AttributeProto.INT:
        item.i = _number(random)
    elif item.type == AttributeProto.FLOAT:
        item.f = float(_pick(random, ODD_REALS))
    else:
        item.s = bytes(random.integers(0, 256, 4, dtype=np.uint8))


def other_value(model: onnx.ModelProto, random: Random) -> None:
    """One number of a constant."""
    entry = _pick(random, model.graph.initializer)
    array = numpy_helper.to_array(entry).copy().reshape(-1)
    at = int(random.integers(len(array)))
    if array.dtype.kind == "f":
        array[at] = _pick(random, ODD_REALS)
    else:
        limits = np.iinfo(array.dtype)
        array[at] = np.clip(_number(random), limits.min, limits.max)
    name, dims = entry.name, list(entry.dims)
    entry.CopyFrom(numpy_helper.from_array(array.reshape(dims), name))


def scaled_constant(model: onnx.ModelProto, random: Random) -> None:
    """All numbers of a real constant times another."""
    entry = _pick(random, [entry for entry in model.graph.initializer if entry.data_type == onnx.TensorProto.FLOAT])
    array = numpy_helper.to_array(entry) * np.float32(_pick(random, (-1.0, 0.5, 1.01, 2.0, 1000.0, 1e-6)))
    name = entry.name
    entry.CopyFrom(numpy_helper.from_array(array.astype(np.float32), name))


def other_dims(model: onnx.ModelProto, random: Random) -> None:
    entry = _pick(random, model.graph.initializer)
    if entry.dims and random.random() < 0.7:
        entry.dims[int(random.integers(len(entry.dims)))] = _number(random)
    else:
        entry.dims.append(_pick(random, (0, 1, 2)))


def other_shape(model: onnx.ModelProto, random: Random) -> None:
    """A constant of as many numbers in another shape."""
    entry = _pick(random, [entry for entry in model.graph.initializer if len(entry.dims)])
    dims = list(entry.dims)
    shuffled = [dims[index] for index in random.permutation(len(dims))]
    entry.dims[:] = _pick(random, (shuffled, [*dims, 1], [1, *dims], [int(np.prod(dims))]))


def other_type(model: onnx.ModelProto, random: Random) -> None:
    _pick(random, model.graph.initializer).data_type = _pick(random, (0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 16, 17, 22, 99))


def converted_constant(model: onnx.ModelProto, random: Random) -> None:
    """The same numbers in another type."""
    entry = _pick(random, model.graph.initializer)
    kind = _pick(random, (np.uint8, np.int8, np.int32, np.int64, np.float32, np.float64, np.float16))
    name = entry.name
    with np.errstate(all="ignore"):
        entry.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(entry).astype(kind), name))


def cut_data(model: onnx.ModelProto, random: Random) -> None:
    entry = _pick(random, model.graph.initializer)
    entry.raw_data = entry.raw_data[: int(random.integers(len(entry.raw_data) + 1))]


def drop_constant(model: onnx.ModelProto, random: Random) -> None:
    del model.graph.initializer[int(random.integers(len(model.graph.initializer)))]


def repeat_constant(model: onnx.ModelProto, random: Random) -> None:
    copy = onnx.TensorProto.FromString(_pick(random, model.graph.initializer).SerializeToString())
    copy.name = _pick(random, (copy.name, *_values(model)))
    model.graph.initializer.append(copy)


def constant_as_input(model: onnx.ModelProto, random: Random) -> None:
    """A constant that callers must give."""
    entry = model.graph.initializer.pop(int(random.integers(len(model.graph.initializer))))
    model.graph.input.append(helper.make_tensor_value_info(entry.name, entry.data_type, list(entry.dims)))


def other_input(model: onnx.ModelProto, random: Random) -> None:
    """Another size, number of dimensions or type of an input."""
    entry = _pick(random, model.graph.input).type.tensor_type
    kind = int(random.integers(4))
    if kind == 0:
        entry.elem_type = _pick(random, (0, 1, 2, 3, 7, 10, 11, 99))
    elif kind == 1 and entry.shape.dim:
        _pick(random, entry.shape.dim).dim_value = _pick(random, (-1, 0, 1, 2, 3, 7, 2**40))
    elif kind == 2:
        entry.shape.dim.add().dim_value = 2
    elif entry.shape.dim:
        del entry.shape.dim[int(random.integers(len(entry.shape.dim)))]


def drop_boundary(model: onnx.ModelProto, random: Random) -> None:
    boundary = _pick(random, (model.graph.input, model.graph.output))
    del boundary[int(random.integers(len(boundary)))]


def other_boundary(model: onnx.ModelProto, random: Random) -> None:
    """An input or an output by the name of another value, or one more output."""
    if random.random() < 0.5:
        _pick(random, (*model.graph.input, *model.graph.output)).name = _pick(random, _values(model))
    else:
        model.graph.output.append(helper.make_empty_tensor_value_info(_pick(random, _values(model))))


def other_opset(model: onnx.ModelProto, random: Random) -> None:
    _pick(random, model.opset_import).version = _pick(
        random, (-1, 0, 1, 7, 10, 11, 12, 13, 15, 18, 19, 21, 23, 99, 2**40)
    )


def drop_opset(model: onnx.ModelProto, random: Random) -> None:
    del model.opset_import[:]


def _values(model: onnx.ModelProto) -> list[str]:
    names = {name for node in model.graph.node for name in (*node.input, *node.output)}
    return [*sorted(names), "nowhere", ""]


def _number(random: Random) -> int:
    return int(_pick(random, ODD_NUMBERS)) if random.random() < 0.5 else int(random.integers(-3, 9))


MODELS: list[Callable[[onnx.ModelProto, Random], None]] = [
    drop_node, bypass_node, bypass_node, repeat_node, move_node, other_operator, other_domain, other_name, cross_wires,
    cross_wires, exchange_wires, exchange_wires, drop_input, add_input, rename_output, drop_attribute, drop_attribute,
    add_attribute, other_attribute, other_attribute, other_attribute, other_value, other_value, other_value,
    scaled_constant, scaled_constant, other_dims, other_shape, other_type, converted_constant, cut_data, drop_constant,
    repeat_constant, constant_as_input, other_input, drop_boundary, other_boundary, other_opset, drop_opset,
]  # fmt: skip
