"""The read view of `*_mpk.json`: what the archive runs, in which order, on which processor.

In: JSON bytes from this compiler or from any version of the vendor's. Out: a frozen `MpkDocument`.
Always holds: JSON is read strictly, content generously: unknown keys and kernels stay in ``raw``, absent ones read as
None or as an empty text. `sima_compiler.archive.grammar` checks the whole grammar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sima_compiler.archive.gunzip import Limits
from sima_compiler.archive.strict_json import parse_json
from sima_compiler.archive.typed_json import LARGEST_COUNT
from sima_compiler.errors import SchemaError


@dataclass(frozen=True, slots=True)
class Port:
    """One buffer that a plugin reads or writes; ``size`` in bytes, None where the document does not say."""

    name: str
    size: int | None


@dataclass(frozen=True, slots=True)
class MpkPlugin:
    """One step. ``kernel`` is the EV74 kernel's name, ``executable`` the archive member of MLA and A65 steps."""

    name: str
    sequence: int | None
    processor: str
    kernel: str
    desired_batch_size: int | None
    actual_batch_size: int | None
    executable: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    raw: Mapping[str, Any] = field(repr=False, hash=False)


@dataclass(frozen=True, slots=True)
class MpkDocument:
    """A whole document; ``plugins`` in the order of their sequence numbers where all have one."""

    name: str
    model_path: str
    model_checksum: str
    model_sdk_version: str
    input_nodes: tuple[Port, ...]
    plugins: tuple[MpkPlugin, ...]
    raw: Mapping[str, Any] = field(repr=False, hash=False)

    @staticmethod
    def parse(data: bytes, *, entry: str = "mpk.json", limits: Limits = Limits()) -> MpkDocument:
        """The document in ``data``; ``entry`` names it in errors.

        Raises:
            SizeLimitError: too many bytes. SchemaError: not strict JSON, or a part of the wrong kind.
        """
        raw = parse_json(data, entry, largest=limits.json_bytes)
        view = _View(entry)
        top = view.mapping(raw, "the document")
        plugins = [_plugin(view, value, f"plugins[{i}]") for i, value in enumerate(view.required_list(top, "plugins"))]
        if all(plugin.sequence is not None for plugin in plugins):
            plugins.sort(key=lambda plugin: plugin.sequence or 0)
        return MpkDocument(
            name=view.text(top, "name", ""),
            model_path=view.text(top, "model_path", ""),
            model_checksum=view.text(top, "model_checksum", ""),
            model_sdk_version=view.text(top, "model_sdk_version", ""),
            input_nodes=_ports(view, top, "input_nodes", ""),
            plugins=tuple(plugins),
            raw=top,
        )

    @property
    def processors(self) -> dict[str, int]:
        """How many plugins run on each processor, in order of first use."""
        counts: dict[str, int] = {}
        for plugin in self.plugins:
            counts[plugin.processor] = counts.get(plugin.processor, 0) + 1
        return counts


@dataclass(frozen=True, slots=True)
class _View:
    """Typed access to parts of a JSON value; a wrong kind is a SchemaError that gives the place."""

    entry: str

    def mapping(self, value: Any, where: str) -> dict[str, Any]:
        return value if isinstance(value, dict) else self._fail(where, "an object", value)

    def items(self, parent: dict[str, Any], key: str, where: str) -> list[Any]:
        value = parent.get(key, [])
        return value if isinstance(value, list) else self._fail(where + key, "a list", value)

    def required_list(self, parent: dict[str, Any], key: str) -> list[Any]:
        return parent[key] if isinstance(parent.get(key), list) else self._fail(key, "a list", parent.get(key))

    def text(self, parent: dict[str, Any], key: str, where: str) -> str:
        value = parent.get(key, "")
        return value if isinstance(value, str) else self._fail(where + key, "a text", value)

    def required_text(self, parent: dict[str, Any], key: str, where: str) -> str:
        return self.text(parent, key, where) or self._fail(where + key, "a text", parent.get(key))

    def count(self, parent: dict[str, Any], key: str, where: str, smallest: int) -> int | None:
        """A count that no size or batch can have (beyond 2**53) reads as absent; ``raw`` keeps it."""
        value = parent.get(key)
        if isinstance(value, int) and value > LARGEST_COUNT:
            return None
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= smallest):
            return value
        return self._fail(where + key, f"a whole number of at least {smallest}", value)

    def _fail(self, where: str, wanted: str, found: Any) -> Any:
        shown = "nothing" if found is None else repr(found)[:40]
        raise SchemaError(f"{self.entry}: {where} must be {wanted}, found {shown}", entry=self.entry)


def _plugin(view: _View, value: Any, where: str) -> MpkPlugin:
    raw = view.mapping(value, where)
    config = view.mapping(raw.get("config_params", {}), f"{where}.config_params")
    resources = view.mapping(raw.get("resources", {}), f"{where}.resources")
    return MpkPlugin(
        name=view.required_text(raw, "name", f"{where}."),
        sequence=view.count(raw, "sequence", f"{where}.", 0),
        processor=view.required_text(raw, "processor", f"{where}."),
        kernel=view.text(config, "kernel", f"{where}.config_params."),
        desired_batch_size=view.count(config, "desired_batch_size", f"{where}.config_params.", 1),
        actual_batch_size=view.count(config, "actual_batch_size", f"{where}.config_params.", 1),
        executable=view.text(resources, "executable", f"{where}.resources."),
        inputs=_ports(view, raw, "input_nodes", f"{where}."),
        outputs=_ports(view, raw, "output_nodes", f"{where}."),
        raw=raw,
    )


def _ports(view: _View, parent: dict[str, Any], key: str, where: str) -> tuple[Port, ...]:
    ports: list[Port] = []
    for index, value in enumerate(view.items(parent, key, where)):
        place = f"{where}{key}[{index}]"
        node = view.mapping(value, place)
        ports.append(Port(view.text(node, "name", f"{place}."), view.count(node, "size", f"{place}.", 0)))
    return tuple(ports)
