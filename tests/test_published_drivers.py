"""Drivers nobody here wrote, unchanged, on our twins: a second opinion on the chips."""

import importlib

import pytest

from agent.clock import Clock, VirtualClock
from drivers.sensors.bme280 import BME280Twin
from drivers.sensors.pms5003 import PMS5003Twin
from drivers.sim.i2c import SimI2C
from drivers.sim.port import SimPort


@pytest.mark.parametrize(
    ("temperature", "humidity", "pressure"),
    [(-7.3, 61.2, 98_765.0), (21.5, 45.0, 101_325.0), (60.0, 20.0, 85_000.0)],
)
def test_rpi_bme280_reads_the_twin(temperature: float, humidity: float, pressure: float) -> None:
    bme280 = importlib.import_module("bme280")  # RPi.bme280, by rm-hull
    bus, twin = SimI2C(Clock()), BME280Twin()
    bus.attach(0x76, twin)
    twin.truth = {
        "temperature": temperature,
        "relative_humidity": humidity,
        "pressure": pressure,
    }
    trim = bme280.load_calibration_params(bus, 0x76)
    read = bme280.sample(bus, 0x76, trim)
    assert read.temperature == pytest.approx(temperature, abs=0.01)
    assert read.humidity == pytest.approx(humidity, abs=0.05)
    assert read.pressure == pytest.approx(pressure / 100, abs=0.02)


def test_pypms_decodes_what_the_twin_says() -> None:
    sensor = importlib.import_module("pms.core").Sensor["PMSx003"]
    clock, twin = VirtualClock(), PMS5003Twin()
    twin.truth = {"pm1": 5.0, "pm2_5": 36.0, "pm10": 120.0}
    stream = SimPort(clock, twin, timeout=3)
    read = sensor.decode(stream.read(32), time=0)
    assert (read.pm01, read.pm25, read.pm10) == (5, 36, 120)
