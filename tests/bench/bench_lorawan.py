"""How often a node may send within 30 s of airtime a day, over the recordings.

Frames as full as the waiting time of the link makes them (DESIGN, priority), no health table,
length not fixed; beside them the same rows in other formats, encoded as full as they get.
"""

from collections.abc import Sequence

from agent import codec
from agent.cli.lorawan_airtime import DAY_S, Day, company, day
from agent.model.batch import Layout, Row
from agent.model.schema import Cell, Schema, registered
from drivers.modems.eu868 import LIMIT, airtime_s
from tests.bench import bench_bytes as recordings
from tests.bench.rivals import RIVALS, payloads
from tests.bench.table import Line

BUDGET_S = 30.0
MOST_UPLINKS = 35
SPREADING = {5: "SF7", 3: "SF9", 0: "SF12"}
SCHOOL = ((5, 60), (3, 120), (0, 1800))  # data rate, seconds between rows
BRIDGE = (3, 600)
LONGEST = 242  # bytes, as the profile has it by default: the data rate's limit counts


def lines() -> list[Line]:
    """Airtime a day of each recording that is there."""
    made = []
    if (recordings.DATA / "school_week.csv").exists():
        for data_rate, interval_s in SCHOOL:
            found = school(data_rate, interval_s)
            what = f"school_week: every {interval_s} s at {SPREADING[data_rate]}"
            made.append(Line(f"{what}, airtime a day", found.seconds, "s", BUDGET_S))
            if data_rate == SCHOOL[0][0]:
                made.append(Line(f"{what}, uplinks a day", found.frames, "", MOST_UPLINKS))
        made += others("school_week", registered(1), *SCHOOL[1])
    if (recordings.DATA / "bridge_month.csv").exists():
        found = bridge()
        what = f"bridge_month: every {BRIDGE[1]} s at {SPREADING[BRIDGE[0]]}"
        made.append(Line(f"{what}, airtime a day", found.seconds, "s", BUDGET_S))
        made += others("bridge_month", private("bridge_month"), *BRIDGE)
    return made


def school(data_rate: int, interval_s: int) -> Day:
    """The class room, a row every so many seconds."""
    cells = recordings.recording("school_week")[:: interval_s // 60]
    return encoded(registered(1), cells, interval_s, data_rate)


def bridge() -> Day:
    """The bridge; nobody has registered its table, so its number needs three bytes."""
    data_rate, interval_s = BRIDGE
    cells = recordings.recording("bridge_month")
    return encoded(private("bridge_month"), cells, interval_s, data_rate)


def private(name: str) -> Schema:
    """A recording's table under its private number."""
    columns = recordings.fields(name).fields
    return Schema(codec.private_number(columns), columns)


def encoded(
    schema: Schema, cells: Sequence[Sequence[Cell]], interval_s: int, data_rate: int
) -> Day:
    """As the link frames them."""
    layout = Layout(1, "rows", schema, interval_s)
    rows = [
        Row(n + 1, 1, 0, recordings.START + n * interval_s, codec.cells_to_bytes(row))
        for n, row in enumerate(cells)
    ]
    return day(layout, rows, 1, data_rate, LONGEST)


def others(name: str, schema: Schema, data_rate: int, interval_s: int) -> list[Line]:
    """The same rows as other formats carry them."""
    cells = recordings.recording(name)
    cells = cells[:: interval_s // 60] if name == "school_week" else cells
    rows = [(recordings.START + n * interval_s, row) for n, row in enumerate(cells)]
    days, most = len(rows) * interval_s / DAY_S, company(None, interval_s)
    made = []
    for what, encode in RIVALS.items():
        sizes = payloads(encode, schema, rows, LIMIT[data_rate], most)
        seconds = sum(airtime_s(size, data_rate) for size in sizes) / days
        made.append(Line(f"{name}, {SPREADING[data_rate]}, as {what}", seconds, "s"))
    return made


def main() -> None:
    """Print the table."""
    for line in lines():
        print(line.text())


if __name__ == "__main__":
    main()
