"""Airtime as a budget of one link: fair use per day, duty cycle per hour; survives a power cut.

The day is a bucket that fills evenly (DESIGN section 4): an alarm may empty it, live rows leave a
tenth, back-fill runs only above half. Besides, no 24 hours ever hold more than the day's budget,
and no hour more than the duty cycle (ETSI EN 300 220-2: per sub-band and hour). Of those 24 hours
back-fill takes half at most, spread over the day, and never what all others have used: else a
backlog would keep live rows waiting a day later. A modem does not say which channel it took, so all
frames are booked on one sub-band: the safe side.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Protocol

from agent.clock import Clock

DAY_S, HOUR_S = 86_400.0, 3600.0
MARGIN_S = 10.0  #: a frame is booked when it begins, and has its end later
PARTS = 8  #: back-fill spreads over the day: no three hours hold more than their part
#: share of the day that each leaves
RESERVED = {"alarm": 0.0, "message": 0.1, "withdrawn": 0.1, "live": 0.1, "backfill": 0.5}


Sent = tuple[float, float, bool]  #: ledger time, seconds, whether it was back-fill


class Memory(Protocol):
    """The part of the store a ledger needs."""

    def setting(self, key: str) -> bytes | None:
        """A value kept under a name."""
        ...

    def set_setting(self, key: str, value: bytes) -> None:
        """Keep a value, on disk on return."""
        ...


class Scratch:
    """A memory that ends with the process."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def setting(self, key: str) -> bytes | None:
        """A value kept under a name."""
        return self._kept.get(key)

    def set_setting(self, key: str, value: bytes) -> None:
        """Keep a value."""
        self._kept[key] = value


class Airtime:
    """The ledger of one link. Its own time goes on over restarts, as far as anybody knows."""

    def __init__(
        self, memory: Memory, clock: Clock, link: str, day_s: float = 30.0, duty: float = 0.01
    ) -> None:
        self.memory, self.clock, self.key = memory, clock, f"airtime/{link}"
        self.day_s, self.hour_s = day_s, HOUR_S * duty
        self._level, self._at = day_s, 0.0  # of the bucket, at ledger time
        self._zero = clock.monotonic()  # ledger time is monotonic time less this
        self._sent: list[Sent] = []  # of the last 24 h
        self._load()

    def wait_s(self, seconds: float, priority: str) -> float:
        """How long a frame of so many seconds has to wait; infinite if it never may go."""
        if seconds > min(self.day_s, self.hour_s):
            return math.inf
        now = self._now()
        floor = min(RESERVED[priority] * self.day_s, self.day_s - seconds)
        filling = (floor + seconds - self._filled(now)) * DAY_S / self.day_s
        day = until_room(self._sent, now, DAY_S + MARGIN_S, self.day_s - seconds)
        hour = until_room(self._sent, now, HOUR_S + MARGIN_S, self.hour_s - seconds)
        share = self._backfill_wait(seconds, now) if priority == "backfill" else 0.0
        return max(filling, day, hour, share, 0.0)

    def _backfill_wait(self, seconds: float, now: float) -> float:
        """Until back-fill has room in what all others leave it of 24 hours."""
        others = sum(
            spent for at, spent, backfill in self._sent if not backfill and at > now - DAY_S
        )
        most = (1 - RESERVED["backfill"]) * self.day_s
        share = max(min(most, (1 - RESERVED["live"]) * self.day_s - others), seconds)
        sent = [one for one in self._sent if one[2]]
        part = max(share / PARTS, seconds)
        return max(
            until_room(sent, now, DAY_S + MARGIN_S, share - seconds),
            until_room(sent, now, DAY_S / PARTS, part - seconds),
        )

    def book(self, seconds: float, priority: str = "live") -> None:
        """Write down a frame; before it leaves, so that a power cut forgets none."""
        now = self._now()
        self._level, self._at = self._filled(now) - seconds, now
        self._sent = [one for one in self._sent if one[0] > now - DAY_S - MARGIN_S]
        self._sent.append((now, seconds, priority == "backfill"))
        self._save()

    def give_back(self, seconds: float) -> None:
        """The frame booked last did not leave, or was so much shorter."""
        when, booked, backfill = self._sent.pop()
        self._level = min(self._level + seconds, self.day_s)
        if booked > seconds:
            self._sent.append((when, booked - seconds, backfill))
        self._save()

    def spent_s(self, within_s: float = DAY_S) -> float:
        """Seconds on the air lately."""
        now = self._now()
        return sum(seconds for at, seconds, _ in self._sent if at > now - within_s)

    def level(self) -> float:
        """How full the bucket is, 0 to 1."""
        return max(self._filled(self._now()) / self.day_s, 0.0)

    def _now(self) -> float:
        return self.clock.monotonic() - self._zero

    def _filled(self, now: float) -> float:
        return min(self._level + (now - self._at) * self.day_s / DAY_S, self.day_s)

    # -- on disk -----------------------------------------------------------------------------

    def _save(self) -> None:
        clock = self.clock
        kept = {
            "boot": clock.boot_id(),
            "mono": clock.monotonic(),
            "utc": clock.utc(),
            "at": self._now(),
            "level": self._filled(self._now()),
            "sent": [[round(at, 1), round(s, 4), int(back)] for at, s, back in self._sent],
        }
        self.memory.set_setting(self.key, json.dumps(kept).encode())

    def _load(self) -> None:
        text = self.memory.setting(self.key)
        if text is None:
            return
        kept = json.loads(text)
        self._at, self._level = kept["at"], min(kept["level"], self.day_s)
        self._sent = [(at, seconds, bool(backfill)) for at, seconds, backfill in kept["sent"]]
        self._zero = self.clock.monotonic() - kept["at"] - self._since(kept)

    def _since(self, kept: dict[str, Any]) -> float:
        """Seconds since it was written: none where nobody can know."""
        utc = self.clock.utc()
        if kept["boot"] == self.clock.boot_id():
            return max(self.clock.monotonic() - float(kept["mono"]), 0.0)
        if utc is not None and kept["utc"] is not None:
            return max(utc - float(kept["utc"]), 0.0)
        return 0.0


def until_room(sent: Sequence[Sent], now: float, window_s: float, room_s: float) -> float:
    """Seconds until the frames of a window leave `room_s`, oldest first."""
    within = [one for one in sent if one[0] > now - window_s]
    over = sum(seconds for _, seconds, _ in within) - room_s
    wait_s = 0.0
    for at, seconds, _ in within:
        if over <= 1e-9:
            break
        over -= seconds
        wait_s = at + window_s - now
    return wait_s
