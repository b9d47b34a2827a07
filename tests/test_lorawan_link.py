"""The LoRaWAN link: real drivers on modem twins, a real MAC, a network server, virtual time."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from agent.clock import VirtualClock
from agent.codec import cbor, decoder
from agent.codec.messages import node_event
from agent.config.source import ConfigError
from agent.model.batch import ACK, EVENT, HELLO, RAW, Batch, Message
from agent.model.schema import registered_schemas
from agent.transport.airtime import PARTS, Airtime, Scratch
from agent.transport.links import LinkError, lorawan
from agent.transport.links.join_back_off import JoinBackOff
from agent.transport.links.lorawan import PORTS
from drivers.modems.eu868 import LIMIT, airtime_s
from drivers.sim.lorawan.air import Heard
from drivers.sim.lorawan.region import Radio
from tests.conftest import MONDAY
from tests.radio_rig import RadioRig

DAY = 86_400
MODEMS = ("rak3172", "lora_e5", "rn2483", "la66")
UNTRACED = [pytest.param(one, marks=pytest.mark.no_cover) for one in MODEMS[1:]]
ONE_TRACED = [MODEMS[0], *UNTRACED]  # of the link, the lines are the same with each


def message(kind: int, priority: str = "message") -> Batch:
    return Batch(priority, Message(0, kind, 0, 0, None, b""))


@pytest.mark.parametrize("modem", ONE_TRACED)
def test_rows_arrive_as_they_were_measured(tmp_path: Path, modem: str) -> None:
    rig = RadioRig(tmp_path, modem=modem)
    rig.run(6 * 3600)
    measured, decoded = rig.measured(), rig.decoded()
    assert len(decoded) > 290
    assert all(measured[key] == cells for key, cells in decoded.items())
    assert rig.far.refused == rig.network.server.refusals == []
    assert set(measured) - set(decoded) == set(sorted(measured)[len(decoded) :])


@pytest.mark.parametrize("modem", ONE_TRACED)
def test_the_network_gives_the_time_and_rows_from_before_get_their_slots(
    tmp_path: Path, modem: str
) -> None:
    rig = RadioRig(tmp_path, modem=modem, trust="", fill_s=900)
    rig.network.server.refuse_join = True
    rig.run(500)
    assert rig.node.store.counts().rows
    assert rig.measured() == {}
    rig.network.server.refuse_join = False
    rig.run(3 * 3600)
    assert rig.clock.trust == "lorawan"
    assert rig.clock.utc() == pytest.approx(rig.clock.true_utc(), abs=1.5)
    assert min(rig.measured())[1] < rig.clock.true_utc() - 3 * 3600 + 60
    dated = {key: cells for key, cells in rig.decoded().items() if len(key) == 2}
    assert len(dated) > 100
    measured = rig.measured()
    assert all(measured[key] == cells for key, cells in dated.items())


def test_a_node_that_starts_again_does_not_join_again(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.run(3600)
    joins = len(rig.network.server.devices[bytes.fromhex("70B3D57ED0051234")].nonces)
    for _ in range(3):
        rig.cut_power()
        rig.run(1800)
    assert len(rig.network.server.devices[bytes.fromhex("70B3D57ED0051234")].nonces) == joins == 1
    assert rig.report()["radio"]["joined"]


def test_alarms_are_confirmed_rows_are_not_and_ports_tell_kinds_apart(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.run(4000)
    rig.buses.twins["air"].truth = {"temperature": 70.0, "relative_humidity": 40.0}
    rig.run(120)
    uplinks = [one for one in rig.network.server.uplinks if one.port]
    assert {one.port for one in uplinks} <= set(PORTS.values())
    alarm = uplinks[-1]
    assert (alarm.port, alarm.confirmed) == (PORTS[EVENT], True)
    assert not any(one.confirmed for one in uplinks if one.port == PORTS[0])
    assert rig.far.events[-1].code == 1


def test_rows_are_confirmed_where_the_profile_says_so(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, confirmed=True)
    rig.run(4000)
    assert all(one.confirmed for one in rig.network.server.uplinks if one.port == PORTS[0])


@pytest.mark.no_cover
def test_fixed_length_frames_tell_nothing_by_length_or_hour(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, fixed_length=True, limit_bytes=30, fill_s=1200)
    chance, lively = random.Random(1), [False]
    values = {"temperature": 21.0, "relative_humidity": 45.0}

    class Truth(dict[str, float]):
        def __getitem__(self, name: str) -> float:
            return values[name] + lively[0] * chance.uniform(-5, 5)

    rig.buses.twins["air"].truth = Truth(values)
    for _ in range(2):  # empty, in use
        rig.run(6300)
        lively[0] = not lively[0]
    data = [one for one in rig.network.server.uplinks if one.port == PORTS[0]]
    assert {len(one.payload) for one in data} == {30}
    assert all(rig.measured()[key] == cells for key, cells in rig.decoded().items())
    hours = [one.at for one in data if newest_start(one.payload) > MONDAY + one.at - 90]
    gaps = [round(later - sooner, 0) for sooner, later in itertools.pairwise(hours)]
    assert len(gaps) > 7
    assert max(gaps) - min(gaps) <= 2


def newest_start(frame: bytes) -> float:
    """When the newest row of a data frame was taken."""
    said = decoder.decode(frame, registered_schemas().get)
    assert isinstance(said, decoder.Data)
    return said.starts(MONDAY)[0] or 0.0


@pytest.mark.no_cover
def test_overlap_makes_up_for_a_lost_frame(tmp_path: Path) -> None:
    missing = []
    for overlap in (False, True):
        rig = RadioRig(tmp_path, overlap=overlap)
        rig.run(3900)
        rig.network.faults.lose_up = 1.0
        rig.run(3600)
        rig.network.faults.lose_up = 0.0
        rig.run(3600)
        newest = max(start for _, start in rig.far.rows)
        missing.append(len([key for key in rig.measured() if key[1] < newest]) - len(rig.far.rows))
        rig.node.close()
        (tmp_path / "store.db").unlink()
    without, with_overlap = missing
    assert without > 50
    assert with_overlap < 10


def test_health_columns_and_status_say_how_the_radio_is(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, modem="lora_e5")
    rig.run(4000)
    values = rig.node.instruments["node"].ask()
    assert (values["rssi"], values["snr"], values["margin"], values["data_rate"]) == (-52, 8, 16, 5)
    assert values["airtime"] == pytest.approx(rig.link.airtime.spent_s())
    shown = rig.report()["radio"]
    assert (shown["modem"], shown["joined"], shown["rssi_dbm"]) == ("lora_e5", True, -52)


# -- airtime -------------------------------------------------------------------------------------


def ledger(clock: VirtualClock, memory: Scratch, day_s: float = 30.0) -> Airtime:
    return Airtime(memory, clock, "radio", day_s)


def test_lanes_leave_their_share_of_the_bucket() -> None:
    clock = VirtualClock()
    air = ledger(clock, Scratch())
    for _ in range(15):
        air.book(1.0)
    assert air.wait_s(1.0, "backfill") == pytest.approx(DAY / 30)
    for _ in range(11):
        air.book(1.0)
    assert air.wait_s(1.0, "live") == 0
    air.book(1.0)
    assert air.wait_s(1.0, "live") == pytest.approx(DAY / 30)
    assert air.wait_s(1.0, "alarm") == 0
    assert air.level() == pytest.approx(0.1)
    clock.sleep(DAY / 30)
    assert air.wait_s(1.0, "live") == 0


def test_no_day_and_no_hour_ever_hold_more_than_allowed() -> None:
    clock, chance = VirtualClock(), random.Random(1)
    air, sent = ledger(clock, Scratch(), 100.0), []
    while clock.monotonic() < 5 * DAY:
        seconds = chance.choice((0.4, 1.2, 2.8))
        wait_s = air.wait_s(seconds, chance.choice(("alarm", "live", "backfill")))
        if wait_s:
            clock.sleep(min(wait_s, chance.uniform(1, 2000)))
            continue
        air.book(seconds)
        sent.append((clock.monotonic(), seconds))
    for at, _ in sent:
        assert sum(one for when, one in sent if at - DAY < when <= at) <= 100.0 + 1e-6
        assert sum(one for when, one in sent if at - 3600 < when <= at) <= 36.0 + 1e-6
    assert sum(one for _, one in sent) > 480


def test_back_fill_leaves_the_other_lanes_their_day() -> None:
    clock = VirtualClock()
    kept = Scratch()
    air, filled = ledger(clock, kept), 0
    while clock.monotonic() < DAY:
        if air.wait_s(0.5, "backfill") == 0:
            air.book(0.5, "backfill")
            filled += 1
        if clock.monotonic() % 7200 == 0:
            assert air.wait_s(1.0, "live") == 0
            air.book(1.0)
        clock.sleep(600)
    assert filled == 24  # an eighth of the half in three hours: 1.5 s of 1.875
    for _ in range(12):
        air.book(1.0, "alarm")
    again = ledger(clock, kept)  # who used what is kept
    assert again.wait_s(0.5, "backfill") == pytest.approx(air.wait_s(0.5, "backfill"), abs=1)
    assert again.wait_s(0.5, "backfill") > DAY / PARTS


def test_the_ledger_survives_a_restart_as_far_as_anybody_knows() -> None:
    clock, memory = VirtualClock(), Scratch()
    air = ledger(clock, memory)
    air.book(20.0)
    clock.sleep(DAY / 3)
    same_boot = ledger(clock, memory)
    assert same_boot.spent_s() == 20.0
    assert same_boot.level() == pytest.approx(20 / 30)
    later = VirtualClock(clock.true_utc() + DAY / 3)  # another boot, ten seconds of budget later
    assert ledger(later, memory).level() == pytest.approx(1.0)
    unset = VirtualClock(clock.true_utc() + DAY, trust="")  # nobody knows how long it was off
    unknown = ledger(unset, memory)
    assert unknown.level() == pytest.approx(10 / 30)
    assert unknown.spent_s() == 20.0


def test_a_frame_larger_than_the_budget_never_goes() -> None:
    air = ledger(VirtualClock(), Scratch(), 1.0)
    assert air.wait_s(2.8, "alarm") == float("inf")


@pytest.mark.no_cover
def test_budget_spent_is_later_and_no_fault(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, data_rate=0, airtime_s_per_day=12.0, fill_s=600, adr=False)
    rig.run(DAY / 2)
    shown = rig.report()
    assert (shown["state"], shown["reason"]) == ("later", "waits for airtime")
    assert 0 < shown["radio"]["next_send_s"] < DAY
    assert rig.node.store.counts().lost == 0
    rig.run(DAY)
    airtimes = rig.airtimes()
    for at, _ in airtimes:
        assert sum(one for when, one in airtimes if at - DAY < when <= at) <= 12.0


def test_refusals_give_the_time_back(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.run(4000)
    before = rig.link.airtime.spent_s()
    rig.twin.device.duty._all_free_at = 1e9  # the network has ordered silence
    rig.twin.device.duty.on = True
    with pytest.raises(LinkError) as error:
        rig.link.send(b"\x80", message(HELLO, "message"))
    assert error.value.later
    assert error.value.reason == "duty cycle"
    assert rig.link.airtime.spent_s() == pytest.approx(before)


def test_an_alarm_that_nobody_acknowledges_costs_every_try(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, tries=3)
    rig.run(4000)
    before, silent = rig.link.airtime.spent_s(), rig.link.silent
    rig.network.faults.lose_up = 1.0
    with pytest.raises(LinkError) as error:
        rig.link.send(b"\x80", message(EVENT, "alarm"))
    assert error.value.refused
    assert rig.link.airtime.spent_s() - before >= 3 * airtime_s(1, 5)
    assert rig.link.silent == silent + 1


@pytest.mark.no_cover
def test_alarms_during_an_outage_leave_air_for_afterwards(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.run(4000)
    rig.network.faults.lose_up = 1.0
    rig.node.store.post(node_event(7, None, 1, rig.clock))
    rig.run(3600)
    assert rig.report()["state"] == "later"
    assert rig.report()["reason"] == "not acknowledged"
    before = len(rig.airtimes())
    rig.run(DAY / 4)
    tries = [seconds for _, seconds in rig.airtimes()[before:] if seconds < airtime_s(20, 5)]
    assert len(tries) > 15
    assert sum(tries) < 30 / 4 / 4 * 1.2  # a quarter of the budget, of a quarter of the day
    rig.network.faults.lose_up = 0.0
    rig.run(2 * 3600)
    assert [one.code for one in rig.far.events].count(7) == 1
    assert rig.node.store.counts().owed["radio"] < 130


def test_a_frame_that_took_long_is_booked_as_often_as_it_was_sent(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, tries=3)
    rig.run(4000)
    before, booked = len(rig.airtimes()), rig.link.airtime.spent_s()
    hear, windows = rig.network.air.listen, itertools.count()

    def listen(radio: Radio, at: float) -> Heard | None:
        heard = hear(radio, at)
        return heard if next(windows) >= 4 else None  # two windows each of the first two tries

    rig.network.air.listen = listen  # type: ignore[method-assign]
    rig.link.send(b"\x80", message(EVENT, "alarm"))
    sent = sum(seconds for _, seconds in rig.airtimes()[before:])
    assert len(rig.airtimes()) - before == 3
    assert rig.link.airtime.spent_s() - booked >= sent


@pytest.mark.parametrize("modem", ONE_TRACED)
def test_repetitions_that_the_network_orders_are_booked(tmp_path: Path, modem: str) -> None:
    rig = RadioRig(tmp_path, modem=modem, fill_s=600)
    rig.run(2000)
    rig.network.server.set_data_rate(bytes.fromhex("70B3D57ED0051234"), 5, repeats=3)
    rig.run(3600)
    before, booked = len(rig.airtimes()), rig.link.airtime.spent_s()
    rig.run(3600)
    repeated = rig.airtimes()[before:]
    assert len(repeated) >= 12
    assert rig.far.repeats == 0  # a frame that takes long is not sent anew
    assert rig.link.airtime.spent_s() - booked >= 0.95 * sum(seconds for _, seconds in repeated)


# -- joining -------------------------------------------------------------------------------------


@pytest.mark.no_cover
def test_join_denied_for_a_day_keeps_the_rows_and_spares_the_air(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, data_rate=0, airtime_s_per_day=1000.0)
    rig.network.server.refuse_join = True
    rig.run(DAY)
    tries = len(rig.airtimes())
    assert 30 < tries < 60  # 24 in the first hour at most, 24 in the next ten, then 5 a day
    assert rig.report()["reason"].startswith("not joined")
    assert rig.node.store.counts().owed["radio"] >= 1439
    rig.network.server.refuse_join = False
    rig.run(DAY / 6)
    assert rig.report()["radio"]["joined"]
    assert rig.far.rows


@pytest.mark.parametrize("seconds", [1.483, 0.062])
def test_joining_takes_half_of_the_days_airtime_at_most(seconds: float) -> None:
    clock, memory = VirtualClock(), Scratch()
    while clock.monotonic() < DAY:
        backoff = JoinBackOff(memory, clock, "radio")
        backoff.tried(seconds, 0.5 * 30 / DAY)
        clock.sleep(backoff.wait_s())
        if clock.monotonic() < 3700:
            first_hour = backoff.tries
    assert first_hour > 17
    assert (backoff.tries - first_hour) * seconds < 15


def test_back_off_of_joins_goes_on_after_a_restart() -> None:
    clock, memory = VirtualClock(), Scratch()
    for _ in range(100):
        backoff = JoinBackOff(memory, clock, "radio")
        clock.sleep(backoff.wait_s())
        backoff.tried(1.483)
    assert clock.monotonic() > 11 * 3600
    again = JoinBackOff(memory, VirtualClock(), "radio")  # another boot
    assert again.tries == 100
    assert again.wait_s() > 3600
    again.done()
    assert JoinBackOff(memory, clock, "radio").wait_s() == 0
    waits = set()
    for _ in range(5):  # many nodes that lost their network at once do not come back at once
        again = JoinBackOff(Scratch(), clock, "radio")
        again.tried(1.483)
        waits.add(again.wait_s())
    assert len(waits) == 5


# -- downlinks -----------------------------------------------------------------------------------


def test_downlinks_are_carried_out_once_and_answered(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.run(4000)
    rig.down(1, 77, 1, 5, 12)
    rig.run(2 * 3600)
    assert rig.node.samplers[0].layout.interval_s == 300
    acks = [one for one in rig.far.others if isinstance(one, decoder.Ack)]
    assert [(one.token, one.result) for one in acks] == [(77, 0)]
    rig.cut_power()
    rig.down(1, 77, 1, 5, 12)  # a repeat has no second effect, after a restart too
    rig.run(2 * 3600)
    assert rig.node.samplers[0].layout.interval_s == 300
    acks = [one for one in rig.far.others if isinstance(one, decoder.Ack)]
    assert [(one.token, one.result) for one in acks] == [(77, 0), (77, 0)]


def test_a_changed_interval_is_taken_back_if_nobody_answers_any_more(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, fill_s=600)
    rig.run(4000)
    rig.down(1, 5, 1, 2, 3)
    while rig.node.samplers[0].layout.interval_s == 60:
        rig.run(30)
    assert rig.node.samplers[0].layout.interval_s == 120
    rig.network.faults.lose_down = 1.0
    rig.run(4 * 3600)
    assert rig.node.samplers[0].layout.interval_s == 60
    rig.network.faults.lose_down = 0.0
    rig.down(1, 6, 1, 2, 3)
    rig.run(4 * 3600)
    assert rig.node.samplers[0].layout.interval_s == 120  # answered: it stays


@pytest.mark.no_cover
@pytest.mark.parametrize("payload", [b"", b"\x00", bytes(51), b"\xff" * 20, b"\x82\x05", b"\x05"])
def test_malformed_downlinks_do_no_harm(tmp_path: Path, payload: bytes) -> None:
    rig = RadioRig(tmp_path)
    rig.run(600)
    rig.network.send(payload)
    rig.run(2 * 3600)
    assert rig.report()["state"] == "ok"
    assert len(rig.far.rows) > 60


@pytest.mark.no_cover
def test_random_downlinks_do_no_harm(tmp_path: Path) -> None:
    rig, chance = RadioRig(tmp_path, fill_s=60), random.Random(1)
    rig.run(600)
    sent = [cbor.dump(anything(chance)) for _ in range(40)]
    for payload in sent:
        rig.network.send(payload[:51])
    rig.run(4000)
    queue = next(iter(rig.network.server.devices.values())).queue
    assert len(queue) < 10
    assert rig.report()["state"] == "ok"
    assert all(rig.measured()[key] == cells for key, cells in rig.decoded().items())
    assert len(rig.far.rows) > 60


def anything(chance: random.Random, depth: int = 0) -> object:
    """A random CBOR item."""
    kind = chance.randrange(4 if depth > 2 else 6)
    if kind < 2:
        return chance.randint(-(2**33), 2**33) if kind else chance.randint(0, 9)
    if kind < 4:
        return chance.randbytes(chance.randrange(20)) if kind == 2 else None
    items = [anything(chance, depth + 1) for _ in range(chance.randrange(6))]
    return items if kind == 4 else dict(enumerate(items))


# -- what goes wrong -----------------------------------------------------------------------------


def test_a_resting_modem_is_reset_and_joins_again(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.run(4000)
    rig.twin.quirks.dead = True
    rig.run(3 * 3600)
    assert not rig.twin.quirks.dead
    assert rig.arrived_as_measured()
    assert len(rig.decoded()) > 200


@pytest.mark.no_cover
@pytest.mark.parametrize("noise", [b"\x00\xff" * 5000, b"x" * 10_000, b"OK\r", b"+EVT:TX_DO"])
def test_noise_on_the_line_leaves_rows_owed_and_no_more(tmp_path: Path, noise: bytes) -> None:
    rig = RadioRig(tmp_path)
    stream = rig.link.modem.port._given  # type: ignore[attr-defined]
    for _ in range(10):
        stream.noise = noise
        rig.run(600)
    rig.run(DAY / 12)
    assert len(rig.decoded()) > 165
    assert rig.arrived_as_measured()


@pytest.mark.no_cover
def test_after_an_outage_the_backlog_goes_coarse_first(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, data_rate=3, adr=False)
    rig.run(3600)
    rig.network.server.refuse_join = True
    rig.twin.device.memory.session = None
    rig.run(DAY)
    rig.network.server.refuse_join = False
    known = set(rig.decoded())
    rig.run(DAY / 8)
    away = rig.clock.true_utc() - DAY / 6
    fresh = [start for _, start in rig.far.rows if start < away and (1, start) not in known]
    assert max(fresh) - min(fresh) > DAY / 2
    steps = [start & -start for start in (one // 60 for one in fresh)]  # how coarse, as they came
    first, last = steps[: len(steps) // 4], steps[-len(steps) // 4 :]
    assert sorted(first)[len(first) // 2] > sorted(last)[len(last) // 2]


@pytest.mark.parametrize("modem", MODEMS)
def test_a_network_server_in_another_decade_is_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, modem: str
) -> None:
    rig = RadioRig(tmp_path, modem=modem, trust="", fill_s=900)
    rig.network.server.unix_at_zero -= 20 * 365 * DAY
    rig.run(2000)
    assert rig.clock.trust == ""
    assert rig.measured() == {}
    assert rig.node.store.counts().rows == 33
    if modem != "la66":  # does not tell an answer from none
        assert "the network answers, but with no time that can be true" in caplog.text


def test_a_network_server_whose_clock_is_put_right_moves_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lorawan, "ASK_TIME_S", 3600.0)  # else once a day
    rig = RadioRig(tmp_path, trust="", fill_s=900)
    rig.network.server.unix_at_zero += 3600
    rig.run(3000)
    assert rig.clock.utc() == pytest.approx(rig.clock.true_utc() + 3600, abs=2)
    rig.network.server.unix_at_zero -= 3600
    rig.run(7200)
    assert rig.clock.utc() == pytest.approx(rig.clock.true_utc(), abs=2)
    assert [one.value for one in rig.far.events if one.code == 9][-1] == pytest.approx(-3600, abs=3)


@pytest.mark.no_cover
def test_frames_follow_the_data_rate_the_network_orders(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, fill_s=600)
    rig.run(2000)
    device = bytes.fromhex("70B3D57ED0051234")
    for rate in (0, 3, 1):
        rig.network.server.set_data_rate(device, rate)
        rig.run(3600)
        assert rig.link.data_rate == rate
    log = rig.network.air.log
    assert all(len(frame) <= 13 + LIMIT[radio.data_rate] for _, radio, frame in log)
    assert {radio.data_rate for _, radio, _ in log} == {0, 1, 3, 5}
    assert rig.far.refused == []
    assert all(rig.measured()[key] == cells for key, cells in rig.decoded().items())


def test_frames_that_lorawan_does_not_carry_are_refused(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    with pytest.raises(LinkError, match="kind -5"):
        rig.link.send(b"\x80", message(RAW))


def test_silence_of_the_modem_is_one_clear_reason(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.twin.quirks.distort = lambda line: []
    rig.run(3600)
    shown = rig.report()
    assert shown["state"] == "refused"
    assert "no answer to AT" in shown["reason"]
    assert rig.node.store.counts().owed["radio"] == 60


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("dev_eui", "70B3D5", "16 hex digits wanted, 6 given"),
        ("join_eui", "zz", "only the hex digits"),
        ("region", "US915", "link[0].region"),
        ("modem", "rak317", "did you mean 'rak3172'"),
        ("data_rate", 9, "at most 5"),
        ("airtime_s_per_day", 0, "at least 1"),
    ],
)
def test_wrong_radio_settings_are_named(tmp_path: Path, key: str, value: Any, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        RadioRig(tmp_path, **{key: value})
    assert hint in str(error.value)
    assert key in str(error.value)


def test_a_key_of_the_wrong_length_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "app.key").write_text("2b7e151628\n")
    with pytest.raises(ConfigError, match="32 hex digits wanted, 10 given") as error:
        RadioRig(tmp_path, app_key_file=f"{tmp_path}/app.key")
    assert "app_key_file" in str(error.value)
    assert "2b7e" not in str(error.value).lower()


def test_ack_frames_have_their_port() -> None:
    assert PORTS[ACK] == 13
