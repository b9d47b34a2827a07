"""Drivers nobody here wrote, unchanged, on our twins: a second opinion on the chips."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from smbus2 import i2c_msg

from agent.clock import Clock, VirtualClock
from drivers.sensors.ads122c04 import ADS122C04Twin
from drivers.sensors.ads1115 import ADS1115Twin
from drivers.sensors.adxl355 import ADXL355Twin
from drivers.sensors.bh1750 import BH1750Twin
from drivers.sensors.bme280 import BME280Twin
from drivers.sensors.ds18b20 import DS18B20Twin
from drivers.sensors.nau7802 import NAU7802Twin
from drivers.sensors.pms5003 import PMS5003Twin
from drivers.sensors.scd41 import SCD41Twin
from drivers.sensors.sht4x import SHT4xTwin
from drivers.sim.i2c import SimI2C
from drivers.sim.onewire import SimOneWire
from drivers.sim.port import SimPort


def in_time_of(clock: VirtualClock, module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """The driver waits on our clock instead of the machine's."""
    ticks = {"time": clock.monotonic, "monotonic": clock.monotonic}
    patch.setattr(module, "time", SimpleNamespace(sleep=clock.sleep, **ticks))


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


class Busio:
    """What CircuitPython's drivers call their bus."""

    def __init__(self, bus: SimI2C, clock: VirtualClock) -> None:
        self.bus, self.clock = bus, clock

    def try_lock(self) -> bool:
        self.clock.sleep(1e-4)  # or a driver that polls would never end
        return True

    def unlock(self) -> None:
        """Nobody else is there."""

    def writeto(self, address: int, buffer: bytes, *, start: int = 0, end: Any = None) -> None:
        self.bus.i2c_rdwr(i2c_msg.write(address, bytes(buffer)[start:end]))

    def readfrom_into(
        self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None
    ) -> None:
        answer = i2c_msg.read(address, len(buffer[start:end]))
        self.bus.i2c_rdwr(answer)
        buffer[start:end] = bytes(answer)

    def writeto_then_readfrom(
        self,
        address: int,
        out: bytes,
        into: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        answer = i2c_msg.read(address, len(into[in_start:in_end]))
        sent = i2c_msg.write(address, bytes(out)[out_start:out_end])
        self.bus.i2c_rdwr(sent, answer)
        into[in_start:in_end] = bytes(answer)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def bus(clock: VirtualClock) -> SimI2C:
    return SimI2C(clock)


@pytest.fixture
def busio(bus: SimI2C, clock: VirtualClock) -> Busio:
    return Busio(bus, clock)


@pytest.fixture
def published(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A package by its name, waiting on our clock."""

    def load(name: str) -> ModuleType:
        module = importlib.import_module(name)
        if hasattr(module, "time"):
            in_time_of(clock, module, monkeypatch)
        if hasattr(module, "sleep"):
            monkeypatch.setattr(module, "sleep", clock.sleep)
        return module

    return load


Load = Callable[[str], ModuleType]
AIR = [(-39.0, 99.0, 31_000.0), (0.0, 1.0, 108_000.0), (21.5, 45.0, 101_325.0), (84.0, 5.0, 8e4)]


@pytest.mark.parametrize(("temperature", "humidity", "pressure"), AIR)
@pytest.mark.parametrize("mode", ["forced", "normal"])
def test_bme280_of_adafruit_reads_the_twin(
    bus: SimI2C,
    busio: Busio,
    published: Load,
    mode: str,
    temperature: float,
    humidity: float,
    pressure: float,
) -> None:
    basic = published("adafruit_bme280.basic")
    published("adafruit_bme280.protocol")
    advanced = published("adafruit_bme280.advanced")
    twin = BME280Twin()
    # H3 as real chips have it: with another one Bosch's own float code, which this package follows,
    # is not the datasheet's formula
    twin.trim_h = (75, 376, 0, 286, 50, 30)
    bus.attach(0x76, twin)
    busio.clock.sleep(0.01)
    twin.truth = {"temperature": temperature, "relative_humidity": humidity, "pressure": pressure}
    if mode == "forced":
        sensor = basic.Adafruit_BME280_I2C(busio, address=0x76)
    else:
        sensor = advanced.Adafruit_BME280_I2C(busio, address=0x76)
        sensor.mode = advanced.MODE_NORMAL
        sensor.standby_period = advanced.STANDBY_TC_125
    busio.clock.sleep(0.3)
    assert sensor.temperature == pytest.approx(temperature, abs=0.02)
    assert sensor.relative_humidity == pytest.approx(humidity, abs=0.1)
    assert sensor.pressure == pytest.approx(pressure / 100, abs=0.05)


@pytest.mark.parametrize("lux", [0.0, 1.0, 420.0, 10_000.0, 27_300.0])  # in steps of half a lux
def test_bh1750_of_adafruit_reads_the_twin(
    bus: SimI2C, busio: Busio, published: Load, lux: float
) -> None:
    twin = BH1750Twin()
    bus.attach(0x23, twin)
    twin.truth = {"illuminance": lux}
    sensor = published("adafruit_bh1750").BH1750(busio)
    busio.clock.sleep(0.2)
    assert sensor.lux == pytest.approx(lux, abs=1)


@pytest.mark.parametrize(("co2", "temperature"), [(415.0, -7.3), (812.0, 21.5), (4990.0, 44.0)])
def test_scd4x_of_sparkfun_reads_the_twin(
    bus: SimI2C, clock: VirtualClock, published: Load, co2: float, temperature: float
) -> None:
    twin = SCD41Twin()
    bus.attach(0x62, twin)
    clock.sleep(0.03)
    twin.truth = {"co2": co2, "temperature": temperature, "relative_humidity": 45.0}
    package = published("qwiic_scd4x")
    sensor = package.QwiicSCD4x(i2c_driver=Qwiic(bus))
    assert sensor.begin()
    assert sensor.get_sensor_type() == sensor.kTypeSCD41
    clock.sleep(5.1)
    assert sensor.read_measurement()
    read = sensor.get_co2(), sensor.get_temperature(), sensor.get_humidity()
    assert read == pytest.approx((co2, temperature, 45.0), abs=0.02)


class Qwiic:
    """What SparkFun's drivers call their bus; the messages of its Linux driver."""

    def __init__(self, bus: SimI2C) -> None:
        self.bus = bus

    def isDeviceConnected(self, address: int) -> bool:  # noqa: N802
        return address in self.bus.attached

    def readBlock(self, address: int, register: int | None, count: int) -> list[int]:  # noqa: N802
        if register is not None:
            return self.bus.read_i2c_block_data(address, register, count)
        answer = i2c_msg.read(address, count)
        self.bus.i2c_rdwr(answer)
        return list(bytes(answer))

    def writeBlock(self, address: int, register: int, data: list[int]) -> None:  # noqa: N802
        self.bus.write_i2c_block_data(address, register, data)

    def read_byte(self, address: int, register: int) -> int:
        return self.bus.read_byte_data(address, register)

    def write_byte(self, address: int, register: int, value: int) -> None:
        self.bus.write_byte_data(address, register, value)

    readByte, writeByte = read_byte, write_byte  # noqa: N815


STRAINS = [-14_000.0, -12.5, 0.0, 12.5, 1234.5, 14_000.0]


def counts_of(strain: float) -> float:
    """Of a quarter bridge of gauge factor 2 at gain 128; 2^23 are the reference."""
    return strain * 2 / 4 * 1e-6 * 128 * 2**23


@pytest.mark.parametrize("strain", STRAINS)
def test_nau7802_of_sparkfun_reads_the_twin(
    bus: SimI2C, clock: VirtualClock, published: Load, strain: float
) -> None:
    twin = NAU7802Twin()
    bus.attach(0x2A, twin)
    twin.truth = {"strain": strain}
    sensor = published("qwiic_nau7802").QwiicNAU7802(i2c_driver=Qwiic(bus))
    sensor.millis = lambda: clock.monotonic() * 1000
    assert sensor.begin()
    clock.sleep(1)
    assert sensor.available()
    # calibrated before the regulator has settled, as this driver does: some counts off
    assert sensor.get_reading() == pytest.approx(counts_of(strain), abs=301)
    assert sensor.calibrate_afe()
    clock.sleep(1)
    assert sensor.get_reading() == pytest.approx(counts_of(strain), abs=1)


@pytest.mark.parametrize("strain", STRAINS)
def test_nau7802_of_cedargrove_reads_the_twin(
    bus: SimI2C, busio: Busio, published: Load, strain: float
) -> None:
    twin = NAU7802Twin()
    bus.attach(0x2A, twin)
    twin.truth = {"strain": strain}
    sensor = published("cedargrove_nau7802").NAU7802(busio)
    assert sensor.chip_revision == 0xF
    assert sensor.calibrate("INTERNAL")
    busio.clock.sleep(1)
    assert sensor.calibrate("INTERNAL")
    busio.clock.sleep(1)
    assert sensor.available()
    assert sensor.read() / 2 == pytest.approx(counts_of(strain), abs=1)  # it doubles them


@pytest.mark.parametrize("strain", [-12_000.0, *STRAINS[1:5], 12_000.0])
@pytest.mark.parametrize("checked", ["CRC_DISABLED", "CRC_INVERTED", "CRC_CRC16"])
def test_ads122c04_of_adafruit_reads_the_twin(
    bus: SimI2C, busio: Busio, published: Load, checked: str, strain: float
) -> None:
    package = published("adafruit_ads122c04.ads122c04")
    twin = ADS122C04Twin()
    bus.attach(0x40, twin)
    busio.clock.sleep(0.001)
    twin.truth = {"strain": strain}
    sensor = package.ADS122C04(busio)
    sensor.mux, sensor.gain = package.MUX_AIN0_AIN1, package.GAIN_128
    sensor.vref_input = package.VREF_EXTERNAL
    sensor.crc_mode = getattr(package, checked)
    sensor.continuous_mode = True
    sensor.start_sync()
    busio.clock.sleep(0.06)
    assert sensor.data_ready
    assert sensor.read_data() == pytest.approx(counts_of(strain), abs=1)


class Bytewise:
    """What the package adxl355 calls a transport."""

    def __init__(self, bus: SimI2C, clock: VirtualClock) -> None:
        self.bus, self.clock = bus, clock

    def read_register(self, register: int, length: int = 1) -> bytes:
        return bytes(self.bus.read_i2c_block_data(0x1D, register, length))

    def write_register(self, register: int, data: bytes) -> None:
        self.bus.write_i2c_block_data(0x1D, register, list(data))

    def delay_ms(self, milliseconds: int) -> None:
        self.clock.sleep(milliseconds / 1000)


@pytest.mark.parametrize("x", [-19.0, -0.01, 0.0, 0.01, 9.80665, 19.0])
def test_adxl355_of_pypi_reads_the_twin(bus: SimI2C, clock: VirtualClock, x: float) -> None:
    package = importlib.import_module("adxl355")
    twin = ADXL355Twin()
    bus.attach(0x1D, twin)
    twin.truth = {"x": x, "y": -x, "z": 9.80665, "temperature": 18.0}
    sensor = package.ADXL355(Bytewise(bus, clock))
    assert sensor.probe()
    sensor.set_odr(package.ODR.HZ_125)
    sensor.set_power_mode(package.PowerMode.MEASUREMENT)
    clock.sleep(0.1)
    read = sensor.read_acceleration_mps2()
    scale = 3.9 / 3.90625  # it takes the datasheet's rounded 3.9 ug for 1 / 256,000
    assert (read.x / scale, read.y / scale) == pytest.approx((x, -x), abs=1e-4)
    assert sensor.read_temperature_c() == pytest.approx(18.0, abs=0.1)
    assert sensor.read_status() & 1
