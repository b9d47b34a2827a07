"""What of a modem's numbers can be true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

EARLIEST, LATEST = 1_767_225_600, 4_102_444_800  # 2026 and 2100: outside it is unset or garbled

LONGEST_WAIT_S = 3600.0  # the duty cycle is counted by the hour: a longer wait is a garbled one


def waiting(milliseconds: str) -> float:
    """Seconds to wait for the duty cycle."""
    return min(int(milliseconds) / 1000, LONGEST_WAIT_S)


def believable(unix: float) -> float | None:
    """The time in unix seconds; None if it cannot be true."""
    return unix if EARLIEST <= unix < LATEST else None


def moment(fields: Sequence[int]) -> float | None:
    """Unix seconds of (year, month, day, hour, minute, second) UTC; None if that cannot be true."""
    year, month, day, hour, minute, second = fields
    try:
        return believable(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        return None
