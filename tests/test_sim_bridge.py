"""The simulated bridge: what is true is the same whoever asks, and is what was ordered."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.features.modes import identify
from agent.features.tracking import Reference, track
from drivers.sim.bridge import Bridge
from drivers.sim.defects import BearingTilt, CrackDrift, FrequencyDrop
from drivers.sim.fifo import G
from drivers.sim.traffic import CLOSED_S, LENGTH_M, SPAN_M, Traffic, Vehicle
from drivers.sim.truth_files import write_channels, write_vehicles
from drivers.sim.vibration import BLOCK_S, RATE_HZ
from tests.features_kit import law

MONDAY = 1_768_200_600.0  # 2026-01-12 07:50 in Germany
DAY_S = 86_400
MONTH_S = 365.25 / 12 * DAY_S


@pytest.fixture(scope="module")
def bridge() -> Bridge:
    return Bridge(3)


def record(
    bridge: Bridge, begin: float, seconds: float, rate_hz: float = 125.0, place: str = "midspan"
) -> NDArray[np.float64]:
    """What an ideal accelerometer delivers, shape (samples, 3)."""
    motion = bridge.motion(f"deck.{place}")
    return np.array([motion(begin + n / rate_hz) for n in range(int(seconds * rate_hz))])


def rms(x: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.sqrt(np.mean((x - x.mean(axis=0)) ** 2, axis=0))
    return found


# ---- the same truth for everybody ---------------------------------------------------------------


def test_a_time_has_one_truth_whatever_was_asked_before(bridge: Bridge) -> None:
    times = [MONDAY + one for one in (0.1, 9.37, 3.2, 7.999, 8.001, 11.6)]
    names = [*bridge.slow_channels, "deck.midspan.x", "deck.quarter.z"]
    forwards = [[bridge.truth(name, unix) for name in names] for unix in sorted(times)]
    other = Bridge(3)
    backwards = [[other.truth(name, unix) for name in names] for unix in sorted(times)[::-1]]
    assert forwards == backwards[::-1]


def test_another_seed_is_another_bridge(bridge: Bridge) -> None:
    other = Bridge(4)
    for name in ("deck.midspan.z", "air.temperature", "deck.quarter.tilt_x"):
        assert bridge.truth(name, MONDAY) != other.truth(name, MONDAY)
    assert bridge.vehicles(MONDAY, MONDAY + 600) != other.vehicles(MONDAY, MONDAY + 600)


def test_a_channel_it_does_not_have_is_a_key_error(bridge: Bridge) -> None:
    for name in ("deck.midspan.w", "room.co2", "x", "river.z"):
        with pytest.raises(KeyError):
            bridge.truth(name, MONDAY)
    assert all(math.isfinite(bridge.truth(name, MONDAY)) for name in bridge.channels)


def test_blocks_join(bridge: Bridge) -> None:
    """Modal velocities are continuous: their steps at a joint are as large as anywhere."""
    first = math.floor(MONDAY / BLOCK_S)
    for number in range(first, first + 3):
        pairs = zip(bridge.vibration.block(number), bridge.vibration.block(number + 1), strict=True)
        for mode, (here, then) in enumerate(pairs):
            resonator = bridge.vibration._resonators(number)[mode][0]
            ended = walked(bridge, number, mode)
            assert abs(then[0] - resonator.omega * ended) < 1e-4 * max(map(abs, here))


def walked(bridge: Bridge, number: int, mode: int) -> float:
    from drivers.sim.vibration import walk

    vibration = bridge.vibration
    forces, begin = vibration._forces(number)[mode], vibration._begin(number, mode)
    return walk(vibration._resonators(number)[mode][0], forces, begin)[1][1]


@pytest.mark.no_cover
def test_between_grid_points_a_cubic_is_good_enough() -> None:
    """A sine of 11 Hz on the grid comes back within 0.1 % everywhere."""
    bridge = Bridge(1)
    omega = 2 * math.pi * 11

    def sine(place: int, block: int) -> tuple[list[float], list[float], list[float]]:
        points = range(block * BLOCK_S * RATE_HZ, (block + 1) * BLOCK_S * RATE_HZ)
        wave = [math.sin(omega * one / RATE_HZ) for one in points]
        return wave, wave, wave

    bridge.acceleration._grid = sine  # type: ignore[assignment]
    for n in range(700):
        unix = 3.0 + n / 399
        assert bridge.motion("deck.midspan")(unix)[1] == pytest.approx(
            math.sin(omega * unix), abs=1e-3
        )


# ---- dynamics -----------------------------------------------------------------------------------


@pytest.mark.no_cover
def test_modes_come_back_from_a_quiet_record() -> None:
    bridge = Bridge(5, traffic=0)
    found = track(
        identify([record(bridge, MONDAY, 300, 62.5)], 62.5),
        [Reference(one) for one in bridge.frequencies(MONDAY)],
    )
    for truth, hz, seen in zip(bridge.modes, bridge.frequencies(MONDAY), found, strict=True):
        assert seen is not None
        least = law(hz, truth.damping, 300)
        assert abs(seen.frequency_hz / hz - 1) < 4 * least
        assert seen.damping == pytest.approx(truth.damping, rel=0.5)


@pytest.mark.no_cover
def test_a_quiet_bridge_shakes_as_much_as_its_surroundings_say() -> None:
    bridge = Bridge(2, traffic=0)
    up = rms(record(bridge, MONDAY, 60))[2]
    expected = bridge.ambient(MONDAY) * math.sqrt(sum(one.shape[8] ** 2 for one in bridge.modes))
    assert up == pytest.approx(expected, rel=0.4)
    assert 0.05e-3 * G < up < 0.35e-3 * G


def test_a_truck_shakes_it_by_milligravities() -> None:
    bridge = Bridge(2, traffic=0)
    truck = Vehicle(MONDAY + 10, 30.0, 15.0, 2)
    bridge.traffic.loads = (truck,)
    quiet, passing = record(bridge, MONDAY, 8), record(bridge, truck.at, 4)
    assert np.ptp(passing[:, 2]) / 2 > 10 * rms(quiet)[2]
    assert 1e-3 * G < np.ptp(passing[:, 2]) / 2 < 15e-3 * G


def test_temperature_moves_frequencies(bridge: Bridge) -> None:
    winter, summer = MONDAY, MONDAY + 180 * DAY_S
    warmer = bridge.climate.warmth(summer).mean - bridge.climate.warmth(winter).mean
    assert warmer > 10
    for cold, warm in zip(bridge.frequencies(winter), bridge.frequencies(summer), strict=True):
        assert warm / cold - 1 == pytest.approx(-0.001 * warmer, rel=0.05)


# ---- weather ------------------------------------------------------------------------------------


def test_concrete_follows_the_air_and_the_sun(bridge: Bridge) -> None:
    june = MONDAY + 160 * DAY_S
    hours = [june + 3600 * hour for hour in range(48)]
    air, top, bottom = (
        np.array([bridge.truth(name, unix) for unix in hours])
        for name in ("air.temperature", "deck.midspan.top", "deck.midspan.bottom")
    )
    assert np.ptp(bottom) < np.ptp(air) < np.ptp(top)
    assert 3 < np.max(top - bottom) < 15
    assert -5 < np.min(top - bottom) < 0


@pytest.mark.no_cover
def test_slow_channels_breathe_with_temperature_and_are_smooth(bridge: Bridge) -> None:
    days = [MONDAY + 3600.0 * hour for hour in range(0, 24 * 200, 29)]
    warm = [bridge.climate.warmth(unix).mean for unix in days]
    crack = [bridge.resting("crack.width_1", unix) for unix in days]
    slope, _ = np.polyfit(warm, crack, 1)
    assert slope == pytest.approx(0.004, rel=1e-6)
    for name in bridge.slow_channels:
        a, b = (bridge.resting(name, MONDAY + one) for one in (0.0, 0.5))
        assert abs(b - a) < 0.01
    assert all(0.03 < bridge.truth("water.distance", unix) < 4.5 for unix in days)


def test_the_tilt_of_the_deck_is_in_its_accelerometers() -> None:
    bridge = Bridge(1, traffic=0)
    for place in ("west", "midspan"):
        mean = record(bridge, MONDAY, 20, 52, place).mean(axis=0)
        for axis, name in enumerate(("tilt_x", "tilt_y")):
            deg = math.degrees(math.asin(mean[axis] / G))
            truth = bridge.truth(f"deck.{place}.{name}", MONDAY + 10)
            assert deg == pytest.approx(truth, abs=0.5e-3)
        assert math.hypot(*mean) == pytest.approx(G, rel=1e-6)


# ---- traffic ------------------------------------------------------------------------------------


def test_traffic_follows_the_hour_and_the_week() -> None:
    traffic = Traffic(1)
    hour = {
        name: len(traffic.between(begin, begin + 3600))
        for name, begin in (
            ("morning", MONDAY),
            ("night", MONDAY - 5 * 3600),
            ("sunday", MONDAY - DAY_S),
        )
    }
    assert 170 < hour["morning"] < 280
    assert hour["night"] < 20
    assert 0.4 < hour["sunday"] / hour["morning"] < 0.75
    assert not Traffic(1, share=0).between(MONDAY, MONDAY + 3600)


def test_vehicles_are_the_same_however_time_is_cut() -> None:
    traffic, other = Traffic(7), Traffic(7)
    whole = traffic.between(MONDAY, MONDAY + 1200)
    pieces = {one for cut in range(119, -1, -1) for one in other.between(
        MONDAY + 10 * cut, MONDAY + 10 * cut + 10
    )}  # fmt: skip
    assert set(whole) == pieces
    assert all(1 < one.weight_t <= 40 for one in whole)
    assert all(1.3 < one.gone - one.at < 4 for one in whole)


def test_strain_and_tilt_tell_the_same_weights() -> None:
    bridge = Bridge(1, traffic=0)
    car, truck = Vehicle(MONDAY, 2.0, 14.0, 1), Vehicle(MONDAY + 60, 38.0, 14.0, 1)
    bridge.traffic.loads = (car, truck)
    for name in ("deck.midspan.strain_1", "deck.quarter.strain_2", "deck.west.tilt_x",
                 "deck.midspan.tilt_y"):  # fmt: skip
        seen = [most(bridge, name, one) for one in (car, truck)]
        assert seen[1] / seen[0] == pytest.approx(19, rel=0.01)
    assert most(bridge, "deck.midspan.strain_1", truck) == pytest.approx(truck.peak_strain, 1e-3)
    assert 1e-3 < most(bridge, "deck.west.tilt_x", truck) < 20e-3


def most(bridge: Bridge, name: str, vehicle: Vehicle) -> float:
    """The largest that a channel has of a vehicle."""
    times = np.linspace(vehicle.at, vehicle.gone, 300)
    return max(abs(bridge.truth(name, unix) - bridge.resting(name, unix)) for unix in times)


def test_directions_mirror_each_other() -> None:
    east, west = Vehicle(0, 10, 14.0, 1), Vehicle(0, 10, 14.0, 2)
    for part in (0.5, 1.0, 1.9):
        assert east.strain(part, 0.25, 1) == pytest.approx(west.strain(part, 0.75, 2))
        assert east.tilt(part, 0.0)[0] == pytest.approx(-west.tilt(part, 1.0)[0])


@pytest.mark.no_cover
def test_a_crane_parks_in_the_middle_of_a_closed_road() -> None:
    bridge = Bridge(1)
    bridge.motion("deck.midspan")(MONDAY)  # asked before, as a running demo does
    crane = bridge.load(48.0, MONDAY + 120, 100.0)
    name, stands = "deck.midspan.strain_2", crane.peak_strain
    added = [bridge.truth(name, unix) - bridge.resting(name, unix)
             for unix in (MONDAY + 60, MONDAY + 121, MONDAY + 219, crane.gone + 30)]  # fmt: skip
    assert added == pytest.approx([0, stands, stands, 0], abs=1e-6)
    assert bridge.vehicles(crane.at - CLOSED_S, crane.gone + CLOSED_S) == [crane]
    assert crane.gone - crane.at == pytest.approx(100 + (SPAN_M + LENGTH_M) / crane.speed_m_s)
    leans = [record(bridge, unix, 4)[:, 0].mean() for unix in (MONDAY + 96, MONDAY + 160)]
    assert abs(leans[1] - leans[0]) < 1e-3  # symmetrical about midspan
    assert crane.shake(MONDAY + 150) == 0 < crane.shake(MONDAY + 112)


# ---- defects ------------------------------------------------------------------------------------


def test_defects_begin_at_their_date() -> None:
    since = MONDAY + 10 * DAY_S
    bearing = BearingTilt(since, "x", 0.02, 0.001)
    ill = Bridge(1, defects=[FrequencyDrop(since, 2, -0.01), CrackDrift(since, 1, 0.05), bearing])
    well = Bridge(1)
    for unix, months, days in ((since - 1, 0.0, 0.0), (since + MONTH_S, 1.0, MONTH_S / DAY_S)):
        drop = [a / b for a, b in zip(ill.frequencies(unix), well.frequencies(unix), strict=True)]
        assert drop == pytest.approx([1, 0.99 if months else 1, 1, 1])
        wider = ill.truth("crack.width_1", unix) - well.truth("crack.width_1", unix)
        assert wider == pytest.approx(0.05 * months, abs=1e-9)
        assert ill.truth("crack.width_2", unix) == well.truth("crack.width_2", unix)
        names = [f"deck.{place}.tilt_x" for place in ("west", "midspan", "east")]
        leans = [ill.resting(name, unix) - well.resting(name, unix) for name in names]
        lean = (0.02 + 0.001 * days) if months else 0
        assert leans == pytest.approx([lean, lean / 2, 0], abs=1e-9)


@pytest.mark.no_cover
def test_a_lower_mode_vibrates_lower() -> None:
    bridge = Bridge(5, traffic=0, defects=[FrequencyDrop(MONDAY, 1, -0.1)])
    x = record(bridge, MONDAY + 60, 60, 32)[:, 2]
    spectrum = np.abs(np.fft.rfft((x - x.mean()) * np.hanning(len(x))))
    low = spectrum[: int(60 * 3.2)]  # below 3.2 Hz
    assert np.argmax(low) / 60 == pytest.approx(bridge.frequencies(MONDAY + 90)[0], abs=0.06)
    assert bridge.frequencies(MONDAY + 90)[0] < 2.4


# ---- truth as files -----------------------------------------------------------------------------


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_truth_is_exported(tmp_path: Path, bridge: Bridge) -> None:
    path = tmp_path / "truth.csv"
    write_channels(path, bridge, MONDAY, MONDAY + 3600, 600)
    rows = read(path)
    assert len(rows) == 6
    assert float(rows[3]["unix"]) == MONDAY + 1800
    assert float(rows[3]["crack.width_1"]) == pytest.approx(
        bridge.truth("crack.width_1", MONDAY + 1800), rel=1e-5
    )
    assert float(rows[3]["mode_4_hz"]) == pytest.approx(bridge.frequencies(MONDAY + 1800)[3], 1e-5)
    write_vehicles(path, bridge, MONDAY, MONDAY + 600)
    vehicles = bridge.vehicles(MONDAY, MONDAY + 600)
    rows = read(path)
    assert [float(one["weight_t"]) for one in rows] == pytest.approx(
        [one.weight_t for one in vehicles], rel=1e-5
    )
    write_channels(path, bridge, MONDAY, MONDAY + 1, 0.25, ["deck.midspan.z"])
    assert len(path.read_text().splitlines()) == 5
