"""What may go wrong with a simulated bridge from a date on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

DAY_S = 86_400
MONTH_S = 365.25 / 12 * DAY_S


@dataclass(frozen=True, slots=True)
class FrequencyDrop:
    """A mode lies lower (`share` below 0) than it did."""

    since: float  #: unix seconds
    mode: int  #: from 1
    share: float  #: of its frequency


@dataclass(frozen=True, slots=True)
class CrackDrift:
    """A crack opens for good."""

    since: float  #: unix seconds
    crack: int  #: from 1
    mm_per_month: float


@dataclass(frozen=True, slots=True)
class BearingTilt:
    """The western bearing gives way: at once, slowly, or both."""

    since: float  #: unix seconds
    axis: Literal["x", "y"] = "x"
    deg: float = 0.0
    deg_per_day: float = 0.0


Defect = FrequencyDrop | CrackDrift | BearingTilt


def frequency_share(defects: Sequence[Defect], mode: int, unix: float) -> float:
    """What is left of a mode's frequency, as share."""
    left = 1.0
    for one in defects:
        if isinstance(one, FrequencyDrop) and one.mode == mode and unix >= one.since:
            left *= 1 + one.share
    return left


def crack_mm(defects: Sequence[Defect], crack: int, unix: float) -> float:
    """How much wider a crack is."""
    drifts = (one for one in defects if isinstance(one, CrackDrift) and one.crack == crack)
    return sum(max(unix - one.since, 0) / MONTH_S * one.mm_per_month for one in drifts)


def bearing_deg(defects: Sequence[Defect], axis: str, unix: float) -> float:
    """How much more the deck leans at its western end."""
    leans = (one for one in defects if isinstance(one, BearingTilt) and one.axis == axis)
    since = ((one, unix - one.since) for one in leans if unix >= one.since)
    return sum(one.deg + passed / DAY_S * one.deg_per_day for one, passed in since)
