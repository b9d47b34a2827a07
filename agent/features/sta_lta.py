"""STA/LTA: when does an event begin and end.

Recursive short- and long-time averages of the squared signal (Withers et al. 1998, Bull. Seism.
Soc. Am. 88, 95-106), with two additions: the LTA stands still while an event lasts, and below an
absolute floor nothing begins, else a quiet night triggers on nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TINY = 2.2250738585072014e-308  #: smallest normal double: keeps an empty LTA from dividing by 0


@dataclass(frozen=True, slots=True)
class Settings:
    """Lengths in samples, thresholds as ratios of mean squares."""

    short: int  #: samples of the short-time average, 0.5 s
    long: int  #: samples of the long-time average, 10..30 s
    on: float = 4.0
    off: float = 1.5
    floor: float = 0.0  #: rms the short-time average has to exceed, unit of the signal
    freeze: bool = True  #: the LTA stands still during an event
    longest: int | None = None  #: samples after which an event is ended and the LTA starts anew
    rearm: int = 0  #: samples after an event in which none begins; the LTA stands still


@dataclass(frozen=True, slots=True)
class State:
    """What is carried from block to block."""

    sta: float = 0.0
    lta: float = TINY
    seen: int = 0  #: samples so far; nothing triggers in the first `long`
    since: int | None = None  #: sample at which the running event began
    armed: int = 0  #: sample from which on an event may begin


@dataclass(frozen=True, slots=True)
class Edge:
    """Begin or end of an event."""

    sample: int  #: counted from the first sample ever seen
    on: bool


def ratios(
    signal: Iterable[float], settings: Settings, state: State = State()
) -> tuple[list[float], list[Edge], State]:
    """STA/LTA per sample, begins and ends of events, and the state to carry on with.

    `signal`: band-passed samples of one axis, any unit. The ratio is 0 until `long` samples have
    been seen.
    """
    sta, lta, seen, since, armed = state.sta, state.lta, state.seen, state.since, state.armed
    short, long, floor = 1 / settings.short, 1 / settings.long, settings.floor**2
    silence = floor * settings.off / settings.on  # far below it nothing goes on either
    out: list[float] = []
    edges: list[Edge] = []
    for value in signal:
        energy = value * value
        sta += (energy - sta) * short
        if (since is None and seen >= armed) or not settings.freeze:
            lta += (energy - lta) * long
        ratio = sta / max(lta, TINY) if seen >= settings.long else 0.0
        out.append(ratio)
        if since is None:
            if ratio > settings.on and sta > floor and seen >= armed:
                since = seen
                edges.append(Edge(seen, True))
        elif ratio < settings.off or sta < silence or _too_long(seen - since, settings.longest):
            lta = lta if ratio < settings.off or sta < silence else sta
            since, armed = None, seen + settings.rearm
            edges.append(Edge(seen, False))
        seen += 1
    return out, edges, State(sta, lta, seen, since, armed)


def interrupted(settings: Settings, state: State) -> State:
    """The state after a gap: a running event has ended, the noise level is still known."""
    armed = state.armed if state.since is None else state.seen + settings.rearm
    return State(0.0, state.lta, state.seen, None, armed)


def _too_long(samples: int, longest: int | None) -> bool:
    return longest is not None and samples >= longest
