"""Every small wrong change of a file that a slip of the hand could make."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
NO_EFFECT = ("log.", "_log.")  #: what is only said to people


@dataclass(frozen=True)
class Mutation:
    """One change: the text from `start` to `end` (bytes of the file) becomes `text`."""

    path: str  #: below the project's folder
    line: int
    last: int  #: last line of what is replaced
    start: int
    end: int
    before: str
    text: str

    @property
    def name(self) -> str:
        """What it is known by in the list of results."""
        return f"{self.path}:{self.start}-{self.end}:{self.text}"

    def apply(self, source: bytes) -> bytes:
        """The file with the change."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def mutations(root: Path, path: Path) -> list[Mutation]:
    """All of one file, in its order."""
    source = path.read_bytes()
    begins = [0]
    for line in source.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    found = []
    for node, text in changes(ast.parse(source)):
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = begins[node.lineno - 1] + node.col_offset
        end = begins[node.end_lineno - 1] + node.end_col_offset
        before = source[start:end].decode()
        relative = path.relative_to(root).as_posix()
        found.append(Mutation(relative, node.lineno, node.end_lineno, start, end, before, text))
    return found


def changes(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """What may be replaced, and by what."""
    for node in reached(tree):
        if isinstance(node, ast.expr):
            yield from ((node, f"({ast.unparse(new)})") for new in expressions(node))
        elif isinstance(node, ast.stmt):
            yield from ((node, text) for text in statements(node))


def reached(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that do something: no types, decorators, docstrings, words of log and errors."""
    if idle(node):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from reached(child)


def idle(node: ast.AST) -> bool:
    """Whether nothing that a program does hangs on it."""
    if isinstance(node, ast.JoinedStr):  # Python 3.11 does not know where its parts are
        return True
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    return isinstance(node, ast.Expr) and (
        isinstance(node.value, ast.Constant) or ast.unparse(node).startswith(NO_EFFECT)
    )


def expressions(node: ast.expr) -> Iterator[ast.expr]:
    """Wrong versions of an expression."""
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            wrong = [*node.ops[:at], SWAPS[type(operator)](), *node.ops[at + 1 :]]
            yield ast.Compare(node.left, wrong, node.comparators)  # type: ignore[arg-type]
    elif isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        yield ast.BinOp(node.left, SWAPS[type(node.op)](), node.right)  # type: ignore[arg-type]
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(SWAPS[type(node.op)](), node.values)  # type: ignore[arg-type]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)


def statements(node: ast.stmt) -> Iterator[str]:
    """Wrong versions of a statement."""
    if isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "return None"
    elif isinstance(node, (ast.Expr, ast.AugAssign, ast.Delete, ast.Continue, ast.Break)) or (
        isinstance(node, ast.Assign) and not isinstance(node.targets[0], (ast.Name, ast.Tuple))
    ):
        yield "pass"
