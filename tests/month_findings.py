"""What came of a month on LoRaWAN."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.sim.lorawan.frame import JOIN_REQUEST, JoinRequest, head_of


@dataclass
class Findings:
    """What came of it. Rows missing, owed or different and numbers used twice: must be none."""

    measured: int
    arrived: int
    asked: int  #: downlinks of the application server
    most_asked: int  #: on one day
    joins: int
    missing: list[tuple[int, ...]]  #: rows that are old enough, never came and are not owed
    owed: int  #: rows that are still to come
    different: list[tuple[int, ...]]  #: rows that came changed
    worst_hour_s: float
    worst_day_s: float
    too_long: int  #: frames over the limit of their data rate
    nonces_twice: int
    counters_twice: int
    ways: Mapping[str, int]  #: rows that came for the first time: live, backfill, resend
    uplinks: int  #: frames on the air, joins too
    airtime_s: float  #: of all of them
    holes: int  #: as the server sees it at the end, slots that nobody measured too


Log = Sequence[tuple[float, object, bytes]]


def nonces_of(log: Log) -> list[int]:
    """DevNonces of all join requests."""
    return [JoinRequest.parse(frame).dev_nonce for _, _, frame in log if frame[0] == JOIN_REQUEST]


def counters_of(log: Log) -> dict[tuple[int, int], set[bytes]]:
    """Different frames by address and counter: a repetition is the same frame."""
    found = defaultdict(set)
    for _, _, frame in log:
        if frame[0] != JOIN_REQUEST:
            counter = int.from_bytes(frame[6:8], "little")
            found[head_of(frame)[1], counter].add(frame)
    return found


def worst(sent: list[tuple[float, float]], window_s: float) -> float:
    """Most seconds on the air within any such time."""
    most, first, total = 0.0, 0, 0.0
    for at, seconds in sent:
        total += seconds
        while sent[first][0] <= at - window_s:
            total -= sent[first][1]
            first += 1
        most = max(most, total)
    return most
