"""Faults on a timetable: a TOML file that says what breaks when, for demos and tests."""

from __future__ import annotations

import difflib
import errno
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.sim.faults import Faults

KINDS = {
    "unplug": "an instrument is not there",
    "stuck_bus": "a bus is held low",
    "crc_noise": "answers of an instrument have flipped bits",
    "errno": "every exchange with an instrument fails (code = EIO, ETIMEDOUT, …)",
    "slow": "every exchange with an instrument takes a second longer",
    "frozen": "an instrument feels no change",
    "broker_away": "the broker is stopped",
    "clock_unset": "nobody vouches for the clock",
    "clock_jump": "the clock is set by `seconds`",
}
NODE_WIDE = ("broker_away", "clock_unset", "clock_jump")
KEYS = ("at_s", "for_s", "what", "target", "code", "seconds")


class TimetableError(Exception):
    """The file is wrong; the message names file, entry and what was expected."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry: from `at_s` on, for `for_s` seconds."""

    at_s: float
    for_s: float
    what: str
    target: str = ""  #: instrument or bus; empty for node-wide kinds
    code: str = "EIO"
    seconds: float = 0.0

    def active(self, now_s: float) -> bool:
        """Whether it holds `now_s` seconds after the start."""
        return self.at_s <= now_s < self.at_s + self.for_s

    def switch(self, faults: Faults, on: bool) -> None:
        """Switch it on or off at an instrument."""
        if self.what == "unplug":
            faults.unplugged = on
        elif self.what == "crc_noise":
            faults.flip = 0.5 if on else 0.0
        elif self.what == "errno":
            faults.errno = getattr(errno, self.code) if on else 0
        elif self.what == "slow":
            faults.slow_s = 1.0 if on else 0.0
        elif self.what == "frozen":
            faults.frozen = on


def load(path: Path, instruments: Sequence[str], buses: Sequence[str]) -> list[Fault]:
    """Read a timetable. Raises TimetableError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TimetableError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    unknown = [key for key in table if key != "fault"]
    if unknown or not isinstance(table.get("fault"), list):
        raise TimetableError(f"{path}: expected [[fault]] entries, got {unknown or 'none'}")
    return [
        entry(one, f"{path}: fault[{index}]", instruments, buses)
        for index, one in enumerate(table["fault"])
    ]


def entry(
    one: Mapping[str, Any], where: str, instruments: Sequence[str], buses: Sequence[str]
) -> Fault:
    """One [[fault]]. Raises TimetableError."""
    for key in one:
        known(key, KEYS, f"{where}.{key}")
    for key in ("at_s", "for_s"):
        if not isinstance(one.get(key), (int, float)) or one[key] < 0:
            raise TimetableError(f"{where}.{key}: expected seconds from 0, got {one.get(key)!r}")
    what = known(str(one.get("what")), list(KINDS), f"{where}.what")
    target = str(one.get("target", ""))
    if what not in NODE_WIDE:
        known(target, buses if what == "stuck_bus" else instruments, f"{where}.target")
    code = str(one.get("code", "EIO"))
    known(code, list(errno.errorcode.values()), f"{where}.code")
    seconds = one.get("seconds", 0)
    if not isinstance(seconds, (int, float)):
        raise TimetableError(f"{where}.seconds: expected a number, got {seconds!r}")
    return Fault(one["at_s"], one["for_s"], what, target, code, seconds)


def known(word: str, words: Sequence[str], where: str) -> str:
    """`word` if it is one of `words`. Raises TimetableError with the nearest."""
    if word in words:
        return word
    close = difflib.get_close_matches(word, words, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(words[:12])}"
    raise TimetableError(f"{where}: '{word}' is unknown; {hint}")
