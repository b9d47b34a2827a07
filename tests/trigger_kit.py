"""A real driver on its twin, its stream, a trigger, a store: all in virtual time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agent import codec
from agent.clock import VirtualClock
from agent.codec import decoder
from agent.config.sections import VehicleConfig, VibrationConfig
from agent.daemon import Job, run_virtual
from agent.events.archive import Archive
from agent.events.folder import Records
from agent.events.records import Record
from agent.events.trigger import Trigger
from agent.measure.driver_registry import find
from agent.measure.stream import Polled, Stream
from agent.model.batch import EVENT, Delivered
from agent.model.schema import Schema, field_for
from agent.plan.triggers import TriggerPlan
from agent.store import LinkPolicy, Store
from drivers.bus.i2c import I2C
from drivers.sim.i2c import SimI2C

ADDRESS = {"iis2iclx": 0x6A, "adxl355": 0x1D, "nau7802": 0x2A}
SCHEMA = 58_697
VIBRATION = field_for("peak", "acceleration", 1e-4)
STRAIN = field_for("eps", "strain", 0.1)
SCHEMAS = {
    SCHEMA: Schema(SCHEMA, (VIBRATION,)),
    SCHEMA + 1: Schema(SCHEMA + 1, (STRAIN,)),
}


def vibration(**options: Any) -> VibrationConfig:
    """On axis y; the long average is short, so that tests need not wait."""
    given: dict[str, Any] = {
        "column": "deck.peak",
        "instrument": "acc",
        "axis": "y",
        "floor": 5e-3,
        "long_s": 8.0,
    }
    return VibrationConfig(**given | options)


def vehicle(**options: Any) -> VehicleConfig:
    """On a strain gauge."""
    given: dict[str, Any] = {
        "column": "deck.eps",
        "instrument": "s1",
        "axis": "strain",
        "on": 3.0,
        "off": 1.5,
    }
    return VehicleConfig(**given | options)


class Bench:
    """One chip under one trigger or several."""

    def __init__(
        self,
        folder: Path,
        clock: VirtualClock,
        chip: str,
        *configs: VibrationConfig | VehicleConfig,
        rate_hz: float = 0.0,
    ) -> None:
        self.clock = clock
        found = find(chip)
        assert found.twin is not None
        bus = SimI2C(clock, float("inf"))
        self.twin: Any = found.twin()
        self.faults = bus.attach(ADDRESS[chip], self.twin)
        made: Any = found.make(I2C(bus, clock), {})
        self.fifo = Polled(made, rate_hz, clock) if rate_hz else made
        self.stream = Stream("acc", self.fifo, clock)
        self.store = Store(folder / "store.db", clock)
        self.store.open()
        self.store.links({"city": LinkPolicy()})
        self.records = Records(folder / "records")
        self.archive = Archive(self.records, self.store, clock)
        self.archive.open()
        plans = [self._plan(one) for one in configs]
        self.trigger = Trigger(self.stream, plans, self.store, clock, self.archive)
        self.jobs = [Job("stream", self.stream.step), Job("trigger", self.trigger.step)]

    def _plan(self, config: VibrationConfig | VehicleConfig) -> TriggerPlan:
        axis = list(self.fifo.axes).index(config.axis)
        if isinstance(config, VibrationConfig):
            units = ["m/s2"] * len(self.fifo.axes)
            return TriggerPlan(config, axis, units, SCHEMA, 0, VIBRATION)
        return TriggerPlan(config, axis, ["um/m"], SCHEMA + 1, 0, STRAIN)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        run_virtual(self.jobs, self.clock, self.clock.monotonic() + seconds)

    def frames(self) -> list[bytes]:
        """The events that are owed, as frames, acknowledged."""
        found: list[bytes] = []
        while (batch := self.store.link("city").next()) is not None and batch.kind == EVENT:
            assert batch.priority == "alarm"
            encoded = codec.frame(batch, 51, self.clock, codec.Style(whole_slots=True))
            self.store.link("city").delivered(Delivered.of(encoded))
            found += encoded.frames
        return found

    def events(self) -> list[decoder.Event]:
        """The same, decoded."""
        said = [decoder.decode(frame, SCHEMAS.get) for frame in self.frames()]
        return [one for one in said if isinstance(one, decoder.Event)]

    def kept(self) -> list[Record]:
        """Every record in the folder."""
        return [self.records.read(number) for number in self.records.numbers()]


def shaken(
    begin: float, length: float, peak: float, hz: float = 4.0
) -> Callable[[float], Sequence[float]]:
    """Motion of y: a sine that swells and fades between two moments."""

    def motion(at: float) -> Sequence[float]:
        if not begin <= at < begin + length:
            return (0.0, 0.0, 0.0)
        swell = math.sin(math.pi * (at - begin) / length) ** 2
        return (0.0, peak * swell * math.sin(2 * math.pi * hz * (at - begin)), 0.0)

    return motion
