"""One clock for everything: monotonic time, UTC and how far it is to be trusted, waiting, beats.

What a person sees and sets of it: agent/cli/clock.py.
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

BEAT_S = 10.0  #: no wait is longer without a beat for the watchdog
BUILT = 1_767_225_600  # 2026-01-01: no node of this software has ever lived earlier
NTP_MARK = "run/systemd/timesync/synchronized"
ASK_NTP_S = 30.0
ASK_NTP_TRUSTED_S = 3600.0
#: whom to believe more: nobody, the system as it is, clock chip, a person, network, time service
RANK = ("", "system", "rtc", "hand", "lorawan", "ntp", "gnss")
TRUST = ("ntp", "lorawan", "rtc")  #: who counts where the profile says nothing
BOOT_ID = "proc/sys/kernel/random/boot_id"  # random(4)
RTC = "sys/class/rtc/rtc0/hctosys"
RTC_NOW = "sys/class/rtc/rtc0/since_epoch"
RTC_OFF_S = 60.0  #: a chip that says something else than the system did not set it to this
BY_HAND = "run/stadtsinn-clock"  #: root's alone; gone with the boot
WORDS = {
    "gnss": "GNSS",
    "ntp": "a time service (NTP)",
    "lorawan": "the LoRaWAN network",
    "hand": "a person (stadtsinn clock set)",
    "rtc": "a clock chip (RTC)",
    "system": "the system as it is",
}


class Reckoning(NamedTuple):
    """How unix time is told from monotonic time, and who says so."""

    source: str  #: one of RANK
    offset_ms: int  #: unix minus monotonic milliseconds

    @property
    def rank(self) -> int:
        """The higher, the more it is to be believed; 0 for a source that nobody knows here."""
        return RANK.index(self.source) if self.source in RANK else 0


class Clock:
    """The clocks of this machine. Satisfies `drivers.api.Timer`.

    `root` is where its /proc, /sys and /run lie.
    """

    def __init__(self, root: Path = Path("/"), accepts: Collection[str] = TRUST) -> None:
        self.root = root
        self.accepts = accepts  #: sources that count here; a person always does
        self.beats: dict[str, float] = {}  #: thread name -> monotonic time of its last sign of life
        self.trust = ""  #: what vouches for UTC, of RANK; empty while nothing does
        self._offset: float | None = None  # given from outside (LoRaWAN), else read at each ask
        self._ask_at = 0.0
        self._ask = threading.Lock()
        self._own_boot = ""  # stands for the machine's, where it has none

    def monotonic(self) -> float:
        """Seconds since the machine started; never jumps."""
        return time.monotonic()

    def system_utc(self) -> float:
        """Unix time as the system believes it, right or wrong."""
        return time.time()

    def boot_id(self) -> str:
        """An identity of this start of the machine.

        Where the machine tells none (macOS), of this process: rows of an earlier one that have no
        date yet stay without, because nobody knows how its monotonic time lies to ours.
        """
        try:
            return (self.root / BOOT_ID).read_text().strip()
        except OSError as error:
            if not self._own_boot:
                self._own_boot = str(uuid.uuid4())
                log.warning("boot=own reason='/%s: %s'", BOOT_ID, error.strerror)
            return self._own_boot

    def offset(self) -> float | None:
        """Unix time minus monotonic time in seconds; None while no trusted source has spoken."""
        self._look()
        if not self.trust:
            return None
        if self._offset is not None:
            return self._offset
        utc = self.system_utc()
        return utc - self.monotonic() if utc >= BUILT else None

    def reckoning(self) -> Reckoning | None:
        """What dates a row now, None while no trusted source has spoken."""
        offset = self.offset()
        return None if offset is None else Reckoning(self.trust, round(offset * 1000))

    def utc(self) -> float | None:
        """Trusted unix time, or None."""
        offset = self.offset()
        return None if offset is None else self.monotonic() + offset

    def set_utc(self, unix: float, source: str) -> bool:
        """Accept the time from a link (LoRaWAN device time), unless a better source vouches."""
        better = RANK.index(self.trust) > RANK.index(source)
        if better or unix < BUILT or not self._counts(source):
            return False
        self._offset, self.trust = unix - self.monotonic(), source
        log.info("clock=trusted source=%s", source)
        return True

    def recall(self, known: Reckoning) -> None:
        """What this boot knew before the process began anew: monotonic time has run on since."""
        if known.rank > RANK.index(self.trust) and self._counts(known.source):
            self._offset, self.trust = known.offset_ms / 1000, known.source
            log.info("clock=recalled source=%s", known.source)

    def look_again(self) -> None:
        """Ask who vouches at the next occasion: the system clock was set."""
        self._ask_at = 0.0

    def told(self) -> str:
        """One plain line: who vouches for the time, and who would."""
        self._look()
        known = RANK.index(self.trust)
        better = [WORDS[one] for one in RANK[:known:-1] if one in self.accepts]
        if self.trust:
            more = f"; better would be {' or '.join(better)}" if better else ""
            return f"{WORDS[self.trust]} vouches for the time{more}"
        by_hand = "or set it: sudo stadtsinn clock set"
        return f"nobody vouches for the time; {', '.join(better)} would, {by_hand}"

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        time.sleep(seconds)

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        """Wait `seconds`, less if `wake` is set, which is returned and cleared. Beats meanwhile."""
        end = self.monotonic() + seconds
        while True:
            self.beat()
            left = max(end - self.monotonic(), 0)
            woken = self._event_wait(wake, min(left, BEAT_S))
            if woken:
                wake.clear()
            if woken or left <= BEAT_S:
                return woken

    def beat(self) -> None:
        """Tell the watchdog that the calling thread makes progress."""
        self.beats[threading.current_thread().name] = self.monotonic()

    def _event_wait(self, wake: threading.Event, seconds: float) -> bool:
        return wake.wait(seconds)

    def _look(self) -> None:
        """Ask every 30 s, hourly once trusted, whether the system clock is synchronised."""
        now = self.monotonic()
        if now < self._ask_at:
            return
        with self._ask:
            if now < self._ask_at:
                return
            source = self._vouched()
            source = source if self._counts(source) else ""
            self._ask_at = now + (ASK_NTP_TRUSTED_S if source == "ntp" else ASK_NTP_S)
            if source == "ntp":
                self._offset = None
            if RANK.index(source) > RANK.index(self.trust):
                log.info("clock=trusted source=%s", source)
                self.trust = source

    def _counts(self, source: str) -> bool:
        return source in self.accepts or source == "hand"

    def _vouched(self) -> str:
        """The best that vouches for the system clock."""
        if self.system_utc() < BUILT:
            return ""
        asked: dict[str, Callable[[], bool]] = {
            "ntp": lambda: (self.root / NTP_MARK).exists() or ntp_synchronised(),
            "hand": self._set_by_hand,
            "rtc": self._set_from_rtc,
            "system": lambda: True,
        }
        return next((one for one, vouches in asked.items() if self._counts(one) and vouches()), "")

    def _set_by_hand(self) -> bool:
        """Whether somebody has set it since the machine started."""
        try:
            return (self.root / BY_HAND).read_text() == self.boot_id()
        except OSError:
            return False

    def _set_from_rtc(self) -> bool:
        """Whether the kernel took the time from a clock chip (Linux ABI, sysfs-class-rtc)."""
        try:
            if (self.root / RTC).read_text().strip() != "1":
                return False
        except OSError:
            return False
        try:  # a Pi 5 without a battery begins in 1970, and something else set the clock
            chip = float((self.root / RTC_NOW).read_text())
        except (OSError, ValueError):
            return True
        return abs(chip - self.system_utc()) <= RTC_OFF_S


def vouch_by_hand(clock: Clock) -> None:
    """A person stands by the system clock until the machine starts again. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    mark = os.open(clock.root / BY_HAND, flags, 0o644)
    with os.fdopen(mark, "w") as file:
        file.write(clock.boot_id())


def ntp_synchronised() -> bool:
    """Whether any time service keeps the clock: systemd knows of most, else they are asked."""
    if _answer("timedatectl", "show", "-p", "NTPSynchronized", "--value").strip() == "yes":
        return True
    return chrony_synchronised(_answer("chronyc", "-c", "-n", "tracking")) or ntpd_synchronised(
        _answer("ntpq", "-c", "rv")
    )


def chrony_synchronised(tracking: str) -> bool:
    """What `chronyc -c tracking` says: the first field is the reference, the last the leap status.

    Without the directive rtcsync the kernel, and so systemd, is not told (chrony.conf(5)).
    """
    fields = tracking.strip().split(",")
    nobody = ("00000000", "7F7F0101")  # none, and its own local clock (chronyc(1))
    return len(fields) > 2 and fields[0] not in nobody and fields[-1] != "Not synchronised"


def ntpd_synchronised(variables: str) -> bool:
    """What `ntpq -c rv` says of ntpd or ntpsec: leap and source are words in its first line."""
    no = ("leap_alarm", "sync_unspec", "sync_local")
    return "leap_" in variables and not any(word in variables for word in no)


def _answer(*command: str) -> str:
    """What a command prints; nothing where there is no such command, or no answer."""
    # without the service manager's socket: timedatectl would report its own end there
    own = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=5, check=False, env=own
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout


class SimClock(Clock):
    """A clock for demos: starts at `start` (unix time), runs `speed` times as fast."""

    def __init__(self, start: float, speed: float = 1.0, *, trust: str = "ntp") -> None:
        super().__init__()
        self.speed, self._start, self._zero = speed, start, time.monotonic()
        self._source = trust
        self.jump_s = 0.0  #: added to UTC; faults set it

    def monotonic(self) -> float:
        """Simulated seconds since this clock was made."""
        return (time.monotonic() - self._zero) * self.speed

    def system_utc(self) -> float:
        """Simulated unix time."""
        return self._start + self.jump_s + self.monotonic()

    def true_utc(self) -> float:
        """Unix time as it is in the simulated world, whatever the node's clock says."""
        return self._start + self.monotonic()

    def unset(self, on: bool) -> None:
        """Nobody vouches for the clock any more, or somebody does again."""
        self._source, self.trust, self._ask_at = "" if on else "ntp", "", 0.0

    def boot_id(self) -> str:
        """One per clock object."""
        return f"sim-{id(self):x}-{self._zero}"

    def sleep(self, seconds: float) -> None:
        """Return after `seconds` of simulated time."""
        time.sleep(seconds / self.speed)

    def _event_wait(self, wake: threading.Event, seconds: float) -> bool:
        return wake.wait(seconds / self.speed)

    def _vouched(self) -> str:
        return self._source


class VirtualClock(SimClock):
    """A clock that stands still until somebody sleeps or advances it: months in minutes."""

    def __init__(self, start: float = 1_772_000_000.0, *, trust: str = "ntp") -> None:
        super().__init__(start, trust=trust)
        self._now = 0.0

    def monotonic(self) -> float:
        """Virtual seconds since this clock was made."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self._now += seconds

    def advance_to(self, monotonic: float) -> None:
        """Let time pass until `monotonic`."""
        self._now = max(self._now, monotonic)

    def _event_wait(self, wake: threading.Event, seconds: float) -> bool:
        if wake.is_set():
            return True
        self._now += seconds
        return False
