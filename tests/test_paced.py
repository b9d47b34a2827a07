"""The demo's clock waits for chips with a FIFO instead of letting them overrun."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.cli.demo import matches
from agent.clock import VirtualClock
from agent.demo import STREAM_SPEED, prepare, usual_speed
from agent.demo.paced import PacedClock, leash
from agent.resources import resource
from tests.window_kit import GAUGE, LINK, THREE_AXES, make_window_rig, table

FAST = 1e9  #: any time at all is later than any leash


@dataclass
class One:
    """What a stream tells the clock."""

    due_by: float | None = None
    answering: int | None = None


def test_time_stands_still_at_the_leash_and_goes_on_with_it() -> None:
    clock, one = PacedClock(0.0, FAST), One(5.0)
    clock.leash = leash([one, One(None), One(9.0)])
    assert [clock.monotonic(), clock.monotonic()] == [5.0, 5.0]
    assert clock.true_utc() == 5.0
    one.due_by = 7.5
    assert clock.monotonic() == 7.5
    one.due_by = 7.0  # never back
    assert clock.monotonic() == 7.5
    assert clock.pace() == FAST  # not known yet


def test_nobody_is_waited_for_longer_than_patience() -> None:
    clock = PacedClock(0.0, FAST)
    clock.patience_s = 0.0
    clock.leash = leash([One(5.0)])
    assert clock.monotonic() > 5.0


def test_who_sleeps_wakes_up_before_it_can_answer() -> None:
    limit = leash([One(3.0, answering=7), One(8.0)])
    assert limit({}) == 3.0
    assert limit({9: 4.0}) == 3.0
    assert limit({7: 4.0, 9: 3.5}) == 4.0
    assert limit({7: 20.0}) == 8.0


def test_a_sleep_is_as_long_as_it_was_wanted_however_fast_time_runs() -> None:
    clock = PacedClock(0.0, 1e6)
    clock.leash = lambda asleep: math.inf if asleep else 0.0  # time is for those who sleep
    clock.sleep(3.0)
    assert clock.monotonic() == pytest.approx(3.0, abs=0.0011)
    clock.sleep(2.0)
    assert clock.monotonic() == pytest.approx(5.0, abs=0.0021)


def test_a_demo_that_is_much_too_fast_loses_no_sample_and_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.demo.broker.installed", lambda: None)
    text = 'node = { name = "deck" }\n' + THREE_AXES % "" + GAUGE.replace("i2c-1", "i2c-2")
    text += table("deck", 2, "rms_x", "eps=eps.mean_strain") + table("own", 1, "mean_x")
    (tmp_path / "node.toml").write_text(text + LINK + 'carries = ["deck"]\n')
    demo = prepare(tmp_path / "node.toml", tmp_path, speed=60)
    demo.start()
    deadline = time.monotonic() + 60
    while demo.node.store.counts().rows < 6 and time.monotonic() < deadline:
        time.sleep(0.02)
    gaps = {name: one.ring.gaps for name, one in demo.node.streams.items()}
    assert demo.pace > 0
    demo.stop()  # in the middle of a window
    assert gaps == {"acc": 0, "eps": 0}
    assert {number for number, _ in demo.measured()} == {demo.node.samplers[0].layout.schema.number}
    assert len(demo.measured()) >= 2
    assert demo.measured() == demo.decoded()
    assert matches(demo, demo.missing())
    assert 0 < demo.far.row_size < demo.far.size  # hello and schema are no rows


def test_a_profile_with_streams_runs_slower_by_default() -> None:
    assert usual_speed(resource("nodes/bridge.toml")) == STREAM_SPEED
    assert usual_speed(resource("nodes/school.toml")) == 60


def test_a_stream_says_until_when_it_has_time(tmp_path: Path) -> None:
    text = THREE_AXES % "" + GAUGE + table("deck", 60, "rms_x", "eps=eps.mean_strain")
    rig = make_window_rig(tmp_path, text)
    assert isinstance(rig.clock, VirtualClock)
    acc, eps = rig.node.streams["acc"], rig.node.streams["eps"]
    assert (acc.due_by, eps.due_by) == (None, None)
    rig.run(3)
    now = rig.clock.monotonic()
    assert now < acc.due_by < now + 32 / 125  # type: ignore[operator]
    assert now < eps.due_by < now + 1.5 / 4  # type: ignore[operator]
    rig.buses.faults["acc"].unplugged = True
    rig.run(1)
    assert acc.due_by is None
    rig.node.close()
