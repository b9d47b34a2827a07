"""The trigger against obspy and scipy; events and passages against what was put in."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.signal import butter, lfilter

from agent.features.event import class_limits, heaviest, heaviness
from agent.features.filter import bandpass, resting, run
from agent.features.passage import State as PassageState
from agent.features.passage import interrupted as passage_interrupted
from agent.features.passage import passages
from agent.features.sta_lta import Edge, Settings, State, interrupted, ratios
from tests.features_kit import Array

with warnings.catch_warnings():  # obspy reads entry points the old way
    warnings.simplefilter("ignore", DeprecationWarning)
    from obspy.signal.trigger import recursive_sta_lta, recursive_sta_lta_py

RATE = 125.0
SETTINGS = Settings(short=62, long=2500, floor=5e-3)


def quiet(seed: int, samples: int = 20_000) -> Array:
    return np.random.default_rng(seed).normal(scale=1e-3, size=samples)


@pytest.mark.parametrize("reference", [recursive_sta_lta, recursive_sta_lta_py])
def test_unfrozen_ratio_equals_obspy(reference: Callable[[Array, int, int], Array]) -> None:
    x = quiet(1)
    x[8000:9000] *= 20
    x[0] = 0.0  # obspy leaves the first sample out
    found, _, _ = ratios(x.tolist(), Settings(62, 2500, freeze=False))
    wanted = reference(x, 62, 2500)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_blocks_give_what_the_whole_gives() -> None:
    x = quiet(2)
    x[8000:9000] *= 20
    whole, edges, last = ratios(x.tolist(), SETTINGS)
    pieces: list[float] = []
    found: list[Edge] = []
    state = State()
    for start in range(0, len(x), 63):
        part, more, state = ratios(x[start : start + 63].tolist(), SETTINGS, state)
        pieces += part
        found += more
    assert (pieces, found, state) == (whole, edges, last)


def test_an_event_begins_and_ends_once() -> None:
    x = quiet(3)
    x[8000:9000] *= 20
    _, edges, state = ratios(x.tolist(), SETTINGS)
    assert [edge.on for edge in edges] == [True, False]
    assert 8000 <= edges[0].sample < 8050
    assert 9000 <= edges[1].sample < 9500
    assert state.since is None


def test_frozen_average_does_not_swallow_a_long_event() -> None:
    x = quiet(4)
    x[5000:15_000] *= 20
    _, frozen, _ = ratios(x.tolist(), SETTINGS)
    _, thawed, _ = ratios(x.tolist(), Settings(62, 2500, floor=5e-3, freeze=False))
    assert frozen[1].sample >= 15_000
    assert thawed[1].sample < 12_000


def test_a_quiet_night_triggers_on_nothing() -> None:
    x = quiet(5) * 1e-3
    x[8000:9000] *= 20
    assert ratios(x.tolist(), SETTINGS)[1] == []
    assert ratios([0.0] * 5000, SETTINGS)[1] == []


def test_nothing_triggers_before_the_long_average_is_full() -> None:
    x = quiet(6, 2500)
    x[500:800] *= 50
    assert ratios(x.tolist(), SETTINGS)[1] == []


def test_a_lasting_change_ends_after_the_longest_and_becomes_normal() -> None:
    x = quiet(7, 60_000)
    x[5000:] *= 20
    _, edges, _ = ratios(x.tolist(), Settings(62, 2500, floor=5e-3, longest=15_000))
    assert edges[0].on
    assert edges[1].sample - edges[0].sample == 15_000
    assert len(edges) == 2


@pytest.mark.parametrize("rate_hz", [104.0, 125.0])
def test_filter_equals_scipy_in_blocks(rate_hz: float) -> None:
    x = quiet(8, 3000) + 1.0
    sections = bandpass(rate_hz, 0.5, 30.0)
    found: list[float] = []
    memory: Sequence[tuple[float, float]] = ()
    for start in range(0, 3000, 100):
        part, memory = run(x[start : start + 100].tolist(), sections, memory)
        found += part
    wanted = x
    for kind, corner in (("high", 0.5), ("low", 30.0)):
        wanted = lfilter(*butter(2, corner, kind, fs=rate_hz), wanted)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_a_filter_that_rests_on_gravity_says_nothing() -> None:
    sections = bandpass(RATE, 0.5, 30.0)
    found, _ = run([9.81] * 500, sections, resting(sections, 9.81))
    np.testing.assert_allclose(found, 0, atol=1e-9)
    low = [sections[1]]
    found, _ = run([9.81] * 50, low, resting(low, 9.81))
    np.testing.assert_allclose(found, 9.81, atol=1e-9)


def test_nothing_begins_until_armed_and_the_noise_level_stands_still() -> None:
    x = quiet(9)
    x[8000:8500] *= 20
    x[9500:9800] *= 20
    settings = Settings(62, 2500, floor=5e-3, rearm=2000)
    _, edges, state = ratios(x.tolist(), settings)
    assert [edge.on for edge in edges] == [True, False]
    assert state.armed == edges[1].sample + 2000
    _, twice, _ = ratios(x.tolist(), SETTINGS)
    assert len(twice) == 4


def test_an_event_that_sinks_far_below_the_floor_ends_though_the_deck_was_silent() -> None:
    x = quiet(10) * 1e-3
    x[8000:9000] = 0.2
    _, edges, _ = ratios(x.tolist(), Settings(62, 2500, floor=0.02))
    wanted = 62 * np.log(0.2**2 / (0.02**2 * 1.5 / 4))
    assert edges[1].sample - 9000 == pytest.approx(wanted, abs=5)


def test_a_gap_ends_an_event_and_keeps_the_noise_level() -> None:
    x = quiet(11, 8200)
    x[8000:] *= 20
    _, _, state = ratios(x.tolist(), SETTINGS)
    after = interrupted(SETTINGS, state)
    assert (after.since, after.sta, after.lta, after.seen) == (None, 0.0, state.lta, 8200)
    assert ratios(quiet(12, 1000).tolist(), SETTINGS, after)[1] == []
    assert interrupted(SETTINGS, after) == after


def test_classes_follow_the_known_vehicle() -> None:
    assert class_limits(96.0, 48.0, [24.0, 12.0]) == [24.0, 48.0]
    assert [heaviness(one, [12.0, 24.0]) for one in (11.0, -12.0, 30.0)] == [0, 1, 2]


def test_the_three_heaviest_come_first() -> None:
    assert heaviest([1.0, 9.0, 4.0, 7.0]) == [9.0, 7.0, 4.0]
    assert heaviest([]) == []


def strain(*vehicles: tuple[int, int, float], blocks: int = 400) -> np.ndarray:
    """Half seconds of strain in um/m: slow drift, and vehicles (begin, length, peak)."""
    x = 100 + 0.002 * np.arange(blocks) + np.random.default_rng(0).normal(scale=0.2, size=blocks)
    for begin, length, peak in vehicles:
        x[begin : begin + length] += peak * np.sin(np.pi * (np.arange(length) + 0.5) / length)
    return x


def test_each_vehicle_is_one_passage() -> None:
    x = strain((100, 6, 20.0), (200, 10, 50.0), (300, 8, -9.0))
    found, state = passages(x.tolist(), 3.0, 1.5)
    assert [one.begin for one in found] == pytest.approx([100, 200, 300], abs=1)
    assert [one.peak for one in found] == pytest.approx([20, 50, -9], rel=0.1)
    assert [one.level_change for one in found] == [0, 0, 0]
    assert found[1].area == pytest.approx(50 * 10 * 2 / np.pi * 0.5, rel=0.05)
    assert state.running == ()


def test_passages_go_on_from_block_to_block() -> None:
    x = strain((100, 6, 20.0), (200, 10, 50.0))
    whole, last = passages(x.tolist(), 3.0, 1.5)
    first, state = passages(x[:203].tolist(), 3.0, 1.5)
    second, state = passages(x[203:].tolist(), 3.0, 1.5, state)
    assert (first + second, state) == (whole, last)


def test_a_vehicle_that_parks_is_told_as_a_level_change() -> None:
    x = strain(blocks=1000)
    x[200:600] += 30.0
    found, _ = passages(x.tolist(), 3.0, 1.5)
    assert found[0].blocks == 240
    assert found[0].level_change == pytest.approx(30, abs=1)
    assert found[1].begin == pytest.approx(600, abs=1)  # the bridge springs back
    assert found[1].level_change == pytest.approx(-30, abs=1)
    assert len(found) == 2


def test_a_gap_ends_a_passage_and_keeps_the_level() -> None:
    x = strain((100, 20, 20.0))
    _, state = passages(x[:110].tolist(), 3.0, 1.5)
    one, state = passage_interrupted(state, rearm=4)
    assert one is not None
    assert one.begin == pytest.approx(100, abs=2)
    assert one.blocks == pytest.approx(10, abs=2)
    assert (state.running, state.armed) == ((), state.seen + 4)
    assert passage_interrupted(state) == (None, state)
    found, state = passages(x[110:].tolist(), 3.0, 1.5, state, rearm=4)
    assert [passage.begin for passage in found] == [114]


def test_nothing_passes_before_there_is_a_baseline() -> None:
    assert passages([100.0, 150.0, 100.0], 3.0, 1.5)[0] == []
    assert passages([], 3.0, 1.5) == ([], PassageState())
