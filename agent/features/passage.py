"""Vehicles over a strain or tilt channel: level against a running median, with hysteresis.

The signal is the mean of half a second less the median of the last minute. The median stands
still during a passage; a vehicle that parks ends its passage after `LONGEST_S` and the baseline
starts anew: how far it moved is told as the level change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

BLOCK_S = 0.5
BASELINE_S = 60.0
LONGEST_S = 120.0
KEPT = round(BASELINE_S / BLOCK_S)
LONGEST = round(LONGEST_S / BLOCK_S)
LEAST = 20  #: half seconds before anything can begin


@dataclass(frozen=True, slots=True)
class Passage:
    """One vehicle."""

    begin: int  #: half second, counted from the first ever seen
    blocks: int  #: half seconds it lasted
    peak: float  #: with its sign, unit of the signal
    area: float  #: unit x s
    level_change: float  #: newest level less the one before: 0 unless it parked


@dataclass(frozen=True, slots=True)
class State:
    """What is carried from window to window."""

    quiet: tuple[float, ...] = ()  #: half seconds of the last minute without a passage
    running: tuple[float, ...] = ()  #: half seconds of the passage now, baseline taken off
    seen: int = 0
    armed: int = 0  #: half second from which on one may begin


def passages(
    blocks: Iterable[float],
    on: float,
    off: float,
    state: State = State(),
    *,
    longest: int = LONGEST,
    rearm: int = 0,
) -> tuple[list[Passage], State]:
    """Passages that ended in `blocks` (means of half a second), and the state to carry on with.

    One begins where the amount reaches `on` and ends where it falls below `off`. `longest` and
    `rearm`: half seconds after which one is ended, and after one in which none begins.
    """
    found: list[Passage] = []
    quiet, running, seen, armed = list(state.quiet), list(state.running), state.seen, state.armed
    for value in blocks:
        rest = median(quiet) if quiet else value
        height = value - rest
        if running and abs(height) >= off and len(running) < longest:
            running.append(height)
        elif running:
            parked = abs(height) >= off
            found.append(_passage(running, seen, height if parked else 0.0))
            running, armed = [], seen + rearm
            quiet = [value] * LEAST if parked else [*quiet, value][-KEPT:]
        elif len(quiet) >= LEAST and abs(height) >= on and seen >= armed:
            running = [height]
        elif seen >= armed or not quiet:
            quiet = [*quiet, value][-KEPT:]
        seen += 1
    return found, State(tuple(quiet), tuple(running), seen, armed)


def interrupted(state: State, rearm: int = 0) -> tuple[Passage | None, State]:
    """The passage that a gap has cut off, and the state after it: the level is still known."""
    if not state.running:
        return None, state
    one = _passage(list(state.running), state.seen, 0.0)
    return one, State(state.quiet, (), state.seen, state.seen + rearm)


def _passage(heights: list[float], seen: int, level_change: float) -> Passage:
    return Passage(
        seen - len(heights),
        len(heights),
        max(heights, key=abs),
        sum(abs(height) for height in heights) * BLOCK_S,
        level_change,
    )
