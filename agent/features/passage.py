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


def passages(
    blocks: Iterable[float], on: float, off: float, state: State = State()
) -> tuple[list[Passage], State]:
    """Passages that ended in `blocks` (means of half a second), and the state to carry on with.

    One begins where the amount reaches `on` and ends where it falls below `off`.
    """
    found: list[Passage] = []
    quiet, running, seen = list(state.quiet), list(state.running), state.seen
    for value in blocks:
        rest = median(quiet) if quiet else value
        height = value - rest
        if running and abs(height) >= off and len(running) < LONGEST:
            running.append(height)
        elif running:
            parked = abs(height) >= off
            found.append(_passage(running, seen, height if parked else 0.0))
            running = []
            quiet = [value] * LEAST if parked else [*quiet, value][-KEPT:]
        elif len(quiet) >= LEAST and abs(height) >= on:
            running = [height]
        else:
            quiet = [*quiet, value][-KEPT:]
        seen += 1
    return found, State(tuple(quiet), tuple(running), seen)


def _passage(heights: list[float], seen: int, level_change: float) -> Passage:
    return Passage(
        seen - len(heights),
        len(heights),
        max(heights, key=abs),
        sum(abs(height) for height in heights) * BLOCK_S,
        level_change,
    )
