"""Turning off any single fold or rewrite of the reader fails a test: ``python -m tests.long.turned_off [NAME ...]``.

Every switch replaces one function of the frontend by one that does nothing, in a child that reads every spelling of
`tests/spelling`, and then runs the tests, until the first difference. Prints what failed, and exits with 1 when a
switch went unnoticed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import reduce
from importlib import import_module
from typing import Any

import numpy as np

from tests.support.qdq_graph import INT8, UINT8

TESTS = (
    "tests/frontend", "tests/spelling", "tests/endtoend/test_outside_judge.py", "tests/endtoend/test_norms.py",
    "tests/endtoend/test_rows_of_values.py",
)  # fmt: skip
VARIABLE = "SIMA_NB_TURNED_OFF"


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _no(*_: Any, **__: Any) -> bool:
    return False


def _empty(*_: Any, **__: Any) -> list[Any]:
    return []


def _first(value: Any, *_: Any, **__: Any) -> Any:
    return value


def _without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A table without one row."""
    return lambda table: {name: value for name, value in table.items() if name != key}


VIEWS = ("Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast", "Gather", "Concat",
         "Slice")  # fmt: skip
#: Name -> (module below the frontend, attribute, what stands there instead; a table's rows are removed one by one).
SWITCHES: dict[str, tuple[str, str, Any]] = {
    "functions inlined": ("constants.normal", "without_functions", _first),
    "float16 and double constants": ("constants.normal", "as_float32", _nothing),
    "structural order of nodes": ("constants.normal", "ordered_nodes", lambda graph: list(graph.node)),
    "sparse constants": ("constants.folding", "decode_sparse", _nothing),
    "constant subgraphs": ("constants.folding", "_Folding._is_constant", lambda self, node: self.kept.append(node)),
    "constants by onnxruntime": ("constants.folding", "evaluate", lambda nodes, feeds, wanted, model: {}),
    "dequantized constants keep integers": ("constants.folding", "dequantized", _nothing),
    **{f"view {name}": ("constants.views", "VIEWS", _without(name)) for name in VIEWS},
    "zero points stated": ("constants.parameters", "_state_zero_point", _nothing),
    "nodes that do nothing": ("constants.parameters", "_does_nothing", _no),
    "com.microsoft pairs": (
        "constants.ordering", "is_quantizer", lambda node, *names: node.op_type in names and not node.domain
    ),
    "weights around zero": ("constants.weights", "_Settling.weights", _nothing),
    "pruned channels": ("constants.weights", "_Settling.pruned", _nothing),
    "biases in units of the sums": ("constants.weights", "_Settling.bias", _nothing),
    "external data": ("loading", "load_external_data", _nothing),
    "QOperator form": ("canonical", "desugar", _first),
    "older operator sets": ("canonical", "with_minimum_opset", _first),
    "structure of the graph": ("builder", "structural", lambda graph, called: graph),
    "names of limits": ("builder", "clamp_name", lambda low, high: "clip"),
    "limits inside operations": ("limits", "bounded_inside", _nothing),
    "Max and Min as limits": ("elementwise", "_limited", _nothing),
    "a Concat of a Concat": (
        "movement", "_parts",
        lambda node, reader, position, axis: (
            import_module("sima_compiler.frontend.movement")._part(node, reader, position),
        ),
    ),
    "equal quantizations are one": (
        "onnx_qdq", "read_values", lambda model, constants: (
            name for entry in (*model.graph.node, *({"input": [o.name]} for o in model.graph.output))
            for name in (entry["input"] if isinstance(entry, dict) else entry.input)
        ),
    ),
    "products with an addend": ("elementwise", "takes_bias", _no),
    "arithmetic on one tensor": ("elementwise", "as_function", _nothing),
    "names of chains": ("functions", "_named", _first),
    "pads of a low fill": ("windows", "_with_low_pads", _first),
    "clamps kept by quantize": ("quantize", "restore_clamps", _nothing),
    "pairs beside products": ("beside", "quantize_beside_products", _empty),
    "normalizations written out": ("written_norms", "with_whole_norms", _first),
    "group normalizations": ("group_norms", "group_norms_as_instances", _nothing),
    "constants of a Concat": ("joined_constants", "join_constants", _nothing),
    "softmax of older operator sets": ("old_softmax", "keep_batch_apart", _nothing),
    "operands made as large": ("spreading", "spread", lambda node, reader, value, *rest: value),
    "sums in the order of reals": ("float_sums", "in_reals", lambda value, *_, **__: value),
    "arithmetic on quantized constants": ("constant_reals", "are_constants", _no),
    "a pair of bytes behind constants": ("constant_reals", "quantized_pair", _nothing),
}  # fmt: skip


def turn_off(name: str) -> None:
    """Replace the function everywhere in the frontend that imported it."""
    module_name, path, replacement = SWITCHES[name]
    home = import_module(f"sima_compiler.frontend.{module_name}")
    *owners, last = path.split(".")
    owner = reduce(getattr, owners, home)
    old = getattr(owner, last)
    new = replacement(old) if isinstance(old, dict) else replacement
    setattr(owner, last, new)
    import_module("sima_compiler.model")
    for module in [module for key, module in sys.modules.items() if key.startswith("sima_compiler.")]:
        if getattr(module, last, None) is old:
            setattr(module, last, new)


def first_difference() -> str:
    """The first spelling that is read differently from the plain one, or not at all; empty when there is none."""
    from sima_compiler import Model
    from tests.spelling.constants import CONSTANTS
    from tests.spelling.networks import NETWORKS, plain
    from tests.spelling.operators import OPERATORS
    from tests.spelling.sheet import Sheet
    from tests.spelling.structure import STRUCTURE

    sources = {name: plain(name, (UINT8, INT8)[place % 2]) for place, name in enumerate(NETWORKS)}
    for rewrite in (*CONSTANTS, *STRUCTURE, *OPERATORS):
        for name, source in sources.items():
            sheet = Sheet(source, np.random.default_rng(len(name)))
            rewrite(sheet)
            if sheet.model.SerializeToString() == source.SerializeToString():
                continue
            try:
                model, plain_model = Model.from_onnx(sheet.model, "spelled"), Model.from_onnx(source, "spelled")
                same = text_of(model) == text_of(plain_model) or program(model) == program(plain_model)
            except Exception as error:  # noqa: BLE001 -- any failure is noticed
                return f"{rewrite.__name__} on {name}: {type(error).__name__}"
            if not same:
                return f"{rewrite.__name__} on {name}: another graph"
    return ""


def text_of(model: Any) -> str:
    """A graph without the names of the file's nodes, which no program holds."""
    graph = model.graph
    nodes = [
        (node.op, node.inputs, node.output, node.attributes, node.clamp, node.fused, node.constant_first,
         [array.tolist() for array in (node.weights.values, node.weights.scales, node.weights.bias)]
         if node.weights else None)
        for node in graph.nodes
    ]  # fmt: skip
    return repr((graph.inputs, graph.outputs, graph.tensors, nodes))


def program(model: Any) -> bytes:
    """The ``.lm`` bytes: graphs that differ may still be the same program."""
    from sima_compiler import Archive

    with tempfile.TemporaryDirectory() as folder:
        archive = Archive.open(model.compile(folder, 2, machine="tiny").path)
        return b"".join(archive.read(member) for member in archive.lm_files)


def noticed(name: str) -> str:
    """What fails with this switch off: the first spelling, or the first test; empty when nothing does."""
    environment = {**os.environ, VARIABLE: name}
    spelled = _run(["-m", "tests.long.turned_off", "--spelling"], environment)
    if spelled.returncode or spelled.stdout.strip():
        return spelled.stdout.strip() or spelled.stderr.strip().splitlines()[-1]
    run = _run(["-m", "pytest", "-q", "-x", "-p", "tests.long.turned_off", "--no-header", *TESTS], environment)
    failures = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failures[0][:160] if failures else "" if run.returncode == 0 else run.stderr[-160:] or run.stdout[-160:]


def _run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def main(names: list[str]) -> int:
    if names == ["--spelling"]:
        turn_off(os.environ[VARIABLE])
        print(first_difference())
        return 0
    unnoticed = 0
    for name in names or list(SWITCHES):
        found = noticed(name)
        unnoticed += not found
        print(f"{name}: {found or 'UNNOTICED'}", flush=True)
    print(f"{unnoticed} of {len(names or SWITCHES)} unnoticed")
    return int(unnoticed > 0)


if os.environ.get(VARIABLE) and __name__ != "__main__":
    turn_off(os.environ[VARIABLE])

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
