"""The tree of an archive: nodes, sums and its drawing."""

from __future__ import annotations

from sima_compiler.archive.tree import ArchiveTree, build_tree, human_size, render_text

FILES = [
    ("net_mpk.json", 2048, "mpk"),
    ("lib/a.so", 10, "a65"),
    ("net_stage1_mla.lm", 25 << 20, "mla"),
    ("lib/deep/b.so", 1, "a65"),
]

DRAWN = """\
net_mpk.tar.gz
├── net_mpk.json          2.0 KiB
├── lib/                 11 bytes
│   ├── a.so             10 bytes
│   └── deep/              1 byte
│       └── b.so           1 byte
└── net_stage1_mla.lm    25.0 MiB

4 files, 25.0 MiB"""


def test_the_drawing() -> None:
    tree = build_tree("net_mpk.tar.gz", FILES)
    assert render_text(tree) == DRAWN
    assert str(tree) == DRAWN


def test_nodes_and_sums() -> None:
    tree = build_tree("net_mpk.tar.gz", FILES)
    assert tree.size == sum(size for _, size, _ in FILES)
    assert (tree.kind, tree.path) == ("archive", "")
    folder = tree.children[1]
    assert (folder.name, folder.path, folder.size, folder.kind) == ("lib", "lib", 11, "folder")
    assert folder.children[0] == ArchiveTree("a.so", "lib/a.so", 10, "a65")
    assert folder.children[1].children[0].path == "lib/deep/b.so"
    assert sorted(file.path for file in tree.files()) == sorted(path for path, _, _ in FILES)


def test_one_file() -> None:
    assert render_text(build_tree("x", [("a", 1, "other")])).splitlines() == [
        "x",
        "└── a      1 byte",
        "",
        "1 file, 1 byte",
    ]


def test_sizes() -> None:
    shown = {0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1024: "1.0 KiB", 1536: "1.5 KiB", 8 << 30: "8.0 GiB"}
    assert {size: human_size(size) for size in shown} == shown
    assert human_size((1 << 20) - 1) == "1.0 MiB"
    assert human_size(1 << 60) == "1048576.0 TiB"
