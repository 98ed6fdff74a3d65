"""Archives written by hand, as other compilers write them: with whatever members a test asks for."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_archive(path: Path, files: Mapping[str, bytes]) -> Path:
    """A ``*_mpk.tar.gz`` with these members."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def mpk_document(name: str, *, desired: int = 4, actual: int = 3, plugin: str = "MLA_0") -> bytes:
    """A pipeline of one EV74 and one MLA plugin in the published form."""
    plugins: list[dict[str, Any]] = [
        _plugin(1, "quantize_0", "EV74", {"desired_batch_size": actual, "actual_batch_size": actual, "kernel": "cast"}),
        _plugin(2, plugin, "MLA", {"desired_batch_size": desired, "actual_batch_size": actual}),
    ]
    plugins[1]["resources"] = {"executable": f"{name}_stage1_mla.elf"}
    document = {"name": name, "model_path": f"{name}.onnx", "input_nodes": [], "plugins": plugins}
    return json.dumps(document).encode()


def stats_text(names: Sequence[str], cycles: int = 100) -> bytes:
    """Statistics of layers that take ``cycles`` each."""
    entries = [
        f"{index + 1}:\n  name: {json.dumps(name)}\n"
        f"  start_cycle: {index * cycles}\n  end_cycle: {(index + 1) * cycles - 1}\n"
        for index, name in enumerate(names)
    ]
    return "".join(entries).encode()


def vendor_archive(folder: Path, name: str = "vendor", layers: Sequence[str] = ("MLA_0/conv2d_add_relu_0",)) -> Path:
    """An archive as the vendor's compiler writes it: ``.elf``, statistics, no report."""
    return write_archive(
        folder / f"{name}_mpk.tar.gz",
        {
            f"{name}_mpk.json": mpk_document(name),
            f"{name}_stage1_mla.elf": b"\x7fELF" + b"\0" * 600,
            f"{name}_stage1_mla_stats.yaml": stats_text(layers),
        },
    )


def _plugin(sequence: int, name: str, processor: str, config: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "sequence": sequence,
        "processor": processor,
        "type": "sgpProcess",
        "config_params": config,
        "input_nodes": [],
        "output_nodes": [],
        "resources": {"executable": "kernel_name_tbd"},
    }
