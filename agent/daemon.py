"""Threads, signals, the service manager's watchdog; and the same jobs in simulated time."""

from __future__ import annotations

import heapq
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.clock import Clock, VirtualClock

log = logging.getLogger(__name__)

SILENT_S = 60.0  #: a job without a beat for so long stops the feeding of the watchdog
FEED_S = 5.0
SWITCH_S = 0.001  #: a row that is due waits no longer for a thread that reckons (usual: 5 ms)
JOIN_S = 1.5  #: how long stopping waits for all threads together
STOPS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Job:
    """One `step() -> seconds until the next`, and the event that ends its wait early."""

    name: str
    step: Callable[[], float]
    wake: threading.Event = field(default_factory=threading.Event)


class Daemon:
    """Runs jobs, one thread each, until told to stop or until one of them crashes."""

    def __init__(
        self,
        jobs: Sequence[Job],
        clock: Clock,
        status: Callable[[], str],
        stopping: threading.Event,
    ) -> None:
        self.jobs, self.clock, self.status = jobs, clock, status
        self.stopping = stopping  #: set from anywhere: please end
        self.crashed = threading.Event()
        self.told = 0  #: how many signals have asked for the end
        self._over = False  # what a job does from now on changes nothing

    def run(self) -> int:
        """Run until SIGTERM, SIGINT, `stop` or a crash. Returns the exit code."""
        threads = [
            threading.Thread(target=self.repeat, args=(job,), name=job.name) for job in self.jobs
        ]
        sys.setswitchinterval(SWITCH_S)
        for thread in threads:
            thread.daemon = True
            thread.start()
        if not notify(f"READY=1\nSTATUS={self.status()}"):
            log.info("watchdog=none reason='not started by a service manager'")
        while not self.stopping.wait(FEED_S):
            self._feed()
        notify("STOPPING=1")
        self.stop()
        deadline = time.monotonic() + JOIN_S
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        self._over = True
        return 1 if self.crashed.is_set() else 0

    def stop(self) -> None:
        """End all jobs. From any thread; not from a signal handler, for it takes locks."""
        self.stopping.set()
        for job in self.jobs:
            job.wake.set()

    def on_signals(self) -> None:
        """SIGTERM and SIGINT stop the daemon, a second one ends it at once. Main thread only.

        A handler runs wherever the main thread is, also within a lock that `stop` wants: the
        handlers do nothing, the interpreter writes each signal's number into a pipe (self-pipe
        trick, D. J. Bernstein), and a thread reads it.
        """
        reader, writer = os.pipe()
        os.set_blocking(writer, False)  # a storm of signals fills the pipe, and that is enough
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in STOPS:
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._listen, args=(reader,), name="signals", daemon=True).start()

    def off_signals(self) -> None:
        """All is done: what is left is the interpreter's own end, where its default would kill."""
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)

    def begin_again(self) -> None:
        """Run the same command anew in this process. What it has open closes; does not return."""
        for number in STOPS:  # all is on disk: a signal may end it at once, also on the way
            signal.signal(number, signal.SIG_DFL)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

    def _listen(self, reader: int) -> None:
        """Whatever was put is on disk: to end without another word loses nothing."""
        while numbers := os.read(reader, 64):
            self.told += sum(number in STOPS for number in numbers)
            if self.told > 1:
                os._exit(1 if self.crashed.is_set() else 0)
            if self.told:
                self.stop()

    def repeat(self, job: Job) -> None:
        """The only loop: step, wait, until stopped. One crash ends all."""
        try:
            self.clock.beat()  # or a first step that never ends would not be missed
            while not self.stopping.is_set():
                self.clock.wait(job.wake, job.step())
        except BaseException:
            if self._over:  # too late for it: the store is being closed
                return
            log.exception("thread=%s state=crashed", job.name)
            self.crashed.set()
            self.stop()

    def _feed(self) -> None:
        """Feed the watchdog while every job shows signs of life."""
        now = self.clock.monotonic()
        silent = [
            job.name for job in self.jobs if now - self.clock.beats.get(job.name, now) > SILENT_S
        ]
        if silent:
            log.error("watchdog=starved thread=%s", ",".join(silent))
            notify(f"STATUS=no sign of life from {', '.join(silent)}")
        else:
            notify(f"WATCHDOG=1\nSTATUS={self.status()}")


def notify(text: str) -> bool:
    """Tell the service manager (sd_notify(3)). False where there is none: outside of systemd."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.send(text.encode())
        except OSError as error:
            log.debug("notify: %s", error)
            return False
    return True


def run_virtual(
    jobs: Sequence[Job],
    clock: VirtualClock,
    until: float,
    stopping: threading.Event | None = None,
) -> None:
    """Step jobs by due time in this thread until monotonic time `until`; wakes are honoured.

    `stopping` ends it early: a job that cannot go on then may ask for its next turn at once.
    """
    stopping = stopping or threading.Event()
    queue = [(clock.monotonic(), number) for number in range(len(jobs))]
    heapq.heapify(queue)
    while queue[0][0] <= until:
        if stopping.is_set():
            return
        due, number = heapq.heappop(queue)
        clock.advance_to(due)
        job = jobs[number]
        job.wake.clear()
        wait_s = job.step()
        heapq.heappush(queue, (clock.monotonic() + wait_s, number))
        queue = _woken(queue, jobs, clock.monotonic())
    clock.advance_to(until)


def _woken(
    queue: list[tuple[float, int]], jobs: Sequence[Job], now: float
) -> list[tuple[float, int]]:
    """Jobs whose wake is set are due now."""
    if not any(job.wake.is_set() for job in jobs):
        return queue
    moved = [(min(due, now) if jobs[n].wake.is_set() else due, n) for due, n in queue]
    heapq.heapify(moved)
    return moved
