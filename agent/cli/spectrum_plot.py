"""A spectrum for a terminal: bars of block characters, or ASCII, with its modes marked (rich)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from agent.demo.watch import Marked, View

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = "  ..::||#"
LABEL = 8  #: columns left of the bars
LEAST_ROWS, MOST_ROWS = 4, 20
OTHER_LINES = 4  #: title, marks, frequencies, numbers
STEP_DB = 5
LOWEST_DB = 60.0  #: below the top


@dataclass
class Spectrum:
    """Draws a view into `rows` lines of bars and four more."""

    view: View
    rows: int = MOST_ROWS

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Line by line."""
        width = max(options.max_width - LABEL - 2, 20)
        yield Text(f"Spectrum of {self.view.instrument}, last minute, all axes")
        if not self.view.levels_db:
            yield Text("  listening …" if not options.ascii_only else "  listening ...", "dim")
            return
        yield from bars(self.view, width, self.rows, ASCII if options.ascii_only else BLOCKS)
        yield Text(" " * LABEL + marks(self.view, width), "green")
        yield Text(f"{'Hz':>{LABEL - 1}} " + axis(self.view.highest_hz, width), "dim")
        yield numbers(self.view)


def bars(view: View, width: int, rows: int, ramp: str) -> list[Text]:
    """One line per row, the highest first."""
    columns = fitted(view, width)
    top = STEP_DB * math.ceil(max(columns) / STEP_DB)
    bottom = max(STEP_DB * math.floor(min(columns) / STEP_DB), top - LOWEST_DB)
    full = len(ramp) - 1
    heights = [round(max(one - bottom, 0) / (top - bottom or 1) * rows * full) for one in columns]
    lines = []
    for row in range(rows - 1, -1, -1):
        said = {rows - 1: f"{top:.0f} dB", 0: f"{bottom:.0f} dB"}.get(row, "")
        drawn = "".join(ramp[min(max(one - row * full, 0), full)] for one in heights)
        lines.append(Text.assemble((f"{said:>{LABEL - 1}} ", "dim"), (drawn, "cyan")))
    return lines


def fitted(view: View, width: int) -> list[float]:
    """The highest level in each column; a column without a bin has its neighbour's."""
    found: list[float] = []
    for column in range(width):
        first, last = (
            at * view.highest_hz / width / view.resolution_hz for at in (column, column + 1)
        )
        part = view.levels_db[math.ceil(first) : math.ceil(last)]
        nearest = view.levels_db[min(round(first), len(view.levels_db) - 1)]
        found.append(max(part, default=nearest))
    return found


def place(hz: float, highest_hz: float, width: int) -> int:
    """The column of a frequency."""
    return min(int(hz / highest_hz * width), width - 1)


def marks(view: View, width: int) -> str:
    """f1, f2 … below where they are; where found, else where they should be."""
    line = [" "] * (width + 2)
    for one in view.modes:
        at = place(one.frequency_hz or one.reference_hz, view.highest_hz, width)
        line[at : at + len(one.label)] = one.label
    return "".join(line).rstrip()


def axis(highest_hz: float, width: int) -> str:
    """Frequencies at round places."""
    step = next(one for one in (0.5, 1, 2, 5, 10, 20, 50, 100) if highest_hz / one <= 8)
    line = [" "] * (width + 8)
    for k in range(int(highest_hz / step) + 1):
        text = f"{k * step:g}"
        at = place(k * step, highest_hz, width)
        line[at : at + len(text)] = text
    return "".join(line).rstrip()


def numbers(view: View) -> Text:
    """Frequency and damping of every mode in the newest row."""
    if not view.rows:
        return Text("modes: their first row comes at the next slot", "dim")
    return Text("  ".join(map(told, view.modes)), no_wrap=True, overflow="ellipsis")


def told(one: Marked) -> str:
    """A mode in words."""
    if one.frequency_hz is None:
        return f"{one.label} missed"
    damping = "" if one.damping_percent is None else f" {one.damping_percent:.1f} %"
    return f"{one.label} {one.frequency_hz:.3f} Hz{damping}"


def height(free: int) -> int:
    """Rows of bars where so many lines are free; 0 where it would be no picture."""
    rows = free - OTHER_LINES
    return 0 if rows < LEAST_ROWS else min(rows, MOST_ROWS)
