"""Recordings as people have them: any table of values becomes tracks that a demo can play.

What is read and how is concluded from the file itself and said in words (`Recording.said`).
Memory does not grow with the file: lines are read one by one, values lie on disk (`Track`).
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from agent.demo.recording import cells, grid, headings, moments, words
from agent.demo.recording.found import Recording
from agent.demo.recording.grid import Column, Table
from agent.demo.recording.text import (
    HEAD,
    SPACES,
    Text,
    date_in_two,
    encoding_of,
    lines,
    rows,
    separator_of,
)
from agent.plan.optional import DEMO, MissingExtra
from drivers.sim.replay import Replay, ReplayError, Track

Asked = Mapping[str, tuple[str, float]]  #: header -> channel, factor
NO_VALUE = "cells without a value"
SAMPLE = 400  #: rows from which a table is understood
FASTEST_S, SLOWEST_S = 10, 14_400  #: intervals that a table may follow


def read(
    path: Path,
    asked: Asked,
    folder: Path,
    *,
    start: float,
    interval_s: float,
    follow: bool = True,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    tell: Callable[[int], None] | None = None,
) -> tuple[Recording, Replay]:
    """Understand a file and put its values on disk in `folder`.

    `start`: unix seconds of the first row of a table without times; `follow`: whether slots may
    become as long as the table's own step, instead of `interval_s`; `ranges`: what a channel's
    sensor can measure; `tell` hears how many bytes have been read. Raises ReplayError,
    MissingExtra.
    """
    try:
        made = understand(path, asked)
        Reader(made, asked, folder, ranges or {}, (start, interval_s)).run(tell)
    except (OSError, csv.Error) as error:
        raise ReplayError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    check_asked(made, asked)
    for track in made.tracks.values():
        track.finish()
    made.interval_s = slot_of(made, interval_s) if made.dated and follow else interval_s
    first = min(one.first for one in made.tracks.values())
    last = max(one.last for one in made.tracks.values())
    step_s = max((one.step_s for one in made.tracks.values() if one.step_s > 0), default=0.0)
    begin = math.floor(first / made.interval_s) * made.interval_s if made.dated else start
    slots = math.floor((last - begin) / made.interval_s) + 1
    slots += math.ceil(max(min(step_s, SLOWEST_S) / made.interval_s - 1, 0)) if made.dated else 0
    end = begin + slots * made.interval_s
    made.said = words.paragraph(made)
    replay = Replay(made.tracks, start=begin, end=end, interval_s=made.interval_s)
    return made, replay


def understand(path: Path, asked: Asked) -> Recording:
    """How a file is written and what its columns are. Raises OSError, ReplayError, MissingExtra."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    text = encoding_of(head)
    sample = list(islice(lines(path, text), SAMPLE))
    if not sample:
        raise ReplayError(f"{path}: no column: there is no line with values in it")
    start = head[text.skip :].decode(text.encoding, "replace")
    announced = re.match(r'\ufeff?"?sep=(.)', start, re.I)
    text.separator = separator_of(sample, announced[1] if announced else "")
    text.join = text.separator == SPACES and date_in_two(sample)
    known = list(rows(sample, text))
    at = grid.header_at(known)
    header = known[at] if at >= 0 else commented(start, text, len(known[0]))
    header, below = with_units([one.strip('\ufeff" ') for one in header], known[at + 1 :])
    found = laid_out(path, header, below, text)
    if not found.long:
        grid.map_columns(found, below, asked)
    text.dropped.clear()
    zone, name = moments.local_zone(found.time_words == "day.month.year")
    times = [one for row in below if (one := found.moment(row)) is not None]
    local = moments.Local(zone, name, falls(times))
    return Recording(path, text, found, local, at + 1)


def laid_out(
    path: Path, header: Sequence[str], below: Sequence[Sequence[str]], text: Text
) -> Table:
    """The table. Raises MissingExtra where only python-dateutil can read the times."""
    try:
        return grid.lay_out(header, below, text.separator)
    except ImportError as error:
        raise MissingExtra(f"{path}: times in words", DEMO) from error


def commented(start: str, text: Text, width: int) -> list[str]:
    """Headings of a table without: of the last comment that is as wide, else numbers."""
    for line in reversed(start.splitlines()):
        if line.startswith("#"):
            cells_ = next(rows([line.lstrip("# ") + "\n"], text), [])
            if len(cells_) == width:
                return cells_
    return grid.numbered(width)


def with_units(header: list[str], below: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Headings with the units that stand in a line of their own below them."""
    if below and not any(grid.is_value(one) for one in below[0] if one.strip()):
        units = [one.strip(' "[]()') for one in below[0]]
        if any(map(headings.is_unit, units)):
            units += [""] * (len(header) - len(units))
            header = [
                f"{name} [{unit}]" if headings.is_unit(unit) else name
                for name, unit in zip(header, units, strict=False)
            ]
            return header, below[1:]
    return header, below


def falls(times: Sequence[object]) -> bool:
    """Whether the newest row comes first."""
    comparable = [one for one in times if type(one) is type(times[0])]
    try:
        return len(comparable) > 1 and comparable[-1] < comparable[0]  # type: ignore[operator]
    except TypeError:  # with and without a zone
        return False


class Reader:
    """Reads all rows of a recording into its tracks."""

    def __init__(
        self,
        made: Recording,
        asked: Asked,
        folder: Path,
        ranges: Mapping[str, tuple[float, float]],
        undated: tuple[float, float],
    ) -> None:
        self.made, self.asked, self.folder, self.ranges = made, asked, folder, ranges
        self.undated = undated  # unix seconds of the first row, and from row to row

    def run(self, tell: Callable[[int], None] | None) -> None:
        """Every line once. Raises OSError."""
        made, text = self.made, self.made.text
        width, before = len(made.table.header), made.above
        for row in rows(lines(made.path, text, tell), text):
            if before > 0 or self._headings(row):
                before -= 1
                width = len(made.table.header)
                continue
            if len(row) != width and text.separator != SPACES:
                made.leave("shorter or longer than the headings, read as far as they go")
            made.rows += 1
            (self._long if made.table.long else self._wide)(row)

    def _headings(self, row: Sequence[str]) -> bool:
        """Headings once more, perhaps others; a line of units below them."""
        old = self.made.table
        if not grid.same_header(row, old):
            telling = [one for one in row if one.strip()]
            if not telling or telling[0].lstrip(' -+"')[:1].isdigit():
                return False
            return all(map(headings.is_unit, telling))
        header = [one.strip() for one in row]
        if header != list(old.header):
            new = laid_out(self.made.path, header, [], self.made.text)
            new.parse, new.time_words, new.comma = old.parse, old.time_words, old.comma
            new.time = header.index(old.header[old.time]) if old.time is not None else None
            grid.map_columns(new, [], self.asked)
            new.unused = {**old.unused, **new.unused}
            self.made.table = new
        return True

    def _wide(self, row: Sequence[str]) -> None:
        made = self.made
        if not made.table.columns:
            return
        unix = self._unix(row, "", made.rows - 1)
        if unix is None:
            return
        for n, column in made.table.columns.items():
            self._add(column, unix, row[n] if n < len(row) else "")

    def _long(self, row: Sequence[str]) -> None:
        table_ = self.made.table
        assert table_.entity is not None
        assert table_.value is not None
        if len(row) <= max(table_.entity, table_.value):
            return
        name, cell = row[table_.entity].strip(), row[table_.value]
        unit = (
            row[table_.unit].strip() if table_.unit is not None and table_.unit < len(row) else ""
        )
        if name not in table_.entities:
            if cells.is_missing(cell):
                self.made.leave(NO_VALUE)
                return
            found = grid.entity_column(table_, name, cell, unit, self.asked)
            table_.entities[name] = found
        column = table_.entities[name]
        if column is None:
            return
        track = self.made.tracks.get(column.channel)
        unix = self._unix(row, name, 0 if track is None else track.records)
        if unix is not None:
            self._add(column, unix, cell)

    def _unix(self, row: Sequence[str], of: str, number: int) -> float | None:
        made = self.made
        if made.table.parse is None:
            return self.undated[0] + number * self.undated[1]
        moment = made.table.moment(row)
        if moment is None:
            made.leave("rows without a time", row[made.table.time or 0] if row else "")
            return None
        unix = made.zone.unix(moment, of)
        if made.table.parse is moments.elapsed:
            return self.undated[0] + unix
        if moments.EARLIEST <= unix <= moments.LATEST:
            return unix
        made.leave("rows with a time before 1980 or after 2100")
        return None

    def _add(self, column: Column, unix: float, cell: str) -> None:
        made = self.made
        track = made.tracks.get(column.channel)
        if track is None:
            track = made.tracks[column.channel] = Track(self.folder)
            time = made.table.time
            track.holds = time is not None and made.table.header[time] in grid.CHANGES
            made.used.append(column)
        track.add(unix, self._value(column, cell))

    def _value(self, column: Column, cell: str) -> float:
        """In the driver's unit; NaN for missing, counted."""
        found = cells.number(cell, self.made.table.comma)
        if found is None:
            self.made.leave("cells that are no number", cell)
            return math.nan
        value, unit = found
        if value != value:
            self.made.leave(NO_VALUE)
            return math.nan
        factor, offset = column.factor, column.offset
        if unit and unit != column.unit:
            other = headings.conversion(column.channel.rpartition(".")[2], unit)
            if other is None:
                self.made.leave("cells with another unit", cell)
                return math.nan
            factor, offset = other
        value = value * factor + offset
        low, high = self.ranges.get(column.channel, (-math.inf, math.inf))
        if not low <= value <= high:
            self.made.leave(f"values of {column.channel} beyond its sensor's range", cell)
            return math.nan
        return value


def check_asked(made: Recording, asked: Asked) -> None:
    """All that was asked for is there, and anything at all. Raises ReplayError."""
    there = list(made.table.entities) if made.table.long else [
        one.strip() for one in made.table.header
    ]  # fmt: skip
    missing = [name for name in asked if name not in there]
    for channel, track in list(made.tracks.items()):
        if not track.count:
            del made.tracks[channel]
            gone = next(one for one in made.used if one.channel == channel)
            made.used.remove(gone)
            made.left_out[NO_VALUE] -= min(track.records, made.left_out[NO_VALUE])
            made.table.unused[gone.header] = "there is no value in it"
    if missing or not made.tracks:
        raise ReplayError(words.nothing(made, missing, there))


def slot_of(made: Recording, interval_s: float) -> float:
    """How long a row of the node is to last: the recording's own step, if it has one."""
    steps = [one.step_s for one in made.tracks.values() if one.step_s > 0 and one.even]
    if not steps or any(one.holds for one in made.tracks.values()):
        return interval_s
    step_s = max(round(min(steps)), FASTEST_S)
    if step_s > 3600:
        step_s = min(step_s // 60 * 60, SLOWEST_S)
    return float(step_s)
