"""Sampler, uplink, housekeeping and commands together, in virtual time."""

import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from agent import codec
from agent.clock import BUILT, VirtualClock
from agent.codec import bytes_to_cells, decoder
from agent.model.batch import Batch
from agent.model.schema import Missing, registered_schemas
from agent.transport.links import LinkError
from agent.transport.links.encoder import Meanwhile, nothing
from agent.transport.links.inbox import LONGEST_DOWNLINK
from drivers.api import BusError
from tests.conftest import MONDAY
from tests.rig import PROFILE, Rig, Room, make_rig
from tests.sure import sure

TEMP, CO2 = 0, 3  # columns of schema 1


@pytest.fixture
def rig(tmp_path: Path, clock: VirtualClock) -> Iterator[Rig]:
    one = make_rig(tmp_path, clock)
    yield one
    one.node.close()


def rows(rig: Rig) -> list[tuple[int | None, int | Missing]]:
    """Start and CO2 of each row in the store."""
    found = rig.node.store.rows("air")
    return [(row.start, bytes_to_cells(row.cells)[CO2]) for _, row in found]


# -- measuring -----------------------------------------------------------------------------------


def test_rows_start_at_whole_slots_and_reach_the_far_side(rig: Rig) -> None:
    rig.run(300)
    assert rows(rig) == [(int(MONDAY) + 60 * k, 800) for k in range(1, 6)]
    assert {key[1] for key in rig.link.far.rows} == {int(MONDAY) + 60 * k for k in range(1, 6)}
    assert rig.link.far.rows[1, int(MONDAY) + 60] == {"temp": 2100, "co2": 800}


def test_the_start_is_told_restart_hello_and_schema_first(rig: Rig) -> None:
    rig.run(1)
    first = decoder.decode(rig.link.frames[0], lambda _: None)
    assert isinstance(first, decoder.Event)
    assert first.code == 6
    hello = next(one for one in rig.link.far.others if isinstance(one, decoder.Hello))
    assert hello.items[1] == rig.node.store.boot
    assert hello.items[2] == [1]
    assert [one.name for one in rig.link.far.schemas[1].fields][:2] == ["temp", "hum"]


def test_a_failing_sensor_fails_its_cells_only_and_is_told_once(rig: Rig) -> None:
    rig.run(60)
    Room.error = BusError("0x62: no answer")
    rig.run(600)
    Room.error = None
    rig.run(600)
    cells = [cell for _, cell in rows(rig)]
    assert cells[0] == 800
    assert Missing.FAILED in cells
    assert Missing.NOT_AVAILABLE in cells
    assert cells[-1] == 800
    codes = [(one.code, one.column) for one in rig.link.far.events if one.schema == 1]
    assert codes == [(4, TEMP), (5, TEMP)]


def test_an_alarm_leaves_ahead_of_everything_owed(rig: Rig) -> None:
    rig.link.error = LinkError("down", 5)
    rig.run(3600)
    Room.values = {"temp": 21.0, "co2": 1600.0}
    rig.run(60)
    rig.link.error = None
    before = len(rig.link.frames)
    rig.run(30)
    first = decoder.decode(rig.link.frames[before], lambda _: None)
    kinds = [decoder.decode(one, lambda _: None) for one in rig.link.frames[before:]]
    alarms = [one for one in kinds if isinstance(one, decoder.Event) and one.schema == 1]
    assert isinstance(first, decoder.Event)
    assert [(one.column, one.code, one.value) for one in alarms] == [(CO2, 1, 1600)]
    assert kinds.index(alarms[0]) < [isinstance(one, decoder.Data) for one in kinds].index(True)


def test_an_alarm_is_sent_within_a_second_of_its_row(rig: Rig, clock: VirtualClock) -> None:
    rig.run(59)
    Room.values = {"temp": 21.0, "co2": 1600.0}
    rig.run(1.5)
    assert [one.code for one in rig.link.far.events if one.schema == 1] == [1]


def test_an_alarm_that_stands_is_not_told_again_after_a_restart(
    tmp_path: Path, clock: VirtualClock
) -> None:
    first = make_rig(tmp_path, clock)
    Room.values = {"temp": 21.0, "co2": 1600.0}
    first.run(120)
    first.node.close()
    second = make_rig(tmp_path, clock)
    Room.values = {"temp": 21.0, "co2": 1600.0}
    second.run(120)
    assert [one for one in second.link.far.events if one.schema == 1] == []
    second.node.close()


def test_a_value_too_large_for_the_wire_is_above_the_range(rig: Rig) -> None:
    Room.values = {"temp": 21.0, "co2": 1e12}
    rig.run(60)
    assert rows(rig)[0][1] is Missing.ABOVE


def test_late_measuring_counts_the_slots_it_missed(rig: Rig, clock: VirtualClock) -> None:
    sampler = rig.node.samplers[0]
    sampler.step()
    clock.sleep(60)
    sampler.step()
    clock.sleep(200)
    sampler.step()
    assert sampler.late == 2


# -- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("years", [20, -20])
def test_a_clock_that_jumps_twenty_years_loses_no_row_and_is_told(
    rig: Rig, clock: VirtualClock, years: int
) -> None:
    rig.run(600)
    clock.jump_s = years * 365 * 86_400
    rig.run(600)
    clock.jump_s = 0
    rig.run(600)
    stored = list(rig.node.store.rows("air"))
    assert len(stored) >= 29
    ticks = [row.mono_ms for _, row in stored]
    assert ticks == sorted(ticks)
    assert all(b - a <= 120_000 for a, b in pairwise(ticks))
    corrections = [one.value for one in rig.link.far.events if one.code == 9]
    assert len(corrections) >= (2 if years > 0 else 0)
    starts = [row.start for _, row in stored if row.start is not None]
    assert len(set(starts)) == len(starts)


def test_rows_measured_without_a_clock_are_dated_when_it_comes(tmp_path: Path) -> None:
    clock = VirtualClock(MONDAY, trust="")
    rig = make_rig(tmp_path, clock)
    rig.run(300)
    assert [start for start, _ in rows(rig)] == [None] * 5
    assert not [key for key in rig.link.far.rows if key[0] == 1]
    clock.unset(False)
    rig.run(60)
    assert [start for start, _ in rows(rig)] == [int(MONDAY) + 60 * k for k in range(1, 7)]
    assert len(rig.link.far.rows) == 6
    rig.node.close()


def test_without_any_clock_rows_leave_with_an_age_after_the_wait(tmp_path: Path) -> None:
    clock = VirtualClock(MONDAY, trust="")
    rig = make_rig(tmp_path, clock)
    sure(rig.link.encoder).style = codec.Style(whole_slots=True)
    rig.run(590)
    assert not [key for key in rig.link.far.rows if key[0] == 1]
    rig.run(600)
    frames = [decoder.decode(one, rig.link.far.schemas.get) for one in rig.link.frames]
    times = [one.time for one in frames if isinstance(one, decoder.Data)]
    assert times
    assert all(isinstance(time, int) and time < 0 for time in times)
    rig.node.close()


def test_a_file_writes_undated_rows_with_boot_and_tick(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, VirtualClock(MONDAY, trust=""))
    rig.run(1200)
    boot = rig.node.store.boot
    assert (1, boot, 1) in rig.link.far.rows
    rig.node.close()


def test_a_system_clock_before_the_build_is_no_clock(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, VirtualClock(BUILT - 86_400.0))
    rig.run(120)
    assert [start for start, _ in rows(rig)] == [None, None]
    rig.node.close()


# -- links ---------------------------------------------------------------------------------------


def test_what_a_link_did_not_take_stays_owed_and_leaves_in_order(rig: Rig) -> None:
    rig.link.error = LinkError("down", 5)
    rig.run(3600)
    assert rig.node.store.counts().owed["city"] == 60
    assert rig.node.uplinks[0].state == "refused"
    rig.link.error = None
    rig.run(120)
    assert rig.node.store.counts().owed["city"] == 0
    assert len(rig.link.far.rows) == 62
    assert not rig.link.far.conflicts


def starts_sent(rig: Rig) -> list[int]:
    """The slots of all rows sent, frame by frame, in each oldest first."""
    said = [decoder.decode(one, registered_schemas().get) for one in rig.link.frames]
    frames = [
        sorted(map(sure, one.starts(rig.clock.utc())))
        for one in said
        if isinstance(one, decoder.Data)
    ]
    return [start for starts in frames for start in starts if start is not None]


def test_back_fill_made_ahead_gives_way_to_a_live_row(rig: Rig) -> None:
    rig.link.error = LinkError("down", 5)
    rig.run(3600)
    rig.link.error, rig.link.limit = None, 25
    send, at = rig.link.send, rig.clock.monotonic()

    def sent(frame: bytes, batch: Batch, meanwhile: Meanwhile = nothing) -> None:
        send(frame, batch, meanwhile)
        if len(rig.link.frames) == 4:  # between two of back-fill
            rig.clock.advance_to(at + 60)
            rig.node.samplers[0].step()

    rig.link.send = sent  # type: ignore[method-assign]
    rig.run(60)
    slots = [int(MONDAY) + 60 * n for n in range(1, 62)]
    found = starts_sent(rig)
    after = decoder.decode(rig.link.frames[4], registered_schemas().get)
    assert isinstance(after, decoder.Data)
    assert max(filter(None, after.starts(rig.clock.utc()))) == slots[-1]
    assert [one for one in found if one <= slots[50]] == slots[:51]


def test_back_fill_made_ahead_is_dropped_with_the_frame_before(rig: Rig) -> None:
    rig.link.error = LinkError("down", 5)
    rig.run(3600)
    rig.link.error, rig.link.limit = None, 25
    send, lost = rig.link.send, list[bytes]()

    def sent(frame: bytes, batch: Batch, meanwhile: Meanwhile = nothing) -> None:
        meanwhile()
        if len(rig.link.frames) == 4 and not lost:
            lost.append(frame)
            raise LinkError("no acknowledgement", 1.0)
        send(frame, batch, meanwhile)

    rig.link.send = sent  # type: ignore[method-assign]
    rig.run(50)
    assert lost[0] == rig.link.frames[4]
    slots = [int(MONDAY) + 60 * n for n in range(1, 61)]
    assert [one for one in starts_sent(rig) if one <= slots[50]] == slots[:51]


def test_a_refusal_backs_off_doubling_and_a_new_row_does_not_ask_earlier(rig: Rig) -> None:
    asked: list[float] = []
    refusal = LinkError("quota", 0, refused=True)

    def refuse(priority: str = "live") -> int:
        asked.append(rig.clock.monotonic())
        raise refusal

    rig.link.room = refuse  # type: ignore[method-assign]
    rig.run(7200)
    waits = [later - sooner for sooner, later in pairwise(asked)]
    assert 3.7 <= waits[0] <= 5
    assert all(later > sooner * 1.2 for sooner, later in pairwise(waits[:6]))
    assert 600 <= waits[-1] <= 900


def test_back_fill_that_waits_for_airtime_is_looked_for_when_there_is_some(rig: Rig) -> None:
    rig.link.error = LinkError("down", 5)
    rig.run(7200)
    rig.link.error = None
    asked: list[float] = []
    free_at = rig.clock.monotonic() + 3600

    def room(priority: str = "live") -> int:
        left_s = free_at - rig.clock.monotonic()
        if priority == "backfill" and left_s > 0:
            asked.append(rig.clock.monotonic())
            raise LinkError("waits for airtime", left_s, later=True)
        return rig.link.limit

    rig.link.room = room  # type: ignore[method-assign]
    rig.node.store.link("city").set_fill(600)
    rig.run(3595)
    assert len(rig.link.frames) == len(asked) == 6  # after each live frame, not at each new row
    rig.run(60)
    assert len(rig.link.frames) > 6
    assert rig.node.store.counts().owed["city"] < 10  # what waits for company


def test_a_limit_that_shrank_is_asked_again_at_once(rig: Rig) -> None:
    rig.run(60)
    rig.link.error = LinkError("shrank", 0)
    rig.run(0.5)
    Room.values = {"temp": 21.0, "co2": 801.0}
    assert rig.node.uplinks[0].step() >= 0


def test_a_frame_that_fits_nowhere_is_set_aside_and_counted(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.run(1)
    rig.link.limit = 4
    rig.run(60)
    assert rig.node.store.counts().set_aside >= 1
    assert "state=set-aside" in caplog.text


# -- downlinks -----------------------------------------------------------------------------------


def ask(rig: Rig, *downlink: int | None) -> list[tuple[int, int]]:
    """Send one downlink; (token, result) of the acks that come."""
    before = len(rig.link.far.others)
    rig.link.inbox.append(codec.encode_downlink(*downlink))  # type: ignore[arg-type]
    rig.node.uplinks[0].wake.set()
    rig.run(1)
    news = rig.link.far.others[before:]
    return [(one.token, one.result) for one in news if isinstance(one, decoder.Ack)]


def test_an_interval_is_changed_once_and_survives_a_restart(
    tmp_path: Path, clock: VirtualClock
) -> None:
    rig = make_rig(tmp_path, clock)
    rig.run(120)
    assert ask(rig, 1, 42, 1, -30, 3) == [(42, 0)]
    assert ask(rig, 5, 42) == [(42, 0)]  # the same token with other bytes is another downlink
    assert ask(rig, 1, 43, 1, -45, 3) == [(43, 0)]
    assert ask(rig, 1, 44, 1, -30, 3) == [(44, 0)]
    assert ask(rig, 1, 43, 1, -45, 3) == [(43, 0)]  # a repeat: the same result, no second effect
    rig.run(120)
    assert rig.node.samplers[0].layout.interval_s == 30
    rig.node.close()
    again = make_rig(tmp_path, clock)
    assert again.node.samplers[0].layout.interval_s == 30
    again.node.close()
    edited = make_rig(tmp_path, clock, PROFILE.replace("interval_s = 60", "interval_s = 120"))
    assert edited.node.samplers[0].layout.interval_s == 120
    edited.node.close()


def test_rows_per_uplink_make_live_rows_wait_for_company(rig: Rig) -> None:
    rig.run(60)
    assert ask(rig, 1, 1, 1, 1, 5) == [(1, 0)]
    before = len(rig.link.frames)
    rig.run(600)
    data = [one for one in rig.link.frames[before:] if one[1] == 1]
    assert 1 <= len(data) <= 3


@pytest.mark.parametrize(
    ("downlink", "result"),
    [
        ((1, 7, 1, 0, 1), 2),  # no interval
        ((1, 7, 1, -60, 1), 2),  # whole minutes are written +n
        ((1, 7, 1, 241, 1), 2),
        ((1, 7, 9, 1, 1), 2),  # no such table
        ((1, 7, 1, 1), 2),  # too few
        ((1, 7, 1, 1, 0), 2),
        ((1, 7, True, 5, 1), 2),  # true is not 1
        ((1, 7, 1, True, 1), 2),
        ((1, 7, 1, 5, True), 2),
        ((2, 7, 1, 3, True, 5), 2),
        ((2, 7, 1, 3, 1, True), 2),
        ((3, 7, True), 2),
        ((4, 7, 1, 1, 5, True), 2),
        ((8, 7, True), 2),
        ((2, 7, 1, 99, 1, 5), 2),  # no such column
        ((2, 7, 1, 3, 3, 5), 2),  # neither above nor below
        ((3, 7, 9), 2),
        ((4, 7, 1, 1, 5, 0), 2),
        ((4, 7, 1, 1, -1, 1), 2),
        ((6, 7), 1),  # reserved
        ((99, 7, 1, 2, 3), 1),
        ((5, 7, 1), 2),
        ((8, 7, 2), 2),
    ],
)
def test_a_downlink_that_cannot_be_is_answered_and_changes_nothing(
    rig: Rig, downlink: tuple[int, ...], result: int
) -> None:
    rig.run(60)
    assert ask(rig, *downlink) == [(7, result)]
    assert rig.node.samplers[0].layout.interval_s == 60


def test_a_threshold_is_changed_and_switched_off(rig: Rig) -> None:
    rig.run(60)
    assert ask(rig, 2, 1, 1, CO2, 1, 700) == [(1, 0)]
    rig.run(60)
    assert [one.code for one in rig.link.far.events if one.schema == 1] == [1]
    assert ask(rig, 2, 2, 1, CO2, 1, None) == [(2, 0)]
    rig.run(60)
    assert [one.code for one in rig.link.far.events if one.schema == 1] == [1, 0]
    assert ask(rig, 2, 3, 1, TEMP, 2, 2200) == [(3, 0)]  # a column that had no alarm
    rig.run(60)
    assert rig.link.far.events[-1].code == 2


def test_thresholds_can_be_closed_to_downlinks(tmp_path: Path, clock: VirtualClock) -> None:
    closed = PROFILE.replace("restart_by_downlink = true", "thresholds_by_downlink = false")
    rig = make_rig(tmp_path, clock, closed)
    assert ask(rig, 2, 1, 1, CO2, 1, 700) == [(1, 3)]
    assert ask(rig, 7, 2) == [(2, 3)]
    rig.node.close()


def test_schema_hello_and_body_are_given_on_request(rig: Rig) -> None:
    rig.run(60)
    rig.link.far.schemas.clear()
    assert ask(rig, 3, 1, 1) == [(1, 0)]
    assert 1 in rig.link.far.schemas
    assert ask(rig, 5, 2) == [(2, 0)]
    assert ask(rig, 8, 3, 1) == [(3, 0)]
    rig.run(60)
    last = decoder.decode(rig.link.frames[-1], rig.link.far.schemas.get)
    assert isinstance(last, decoder.Data)
    assert isinstance(last.body, bytes)


def test_rows_are_sent_again_on_request(rig: Rig) -> None:
    rig.run(600)
    slot = int(MONDAY) // 60 + 3
    assert ask(rig, 4, 1, 1, 1, slot % 65_536, 4) == [(1, 0)]
    rig.run(10)
    assert rig.link.far.repeats == 4
    assert ask(rig, 4, 2, 1, 1, slot, 2) == [(2, 0)]
    rig.run(10)
    assert rig.link.far.repeats == 6
    assert not rig.link.far.conflicts


def test_a_restart_by_downlink_ends_the_node(rig: Rig) -> None:
    rig.run(1)
    assert ask(rig, 7, 9) == [(9, 0)]
    assert rig.node.stopping.is_set()


def test_a_downlink_of_the_largest_size_is_answered(rig: Rig) -> None:
    rig.run(1)
    largest = codec.encode_downlink(99, 7, bytes(LONGEST_DOWNLINK - 6))
    assert len(largest) == LONGEST_DOWNLINK
    rig.link.inbox.append(largest)
    rig.node.uplinks[0].wake.set()
    rig.run(1)
    acks = [one for one in rig.link.far.others if isinstance(one, decoder.Ack)]
    assert [(one.token, one.result) for one in acks] == [(7, 1)]


@pytest.mark.parametrize(
    "junk",
    [
        *(b"", b"\x00", b"\x82\x05", b"\xff" * 20),
        codec.encode_downlink(99, 7, bytes(LONGEST_DOWNLINK - 5)),  # one byte too long
        b"\x82\xf5\x07",  # true is not command 1
        b"\x82\x05\xf5",  # nor token 1
    ],
)
def test_a_malformed_downlink_does_no_harm(
    rig: Rig, junk: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    rig.run(60)
    rig.link.inbox.append(junk)
    rig.node.uplinks[0].wake.set()
    with caplog.at_level(logging.WARNING):
        rig.run(60)
    assert "downlink=ignored" in caplog.text
    assert len(rows(rig)) == 2


# -- the node as a whole -------------------------------------------------------------------------


def test_the_snapshot_says_how_everything_does(rig: Rig) -> None:
    rig.run(120)
    shown = rig.node.snapshot()
    assert shown["sensors"]["room"]["state"] == "ok"
    assert shown["tables"]["air"]["row"]["co2"] == {"value": 800.0, "unit": "[ppm]"}
    assert shown["links"]["city"]["owed"] == 0
    assert shown["store"]["rows"] == 2
    assert rig.node.headline().startswith("1/1 sensors")


def test_closing_leaves_every_link(rig: Rig) -> None:
    rig.run(60)
    rig.node.close()
    assert rig.link.closed
