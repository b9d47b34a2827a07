"""The truth of a simulated world as CSV files: channels; of a bridge its modes and vehicles too."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from drivers.sim.bridge import Bridge
from drivers.sim.world import World

VEHICLE_COLUMNS = ("unix", "weight_t", "lane", "speed_m_s", "peak_strain_um_m", "stands_s")


def write_truth(
    path: Path, world: World, begin: float, end: float, interval_s: float
) -> list[Path]:
    """The channels into `path`; of a bridge its vehicles into a file beside it. What was written.

    A row's `unix` is the start of the node's row of that time. A value that is read once is to be
    compared with that row's, features of an interval with the one that ended there.
    """
    write_channels(path, world, begin, end, interval_s)
    if not isinstance(world, Bridge):
        return [path]
    beside = path.with_name(f"{path.stem}-vehicles{path.suffix}")
    write_vehicles(beside, world, begin - interval_s, end)
    return [path, beside]


def write_channels(
    path: Path,
    world: World,
    begin: float,
    end: float,
    interval_s: float,
    channels: Sequence[str] | None = None,
) -> None:
    """A row every `interval_s` from `begin` until before `end` (unix seconds).

    Without `channels` all of a world, of a bridge the slow ones, without vehicles. The modes'
    frequencies (Hz) of a bridge come last.
    """
    bridge = world if isinstance(world, Bridge) else None
    names, ask = channels or world.channels, world.truth
    if bridge and channels is None:
        names, ask = bridge.slow_channels, bridge.resting
    modes = [f"mode_{number}_hz" for number in range(1, len(bridge.modes) + 1)] if bridge else []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["unix", *names, *modes])
        for row in range(round((end - begin) / interval_s)):
            unix = begin + row * interval_s
            values = [ask(name, unix) for name in names]
            last = bridge.frequencies(unix) if bridge else ()
            writer.writerow([f"{unix:.3f}", *(f"{one:.6g}" for one in (*values, *last))])


def write_vehicles(path: Path, bridge: Bridge, begin: float, end: float) -> None:
    """A row per vehicle on the bridge between two unix times; strain below its lane at midspan."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(VEHICLE_COLUMNS)
        for one in bridge.vehicles(begin, end):
            figures = (one.weight_t, one.lane, one.speed_m_s, one.peak_strain, one.stop_s)
            writer.writerow([f"{one.at:.3f}", *(f"{figure:.6g}" for figure in figures)])
