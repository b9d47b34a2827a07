"""A recorded load test, read again: channels, marks, when it was, how it ended."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.loadtest import files

if TYPE_CHECKING:
    from agent.features.loadtest_figures import Part  # numpy: optional

ACCELERATION = "m/s2"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")  #: of an instrument or a quantity


class NoTest(Exception):
    """Not a load test; the message says why."""


@dataclass(frozen=True)
class Channel:
    """One quantity of one sensor."""

    name: str  #: instrument.quantity
    unit: str  #: UCUM
    axis: int  #: column in `parts`
    parts: Sequence[Part]
    how: str  #: how it was taken, for people
    step: float | None = None  #: smallest difference that means something, if known


@dataclass(frozen=True)
class Recorded:
    """Times in s since its begin."""

    folder: Path
    name: str
    node: str
    begin_utc: float | None  #: unix s; None: no clock was trusted
    length_s: float
    ending: str  #: why it ended
    whole: bool  #: whether somebody stopped it
    marks: Sequence[tuple[float, str]]
    faults: Sequence[tuple[float, str, str]]  #: when, sensor, reason (empty: well again)
    channels: Sequence[Channel]


def read(folder: Path) -> Recorded:
    """A test from its folder. Raises NoTest, OSError; ImportError without numpy."""
    try:
        lines = files.lines(folder)
    except FileNotFoundError as error:
        raise NoTest(f"{folder}: no load test there") from error
    begin = next((one for one in lines if one["what"] == "begin"), None)
    if begin is None:
        raise NoTest(f"{folder}: the load test broke off before it began")
    check_names(folder, begin["channels"])
    began = float(begin["at"])
    channels = [
        one for about in begin["channels"] for one in _channels(folder, about, lines, began)
    ]
    ends = [one for one in lines if one["what"] == "end"]
    ended = ends[-1]["at"] if ends else None
    heard = [float(one.parts[-1].time[-1]) for one in channels if one.parts]
    told = [one["at"] - began for one in lines if one["at"] is not None]
    return Recorded(
        folder,
        begin["name"],
        begin["node"],
        _begin_utc(lines, began),
        max([*told, 1.0] if ended is not None else [*heard, *told, 1.0]),
        ends[-1]["reason"] if ends else "broke off, or still runs: there is no end on disk",
        ended is not None,
        [(one["at"] - began, one["text"]) for one in lines if one["what"] == "mark"],
        [
            (one["at"] - began, one["instrument"], one["reason"])
            for one in lines
            if one["what"] == "fault"
        ],
        channels,
    )


def check_names(folder: Path, channels: Sequence[Mapping[str, Any]]) -> None:
    """Of sensors and axes: files are named after them. Raises NoTest."""
    for about in channels:
        for name in (about["instrument"], *about["axes"]):
            if not NAME.fullmatch(str(name)):
                raise NoTest(f"{folder}: {name!r} is no name of a sensor: no node wrote this log")


def _begin_utc(lines: Sequence[Mapping[str, Any]], began: float) -> float | None:
    """By the first trusted reading of the clock."""
    for one in lines:
        if one.get("utc") is not None:
            return float(one["utc"]) - (float(one["at"]) - began)
    return None


def _channels(
    folder: Path, about: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], began: float
) -> list[Channel]:
    """Of one sensor; a quantity that never came has no parts."""
    if "rate_hz" in about:
        return _streamed(folder, about, began)
    from agent.features.loadtest_figures import part_of  # numpy: optional

    mine = [
        one for one in lines if one["what"] == "values" and one["instrument"] == about["instrument"]
    ]
    found = []
    steps = about["steps"]
    for axis, unit, step in zip(about["axes"], about["units"], steps, strict=True):
        good = [
            (one["at"] - began, one["values"][axis])
            for one in mine
            if one["values"].get(axis) is not None
        ]
        parts = part_of([at for at, _ in good], [value for _, value in good], about["every_s"])
        every = f"asked every {about['every_s']:g} s, {len(good)} values"
        found.append(Channel(f"{about['instrument']}.{axis}", unit, 0, parts, every, step))
    return found


def _streamed(folder: Path, about: Mapping[str, Any], began: float) -> list[Channel]:
    """Of a stream; of an accelerometer tilt as well."""
    from agent.features.loadtest_figures import parts_of, scaled, tilts  # numpy: optional

    name, axes, units = about["instrument"], about["axes"], about["units"]
    path = folder / f"{name}.samples"
    stretches = list(files.chunks(path)) if path.exists() else []
    raw = parts_of(stretches, len(axes), about["rate_hz"], began)
    parts = scaled(raw, about["calibrate"])
    count, gaps = sum(len(one.time) for one in parts), max(len(parts) - 1, 0)
    missing = sum(one.missing for one in parts[1:])
    how = f"{about['rate_hz']:g} Hz, {count} samples"
    how += f", {missing} missing in {gaps} gap{'s' * (gaps > 1)}" if gaps else ", no gap"
    found = [
        Channel(f"{name}.{axis}", unit, number, parts, how, step)
        for number, (axis, unit, step) in enumerate(zip(axes, units, about["steps"], strict=True))
    ]
    if units[0] == ACCELERATION and len(axes) in (2, 3):
        leaning = tilts(parts)
        found += [
            Channel(f"{name}.tilt_{axis}", "deg", number, leaning, f"means of 1 s; {how}")
            for number, axis in enumerate(axes[:2])
        ]
    return found
