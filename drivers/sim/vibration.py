"""The modes of a deck under white load, at any time, whatever was asked before.

Time is cut into blocks of 4 s on a grid of 1/256 s, both exact in binary. The load of a block comes
from a generator seeded with its number. A block begins in the state that the blocks before it left
behind, starting from rest so many blocks ago that what lies further back has decayed below 1e-5:
so the response is a function of the time alone, and blocks join to 1e-5.

Acceleration is omega times the modal velocity under a white force: what a force that falls with
6 dB per octave makes the mode do. Its poles are those of the mode, its mean over time vanishes, and
between grid points it is smooth, which it would not be under a white force itself.
"""

from __future__ import annotations

import functools
import math
import random
from array import array
from collections.abc import Callable, Sequence

from drivers.sim.modal import Mode, Resonator

RATE_HZ = 256
BLOCK_S = 4
STEPS = RATE_HZ * BLOCK_S
PIECE = 16  #: steps for which the load keeps its strength
FORGOTTEN = 1e-5
WHITE_RMS = 65_536 / math.sqrt(12)  # of a 16 bit word, all values as likely

State = tuple[float, float]  #: modal displacement and velocity


class Vibration:
    """Modal accelerations by block.

    `frequencies` says the modes' frequencies at a unix time (Hz), `strength` the rms (m/s2) that
    the load would keep each mode at, for each piece of a block.
    """

    def __init__(
        self,
        seed: int,
        modes: Sequence[Mode],
        frequencies: Callable[[float], Sequence[float]],
        strength: Callable[[int], Sequence[float]],
    ) -> None:
        self.seed, self.modes = seed, modes
        self.frequencies, self.strength = frequencies, strength
        slowest = min(2 * math.pi * one.frequency_hz * one.damping for one in modes)
        self.memory = math.ceil(-math.log(FORGOTTEN) / slowest / BLOCK_S)  #: blocks
        self.block = functools.lru_cache(maxsize=8)(self._block)
        self._forces = functools.lru_cache(maxsize=8)(self._draw)
        self._left_behind = functools.lru_cache(maxsize=4 * self.memory)(self._from_rest)
        self._resonators = functools.lru_cache(maxsize=4 * self.memory)(self._tune)

    def forget(self) -> None:
        """The load has changed: compute everything again."""
        for cache in (self.block, self._forces, self._left_behind):
            cache.cache_clear()

    def _block(self, number: int) -> list[list[float]]:
        """Accelerations in m/s2 at the grid points of a block, one list per mode."""
        found = []
        for mode, forces in enumerate(self._forces(number)):
            resonator = self._resonators(number)[mode][0]
            velocities, _ = walk(resonator, forces, self._begin(number, mode))
            found.append([resonator.omega * one for one in velocities])
        return found

    def _begin(self, number: int, mode: int) -> State:
        """The state at the begin of a block: what each block before left, decayed since."""
        q = v = 0.0
        for before in range(number - self.memory, number):
            (a, b), (c, d) = self._resonators(before)[mode][1].phi
            left = self._left_behind(before)[mode]
            q, v = a * q + b * v + left[0], c * q + d * v + left[1]
        return q, v

    def _from_rest(self, number: int) -> list[State]:
        """Where each mode ends that was at rest when the block began."""
        tuned = self._resonators(number)
        return [
            walk(fine, forces, (0.0, 0.0))[1]
            for (fine, _), forces in zip(tuned, self._forces(number), strict=True)
        ]

    def _tune(self, number: int) -> list[tuple[Resonator, Resonator]]:
        """Each mode stepped by the grid, and by a whole block."""
        tuned = []
        for mode, hz in zip(self.modes, self.frequencies(number * BLOCK_S), strict=True):
            now = Mode(hz, mode.damping)
            tuned.append((Resonator(now, 1 / RATE_HZ), Resonator(now, BLOCK_S)))
        return tuned

    def _draw(self, number: int) -> list[list[float]]:
        """The load on each mode (m/s2) at each step of a block."""
        chance = random.Random(f"{self.seed}/load/{number}")
        white = array("h", chance.randbytes(2 * STEPS * len(self.modes)))
        level = [one for one in self.strength(number) for _ in range(PIECE)]
        forces = []
        for mode, (fine, _) in enumerate(self._resonators(number)):
            # variance of the velocity: force squared x step / (4 zeta omega)
            per_rms = math.sqrt(4 * fine.mode.damping * RATE_HZ / fine.omega) / WHITE_RMS
            words = white[mode * STEPS : (mode + 1) * STEPS]
            forces.append([per_rms * w * rms for w, rms in zip(words, level, strict=True)])
        return forces


def walk(resonator: Resonator, forces: Sequence[float], state: State) -> tuple[list[float], State]:
    """The modal velocities before each force acts, and the state after the last."""
    q, v = state
    (a, b), (c, d) = resonator.phi
    g, h = resonator.gamma
    velocities = []
    for force in forces:
        velocities.append(v)
        q, v = a * q + b * v + g * force, c * q + d * v + h * force
    return velocities, (q, v)
