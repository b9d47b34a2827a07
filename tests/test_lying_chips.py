"""What a chip says of its own state: skipped conversions, error codes, resolutions, rails."""

import logging
from typing import Any

import pytest

from agent.measure.instrument import Instrument
from drivers.api import DataError
from tests.driver_kit import Bench


def frozen_for(bench: Bench, hours: int) -> Instrument:
    """Asked every ten minutes in air that does not change."""
    instrument = Instrument("it", bench.driver, bench.clock)
    instrument.prepare()
    bench.clock.sleep(bench.warm_up_s)
    for _ in range(hours * 6):
        assert instrument.ask()
        bench.clock.sleep(600)
    return instrument


# -- BME280 ----------------------------------------------------------------------------------------


def skipping(bench: Bench, at: int, skipped: str) -> None:
    """Its result registers from `at` on say that there was no conversion."""
    convert = bench.twin._convert
    said = bytes.fromhex(skipped)

    def without(*oversampling: int) -> bytes:
        result = bytearray(convert(*oversampling))
        result[at : at + len(said)] = said
        return bytes(result)

    bench.twin._convert = without


def test_a_skipped_humidity_is_none_and_the_others_stand() -> None:
    bench = Bench("bme280").ready()
    right = bench.read()
    skipping(bench, 6, "8000")
    assert bench.read() == {**right, "relative_humidity": None}


def test_a_skipped_pressure_is_none_and_the_others_stand() -> None:
    bench = Bench("bme280").ready()
    right = bench.read()
    skipping(bench, 0, "800000")
    assert bench.read() == {**right, "pressure": None}


def test_without_a_temperature_there_is_nothing_to_compute_the_others_with() -> None:
    bench = Bench("bme280").ready()
    skipping(bench, 3, "800000")
    with pytest.raises(DataError, match="no result"):
        bench.read()


# -- PMS5003 ---------------------------------------------------------------------------------------


def test_an_error_code_is_no_measurement_and_a_version_is_kept() -> None:
    bench = Bench("pms5003").ready()
    bench.read()
    assert bench.driver.version == 0x97
    bench.twin.error_code = 0x02
    with pytest.raises(DataError, match="error code 02, version 97"):
        bench.read()


def test_clean_air_is_no_fault_while_particles_are_counted() -> None:
    bench = Bench("pms5003")
    bench.twin.truth = {"pm1": 0.1, "pm2_5": 0.2, "pm10": 0.3}
    instrument = Instrument("dust", bench.driver, bench.clock)
    instrument.prepare()
    bench.clock.sleep(bench.warm_up_s)
    for hour in range(72):
        bench.twin.particles = [40 + hour % 7, 9, 2, 0, 0, 0]
        assert instrument.ask() == {"pm1": 0.0, "pm2_5": 0.0, "pm10": 0.0}
        bench.clock.sleep(3600)
    assert instrument.state == "ok"


@pytest.mark.parametrize("pm", [0.0, 8.0])
def test_a_fan_that_stands_counts_the_same_for_ever(pm: float) -> None:
    bench = Bench("pms5003")
    bench.twin.truth = {"pm1": pm, "pm2_5": pm, "pm10": pm}
    bench.twin.particles = [round(26 * pm), round(9 * pm), 0, 0, 0, 0]
    assert frozen_for(bench, 26).state == "still"


# -- DS18B20 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "read"), [(12, 10.0625), (11, 10.0), (10, 10.0), (9, 10.0)])
def test_bits_below_its_resolution_are_cut_off_and_said_once(
    bits: int, read: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    bench = Bench("ds18b20").ready()
    bench.twin.bits, bench.twin.truth = bits, {"temperature": 10.0625}
    assert [bench.read()["temperature"] for _ in range(3)] == [read] * 3
    assert len(caplog.records) == (bits < 12)


def test_a_true_85_degrees_is_told_from_the_power_on_value_where_the_chip_counts() -> None:
    bench = Bench("ds18b20").ready()
    bench.twin.truth = {"temperature": 85.0}
    assert bench.read() == {"temperature": 85.0}
    bench.twin.counting = False
    with pytest.raises(DataError, match=r"85\.000 Cel: no conversion"):
        bench.read()
    bench.twin.counting, bench.twin.weak = True, True
    with pytest.raises(DataError, match="no conversion"):
        bench.read()


@pytest.mark.parametrize("counts", [-127 * 16, 0x07FF, -880 - 1, 2001])
def test_what_no_ds18b20_can_measure_is_no_measurement(
    counts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drivers.sensors import ds18b20

    bench = Bench("ds18b20").ready()
    pad = counts.to_bytes(2, "little", signed=True) + bytes.fromhex("4b467fff0110")
    whole = pad + bytes([ds18b20.remainder(pad)])
    monkeypatch.setattr(bench.twin, "scratchpad", lambda now: (whole, 0.75))
    with pytest.raises(DataError, match="no conversion"):
        bench.read()


# -- whole answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [0.0, 25.0])
def test_a_gauge_at_its_stop_is_found_out_though_its_last_bit_flickers(width: float) -> None:
    bench = Bench("ads1115").ready()
    instrument = Instrument("crack", bench.driver, bench.clock)
    flicker = 0.001 if width == 0 else -0.001
    for hour in range(26):
        bench.twin.truth = {"crack_width": width + hour % 2 * flicker}
        instrument.ask()
        bench.clock.sleep(3600)
    assert instrument.state == "still"


def test_humidity_cut_at_100_per_cent_in_fog_is_no_fault() -> None:
    bench = Bench("sht4x")
    instrument = Instrument("air", bench.driver, bench.clock)
    for minute in range(24 * 6):
        truth = {"temperature": 5.0 + minute % 9 / 100, "relative_humidity": 101 + minute % 7 / 50}
        bench.twin.truth = truth
        assert instrument.ask()["relative_humidity"] == 100.0
        bench.clock.sleep(600)
    assert instrument.state == "ok"


@pytest.mark.parametrize("name", ["sht4x", "bme280", "nau7802", "ads122c04"])
def test_a_chip_frozen_for_a_night_is_found_out(name: str) -> None:
    assert frozen_for(Bench(name), 7).state == "still"


def test_a_light_that_is_the_same_for_two_days_is_found_out_and_darkness_is_not() -> None:
    bench: Any = Bench("bh1750")
    assert frozen_for(bench, 48).state == "still"
    bench = Bench("bh1750")
    bench.twin.truth = {"illuminance": 0.0}
    assert frozen_for(bench, 21 * 24).state == "ok"


def test_a_frozen_co2_sensor_is_found_out_within_days() -> None:
    bench = Bench("scd41")
    assert frozen_for(bench, 7).reason.startswith("temperature, relative_humidity:")
    assert "co2" in frozen_for(bench, 73).reason
