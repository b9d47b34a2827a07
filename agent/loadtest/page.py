"""A load test's report as a page to print and attach: no script, nothing from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape
from pathlib import Path

from agent.durable import fresh
from agent.loadtest.read import Recorded
from agent.loadtest.report import HEAD, Row, phase_names, spans

CSS = """body{font:15px/1.45 "DejaVu Sans","Helvetica Neue",Arial,sans-serif;color:#222;
max-width:980px;margin:2em auto;padding:0 1em}table{border-collapse:collapse;margin:.6em 0}
th,td{padding:.25em .7em;border-bottom:1px solid #ddd;text-align:right;font-size:13.5px}
th:first-child,td:first-child{text-align:left}th{border-bottom:2px solid #888}
figure{margin:1.6em 0;break-inside:avoid}figcaption{font-size:13px;color:#555}
img{max-width:100%;height:auto}.warn{color:#9a2020}small{color:#555}"""


def page(test: Recorded, found: Sequence[Row]) -> str:
    """The page; pictures and tables lie beside it."""
    quiet, final = spans(test)
    names = phase_names(test)
    phase_rows = [[row.channel.name, *map(row.number, row.phases)] for row in found]
    notes = (
        f"Before: mean of the first {quiet[1]:.1f} s, up to shortly before the first mark. "
        f"After: mean of the last {final[1] - final[0]:.1f} s. Peak: largest deviation from "
        "before, with its sign, after the quiet time. Residual: after less before. "
        "Noise: standard deviation before."
    )
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(test.name)}</title>'
        f"<style>{CSS}</style>",
        f"<h1>{escape(test.name)}</h1>",
        *(f"<p{style}>{escape(words)}</p>" for words, style in about(test)),
        table(["", "at [s]"], [[words, f"{at:.1f}"] for at, words in test.marks]),
        "<h2>Figures</h2>",
        table(HEAD, [row.words() for row in found]),
        f"<p><small>{escape(notes)}</small></p>",
        "<h2>Mean of each phase, less before</h2>",
        table(["channel", *names], phase_rows),
        "<h2>Channels</h2>",
        *(figure(row) for row in found),
    ]
    return "\n".join(parts) + "\n"


def write(test: Recorded, found: Sequence[Row], folder: Path) -> Path:
    """`report.html` beside the pictures. Raises OSError."""
    path = folder / "report.html"
    with fresh(path) as file:
        file.write(page(test, found))
    return path


def about(test: Recorded) -> list[tuple[str, str]]:
    """Lines on what was recorded and how it ended, each with its style."""
    begin = "at an unknown time"
    if test.begin_utc is not None:
        begin = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(test.begin_utc))
    found = [(f"Node {test.node}, begun {begin}, {test.length_s:.1f} s recorded.", "")]
    if test.ending != "stopped":
        words = f"It was not stopped: {test.ending}."
        if not test.whole:
            words += f" The last that is on disk is of {moment_of(test, test.length_s)}."
        found.append((words, ' class="warn"'))
    for at, sensor, reason in test.faults:
        words = f"{moment_of(test, at)}: {sensor}: {reason or 'well again'}"
        found.append((words, ' class="warn"'))
    return found


def moment_of(test: Recorded, at: float) -> str:
    """Seconds and local time."""
    if test.begin_utc is None:
        return f"{at:.1f} s"
    return f"{at:.1f} s ({time.strftime('%H:%M:%S', time.localtime(test.begin_utc + at))})"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """An HTML table; nothing of nothing."""
    if not lines:
        return ""
    cells = "".join(f"<th>{escape(one)}</th>" for one in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(one)}</td>" for one in line) + "</tr>\n" for line in lines
    )
    return f"<table><tr>{cells}</tr>\n{body}</table>"


def figure(row: Row) -> str:
    """A channel's picture and how it was taken."""
    name, how = escape(row.channel.name), escape(row.channel.how)
    if not row.channel.parts:
        return f'<p class="warn">{name}: brought no values</p>'
    link = f'<a href="{name}.csv">{name}.csv</a>'
    return (
        f'<figure><img src="{name}.svg" alt="{name}">'
        f"<figcaption>{name}: {how}; {link}</figcaption></figure>"
    )
