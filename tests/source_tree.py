"""The source files as syntax trees, for tests of their shape."""

import ast
import gc
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[Path]:
    """Every file of agent/ and drivers/."""
    return sorted([*(ROOT / "agent").rglob("*.py"), *(ROOT / "drivers").rglob("*.py")])


def shown(path: Path) -> str:
    """A file as people name it."""
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    """A file's syntax tree; nothing else runs meanwhile (CPython issue 106905, in 3.11)."""
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        gc.enable()


def functions(path: Path) -> Iterator[Function]:
    """Every function and method of a file, those inside others too."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    """Lines from `def` to the last, docstring and all."""
    return (function.end_lineno or function.lineno) - function.lineno + 1
