"""A twin behind a pseudo-terminal: for programs that open a real serial port."""

from __future__ import annotations

import os
import pty
import select
import tty

from drivers.api import Timer
from drivers.sim.port import PortTwin

LOOK_S = 0.01
MOST = 4096


class Terminal:
    """`path` is opened like any serial port; call `step` again and again."""

    def __init__(self, twin: PortTwin, timer: Timer) -> None:
        self.twin, self.timer = twin, timer
        self._near, self._far = pty.openpty()
        tty.setraw(self._far)
        self.path = os.ttyname(self._far)
        twin.power_on(timer.monotonic())

    def step(self) -> float:
        """Carry what waits in both directions. Return the seconds until the next time."""
        now = self.timer.monotonic()
        if select.select([self._near], [], [], 0)[0]:
            self.twin.receive(os.read(self._near, MOST), now)
        answer = self.twin.send(now)
        if answer:
            os.write(self._near, answer)
        return LOOK_S

    def close(self) -> None:
        """Pull the plug."""
        os.close(self._near)
        os.close(self._far)
