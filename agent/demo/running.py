"""A demo that runs: start it, look at what was measured and what arrived, stop it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.clock import SimClock, VirtualClock
from agent.codec import bytes_to_cells
from agent.config.sections import LinkConfig
from agent.daemon import Daemon, Job, run_virtual
from agent.demo import broker as brokers
from agent.demo.crane import Crane
from agent.demo.farside import FarSide
from agent.demo.paced import PacedClock, leash
from agent.demo.recorded import blind
from agent.model.schema import Cell, Missing
from agent.simulate import SimBuses
from agent.status import Node
from agent.transport.links.listen import Listener
from drivers.sim import truth_files as export
from drivers.sim.replay import Replay
from drivers.sim.timetable import Fault
from drivers.sim.world import LiveTruth

log = logging.getLogger(__name__)

ENDING_S = 0.2  #: real seconds that simulated time waits for a stream when all is ending
DRAIN_S = 10.0  #: real seconds that what is owed may take to leave at the end


@dataclass(frozen=True)
class Radio:
    """A LoRaWAN demo: which modem, who it is, and the network server behind it."""

    modem: str  #: empty: the profile's
    server: str  #: udp://host:port of a real network server; empty: the one inside
    dev_eui: str
    join_eui: str
    app_key: str
    gateway: str = ""  #: EUI of the gateway as 16 hex digits; empty: one of this machine's own


@dataclass
class Demo:
    """Built by `prepare`; `start` it, look at `node` and `far`, `stop` it."""

    node: Node
    clock: SimClock
    buses: SimBuses
    far: FarSide
    broker: brokers.Broker | None
    listener: Listener | None
    faults: list[Fault] = field(default_factory=list)
    replay: Replay | None = None
    where: str = ""  #: how frames travel, for people
    radio: Radio | None = None
    run_dir: Path | None = None  #: where commands reach the node
    crane: Crane | None = None
    said: str = ""  #: what was understood of a recording
    done: threading.Event = field(default_factory=threading.Event)
    _applied: set[Fault] = field(default_factory=set)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Run the node in threads of its own; a recording runs as fast as it can."""
        job = Job("faults", self._faults_step)
        jobs = [*self.node.jobs, job, *self._radio_jobs()]
        if self.crane is not None:
            jobs.append(Job("crane", self.crane.step))
        if isinstance(self.clock, VirtualClock):
            self._thread = threading.Thread(target=self._run_virtually, args=(jobs, self.clock))
        else:
            daemon = Daemon(jobs, self.clock, self.node.headline, self.node.stopping)
            self._thread = threading.Thread(target=daemon.run, name="daemon")
        self._thread.start()

    def stop(self) -> None:
        """End measuring, let what is owed leave, close everything."""
        self.node.stopping.set()
        if isinstance(self.clock, PacedClock):
            self.clock.patience_s = ENDING_S
        if self._thread is not None:
            self._thread.join()
        if isinstance(self.clock, PacedClock):
            self.clock.leash = leash(())  # nobody empties them any more
        self._restore()
        self.node.stopping.clear()
        if self.radio is None:  # airtime goes on after the demo; what is owed then is no loss
            self._drain()
        self.node.close()
        for terminal in self.buses.terminals or ():
            terminal.close()
        self._hear()
        if self.listener is not None:
            self.listener.stop()
        if self.broker is not None:
            self.broker.stop()

    def _radio_jobs(self) -> list[Job]:
        """The modem behind its pseudo-terminal, and the far side of the network server inside."""
        terminals = [Job("modem", one.step) for one in self.buses.terminals or ()]
        return [*terminals, Job("far-side", self._hear)] if self.radio else []

    def _hear(self) -> float:
        """What the network server inside has for the application."""
        network = self.buses.network
        if network is not None:
            for uplink in network.arrived():
                self.far.take(uplink.payload, network.server.unix_at_zero + uplink.at)
        return 1.0

    @property
    def pace(self) -> float:
        """Simulated seconds per second as reached lately."""
        return self.clock.pace() if isinstance(self.clock, PacedClock) else self.clock.speed

    def measured(self) -> dict[tuple[int, int], dict[str, Cell]]:
        """Every dated row that a link carries, as (schema, start) -> cells that are available."""
        found = {}
        for table in self.node.config.table:
            if not any(carries(one, table.name) for one in self.node.config.link):
                continue
            for layout, row in self.node.store.rows(table.name):
                names = [one.name for one in layout.schema.fields]
                cells = dict(zip(names, bytes_to_cells(row.cells), strict=True))
                if row.start is not None:
                    found[layout.schema.number, row.start] = available(cells)
        return found

    def decoded(self) -> dict[tuple[int, ...], dict[str, Cell]]:
        """What the far side knows, in the same form."""
        return {key: available(cells) for key, cells in self.far.rows.items()}

    def missing(self) -> list[tuple[int, int]]:
        """Which measured rows did not arrive as they are.

        What left before it had a date is dated here and not there: it is found by its values.
        """
        decoded, missing = self.decoded(), []
        undated = [(key[0], cells) for key, cells in decoded.items() if len(key) > 2]
        undated += [(number, available(cells)) for number, cells in self.far.aged]
        for key, cells in self.measured().items():
            if decoded.get(key) == cells:
                continue
            if (key[0], cells) in undated:
                undated.remove((key[0], cells))
            else:
                missing.append(key)
        return missing

    def write_truth(self, path: Path) -> list[Path]:
        """What was true in the simulated world at the start of each row, as CSV; the files.

        One of no rows is not written. Raises OSError.
        """
        tables = [one.name for one in self.node.config.table]
        rows = [row for name in tables for _, row in self.node.store.rows(name)]
        starts = [row.start for row in rows if row.start is not None]
        if not starts:
            return []
        step = min(one.layout.interval_s for one in self.node.samplers)
        begin, end = min(starts), max(starts) + step
        return export.write_truth(path, self.buses.world, begin, end, step)

    def leave_out(self) -> None:
        """What a recording has not is not measured: the chips answer, their value is left out."""
        for name, instrument in self.node.instruments.items() if self.replay else ():
            if isinstance(truth := getattr(self.buses.twins.get(name), "truth", None), LiveTruth):
                assert self.replay is not None
                blind(instrument.sensor, truth.feeds, self.replay, self.clock.true_utc)

    def deviations(self) -> dict[str, tuple[float, int]]:
        """Replay: largest difference to the recording and how many rows, by column.

        In steps of what can be told; a value where the recording has none is infinitely wrong.
        """
        assert self.replay is not None
        table, found = self.node.config.table[0], {}
        sampler = next(one for one in self.node.samplers if one.layout.table == table.name)
        for field_, source in zip(sampler.layout.schema.fields, sampler.sources, strict=True):
            name = source.instrument.name if source.instrument else ""
            channel = self._channel(name, source.quantity)
            if channel is None:
                continue
            assert source.instrument is not None
            least = source.instrument.quantities[source.quantity].step / field_.step
            steps = [
                abs(cell - field_.raw(self.replay.truth(channel, key[1]))) / max(least, 1)
                if self.replay.recorded(channel, key[1])
                else math.inf
                for key, cells in self.decoded().items()
                if key[0] == sampler.layout.schema.number
                and isinstance(cell := cells.get(field_.name), int)
            ]
            found[field_.name] = (max(steps, default=0), len(steps))
        return found

    def _channel(self, instrument: str, quantity: str) -> str | None:
        """Which channel of the recording a column's twin feels."""
        truth = getattr(self.buses.twins.get(instrument), "truth", None)
        return truth.feeds.get(quantity) if isinstance(truth, LiveTruth) else None

    def _run_virtually(self, jobs: list[Job], clock: VirtualClock) -> None:
        assert self.replay is not None
        end = clock.monotonic() + self.replay.end - clock.true_utc() - 0.5
        stopping = self.node.stopping
        while clock.monotonic() < end and not stopping.is_set():
            run_virtual(jobs, clock, min(clock.monotonic() + 60, end), stopping)
        self.done.set()

    def _faults_step(self) -> float:
        """Switch what the timetable says for now."""
        now = self.clock.monotonic()
        for fault in self.faults:
            on = fault.active(now)
            if on != (fault in self._applied):
                (self._applied.add if on else self._applied.discard)(fault)
                log.warning("fault=%s target='%s' on=%s", fault.what, fault.target, on)
                self._switch(fault, on)
        return 1.0 if self.faults else 3600.0

    def _switch(self, fault: Fault, on: bool) -> None:
        if fault.what == "stuck_bus":
            self.buses.buses[fault.target].stuck = on
        elif fault.what == "broker_away" and self.broker is not None:
            (self.broker.stop if on else self.broker.start)()
        elif fault.what == "clock_unset":
            self.clock.unset(on)
        elif fault.what == "clock_jump":
            self.clock.jump_s += fault.seconds if on else -fault.seconds
        elif fault.target in self.buses.faults:
            fault.switch(self.buses.faults[fault.target], on)

    def _restore(self) -> None:
        """Nothing is broken any more, so that what is owed can leave."""
        for fault in self._applied:
            self._switch(fault, False)
        self._applied.clear()

    def _drain(self) -> None:
        """Step the uplinks until they owe nothing, or time is up."""
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline:
            waits = [uplink.step() for uplink in self.node.uplinks]
            counts = self.node.store.counts()
            if not any(counts.owed.values()) and not any(counts.messages.values()):
                break
            if any(waits):
                time.sleep(0.05)
        last, deadline = -1, time.monotonic() + DRAIN_S
        while time.monotonic() < deadline and (self.far.frames != last or self.missing()):
            last = self.far.frames
            time.sleep(0.2)


def carries(link: LinkConfig, table: str) -> bool:
    """Whether a table's rows go over a link."""
    return link.carries is None or table in link.carries


def available(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    """Without what was not measured: a frame may leave such columns out."""
    return {name: cell for name, cell in cells.items() if cell is not Missing.NOT_AVAILABLE}
