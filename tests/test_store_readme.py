"""What agent/store/README.md says of the file is true of a file."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.codec import cells_to_bytes
from tests.durable.kit import Kit, kit

ROOT = Path(__file__).parents[1]
README = (ROOT / "agent" / "store" / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"-- (.+?)\n(.+?;)", README, re.DOTALL)


@pytest.fixture
def node(tmp_path: Path, clock: VirtualClock) -> Iterator[Kit]:
    with kit(tmp_path, clock) as made:
        yield made


@pytest.fixture
def path(tmp_path: Path, clock: VirtualClock) -> Path:
    """A store with something of everything, left by a node that still runs."""
    with kit(tmp_path, clock) as node:
        node.put(5)
        node.store.post(node.message())
        node.send()
        node.store.link("city").command(7, 0, b"\x82\x07\x00", settings={"fill/city": b"60"})
        node.store.link("city").set_aside(node.due())
        node.store.flush()
    return tmp_path / "store.db"


def read(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
        return base.execute(sql).fetchall()


@pytest.mark.parametrize(("says", "sql"), EXAMPLES, ids=[says for says, _ in EXAMPLES])
def test_every_example_answers(path: Path, says: str, sql: str) -> None:
    answer = read(path, sql)
    assert answer
    assert all(None not in line for line in answer)


def test_examples_are_found() -> None:
    assert len(EXAMPLES) == 6


def test_every_table_of_the_file_is_explained(path: Path) -> None:
    tables = {name for (name,) in read(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    section = README.partition("## What the tables hold")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == tables


def test_every_name_in_it_is_one(path: Path) -> None:
    names = set(re.findall(r"`([A-Z]\w+)[`.]", README.partition("## Who owns what")[2]))
    sources = "".join(p.read_text("utf-8") for p in (ROOT / "agent" / "store").glob("*.py"))
    assert names - set(re.findall(r"^class (\w+)", sources, re.MULTILINE)) == set()


def test_a_row_of_nine_values_takes_what_it_says(node: Kit) -> None:
    cells = cells_to_bytes([2145, 473, 10132, 820, 12, 400, 3, 2100, 77])
    before, rows = node.store._file.used_bytes(), 2000
    for _ in range(rows):
        node.store.put(node.layout, node.row(cells=cells))
        node.later()
    said = int(re.search(r"about (\d+) bytes in the file", README)[1])  # type: ignore[index]
    assert (node.store._file.used_bytes() - before) / rows == pytest.approx(said, rel=0.1)
    assert len(cells) == 23
