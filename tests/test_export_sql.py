"""Values as SQL: what the sqlite3 shell shows of a store's blobs."""

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import group
from agent.cli.export_sql import write_sql
from agent.clock import VirtualClock
from agent.codec import cells_to_bytes
from agent.model.batch import Layout, Row
from agent.model.schema import Field, Missing, Schema
from tests.conftest import MONDAY
from tests.rig import PROFILE, make_rig

TEMP = Field(103, -2, 1, 2000, 8, 2, "temp", "Cel")
HUM = Field(104, -1, 1, 450, 6, 1, "hum", "%")
AIR = Layout(1, "air", Schema(1, (TEMP, HUM)), 60)
START = int(MONDAY)


def row(seq: int, *cells: int | Missing, start: int | None = START) -> Row:
    return Row(seq, 1, 0, start, cells_to_bytes(cells))


def sql(rows: list[tuple[Layout, Row]], *layouts: Layout, table: str = "air") -> str:
    out = io.StringIO()
    assert write_sql(out, table, layouts or (AIR,), rows) == len(rows)
    return out.getvalue()


def asked(script: str, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as base:
        base.executescript(script)
        return base.execute(question).fetchall()


def test_values_stand_under_their_names_and_missing_ones_are_null() -> None:
    script = sql([(AIR, row(1, 2145, 473)), (AIR, row(2, -5, Missing.FAILED, start=None))])
    assert asked(script, "SELECT seq, time, temp, hum FROM air") == [
        (1, "2026-01-05T08:00:00Z", 21.45, 47.3),
        (2, None, -0.05, None),
    ]


def test_the_shell_shows_units_beside_the_columns() -> None:
    schema = asked(sql([]), "SELECT sql FROM sqlite_master WHERE name = 'air'")[0][0]
    assert '"temp" REAL,  -- °C' in str(schema)
    assert '"hum" REAL  -- %' in str(schema)


def test_what_is_written_twice_is_there_once() -> None:
    script = sql([(AIR, row(1, 2145, 473))])
    assert asked(script + script, "SELECT count(*) FROM air") == [(1,)]


def test_a_table_whose_columns_changed_has_all_of_them() -> None:
    kelvin = Field(103, -2, 1, 29000, 8, 2, "temp", "K")
    other = Layout(2, "air", Schema(2, (kelvin, Field(1, 0, 1, 0, 1, 1, "time", "s"))), 60)
    script = sql([(AIR, row(1, 2145, 473)), (other, row(2, 29_460, 7))], AIR, other)
    assert asked(script, 'SELECT temp, hum, "temp [K]", "time [s]" FROM air ORDER BY seq') == [
        (21.45, 47.3, None, None),
        (None, None, 294.6, 7.0),
    ]


@pytest.mark.parametrize("name", ['a"b', "drop table", "Temp", "x\n); DROP TABLE air; --"])
def test_no_name_gets_out_of_its_quotes(name: str) -> None:
    field = Field(103, -2, 1, 2000, 8, 2, name, "m\n); DROP TABLE air; --")
    odd = Layout(2, "air", Schema(2, (TEMP, field)), 60)
    script = sql([(odd, row(1, 100, 200))], odd, table='air"; --')
    assert asked(script, 'SELECT * FROM "air""; --"') == [(1, "2026-01-05T08:00:00Z", 1.0, 2.0)]


# -- the command ----------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["export", *arguments])


@pytest.fixture
def base(tmp_path: Path, clock: VirtualClock) -> list[str]:
    """A node's profile and store."""
    rig = make_rig(tmp_path, clock)
    rig.run(300)
    rig.node.close()
    (tmp_path / "node.toml").write_text(PROFILE.replace('driver = "tests.rig"', 'driver = "scd41"'))
    return [str(tmp_path / "node.toml"), "--store", str(tmp_path / "store.db")]


def test_export_as_sql_makes_a_database_of_values(base: list[str], tmp_path: Path) -> None:
    done = run(*base, "--sql")
    assert done.exit_code == 0, done.output
    assert asked(done.output, "SELECT count(*), min(time), max(temp), max(co2) FROM air") == [
        (5, "2026-01-05T08:01:00Z", 21.0, 800.0)
    ]
    target = tmp_path / "values.sql"
    done = run(*base, "--sql", "--table", "air", "--output", str(target))
    assert done.output == f"5 rows in {target}\n"
    assert asked(target.read_text(), "SELECT count(*) FROM air") == [(5,)]


def test_export_as_sql_takes_a_time_and_says_when_there_is_nothing(base: list[str]) -> None:
    done = run(*base, "--sql", "--until", "2020-01-01")
    assert "no rows in that table and time" in done.stderr
    assert asked(done.stdout, "SELECT count(*) FROM air") == [(0,)]


def test_export_as_sql_of_no_store_is_one_line(tmp_path: Path, base: list[str]) -> None:
    done = run(base[0], "--sql", "--store", str(tmp_path / "none.db"))
    assert done.exit_code == 1
    assert "has the node run?" in done.output
