"""Imports stand at the top of the file; one that does not says why."""

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agent.cli import COMMANDS, group
from tests.source_tree import parsed, shown, sources

Import = ast.Import | ast.ImportFrom


def late_imports(path: Path) -> Iterator[Import]:
    """Imports that do not stand at the left margin."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, Import) and node.col_offset:
            yield node


def reasoned(lines: list[str], number: int) -> bool:
    """Whether the import in this line has a comment, beside it, above it, or above its block."""
    words = lines[number - 1].strip()
    above = lines[number - 2].strip()
    if "  # " in words or above.startswith("#") or "  # " in above:
        return True
    block = above.startswith(("import ", "from ")) or not above
    return block and number > 2 and reasoned(lines, number - 1)


@pytest.mark.no_cover
def test_an_import_inside_a_function_says_why() -> None:
    bare = [
        f"{shown(path)}:{one.lineno}: move it to the top, or say why not in a comment"
        for path in sources()
        for one in late_imports(path)
        if not reasoned(path.read_text(encoding="utf-8").splitlines(), one.lineno)
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("def f():\n    import numpy", False),
        ("def f():\n    import numpy  # optional", True),
        ("def f():\n    # optional\n    import numpy", True),
        ("def f():\n    # optional\n    import numpy\n\n    import scipy", True),
        ("x = 1  # optional\ndef f():\n    import numpy", False),
    ],
)
def test_a_reason_stands_beside_or_above(text: str, good: bool) -> None:
    lines = text.splitlines()
    assert reasoned(lines, len(lines)) == good


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    first = (command.help or "").partition("\n\n")[0].replace("\n", " ").partition(". ")[0]
    assert COMMANDS[name] == first.rstrip(".") + "."
