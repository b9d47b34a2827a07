"""What watching a stream costs: triggers on three axes at 125 Hz, one event with its record."""

import itertools
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent.clock import VirtualClock
from agent.config.sections import VibrationConfig
from agent.events.archive import Archive
from agent.events.folder import Records
from agent.events.trigger import Trigger
from agent.features import sample_times  # noqa: F401 -- numpy is imported at the first event, once
from agent.measure.stream import Stream
from agent.model.schema import field_for
from agent.plan.triggers import TriggerPlan
from agent.store import LinkPolicy, Store
from drivers.api import Quantity, Samples
from tests.bench.table import Line

RATE_HZ, POLL_S = 125.0, 0.0853
FILL_S, WATCH_S = 660.0, 60.0  #: the ring is full before anything is measured


class Noise:
    """A chip of three axes that brings what was made before; loud on demand."""

    axes: Sequence[str] = ("x", "y", "z")
    quantities: Mapping[str, Quantity] = {}
    unit, rate_hz, depth_s = "m/s2", RATE_HZ, 0.256

    def __init__(self, clock: VirtualClock) -> None:
        rng = random.Random(1)
        self.clock, self.taken, self.loud = clock, 0, 1.0
        made = [[rng.gauss(0, 1e-3) for _ in self.axes] for _ in range(5000)]
        self.samples = itertools.cycle(made)

    def setup(self) -> None:
        """Nothing."""

    def drain(self) -> Samples:
        """As many as the time that has passed."""
        due = int(self.clock.monotonic() * RATE_HZ)
        fresh = list(itertools.islice(self.samples, due - self.taken))
        self.taken = due
        return Samples([[one * self.loud for one in sample] for sample in fresh], lost=0)


def lines() -> list[Line]:
    """CPU of the trigger job alone; the drains are not counted."""
    with tempfile.TemporaryDirectory() as folder:
        return measured(Path(folder))


def measured(folder: Path) -> list[Line]:
    """One stream, three triggers."""
    clock = VirtualClock()
    chip = Noise(clock)
    stream = Stream("deck", chip, clock)
    store = Store(folder / "store.db", clock)
    store.open()
    store.links({"city": LinkPolicy()})
    archive = Archive(Records(folder / "records"), store, clock)
    archive.open()
    field = field_for("peak", "acceleration", 1e-4)
    plans = [
        TriggerPlan(
            VibrationConfig(
                column="deck.peak", instrument="deck", axis=axis, floor=5e-3, record=axis == "x"
            ),
            *(number, ["m/s2"] * 3, 300, number, field),
        )
        for number, axis in enumerate(chip.axes)
    ]
    trigger = Trigger(stream, plans, store, clock, archive)
    spent = Spent()

    def run(seconds: float) -> None:
        end, due = clock.monotonic() + seconds, clock.monotonic()
        while clock.monotonic() < end:
            stream.step()
            if clock.monotonic() >= due:
                due += spent.on(trigger.step)
            clock.sleep(POLL_S)

    run(FILL_S)
    spent.total_s = 0.0
    run(WATCH_S)
    share = spent.total_s / WATCH_S * 100
    chip.loud = 100.0
    run(10)
    chip.loud = 1.0
    spent.longest_s = 0.0
    run(40)
    records = archive.records.numbers()
    size = len(archive.records.read(records[0]).data)
    store.close()
    return [
        Line("trigger: CPU of 3 axes at 125 Hz, of one core", share, "%", 0.5),
        Line("trigger: longest step with event or record of 40 s", spent.longest_s * 1000, "ms"),
        Line("trigger: records kept of 1 event", len(records), "", 1),
        Line("trigger: samples in it", size / 1000, "kB"),
    ]


class Spent:
    """CPU time of calls."""

    total_s = 0.0
    longest_s = 0.0

    def on(self, call: Callable[[], float]) -> float:
        """What it returns; its time is added."""
        before = time.thread_time()
        answer = call()
        took = time.thread_time() - before
        self.total_s += took
        self.longest_s = max(self.longest_s, took)
        return answer
