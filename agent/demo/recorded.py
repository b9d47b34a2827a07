"""A demo that plays a recording: its clock, its slots, and what is not in it is not measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from agent.clock import VirtualClock
from agent.config.sections import Config
from agent.demo import recording
from agent.measure.driver_registry import DriverError, find
from drivers.api import Sensor
from drivers.sim.replay import Replay


class RecordedClock(VirtualClock):
    """Of any year: a recording may be older than any node."""

    def offset(self) -> float | None:
        """As any clock's; but who vouches is believed whatever the date."""
        found = super().offset()
        return self.system_utc() - self.monotonic() if found is None and self.trust else found


def blind(
    sensor: Sensor, feeds: Mapping[str, str], replay: Replay, now: Callable[[], float]
) -> None:
    """Let a sensor tell only what was recorded; the chip behind it is asked as ever."""
    read = sensor.read

    def recorded() -> Mapping[str, float | None]:
        values, unix = read(), now()
        return {
            name: value
            for name, value in values.items()
            if name in feeds and replay.recorded(feeds[name], unix)
        }

    sensor.read = recorded  # type: ignore[method-assign]


def open_recording(
    path: Path,
    columns: Mapping[str, tuple[str, float]],
    config: Config,
    folder: Path,
    *,
    begin: float,
    follow: bool,
    tell: Callable[[int], None] | None,
) -> tuple[Config, Replay, str]:
    """A recording, the profile whose first table follows its step, and what was understood.

    `begin`: unix seconds of one without times; `follow`: whether the table may follow.
    Raises ReplayError, MissingExtra.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = config.table[0]
    made, replay = recording.read(
        path, columns, folder, start=begin, interval_s=float(table.interval_s),
        follow=follow, ranges=measurable(config), tell=tell,
    )  # fmt: skip
    followed = msgspec.structs.replace(table, interval_s=int(made.interval_s))
    config = msgspec.structs.replace(config, table=(followed, *config.table[1:]))
    return config, replay, made.said


def measurable(config: Config) -> dict[str, tuple[float, float]]:
    """Channel -> what the sensors behind the first table's columns can measure of it."""
    instruments = {one.name: one for one in config.instrument}
    columns = config.table[0].columns
    found: dict[str, tuple[float, float]] = {}
    for reference in columns.values() if isinstance(columns, dict) else ():
        owner, _, name = reference.partition(".")
        try:
            one = instruments[owner]
            quantities = find(one.driver).make(None, one.options).quantities
        except (DriverError, KeyError, TypeError, ValueError):  # said elsewhere
            continue
        if name in quantities:
            channel = config.simulate.feeds.get(reference, f"room.{name}")
            found[channel] = (quantities[name].low, quantities[name].high)
    return found
