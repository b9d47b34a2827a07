"""One channel of a load test as SVG: what an engineer puts into a report."""

from __future__ import annotations

import math
import time as times
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 960, 400
LEFT, RIGHT, BOTTOM = 78, 22, 62
ROW = 17  #: height of one row of marks
TITLE = 40
COLUMNS = WIDTH - LEFT - RIGHT  #: pixels of the time axis
LETTER = 6.4  #: width of a letter at 11.5 px, about
STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)  # s, as clocks have them
STYLE = """text{font-family:"DejaVu Sans","Helvetica Neue",Arial,sans-serif}
text{font-size:12px;fill:#222}
.title{font-size:15px;font-weight:bold}.small{font-size:11.5px}.dim{fill:#666}.grid{stroke:#e4e4e4}
.axis{stroke:#444}.line{fill:none;stroke:#1f5fa8;stroke-width:1.1;stroke-linejoin:round}
.mark{stroke:#b5542a;stroke-dasharray:5 3}.label{fill:#9a4421;font-size:11.5px}
.level{stroke:#2c8a4b;stroke-width:2}.under{stroke:#fff;stroke-width:5}.peak{fill:none;stroke:#c02020;stroke-width:1.6}
.gap{fill:#f3d9d9}.red{fill:#c02020}.green{fill:#22703c}"""


@dataclass(frozen=True, slots=True)
class Level:
    """A mean over a time, drawn as a thick line."""

    begin: float
    end: float
    value: float
    name: str


@dataclass(frozen=True)
class Chart:
    """What one picture shows. Times in s since the begin, values in `unit`."""

    title: str
    unit: str
    end: float  #: length of the time axis
    lines: Sequence[tuple[Sequence[float], Sequence[float]]]  #: times and values without a gap
    marks: Sequence[tuple[float, str]] = ()
    levels: Sequence[Level] = ()
    gaps: Sequence[tuple[float, float]] = ()  #: begin and end
    peak: tuple[float, float, str] | None = None  #: time, value, words
    begin_utc: float | None = None  #: for the local clock below the axis
    subtitle: str = ""
    step: float = 0.0  #: smallest difference that means something, if known


def svg(chart: Chart) -> str:
    """The picture, well-formed XML."""
    rows = mark_rows([(x_of(chart, at), text) for at, text in chart.marks])
    top = TITLE + ROW * (max((row for row, _ in rows), default=-1) + 1) + 8
    low, high = bounds(chart)
    scale = (HEIGHT - BOTTOM - top) / (high - low)

    def y_of(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) * scale

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}"><style>{STYLE}</style>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        text(LEFT, 24, chart.title, "title"),
        text(WIDTH - RIGHT, 24, chart.subtitle, "small dim", "end"),
        *gap_parts(chart, top),
        *value_axis(low, high, y_of, chart.unit, top),
        *time_axis(chart, top),
        *(polyline(chart, one, y_of) for one in chart.lines),
        *level_parts(chart, y_of),
        *mark_parts(chart, rows, top),
        *peak_parts(chart, y_of, top),
        "</svg>\n",
    ]
    return "\n".join(parts)


def bounds(chart: Chart) -> tuple[float, float]:
    """Lowest and highest value of the axis: all points, and a little air."""
    values = [value for _, some in chart.lines for value in some]
    low, high = min(values, default=0.0), max(values, default=1.0)
    air = max(0.12 * (high - low), 2 * chart.step) or max(abs(high), 1.0) * 1e-3
    return low - air, high + air


def x_of(chart: Chart, at: float) -> float:
    """Pixels of a time, kept inside."""
    return LEFT + COLUMNS * min(max(at / chart.end, 0.0), 1.0)


def polyline(
    chart: Chart, line: tuple[Sequence[float], Sequence[float]], y_of: Callable[[float], float]
) -> str:
    """A line; a single point is a dot."""
    points = [f"{x_of(chart, at):.1f},{y_of(value):.1f}" for at, value in zip(*line, strict=True)]
    if len(points) == 1:
        points.append(points[0])
    return f'<polyline class="line" stroke-linecap="round" points="{" ".join(points)}"/>'


def value_axis(
    low: float, high: float, y_of: Callable[[float], float], unit: str, top: float
) -> list[str]:
    """Grid, numbers, unit."""
    step = nice((high - low) / 6)
    decimals = max(-math.floor(math.log10(step) + 1e-9), 0)
    parts = []
    for count in range(math.ceil(low / step), math.floor(high / step) + 1):
        y = y_of(count * step)
        parts.append(rule(LEFT, y, WIDTH - RIGHT, y, "grid"))
        label = f"{count * step:.{decimals}f}".replace("-", "\N{MINUS SIGN}")
        parts.append(text(LEFT - 7, y + 4, label, "small", "end"))
    parts.append(rule(LEFT, top, LEFT, HEIGHT - BOTTOM, "axis"))
    middle = (top + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text transform="translate(17 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(unit)}</text>"
    )
    return parts


def time_axis(chart: Chart, top: float) -> list[str]:
    """Grid, seconds, and the local clock below them."""
    step = next((one for one in STEPS if chart.end / one <= 12), 7200)
    floor = HEIGHT - BOTTOM
    parts = []
    for count in range(math.floor(chart.end / step) + 1):
        at = count * step
        x = x_of(chart, at)
        parts.append(rule(x, top, x, floor, "grid"))
        parts.append(rule(x, floor, x, floor + 5, "axis"))
        parts.append(text(x, floor + 19, str(at), "small", "middle"))
        if chart.begin_utc is not None:
            clock = times.strftime("%H:%M:%S", times.localtime(chart.begin_utc + at))
            parts.append(text(x, floor + 34, clock, "small dim", "middle"))
    parts.append(rule(LEFT, floor, WIDTH - RIGHT, floor, "axis"))
    words = "s since the begin"
    if chart.begin_utc is not None:
        words += times.strftime(" / local time, %Y-%m-%d", times.localtime(chart.begin_utc))
    parts.append(text(LEFT + COLUMNS / 2, floor + 53, words, "", "middle"))
    return parts


def mark_rows(places: Sequence[tuple[float, str]]) -> list[tuple[int, bool]]:
    """Row of each label, and whether it stands left of its line: none covers another."""
    ends: list[list[tuple[float, float]]] = []
    found = []
    for x, words in places:
        wide = LETTER * len(words) + 8
        left = x + wide > WIDTH - 4
        span = (x - wide, x) if left else (x, x + wide)
        row = 0
        while row < len(ends) and any(a < span[1] and span[0] < b for a, b in ends[row]):
            row += 1
        if row == len(ends):
            ends.append([])
        ends[row].append(span)
        found.append((row, left))
    return found


def mark_parts(chart: Chart, rows: Sequence[tuple[int, bool]], top: float) -> list[str]:
    """A dashed line per mark, its words above."""
    parts = []
    for (at, words), (row, left) in zip(chart.marks, rows, strict=True):
        x, y = x_of(chart, at), TITLE + ROW * row + 10
        parts.append(rule(x, y - 10, x, HEIGHT - BOTTOM, "mark"))
        parts.append(text(x - 4 if left else x + 4, y, words, "label", "end" if left else "start"))
    return parts


def gap_parts(chart: Chart, top: float) -> list[str]:
    """Where samples are missing."""
    parts = []
    for begin, end in chart.gaps:
        x, wide = x_of(chart, begin), max(x_of(chart, end) - x_of(chart, begin), 1.5)
        parts.append(
            f'<rect class="gap" x="{x:.1f}" y="{top:.1f}" width="{wide:.1f}" '
            f'height="{HEIGHT - BOTTOM - top:.1f}"><title>no samples</title></rect>'
        )
    return parts


def level_parts(chart: Chart, y_of: Callable[[float], float]) -> list[str]:
    """Means before and after."""
    parts = []
    for one in chart.levels:
        y, a, b = y_of(one.value), x_of(chart, one.begin), x_of(chart, one.end)
        parts += [rule(a, y, b, y, "under"), rule(a, y, b, y, "level")]
        right = one.end >= chart.end
        parts.append(
            halo(
                b - 3 if right else a + 5,
                y - 7,
                one.name,
                "small green",
                "end" if right else "start",
            )
        )
    return parts


def peak_parts(chart: Chart, y_of: Callable[[float], float], top: float) -> list[str]:
    """A circle where the peak is, and its words beside it."""
    if chart.peak is None:
        return []
    at, value, words = chart.peak
    x, y = x_of(chart, at), y_of(value)
    left = x + LETTER * len(words) > WIDTH - RIGHT
    down = y - 9 if y < (top + HEIGHT - BOTTOM) / 2 else y + 18
    place = halo(x + 4 if left else x - 4, down, words, "small red", "end" if left else "start")
    return [f'<circle class="peak" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>', place]


def halo(x: float, y: float, words: str, style: str, anchor: str) -> str:
    """Text that stays readable on a line."""
    made = text(x, y, words, style, anchor)
    return made.replace("<text ", '<text paint-order="stroke" stroke="#fff" stroke-width="3.5" ')


def text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """One line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def rule(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def nice(step: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(one * power for one in (1, 2, 5, 10) if one * power >= step * (1 - 1e-9))
