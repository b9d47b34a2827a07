"""The lists of files in the folders' pages, from the first line of each file.

usage: python -m tests.rooms          writes them anew, where a page has the marks
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- files -->\n", "<!-- end -->"


def pages() -> list[Path]:
    """The pages that have such a list."""
    found = [path for top in ("agent", "drivers", "tests") for path in (ROOT / top).rglob("*.md")]
    return [path for path in sorted(found) if BEGIN in path.read_text(encoding="utf-8")]


def listing(folder: Path) -> str:
    """A table of the Python files of a folder, each with what its first line says."""
    files = [path for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    rows = [f"| [{path.name}]({path.name}) | {first_line(path)} |" for path in files]
    return "\n".join(["| file | what |", "| --- | --- |", *rows, ""])


def first_line(path: Path) -> str:
    """What a file is, as its docstring begins; without a full stop, safe in a table."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return said.split("\n")[0].rstrip(".").replace("|", "\\|")


def fresh(page: Path) -> str:
    """The page's text as it should be."""
    text = page.read_text(encoding="utf-8")
    made = f"{BEGIN}{listing(page.parent)}{END}"
    return re.sub(f"{BEGIN}.*?{END}", lambda _: made, text, flags=re.DOTALL)


def main() -> None:
    """Write all of them."""
    for page in pages():
        page.write_text(fresh(page), encoding="utf-8")


if __name__ == "__main__":
    main()
