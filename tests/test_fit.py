"""The columns of a table fitted to its own rows: never longer, and read by the same decoder."""

import itertools
import math
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from agent.cli import group
from agent.codec.fit import body_bytes, column_bits, fitted, fitted_column
from agent.codec.packed import pack, to_bytes, unpack
from agent.config import parse
from agent.model.schema import Cell, Field, Missing
from agent.plan import make_plan
from agent.resources import resource
from tests.conftest import DATA

FIELD = Field(103, -2, 1, 0, 8, 2, "temp", "Cel")
TOGETHER = 15


def walk(random: Random, count: int, width: float, start: int) -> list[int]:
    """A value that wanders."""
    found = [start]
    for _ in range(count - 1):
        found.append(found[-1] + round(random.gauss(0, width)))
    return found


@pytest.mark.parametrize("width", [0.3, 2.0, 40.0, 900.0])
def test_no_other_orders_are_shorter(width: float) -> None:
    values = walk(Random(7), 150, width, 21_000)
    frames = [values[at : at + TOGETHER] for at in range(0, 150, TOGETHER)]
    best = fitted_column(frames, FIELD)
    bits = column_bits(frames, best)
    for first, following in itertools.product(range(0, 21, 2), range(0, 21)):
        other = Field(103, -2, 1, best.nominal, first, following, "temp", "Cel")
        assert column_bits(frames, other) >= bits


def test_fitted_frames_are_read_by_the_decoder_and_no_longer_than_before() -> None:
    random = Random(3)
    columns = [
        walk(random, 600, width, start) for width, start in ((3, 2_000), (0.2, 450), (60, 0))
    ]
    rows: list[list[Cell]] = [list(row) for row in zip(*columns, strict=True)]
    rows[7][1] = Missing.FAILED
    fields = [FIELD, FIELD, FIELD]
    made = fitted(rows, fields, TOGETHER)
    assert body_bytes(rows, made, TOGETHER) < 0.9 * body_bytes(rows, fields, TOGETHER)
    frame = rows[:TOGETHER]
    assert unpack(to_bytes("".join(pack(frame, made))), made) == frame


def test_a_column_that_never_has_a_value_stays_as_it_is() -> None:
    rows: list[list[Cell]] = [[Missing.FAILED], [Missing.NOT_AVAILABLE]]
    assert fitted(rows, [FIELD], TOGETHER) == [FIELD]


def entropy_bits(values: Sequence[int]) -> float:
    """What a static arithmetic coder trained on just these values needs, its model for nothing."""
    counts = Counter(values)
    return -sum(n * math.log2(n / len(values)) for n in counts.values())


@pytest.mark.skipif(not (DATA / "office_1min.csv").exists(), reason="the recording is not here")
def test_a_real_office_is_near_what_a_trained_coder_would_need() -> None:
    lines = (DATA / "office_1min.csv").read_text().splitlines()
    heads = lines[0].split(",")
    table = [line.split(",") for line in lines[1:]][::-1]
    columns = [[int(row[at]) for row in table if row[at]] for at in range(len(heads))]
    spent = needed = 0.0
    for values in columns:
        frames = [values[at : at + TOGETHER] for at in range(0, len(values), TOGETHER)]
        firsts = [frame[0] for frame in frames]
        steps = [b - a for frame in frames for a, b in itertools.pairwise(frame)]
        spent += column_bits(frames, fitted_column(frames, FIELD))
        needed += entropy_bits(firsts) + entropy_bits(steps)
    assert spent < 1.2 * needed


def test_the_command_prints_a_table_that_a_profile_takes(tmp_path: Path) -> None:
    profile = str(resource("nodes/school-lorawan.toml"))
    done = CliRunner().invoke(group, ["lorawan", "fit", "--table", "air", "--simulate", profile])
    assert done.exit_code == 0, done.output
    about, _, lines = done.output.partition("\n")
    assert "bytes a frame of 15 rows" in about
    (table,) = tomllib.loads(lines)["table"]
    text = Path(profile).read_text(encoding="utf-8")
    begin = text.index('[[table]]\nname = "air"')
    end = text.index("[[table]]", begin + 1)
    config, source = parse(tmp_path / "node.toml", text[:begin] + lines + "\n" + text[end:])
    plan = next(one for one in make_plan(config, source).tables if one.name == "air")
    assert plan.schema.number >= 256
    assert [one.name for one in plan.schema.fields] == [one["name"] for one in table["columns"]]
    assert [one.nominal for one in plan.schema.fields] == [
        one["nominal"] for one in table["columns"]
    ]


def test_an_unknown_table_is_named(tmp_path: Path) -> None:
    profile = str(resource("nodes/school-lorawan.toml"))
    done = CliRunner().invoke(group, ["lorawan", "fit", "--table", "aer", profile])
    assert done.exit_code == 2
    assert "did you mean 'air'" in done.output
