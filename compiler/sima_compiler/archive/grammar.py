"""The published grammar of `*_mpk.json` as checks, written apart from the builder.

In: any parsed JSON value. Out: one sentence per broken rule, none for a document that the vendor's stricter decoder
takes. Always holds: no input raises; a sentence starts with the place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sima_compiler.archive.grammar_kernels import check_kernel, is_count, is_shape
from sima_compiler.errors import SchemaError

_SDK_VERSIONS = ("2.0.0", "2.1.0")
_PROCESSORS = ("EV74", "MLA", "A65")
_ENDINGS = {"MLA": (".lm", ".elf"), "A65": (".so",)}
_PLUGIN_KEYS = {
    "name", "sequence", "processor", "type", "config_params", "input_nodes", "output_nodes", "resources",
}  # fmt: skip
_MLA_KEYS = {"desired_batch_size", "actual_batch_size", "number_of_quads_to_user"}
_TYPED_KEYS = {"input_types", "output_types"}
# What may read an MLA output without typed values; a pack joins it to the next segment's other inputs.
_AFTER_MLA = ("detessellation_transform", "unpack_transform", "pack_transform")


def validate(document: object) -> list[str]:
    """Every broken rule of a document as a sentence; an empty list means that it is valid."""
    if not isinstance(document, dict):
        return ["document: must be an object"]
    found = [*_top(document)]
    plugins = document.get("plugins")
    if not isinstance(plugins, list) or not plugins or not all(isinstance(plugin, dict) for plugin in plugins):
        return [*found, "plugins: must be a list of at least one object"]
    for index, plugin in enumerate(plugins):
        place = f"plugins[{index}]"
        found += [f"{place}: {sentence}" for sentence in _plugin(plugin)]
    if found:
        return found  # the rules between plugins need sound plugins
    return [*_names_and_sequence(plugins), *_links(document, plugins), *_between(document, plugins)]


def check_mpk(document: object, *, entry: str = "mpk.json") -> None:
    """Raises what `validate` finds.

    Raises:
        SchemaError: at least one rule is broken; the message gives the first and counts the others.
    """
    found = validate(document)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise SchemaError(f"{entry}: {found[0]}{more}", entry=entry)


def _top(document: dict[str, Any]) -> Iterator[str]:
    for key in ("name", "model_path", "model_checksum", "model_sdk_version"):
        if not isinstance(document.get(key), str) or not document[key]:
            yield f"{key}: must be a text"
    if document.get("model_sdk_version") not in _SDK_VERSIONS:
        yield f"model_sdk_version: must be one of {', '.join(_SDK_VERSIONS)}"
    if "/" in str(document.get("model_path")) or "\\" in str(document.get("model_path")):
        yield "model_path: must be a base name"
    if "execution_contract" in document:
        yield "execution_contract: must be absent"
    yield from (f"input_nodes: {sentence}" for sentence in _nodes(document.get("input_nodes"), with_type=True))


def _nodes(nodes: object, *, with_type: bool) -> Iterator[str]:
    if not isinstance(nodes, list) or not nodes:
        yield "must be a list of at least one node"
        return
    for index, node in enumerate(nodes):
        if not isinstance(node, dict) or not isinstance(node.get("name"), str) or not node["name"]:
            yield f"[{index}] needs a name"
        elif not is_count(node.get("size")):
            yield f"[{index}] needs a positive size"
        elif with_type and node.get("type") != "buffer":
            yield f"[{index}] needs the type 'buffer'"


def _plugin(plugin: dict[str, Any]) -> Iterator[str]:
    missing = sorted(_PLUGIN_KEYS - plugin.keys())
    if missing:
        yield f"missing {', '.join(missing)}"
        return
    if not isinstance(plugin["name"], str) or not plugin["name"]:
        yield "name must be a text"
    if not is_count(plugin["sequence"]):
        yield "sequence must be a positive whole number"
    if plugin["type"] != "sgpProcess":
        yield "type must be 'sgpProcess'"
    nodes = [f"input_nodes {sentence}" for sentence in _nodes(plugin["input_nodes"], with_type=False)]
    nodes += [f"output_nodes {sentence}" for sentence in _nodes(plugin["output_nodes"], with_type=True)]
    yield from nodes
    if plugin["processor"] not in _PROCESSORS:
        yield f"processor must be one of {', '.join(_PROCESSORS)}"
        return
    yield from _executable(plugin)
    if not isinstance(plugin["config_params"], dict):
        yield "config_params must be an object"
    elif not nodes:  # the rules of a kernel need sound buffers
        yield from (f"config_params: {s}" for s in _CONFIG_CHECKS[plugin["processor"]](plugin))


def _executable(plugin: dict[str, Any]) -> Iterator[str]:
    resources = plugin["resources"]
    executable = resources.get("executable") if isinstance(resources, dict) else None
    endings = _ENDINGS.get(plugin["processor"])
    if not isinstance(executable, str):
        yield "resources.executable must be a text"
    elif endings and (not executable.endswith(endings) or "/" in executable):
        yield f"resources.executable must be a file name that ends in {' or '.join(endings)}"
    elif not endings and executable != "kernel_name_tbd":
        yield "resources.executable must be the placeholder 'kernel_name_tbd'"


def _ev74(plugin: dict[str, Any]) -> Iterator[str]:
    config = plugin["config_params"]
    wanted = {"desired_batch_size", "actual_batch_size", "kernel", "params"}
    if config.keys() != wanted:
        yield f"must have exactly the keys {', '.join(sorted(wanted))}"
    elif not is_count(config["actual_batch_size"]) or config["desired_batch_size"] != config["actual_batch_size"]:
        yield "both batch sizes of an EV74 plugin must be the same positive number"
    elif not isinstance(config["params"], dict):
        yield "params must be an object"
    else:
        inputs = [node["size"] for node in plugin["input_nodes"]]
        outputs = [node["size"] for node in plugin["output_nodes"]]
        yield from check_kernel(config["kernel"], config["params"], inputs, outputs)


def _mla(plugin: dict[str, Any]) -> Iterator[str]:
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


def _a65(plugin: dict[str, Any]) -> Iterator[str]:
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


_CONFIG_CHECKS = {"EV74": _ev74, "MLA": _mla, "A65": _a65}


def _names_and_sequence(plugins: list[dict[str, Any]]) -> Iterator[str]:
    names = [plugin["name"] for plugin in plugins]
    yield from (
        f"plugins: the name {name!r} appears twice" for name in sorted({n for n in names if names.count(n) > 1})
    )
    if sorted(plugin["sequence"] for plugin in plugins) != list(range(1, len(plugins) + 1)):
        yield f"plugins: sequence must run from 1 to {len(plugins)} without gaps"


def _links(document: dict[str, Any], plugins: list[dict[str, Any]]) -> Iterator[str]:
    """Every buffer has one producer, which comes before its readers and has their size."""
    sizes = {}
    for node in document["input_nodes"]:
        if node["name"] in sizes:
            yield f"input_nodes: the tensor {node['name']!r} appears twice"
        sizes[node["name"]] = node["size"]
    for plugin in sorted(plugins, key=lambda plugin: plugin["sequence"]):
        for node in plugin["input_nodes"]:
            if node["name"] not in sizes:
                yield f"{plugin['name']}: reads {node['name']!r}, which no earlier plugin writes"
            elif sizes[node["name"]] != node["size"]:
                sentence = f"reads {node['size']} bytes of {node['name']!r}, which has {sizes[node['name']]}"
                yield f"{plugin['name']}: {sentence}"
        for node in plugin["output_nodes"]:
            if node["name"] in sizes:
                yield f"{plugin['name']}: the tensor name {node['name']!r} is taken"
            sizes[node["name"]] = node["size"]


def _between(document: dict[str, Any], plugins: list[dict[str, Any]]) -> Iterator[str]:
    kernels = [plugin["config_params"].get("kernel", "") for plugin in plugins]
    last = max(plugins, key=lambda plugin: plugin["sequence"])
    for plugin, kernel in zip(plugins, kernels, strict=True):
        if kernel == "pass_through" and plugin is not last:
            yield f"{plugin['name']}: pass_through must be the last plugin and the only one"
        if document["model_sdk_version"] != "2.1.0" and (
            plugin["processor"] == "A65" or kernel == "batch_flatten_transform"
        ):
            yield f"{plugin['name']}: needs model_sdk_version 2.1.0"
    batches = {p["config_params"].get("actual_batch_size") for p in plugins if p["processor"] != "A65"}
    if len(batches) > 1:
        yield f"plugins: one actual batch size for all, found {sorted(batches)}"
    yield from _terminal_outputs(plugins)


def _terminal_outputs(plugins: list[dict[str, Any]]) -> Iterator[str]:
    readers: dict[str, list[dict[str, Any]]] = {}
    for plugin in plugins:
        for node in plugin["input_nodes"]:
            readers.setdefault(node["name"], []).append(plugin)
    for plugin in plugins:
        if plugin["processor"] != "MLA" or "output_types" in plugin["config_params"]:
            continue
        for node in plugin["output_nodes"]:
            followers = [r for r in readers.get(node["name"], []) if r["processor"] == "EV74"]
            kernels = [follower["config_params"]["kernel"] for follower in followers]
            if node["name"] not in readers or any(kernel not in _AFTER_MLA for kernel in kernels):
                yield f"{plugin['name']}: output {node['name']!r} needs a detessellation, an unpack or typed outputs"
