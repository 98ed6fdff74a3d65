"""Places in a module where one small thing can be made wrong, and the module with that thing wrong.

In: a module's source. Out: its `Site` list; for one of them the changed source. A site is named by the function it
stands in and by its number among its kind there, so that edits elsewhere in the file leave the name as it is.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
BOUNDARY: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
}  # fmt: skip
ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift)
DROPPED = (ast.AugAssign, ast.Raise, ast.Continue, ast.Break)


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """``line`` is where it stood when it was found; ``name`` tells it apart within its module."""

    line: int
    name: str


def sites_of(source: str) -> list[Site]:
    """All sites of a module, in the order of its lines."""
    return sorted(site for site, _, _ in _found(ast.parse(source)))


def mutated_source(source: str, name: str) -> str | None:
    """The module with the thing at ``name`` made wrong; None where there is no such site any more."""
    tree = ast.parse(source)
    for site, node, kind in _found(tree):
        if site.name == name:
            changed = _Replacing(node, _wrong(node, kind)).visit(tree)
            return ast.unparse(ast.fix_missing_locations(changed))
    return None


def shown(source: str, name: str) -> str:
    """The statement with the fault, on one line."""
    tree = ast.parse(source)
    for site, node, kind in _found(tree):
        if site.name == name:
            wrong = _wrong(node, kind)
            after = "nothing" if isinstance(wrong, ast.Pass) else ast.unparse(wrong)
            return f"{ast.unparse(node)}  ->  {after}"
    return ""


def _found(tree: ast.Module) -> Iterator[tuple[Site, ast.AST, str]]:
    counts: Counter[str] = Counter()
    for where, node in _walk(tree, ""):
        for kind in _kinds(node):
            name = f"{where or 'module'} {kind}"
            counts[name] += 1
            yield Site(getattr(node, "lineno", 0), f"{name} {counts[name]}"), node, kind


def _walk(node: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
    """Nodes that run, with the function or class that they stand in: no annotations, no texts, nothing for checkers."""
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list"} or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_for_checkers(child):
                continue
            inner = where
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{where}.{child.name}" if where else child.name
            yield inner, child
            yield from _walk(child, inner)


def _is_for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _kinds(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare(ops=[op]):
            yield "turned"
            if type(op) in BOUNDARY:
                yield "boundary"
        case ast.Constant(value=value) if type(value) is int:
            yield from ("plus", "minus")
        case ast.BinOp(op=op) if isinstance(op, ORDERED) and not isinstance(node.left, ast.Constant | ast.JoinedStr):
            if not (isinstance(op, ast.Mod) and isinstance(node.left, ast.Constant)):
                yield "swapped"
        case ast.Expr(value=ast.Call()) | ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield "dropped"
        case ast.Call(func=ast.Name(id="min" | "max")) if len(node.args) > 1 or node.args:
            yield "other"
        case _:
            if isinstance(node, DROPPED):
                yield "dropped"


def _wrong(node: ast.AST, kind: str) -> ast.AST:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=right):
            table = TURNED if kind == "turned" else BOUNDARY
            return ast.Compare(left, [table[type(op)]()], right)
        case ast.Constant(value=value) if isinstance(value, int):
            return ast.Constant(value + (1 if kind == "plus" else -1))
        case ast.BinOp(left=left, op=op, right=right):
            return ast.BinOp(right, op, left)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if kind == "other":
            return ast.Call(ast.Name("max" if name == "min" else "min", ast.Load()), arguments, keywords)
        case _:
            return ast.Pass()


class _Replacing(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._old:
            return ast.copy_location(self._new, node)
        return self.generic_visit(node)
