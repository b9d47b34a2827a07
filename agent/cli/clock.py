"""`stadtsinn clock`: who vouches for the time; what a person does where nobody does.

The clock itself is agent/clock.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import click

from agent.cli.options import BAD
from agent.cli.status import STATE
from agent.clock import BUILT, Clock, ntp_synchronised, vouch_by_hand

FORMS = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M")  #: beside ISO 8601
HWCLOCK = ("hwclock", "--systohc", "--utc")
CHIP = "dev/rtc0"


@click.group(
    epilog="""\b
    Example:
      stadtsinn clock show
      sudo stadtsinn clock set "2026-05-01 14:30"
    """
)
def clock() -> None:
    """Who vouches for the time; set it by hand.

    A node without a network has no time service. A clock chip (RTC) keeps the time over a power
    cut; without one somebody has to set it, and measures get their times from then on, those
    since the machine started too.
    """


@clock.command()
def show() -> None:
    """Who vouches for the time, and who would. Exit code 1 while nobody does."""
    mine = Clock()
    click.echo(f"{spoken(mine.system_utc())} by this machine")
    click.echo(mine.told())
    if (running := told_by_node()) is not None:
        click.echo(f"the running node: {running}")
    sys.exit(0 if mine.trust or (running and not running.startswith("nobody")) else BAD)


@clock.command("set")
@click.argument("when", required=False)
def set_(when: str | None) -> None:
    """Stand by the time: WHEN, or as the machine has it now.

    WHEN is "2026-05-01 14:30", "01.05.2026 14:30" (time of this machine's zone), or has a zone of
    its own ("2026-05-01T12:30Z"). It is written to a clock chip too where there is one. Holds
    until the machine starts again.
    """
    mine = Clock()
    unix = mine.system_utc() if when is None else parsed(when)
    if unix < BUILT:
        raise click.UsageError(f"{spoken(unix)} cannot be: it lies before this software was made")
    if when is not None and ntp_synchronised():
        raise click.UsageError("a time service (NTP) keeps this clock: nothing is to be set")
    try:
        if when is not None:
            time.clock_settime(time.CLOCK_REALTIME, unix)
        vouch_by_hand(mine)
    except PermissionError:
        raise click.UsageError("only root may set the clock: sudo stadtsinn clock set") from None
    except OSError as error:
        click.echo(f"stadtsinn: the clock was not set: {error.strerror}", err=True)
        sys.exit(BAD)
    click.echo(f"{spoken(unix)}: holds until the machine starts again{kept_by_chip(mine)}")


def parsed(text: str) -> float:
    """Unix time. Raises UsageError."""
    for form in FORMS:
        try:
            return datetime.strptime(text, form).timestamp()
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise click.UsageError(f'{text} is no time: "2026-05-01 14:30"') from None


def spoken(unix: float) -> str:
    """In this machine's zone, and in UTC."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S %Z', time.localtime(unix))} ({round(unix)})"


def kept_by_chip(mine: Clock) -> str:
    """Whether a clock chip has taken it, in words."""
    if not (mine.root / CHIP).exists():
        return "; no clock chip (RTC) here that would keep it"
    try:
        done = subprocess.run(HWCLOCK, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        done = False
    return ", and the clock chip keeps it" if done else "; the clock chip did not take it (hwclock)"


def told_by_node(path: Path = STATE) -> str | None:
    """What the running node says of its clock; None where none runs."""
    try:
        told = json.loads(path.read_text())["clock_told"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(told)
