"""A recording as a world: a CSV file, one row per slot."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

KNOWN = {  # header -> channel, factor to the drivers' unit
    "temp_cC": ("room.temperature", 0.01),
    "hum_permille": ("room.relative_humidity", 0.1),
    "lux": ("room.illuminance", 1.0),
    "co2_ppm": ("room.co2", 1.0),
    "temp": ("room.temperature", 0.01),
    "hum": ("room.relative_humidity", 0.1),
    "pres": ("room.pressure", 1.0),
    "co2": ("room.co2", 1.0),
    "pm25": ("room.pm2_5", 0.1),
    "pm10": ("room.pm10", 0.1),
    "noise": ("room.loudness", 0.1),
}


class ReplayError(Exception):
    """The recording cannot be used; the message says which line or column."""


class Replay:
    """Rows of a CSV file from `start` (unix seconds) on, one every `interval_s` seconds.

    `columns` maps a header to (channel, factor); without it the known headers are used. An empty
    cell keeps the value before it; after the last row its values stay.
    """

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, tuple[str, float]] | None = None,
        *,
        start: float,
        interval_s: float = 60.0,
    ) -> None:
        self.start, self.interval_s = start, interval_s
        self.values = read(path, columns or KNOWN, strict=columns is not None)
        self.length = len(next(iter(self.values.values())))

    @property
    def channels(self) -> Sequence[str]:
        """What the recording holds."""
        return list(self.values)

    @property
    def end(self) -> float:
        """Unix second at which the last row is over."""
        return self.start + self.length * self.interval_s

    def truth(self, channel: str, unix: float) -> float:
        """The recorded value of that slot. Raises KeyError for a channel it does not have."""
        at = math.floor((unix - self.start) / self.interval_s)
        return self.values[channel][min(max(at, 0), self.length - 1)]


def read(
    path: Path, columns: Mapping[str, tuple[str, float]], *, strict: bool
) -> dict[str, list[float]]:
    """Channel -> values in the drivers' units. Raises ReplayError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReplayError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    headers = list(rows[0]) if rows else []
    missing = [name for name in columns if name not in headers]
    found = {name: where for name, where in columns.items() if name in headers}
    if not found or (strict and missing):
        raise ReplayError(f"{path}: no column {', '.join(missing[:5])}; there are {headers}")
    return {channel: column(path, rows, name, factor) for name, (channel, factor) in found.items()}


def column(path: Path, rows: Sequence[Mapping[str, str]], name: str, factor: float) -> list[float]:
    """One column; empty cells keep the value before them. Raises ReplayError."""
    values: list[float] = []
    for line, row in enumerate(rows, 2):
        text = (row[name] or "").strip()
        try:
            value = float(text) * factor if text else values[-1]
        except (ValueError, IndexError) as error:
            raise ReplayError(f"{path}:{line}: {name}: expected a number, got '{text}'") from error
        values.append(value)
    return values
