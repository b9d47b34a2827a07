"""A built node, and what it tells about itself: written to state.json, shown by `status` and demo.

The command that shows it is agent/cli/status.py.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from agent.clock import Clock
from agent.config.sections import Config
from agent.daemon import Job
from agent.loadtest.job import LoadTest
from agent.measure.instrument import Instrument
from agent.measure.sampler import Sampler
from agent.measure.stream import Stream
from agent.model.schema import Missing, quantity_kinds
from agent.store import Store
from agent.transport.install import Identity
from agent.transport.uplink import Uplink

REASONS = {
    Missing.NOT_AVAILABLE: "not available",
    Missing.BELOW: "below range",
    Missing.ABOVE: "above range",
    Missing.FAILED: "failed",
}


@dataclass
class Node:
    """A built node: everything a command wants to look at."""

    config: Config
    clock: Clock
    store: Store
    instruments: Mapping[str, Instrument]
    streams: Mapping[str, Stream]
    samplers: Sequence[Sampler]
    uplinks: list[Uplink] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    loadtest: LoadTest | None = None
    identity: Identity = field(default_factory=Identity)
    stopping: threading.Event = field(default_factory=threading.Event)

    def snapshot(self) -> dict[str, Any]:
        """What `stadtsinn status` shows."""
        return snapshot(self)

    def headline(self) -> str:
        """One line for the service manager."""
        bad = self.bad_sensors()
        owed = self.store.counts().owed
        waiting = ", ".join(f"{name} owes {count}" for name, count in owed.items())
        return f"{len(self.instruments) - len(bad)}/{len(self.instruments)} sensors; {waiting}"

    def bad_sensors(self) -> list[str]:
        """Names of the sensors that are not well."""
        return [one.name for one in self.instruments.values() if not one.well]

    def close(self) -> None:
        """Leave every link in order, write what is still owed, close the store."""
        if self.loadtest is not None:
            self.loadtest.close()
        for uplink in self.uplinks:
            uplink.link.close()
        self.store.close()


def snapshot(node: Node) -> dict[str, Any]:
    """Everything a person asks a node for, as JSON values."""
    clock = node.clock
    for one in node.instruments.values():
        one.watch()  # a stream that only a trigger reads is asked by nobody else
    return {
        "node": node.config.node.name,
        "id": node.identity.install.hex(),
        "version": version("stadtsinn"),
        "time": clock.utc(),
        "clock": clock.trust or "not trusted",
        "clock_told": clock.told(),
        "boot": node.store.boot,
        "sensors": {name: sensor(one, clock.monotonic()) for name, one in node.instruments.items()},
        "streams": {name: stream(one) for name, one in node.streams.items()},
        "tables": {one.layout.table: table(one) for one in node.samplers},
        "links": {one.name: link(one, node) for one in node.uplinks},
        "store": store(node),
        "loadtest": loadtest(node),
    }


def loadtest(node: Node) -> dict[str, str | None]:
    """Folder of the load test that is being recorded, and of one that broke off."""
    test = node.loadtest
    running = test.running if test else None
    broken = test.broken if test else None
    return {
        "running": None if running is None else running.folder.name,
        "broken": None if broken is None else broken[0].name,
    }


def sensor(instrument: Instrument, now: float) -> dict[str, Any]:
    """State of one instrument and its newest good values with their age."""
    values = {
        name: {"value": value, "unit": unit(instrument, name), "age_s": round(now - when, 1)}
        for name, (value, when) in list(instrument.latest.items())
    }
    return {"state": instrument.state, "reason": instrument.reason, "values": values}


def stream(one: Stream) -> dict[str, Any]:
    """What a chip that samples by itself has brought since the start."""
    one.refresh()
    return {
        "samples": one.ring.end,
        "gaps": one.ring.gaps,
        "missing": one.missing,
        "rate_hz": one.fifo.rate_hz,
        "fitted_hz": one.fitted_hz,
        "reason": one.reason,
    }


def unit(instrument: Instrument, name: str) -> str:
    """UCUM unit of one of its quantities."""
    return quantity_kinds()[instrument.quantities[name].kind].unit


def table(sampler: Sampler) -> dict[str, Any]:
    """Newest row of a table, in units."""
    row = {}
    for column, cell in zip(sampler.layout.schema.fields, sampler.latest, strict=False):
        shown = REASONS[cell] if isinstance(cell, Missing) else column.value(cell)
        row[column.name] = {"value": shown, "unit": column.unit}
    return {"interval_s": sampler.layout.interval_s, "late": sampler.late, "row": row}


def link(uplink: Uplink, node: Node) -> dict[str, Any]:
    """State of one link and what it owes."""
    now = node.clock.monotonic()
    since = None if uplink.acked_at is None else round(now - uplink.acked_at, 1)
    return {
        "state": uplink.state,
        "reason": uplink.reason,
        "frames": uplink.frames,
        "bytes": uplink.size,
        "last_ack_s": since,
        "next_try_s": max(round(uplink.next_try_at - now, 1), 0) if uplink.reason else 0,
        "owed": node.store.counts().owed.get(uplink.name, 0),
        "downlinks": downlinks(uplink),
        "notes": list(getattr(uplink.link, "notes", ())),
        **({"radio": uplink.link.report()} if hasattr(uplink.link, "report") else {}),
    }


def downlinks(uplink: Uplink) -> dict[str, int]:
    """What has come over a link since the start."""
    one = uplink.commands.traffic(uplink.name)
    return {
        "done": one.done,
        "refused": one.refused,
        "repeated": one.repeated,
        "malformed": one.malformed,
        "ignored": getattr(uplink.link, "ignored", 0),  # retained, too long, too many at once
    }


def useless_downlinks(node: Node) -> int:
    """Downlinks without an effect since the start, on all links."""
    counted = [downlinks(one) for one in node.uplinks]
    return sum(sum(one.values()) - one["done"] for one in counted)


def store(node: Node) -> dict[str, Any]:
    """The store in numbers."""
    counts = node.store.counts()
    return {
        "path": str(node.store.path),
        "rows": counts.rows,
        "lost": counts.lost,
        "lost_records": counts.lost_records,
        "bytes": counts.bytes,
        "in_memory": counts.in_memory,
    }
