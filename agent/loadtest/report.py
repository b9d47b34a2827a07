"""The report of a load test: figures, one CSV and one SVG per channel.

Figures only: what they mean for the bridge is the engineer's to say.
"""

from __future__ import annotations

import csv
import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.durable import fresh
from agent.features import loadtest_figures as features
from agent.features.loadtest_figures import Figures
from agent.loadtest.read import Channel, Recorded
from agent.loadtest.svg import COLUMNS, Chart, Level, svg

UNITS = {"Cel": "°C", "um/m": "µm/m", "m/s2": "m/s²"}  # UCUM as people write it
HEAD = ("channel", "unit", "before", "peak", "at [s]", "after", "residual", "noise")
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
LINE_BYTES, PICTURE_BYTES = 50, 40_000  #: of a sample in a table, of a channel's picture; about


@dataclass(frozen=True)
class Row:
    """One channel's figures."""

    channel: Channel
    figures: Figures
    phases: Sequence[float | None]  #: mean of each phase less `before`; the quiet time is first
    decimals: int

    def words(self) -> list[str]:
        """As HEAD says."""
        one = self.figures
        at = NONE if one.peak_at is None else f"{one.peak_at:.1f}"
        unit = UNITS.get(self.channel.unit, self.channel.unit)
        return [
            self.channel.name, unit, self.number(one.before), self.number(one.peak, "+"), at,
            self.number(one.after), self.number(one.residual, "+"), self.number(one.noise),
        ]  # fmt: skip

    def number(self, value: float | None, sign: str = "") -> str:
        """With as many decimals as the channel deserves."""
        if value is None:
            return NONE
        value = round(value, self.decimals) + 0.0  # no negative zero
        return f"{value:{sign}.{self.decimals}f}".replace("-", MINUS)


def rows(test: Recorded) -> list[Row]:
    """Figures of every channel."""
    quiet, final = spans(test)
    bounds = [0.0, *(at for at, _ in test.marks), test.length_s]
    found = []
    for one in test.channels:
        figures = features.figures(one.parts, one.axis, quiet, final)
        level = figures.before
        phases: Sequence[float | None] = [None] * (len(bounds) - 1)
        if level is not None:
            phases = features.phase_means(one.parts, one.axis, bounds, level)
        found.append(Row(one, figures, phases, decimals(figures, one.step)))
    return found


def spans(test: Recorded) -> tuple[tuple[float, float], tuple[float, float]]:
    """Begin and end of the quiet time and of the end."""
    return features.phases([at for at, _ in test.marks], test.length_s)


def decimals(figures: Figures, step: float | None) -> int:
    """Down to about a tenth of the sensor's step; of a stream, which has none, of the noise."""
    size = step or figures.noise or max(abs(figures.peak or 0.0) / 10, 1e-4)
    return min(max(round(1 - math.log10(size)), 0), 7)


def about_bytes(test: Recorded) -> int:
    """What `write` takes of the disk: tables of every sample, six times the raw ones."""
    samples = sum(len(part.time) for one in test.channels for part in one.parts)
    return LINE_BYTES * samples + PICTURE_BYTES * len(test.channels)


def write(test: Recorded, folder: Path, *, german: bool = False) -> list[Row]:
    """Tables and pictures into `folder`. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    found = rows(test)
    for row in found:
        if row.channel.parts:
            with fresh(folder / f"{row.channel.name}.svg") as file:
                file.write(svg(chart(test, row)))
            write_channel(folder / f"{row.channel.name}.csv", test, row.channel, german)
    write_figures(folder / "figures.csv", test, found, german)
    return found


# -- pictures ------------------------------------------------------------------------------------


def chart(test: Recorded, row: Row) -> Chart:
    """One channel as a picture."""
    channel, figures = row.channel, row.figures
    quiet, final = spans(test)
    unit = UNITS.get(channel.unit, channel.unit)
    levels = []
    if figures.before is not None:
        words = f"before {row.number(figures.before)}"
        levels.append(Level(0.0, quiet[1], figures.before, words))
    if figures.after is not None and figures.residual is not None:
        words = f"residual {row.number(figures.residual, '+')}"
        levels.append(Level(final[0], test.length_s, figures.after, words))
    peak = None
    if figures.peak is not None and figures.before is not None and figures.peak_at is not None:
        words = f"peak {row.number(figures.peak, '+')} {unit}"
        peak = figures.peak_at, figures.before + figures.peak, words
    return Chart(
        title=channel.name,
        subtitle=f"{test.name} · {test.node}",
        unit=unit,
        end=test.length_s,
        lines=[
            features.envelope(one, channel.axis, test.length_s, COLUMNS) for one in channel.parts
        ],
        marks=test.marks,
        levels=levels,
        gaps=[(float(a.time[-1]), float(b.time[0])) for a, b in itertools.pairwise(channel.parts)],
        peak=peak,
        begin_utc=test.begin_utc,
        step=channel.step or 0.0,
    )


# -- tables --------------------------------------------------------------------------------------


def write_channel(path: Path, test: Recorded, channel: Channel, german: bool) -> None:
    """Every sample: seconds, time, value. A gap is a row without a value. Raises OSError."""
    number, moment = numbers(german), clock(test.begin_utc, german)
    with fresh(path, "utf-8-sig" if german else "utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";" if german else ",", lineterminator="\r\n")
        unit = UNITS.get(channel.unit, channel.unit)
        writer.writerow(["seconds [s]", "time", f"{channel.name} [{unit}]"])
        before = None
        for part in channel.parts:
            if before is not None:
                middle = (before + float(part.time[0])) / 2
                writer.writerow([number(round(middle, 4)), moment(middle), ""])
            writer.writerows(
                (number(round(at, 4)), moment(at), number(value))
                for at, value in features.samples(part, channel.axis)
            )
            before = float(part.time[-1])


def write_figures(path: Path, test: Recorded, found: Sequence[Row], german: bool) -> None:
    """The table of figures, unrounded, with the means of all phases. Raises OSError."""
    number = numbers(german)
    with fresh(path, "utf-8-sig" if german else "utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";" if german else ",", lineterminator="\r\n")
        writer.writerow([*HEAD, *(f"mean: {name}" for name in phase_names(test))])
        for row in found:
            one = row.figures
            cells = [one.before, one.peak, one.peak_at, one.after, one.residual, one.noise]
            texts = ["" if cell is None else number(cell) for cell in [*cells, *row.phases]]
            unit = UNITS.get(row.channel.unit, row.channel.unit)
            writer.writerow([row.channel.name, unit, *texts])


def numbers(german: bool) -> Callable[[float], str]:
    """How a spreadsheet of that language reads a number."""
    if german:
        return lambda value: f"{value:.9g}".replace(".", ",")
    return lambda value: f"{value:.9g}"


def clock(begin_utc: float | None, german: bool) -> Callable[[float], str]:
    """Seconds since the begin as ISO 8601 in UTC, or as local time that German Excel reads."""
    if begin_utc is None:
        return lambda at: ""

    def moment(at: float) -> str:
        whole, milli = divmod(round((begin_utc + at) * 1000), 1000)
        if german:
            local = time.localtime(whole)
            return f"{time.strftime('%d.%m.%Y %H:%M:%S', local)},{milli:03d}"
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{milli:03d}Z"

    return moment


def phase_names(test: Recorded) -> list[str]:
    """The quiet time, then each mark's words."""
    return ["before" if test.marks else "all", *(words for _, words in test.marks)]
