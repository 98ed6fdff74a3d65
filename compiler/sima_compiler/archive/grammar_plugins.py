"""The grammar of one plugin: its keys, its executable, and what its processor wants to know.

In: a plugin as parsed JSON. Out: one sentence per broken rule. Always holds: each function says what it takes for
granted; `sima_compiler.archive.grammar` calls it for plugins that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from sima_compiler.archive.grammar_kernels import TYPE_BYTES, check_kernel, is_count, is_shape

Plugin = dict[str, Any]

_PROCESSORS = ("EV74", "MLA", "A65")
_ENDINGS = {"MLA": (".lm", ".elf"), "A65": (".so",)}
_KEYS = {"name", "sequence", "processor", "type", "config_params", "input_nodes", "output_nodes"}
_MLA_KEYS = {"desired_batch_size", "actual_batch_size", "number_of_quads_to_user"}
_TYPED_KEYS = {"input_types", "output_types"}
_EV74_KEYS = {"desired_batch_size", "actual_batch_size", "kernel", "params"}


def shape_of_plugin(plugin: Plugin) -> Iterator[str]:
    """Keys, name, sequence, type, processor and buffers."""
    missing = sorted(_KEYS - plugin.keys())
    if missing:
        yield f"missing {', '.join(missing)}"
        return
    if not isinstance(plugin["name"], str) or not plugin["name"]:
        yield "name must be a text"
    if not is_count(plugin["sequence"]):
        yield "sequence must be a positive whole number"
    if plugin["type"] != "sgpProcess":
        yield "type must be 'sgpProcess'"
    if plugin["processor"] not in _PROCESSORS:
        yield f"processor must be one of {', '.join(_PROCESSORS)}"
    if not isinstance(plugin["config_params"], dict):
        yield "config_params must be an object"
    yield from (f"input_nodes {sentence}" for sentence in nodes(plugin["input_nodes"]))
    yield from (f"output_nodes {sentence}" for sentence in nodes(plugin["output_nodes"]))


def nodes(values: object) -> Iterator[str]:
    """A list of buffers, each with a name and a size in bytes."""
    if not isinstance(values, list) or not values:
        yield "must be a list of at least one node"
        return
    for index, node in enumerate(values):
        if not isinstance(node, dict) or not isinstance(node.get("name"), str) or not node["name"]:
            yield f"[{index}] needs a name"
        elif not is_count(node.get("size")):
            yield f"[{index}] needs a positive size"


def types_of_nodes(values: list[dict[str, Any]]) -> Iterator[str]:
    """What is handed over is called a buffer; the nodes are sound."""
    for index, node in enumerate(values):
        if node.get("type") != "buffer":
            yield f"[{index}] needs the type 'buffer'"


def executable_of_plugin(plugin: Plugin) -> Iterator[str]:
    """MLA and A65 plugins name one; the plugin's shape is sound."""
    if plugin["processor"] == "EV74":
        return
    resources = plugin.get("resources")
    if not isinstance(resources, dict):
        yield "missing resources"
    elif not isinstance(resources.get("executable"), str) or not resources["executable"]:
        yield "resources.executable must be a text"
    elif plugin["processor"] == "A65" and resources.keys() != {"executable"}:
        yield "resources of an A65 plugin hold the executable and nothing else"


def form_of_plugin(plugin: Plugin) -> Iterator[str]:
    """What the published documents have beyond that: file names by kind, the EV74's placeholder, buffers by type."""
    resources = plugin.get("resources")
    executable = resources.get("executable") if isinstance(resources, dict) else None
    endings = _ENDINGS.get(plugin["processor"])
    if endings and (not isinstance(executable, str) or not executable.endswith(endings) or "/" in executable):
        yield f"resources.executable must be a file name that ends in {' or '.join(endings)}"
    elif not endings and executable != "kernel_name_tbd":
        yield "resources.executable must be the placeholder 'kernel_name_tbd'"
    yield from (f"output_nodes {sentence}" for sentence in types_of_nodes(plugin["output_nodes"]))


def config_of_plugin(plugin: Plugin) -> Iterator[str]:
    """The exact keys of config_params and what must stand in them; the plugin's shape is sound."""
    yield from (f"config_params: {sentence}" for sentence in _CONFIGS[plugin["processor"]](plugin))


def kernel_of_plugin(plugin: Plugin) -> Iterator[str]:
    """An EV74 kernel's parameters and the sizes that follow from them; the plugin's config is sound."""
    if plugin["processor"] != "EV74":
        return
    config = plugin["config_params"]
    inputs = [node["size"] for node in plugin["input_nodes"]]
    outputs = [node["size"] for node in plugin["output_nodes"]]
    found = check_kernel(config["kernel"], config["params"], inputs, outputs, config["actual_batch_size"])
    yield from (f"config_params: {sentence}" for sentence in found)


def types_of_plugin(plugin: Plugin) -> Iterator[str]:
    """Typed values of MLA and A65 plugins: one per buffer, with the buffer's size; the plugin's config is sound."""
    config = plugin["config_params"]
    for key, side in (("input_types", "input_nodes"), ("output_types", "output_nodes")):
        types = config.get(key)
        if types is None:
            continue
        if len(types) != len(plugin[side]):
            yield f"{key} holds {len(types)} types for {len(plugin[side])} buffers"
            continue
        for item, node in zip(types, plugin[side], strict=True):
            size = prod(item["shape"]) * TYPE_BYTES.get(item["scalar"], 0)
            if size != node["size"]:
                yield f"{key}: {item['scalar']} {item['shape']} makes {size} bytes, the buffer has {node['size']}"
    names = config.get("input_names", plugin["input_nodes"])
    if len(names) != len(plugin["input_nodes"]):
        yield f"input_names holds {len(names)} names for {len(plugin['input_nodes'])} buffers"


def _ev74(plugin: Plugin) -> Iterator[str]:
    config = plugin["config_params"]
    if config.keys() != _EV74_KEYS:
        yield f"must have exactly the keys {', '.join(sorted(_EV74_KEYS))}"
    elif not is_count(config["actual_batch_size"]) or config["desired_batch_size"] != config["actual_batch_size"]:
        yield "both batch sizes of an EV74 plugin must be the same positive number"
    elif not isinstance(config["params"], dict):
        yield "params must be an object"


def _mla(plugin: Plugin) -> Iterator[str]:
    config = plugin["config_params"]
    if config.keys() not in (_MLA_KEYS, _MLA_KEYS | _TYPED_KEYS):
        yield f"must have exactly {', '.join(sorted(_MLA_KEYS))}, and both or neither of input_types and output_types"
        return
    if not all(is_count(config[key]) for key in _MLA_KEYS):
        yield "batch sizes and quads must be positive whole numbers"
    elif config["actual_batch_size"] > config["desired_batch_size"]:
        yield "actual_batch_size must not exceed desired_batch_size"
    for key in sorted(_TYPED_KEYS & config.keys()):
        yield from _types(config, key)


def _a65(plugin: Plugin) -> Iterator[str]:
    config = plugin["config_params"]
    wanted = {"input_names", *_TYPED_KEYS}
    if config.keys() != wanted:
        yield f"must have exactly the keys {', '.join(sorted(wanted))}"
        return
    names = config["input_names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        yield "input_names must be a list of texts"
    for key in sorted(_TYPED_KEYS):
        yield from _types(config, key)


def _types(config: dict[str, Any], key: str) -> Iterator[str]:
    types = config[key]
    if not isinstance(types, list) or not types:
        yield f"{key} must be a list"
        return
    for item in types:
        if not isinstance(item, dict) or item.keys() != {"scalar", "shape"}:
            yield f"{key}: each item has exactly scalar and shape"
        elif not isinstance(item["scalar"], str) or not is_shape(item["shape"]):
            yield f"{key}: scalar must be a text and shape a list of positive numbers"


_CONFIGS: dict[str, Callable[[Plugin], Iterator[str]]] = {"EV74": _ev74, "MLA": _mla, "A65": _a65}
