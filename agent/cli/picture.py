"""Pictures of a node's state for a terminal (rich)."""

from __future__ import annotations

import re
import time as times
from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agent.cli.spectrum_plot import Spectrum, height
from agent.clock import SimClock
from agent.codec.explain import CODES
from agent.demo.farside import FarSide
from agent.demo.paced import PacedClock
from agent.demo.watch import View, Watch
from agent.model.schema import Cell, Field, Missing
from agent.model.units import written

TYPICAL = (
    "tilt_x",
    "mean_strain",
    "f1",
    "rms",
    "deviation",
    "cpu",
)  #: which value says most, best first
MOST_BAD = 3  #: sensors that are not well
CELL = 20  #: columns of a terminal for a sensor among many
KEEPS_UP = 0.9  #: share of the speed that was asked for
COLOURS = {
    "ok": "green",
    "new": "dim",
    "warming": "cyan",
    "later": "cyan",
    "degraded": "yellow",
    "refused": "yellow",
}


def tables(state: Mapping[str, Any], *, whole: bool = True) -> list[Table | str]:
    """Sensors, links and store of a snapshot; not `whole`: one line each, cut where it is full."""
    flowing = [streams(state)] if whole and state.get("streams") else []
    return [sensors(state, whole=whole), *flowing, links(state), store(state)]


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


def streams(state: Mapping[str, Any]) -> Table:
    """One line per chip that samples by itself: what it brought, what is missing, its rate."""
    table = plain("", "stream", "samples", "gaps", "missing", "rate")
    for name, one in state["streams"].items():
        numbers = [f"{one[key]:,}" for key in ("samples", "gaps", "missing")]
        failing = f"[red]{escape(one['reason'])}[/]" if one["reason"] else ""
        table.add_row(name, *numbers, failing or flow(one))
    return table


def flow(stream: Mapping[str, Any]) -> str:
    """Its rate as fitted, and how far the chip's clock is off; nominal while it is not known."""
    nominal, fitted = stream["rate_hz"], stream["fitted_hz"]
    if not fitted:
        return f"{nominal:g} Hz"
    return f"{fitted:.3f} Hz ({1e6 * (fitted / nominal - 1):+.0f} ppm)"


def said(name: str, one: Mapping[str, Any]) -> str:
    """A value with its name and unit, as short as a person understands it."""
    unit = written(one["unit"])
    return f"{name.removeprefix('relative_')} {short(one['value'])} {unit}".rstrip()


def links(state: Mapping[str, Any]) -> Table:
    """One line per link: state, what it sent, what it owes."""
    table = plain("", "link", "state", "frames", "bytes", "owed", "last ack")
    for name, one in state["links"].items():
        ago = "never" if one["last_ack_s"] is None else f"{one['last_ack_s']:.0f} s ago"
        reason = f" [dim]{escape(one['reason'])}{then(one)}[/]" if one["reason"] else ""
        numbers = [f"{one[key]:,}" for key in ("frames", "bytes", "owed")]
        table.add_row(name, coloured(one["state"]) + reason, *numbers, ago)
        for note in one.get("notes", ()):
            table.add_row("", f"[yellow]{escape(note)}[/]")
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
    raw = one.get("lost_records", 0)
    gone = f", {counted(raw, 'raw record')} lost" if raw else ""
    text = f" store: {kept}, {one['lost']:,} lost{gone}, {one['bytes'] / 1e6:.1f} MB on disk"
    return f"{text}\n store: only in memory: {one['reason']}" if one.get("reason") else text


def loadtest(state: Mapping[str, Any]) -> str:
    """What a load test waits for; empty where there is none."""
    one = state.get("loadtest") or {}
    if one.get("running"):
        return f" load test {one['running']} is being recorded: stadtsinn loadtest stop"
    if one.get("broken"):
        return f" load test {one['broken']} broke off: stadtsinn loadtest stop reports it"
    return ""


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


def picture(
    state: Mapping[str, Any],
    far: FarSide,
    clock: SimClock,
    view: View | None = None,
    size: tuple[int, int] = (80, 24),
) -> Group:
    """The live picture of the demo: sensors, links, store, last frame, what the far side knows.

    With a spectrum the rest becomes compact, so that all of it fits into `size`: columns, lines.
    """
    top = headline(state, clock)
    if view is None:
        return Group(top, *tables(state, whole=False), last_frame(far), far_side(far))
    below = in_lines(state, far)
    free = size[1] - len(below) - 2  # the headline, and a line for the cursor
    listed = len(state["sensors"]) + 2
    parts: list[Text | Table] = [sensors(state, whole=False)]
    if not height(free - listed):
        parts = [*crowd(state, size[0])]
        listed = len(parts)
    rows = height(free - listed)
    return Group(top, *parts, *below, *([Spectrum(view, rows)] if rows else []))


def headline(state: Mapping[str, Any], clock: SimClock) -> str:
    """Name, simulated time, its speed, clock."""
    moment = times.strftime("%a %Y-%m-%d %H:%M:%S UTC", times.gmtime(clock.true_utc()))
    return f"[bold]{state['node']}[/]  {moment}  ({speed(clock)})  clock: {state['clock']}"


def speed(clock: SimClock) -> str:
    """Times real time; what is reached where the machine cannot keep up."""
    pace = clock.pace() if isinstance(clock, PacedClock) else clock.speed
    if pace >= KEEPS_UP * clock.speed:
        return f"{clock.speed:g} x"
    return f"[yellow]{pace:.1f} x, not {clock.speed:g}: busy[/]"


def crowd(state: Mapping[str, Any], width: int) -> list[Text]:
    """Many sensors: those that are not well by name with their reason, the others in columns."""
    well, lines = [], []
    for name, one in state["sensors"].items():
        if one["state"] in ("ok", "new", "warming"):
            well.append(Text.assemble((name, "bold"), " ", typical(one["values"])))
            continue
        told = f"{name} {coloured(one['state'])} [dim]{escape(one['reason'])}[/]"
        lines.append(Text.from_markup(told))
    if len(lines) > MOST_BAD:
        lines[MOST_BAD - 1 :] = [Text(f"and {len(lines) - MOST_BAD + 1} more", "red")]
    across = max(width // CELL, 1)
    for first in range(0, len(well), across):
        row = Text()
        for one in well[first : first + across]:
            one.truncate(width // across - 1, overflow="ellipsis", pad=True)
            row.append_text(one).append(" ")
        lines.append(row)
    return [on_one_line(one) for one in lines]


def typical(values: Mapping[str, Any]) -> str:
    """The one value of a sensor that says most, without its name."""
    if not values:
        return "…"
    wanted = (one for pattern in TYPICAL for one in values if re.match(pattern, one))
    name = next(wanted, next(iter(values)))
    value, unit = values[name]["value"], written(values[name]["unit"])
    number = f"{value:.0f}" if abs(value) >= 100 else f"{value:.{3 if abs(value) > 0.01 else 2}g}"
    return f"{number}{'' if unit == '°' else ' '}{unit}".rstrip()


def in_lines(state: Mapping[str, Any], far: FarSide) -> list[Text]:
    """Links, store, last frame, what the far side knows: a line each."""
    lines = []
    for name, one in state["links"].items():
        reason = f" [dim]{escape(one['reason'])}[/]" if one["reason"] else ""
        sent = f"{counted(one['frames'], 'frame')}, {one['bytes']:,} bytes, {one['owed']:,} owed"
        kept = f"{counted(state['store']['rows'], 'row')} kept, {state['store']['lost']:,} lost"
        lines.append(f"link {name} {coloured(one['state'])}: {sent}; {kept}{reason}")
    last = "none yet" if far.last is None else cost(far)
    rows, events = len(far.rows) + len(far.aged), len(far.events)
    lines.append(f"far side: {counted(rows, 'row')}, {counted(events, 'event')}; last frame {last}")
    lines.append(f"last event: {escape(last_event(far))}")
    return [on_one_line(Text.from_markup(one)) for one in lines]


def on_one_line(text: Text) -> Text:
    """Cut where the terminal ends."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def last_event(far: FarSide) -> str:
    """What happened last, as the far side got it."""
    if not far.events:
        return "none"
    said = far.events[-1]
    schema = far.schemas.get(said.schema)
    known = schema is not None and said.column is not None and said.column < len(schema.fields)
    field = schema.fields[said.column or 0] if schema is not None and known else None
    what = CODES.get(said.code, f"code {said.code}")
    when = ""
    if isinstance(said.time, int) and said.time > 0:
        when = times.strftime("%H:%M:%S ", times.gmtime(said.time))
    figures = ""
    if field is not None and isinstance(said.value, tuple):
        peak, *rest = said.value  # not always all four: codec.frame
        figures = f": {shown(peak, field)}"
        figures += "".join(f", {lasted / 100:.1f} s" for lasted in rest[:1])
        figures += "".join(f", class {heaviness}" for heaviness in rest[2:3])
    elif field is not None and isinstance(said.value, int):
        figures = f": {shown(said.value, field)}"
    return f"{when}{what}{f', {field.name}' if field else ''}{figures}"


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
    return f"{field.value(cell):g} {written(field.unit)}"


def frame_line(far: FarSide) -> str:
    """A decoded frame in one line."""
    assert far.last is not None
    start = (far.last.starts(far.last_at) or [None])[0]
    when = "undated" if start is None else times.strftime("%H:%M:%S", times.gmtime(start))
    values = "  ".join(f"{name} {text}" for name, text in newest(far).items())
    return f"{when}  {cost(far)}  {values}"


def mode_lines(far: FarSide, watch: Watch, told: set[tuple[int, ...]]) -> Iterator[str]:
    """Natural frequencies of each row that was not told before, as the far side has it."""
    if watch.sampler is None:
        return
    number = watch.sampler.layout.schema.number
    for key in sorted(key for key in far.rows if key[0] == number and len(key) == 2):
        if key in told:
            continue
        told.add(key)
        cells = {name: one for name, one in far.rows[key].items() if not isinstance(one, Missing)}
        texts = {
            one.name: shown(cells[one.name], one) if one.name in cells else "missed"
            for one in far.schemas[number].fields
        }
        modes = [f"{name} {text}" for name, text in watch.named(texts).items() if name[0] == "f"]
        when = times.strftime("%H:%M:%S", times.gmtime(key[1]))
        yield f"{when}  modes of {watch.instrument}: {', '.join(modes)}"
