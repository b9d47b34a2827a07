"""The LoRaWAN link: real drivers on modem twins, a real MAC, a network server, virtual time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent import decoder
from agent.airtime import Airtime, Scratch
from agent.clock import VirtualClock
from agent.config import ConfigError
from agent.links import LinkError
from agent.links.lorawan import PORTS, JoinBackoff
from agent.parcel import ACK, EVENT, HELLO
from drivers.modems.eu868 import airtime_s
from tests.radio_rig import RadioRig

DAY = 86_400
MODEMS = ("rak3172", "lora_e5", "rn2483", "la66")


@pytest.mark.parametrize("modem", MODEMS)
def test_rows_arrive_as_they_were_measured(tmp_path: Path, modem: str) -> None:
    rig = RadioRig(tmp_path, modem=modem)
    rig.run(6 * 3600)
    measured, decoded = rig.measured(), rig.decoded()
    assert len(decoded) > 290
    assert all(measured[key] == cells for key, cells in decoded.items())
    assert rig.far.refused == rig.network.server.refusals == []
    assert set(measured) - set(decoded) == set(sorted(measured)[len(decoded) :])


@pytest.mark.parametrize("modem", MODEMS)
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
    rig.doors.twins["air"].truth = {"temperature": 70.0, "relative_humidity": 40.0}
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


def test_fixed_length_frames_tell_nothing_by_their_length(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, fixed_length=True, limit_bytes=51)
    rig.run(DAY / 4)
    lengths = {len(one.payload) for one in rig.network.server.uplinks if one.port == PORTS[0]}
    assert lengths == {51}
    assert rig.arrived_as_measured()


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
    assert (unknown.level(), unknown.spent_s()) == (pytest.approx(10 / 30), 20.0)


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
        rig.link.send(b"\x80", kind=HELLO, lane="message")
    assert error.value.later
    assert error.value.reason == "duty cycle"
    assert rig.link.airtime.spent_s() == pytest.approx(before)


def test_an_alarm_that_nobody_acknowledges_costs_every_try(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, tries=3)
    rig.run(4000)
    before, silent = rig.link.airtime.spent_s(), rig.link.silent
    rig.network.faults.lose_up = 1.0
    with pytest.raises(LinkError) as error:
        rig.link.send(b"\x80", kind=EVENT, lane="alarm")
    assert error.value.refused
    assert rig.link.airtime.spent_s() - before >= 3 * airtime_s(1, 5)
    assert rig.link.silent == silent + 1


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
    rig.run(DAY / 4)
    assert rig.report()["radio"]["joined"]
    assert rig.far.rows


def test_back_off_of_joins_goes_on_after_a_restart() -> None:
    clock, memory = VirtualClock(), Scratch()
    for _ in range(100):
        backoff = JoinBackoff(memory, clock, "radio")
        clock.sleep(backoff.wait_s())
        backoff.tried(1.483)
    assert clock.monotonic() > 11 * 3600
    again = JoinBackoff(memory, VirtualClock(), "radio")  # another boot
    assert again.tries == 100
    assert again.wait_s() > 3600
    again.done()
    assert JoinBackoff(memory, clock, "radio").wait_s() == 0


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
    rig.down(1, 77, 1, 1, 60)  # a repeated token has no second effect, after a restart too
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


@pytest.mark.parametrize("payload", [b"", b"\x00", bytes(51), b"\xff" * 20, b"\x82\x05", b"\x05"])
def test_malformed_downlinks_do_no_harm(tmp_path: Path, payload: bytes) -> None:
    rig = RadioRig(tmp_path)
    rig.run(600)
    rig.network.send(payload)
    rig.run(2 * 3600)
    assert rig.report()["state"] == "ok"
    assert len(rig.far.rows) > 60


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
    for _ in range(20):
        stream.noise = noise
        rig.run(600)
    rig.run(DAY / 6)
    assert len(rig.decoded()) > 330
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


def test_frames_that_lorawan_does_not_carry_are_refused(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    with pytest.raises(LinkError, match="kind -5"):
        rig.link.send(b"\x80", kind=-5)


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
        ("data_rate", 9, "<= 5"),
        ("airtime_s_per_day", 0, ">= 1"),
    ],
)
def test_wrong_radio_settings_are_named(tmp_path: Path, key: str, value: object, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        RadioRig(tmp_path, **{key: value})
    assert hint in str(error.value)
    assert key in str(error.value)


def test_ack_frames_have_their_port() -> None:
    assert PORTS[ACK] == 13
