"""Pictures of a node's state for a terminal (rich)."""

from __future__ import annotations

import time as times
from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agent.clock import SimClock
from agent.farside import FarSide
from agent.schema import Cell, Field, Missing

UNITS = {"Cel": "°C", "[ppm]": "ppm", "ug/m3": "µg/m³", "1": ""}  # UCUM as people write it
COLOURS = {"ok": "green", "new": "dim", "later": "cyan", "degraded": "yellow", "refused": "yellow"}


def tables(state: Mapping[str, Any], *, whole: bool = True) -> list[Table | str]:
    """Sensors, links and store of a snapshot; not `whole`: one line each, cut where it is full."""
    return [sensors(state, whole=whole), links(state), store(state)]


def sensors(state: Mapping[str, Any], *, whole: bool = True) -> Table:
    """One line per sensor: state, newest values with units, reason."""
    table = plain("")
    for name in ("sensor", "state"):
        table.add_column(name, no_wrap=True)
    table.add_column("values")
    for name, one in state["sensors"].items():
        values = "  ".join(said(key, value) for key, value in one["values"].items())
        reason = f" [dim]{escape(one['reason'])}[/]" if one["reason"] else ""
        text = Text.from_markup(escape(values) + reason, overflow="ellipsis")
        text.no_wrap = not whole
        table.add_row(name, coloured(one["state"]), text)
    return table


def said(name: str, one: Mapping[str, Any]) -> str:
    """A value with its name and unit, as short as a person understands it."""
    unit = UNITS.get(one["unit"], one["unit"])
    return f"{name.removeprefix('relative_')} {short(one['value'])} {unit}".rstrip()


def links(state: Mapping[str, Any]) -> Table:
    """One line per link: state, what it sent, what it owes."""
    table = plain("", "link", "state", "frames", "bytes", "owed", "last ack")
    for name, one in state["links"].items():
        ago = "never" if one["last_ack_s"] is None else f"{one['last_ack_s']:.0f} s ago"
        reason = f" [dim]{escape(one['reason'])}{then(one)}[/]" if one["reason"] else ""
        numbers = [f"{one[key]:,}" for key in ("frames", "bytes", "owed")]
        table.add_row(name, coloured(one["state"]) + reason, *numbers, ago)
    return table


def then(link: Mapping[str, Any]) -> str:
    """When it sends again, if that is known."""
    wait_s = link.get("next_try_s", 0)
    if link["state"] != "later" or not wait_s:
        return ""
    return f", next send in {wait_s / 60:.0f} min" if wait_s > 90 else f", next in {wait_s:.0f} s"


def store(state: Mapping[str, Any]) -> str:
    """Rows kept and lost."""
    one = state["store"]
    kept = f"{counted(one['rows'], 'row')} kept, {one['in_memory']:,} in memory"
    return f" store: {kept}, {one['lost']:,} lost, {one['bytes'] / 1e6:.1f} MB on disk"


def plain(title: str, *columns: str) -> Table:
    """A table with as few lines as possible: the whole picture fits into 80 x 24."""
    return Table(
        *columns, title=title or None, title_justify="left", box=SIMPLE_HEAD, show_edge=False
    )


def counted(number: int, word: str) -> str:
    """1 row, 2 rows."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def coloured(state: str) -> str:
    """A state in its colour; the word says it too."""
    return f"[{COLOURS.get(state, 'red')}]{state}[/]"


def short(value: float) -> str:
    """A number as a person reads it."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def picture(state: Mapping[str, Any], far: FarSide, clock: SimClock) -> Group:
    """The live picture of the demo: sensors, links, store, last frame, what the far side knows."""
    return Group(
        headline(state, clock), *tables(state, whole=False), last_frame(far), far_side(far)
    )


def headline(state: Mapping[str, Any], clock: SimClock) -> str:
    """Name, simulated time, clock."""
    moment = times.strftime("%a %Y-%m-%d %H:%M:%S UTC", times.gmtime(clock.true_utc()))
    return f"[bold]{state['node']}[/]  {moment}  ({clock.speed:g} x)  clock: {state['clock']}"


def last_frame(far: FarSide) -> Panel:
    """The frame in hex, and what a value costs."""
    text = "no frame yet"
    if far.last is not None:
        text = f"[cyan]{far.last_frame.hex(' ')}[/]\n{cost(far)}"
    return Panel(text, title="Last frame on the air", title_align="left")


def cost(far: FarSide) -> str:
    """Bytes of the last frame, per value."""
    assert far.last is not None
    rows = far.last.rows or ()
    values = sum(not isinstance(cell, Missing) for row in rows for cell in row)
    per_value = len(far.last_frame) / max(values, 1)
    size = f"{len(far.last_frame)} bytes, {counted(len(rows), 'row')}, {counted(values, 'value')}"
    return f"{size}: {per_value:.1f} B/value"


def far_side(far: FarSide) -> Table:
    """The newest row as the receiver decoded it."""
    rows, events = len(far.rows) + len(far.aged), len(far.events)
    title = f"Decoded on the far side: {counted(rows, 'row')}, {counted(events, 'event')}"
    table = plain(title)
    texts: list[str] = []
    for name, text in newest(far).items():
        table.add_column(name)
        texts.append(text)
    if texts:
        table.add_row(*texts)
    else:
        table.add_column("waiting for the first frame")
    return table


def newest(far: FarSide) -> dict[str, str]:
    """Column -> value with unit, of the newest row."""
    if far.last is None or not far.last.rows:
        return {}
    fields = far.schemas[far.last.schema].fields
    return {
        fields[column].name: shown(cell, fields[column])
        for column, cell in zip(far.last.columns, far.last.rows[0], strict=True)
    }


def shown(cell: Cell, field: Field) -> str:
    """A cell with its unit, or why it has none."""
    if isinstance(cell, Missing):
        return cell.name.lower().replace("_", " ")
    return f"{field.value(cell):g} {UNITS.get(field.unit, field.unit)}"


def frame_line(far: FarSide) -> str:
    """A decoded frame in one line."""
    assert far.last is not None
    start = (far.last.starts(far.last_at) or [None])[0]
    when = "undated" if start is None else times.strftime("%H:%M:%S", times.gmtime(start))
    values = "  ".join(f"{name} {text}" for name, text in newest(far).items())
    return f"{when}  {cost(far)}  {values}"
