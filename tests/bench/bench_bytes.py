"""Bytes per frame over the recordings, consecutive frames without overlap.

The recordings are no part of the project: STADTSINN_RECORDINGS names the folder they lie in.
"""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path

import cbor2

from agent import codec
from agent.clock import VirtualClock
from agent.codec import decoder
from agent.model.batch import Batch, Layout, Row
from agent.model.schema import Cell, Field, Missing, Schema
from tests.bench.table import Line

NEXT_TO_US = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(os.environ.get("STADTSINN_RECORDINGS", NEXT_TO_US))
START = 1_767_571_200  # 2026-01-05 00:00 UTC
AIR = "temp -2 2000 8 2 · hum -1 450 6 1"
TABLES = {
    "school_week": f"{AIR} · pres 0 101000 9 3 · co2 0 500 7 3 · pm25 -1 80 6 2 · pm10 -1 120 6 3 ·"
    "lux 0 0 4 2 · noise -1 350 5 3 · batt -2 400 3 0",
    "office_1min": f"{AIR} · lux 0 0 4 2 · co2 0 500 7 3",
    "bridge_month": "rms_x -5 50 5 4 · rms_y -5 50 5 4 · rms_z -5 100 6 5 · peak -4 100 6 5 ·"
    "f1 -3 3000 9 2 · f2 -3 4000 9 3 · f3 -3 5000 9 3 · f4 -3 8000 9 4 · damp -2 100 5 5 ·"
    "tilt_x -3 0 6 1 · tilt_y -3 0 6 1 · eps_mean -1 0 8 4 · eps_min -1 0 8 6 · eps_max -1 0 8 7 ·"
    "crack -3 200 5 1 · temp -2 1500 9 5 · events 0 0 3 2 · h0 0 0 5 4 · h1 0 0 4 3 · h2 0 0 3 2 ·"
    "h3 0 0 2 1 · h4 0 0 1 0 · h5 0 0 0 0 · h6 0 0 0 0 · h7 0 0 0 0",
}
LIMITS = [  # recording, interval, packed, {rows: most bytes on average}
    ("school_week", 60, True, {1: 18, 5: 38, 15: 85}),
    ("school_week", 60, False, {1: 34, 5: 73, 15: 170}),
    ("bridge_month", 600, True, {1: 33, 3: 68, 6: 119}),
    ("office_1min", 60, True, {15: 35}),
]


def lines() -> list[Line]:
    """Mean frame sizes of the recordings that are there; every frame is read back."""
    made = []
    for name, interval_s, packed, limits in LIMITS:
        if (DATA / f"{name}.csv").exists():
            body = "packed" if packed else "plain"
            for count, limit in limits.items():
                size = mean_bytes(name, interval_s, count, packed=packed)
                made.append(Line(f"{name}: {count} rows {body}", size, "bytes", limit))
    return made + _others()


def mean_bytes(name: str, interval_s: int, count: int, *, packed: bool) -> float:
    """Mean bytes of frames with `count` rows. Raises AssertionError if one reads back changed."""
    schema, rows = fields(name), recording(name)
    layout = Layout(1, name, schema, interval_s)
    sizes = []
    for at in range(0, len(rows) - count + 1, count):
        cells = rows[at : at + count][::-1]
        newest = START + (at + count - 1) * interval_s
        sizes.append(len(_frame(layout, cells, newest, packed=packed)))
    return sum(sizes) / len(sizes)


def _frame(layout: Layout, cells: Sequence[Sequence[Cell]], newest: int, *, packed: bool) -> bytes:
    step_s = layout.interval_s
    rows = [
        Row(1, 1, 0, newest - k * step_s, codec.cells_to_bytes(row)) for k, row in enumerate(cells)
    ]
    batch = Batch("live", None, layout, rows, packed=packed, boot=1)
    (made,) = codec.frame(batch, 4096, VirtualClock(newest + 1.0)).frames
    said = decoder.decode(made, lambda _: layout.schema)
    assert isinstance(said, decoder.Data)
    assert said.rows == [[row[column] for column in said.columns] for row in cells]
    return made


def fields(name: str) -> Schema:
    """A recording's field table, under a number of one byte."""
    columns = []
    for column in TABLES[name].split("·"):
        title, exponent, nominal, first, following = column.split()
        numbers = int(exponent), 1, int(nominal), int(first), int(following)
        columns.append(Field(0, *numbers, title, ""))
    return Schema(1, columns)


def recording(name: str) -> list[list[Cell]]:
    """Rows of whole steps, oldest first."""
    with (DATA / f"{name}.csv").open(encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    return [[int(cell) if cell else Missing.NOT_AVAILABLE for cell in row] for row in rows]


def _others() -> list[Line]:
    """Five rows of the school week as people usually send them."""
    if not (DATA / "school_week.csv").exists():
        return []
    schema, rows = fields("school_week"), recording("school_week")
    sizes: dict[str, list[int]] = {"JSON rows": [], "CBOR map with integer keys": []}
    for at in range(0, len(rows) - 4, 5):
        objects = []
        for k, row in enumerate(rows[at : at + 5]):
            told = zip(schema.fields, row, strict=True)
            values = {f.name: f.value(c) for f, c in told if not isinstance(c, Missing)}
            objects.append({"t": START + 60 * (at + k), **values})
        sizes["JSON rows"].append(len(json.dumps(objects, separators=(",", ":"))))
        maps = [
            {c: cell for c, cell in enumerate(row) if not isinstance(cell, Missing)}
            for row in rows[at : at + 5]
        ]
        sizes["CBOR map with integer keys"].append(len(cbor2.dumps([START + 60 * at, 60, maps])))
    return [
        Line(f"school_week: 5 rows as {what}", sum(of) / len(of), "bytes")
        for what, of in sizes.items()
    ]


def main() -> None:
    """Print the table."""
    for line in lines():
        print(line.text())


if __name__ == "__main__":
    main()
