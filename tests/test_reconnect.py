"""How often a broker is asked: over a thousand nodes, in simulated time."""

import random
from statistics import mean

import pytest

from agent.transport.links.reconnect import BackOff

TEN_MINUTES = 600.0


def connects(seed: int, *, reached: bool, patient_s: float = 60.0, since: float = 0.0) -> int:
    """How often one node asks in the ten minutes after a connection has ended."""
    now, count = since, 0
    back_off = BackOff(patient_s, 300.0, 0.0, random.Random(seed).uniform)
    back_off.carried(now)
    while now < since + TEN_MINUTES:
        count += 1
        now += back_off.pause_s(now, reached=reached)
    return count


@pytest.mark.parametrize(
    ("reached", "most_mean", "most"), [(False, 72, 80), (True, 13, 20)], ids=["away", "hangs up"]
)
def test_a_thousand_nodes_ask_a_broker_no_oftener_than_promised(
    reached: bool, most_mean: float, most: int
) -> None:
    counts = [connects(seed, reached=reached, since=1e6) for seed in range(1000)]
    assert mean(counts) <= most_mean
    assert max(counts) <= most
    assert min(counts) >= (60 if not reached else 3)


def test_a_city_sets_the_first_minute_to_zero_and_its_nodes_come_back_spread() -> None:
    counts = [connects(seed, reached=False, patient_s=0.0) for seed in range(1000)]
    assert mean(counts) <= 13
    back_off = [BackOff(0.0, 300.0, 0.0, random.Random(seed).uniform) for seed in range(1000)]
    first = sorted(one.pause_s(0.0, reached=False) for one in back_off)
    assert first[100] < 0.2
    assert first[900] > 0.8


def test_to_be_connected_resets_nothing_and_an_acknowledged_publish_does() -> None:
    back_off = BackOff(60.0, 300.0, 0.0, lambda low, high: high)
    assert [back_off.pause_s(0, reached=True) for _ in range(10)] == [
        1, 2, 4, 8, 16, 32, 64, 128, 256, 300,
    ]  # fmt: skip
    back_off.carried(5000.0)
    assert back_off.pause_s(5000.0, reached=True) == 1
    assert back_off.pause_s(5059.0, reached=False) == 1
    assert back_off.pause_s(5061.0, reached=False) == 2


def test_no_number_of_tries_is_too_many() -> None:
    back_off = BackOff(0.0, 300.0, 0.0, lambda low, high: high, tries=10**6)
    assert back_off.pause_s(0, reached=True) == 300
