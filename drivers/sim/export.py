"""The truth of a simulated bridge as CSV files: slow channels, vehicles."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from drivers.sim.bridge import Bridge

VEHICLE_COLUMNS = ("unix", "weight_t", "lane", "speed_m_s", "peak_strain_um_m", "stands_s")


def write_channels(
    path: Path,
    bridge: Bridge,
    begin: float,
    end: float,
    interval_s: float,
    channels: Sequence[str] | None = None,
) -> None:
    """A row every `interval_s` from `begin` until before `end` (unix seconds).

    Without `channels` the slow ones, without vehicles. The modes' frequencies (Hz) come last.
    """
    names = bridge.slow_channels if channels is None else channels
    ask = bridge.resting if channels is None else bridge.truth
    modes = [f"mode_{number}_hz" for number in range(1, len(bridge.modes) + 1)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["unix", *names, *modes])
        for row in range(round((end - begin) / interval_s)):
            unix = begin + row * interval_s
            values = [ask(name, unix) for name in names]
            figures = [f"{one:.6g}" for one in (*values, *bridge.frequencies(unix))]
            writer.writerow([f"{unix:.3f}", *figures])


def write_vehicles(path: Path, bridge: Bridge, begin: float, end: float) -> None:
    """A row per vehicle on the bridge between two unix times; strain below its lane at midspan."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(VEHICLE_COLUMNS)
        for one in bridge.vehicles(begin, end):
            figures = (one.weight_t, one.lane, one.speed_m_s, one.peak_strain, one.stop_s)
            writer.writerow([f"{one.at:.3f}", *(f"{figure:.6g}" for figure in figures)])
