"""A profile with the simulated bridge: what it orders is built and arrives through drivers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agent.clock import VirtualClock
from agent.config import parse
from agent.config.source import ConfigError
from agent.measure.driver_registry import find
from agent.simulate import SimBuses, check_feeds, make_world
from drivers.api import Samples
from drivers.bus.i2c import I2C
from drivers.sim.bridge import Bridge
from drivers.sim.defects import BearingTilt, CrackDrift, FrequencyDrop
from drivers.sim.fifo import G

MONDAY = 1_768_200_600.0  # 2026-01-12 07:50 in Germany

PROFILE = """
node = { name = "bridge" }
[[instrument]]
name = "acc1"
driver = "adxl355"
bus = "i2c-1"
[[instrument]]
name = "acc2"
driver = "iis2iclx"
bus = "i2c-1"
[[instrument]]
name = "crack"
driver = "ads1115"
bus = "i2c-1"
[[instrument]]
name = "gauge"
driver = "ads122c04"
bus = "i2c-1"
[[table]]
name = "deck"
interval_s = 60
columns = [{ name = "crack", from = "crack.crack_width" }]
[simulate]
world = "bridge"
seed = 3
rate_error = { acc2 = 0.004 }
[simulate.feeds]
"acc1.motion" = "deck.quarter"
"acc2.motion" = "deck.west"
"crack.crack_width" = "crack.width_1"
"gauge.strain" = "deck.midspan.strain_1"
"""


def simulated(tmp_path: Path, text: str = PROFILE) -> tuple[SimBuses, VirtualClock]:
    config, source = parse(tmp_path / "node.toml", text)
    world, clock = make_world(config, source), VirtualClock(MONDAY)
    check_feeds(config, source, world)
    given = config.simulate
    buses = SimBuses(clock, clock.true_utc, world, given.feeds, None, given.rate_error)
    for one in config.instrument:
        buses.bus(one, find(one.driver))
    return buses, clock


def test_twins_with_a_fifo_move_with_the_bridge(tmp_path: Path) -> None:
    buses, _ = simulated(tmp_path)
    one, two = buses.twins["acc1"], buses.twins["acc2"]
    assert one.noise
    assert two.rate_error == 0.004
    assert 0 < abs(one.rate_error) <= 0.01
    again, _ = simulated(tmp_path)
    assert again.twins["acc1"].rate_error == one.rate_error
    assert one.motion(5.0) == pytest.approx(Bridge(3).motion("deck.quarter")(MONDAY + 5.0))
    assert "motion" not in one.truth


def test_slow_twins_feel_the_bridge_and_their_own_noise(tmp_path: Path) -> None:
    buses, _ = simulated(tmp_path)
    for name, quantity, channel, rms in (
        ("crack", "crack_width", "crack.width_1", 0.003),
        ("gauge", "strain", "deck.midspan.strain_1", 0.06),
    ):
        truth = Bridge(3).truth(channel, MONDAY)
        found = np.array([buses.twins[name].truth[quantity] for _ in range(400)]) - truth
        assert found.std() == pytest.approx(rms, rel=0.15)
        assert abs(found.mean()) < 0.2 * rms


def test_noise_and_rate_of_the_chip_arrive_through_its_driver(tmp_path: Path) -> None:
    buses, clock = simulated(tmp_path)
    driver = find("adxl355").make(I2C(buses.buses["i2c-1"], clock), {})
    driver.setup()
    drain, samples = driver.drain, list[Sequence[float]]()  # type: ignore[attr-defined]
    clock.sleep(0.1)
    assert drain().gap
    begin = clock.monotonic()
    for _ in range(80):
        clock.sleep(0.1)
        drained: Samples = drain()
        assert not drained.gap
        samples.extend(drained.samples)
    twin = buses.twins["acc1"]
    seconds = clock.monotonic() - begin
    assert len(samples) == pytest.approx(125 * (1 + twin.rate_error) * seconds, abs=1.1)
    times = [twin.since + (twin.made - n) / twin.rate_hz for n in range(len(samples))][::-1]
    noise = np.array(samples) - [twin.motion(unix) for unix in times]
    density = 22.5e-6 * G * math.sqrt(125 / 2)
    assert noise.std(axis=0) == pytest.approx([density] * 3, rel=0.12)
    assert abs(noise.mean(axis=0)).max() < 4 * density / math.sqrt(len(samples))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"deck.west"', '"deck.wst"', "acc2.motion: world 'bridge' has no place 'deck.wst'"),
        ('"crack.width_1"', '"crack.width_9"', "has no channel 'crack.width_9'"),
        ('"acc2.motion"', '"gauge.motion"', "instrument 'gauge' is no accelerometer with a FIFO"),
        ("acc2 = 0.004", "acc9 = 0.004", "rate_error.acc9: no instrument 'acc9'"),
        ("acc2 = 0.004", "acc2 = 0.4", "rate_error"),
    ],
)
def test_a_wrong_feed_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert PROFILE.count(old) == 1
    with pytest.raises(ConfigError, match=expected):
        simulated(tmp_path, PROFILE.replace(old, new))


def test_a_profile_orders_defects_modes_and_loads(tmp_path: Path) -> None:
    orders = """seed = 3
modes = [{ frequency_hz = 3.0, damping = 0.02 }, { frequency_hz = 5.0 }]
defects = [
  { what = "frequency", mode = 2, share = -0.01, from = "2026-02-01" },
  { what = "crack", mm_per_month = 0.05, from = "2026-02-01T12:00+01:00" },
  { what = "bearing", deg = 0.02, from = "2026-02-01" },
]
loads = [{ weight_t = 48, at = "2026-01-12T07:00", duration_s = 120 }]"""
    world = simulated(tmp_path, PROFILE.replace("seed = 3", orders))[0].world
    assert isinstance(world, Bridge)
    february = 1_769_904_000.0
    assert world.defects == (
        FrequencyDrop(february, 2, -0.01),
        CrackDrift(february + 11 * 3600, 1, 0.05),
        BearingTilt(february, "x", 0.02),
    )
    assert [(one.frequency_hz, one.damping) for one in world.modes] == [(3.0, 0.02), (5.0, 0.01)]
    assert world.traffic.loads[0].stands == pytest.approx(MONDAY + 600)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('defects = [{ what = "frequency", mode = 5, share = -0.01, from = "2026-02-01" }]',
         r"node.toml:25: simulate.defects\[0\].mode: the bridge has modes 1 to 4"),
        ('defects = [{ what = "crack", crack = 3, mm_per_month = 1, from = "2026-02-01" }]',
         r"defects\[0\].crack: the bridge has cracks 1 to 2"),
        ('defects = [{ what = "bearing", from = "2026-02-01" }]', r"defects\[0\].deg: is missing"),
        ('defects = [{ what = "bearing", deg = 1, from = "soon" }]', "date .* got 'soon'"),
        ('defects = [{ what = "berring", deg = 1, from = "2026-02-01" }]', "one of bearing"),
        ('defects = [{ what = "crack", mm_per_mont = 1, from = "2026-02-01" }]',
         "did you mean 'mm_per_month'"),
        ('defects = [{ what = "crack", mm_per_month = 1 }]', "from: is missing"),
        ("modes = [{ frequency_hz = 90 }]", "frequency_hz"),
        ('loads = [{ weight_t = 48, at = "noon" }]', r"loads\[0\].at: expected a date"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_order_is_named(tmp_path: Path, line: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        simulated(tmp_path, PROFILE.replace("seed = 3", line))


def test_only_a_bridge_has_defects(tmp_path: Path) -> None:
    text = PROFILE.replace('world = "bridge"', 'world = "school_day"')
    wrong = text.replace("seed = 3", 'loads = [{ weight_t = 48, at = "2026-01-12" }]')
    with pytest.raises(ConfigError, match=r"simulate\.loads: only with world"):
        simulated(tmp_path, wrong)
