"""Raw records for `stadtsinn export`: a list of them, and one as CSV."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import IO

from agent.cli.spreadsheet import number
from agent.events.folder import Records
from agent.events.records import Head, RecordError, read, read_head
from agent.model.units import written


def listing(folder: Path) -> list[str]:
    """One line per record, oldest first; a damaged one says so."""
    records = Records(folder)
    lines = []
    for one in records.numbers():
        try:
            lines.append(line(read_head(records.path(one))))
        except RecordError as error:
            lines.append(f"{one:8}  {error}")
    return lines


def line(head: Head) -> str:
    """Number, begin, instrument, length, gaps, what happened."""
    gaps = len(head.segments) - 1
    torn = f", {gaps} gap{'s' * (gaps > 1)}, {head.missing} samples missing" if gaps else ""
    words = "; ".join(note.words for note in head.notes)
    when = moment(head, 0.0, german=False) or "no date"
    return f"{head.number:8}  {when}  {head.stream}  {head.length_s:.1f} s{torn}  {words}".rstrip()


def write_record(file: IO[str], path: Path, german: bool) -> int:
    """A record as CSV; where samples are missing stands a row without values.

    Returns the number of samples. Raises RecordError.
    """
    record = read(path)
    head, floats, axes = record.head, record.floats(), len(record.head.axes)
    writer = csv.writer(file, delimiter=";" if german else ",", lineterminator="\r\n")
    units = [written(unit) for unit in head.units]
    writer.writerow(
        ["time", "t [s]", *(f"{a} [{u}]" for a, u in zip(head.axes, units, strict=True))]
    )
    at = 0
    for part, (samples, begin_s) in enumerate(head.times()):
        if part:
            gap_s = begin_s - head.segments[part].missing / head.rate_hz
            writer.writerow([moment(head, gap_s, german), number(gap_s, german), *[""] * axes])
        for n in range(samples):
            t = begin_s + n / head.rate_hz
            values = [number(round(one, 9), german) for one in floats[at : at + axes]]
            writer.writerow([moment(head, t, german), number(round(t, 6), german), *values])
            at += axes
    return head.samples


def moment(head: Head, after_s: float, german: bool) -> str:
    """UTC to the millisecond, or local time as German Excel reads it; empty without a date."""
    if head.start is None:
        return ""
    ms = round((head.start + after_s) * 1000)
    if german:
        local = time.strftime("%d.%m.%Y %H:%M:%S", time.localtime(ms // 1000))
        return f"{local},{ms % 1000:03}"
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}Z"
