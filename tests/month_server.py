"""An application server that notices holes and asks for them: at most so many downlinks a day."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.conftest import MONDAY
from tests.month_rig import HOUR, MonthRig

DAY = 86_400
PATIENCE_S = 10 * HOUR  #: a hole from which nothing came for so long is asked for again


@dataclass
class Asked:
    """A resend the server has asked for."""

    token: int
    oldest: int
    newest: int
    times: list[float]  #: when; more than one if nobody confirmed it


@dataclass
class Asker:
    """The application server: which rows never came? Asks for them, `most` times a day.

    The largest hole first, and each once: again only when nothing of it has come for long, and the
    node's hello says that it owes less than is missing there. A downlink that nobody confirms goes
    once more under its token, which the node carries out once.
    """

    rig: MonthRig
    first: int  #: unix time of the first row it expects
    interval_s: int = 60
    most: int = 10
    patience_s: float = 4 * HOUR  #: a row younger than that may be on its way
    asked: list[Asked] = field(default_factory=list)

    def look(self) -> None:
        """Ask for the largest holes, if the node is there."""
        now = self.rig.clock.true_utc()
        if now - self.rig.heard_at > 3 * HOUR:
            return
        left = self.most - sum(self.day(one) == self.day(now) for one in self.times())
        for one in self.asked:
            if one.token not in self.rig.acked and now - one.times[-1] > 6 * HOUR and left > 0:
                left -= 1
                self._ask(one, now)
        holes = [one for one in self.holes(now) if not self._pending(now, *one)]
        for hole in sorted(holes, key=lambda one: one[0] - one[1])[: max(left, 0)]:
            self.asked.append(Asked(len(self.asked) + 1, *hole, []))
            self._ask(self.asked[-1], now)

    def _ask(self, what: Asked, now: float) -> None:
        what.times.append(now)
        slots = range(what.oldest, what.newest + 1, self.interval_s)
        self.rig.asked.update(slots)
        minutes, slot = self.interval_s // 60, what.oldest // self.interval_s
        self.rig.down(4, what.token, 1, minutes, slot, len(slots))

    def times(self) -> list[float]:
        """When it has sent downlinks."""
        return [when for one in self.asked for when in one.times]

    @staticmethod
    def day(when: float) -> float:
        """Which day of the run a unix time belongs to."""
        return (when - MONDAY) // DAY

    def holes(self, now: float) -> list[tuple[int, int]]:
        """First and last missing row of each hole; two with little between them are one."""
        found: list[tuple[int, int]] = []
        for start in range(self.first, int(now - self.patience_s), self.interval_s):
            if (1, start) in self.rig.far.rows:
                continue
            if found and start - found[-1][1] <= 3 * self.interval_s:
                found[-1] = found[-1][0], start
            else:
                found.append((start, start))
        return found

    def _pending(self, now: float, oldest: int, newest: int) -> bool:
        """Asked for, and may still come."""
        tries = [one for one in self.asked if one.oldest <= newest and one.newest >= oldest]
        if not tries:
            return False
        confirmed = self.rig.acked.get(tries[-1].token)
        if confirmed is None:
            return True
        came, slots = self.rig.came, range(oldest, newest + 1, self.interval_s)
        newest_at = max(came.get((1, start), confirmed) for start in slots)
        if now - max(newest_at, confirmed) < PATIENCE_S * 2 ** (len(tries) - 1):
            return True
        missing = sum((1, start) not in came for start in slots)
        return self.rig.owes_at < confirmed or self.rig.owes >= missing
