"""What one bus carries: 26 chips at 100 kHz, six of which sample by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from agent.clock import VirtualClock
from agent.measure.driver_registry import find
from drivers.bus.i2c import I2C
from drivers.sim.i2c import SimI2C

SLOW = {
    "ads122c04": range(0x40, 0x50),
    "bme280": (0x76, 0x77),
    "scd41": (0x62,),
    "nau7802": (0x2A,),
}
OPTIONS = {"ads122c04": {"rate_hz": 90}, "nau7802": {"rate_hz": 80}}
FIFOS = {"adxl355": (0x1D, 0x53), "iis2iclx": (0x6A, 0x6B), "lis2dw12": (0x18, 0x19)}
ROW_S, LONG_S = 10.0, 60.0


class Bus:
    """The chips of one bus, drained in time."""

    def __init__(self, rate_hz: float) -> None:
        self.clock = VirtualClock()
        self.bus = SimI2C(self.clock, rate_hz)
        self.i2c = I2C(self.bus, self.clock)
        self.slow = [self._made(name, one) for name, all_ in SLOW.items() for one in all_]
        self.fifos = [self._made(name, one) for name, all_ in FIFOS.items() for one in all_]
        for one in self.slow + self.fifos:
            one.setup()
        self.clock.sleep(5)  # the SCD41 warms up
        self.due = {id(one): 0.0 for one in self.fifos}
        self.gaps = self.samples = 0

    def _made(self, name: str, address: int) -> Any:
        found = find(name)
        assert found.twin is not None
        self.bus.attach(address, found.twin())
        return found.make(self.i2c, {"address": address, **OPTIONS.get(name, {})})

    def drain(self) -> None:
        """Those that are due."""
        for one in self.fifos:
            now = self.clock.monotonic()
            if now >= self.due[id(one)]:
                drained = one.drain()
                self.gaps += drained.gap
                self.samples += len(drained.samples)
                self.due[id(one)] = now + min(one.depth_s / 4, 0.25)

    def run(self, seconds: float) -> None:
        """A row of the slow ones every ten seconds, the others between any two of them."""
        end, row = self.clock.monotonic() + seconds, 0.0
        while self.clock.monotonic() < end:
            if self.clock.monotonic() >= row:
                row = self.clock.monotonic() + ROW_S
                for one in self.slow:
                    one.read()
                    self.drain()
            self.drain()
            self.clock.sleep(0.01)


def test_26_chips_on_one_bus_of_100_khz_lose_no_sample() -> None:
    bus = Bus(100_000)
    assert len(bus.slow) + len(bus.fifos) >= 26
    bus.run(1)  # what was missed while the others were set up
    bus.gaps = bus.samples = 0
    before, began = bus.bus.busy_s, bus.clock.monotonic()
    bus.run(LONG_S)
    took_s = bus.clock.monotonic() - began
    assert bus.gaps == 0
    rates = sum(one.rate_hz for one in bus.fifos)
    assert bus.samples == pytest.approx(rates * took_s, rel=0.01)
    assert 0.3 < (bus.bus.busy_s - before) / took_s < 0.8


def test_a_fifo_that_was_long_waited_for_does_not_starve_another_chips() -> None:
    bus = Bus(100_000)
    bus.run(1)
    bus.bus.longest_s = 0.0
    bus.clock.sleep(4.5)
    for one in bus.fifos:
        one.drain()
    shallowest = min(one.depth_s for one in bus.fifos)
    assert bus.bus.longest_s < shallowest / 4


def test_a_bus_that_is_too_slow_loses_samples() -> None:
    bus = Bus(25_000)
    bus.run(1)
    bus.gaps = 0
    bus.run(10)
    assert bus.gaps > 0
