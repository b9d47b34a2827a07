"""What was understood of a recording, for people: one paragraph."""

from __future__ import annotations

import time
from collections.abc import Sequence

from agent.demo.recording.found import Recording
from agent.demo.recording.grid import Column
from agent.demo.recording.headings import SHOWN
from agent.demo.recording.text import SEPARATORS

MOST = 8  #: columns that are named


def paragraph(made: Recording) -> str:
    """Sentences: how it is written, what is in it, what is left out and why."""
    parts = [written(made), span(made)]
    parts.append("; ".join(map(meaning, made.used)) + ".")
    if made.table.unused:
        first = next(iter(made.table.unused))
        hint = f'--column "{first}=CHANNEL", such as room.temperature'
        parts.append(f"Not used: {unused(made)}; to use one:  {hint}.")
    counted: dict[str, int] = {**made.text.dropped, **made.left_out}
    left = {why: count for why, count in counted.items() if count}
    if left:
        shown = "; ".join(
            f"{why} ({count:,}"
            + (f", such as '{made.example[why]}')" if made.example.get(why) else ")")
            for why, count in left.items()
        )
        parts.append(f"Left out: {shown}.")
    return " ".join(parts)


def written(made: Recording) -> str:
    """Encoding, separator, decimal sign, layout."""
    sign = SEPARATORS.get(made.text.separator, f"'{made.text.separator}'")
    sign = "columns apart by spaces" if not made.text.separator else f"cells apart by {sign}"
    comma = ", decimal comma" if made.table.comma else ""
    layout = ", one value a row" if made.table.long else ""
    return f"{made.path.name}: {made.text.said}, {sign}{comma}{layout}."


def span(made: Recording) -> str:
    """Rows, times, step, gaps."""
    rows = "1 row" if made.rows == 1 else f"{made.rows:,} rows"
    every = f"{made.interval_s:g} s"
    if not made.dated:
        return f"{rows} without times: one every {every}."
    first = min(one.first for one in made.tracks.values())
    last = max(one.last for one in made.tracks.values())
    steps = [one.step_s for one in made.tracks.values() if one.step_s > 0]
    step = f", usual step {min(steps):.6g} s" if steps else ""
    uneven = "" if all(one.even for one in made.tracks.values()) else " (unequal)"
    gaps = max(one.gaps for one in made.tracks.values())
    torn = f", {gaps:,} gap{'s' * (gaps > 1)} in which nothing is measured" if gaps else ""
    zone = f"; times without a zone are of {made.zone.name}" if made.zone.used else ""
    twice = f"; {made.zone.twice:,} in the second of a repeated hour" if made.zone.twice else ""
    return (
        f"{rows} from {moment(first)} to {moment(last)} ({made.table.time_words}{zone}{twice})"
        f"{step}{uneven}{torn}; the node measures every {every}."
    )


def meaning(column: Column) -> str:
    """What became of a column."""
    quantity = column.channel.rpartition(".")[2]
    wanted = SHOWN.get(quantity, "µg/m³" if quantity.startswith("pm") else "")
    if (column.factor, column.offset) == (1.0, 0.0):
        unit = f" in {wanted}" if wanted else ""
    else:
        shift = f" {'+' if column.offset > 0 else '-'} {abs(column.offset):.5g}"
        formula = f"x {column.factor:.6g}{shift if column.offset else ''}"
        known = f"{column.unit} {column.why}".strip()
        unit = f", {known + ', ' if known else ''}{formula} to {wanted}".rstrip(" to")
    return f"'{column.header}' is {column.channel}{unit}"


def unused(made: Recording) -> str:
    """Columns that are not played, by reason."""
    reasons: dict[str, list[str]] = {}
    for name, why in made.table.unused.items():
        reasons.setdefault(why, []).append(f"'{name}'")
    return "; ".join(
        f"{', '.join(names[:MOST])}{f' and {len(names) - MOST} more' * (len(names) > MOST)} ({why})"
        for why, names in reasons.items()
    )


def moment(unix: float) -> str:
    """UTC, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix))


def nothing(made: Recording, missing: Sequence[str], there: Sequence[str]) -> str:
    """That a recording cannot be used, and how to say what its columns are."""
    names = [one for one in there if one]
    shown = ", ".join(repr(one) for one in names[:12]) + (" …" if len(names) > 12 else "")
    if missing:
        return f"{made.path}: no column {', '.join(missing[:5])}; there are {shown}"
    time_ = made.table.header[made.table.time] if made.table.time is not None else ""
    first = next((one for one in names if one != time_), "HEADER")
    hint = f'say what is what:  --column "{first}=room.co2"'
    return f"{made.path}: no column that is understood ({unused(made) or shown}); {hint}"
