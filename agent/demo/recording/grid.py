"""Which cell is what: the headings, the times, the values; wide tables and long ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.demo.recording import cells, headings, moments
from agent.demo.recording.headings import Heading

ENTITY = ("entity_id", "entity", "_field", "field", "metric", "variable", "parameter", "quantity",
          "messgröße", "messgroesse", "sensor", "sensor_name", "name", "measurement", "series",
          "key", "channel", "kanal", "type", "value_type", "typ", "attribute")  # fmt: skip
VALUE = ("_value", "state", "value", "wert", "messwert", "reading", "result", "val", "zustand")
UNIT = ("unit", "units", "unit_of_measurement", "einheit", "uom")
ZONE = ("zone", "timezone", "time_zone", "zeitzone", "tz", "utc_offset", "offset")
CHANGES = ("last_changed", "last_updated")  #: times of a history that holds changes only

RAW = {  # heading of a table of whole steps -> quantity, factor
    "temp": ("temperature", 0.01),
    "hum": ("relative_humidity", 0.1),
    "pres": ("pressure", 1.0),
    "co2": ("co2", 1.0),
    "pm25": ("pm2_5", 0.1),
    "pm10": ("pm10", 0.1),
    "noise": ("loudness", 0.1),
    "lux": ("illuminance", 1.0),
}
RAW_NAMED = {"temp_cC": ("temperature", 0.01), "hum_permille": ("relative_humidity", 0.1)}
PLAIN_MOST = {"temp": 100.0, "hum": 100.0, "noise": 150.0}  #: more than that is whole steps


@dataclass(frozen=True, slots=True)
class Column:
    """What becomes of a column, or of an entity of a long table."""

    header: str
    channel: str
    factor: float
    offset: float
    unit: str = ""  #: as found
    why: str = ""  #: where the unit is a conclusion


@dataclass
class Table:
    """Where in a row the times and the values stand."""

    header: Sequence[str]
    time: int | None = None
    clock: int | None = None  #: a time of day in a column of its own
    zone: int | None = None
    entity: int | None = None
    value: int | None = None
    unit: int | None = None
    parse: moments.Parser | None = None
    time_words: str = ""
    comma: bool = False
    columns: dict[int, Column] = field(default_factory=dict)  #: of a wide table
    entities: dict[str, Column | None] = field(default_factory=dict)  #: of a long one
    unused: dict[str, str] = field(default_factory=dict)  #: header -> why

    @property
    def long(self) -> bool:
        """Whether a row is one value of one entity."""
        return self.entity is not None and self.value is not None

    def moment(self, row: Sequence[str]) -> datetime | float | None:
        """The time of a row, None if it has none."""
        if self.parse is None or self.time is None or self.time >= len(row):
            return None
        made = self.parse(row[self.time].strip())
        if isinstance(made, datetime):
            if self.clock is not None:
                after = moments.clock_of(row[self.clock]) if self.clock < len(row) else None
                if after is None:
                    return None
                made += after
            if self.zone is not None and made.tzinfo is None and self.zone < len(row):
                made = made.replace(tzinfo=moments.zone_of(row[self.zone]))
        return made


def header_at(rows: Sequence[Sequence[str]]) -> int:
    """Which row holds the headings: the first of the usual width without values; -1: none."""
    widths = [len(one) for one in rows]
    usual = max(set(widths), key=widths.count, default=1)
    for at, row in enumerate(rows[:50]):
        if abs(len(row) - usual) > usual // 4 and len(row) < usual:
            continue
        telling = [one for one in row if one.strip()]
        values = [one for one in telling if is_value(one)]
        if telling and len(values) * 2 < max(len(telling), 1):
            return at
        if len(row) == usual:
            return -1
    return -1


def is_value(cell: str) -> bool:
    """Whether a cell is a number or a time, not a heading."""
    found = cells.number(cell, False)
    return (found is not None and not found[1]) or moments.iso(cell.strip()) is not None or (
        moments.written(True)(cell.strip()) is not None
    )  # fmt: skip


def lay_out(header: Sequence[str], sample: Sequence[Sequence[str]], separator: str) -> Table:
    """Find times and layout. Raises ImportError where only an optional library reads the times."""
    table = Table(header)
    table.comma = cells.comma_decides(cell for row in sample for cell in row)
    names = [one.strip().lower() for one in header]
    table.value = first_of(VALUE, names)
    table.entity = first_of(ENTITY, names) if table.value is not None else None
    table.unit = first_of(UNIT, names) if table.long else None
    table.zone = first_of(ZONE, names)
    find_time(table, sample)
    apart = {table.entity, table.value, table.time}
    if any(headings.understood(one).quantity for n, one in enumerate(header) if n not in apart):
        table.entity = table.unit = None  # its values stand in columns of their own
    return table


def first_of(known: Sequence[str], names: Sequence[str]) -> int | None:
    """Where the first of the known names stands."""
    return next((names.index(one) for one in known if one in names), None)


def find_time(table: Table, sample: Sequence[Sequence[str]]) -> None:
    """Find the times: the best named column that can be read, else the first of nothing else."""
    named = [(rank, n) for n, one in enumerate(table.header)
             if (rank := moments.rank(one)) is not None]  # fmt: skip
    others = [(10_000 + n, n) for n in range(len(table.header)) if (n not in {m for _, m in named})]
    for rank, n in sorted(named) + others:
        found = moments.parser_of(column(sample, n), rank < 10_000, table.comma)
        if found is not None and n not in (table.entity, table.value):
            table.time, (table.parse, table.time_words) = n, found
            break
    if table.time is None:
        return
    dates = [one for one in column(sample, table.time) if not cells.is_missing(one)]
    if all(moments.ONLY_DATE.match(one.strip()) for one in dates):
        for n in range(len(table.header)):
            times = [one for one in column(sample, n) if not cells.is_missing(one)]
            if times and all(moments.clock_of(one) is not None for one in times):
                table.clock = n
                return


def column(sample: Sequence[Sequence[str]], n: int) -> list[str]:
    """One column of the rows that are so wide."""
    return [row[n] for row in sample if n < len(row)]


def map_columns(
    table: Table, sample: Sequence[Sequence[str]], asked: Mapping[str, tuple[str, float]]
) -> None:
    """Say of each column of a wide table what it is; `asked` by the user comes first."""
    taken = {channel for channel, _ in asked.values()}
    apart = {table.time, table.clock, table.zone}
    order = [n for n in range(len(table.header)) if n not in apart]
    order.sort(key=lambda n: not headings.understood(table.header[n]).exact)
    raw = whole_steps(table, sample)
    for n in order:
        name = table.header[n].strip()
        if not name or moments.rank(name) is not None:
            continue
        found = judge(name, column(sample, n), table.comma, asked, raw)
        if isinstance(found, str):
            table.unused[name] = found
        elif found.channel in taken and name not in asked:
            table.unused[name] = f"{found.channel} is another column already"
        else:
            taken.add(found.channel)
            table.columns[n] = found


def judge(
    name: str, values: Sequence[str], comma: bool, asked: Mapping[str, tuple[str, float]], raw: bool
) -> Column | str:
    """What a column is, or why it is not used."""
    read = [one for cell in values if (one := cells.number(cell, comma))]
    numbers = [one[0] for one in read if one[0] == one[0]]
    in_cells = next((unit for _, unit in read if unit), "")
    heading = headings.understood(name)
    if name in asked:
        channel, factor = asked[name]
        quantity = channel.rpartition(".")[2]
        known = headings.conversion(quantity, heading.unit or in_cells)
        if factor == 1.0 and known is not None:
            return Column(name, channel, *known, heading.unit or in_cells)
        return Column(name, channel, factor, 0.0)
    if name in RAW_NAMED or (raw and name in RAW):
        quantity, factor = RAW_NAMED.get(name) or RAW[name]
        return Column(name, f"room.{quantity}", factor, 0.0, f"steps of {factor:g}")
    if not heading.quantity:
        return "no quantity of a room's air by name"
    return concluded(name, heading, numbers, in_cells)


def concluded(name: str, heading: Heading, numbers: Sequence[float], in_cells: str) -> Column | str:
    """With the unit of heading or cells, else the one its size tells."""
    unit, why = heading.unit or in_cells, ""
    if not unit and (unit := headings.by_size(heading.quantity, numbers)):
        why = "by its size"
    known = headings.conversion(heading.quantity, unit)
    if known is None:
        return f"'{unit}' is no unit of {heading.quantity}"
    return Column(name, f"room.{heading.quantity}", *known, unit, why)


def whole_steps(table: Table, sample: Sequence[Sequence[str]]) -> bool:
    """Whether a table without units holds whole steps (2150 is 21.5 °C), as nodes measure."""
    found = False
    for n, header in enumerate(table.header):
        if header.strip() in RAW and n != table.time:
            values = [one[0] for cell in column(sample, n) if (one := cells.number(cell, False))]
            known = sorted(one for one in values if one == one)
            if any(one != int(one) for one in known):
                return False
            middle = known[len(known) // 2] if known else 0.0
            found = found or middle > PLAIN_MOST.get(header.strip(), 1e9)
    return found


def entity_column(
    table: Table, name: str, cell: str, unit: str, asked: Mapping[str, tuple[str, float]]
) -> Column | None:
    """What an entity of a long table is; why not, in `unused`."""
    found = judge(name, [f"{cell} {unit}".strip()], table.comma, asked, False)
    if isinstance(found, Column):
        used = {one.channel for one in table.entities.values() if one is not None}
        wanted = {channel for channel, _ in asked.values()}
        if found.channel not in used | (set() if name in asked else wanted):
            return found
        found = f"{found.channel} is another entity already"
    table.unused[name] = found
    return None


def numbered(width: int) -> list[str]:
    """Headings for a table without."""
    return [f"column {n}" for n in range(1, width + 1)]


def same_header(row: Sequence[str], table: Table) -> bool:
    """Whether a row is the headings once more, perhaps others: columns change there."""
    at = table.time if table.time is not None else 0
    if at >= len(row) or row[at].strip() != table.header[at].strip():
        return False
    return bool(row[at].strip()) and not any(re.match(r"\s*[-+]?\d", one) for one in row)
