"""What accelerometers on a vibrating, leaning deck feel: m/s2 along, across and up, at any time."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from drivers.sim.fifo import G
from drivers.sim.traffic import Vehicle
from drivers.sim.vibration import BLOCK_S, PIECE, RATE_HZ, STEPS, Vibration


class DeckAcceleration:
    """Vibration and gravity by place.

    The modes' shapes hold three axes per place. `sections` are the places as shares of the span;
    `lean` says how many degrees a place leans along and across without vehicles, `vehicles` who is
    on the deck between two times.
    """

    def __init__(
        self,
        vibration: Vibration,
        sections: Sequence[float],
        lean: Callable[[int, float], tuple[float, float]],
        vehicles: Callable[[float, float], Sequence[Vehicle]],
    ) -> None:
        self.vibration, self.sections = vibration, sections
        self.lean, self.vehicles = lean, vehicles
        self._grid = functools.lru_cache(maxsize=8 * len(sections))(self._compute)

    def forget(self) -> None:
        """The load has changed: compute everything again."""
        self.vibration.forget()
        self._grid.cache_clear()

    def at(self, place: int, unix: float) -> tuple[float, float, float]:
        """Between four points of the grid: a cubic through them (Lagrange)."""
        at = unix * RATE_HZ
        step = math.floor(at)
        block, index = divmod(step, STEPS)
        if 1 <= index < STEPS - 2:
            xs, ys, zs = self._grid(place, block)
            before, here, after, last = range(index - 1, index + 3)
        else:
            points = [self._point(place, step + offset) for offset in range(-1, 3)]
            xs, ys, zs = (list(axis) for axis in zip(*points, strict=True))
            before, here, after, last = range(4)
        p = at - step
        a, b = -p * (p - 1) * (p - 2) / 6, (p + 1) * (p - 1) * (p - 2) / 2
        c, d = -(p + 1) * p * (p - 2) / 2, (p + 1) * p * (p - 1) / 6
        return (
            a * xs[before] + b * xs[here] + c * xs[after] + d * xs[last],
            a * ys[before] + b * ys[here] + c * ys[after] + d * ys[last],
            a * zs[before] + b * zs[here] + c * zs[after] + d * zs[last],
        )

    def _point(self, place: int, step: int) -> tuple[float, ...]:
        block, index = divmod(step, STEPS)
        return tuple(axis[index] for axis in self._grid(place, block))

    def _compute(self, place: int, block: int) -> tuple[list[float], list[float], list[float]]:
        """m/s2 along, across and up at each grid point of a block."""
        axes = self._gravity(place, block)
        series = self.vibration.block(block)
        for axis in range(3):
            sizes = [one.shape[3 * place + axis] for one in self.vibration.modes]
            axes[axis] = mixed(axes[axis], sizes, series)
        return axes[0], axes[1], axes[2]

    def _gravity(self, place: int, block: int) -> list[list[float]]:
        """What the leaning deck makes of gravity; straight between a block's ends, or pieces."""
        begin = block * BLOCK_S
        passing = self.vehicles(begin, begin + BLOCK_S)
        pieces = STEPS // PIECE if passing else 1
        ends = [self.lean(place, begin + one) for one in (0, BLOCK_S)]
        knots = []
        for piece in range(pieces + 1):
            part = piece / pieces
            lean = [a + (b - a) * part for a, b in zip(*ends, strict=True)]
            for one in passing:
                more = one.tilt(begin + part * BLOCK_S, self.sections[place])
                lean = [a + b for a, b in zip(lean, more, strict=True)]
            knots.append([G * math.sin(math.radians(one)) for one in lean])
        along, across = ([knot[axis] for knot in knots] for axis in (0, 1))
        up = [math.sqrt(G**2 - a**2 - b**2) for a, b in knots]
        return [straight(one, STEPS // pieces) for one in (along, across, up)]


def mixed(
    start: list[float], sizes: Sequence[float], series: Sequence[Sequence[float]]
) -> list[float]:
    """`start` and each of the series times its size; two at a time, which is quicker."""
    found = start
    for at in range(0, len(sizes) - 1, 2):
        (p, q), (one, other) = sizes[at : at + 2], series[at : at + 2]
        found = [a + p * b + q * c for a, b, c in zip(found, one, other, strict=True)]
    if len(sizes) % 2:
        last = sizes[-1]
        found = [a + last * b for a, b in zip(found, series[-1], strict=True)]
    return found


def straight(knots: Sequence[float], steps: int) -> list[float]:
    """`steps` points from each knot to the next, the last knot left out."""
    return [
        begin + (end - begin) * step / steps
        for begin, end in pairwise(knots)
        for step in range(steps)
    ]
