"""Whether the clock may say how old rows are: a step of more than a day has to stand for a day."""

from __future__ import annotations

import json
import logging

from agent.store.ledger import Ledger

log = logging.getLogger(__name__)

DAY_S = 86_400
KEPT = "clock.stood"  #: setting: see `Standing`


class Standing:
    """What the clock said when it was last believed, over restarts of the machine.

    A clock that is years ahead for a while must not empty a store. Where it has stepped it is
    believed again once it has stood by that for a day, by the clock of no lesser rank than before;
    a node that was off for longer has stepped too, for nobody can tell.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._believed: float | None = None  # unix time, moved on with monotonic time
        self._rank = 0  # of whoever said so
        self._new: float | None = None  # what it says since it stepped
        self._stood_s = 0.0
        self._at: float | None = None  # monotonic seconds of the last look

    def load(self, newest_start: int | None) -> None:
        """As kept; a store that has never kept it knows its newest row."""
        kept = json.loads(self.ledger.settings.get(KEPT, b"null"))
        if kept is not None:
            self._believed, self._rank, self._new, self._stood_s = kept
        else:
            self._believed = newest_start

    def believes(self, now: float, utc: float, rank: int) -> bool:
        """Take note of a look at the clock. Whether it may be taken at its word."""
        elapsed_s = 0.0 if self._at is None else now - self._at
        self._at = now
        good = self._look(elapsed_s, utc, rank)
        kept = json.dumps([self._believed, self._rank, self._new, self._stood_s])
        self.ledger.keep(KEPT, kept.encode())
        return good

    def _look(self, elapsed_s: float, utc: float, rank: int) -> bool:
        if self._believed is None or near(utc, self._believed + elapsed_s):
            return self._believe(utc, max(rank, self._rank))
        self._believed += elapsed_s
        if rank < self._rank:
            return False
        if self._new is not None and near(utc, self._new + elapsed_s):
            self._stood_s += elapsed_s
        else:
            self._stood_s = 0.0
            days = (utc - self._believed) / DAY_S
            log.warning("clock=stepped days=%+.0f reason='no row is too old for a day'", days)
        self._new = utc
        return self._stood_s >= DAY_S and self._believe(utc, rank)

    def _believe(self, utc: float, rank: int) -> bool:
        self._believed, self._rank, self._new, self._stood_s = utc, rank, None, 0.0
        return True


def near(one: float, other: float) -> bool:
    """Less than a day apart."""
    return abs(one - other) <= DAY_S
