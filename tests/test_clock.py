"""Time: trust, offsets, waiting with beats, simulated and virtual clocks."""

import threading
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from agent import clock as clocks
from agent.clock import (
    BUILT,
    Clock,
    SimClock,
    VirtualClock,
    chrony_synchronised,
    ntp_synchronised,
    ntpd_synchronised,
    vouch_by_hand,
)


class Machine(Clock):
    """The real clock logic on times that the test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.mono, self.system, self.source = 100.0, BUILT + 1000.0, ""

    def monotonic(self) -> float:
        return self.mono

    def system_utc(self) -> float:
        return self.system

    def _vouched(self) -> str:
        return self.source


def test_nothing_is_trusted_until_somebody_vouches() -> None:
    clock = Machine()
    assert clock.utc() is None
    clock.source = "ntp"
    assert clock.utc() is None  # asked every 30 s
    clock.mono += 30
    clock.system += 30
    assert clock.utc() == pytest.approx(BUILT + 1030)
    assert clock.trust == "ntp"


def test_a_time_before_the_build_is_refused_whoever_says_so() -> None:
    clock = Machine()
    clock.source, clock.system = "ntp", 0.0
    assert clock.utc() is None
    assert not clock.set_utc(BUILT - 1, "lorawan")


def test_a_link_gives_the_time_to_a_node_without_clock() -> None:
    clock = Machine()
    clock.system = 0.0
    assert clock.set_utc(BUILT + 5.0, "lorawan")
    clock.mono += 10
    assert clock.utc() == pytest.approx(BUILT + 15)


def test_ntp_is_better_than_the_link_and_ends_its_offset() -> None:
    clock = Machine()
    clock.set_utc(BUILT + 5.0, "lorawan")
    clock.source = "ntp"
    clock.mono += 31
    assert clock.utc() is not None
    assert clock.trust == "ntp"
    assert clock.utc() == pytest.approx(BUILT + 1000)
    assert not clock.set_utc(BUILT + 5.0, "lorawan")


def test_the_offset_follows_a_clock_that_drifts_or_is_set() -> None:
    clock = Machine()
    clock.source = "ntp"
    before = clock.offset()
    clock.system += 3600
    assert clock.offset() == pytest.approx((before or 0) + 3600)


def test_waiting_ends_early_on_a_wake_and_clears_it() -> None:
    clock, wake = Clock(), threading.Event()
    wake.set()
    assert clock.wait(wake, 60)
    assert not wake.is_set()
    assert not clock.wait(wake, 0.001)
    assert threading.current_thread().name in clock.beats


def test_a_long_wait_beats_every_ten_seconds() -> None:
    clock, wake = VirtualClock(), threading.Event()
    beats = []
    clock.beat = lambda: beats.append(clock.monotonic())  # type: ignore[method-assign]
    clock.wait(wake, 35)
    assert beats == [0, 10, 20, 30]
    assert clock.monotonic() == 35


def test_a_virtual_clock_stands_still_until_told() -> None:
    clock = VirtualClock(start=BUILT + 10.0)
    clock.sleep(5)
    clock.advance_to(3)
    clock.advance_to(8)
    assert (clock.monotonic(), clock.utc()) == (8, BUILT + 18)
    wake = threading.Event()
    wake.set()
    assert clock.wait(wake, 100)
    assert clock.monotonic() == 8


def test_a_simulated_clock_runs_fast() -> None:
    clock, wake = SimClock(BUILT, speed=1000), threading.Event()
    before = clock.monotonic()
    clock.sleep(2)
    clock.wait(wake, 2)
    assert clock.monotonic() - before >= 4
    assert clock.boot_id().startswith("sim-")


def test_the_machines_own_clock_answers() -> None:
    clock = Clock()
    assert clock.monotonic() > 0
    assert clock.system_utc() > BUILT
    assert len(clock.boot_id()) == 36
    clock.sleep(0)


def test_systemd_is_asked_whether_the_clock_is_synchronised(mocker: MockerFixture) -> None:
    run = mocker.patch("agent.clock.subprocess.run")
    run.return_value.stdout = "yes\n"
    assert ntp_synchronised()
    run.side_effect = FileNotFoundError
    assert not ntp_synchronised()


def test_the_mark_of_timesyncd_and_the_clock_chip_vouch(
    tmp_path: Path, mocker: MockerFixture
) -> None:
    mocker.patch.object(clocks, "ntp_synchronised", return_value=False)
    assert Clock(tmp_path).offset() is None
    chip, mark = tmp_path / "sys/class/rtc/rtc0/hctosys", tmp_path / "run/systemd/timesync"
    chip.parent.mkdir(parents=True)
    chip.write_text("1\n")
    clock = Clock(tmp_path)
    assert clock.offset() is not None
    assert clock.trust == "rtc"
    mark.mkdir(parents=True)
    (mark / "synchronized").touch()
    clock = Clock(tmp_path)
    assert clock.utc() is not None
    assert clock.trust == "ntp"


def test_the_boot_is_the_machines_and_without_one_this_process_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "proc/sys/kernel/random/boot_id"
    clock = Clock(tmp_path)
    own = clock.boot_id()
    assert clock.boot_id() == own
    assert Clock(tmp_path).boot_id() != own
    assert [one.message for one in caplog.records if "boot=own" in one.message] == [
        "boot=own reason='/proc/sys/kernel/random/boot_id: No such file or directory'"
    ] * 2  # each clock once
    kept.parent.mkdir(parents=True)
    kept.write_text("5c1d2f50-7a1e-4cfb-9d3a-0a4c3c1f9d11\n")
    assert clock.boot_id() == "5c1d2f50-7a1e-4cfb-9d3a-0a4c3c1f9d11"


def test_only_sources_that_the_profile_trusts_count() -> None:
    clock = Machine()
    clock.accepts, clock.source = ("lorawan",), "rtc"
    clock.mono += 31
    assert clock.offset() is None
    assert clock.set_utc(BUILT + 5.0, "lorawan")
    clock.source = "ntp"
    clock.mono += 31
    assert (clock.utc(), clock.trust) == (BUILT + 36.0, "lorawan")


def test_the_system_is_believed_only_where_the_profile_says_so(
    tmp_path: Path, mocker: MockerFixture
) -> None:
    mocker.patch.object(clocks, "ntp_synchronised", return_value=False)
    assert Clock(tmp_path).utc() is None
    clock = Clock(tmp_path, ("ntp", "system"))
    assert clock.utc() is not None
    assert clock.trust == "system"


def test_one_plain_line_says_who_vouches_and_who_would(
    tmp_path: Path, mocker: MockerFixture
) -> None:
    mocker.patch.object(clocks, "ntp_synchronised", return_value=False)
    clock = Clock(tmp_path)
    assert clock.told() == (
        "nobody vouches for the time; a time service (NTP), the LoRaWAN network, "
        "a clock chip (RTC) would, or set it: sudo stadtsinn clock set"
    )
    (tmp_path / "run").mkdir()
    vouch_by_hand(clock)
    clock.look_again()
    assert clock.told() == (
        "a person (stadtsinn clock set) vouches for the time; "
        "better would be a time service (NTP) or the LoRaWAN network"
    )
    assert clock.set_utc(BUILT + 5.0, "lorawan")
    assert not clock.set_utc(BUILT + 5.0, "rtc")


def test_the_mark_of_a_person_follows_no_link_and_ends_with_the_boot(tmp_path: Path) -> None:
    mark = tmp_path / "run/stadtsinn-clock"
    mark.parent.mkdir()
    mark.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic"):
        vouch_by_hand(Clock(tmp_path))
    mark.unlink()
    mark.write_text("another boot")
    clock = Clock(tmp_path)
    assert not clock._set_by_hand()


def test_a_chip_that_says_something_else_does_not_vouch(
    tmp_path: Path, mocker: MockerFixture
) -> None:
    mocker.patch.object(clocks, "ntp_synchronised", return_value=False)
    chip = tmp_path / "sys/class/rtc/rtc0"
    chip.mkdir(parents=True)
    (chip / "hctosys").write_text("1\n")
    (chip / "since_epoch").write_text("37\n")
    assert Clock(tmp_path).offset() is None
    (chip / "since_epoch").write_text(f"{Clock(tmp_path).system_utc():.0f}\n")
    assert Clock(tmp_path).offset() is not None


@pytest.mark.parametrize(
    ("says", "good"),
    [
        ("C0A80101,192.168.1.1,3,1767600000.1,0.0,0,0,0,0,0,0,0,64.2,Normal\n", True),
        ("00000000,,0,0.0,0,0,0,0,0,0,0,0,0,Not synchronised\n", False),
        ("7F7F0101,,10,1767600000.1,0,0,0,0,0,0,0,0,0,Normal\n", False),
        ("506 Cannot talk to daemon\n", False),
        ("", False),
    ],
)
def test_chrony_is_asked_itself(says: str, good: bool) -> None:
    assert chrony_synchronised(says) is good


@pytest.mark.parametrize(
    ("says", "good"),
    [
        ("associd=0 status=0615 leap_none, sync_ntp, 1 event, clock_sync,\n", True),
        ("associd=0 status=c016 leap_alarm, sync_unspec, 1 event, restart,\n", False),
        ("associd=0 status=0515 leap_none, sync_local, 1 event, clock_sync,\n", False),
        ("", False),
    ],
)
def test_ntpsec_is_asked_itself(says: str, good: bool) -> None:
    assert ntpd_synchronised(says) is good
