"""Real network topologies with seeded weights, for demonstrations that need no download.

In: a name and a seed. Out: a float ONNX model, opset `OPSET`, with one symbolic batch dimension left as the file wrote
it. The onnx package ships the topologies of nine image networks with every weight set to one constant; here each
tensor gets seeded values of the size that keeps activations in range (He's normal distribution for weights, scales
near one and shifts near zero for normalization). The same name, seed and numpy release always give the same bytes.

The networks have never been trained: their outputs mean nothing beyond "the arithmetic is right".
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper, version_converter

from sima_compiler.errors import ModelError

OPSET = 17
#: Inputs of an operator that are learned values, by position.
LEARNED = {
    "Conv": {1: "weight", 2: "bias"},
    "Gemm": {1: "weight", 2: "bias"},
    "BatchNormalization": {1: "scale", 2: "bias", 3: "mean", 4: "variance"},
    "Mul": {1: "scale"},
    "Add": {1: "bias"},
}


def light_model(name: str, seed: int = 0) -> onnx.ModelProto:
    """The topology ``name`` (such as ``resnet50``; ``light_resnet50`` is the same) with weights drawn from ``seed``.

    Raises:
        ModelError: the installed onnx package does not carry that topology.
    """
    model = _load(name.removeprefix("light_"))
    shapes = dict(_constant_shapes(model))
    roles = _roles(model)
    softmax = _detach_softmax(model)
    _drop_constants(model, keep=_consumed_constants(model, roles))
    model = _convert(model, {key: shapes[key] for key in roles if key in shapes})
    model.graph.initializer.extend(_learned(key, roles[key], shapes[key], seed) for key in sorted(roles))
    if softmax is not None:
        model.graph.node.append(softmax)
        model.graph.output[0].name = softmax.output[0]
    onnx.checker.check_model(model)
    return model


def light_model_names() -> tuple[str, ...]:
    """Names that `light_model` accepts with the installed onnx package."""
    return tuple(sorted(path.stem.removeprefix("light_") for path in _folder().glob("light_*.onnx")))


def _folder() -> Path:
    return Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def _load(name: str) -> onnx.ModelProto:
    path = _folder() / f"light_{name}.onnx"
    if not path.is_file():
        known = ", ".join(light_model_names()) or "none at all"
        raise ModelError(
            f"onnx {onnx.__version__} carries no topology {name!r}; it has {known}",
            hint="install an onnx release with onnx/backend/test/data/light, such as 1.23",
        )
    return onnx.load(path)


def _constant_shapes(model: onnx.ModelProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every constant: stored ones, and those that the file fills when it is run."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for tensor in stored.values():
        yield tensor.name, tuple(tensor.dims)
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape":
            yield node.output[0], tuple(int(size) for size in numpy_helper.to_array(stored[node.input[0]]))


def _roles(model: onnx.ModelProto) -> dict[str, str]:
    """What each learned tensor is to the operator that reads it, also where an Unsqueeze or a Reshape lies between."""
    constants = {name for name, _ in _constant_shapes(model)}
    views = ("Unsqueeze", "Reshape")
    origin = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type in views}
    roles: dict[str, str] = {}
    for node in model.graph.node:
        for position, role in LEARNED.get(node.op_type, {}).items():
            if position < len(node.input):
                roles[origin.get(node.input[position], node.input[position])] = role
    return {name: role for name, role in roles.items() if name in constants}


def _detach_softmax(model: onnx.ModelProto) -> onnx.NodeProto | None:
    """Takes a last Softmax off, to be put back after the opset conversion.

    Its meaning changed in opset 13. All these networks apply it to (batch, classes) or (batch, classes, 1, 1), where
    axis 1 says the same in both; the converter would write a chain of Shape, Flatten and Reshape instead.
    """
    last = model.graph.node[-1]
    if last.op_type != "Softmax":
        return None
    replacement = helper.make_node("Softmax", list(last.input), list(last.output), name=last.output[0], axis=1)
    del model.graph.node[-1]
    model.graph.output[0].name = last.input[0]
    return replacement


def _consumed_constants(model: onnx.ModelProto, roles: dict[str, str]) -> set[str]:
    """Stored constants that steer operators (shapes of Reshape) instead of being learned."""
    read = {name for node in model.graph.node if node.op_type != "ConstantOfShape" for name in node.input}
    return {tensor.name for tensor in model.graph.initializer if tensor.name in read and tensor.name not in roles}


def _drop_constants(model: onnx.ModelProto, keep: set[str]) -> None:
    nodes = [node for node in model.graph.node if node.op_type != "ConstantOfShape"]
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in keep]
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    for field, items in (("node", nodes), ("initializer", tensors), ("input", inputs)):
        model.graph.ClearField(field)
        getattr(model.graph, field).extend(items)


def _convert(model: onnx.ModelProto, learned: dict[str, tuple[int, ...]]) -> onnx.ModelProto:
    """Raises the opset while the learned tensors are still mere inputs, so that hundreds of megabytes stay unborn."""
    model.ir_version = 8
    real = [value.name for value in model.graph.input]
    model.graph.input.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in learned.items()
    )
    converted = version_converter.convert_version(model, OPSET)
    inputs = [value for value in converted.graph.input if value.name in real]
    converted.graph.ClearField("input")
    converted.graph.input.extend(inputs)
    converted.graph.ClearField("value_info")
    for index, node in enumerate(converted.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    return converted


def _learned(name: str, role: str, shape: tuple[int, ...], seed: int) -> onnx.TensorProto:
    return numpy_helper.from_array(seeded_values(name, role, shape, seed), name)


def seeded_values(name: str, role: str, shape: tuple[int, ...], seed: int) -> npt.NDArray[np.float32]:
    """Values for a learned tensor; ``role`` is weight, bias, scale, mean or variance. Depends on name and seed only."""
    random = np.random.default_rng((seed, zlib.crc32(name.encode())))
    noise = random.standard_normal(shape, dtype=np.float32)
    match role:
        case "weight":
            first = next((axis for axis, size in enumerate(shape) if size > 1), 0)
            return noise * np.float32(np.sqrt(2.0 / np.prod(shape[first + 1 :])))
        case "scale" | "variance":
            return np.float32(1.0) + np.float32(0.1) * np.clip(noise, -3, 3)
        case _:
            return np.float32(0.1) * noise
