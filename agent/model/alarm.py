"""Thresholds on columns: hysteresis and hold time, in whole steps of the column."""

from __future__ import annotations

from dataclasses import dataclass

from agent.model.schema import Cell, Missing

CLEARED, ABOVE, BELOW = 0, 1, 2  # WIRE.md section 4, event codes


@dataclass
class Alarm:
    """The thresholds of one column. Limits are raw values; None switches one off."""

    column: int  #: index in the table
    above: int | None = None
    below: int | None = None
    hysteresis: int = 0
    hold_s: float = 0.0
    code: int = CLEARED  #: what was told last
    _pending: int = CLEARED
    _since: float = 0.0

    def check(self, cell: Cell, now: float) -> int | None:
        """The event code that is due now (monotonic seconds), or None.

        A missing value changes nothing, except that a value off the sensor's range is above
        (or below) every limit.
        """
        code = self._code(cell)
        if code is None or code == self.code:
            self._pending = self.code
            return None
        if code != self._pending:
            self._pending, self._since = code, now
        if now - self._since < self.hold_s:
            return None
        self.code = code
        return code

    def _code(self, cell: Cell) -> int | None:
        if isinstance(cell, Missing):
            return self._off_range(cell)
        if self.above is not None and cell > self._limit(self.above, ABOVE, -1):
            return ABOVE
        if self.below is not None and cell < self._limit(self.below, BELOW, 1):
            return BELOW
        return CLEARED

    def _off_range(self, cell: Missing) -> int | None:
        if cell is Missing.ABOVE:
            return CLEARED if self.above is None else ABOVE
        if cell is Missing.BELOW:
            return CLEARED if self.below is None else BELOW
        return None

    def _limit(self, limit: int, code: int, sign: int) -> int:
        """The limit, moved by the hysteresis while its alarm stands."""
        return limit + sign * self.hysteresis if self.code == code else limit
