"""`stadtsinn clock`: who vouches, and a person who does."""

import time
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pytest_mock import MockerFixture

from agent.cli import clock as command
from agent.clock import Clock

JANUARY = 1_767_600_000


@pytest.fixture
def machine(tmp_path: Path, mocker: MockerFixture) -> Path:
    """A machine without a time service and without a chip, whose clock cannot be harmed."""
    (tmp_path / "run").mkdir()
    boot = tmp_path / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("this boot")
    mocker.patch("agent.clock.ntp_synchronised", return_value=False)
    mocker.patch.object(command, "ntp_synchronised", return_value=False)
    mocker.patch.object(command, "Clock", side_effect=partial(Clock, tmp_path))
    mocker.patch.object(command, "told_by_node", return_value=None)
    mocker.patch.object(time, "clock_settime")
    return tmp_path


def told(*arguments: str) -> Result:
    return CliRunner().invoke(command.clock, list(arguments))


def test_show_says_what_would_vouch_and_fails_while_nobody_does(machine: Path) -> None:
    said = told("show")
    assert said.exit_code == 1
    assert "nobody vouches for the time" in said.output
    assert "sudo stadtsinn clock set" in said.output


def test_a_person_vouches_for_the_clock_as_it_is(machine: Path) -> None:
    said = told("set")
    assert said.exit_code == 0
    assert "holds until the machine starts again" in said.output
    assert "no clock chip (RTC) here" in said.output
    assert told("show").exit_code == 0
    assert time.clock_settime.call_count == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "when", ["2026-01-05T08:00Z", "2026-01-05T09:00+01:00", "2026-01-05 08:00:00+00:00"]
)
def test_the_clock_is_set_to_what_a_person_says(machine: Path, when: str) -> None:
    assert told("set", when).exit_code == 0
    time.clock_settime.assert_called_once_with(time.CLOCK_REALTIME, JANUARY)  # type: ignore[attr-defined]


def test_german_dates_are_read(machine: Path) -> None:
    assert time.localtime(command.parsed("05.01.2026 08:00"))[:5] == (2026, 1, 5, 8, 0)


@pytest.mark.parametrize("when", ["1999-01-01", "tomorrow", "2026-13-01"])
def test_what_is_no_time_is_refused(machine: Path, when: str) -> None:
    assert told("set", when).exit_code == 2


def test_where_a_time_service_keeps_the_clock_nothing_is_set(
    machine: Path, mocker: MockerFixture
) -> None:
    mocker.patch.object(command, "ntp_synchronised", return_value=True)
    said = told("set", "2026-01-05 08:00")
    assert (said.exit_code, "time service" in said.output) == (2, True)


def test_only_root_may_set_it(machine: Path, mocker: MockerFixture) -> None:
    mocker.patch.object(time, "clock_settime", side_effect=PermissionError)
    assert "sudo stadtsinn clock set" in told("set", "2026-01-05 08:00").output
