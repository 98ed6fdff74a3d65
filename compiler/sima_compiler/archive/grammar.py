"""The published grammar of `*_mpk.json` as two tables of rules, written apart from the builder.

In: any parsed JSON value. Out: one sentence per broken rule. `DOCUMENT_RULES` is what the vendor's strict decoder wants
of a document, but for the batch sizes of MLA plugins: the published documents carry a desired size beside the actual
one, and only `sima_compiler.archive.acceptance` says that the decoder wants them equal. `FORM_RULES` is what published
documents have besides. Always holds: no input raises; a finding starts with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sima_compiler.archive.grammar_plugins import (
    Plugin,
    config_of_plugin,
    executable_of_plugin,
    form_of_plugin,
    kernel_of_plugin,
    nodes,
    shape_of_plugin,
    types_of_nodes,
    types_of_plugin,
)
from sima_compiler.archive.rule import Rule, broken_rules, outcomes
from sima_compiler.errors import SchemaError

_SDK_VERSIONS = ("2.0.0", "2.1.0")
# What may read an MLA output without typed values; a pack joins it to the next segment's other inputs.
_AFTER_MLA = ("detessellation_transform", "unpack_transform", "pack_transform")


def validate(document: object) -> list[str]:
    """Every broken rule of a document as a sentence; an empty list means that it is valid."""
    found = outcomes(DOCUMENT_RULES, document)
    found += outcomes(FORM_RULES, document, broken_rules(found))
    return [finding for outcome in found for finding in outcome.findings]


def check_mpk(document: object, *, entry: str = "mpk.json") -> None:
    """Raises what `validate` finds.

    Raises:
        SchemaError: at least one rule is broken; the message gives the first and counts the others.
    """
    found = validate(document)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise SchemaError(f"{entry}: {found[0]}{more}", entry=entry)


def plugins_in_order(document: Any) -> list[Plugin]:
    """The plugins by their sequence numbers; the document's plugins are sound."""
    return sorted(document["plugins"], key=lambda plugin: plugin["sequence"])


def _is_object(document: object) -> Iterator[str]:
    if not isinstance(document, dict):
        yield "document: must be an object"


def _head(document: Any) -> Iterator[str]:
    for key in ("name", "model_path", "model_checksum"):
        if not isinstance(document.get(key), str) or not document[key]:
            yield f"{key}: must be a text"
    if "/" in str(document.get("model_path")) or "\\" in str(document.get("model_path")):
        yield "model_path: must be a base name"


def _one_authority(document: Any) -> Iterator[str]:
    if "execution_contract" in document:
        yield "execution_contract: must be absent"


def _version(document: Any) -> Iterator[str]:
    if document.get("model_sdk_version") not in _SDK_VERSIONS:
        yield f"model_sdk_version: must be one of {', '.join(_SDK_VERSIONS)}"


def _inputs(document: Any) -> Iterator[str]:
    yield from (f"input_nodes: {sentence}" for sentence in nodes(document.get("input_nodes")))


def _input_types(document: Any) -> Iterator[str]:
    yield from (f"input_nodes: {sentence}" for sentence in types_of_nodes(document["input_nodes"]))


def _has_plugins(document: Any) -> Iterator[str]:
    plugins = document.get("plugins")
    if not isinstance(plugins, list) or not plugins or not all(isinstance(plugin, dict) for plugin in plugins):
        yield "plugins: must be a list of at least one object"


def _each(check: Callable[[Plugin], Iterator[str]]) -> Callable[[Any], Iterator[str]]:
    """The same check on every plugin, with its place in front."""

    def find(document: Any) -> Iterator[str]:
        for index, plugin in enumerate(document["plugins"]):
            yield from (f"plugins[{index}]: {sentence}" for sentence in check(plugin))

    return find


def _names(document: Any) -> Iterator[str]:
    names = [plugin["name"] for plugin in document["plugins"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"plugins: the name {name!r} appears twice"


def _sequence(document: Any) -> Iterator[str]:
    plugins = document["plugins"]
    if sorted(plugin["sequence"] for plugin in plugins) != list(range(1, len(plugins) + 1)):
        yield f"plugins: sequence must run from 1 to {len(plugins)} without gaps"


def _links(document: Any) -> Iterator[str]:
    """Every buffer has one producer, which comes before its readers and has their size."""
    sizes: dict[str, int] = {}
    for node in document["input_nodes"]:
        if node["name"] in sizes:
            yield f"input_nodes: the tensor {node['name']!r} appears twice"
        sizes[node["name"]] = node["size"]
    for plugin in plugins_in_order(document):
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


def _pass_through(document: Any) -> Iterator[str]:
    *others, _ = plugins_in_order(document)
    for plugin in others:
        if plugin["config_params"].get("kernel") == "pass_through":
            yield f"{plugin['name']}: pass_through must be the last plugin and the only one"


def _newer_steps(document: Any) -> Iterator[str]:
    for plugin in document["plugins"] if document["model_sdk_version"] != "2.1.0" else ():
        if plugin["processor"] == "A65" or plugin["config_params"].get("kernel") == "batch_flatten_transform":
            yield f"{plugin['name']}: needs model_sdk_version 2.1.0"


def _one_batch(document: Any) -> Iterator[str]:
    batches = {p["config_params"]["actual_batch_size"] for p in document["plugins"] if p["processor"] != "A65"}
    if len(batches) > 1:
        yield f"plugins: one actual batch size for all, found {sorted(batches)}"


def _ends(document: Any) -> Iterator[str]:
    readers: dict[str, list[Plugin]] = {}
    for plugin in document["plugins"]:
        for node in plugin["input_nodes"]:
            readers.setdefault(node["name"], []).append(plugin)
    for plugin in document["plugins"]:
        if plugin["processor"] != "MLA" or "output_types" in plugin["config_params"]:
            continue
        for node in plugin["output_nodes"]:
            followers = [r for r in readers.get(node["name"], []) if r["processor"] == "EV74"]
            kernels = [follower["config_params"]["kernel"] for follower in followers]
            if node["name"] not in readers or any(kernel not in _AFTER_MLA for kernel in kernels):
                yield f"{plugin['name']}: output {node['name']!r} needs a detessellation, an unpack or typed outputs"


_SOUND = ("shape", "config")
#: What the strict decoder wants of a document; each rule stands before those that need it.
DOCUMENT_RULES: tuple[Rule[Any], ...] = (
    Rule("object", "The document is one JSON object.", _is_object),
    Rule("one_authority", "It has no execution_contract beside its plugins.", _one_authority, ("object",)),
    Rule("version", f"model_sdk_version is {' or '.join(_SDK_VERSIONS)}.", _version, ("object",)),
    Rule("inputs", "The model's inputs are buffers with a name and a size.", _inputs, ("object",)),
    Rule("plugins", "There is at least one plugin.", _has_plugins, ("object",)),
    Rule(
        "shape",
        "Every plugin has a name, a sequence number, a known processor, the type sgpProcess, and named, sized buffers.",
        _each(shape_of_plugin),
        ("plugins",),
    ),
    Rule(
        "executable",
        "MLA and A65 plugins name their executable.",
        _each(executable_of_plugin),
        ("shape",),
    ),
    Rule(
        "config",
        "config_params hold exactly the keys of the plugin's processor; an EV74 plugin's two batch sizes are equal.",
        _each(config_of_plugin),
        ("shape",),
    ),
    Rule(
        "kernels",
        "Every EV74 kernel is known, has exactly its parameters, and buffers of the sizes that follow from them; the "
        "parts of a shared buffer add up, above batch 1 in whole 16-byte units per sample.",
        _each(kernel_of_plugin),
        _SOUND,
    ),
    Rule("types", "Typed values fit their buffers, one each.", _each(types_of_plugin), _SOUND),
    Rule("names", "No two plugins have the same name.", _names, ("shape",)),
    Rule("sequence", "Sequence numbers run from 1 without gaps.", _sequence, ("shape",)),
    Rule(
        "links",
        "Every buffer that is read is written once, earlier, under the same name and with the same size.",
        _links,
        ("shape", "inputs"),
    ),
    Rule("pass_through", "A pass_through comes last and once.", _pass_through, _SOUND),
    Rule("newer_steps", "A65 plugins and batch_flatten_transform need 2.1.0.", _newer_steps, (*_SOUND, "version")),
    Rule(
        "ends",
        "What an MLA plugin writes without saying its types goes through a detessellation or an unpack.",
        _ends,
        _SOUND,
    ),
)
#: What published documents have besides; no reader is known to refuse a document for these.
FORM_RULES: tuple[Rule[Any], ...] = (
    Rule("head", "The document names itself, its model by a base name, and the model's checksum.", _head, ("object",)),
    Rule("input_types", "The model's inputs have the type buffer.", _input_types, ("inputs", "object")),
    Rule(
        "form",
        "MLA plugins name an .lm or .elf, A65 plugins an .so, EV74 plugins a placeholder; all of them write buffers.",
        _each(form_of_plugin),
        ("shape", "executable"),
    ),
    Rule("one_batch", "All plugins are built for one batch size.", _one_batch, _SOUND),
)
