"""Drivers that others wrote for 0.1 run unchanged: no new declaration, `drivers.api.Batch`."""

import logging
from pathlib import Path

import pytest

from agent.model.schema import Missing
from tests.window_kit import make_window_rig, table

FIFO_OF_0_1 = '''"""Somebody's accelerometer, I2C 0x19. Datasheet: theirs."""

from drivers.api import Batch, BusError, DataError


class Shaker:
    axes = ("x", "y")
    unit = "m/s2"
    rate_hz = 10.0
    depth_s = 3.0
    full_scale = 20.0

    def __init__(self, i2c, address=0x19, rate_hz: float = 10.0):
        self.i2c, self.address = i2c, address
        self.since = None

    def setup(self):
        if self.i2c.write_read(self.address, b"\\x0f", 1) != b"\\x33":
            raise DataError("not a shaker")
        self.since = None

    def drain(self):
        now = self.i2c.timer.monotonic()
        if self.since is None:
            self.since = now
            return Batch([(0.1, 9.8)], gap=True)
        count = int((now - self.since) * self.rate_hz)
        self.since += count / self.rate_hz
        return Batch([(0.1, 9.8)] * count, gap=False, lost=0)


class ShakerTwin:
    def __init__(self):
        self.truth = {"x": 0.1}

    def power_on(self, now):
        self.pointer = 0

    def write(self, data, now):
        self.pointer = data[0] if data else self.pointer

    def read(self, length, now):
        return (b"\\x33" if self.pointer == 0x0F else b"\\0").ljust(length, b"\\0")


DRIVER, TWIN = Shaker, ShakerTwin
'''
SENSOR_OF_0_1 = '''"""Somebody's thermometer, I2C 0x4C. Datasheet: theirs."""

from drivers.api import DataError, Quantity
from drivers.registers import Register
from drivers.sim.twin import RegisterTwin


class Warm:
    quantities = {"temperature": Quantity("temperature", 0.1, -40, 85)}
    counts = Register(0x00, size=2, signed=True)

    def __init__(self, i2c, address=0x4C):
        self.i2c, self.address = i2c, address
        self.asked = 0

    def setup(self):
        pass

    def read(self):
        self.asked += 1
        if self.asked < 3:
            return {}  # how 0.1 said that it warms up
        return {"temperature": self.counts / 100}


class WarmTwin(RegisterTwin):
    def __init__(self):
        self.truth = {"temperature": -3.5}

    def read(self, length, now):
        self.memory[0:2] = round(self.truth["temperature"] * 100).to_bytes(2, "big", signed=True)
        return super().read(length, now)


DRIVER, TWIN = Warm, WarmTwin
'''
PROFILE = """
[[instrument]]
name = "acc"
driver = "shaker_of_0_1"
bus = "i2c-1"
[[instrument]]
name = "deck"
driver = "warm_of_0_1"
bus = "i2c-1"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "shaker_of_0_1.py").write_text(FIFO_OF_0_1)
    (tmp_path / "warm_of_0_1.py").write_text(SENSOR_OF_0_1)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_foreign_driver_of_0_1_runs_in_a_node(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "drivers.api")
    rig = make_window_rig(folder, PROFILE + table("t", 20, "rms_x", "temp=deck.temperature"))
    rig.run(121)
    rows = rig.rows("t")
    assert len(rows) == 6
    assert [type(row["temp"]) for row in rows] == [Missing, Missing, *[float] * 4]
    assert rows[-1]["temp"] == pytest.approx(20, abs=5)  # the simulated school's room
    assert rows[-1]["rms_x"] == pytest.approx(0.0, abs=0.001)  # it stands still at 0.1
    instruments = rig.node.instruments
    assert {name: one.state for name, one in instruments.items()} == {"acc": "ok", "deck": "ok"}
    renamed = [one.getMessage() for one in caplog.records if one.name == "drivers.api"]
    assert renamed
    assert all("drivers.api.Batch state=renamed" in line for line in renamed)
    rig.node.close()
