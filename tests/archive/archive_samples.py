"""Small documents and hostile archives for the tests: everything is made here, byte by byte where that matters."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from sima_compiler.archive.mpk import build_mpk
from sima_compiler.archive.mpk_description import MlaSegment, MpkDescription, TensorDescription

STATS = (
    "1:\n  name: MLA_0/conv2d_add_relu_0\n  start_cycle: 0\n  end_cycle: 99\n"
    "2:\n  name: MLA_0/dense_1\n  start_cycle: 100\n  end_cycle: 149\n"
)
NEXT_STATS = "3:\n  name: MLA_2/softmax_2\n  start_cycle: 0\n  end_cycle: 9\n"


def plugin(name: str, sequence: int, processor: str, config: dict[str, Any], executable: str) -> dict[str, Any]:
    """A plugin that reads its predecessor's buffer."""
    source = "input" if sequence == 1 else f"t{sequence - 1}"
    return {
        "name": name,
        "sequence": sequence,
        "processor": processor,
        "config_params": config,
        "input_nodes": [{"name": source, "size": 16}],
        "output_nodes": [{"name": f"t{sequence}", "type": "buffer", "size": 16}],
        "type": "sgpProcess",
        "resources": {"executable": executable},
    }


def document(binary: str = "net_stage1_mla.lm", desired: int = 16, actual: int = 12) -> dict[str, Any]:
    """A document with one MLA plugin between two EV74 plugins."""
    mla = {"desired_batch_size": desired, "actual_batch_size": actual, "number_of_quads_to_user": 4}
    ev74 = {"desired_batch_size": actual, "actual_batch_size": actual, "kernel": "pass_through", "params": {}}
    return {
        "name": "net",
        "model_path": "net.onnx",
        "model_checksum": "00",
        "model_sdk_version": "2.1.0",
        "input_nodes": [{"name": "input", "type": "buffer", "size": 16}],
        "plugins": [
            plugin("before", 1, "EV74", ev74, "kernel_name_tbd"),
            plugin("MLA_0", 2, "MLA", mla, binary),
            plugin("after", 3, "EV74", ev74, "kernel_name_tbd"),
        ],
    }


def newer_vendor_members() -> list[tuple[str, bytes]]:
    """An archive of a newer SDK: ELF binaries, extra JSON files, kernels and keys that nobody here knows."""
    newer = document("net_stage1_mla.elf", 8, 8)
    newer["schema_hint"] = {"nested": [1, 2.5, None]}
    newer["plugins"][0]["config_params"]["kernel"] = "warp_transform_v9"
    newer["plugins"][0]["vendor_extension"] = {"mode": "fast"}
    newer["plugins"].append(plugin("NPU_3", 4, "NPU2", {"tiles": 3}, "net_stage2_npu.bin"))
    return [
        ("net_mpk.json", json.dumps(newer).encode()),
        ("net_stage1_mla.elf", b"\x7fELF" + bytes(60)),
        ("net_stage1_mla_stats.yaml", STATS.encode()),
        ("preproc.json", b'{"any": true}'),
        ("0_preproc.json", b"[]"),
        ("pipeline_sequence.json", b'{"pipeline": []}'),
    ]


def plain_members() -> list[tuple[str, bytes]]:
    """The smallest useful archive."""
    return [("net_mpk.json", json.dumps(document()).encode()), ("net_stage1_mla.lm", b"binary")]


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """A tar header with everything else zero."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.type = kind
    return info


def tar_bytes(entries: list[tuple[tarfile.TarInfo, bytes]], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    """A complete tar file, not compressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as tar:
        for info, content in entries:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def plain_tar(*extra: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """The smallest useful archive and more entries, as a tar file."""
    return tar_bytes([*((header(name), content) for name, content in plain_members()), *extra])


def write_gz(folder: Path, data: bytes, name: str = "net_mpk.tar.gz") -> Path:
    """``data`` compressed into a file of that name."""
    path = folder / name
    path.write_bytes(gzip.compress(data, mtime=0))
    return path


ELF = b"\x7fELF" + bytes(60)


def described() -> dict[str, Any]:
    """Two images in, two maps out, at batch 2: pack, MLA, unpack, and every kernel in between."""
    ins = tuple(TensorDescription(f"in{i}", (2, 4, 4, 3), 0.02, i, packed=True) for i in range(2))
    outs = tuple(TensorDescription(f"out{i}", (2, 2, 2, 10), 0.3, -i) for i in range(2))
    segment = MlaSegment("MLA_0", "net_stage1_mla.elf", ins, outs)
    reals, names = tuple(tensor.real for tensor in ins), tuple(tensor.name for tensor in outs)
    return build_mpk(MpkDescription("net", "net.onnx", "00", 2, 2, 4, reals, names, (segment,)))


def written(folder: Path, document: Any, binary: bytes = ELF, name: str = "net_mpk.tar.gz") -> Path:
    """That document and a binary as an archive of that name."""
    members = [("net_mpk.json", json.dumps(document).encode()), ("net_stage1_mla.elf", binary)]
    return write_gz(folder, tar_bytes([(header(key), data) for key, data in members]), name)
