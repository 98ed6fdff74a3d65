"""Every kernel and every command through every table of every level: what lacks an entry fails here, by name.

A network with each kernel in it is planned and written for a small machine. Then each level's table is asked about each
kernel and each command by itself, and the source is searched for tables that do not name all of them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from sima_compiler.bounds.loads import layer_loads
from sima_compiler.bounds.total import read_elements
from sima_compiler.bounds.work import padded_work
from sima_compiler.ir import commands, kernels
from sima_compiler.ir.graph import ConvAttributes, Graph, Op, RowAttributes, ShapeAttributes
from sima_compiler.ir.layers import Kernel, Layer, LayerGraph, Segment
from sima_compiler.ir.program import Command, ComputeCommand, Program, part_of
from sima_compiler.ir.promises import Promises
from sima_compiler.ir.text_commands import command_text
from sima_compiler.ir.text_kernels import kernel_lines
from sima_compiler.ir.verify_kernels import check_layer
from sima_compiler.ir.verify_plan import _touched
from sima_compiler.lm import format as lm
from sima_compiler.lm.constants import constants_bytes, section_shapes
from sima_compiler.lm.listing import describe
from sima_compiler.lm.reader import decode
from sima_compiler.machine.cost import command_traffic, command_work, macs
from sima_compiler.machine.description import Machine
from sima_compiler.machine.layer_cost import layer_vector_cycles, vector_steps
from sima_compiler.pipeline import ConstantStore, Plan, Target, assemble, lower, plan
from sima_compiler.sim.commands import chip_reads
from sima_compiler.sim.execute import run_lm
from sima_compiler.sim.races import accesses as executed_accesses
from sima_compiler.stages.lowering.way_out import with_table
from sima_compiler.stages.scheduling.access import accesses as planned_accesses
from sima_compiler.stages.tiling.block.constants import constants_of
from sima_compiler.stages.tiling.block.geometry import whole
from sima_compiler.stages.tiling.block.least import working_bytes
from sima_compiler.stages.tiling.block.parameters import least_constants, parameter_bytes, value_bytes
from sima_compiler.stages.tiling.block.reach import input_region, stripable
from tests.lowering.graph_pen import Pen

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "compiler" / "sima_compiler"
TINY = Machine.load("tiny")
BATCH = 2
KERNELS: tuple[type, ...] = get_args(Kernel)
COMMANDS: tuple[type, ...] = get_args(ComputeCommand)
IDENTITY = np.arange(-128, 128).astype(np.int8)


def network() -> Graph:
    """Every kernel, by itself: add a node that becomes the new one."""
    pen = Pen(7)
    x = pen.input(6, 6, 6)
    depthwise = pen.conv(x, 6, (3, 3), pads=(1, 1, 1, 1), groups=6)
    wide = pen.conv(x, 20, (3, 3), pads=(1, 1, 1, 1))
    pooled = pen.unary(Op.TANH, pen.pool(Op.MAX_POOL, wide, ConvAttributes((2, 2), (2, 2))))
    table = pen.unary(Op.TANH, x)
    both = pen.binary(Op.MUL, x, table)
    resized = pen.resize(pooled, (0, 1, 1, 2), (0, 0, 2))
    moved = pen.unary(Op.SIGMOID, pen.concat(pen.slice(both, (1, 0, 0), (4, 6, 6), (1, 1, 1)), table))
    padded = pen.pad(pen.pad(x, (0, 1, 1), (0, 1, 1), fill=3), (1, 0, 0), (0, 0, 0))
    shares = pen.node(Op.SOFTMAX, (x,), pen.shape(x), RowAttributes((0,)))
    turned = pen.node(Op.TRANSPOSE, (table,), (6, 6, 6), ShapeAttributes(permutation=(0, 2, 1)))
    product = pen.node(Op.MATMUL, (both, turned), (6, 6, 6))
    blended = pen.blend(pooled, 5, 7)
    return pen.graph(
        product, blended, shares, depthwise, resized, moved, pen.global_pool(wide), pen.unary(Op.SIGMOID, x), padded
    )


@dataclass(frozen=True)
class Built:
    """The network at every level."""

    graph: Graph
    layers: LayerGraph
    program: Program
    data: bytes

    @property
    def segment(self) -> Segment:
        return self.layers.segments[0]


@cache
def built() -> Built:
    graph = network()
    layers = lower(graph, TINY)
    found = plan(layers.segments[0], Target(TINY, TINY.quads, True), BATCH, ConstantStore(compress=True))
    assert isinstance(found, Plan), found.sentence()
    data = assemble(found)
    return Built(graph, layers, decode(data), data)


def layer_with(kernel: type) -> Layer:
    found = next((layer for layer in built().segment.layers if isinstance(layer.kernel, kernel)), None)
    assert found is not None, f"no layer is a {kernel.__name__}: add a node to `network` in {__file__}"
    return found


def command_of(kind: type) -> ComputeCommand:
    found = next((command for command in built().program.compute if isinstance(command, kind)), None)
    assert found is not None, f"no command is a {kind.__name__}: add a node to `network` in {__file__}"
    return found


def _whole(layer: Layer) -> object:
    return constants_of(layer, whole(built().segment.maps[layer.output], 1))


def _reads(layer: Layer) -> object:
    maps, target = built().segment.maps, built().segment.maps[layer.output]
    return [input_region(layer, index, maps[name], target, whole(target, 1)) for index, name in enumerate(layer.inputs)]


def _checked(layer: Layer) -> None:
    check_layer(layer, built().segment.maps, Promises("here"))


LAYER_TABLES: dict[str, Callable[[Layer], object]] = {
    "facts": lambda layer: kernels.facts(layer.kernel),
    "text": lambda layer: list(kernel_lines(layer.kernel)),
    "verification": _checked,
    "way out": lambda layer: with_table(layer.kernel, IDENTITY, same_quant=True),
    "constants": _whole,
    "bytes of constants": lambda layer: (
        parameter_bytes(layer, 1),
        least_constants(layer, 1, 1),
        value_bytes(layer, 1),
    ),
    "least bytes": lambda layer: working_bytes(built().segment, layer, [layer.output], TINY, 1 << 16),
    "reach": _reads,
    "stripes": stripable,
    "steps": lambda layer: (vector_steps(layer, TINY), layer_vector_cycles(layer, 1, 1, TINY, 1)),
    "bounds": lambda layer: [read_elements(built().segment, name) for name in layer.inputs],
}
COMMAND_TABLES: dict[str, Callable[[ComputeCommand], object]] = {
    "facts": commands.facts,
    "buffers": lambda command: list(commands.buffers_of(command)),
    "other buffers": lambda command: commands.with_buffers(command, lambda number: number),
    "part": part_of,
    "text": command_text,
    "listing": lambda command: describe(built().program, command),
    "constants": lambda command: (section_shapes(command), constants_bytes(command)),
    "cycles": lambda command: command_work(command, TINY, TINY.quads),
    "traffic": lambda command: command_traffic(command, TINY, TINY.quads),
    "multiply-accumulates": macs,
    "waits": planned_accesses,
    "races": lambda command: executed_accesses(built().program, command),
    "reads": chip_reads,
    "verification": lambda command: list(_touched(command)),
}


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("table", LAYER_TABLES)
def test_every_table_of_layers_knows_every_kernel(table: str, kernel: type) -> None:
    LAYER_TABLES[table](layer_with(kernel))


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("table", COMMAND_TABLES)
def test_every_table_of_commands_knows_every_command(table: str, kind: type) -> None:
    COMMAND_TABLES[table](command_of(kind))


def test_bounds_and_loads_count_every_kernel() -> None:
    segment = built().segment
    assert {type(layer.kernel) for layer in segment.layers} == set(KERNELS)
    assert len(padded_work(segment, TINY, quads=1, batch=1)) == len(segment.layers)
    assert len(layer_loads(segment, [(0, 0)] * len(segment.layers), TINY, quads=1, batch=1)) == len(segment.layers)


def test_every_command_has_an_opcode_and_is_executed() -> None:
    written = {record.build for table in lm.OPCODES.values() for record in table.values()}
    assert written == set(get_args(Command)), "a command that no opcode writes, or an opcode of no command"
    inputs = {name: np.zeros((BATCH, *built().graph.tensors[name].shape), np.int8) for name in built().graph.inputs}
    assert set(run_lm(built().data, inputs)) == set(built().layers.outputs)


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_the_declaration_and_the_judges_agree_on_buffers(kind: type) -> None:
    """Planning asks the declaration, the simulator and the verifier find out by themselves."""
    for command in built().program.compute:
        if isinstance(command, kind):
            declared = set(commands.buffers_of(command))
            assert declared == {buffer for buffer, _ in _touched(command)}
            assert chip_reads(command) <= declared
            assert {access.region.range for access in executed_accesses(built().program, command)} <= declared
            written = {access.space for access in planned_accesses(command) if access.writes}
            assert written <= {commands.facts(command).target}


def test_no_fact_has_a_default() -> None:
    """A default is what a new kernel would fall through to."""
    for record in (kernels.KernelFacts, commands.CommandFacts):
        assert all(field.default is field.default_factory for field in fields(record)), record


# -- the source: tables that do not name every kernel ---------------------------------------------------


@dataclass(frozen=True)
class Table:
    """A ``match`` that tells kernels or commands apart."""

    place: str
    named: frozenset[str]
    closed: bool


def named_in(pattern: ast.pattern) -> Iterator[str]:
    for node in ast.walk(pattern):
        if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name):
            yield node.cls.id


def closes(case: ast.match_case) -> bool:
    """Whether the case takes everything that is left, and says that nothing can be."""
    calls = [node.func.id for node in ast.walk(case) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and "assert_never" in calls


def tables_in(path: Path) -> Iterator[Table]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Match):
            named = frozenset(name for case in node.cases for name in named_in(case.pattern))
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            yield Table(place, named, closes(node.cases[-1]))


def test_a_match_on_kernels_or_commands_ends_where_nothing_can_be_left() -> None:
    """The type checker proves ``assert_never``; any other last case would take a new kernel in silence."""
    kinds = {kind.__name__ for kind in (*KERNELS, *COMMANDS)}
    wrong: list[str] = []
    found = 0
    for path in sorted(ENGINE.rglob("*.py")):
        for table in tables_in(path):
            if len(table.named & kinds) > 1:
                found += 1
                if not table.closed:
                    wrong.append(table.place)
    assert not wrong, f"end these with `case _: assert_never(...)`: {wrong}"
    assert found > 20


def test_nobody_asks_a_record_what_it_might_have() -> None:
    """``getattr(kernel, "binary", None)`` is a table that no checker sees; `facts` is there for it."""
    asked = {"binary", "parameters", "lookup", "has_lookup", "window", "kernel", "source", "target", "source_buffer"}
    asking = {"getattr", "hasattr"}
    wrong: list[str] = []
    for path in sorted(ENGINE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            asks = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in asking
            names = [arg.value for arg in ast.walk(node) if isinstance(arg, ast.Constant)] if asks else []
            wrong += [f"{path.relative_to(ROOT)}:{node.lineno}: {name}" for name in names if name in asked]
    assert not wrong, f"ask `ir.kernels.facts` or `ir.commands.facts`: {wrong}"
