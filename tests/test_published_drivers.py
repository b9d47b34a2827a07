"""Drivers nobody here wrote, unchanged, on our twins: a second opinion on the chips."""

import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from smbus2 import i2c_msg

from agent.clock import Clock, VirtualClock
from drivers.sensors.ads1115 import ADS1115Twin
from drivers.sensors.bme280 import BME280Twin
from drivers.sensors.ds18b20 import DS18B20Twin
from drivers.sensors.pms5003 import PMS5003Twin
from drivers.sensors.scd41 import SCD41Twin
from drivers.sensors.sht4x import SHT4xTwin
from drivers.sim.i2c import SimI2C
from drivers.sim.onewire import SimOneWire
from drivers.sim.port import SimPort


def in_time_of(clock: VirtualClock, module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """The driver waits on our clock instead of the machine's."""
    patch.setattr(module, "time", SimpleNamespace(sleep=clock.sleep, time=clock.monotonic))


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


@pytest.mark.parametrize(("co2", "temperature"), [(415.0, -7.3), (812.0, 21.5), (4990.0, 44.0)])
def test_scd4x_of_pimoroni_reads_the_twin(
    monkeypatch: pytest.MonkeyPatch, co2: float, temperature: float
) -> None:
    scd4x, clock = importlib.import_module("scd4x"), VirtualClock()
    in_time_of(clock, scd4x, monkeypatch)
    bus, twin = SimI2C(clock), SCD41Twin()
    bus.attach(0x62, twin)
    clock.sleep(0.03)  # it has its supply for so long
    monkeypatch.setattr(scd4x, "SMBus", lambda _: bus)
    twin.truth = {"co2": co2, "temperature": temperature, "relative_humidity": 45.0}
    sensor = scd4x.SCD4X()
    assert sensor.get_serial_number() == 273_325_796_834_238  # datasheet, 3.9.2
    sensor.start_periodic_measurement()
    assert sensor.measure()[:3] == pytest.approx((co2, temperature, 45.0), abs=0.01)


@pytest.mark.parametrize("width", [0.0, 0.2, 24.9])
def test_ads1015_of_pimoroni_reads_the_twin(monkeypatch: pytest.MonkeyPatch, width: float) -> None:
    ads1015, clock = importlib.import_module("ads1015"), VirtualClock()
    in_time_of(clock, ads1015, monkeypatch)
    bus, twin = SimI2C(clock), ADS1115Twin()
    bus.attach(0x48, twin)
    twin.truth = {"crack_width": width}
    sensor = ads1015.ADS1015(i2c_addr=0x48, i2c_dev=bus)
    assert sensor.detect_chip_type() == "ADS1115"  # by the time its conversions take
    sensor.set_programmable_gain(4.096)
    wiper, supply = (sensor.get_voltage(f"in{one}/gnd") for one in (0, 3))
    assert supply == pytest.approx(3.3, abs=2e-3)  # this driver cuts four bits off
    assert wiper / supply * 25 == pytest.approx(width, abs=0.02)


@pytest.mark.parametrize("temperature", [-55.0, -10.125, 25.0625, 125.0])
def test_w1thermsensor_reads_what_the_twin_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temperature: float
) -> None:
    monkeypatch.setenv("W1THERMSENSOR_NO_KERNEL_MODULE", "1")
    library = importlib.import_module("w1thermsensor")
    monkeypatch.setattr(library.W1ThermSensor, "BASE_DIRECTORY", tmp_path)
    wire, twin = SimOneWire(VirtualClock()), DS18B20Twin()
    wire.attach("28-0316a2791dff", twin)
    twin.truth = {"temperature": temperature}
    (tmp_path / "28-0316a2791dff").mkdir()
    (tmp_path / "28-0316a2791dff" / "w1_slave").write_text(wire.read("28-0316a2791dff"))
    read = library.W1ThermSensor().get_temperature()
    assert read == pytest.approx(temperature, abs=0.001)


class Transceiver:
    """What Sensirion's own driver package calls; the messages of its Linux transceiver."""

    API_VERSION, channel_count = 1, None
    STATUS_OK = 0

    def __init__(self, bus: SimI2C, clock: VirtualClock) -> None:
        self.bus, self.clock = bus, clock

    def transceive(
        self,
        *,
        slave_address: int,
        tx_data: bytes | None,
        rx_length: int | None,
        read_delay: float,
        timeout: float,
    ) -> tuple[int, None, bytes]:
        if tx_data:
            self.bus.i2c_rdwr(i2c_msg.write(slave_address, tx_data))
        self.clock.sleep(read_delay)
        if not rx_length:
            return self.STATUS_OK, None, b""
        answer = i2c_msg.read(slave_address, rx_length)
        self.bus.i2c_rdwr(answer)
        return self.STATUS_OK, None, bytes(answer)


@pytest.mark.parametrize(("temperature", "humidity"), [(-39.9, 99.0), (0.0, 1.0), (21.5, 45.0)])
def test_the_makers_sht4x_driver_reads_the_twin(temperature: float, humidity: float) -> None:
    package = importlib.import_module("sensirion_i2c_sht4x")
    adapter = importlib.import_module("sensirion_driver_adapters.i2c_adapter.i2c_channel")
    i2c = importlib.import_module("sensirion_i2c_driver")
    clock = VirtualClock()
    bus, twin = SimI2C(clock), SHT4xTwin()
    bus.attach(0x44, twin)
    clock.sleep(0.001)
    twin.truth = {"temperature": temperature, "relative_humidity": humidity}
    connection = i2c.I2cConnection(Transceiver(bus, clock))
    crc = i2c.CrcCalculator(8, 0x31, 0xFF, 0)
    sensor = package.Sht4xDevice(adapter.I2cChannel(connection, slave_address=0x44, crc=crc))
    assert sensor.serial_number() > 0
    read_t, read_rh = sensor.measure_high_precision()
    assert read_t.value == pytest.approx(temperature, abs=0.01)
    assert read_rh.value == pytest.approx(humidity, abs=0.01)
