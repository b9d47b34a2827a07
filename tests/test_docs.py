"""Docstrings say what a caller has to know: what is raised."""

import ast
import builtins
import re
from collections.abc import Iterator

import pytest

from tests.source_tree import Function, functions, shown, sources

NOT_YET = ("drivers/modems/", "drivers/sensors/")


def name_of(expression: ast.expr) -> str:
    """An exception's own name, of `Name`, `module.Name` or `Name(...)`.

    `source.error(...)` makes a ConfigError.
    """
    if isinstance(expression, ast.Call):
        expression = expression.func
    if isinstance(expression, ast.Attribute):
        return "ConfigError" if expression.attr == "error" else expression.attr
    return ast.unparse(expression)


def families(name: str) -> set[str]:
    """A builtin exception's name and those of what it is: a FileNotFoundError is an OSError."""
    kind = getattr(builtins, name, None)
    kinds = kind.__mro__[:-3] if isinstance(kind, type) else ()
    return {name, *(one.__name__ for one in kinds)}


def is_command(function: Function) -> bool:
    """Whether its docstring is a command's help; what it raises becomes a line and an exit code."""
    return any(re.search(r"\.(command|group)\b", ast.unparse(o)) for o in function.decorator_list)


def caught(handler: ast.ExceptHandler) -> set[str]:
    """Names of what a handler catches."""
    kind = handler.type
    if kind is None:
        return {"BaseException"}
    return {name_of(one) for one in (kind.elts if isinstance(kind, ast.Tuple) else [kind])}


def raised(node: ast.AST) -> Iterator[str]:
    """Names of the exception classes that leave a piece of code by `raise Name(...)`."""
    if isinstance(node, Function | ast.ClassDef | ast.Lambda):
        return
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        yield name_of(node.exc)
    held: set[str] = set()
    if isinstance(node, ast.Try):
        held = set[str]().union(*map(caught, node.handlers))
    inside = node.body if isinstance(node, ast.Try) else []
    for one in ast.iter_child_nodes(node):
        yield from (name for name in raised(one) if one not in inside or name not in held)


def untold(function: Function) -> set[str]:
    """What a function raises and does not name; lower-case names are functions that make one."""
    told = ast.get_docstring(function) or ""
    names = {name for statement in function.body for name in raised(statement)}
    return {
        name
        for name in names
        if name[0].isupper() and not any(one in told for one in families(name))
    }


@pytest.mark.no_cover
def test_a_public_function_that_raises_names_what_it_raises() -> None:
    missing = [
        f"{shown(path)}:{one.lineno} {one.name}: its docstring does not name {', '.join(names)}"
        for path in sources()
        if not shown(path).startswith(NOT_YET)
        for one in functions(path)
        if not (one.name.startswith("_") or is_command(one)) and (names := sorted(untold(one)))
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('def f():\n    """Act."""\n    raise ValueError("x")', {"ValueError"}),
        ('def f():\n    """Act. Raises ValueError."""\n    raise ValueError("x")', set()),
        ('def f():\n    """Act."""\n    raise api.DataError("x")', {"DataError"}),
        ('def f():\n    """Act."""\n    raise source.error("x", "y", "z")', {"ConfigError"}),
        ("def f():\n    raise", set()),
        ("def f():\n    raise error", set()),
        ("def f():\n  try:\n    raise KeyError(1)\n  except (KeyError, OSError):\n    pass", set()),
        ("def f():\n  try:\n    g()\n  except OSError:\n    raise KeyError(1)", {"KeyError"}),
        ("def f():\n  def g():\n    raise KeyError(1)", set()),
    ],
)
def test_what_is_raised_is_seen(text: str, names: set[str]) -> None:
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert untold(function) == names
