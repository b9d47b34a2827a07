"""What may come down a link: bounds, pace, repeats, and a changed interval on trial."""

import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from agent import codec
from agent.clock import VirtualClock
from agent.codec import decoder
from agent.config.source import ConfigError
from agent.measure.health import Health, HealthSource
from agent.status import useless_downlinks
from agent.store.database import Statement
from agent.transport.links import LinkError
from agent.transport.pace import Pace, Seldom
from agent.transport.uplink import MOST_DOWNLINKS
from tests.conftest import MONDAY
from tests.rig import PROFILE, Rig, make_rig

DAY_S = 86_400
RADIO = """kind = "lorawan"
modem = "rak3172"
dev_eui = "0000000000000001"
join_eui = "0000000000000002"
app_key_file = "/etc/stadtsinn/app.key"
"""
SLOT = int(MONDAY) // 60


def profile(**commands: object) -> str:
    """The rig's, with these bounds."""
    keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in commands.items())
    return f"{PROFILE}\n[commands]\n{keys}"


@pytest.fixture
def rig(tmp_path: Path, clock: VirtualClock) -> Iterator[Rig]:
    one = make_rig(tmp_path, clock)
    one.run(61)
    yield one
    one.node.close()


def bounded(folder: Path, clock: VirtualClock, **commands: object) -> Rig:
    one = make_rig(folder, clock, profile(**commands))
    one.run(61)
    return one


def put(rig: Rig, *downlinks: Sequence[int | None]) -> None:
    """These have come."""
    rig.link.inbox += [codec.encode_downlink(*one) for one in downlinks]  # type: ignore[arg-type]
    rig.node.uplinks[0].wake.set()


def ask(rig: Rig, *downlink: int | None, seconds: float = 2) -> list[tuple[int, int]]:
    """Send one downlink; (token, result) of the acks that come."""
    before = len(rig.link.far.others)
    put(rig, downlink)
    rig.run(seconds)
    return acks(rig)[len([one for one in rig.link.far.others[:before] if is_ack(one)]) :]


def is_ack(one: object) -> bool:
    return isinstance(one, decoder.Ack)


def acks(rig: Rig) -> list[tuple[int, int]]:
    return [(one.token, one.result) for one in rig.link.far.others if isinstance(one, decoder.Ack)]


def interval(rig: Rig) -> int:
    return rig.node.samplers[0].layout.interval_s


def counted(rig: Rig) -> dict[str, int]:
    found: dict[str, int] = rig.node.snapshot()["links"]["city"]["downlinks"]
    return found


# -- bounds ---------------------------------------------------------------------------------------


def test_a_school_is_asked_and_not_changed(tmp_path: Path, clock: VirtualClock) -> None:
    rig = bounded(tmp_path, clock, allow=[3, 4, 5])
    results = [
        ask(rig, *one)[0][1]
        for one in (
            (1, 1, 1, 5, 1), (2, 2, 1, 3, 1, 5), (7, 3), (8, 4, 1),
            (3, 5, 1), (4, 6, 1, 1, SLOT + 1, 1), (5, 7),
        )
    ]  # fmt: skip
    assert results == [3, 3, 3, 3, 0, 0, 0]
    assert interval(rig) == 60
    assert not rig.node.stopping.is_set()
    rig.node.close()


def test_a_list_of_commands_that_is_empty_allows_none(tmp_path: Path, clock: VirtualClock) -> None:
    rig = bounded(tmp_path, clock, allow=[])
    assert ask(rig, 5, 7) == [(7, 3)]
    assert ask(rig, 99, 8) == [(8, 1)]
    rig.node.close()


@pytest.mark.parametrize(
    ("item", "rows", "result"),
    [(1, 1, 0), (60, 1, 0), (-59, 1, 2), (61, 1, 2), (-1, 1, 2), (1, 30, 0), (1, 31, 2)],
)
def test_intervals_and_rows_per_frame_stay_within_the_profiles_bounds(
    tmp_path: Path, clock: VirtualClock, item: int, rows: int, result: int
) -> None:
    rig = bounded(tmp_path, clock, interval_s=[60, 3600], rows_per_frame=30)
    assert ask(rig, 1, 1, 1, item, rows) == [(1, result)]
    rig.node.close()


def test_only_so_many_rows_a_day_are_sent_again_after_a_restart_too(
    tmp_path: Path, clock: VirtualClock
) -> None:
    rig = bounded(tmp_path, clock, resend_rows_per_day=10)
    rig.run(600)
    assert ask(rig, 4, 1, 1, 1, SLOT + 1, 6) == [(1, 0)]
    assert ask(rig, 4, 1, 1, 1, SLOT + 1, 6) == [(1, 0)]  # a repeat counts no second time
    assert ask(rig, 4, 2, 1, 1, SLOT + 1, 5) == [(2, 3)]
    rig.node.close()
    rig = bounded(tmp_path, clock, resend_rows_per_day=10)
    assert ask(rig, 4, 3, 1, 1, SLOT + 1, 5) == [(3, 3)]
    assert ask(rig, 4, 4, 1, 1, SLOT + 1, 4) == [(4, 0)]
    clock.jump_s = DAY_S
    assert ask(rig, 4, 5, 1, 1, SLOT + 1, 10) == [(5, 0)]
    rig.node.close()


def test_what_a_downlink_may_not_set_any_more_stands_as_the_profile_says(
    tmp_path: Path, clock: VirtualClock
) -> None:
    rig = bounded(tmp_path, clock)
    assert ask(rig, 1, 1, 1, -5, 1) == [(1, 0)]
    rig.node.close()
    for commands, stands in (({}, 5), ({"interval_s": [30, 60]}, 60), ({"allow": [5]}, 60)):
        again = make_rig(tmp_path, clock, profile(**commands))
        assert interval(again) == stands
        again.node.close()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("interval_s = [3600, 60]", r"commands.interval_s: expected the shorter interval first"),
        ("interval_s = [0, 60]", r"commands.interval_s: expected 1..3600"),
        ("interval_s = [60, 3601]", r"commands.interval_s: expected 1..3600"),
        ("interval_s = [60]", r"commands.interval_s: "),
        ("allow = [3, 6]", r"commands.allow: expected any of 1, 2, 3, 4, 5, 7, 8, got 6"),
        ("rows_per_frame = 1001", r"commands.rows_per_frame"),
        ("per_hour = 0", r"commands.per_hour"),
        ("resend_rows_per_day = -1", r"commands.resend_rows_per_day"),
    ],
)
def test_bounds_that_cannot_be_are_refused_with_their_line(
    tmp_path: Path, clock: VirtualClock, line: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=f"node.toml:20: {words}"):
        make_rig(tmp_path, clock, f"{PROFILE}[commands]\n{line}\n")


# -- repeats --------------------------------------------------------------------------------------


def test_a_repeat_is_known_after_six_days_and_two_hundred_others(
    tmp_path: Path, clock: VirtualClock
) -> None:
    rig = bounded(tmp_path, clock, per_hour=3600)
    assert ask(rig, 4, 7, 1, 1, SLOT + 1, 1) == [(7, 0)]
    put(rig, *((5, token) for token in range(200)))
    rig.run(300)
    assert counted(rig)["done"] == 201
    clock.sleep(6 * DAY_S)
    before = rig.link.far.repeats
    assert (7, 0) in ask(rig, 4, 7, 1, 1, SLOT + 1, 1, seconds=120)
    assert rig.link.far.repeats == before
    assert counted(rig)["repeated"] == 1
    rig.node.close()


def test_a_restart_by_downlink_that_comes_again_ends_the_node_once(
    tmp_path: Path, clock: VirtualClock
) -> None:
    for restarts in (True, False):
        rig = make_rig(tmp_path, clock)
        assert ask(rig, 7, 9) == [(9, 0)]
        assert rig.node.stopping.is_set() == restarts
        rig.node.close()


# -- a flood --------------------------------------------------------------------------------------


def test_a_row_goes_before_the_downlinks_that_came_before_it(rig: Rig) -> None:
    put(rig, *((99, token) for token in range(1000)))
    rig.clock.advance_to(120)
    rig.node.samplers[0].step()
    rig.node.uplinks[0].step()
    data = [one for one in rig.link.frames if one[1] == 1]
    assert len(data) == 2
    assert counted(rig)["refused"] == MOST_DOWNLINKS


FLOODS = {
    "malformed": [b"\x82\x05"],
    "unknown": [codec.encode_downlink(99, token) for token in range(5000)],
    "forbidden": [codec.encode_downlink(8, token, 1) for token in range(5000)],
    "out of bounds": [codec.encode_downlink(1, token, 1, -1, 1) for token in range(5000)],
    "repeated": [codec.encode_downlink(5, 7)],
    "hello": [codec.encode_downlink(5, 10_000 + token) for token in range(5000)],
    "all rows": [codec.encode_downlink(4, token, 1, 1, SLOT, 2**24) for token in range(5000)],
    "some rows": [codec.encode_downlink(4, token, 1, 1, SLOT, 40) for token in range(5000)],
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_costs_an_answer_a_second_and_a_line_a_minute(
    tmp_path: Path, clock: VirtualClock, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    rig = bounded(tmp_path, clock, allow=[1, 3, 4, 5], interval_s=[60, 3600])
    put(rig, [5, 7])
    rig.run(2)
    writes = spied(rig)
    before, frames, began = len(acks(rig)), len(rig.link.frames), clock.monotonic()
    flood = (FLOODS[kind] * 5000)[:5000]
    with caplog.at_level(logging.INFO):
        for second in range(10):
            rig.link.inbox += flood[500 * second : 500 * (second + 1)]
            rig.node.uplinks[0].wake.set()
            rig.run(1)
    most = clock.monotonic() - began + 1
    assert len(acks(rig)) - before <= most
    assert len([one for one in writes if "INSERT INTO message" in one]) <= most
    assert len(rig.link.frames) - frames <= 2 * most + 3
    assert len(caplog.messages) <= most + 3
    if kind not in ("hello", "some rows"):
        assert sum(counted(rig).values()) == 5001
    rig.node.close()


def spied(rig: Rig) -> list[str]:
    """The statements of each transaction from now on."""
    writes: list[str] = []
    file = rig.node.store._file
    write = file.write

    def spy(statements: Sequence[Statement]) -> None:
        writes.append(";".join(sql for sql, _ in statements))
        write(statements)

    file.write = spy  # type: ignore[method-assign]
    return writes


def test_what_has_an_effect_waits_for_its_turn_and_comes_in_order(rig: Rig) -> None:
    put(rig, *((5, token) for token in range(30)))
    rig.run(10)
    assert [token for token, _ in acks(rig)] == list(range(11))
    rig.run(10)
    assert len(acks(rig)) == 20  # these at once, then 120 an hour
    rig.run(61)
    assert len(acks(rig)) == 22
    rig.run(300)
    assert [token for token, _ in acks(rig)] == list(range(30))


def test_a_downlink_is_taken_while_the_link_takes_no_row(rig: Rig) -> None:
    rig.link.error = LinkError("quota", refused=True)
    rig.run(120)
    put(rig, (1, 1, 1, 2, 1))
    rig.run(2)
    assert rig.node.snapshot()["links"]["city"]["state"] == "refused"
    assert interval(rig) == 120


def test_health_and_status_count_what_had_no_effect(rig: Rig) -> None:
    put(rig, (99, 1), (5, 2), (5, 2))
    rig.link.inbox.append(b"\x00")
    rig.run(2)
    assert counted(rig) == {"done": 1, "refused": 1, "repeated": 1, "malformed": 1, "ignored": 0}
    source = HealthSource(rig.clock)
    source.useless_downlinks = partial(useless_downlinks, rig.node)
    assert Health(source).read()["useless_downlinks"] == 3


def test_a_line_says_how_many_there_were_before_it(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        put(rig, *((99, token) for token in range(50)))
        rig.run(61)
        put(rig, (99, 50))
        rig.run(1)
    lines = [one for one in caplog.messages if "downlink=ignored" in one]
    assert lines == [
        "link=city downlink=ignored reason='99 refused, token 0, result 1' before=0",
        "link=city downlink=ignored reason='99 refused, token 50, result 1' before=49",
    ]


def test_a_pace_is_some_at_once_a_second_apart_and_then_by_the_hour(clock: VirtualClock) -> None:
    pace, gone = Pace(60, clock.monotonic), list[float]()
    while len(gone) < 25:
        clock.sleep(pace.wait_s())
        gone.append(clock.monotonic())
        pace.took()
    assert gone[:20] == [float(n) for n in range(20)]
    assert gone[20] == pytest.approx(60, abs=1)  # what came in while those went is a third
    assert gone[24] - gone[23] == pytest.approx(60)


def test_one_of_many_passes_and_the_others_are_counted(clock: VirtualClock) -> None:
    seldom = Seldom(60, clock.monotonic)
    assert [seldom.passes() for _ in range(4)] == [True, False, False, False]
    clock.sleep(60)
    assert seldom.passes()
    assert (seldom.take_held(), seldom.take_held()) == (3, 0)


# -- a changed interval is on trial ---------------------------------------------------------------


def changed(rig: Rig, item: int, rows: int = 1) -> None:
    """The interval is changed and from the same moment on nothing is acknowledged."""
    put(rig, (1, 1, 1, item, rows))
    rig.link.error = LinkError("down", 5)
    rig.run(1)


@pytest.mark.parametrize(("item", "patience_s"), [(2, 900), (5, 900), (30, 5400)])
def test_an_interval_is_taken_back_if_nothing_is_acknowledged_within_three_of_it(
    rig: Rig, item: int, patience_s: int
) -> None:
    changed(rig, item)
    rig.run(patience_s - 5)
    assert interval(rig) == 60 * item
    rig.run(10)
    assert interval(rig) == 60
    rig.link.error = None
    rig.run(7200)
    assert interval(rig) == 60
    assert acks(rig) == [(1, 0)]


def test_a_link_that_waits_longer_looks_when_the_trial_is_over(rig: Rig) -> None:
    rig.link.error = LinkError("quota", 5000, refused=True)
    put(rig, (1, 1, 1, 2, 1))
    rig.run(1)
    rig.clock.sleep(850)
    assert rig.node.uplinks[0].step() <= 50


def test_where_silence_is_usual_a_trial_takes_as_long_as_ten_frames(
    tmp_path: Path, clock: VirtualClock
) -> None:
    radio = PROFILE.replace('kind = "file"\npath = "frames"', RADIO)
    rig = make_rig(tmp_path, clock, radio)
    rig.run(61)
    changed(rig, 5, rows=3)
    rig.run(10 * 3 * 300 - 10)
    assert interval(rig) == 300
    rig.run(20)
    assert interval(rig) == 60
    rig.node.close()


def test_an_interval_that_is_acknowledged_once_stands_through_every_outage(rig: Rig) -> None:
    assert ask(rig, 1, 1, 1, 2, 1) == [(1, 0)]
    rig.link.error = LinkError("down", 5)
    rig.run(7200)
    assert interval(rig) == 120


@pytest.mark.parametrize(("asleep_s", "left_s"), [(0, 895), (800, 100), (3600, 0)])
def test_a_trial_goes_on_after_a_reboot(tmp_path: Path, asleep_s: float, left_s: float) -> None:
    first = make_rig(tmp_path, VirtualClock(MONDAY))
    first.run(61)
    changed(first, 2)
    first.node.store._file.close()  # the power is cut
    again = make_rig(tmp_path, VirtualClock(MONDAY + 62 + asleep_s))
    again.link.error = LinkError("down", 5)
    assert interval(again) == 120
    again.run(max(left_s - 10, 0))
    assert interval(again) == (120 if left_s else 60)
    again.run(20)
    assert interval(again) == 60
    again.node.close()


def test_a_trial_ends_after_a_reboot_without_a_clock_too(tmp_path: Path) -> None:
    first = make_rig(tmp_path, VirtualClock(MONDAY))
    first.run(61)
    changed(first, 2)
    first.node.store._file.close()
    again = make_rig(tmp_path, VirtualClock(MONDAY - 20 * 365 * DAY_S, trust=""))
    again.link.error = LinkError("down", 5)
    again.run(895)
    assert interval(again) == 120
    again.run(10)
    assert interval(again) == 60
    again.node.close()


def test_of_two_changes_that_nobody_acknowledged_the_first_is_taken_back(rig: Rig) -> None:
    changed(rig, 2)
    put(rig, (1, 2, 1, 5, 4))
    rig.run(600)
    assert interval(rig) == 300
    rig.run(400)
    assert interval(rig) == 60
    assert rig.node.store._state.outboxes["city"].policy.fill_s == 0


def test_a_value_that_was_edited_meanwhile_is_not_taken_back(
    tmp_path: Path, clock: VirtualClock
) -> None:
    rig = bounded(tmp_path, clock)
    changed(rig, 2)
    rig.node.close()
    edited = PROFILE.replace("interval_s = 60", "interval_s = 180")
    again = make_rig(tmp_path, clock, edited)
    again.link.error = LinkError("down", 5)
    again.run(3600)
    assert interval(again) == 180
    again.node.close()


def test_deadline_and_change_are_in_the_store_before_the_switch(tmp_path: Path, rig: Rig) -> None:
    seen: list[set[str]] = []
    sampler = rig.node.samplers[0]
    change = sampler.change

    def spy(layout: object) -> None:
        with closing(sqlite3.connect(tmp_path / "store.db")) as base:
            seen.append({key for (key,) in base.execute("SELECT key FROM setting")})
        change(layout)  # type: ignore[arg-type]

    sampler.change = spy  # type: ignore[method-assign]
    changed(rig, 2)
    assert [{"on-trial/city", "interval/air", "fill/city"} <= one for one in seen] == [True]
