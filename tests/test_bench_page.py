"""The bench writes its own page: a section per group, with date, commit and machine."""

import importlib
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import bench_bytes, page
from tests.bench.table import Line

LINES = [Line("a row", 0.5, "s", 1.0), Line("a frame", 90, "bytes", 85), Line("memory", 35, "MB")]
BEFORE = "# Figures\n\nText.\n\n## one\n\nold\n\n## two\n\nkept\n"


def test_a_group_replaces_its_own_section_and_leaves_the_others() -> None:
    text = page.section("one", "What one is.", LINES, "today")
    after = page.placed(BEFORE, "one", text)
    assert after.startswith("# Figures\n\nText.\n\n## one\n\nWhat one is.\n\n*today*\n\n| what |")
    assert (
        "| a row | 0.5 s | <= 1 | reached |\n| a frame | 90 bytes | <= 85 | NOT reached |" in after
    )
    assert "old" not in after
    assert after.endswith("\n\n## two\n\nkept\n")
    assert page.placed(after, "one", text) == after


def test_a_new_group_comes_last() -> None:
    assert page.placed(BEFORE, "tw", "## tw\n\nnew\n") == f"{BEFORE}\n## tw\n\nnew\n"


def test_a_group_that_measured_nothing_says_so_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_bytes, "DATA", tmp_path)
    monkeypatch.setattr(page, "PAGE", tmp_path / "README.md")
    (tmp_path / "README.md").write_text(BEFORE)
    assert bench.main(["bytes"]) == 1
    told = capsys.readouterr().out
    assert "bytes: measured nothing. The recordings are no part of the project" in told
    assert told.endswith("not reached: bytes\n")
    assert (tmp_path / "README.md").read_text() == BEFORE


def test_what_was_measured_is_written_with_date_commit_and_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "README.md")
    monkeypatch.setattr(bench_bytes, "lines", lambda: LINES[:1])
    (tmp_path / "README.md").write_text(BEFORE)
    assert bench.main(["bytes"]) == 0
    text = (tmp_path / "README.md").read_text()
    assert "## bytes\n\nBytes per frame over the recordings" in text
    assert page.commit() in text
    assert page.machine() in text


@pytest.mark.parametrize("name", bench.NAMES)
def test_every_group_of_the_bench_is_there_and_on_the_page(name: str) -> None:
    module = importlib.import_module(f"tests.bench.bench_{name}")
    assert callable(module.lines)
    assert f"\n## {name}\n" in page.PAGE.read_text(encoding="utf-8")
