"""What is peculiar about each chip; published bytes of plain readings are its module's VECTORS."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from agent.clock import VirtualClock
from drivers.api import BusError, DataError, WarmingUp
from drivers.bus.i2c import I2C
from drivers.bus.onewire import OneWire
from drivers.bus.port import Port
from drivers.crc import crc8_31, crc8_maxim
from drivers.echo import speed_of_sound
from drivers.sensors.a02yyuw import A02YYUW, A02YYUWTwin
from drivers.sensors.ads122c04 import ADS122C04, ADS122C04Twin, remainder
from drivers.sensors.ads122c04 import VECTORS as ADS122C04_VECTORS
from drivers.sensors.ads1115 import ADS1115, ADS1115Twin
from drivers.sensors.bh1750 import BH1750Twin
from drivers.sensors.bme280 import BME280, BME280Twin
from drivers.sensors.bme280 import VECTORS as BME280_VECTORS
from drivers.sensors.ds18b20 import DS18B20, DS18B20Twin
from drivers.sensors.maxbotix import MaxBotix, MaxBotixTwin
from drivers.sensors.nau7802 import NAU7802, NAU7802Twin
from drivers.sensors.pms5003 import PMS5003, PMS5003Twin
from drivers.sensors.pms5003 import VECTORS as PMS5003_VECTORS
from drivers.sensors.scd41 import SCD41, SCD41Twin
from drivers.sim.i2c import SimI2C
from drivers.sim.onewire import text
from drivers.sim.port import SimPort
from drivers.sim.twin import Nack
from tests.driver_kit import Said, Says, replayed


def bus_of(bus: Said | SimI2C) -> I2C:
    return I2C(bus, VirtualClock())


def test_crc_of_be_ef_is_92() -> None:  # SHT3x and SCD4x datasheets
    assert crc8_31(bytes.fromhex("beef")) == 0x92


# -- BME280 --------------------------------------------------------------------------------------


def test_bme280_leaves_humidity_out_where_it_is_a_bmp280() -> None:
    assert "relative_humidity" not in replayed("bme280", BME280_VECTORS[1])[0]


def test_bme280_pressure_by_a_published_vector() -> None:
    read, _ = replayed("bme280", BME280_VECTORS[0])
    assert read["pressure"] == pytest.approx(100_661.517564, abs=0.5)


def test_bme280_twin_has_no_trim_that_takes_a_term_away() -> None:
    for trim in (BME280Twin.trim_t, BME280Twin.trim_p, BME280Twin.trim_h):
        assert all(trim)
        assert min(trim) < 0


def test_bme280_refuses_another_chip_and_a_chip_that_lost_its_supply() -> None:
    with pytest.raises(DataError, match="id 61, not a BME280"):
        BME280(bus_of(Said("61"))).setup()
    with pytest.raises(DataError, match="not ready after reset"):
        BME280(bus_of(Said("60", "01"))).setup()
    with pytest.raises(DataError, match="no calibration"):
        BME280(bus_of(Said("60", "00", "00" * 26))).setup()
    clock = VirtualClock()
    bus, twin = SimI2C(clock), BME280Twin()
    bus.attach(0x76, twin)
    chip = BME280(I2C(bus, clock))
    chip.setup()
    twin._convert = lambda *_: bytes.fromhex("8000008000008000")  # type: ignore[method-assign]
    with pytest.raises(DataError, match="did it lose its supply"):
        chip.read()


# -- SCD41 ---------------------------------------------------------------------------------------


def test_scd41_warms_up_until_its_first_result_and_then_has_news_or_none() -> None:
    clock = VirtualClock()
    chip, _ = scd41(clock)
    chip.setup()
    for left_s in (5, 3, 1):
        with pytest.raises(WarmingUp, match=f"0x62: warming up, {left_s} s left"):
            chip.read()
        clock.sleep(2)
    assert chip.read()
    assert chip.read() == {}


def test_scd41_is_told_the_pressure_as_in_the_datasheet() -> None:
    bus = Said()
    chip = SCD41(bus_of(bus))
    chip.compensate(pressure_pa=98_700)
    chip.compensate(pressure_pa=98_701)  # the same hPa: not again
    chip.compensate(pressure_pa=1_000)  # no air pressure on earth
    assert bus.written == ["e00003db42"]


def scd41(clock: VirtualClock, **options: bool) -> tuple[SCD41, SCD41Twin]:
    bus, twin = SimI2C(clock), SCD41Twin()
    bus.attach(0x62, twin)
    return SCD41(I2C(bus, clock), **options), twin


def test_scd41_writes_its_memory_only_where_it_differs() -> None:
    clock = VirtualClock()
    chip, twin = scd41(clock, self_calibration=False)
    for _ in range(3):
        chip.setup()  # the factory has self-calibration on
    assert (twin.eeprom, twin.eeprom_writes) == ({"asc": 0}, 1)
    other, twin = scd41(clock, self_calibration=True)
    other.setup()
    assert twin.eeprom_writes == 0


def test_scd41_reads_right_on_a_mountain_only_with_the_pressure() -> None:
    clock = VirtualClock()
    chip, twin = scd41(clock)
    twin.truth = {**twin.truth, "co2": 800.0, "pressure": 80_000.0}
    chip.setup()
    clock.sleep(5.1)
    assert chip.read()["co2"] == pytest.approx(632, abs=1)
    chip.compensate(pressure_pa=80_000)
    clock.sleep(5.1)
    assert chip.read()["co2"] == 800


def test_scd41_says_when_it_measures_no_more() -> None:
    clock = VirtualClock()
    chip, twin = scd41(clock)
    chip.setup()
    clock.sleep(5.1)
    assert chip.read()
    twin.power_on(clock.monotonic())
    clock.sleep(6)
    assert chip.read() == {}
    clock.sleep(8)
    with pytest.raises(DataError, match="measures no more"):
        chip.read()


# -- BH1750, ADS1115 -----------------------------------------------------------------------------


def test_bh1750_twin_knows_its_other_modes() -> None:
    twin = BH1750Twin()
    twin.power_on(0)
    for code, due, counts in ((0x11, 0.121, 1008), (0x13, 0.017, 504), (0x10, 0.121, 504)):
        twin.write(bytes([code]), 0)
        assert int.from_bytes(twin.read(2, due), "big") == counts


def test_ads1115_is_ratiometric() -> None:
    for supply_v in (3.0, 3.3, 3.6):
        clock = VirtualClock()
        bus, twin = SimI2C(clock), ADS1115Twin()
        twin.supply_v, twin.truth = supply_v, {"crack_width": 7.5}
        bus.attach(0x48, twin)
        chip = ADS1115(I2C(bus, clock))
        chip.setup()
        assert chip.read()["crack_width"] == pytest.approx(7.5, abs=0.001)


def test_ads1115_says_what_is_wrong() -> None:
    clock = VirtualClock()
    bus, twin = SimI2C(clock), ADS1115Twin()
    bus.attach(0x48, twin)
    chip = ADS1115(I2C(bus, clock))
    twin.supply_v = 0.0
    with pytest.raises(DataError, match="the gauge has no supply"):
        chip.read()
    with pytest.raises(ValueError, match="two different ones"):
        ADS1115(I2C(bus, clock), channel=3)
    with pytest.raises(DataError, match="a conversion does not end"):
        ADS1115(bus_of(Said(*["43 83"] * 5))).read()
    with pytest.raises(DataError, match="lost its configuration"):
        ADS1115(bus_of(Said("85 83"))).read()
    with pytest.raises(DataError, match="no ADS1115"):
        ADS1115(bus_of(Said("00 00"))).setup()


# -- strain gauges: NAU7802, ADS122C04 -----------------------------------------------------------


def test_nau7802_starts_as_its_datasheet_and_published_drivers_do() -> None:
    conversion = ["be 2f f0", "00 00 00"]
    bus = Said("0a", "0f", "f4", "f0", *conversion * 6)
    NAU7802(bus_of(bus), channel=2, rate_hz=320).setup()
    told = [one for one in bus.written if len(one) > 2]
    assert told == ["0001", "0002", "012f", "02f0", "1530", "1c00", "0096", "02f4"]


def nau7802(clock: VirtualClock, **options: object) -> tuple[NAU7802, NAU7802Twin]:
    bus, twin = SimI2C(clock), NAU7802Twin()
    bus.attach(0x2A, twin)
    return NAU7802(I2C(bus, clock), **options), twin  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sensor", [NAU7802(bus_of(Said())), ADS122C04(bus_of(Said()))], ids=["nau7802", "ads122c04"]
)
def test_a_quarter_bridge_at_3_v_gives_1_5_uv_per_um_m(sensor: NAU7802 | ADS122C04) -> None:
    counts = 1.5e-6 / 3.0 * 128 * 2**23
    assert sensor.bridge.strain(round(1000 * counts)) == pytest.approx(1000, abs=0.01)
    assert sensor.quantities["strain"].high == pytest.approx(15_503, abs=1)


@pytest.mark.parametrize("channel", [1, 2])
@pytest.mark.parametrize("rate_hz", [10, 20, 40, 80, 320])
def test_nau7802_reads_right_from_the_first_value_at_every_rate(
    rate_hz: Literal[10, 20, 40, 80, 320], channel: Literal[1, 2]
) -> None:
    clock = VirtualClock()
    bus = SimI2C(clock)
    twin = NAU7802Twin(gauge_factor=2.11, bridge="half", channel=channel)
    bus.attach(0x2A, twin)
    chip = NAU7802(I2C(bus, clock), 0x2A, 2.11, "half", channel, rate_hz, 64)
    chip.setup()
    for strain in (-3000.0, 0.0, 47.11):
        twin.truth = {"strain": strain}
        before = clock.monotonic()
        assert chip.read()["strain"] == pytest.approx(strain, abs=0.01)
        assert clock.monotonic() - before <= 1.5 / rate_hz


def test_nau7802_says_what_is_wrong() -> None:
    clock = VirtualClock()
    chip, twin = nau7802(clock)
    chip.setup()
    twin.open_wire = True
    with pytest.raises(DataError, match=r"0x2a: .*\(7fffff\): a wire of the gauge is open"):
        chip.read()
    twin.open_wire, twin.truth = False, {"strain": -20_000.0}
    with pytest.raises(DataError, match=r"\(800000\).*unbalanced beyond 15503 um/m"):
        chip.read()
    twin.power_on(clock.monotonic())
    with pytest.raises(DataError, match="registers 000000, not 9e2f00: lost its configuration"):
        chip.read()
    with pytest.raises(DataError, match="not ready after reset"):
        NAU7802(bus_of(Said("02"))).setup()
    with pytest.raises(DataError, match="offset calibration failed"):
        NAU7802(bus_of(Said("0a", "0f", "08"))).setup()
    with pytest.raises(DataError, match="offset calibration does not end"):
        NAU7802(bus_of(Said("0a", "0f", *["04"] * 50))).setup()
    with pytest.raises(DataError, match=r"no conversion in 1\.2 s"):
        NAU7802(bus_of(Said("00 00 00", *["9e 2f 00"] * 50))).read()
    with pytest.raises(ValueError, match="about 2"):
        NAU7802(bus_of(Said()), gauge_factor=0)


def test_nau7802_twin_is_strict() -> None:
    twin = NAU7802Twin()
    twin.power_on(0.0)
    twin.write(bytes.fromhex("012f"), 0.0)  # before it is ready: ignored
    twin.write(bytes.fromhex("0002"), 0.0)
    assert twin.memory[1] == 0
    twin.write(b"\x00", 0.0001)
    assert twin.read(1, 0.0001) == b"\x02"
    twin.write(bytes.fromhex("012f"), 0.001)
    twin.write(bytes.fromhex("1530"), 0.001)
    twin.write(bytes.fromhex("0096"), 0.001)
    twin.write(bytes.fromhex("0092"), 0.001)
    twin.write(bytes.fromhex("0204"), 0.001)  # without the analog half
    twin.write(b"\x02", 0.4)
    assert twin.read(1, 0.4) == b"\x08"
    twin.write(bytes.fromhex("0096"), 0.4)
    twin.write(b"\x12", 0.4)
    assert twin.read(3, 0.4) == b"\0\0\0"  # nothing yet
    wrong = [twin.read(3, 0.4 + 0.1 * n) for n in range(1, 7)]
    right = twin.read(3, 1.1)
    assert right not in wrong
    assert len(set(wrong)) == 6


# CRC-16 of "123456789" (catalogue of parametrised CRCs: CRC-16/IBM-3740); TI's example driver
# (precision-adc-examples, ads122c04.c): counter, 3 bytes, CRC over the four, high byte first
def test_ads122c04_crc_by_the_catalogue() -> None:
    assert remainder(b"123456789") == 0x29B1
    with pytest.raises(DataError, match="a conversion does not end"):  # the checksum was right
        ADS122C04(bus_of(Said(*["00 e1 f0"] * 3))).read()


def encoded(data: str) -> str:
    return data + f"{remainder(bytes.fromhex(data)):04x}"


def test_ads122c04_pulls_its_inputs_apart_before_a_conversion() -> None:
    _, written = replayed("ads122c04", ADS122C04_VECTORS[0])
    assert " ".join(written) == "4868 08 28 10 4860 08 28 10 20 24 28 2c"


def test_ads122c04_is_set_up_as_table_16_says() -> None:
    bus = Said(encoded("6c"), encoded("c2"), encoded("60"), encoded("00"))
    ADS122C04(bus_of(bus), channel="2-3", rate_hz=1000, gain=64).setup()
    assert bus.written[:5] == ["06", "406c", "44c2", "4860", "4c00"]


def ads122c04(clock: VirtualClock) -> tuple[ADS122C04, ADS122C04Twin]:
    bus, twin = SimI2C(clock), ADS122C04Twin()
    bus.attach(0x40, twin)
    return ADS122C04(I2C(bus, clock)), twin


@pytest.mark.parametrize("rate_hz", [20, 45, 90, 175, 330, 600, 1000])
def test_ads122c04_is_ratiometric_at_every_rate(rate_hz: int) -> None:
    clock = VirtualClock()
    bus, twin = SimI2C(clock), ADS122C04Twin(gauge_factor=2.11, bridge="full", channel="2-3")
    bus.attach(0x4A, twin)
    chip = ADS122C04(
        I2C(bus, clock),
        0x4A,
        2.11,
        "full",
        "2-3",
        rate_hz,  # type: ignore[arg-type]
    )
    chip.setup()
    for twin.excitation_v in (2.5, 3.3, 5.0):
        twin.truth = {"strain": -1234.5}
        assert chip.read()["strain"] == pytest.approx(-1234.5, abs=0.01)


def test_ads122c04_says_what_is_wrong() -> None:
    clock = VirtualClock()
    chip, twin = ads122c04(clock)
    chip.setup()
    assert chip.read()
    twin.open_wire = True
    with pytest.raises(DataError, match=r"0x40: .*\(7fffff\): a wire of the gauge is open"):
        chip.read()
    twin.open_wire = False
    twin.power_on(clock.monotonic())
    clock.sleep(1)
    with pytest.raises(DataError, match="registers 00 00 60 00: lost its configuration"):
        chip.read()
    chip.setup()
    chip.count = 1  # as if this conversion had been read already
    with pytest.raises(DataError, match="conversion 1 came twice"):
        chip.read()
    with pytest.raises(DataError, match="checksum of 00 e1 f1"):
        ADS122C04(bus_of(Said("00 e1 f1"))).read()


def test_ads122c04_twin_is_strict() -> None:
    twin = ADS122C04Twin()
    twin.power_on(0.0)
    with pytest.raises(Nack):
        twin.write(b"\x08", 0.0004)
    with pytest.raises(Nack):
        twin.read(1, 0.001)  # no command
    twin.write(b"", 0.001)
    twin.write(b"\x08", 0.001)
    twin.write(b"\x10", 0.05)
    assert twin.read(6, 0.05) == bytes.fromhex("000000 ffffff")  # too early, and no CRC
    twin.write(bytes.fromhex("400e"), 0.0505)  # a register restarts the conversion
    twin.write(b"\x28", 0.052)
    assert twin.read(1, 0.1) == b"\x00"
    assert twin.read(1, 0.101) == b"\x80"


# -- DS18B20 -------------------------------------------------------------------------------------


def wire(folder: Path, said: str, name: str = "28-0316a2791dff") -> OneWire:
    device = folder / name
    device.mkdir(exist_ok=True)
    (device / "w1_slave").write_text(said)
    return OneWire(folder)


def pad(counts: str) -> str:
    data = bytes.fromhex(counts + "4b467fff0c10")
    return text(data + bytes([crc8_maxim(data)]))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (pad("5005"), "85.000 Cel: no conversion"),
        (pad("ff07"), "127.938 Cel"),
        (pad("9101").replace("91 01", "91 02"), "checksum"),
        ("00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 t=0\n", "checksum"),
        ("", "not ready"),
    ],
)
def test_ds18b20_refuses_what_is_no_measurement(tmp_path: Path, said: str, why: str) -> None:
    chip = DS18B20(wire(tmp_path, said))
    chip.setup()
    with pytest.raises(DataError, match=why):
        chip.read()


def test_ds18b20_is_found_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="not on the bus; seen: none"):
        DS18B20(OneWire(tmp_path)).setup()
    bus = wire(tmp_path, pad("9101"))
    with pytest.raises(BusError, match="28-000000000001: not on the bus; seen: 28-0316a2791dff"):
        DS18B20(bus, rom="28-000000000001").setup()
    wire(tmp_path, pad("0000"), "28-0316a2791e00")
    with pytest.raises(BusError, match="several DS18B20: choose rom"):
        DS18B20(bus).setup()
    with pytest.raises(BusError, match="dtoverlay=w1-gpio"):
        DS18B20(OneWire(tmp_path / "none")).setup()


def test_ds18b20_twin_with_a_weak_supply_is_refused() -> None:
    twin = DS18B20Twin()
    twin.power_on(0)
    twin.weak = True
    assert text(twin.scratchpad(0)[0]).endswith("t=85000\n")


# -- PMS5003 -------------------------------------------------------------------------------------

CAPTURED = bytes.fromhex(PMS5003_VECTORS[0].said[0])


@pytest.mark.parametrize("noise", [b"", b"BM", b"BM\x00\x1c", b"\xff" * 100, CAPTURED[:20]])
def test_pms5003_finds_its_frame_in_noise(noise: bytes) -> None:
    assert PMS5003.finder.scan(noise + CAPTURED + noise)[0] == [CAPTURED]


def test_pms5003_refuses_a_wrong_sum_or_length() -> None:
    for wrong in (CAPTURED[:-1] + b"\xc6", CAPTURED.replace(b"\x00\x1c", b"\x00\x14")):
        assert PMS5003.finder.scan(wrong) == ([], b"")
    assert PMS5003.finder.scan(CAPTURED[:31]) == ([], CAPTURED[:31])


def test_pms5003_warms_up_until_its_fan_has_settled_and_gives_up_on_noise() -> None:
    clock, twin = VirtualClock(), PMS5003Twin()
    stream = SimPort(clock, twin)
    chip = PMS5003(Port("/dev/x", 9600, clock, stream))
    chip.setup()
    with pytest.raises(WarmingUp, match="/dev/x: warming up, 30 s left"):
        chip.read()
    clock.sleep(31)
    stream.noise = b"BM\x00\x1c" * 5
    assert chip.read() == {"pm1": 5, "pm2_5": 8, "pm10": 12}
    stream.baudrate = 4800
    with pytest.raises((DataError, BusError)):
        chip.read()


def test_pms5003_twin_is_active_at_power_up_and_sleeps_on_command() -> None:
    clock, twin = VirtualClock(), PMS5003Twin()
    stream = SimPort(clock, twin, timeout=2)
    assert len(PMS5003.finder.scan(stream.read(32))[0]) == 1
    stream.write(bytes.fromhex("424de400000173"))
    stream.reset_input_buffer()
    assert stream.read(1) == b""


# -- A02YYUW, MaxBotix ---------------------------------------------------------------------------

PUBLISHED = bytes.fromhex("ff07a1a7")  # 1953 mm, as in its VECTORS


def line(twin: Says | A02YYUWTwin | MaxBotixTwin) -> Port:
    clock = VirtualClock()
    return Port("/dev/x", 9600, clock, SimPort(clock, twin))


def a02yyuw(mm: int) -> bytes:
    high, low = divmod(mm, 256)
    return bytes([0xFF, high, low, (0xFF + high + low) % 256])


def test_a02yyuw_is_never_fooled_by_where_the_stream_begins() -> None:
    chip = A02YYUW(line(Says(b"")))
    for mm in range(30, 4501):  # 511 mm is ff 01 ff ff: three of its four bytes look like a start
        for lost in range(4):
            found, rest = chip.finder.scan((a02yyuw(mm) * 3)[lost:])
            assert [chip.mm(one) for one in found] == [mm] * (3 if lost == 0 else 2), (mm, lost)
            assert rest == b""


@pytest.mark.parametrize("noise", ["", "ff", "ff ff ff", "ff 07", "00 07 a1 a7", "ff 07 a1 a8"])
def test_a02yyuw_finds_its_frame_in_noise(noise: str) -> None:
    chip = A02YYUW(line(Says(bytes.fromhex(noise) + PUBLISHED)))
    assert chip.read() == {"distance": 1.953}
    assert chip.finder.scan(bytes.fromhex(noise))[0] == []


@pytest.mark.parametrize("noise", [b"", b"R", b"R12", b"RoHS\r", b"R12345\r", b"R 123\r", b"\xff"])
def test_maxbotix_finds_its_record_in_noise(noise: bytes) -> None:
    chip = MaxBotix(line(Says(noise + b"R1234\r")))
    assert chip.finder.scan(noise)[0] == []
    assert chip.read() == {"distance": 1.234}


def test_maxbotix_passes_over_its_name_at_power_up() -> None:
    port = line(MaxBotixTwin())
    chip = MaxBotix(port, frames=1)
    chip.setup()
    assert chip.read() == {"distance": 1.234}


@pytest.mark.parametrize(
    ("chip", "frames"),
    [
        (A02YYUW, [a02yyuw(mm) for mm in (900, 2000, 2001, 2002, 0, 2000)]),
        (MaxBotix, [b"R0900\r", b"R2000\r", b"R2001\r", b"R2002\r", b"R5000\r", b"R2000\r"]),
    ],
)
def test_one_splash_and_one_lost_echo_do_no_harm(
    chip: type[A02YYUW] | type[MaxBotix], frames: list[bytes]
) -> None:
    assert chip(line(Says(*frames))).read()["distance"] == pytest.approx(2.0, abs=0.0015)


@pytest.mark.parametrize("word", [b"R4999\r", b"R5000\r", b"R9999\r"])
def test_no_target_is_no_value(word: bytes) -> None:
    nothing = {"distance": None, "level": None}
    assert A02YYUW(line(Says(a02yyuw(0))), mount_height_m=2.0).read() == nothing
    assert MaxBotix(line(Says(word)), mount_height_m=2.0).read() == nothing


def test_maxbotix_of_ten_metres() -> None:
    twin = MaxBotixTwin(range_m=10.0)
    chip = MaxBotix(line(twin), range_m=10.0)
    for away, found in ((5.0, 5.0), (9.998, 9.998), (12.0, None)):
        twin.truth = {"distance": away}
        assert chip.read() == {"distance": found}
    with pytest.raises(ValueError, match="range_m is 5 or 10"):
        MaxBotix(line(twin), range_m=7.0)


def test_water_too_near_is_off_the_range_not_unknown() -> None:
    twin = MaxBotixTwin()
    twin.truth = {"distance": 0.1}  # it says R0300: that near or nearer
    gauge = MaxBotix(line(twin), mount_height_m=2.0)
    read = gauge.read()
    assert read["distance"] is not None
    assert read["level"] is not None
    assert read["distance"] < gauge.quantities["distance"].low
    assert read["level"] > gauge.quantities["level"].high
    near = A02YYUW(line(Says(a02yyuw(25)))).read()["distance"]
    assert near is not None
    assert near < A02YYUW(line(Says(b""))).quantities["distance"].low


def test_speed_of_sound() -> None:  # ISO 9613-1 reckons with 343.2 m/s at 20 Cel
    assert speed_of_sound(0.0) == 331.3
    assert speed_of_sound(20.0) == pytest.approx(343.2, abs=0.05)
    assert speed_of_sound(1.0) / speed_of_sound(0.0) == pytest.approx(1.0018, abs=0.0001)


@pytest.mark.parametrize(
    ("cel", "plain"), [(-15.0, 4.263), (0.0, 4.144), (20.0, 4.0), (40.0, 3.87)]
)  # 14 cm for 20 K
def test_a02yyuw_reads_right_in_cold_and_heat_only_with_the_temperature(
    cel: float, plain: float
) -> None:
    twin = A02YYUWTwin()
    twin.truth = {"distance": 4.0, "temperature": cel}
    chip = A02YYUW(line(twin))
    assert chip.read()["distance"] == pytest.approx(plain, abs=0.001)
    chip.compensate(temperature=cel)
    assert chip.read()["distance"] == pytest.approx(4.0, abs=0.001)
    for nonsense in (-273.2, 125.0, float("nan")):
        chip.compensate(temperature=nonsense)
    assert chip.read()["distance"] == pytest.approx(4.0, abs=0.001)


def test_maxbotix_compensates_itself_unless_told_otherwise() -> None:
    itself, told = MaxBotix(line(MaxBotixTwin())), MaxBotix(line(MaxBotixTwin()), assumed_cel=20.0)
    for chip in (itself, told):
        chip.compensate(temperature=0.0)
    assert itself.read()["distance"] == 1.234
    assert told.read()["distance"] == pytest.approx(1.234 * 331.3 / 343.2, abs=0.001)


def test_a_silent_gauge_and_a_babbling_one_say_what_to_check() -> None:
    with pytest.raises(BusError, match=r"/dev/x: nothing heard: has the sensor power"):
        A02YYUW(line(Says(b""))).setup()
    with pytest.raises(BusError, match=r"no good frame in 00 9a 9a.*is the speed 9600"):
        A02YYUW(line(Says(bytes.fromhex("009a9a")))).read()
    inverted = bytes(~byte & 0xFF for byte in b"R1234\r")
    with pytest.raises(
        BusError, match=r"no good frame in ad ce .*MB7369\) needs a level converter"
    ):
        MaxBotix(line(Says(inverted))).read()
    with pytest.raises(ValueError, match="frames is 1 to 25"):
        A02YYUW(line(Says(b"")), frames=0)


def test_a_gauge_waits_no_longer_than_its_frames_take() -> None:
    clock = VirtualClock()
    chip = A02YYUW(Port("/dev/x", 9600, clock, SimPort(clock, Says(PUBLISHED, PUBLISHED, b""))))
    assert chip.read() == {"distance": 1.953}  # two frames came, five were wanted
    assert clock.monotonic() <= 3.6


def test_a_gauge_hears_only_what_is_said_after_the_question() -> None:
    clock, twin = VirtualClock(), A02YYUWTwin()
    chip = A02YYUW(Port("/dev/x", 9600, clock, SimPort(clock, twin)))
    chip.setup()
    clock.sleep(60)
    chip.port.read(1, 0)  # what came meanwhile is in the buffer now
    twin.truth = {**twin.truth, "distance": 3.0}
    assert chip.read() == {"distance": 3.0}
