"""The load test of a demo: a crane comes, stands on the simulated bridge, and goes again."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path

from agent.clock import SimClock
from agent.loadtest.job import LoadTest, Refused
from drivers.sim.world import World

log = logging.getLogger(__name__)

USUAL_T = 48.0
SETTLE_S, QUIET_S, DRIVE_S, STAND_S = 10.0, 40.0, 12.0, 60.0  #: a crane drives at walking pace


class Crane:
    """Starts the test, marks its phases, stops it; `step` is the job.

    A world that knows how parks a vehicle of the weight in `name`; any other is recorded as it is.
    """

    def __init__(
        self, name: str, test: LoadTest, world: World, clock: SimClock, done: threading.Event
    ) -> None:
        self.name, self.test, self.clock, self.done = name, test, clock, done
        self.folder: Path | None = None  #: of the test, when it is over
        self.error = ""  #: why there is none
        begin = clock.monotonic() + SETTLE_S
        stands = begin + QUIET_S + DRIVE_S
        leaves = stands + STAND_S
        self.parks = hasattr(world, "load")
        if self.parks:
            unix = clock.true_utc() - clock.monotonic() + stands
            world.load(weight_t(name), unix, STAND_S, 0.5)  # type: ignore[attr-defined]
        self._plan: list[tuple[float, Callable[[], object]]] = [
            (begin, lambda: test.start(name)),
            (stands - DRIVE_S, lambda: test.mark("crane drives on")),
            (stands, lambda: test.mark("crane in the middle")),
            (leaves, lambda: test.mark("crane drives off")),
            (leaves + DRIVE_S, lambda: test.mark("crane is gone")),
            (leaves + DRIVE_S + QUIET_S, self._stop),
        ]

    def step(self) -> float:
        """Do what is due. Return the seconds until the next."""
        if not self._plan or self.done.is_set():
            return 3600.0
        due, act = self._plan[0]
        left = due - self.clock.monotonic()
        if left > 0:
            return left
        self._plan.pop(0)
        try:
            act()
        except (Refused, OSError) as error:
            self.error = str(error)
            self.done.set()
        return 0.0

    def _stop(self) -> None:
        self.folder = self.test.stop()
        self.done.set()


def weight_t(name: str) -> float:
    """Of the vehicle a test is named after: `48 t crane` weighs 48."""
    found = re.search(r"(\d+(?:[.,]\d+)?)\s*t\b", name)
    return float(found[1].replace(",", ".")) if found else USUAL_T
