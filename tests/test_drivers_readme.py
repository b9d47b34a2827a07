"""The pages of drivers/: the table of sensors, and a page in every folder."""

from pathlib import Path

import pytest

from drivers.table import HEAD, MARKS, README, fresh, rows

DRIVERS = Path(__file__).parents[1] / "drivers"


def test_no_row_of_the_table_of_sensors_says_what_its_module_does_not() -> None:
    found = MARKS.search(README.read_text("utf-8"))
    assert found, f"{README}: the marks <!-- sensors --> and <!-- end --> are gone"
    stale = set(found[0].splitlines()) - set(HEAD) - set(rows())
    assert not stale, f"{README}: not as the modules have it: python -m drivers.table\n{stale}"


def test_the_table_is_written_whole_from_the_modules() -> None:
    whole = fresh("before\n<!-- sensors -->\nold\n<!-- end -->\nafter")
    assert whole == "\n".join(
        ["before", "<!-- sensors -->", *HEAD, *rows(), "<!-- end -->", "after"]
    )
    names = [line.split("`")[1] for line in rows()]
    assert names == sorted(names)
    assert {"bme280", "adxl355", "pms5003", "ds18b20"} <= set(names)


@pytest.mark.parametrize("folder", [".", "sensors", "bus", "sim"])
def test_a_folder_says_what_lives_there(folder: str) -> None:
    page = DRIVERS / folder / "README.md"
    text = page.read_text("utf-8")
    for module in (DRIVERS / folder).glob("[a-z]*.py"):
        if folder != "sensors":  # they stand in the table
            assert f"`{module.name}`" in text, f"{page}: say what {module.name} is"
