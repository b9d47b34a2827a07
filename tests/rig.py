"""A node in virtual time on a link that only remembers: for tests of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.clock import VirtualClock
from agent.config import parse
from agent.daemon import run_virtual
from agent.demo.farside import FarSide
from agent.measure.buses import MachineBuses
from agent.measure.health import HealthSource
from agent.model.batch import Batch, Delivered
from agent.node import build
from agent.plan import make_plan
from agent.status import Node
from agent.transport.links import Following, LinkError, nothing_follows
from agent.transport.links.encoder import Encoder, Meanwhile, nothing

PROFILE = """
node = { name = "ghs", restart_by_downlink = true }
[[instrument]]
name = "room"
driver = "tests.rig"
[[table]]
name = "air"
interval_s = 60
schema = 1
columns = { temp = "room.temp", co2 = "room.co2" }
[[alarm]]
column = "air.co2"
above = 1500
hysteresis = 100
[[link]]
name = "city"
kind = "file"
path = "frames"
"""


class Room:
    """A sensor that says what the test wants."""

    from tests.bench.canned import Canned

    quantities = Canned.quantities
    still_s = dict.fromkeys(quantities, 0.0)  #: a test may say the same for weeks
    values: Mapping[str, float | None] = {}
    error: Exception | None = None

    def __init__(self) -> None:
        Room.values = {"temp": 21.0, "co2": 800.0}
        Room.error = None

    def setup(self) -> None:
        if Room.error:
            raise Room.error

    def read(self) -> Mapping[str, float | None]:
        self.setup()
        return dict(Room.values)


@dataclass
class MemoryLink:
    """Takes every frame to the far side, unless it is told to refuse."""

    clock: VirtualClock
    encoder: Encoder | None = None
    far: FarSide = field(default_factory=FarSide)
    frames: list[bytes] = field(default_factory=list)
    inbox: list[bytes] = field(default_factory=list)
    error: LinkError | None = None
    limit: int = 4096
    closed: bool = False
    silent: int = 0

    def with_encoder(self, encoder: Encoder) -> MemoryLink:
        self.encoder = encoder
        return self

    def room(self, priority: str = "live") -> int:
        if self.error:
            raise self.error
        return self.limit

    def deliver(self, batch: Batch, following: Following = nothing_follows) -> Delivered:
        limit = self.room(batch.priority)
        assert self.encoder is not None, "with_encoder comes first"
        encoded = self.encoder.encode(batch, limit)
        return self.encoder.carry(encoded, limit, self.send, following)

    def send(self, frame: bytes, batch: Batch, meanwhile: Meanwhile = nothing) -> None:
        if self.error:
            raise self.error
        meanwhile()
        self.frames.append(frame)
        self.far.take(frame, self.clock.utc() or self.clock.true_utc())

    def received(self) -> list[bytes]:
        inbox, self.inbox = self.inbox, []
        return inbox

    def close(self) -> None:
        self.closed = True


@dataclass
class Rig:
    """The node, its link, its clock."""

    node: Node
    link: MemoryLink
    clock: VirtualClock

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        run_virtual(self.node.jobs, self.clock, self.clock.monotonic() + seconds)


def make_rig(folder: Path, clock: VirtualClock, text: str = PROFILE) -> Rig:
    """A node from profile text."""
    config, source = parse(folder / "node.toml", text)
    made = make_plan(config, source, MachineBuses(clock, HealthSource(clock)))
    link = MemoryLink(clock)
    node = build(made, clock, store_path=folder / "store.db", links={"city": link.with_encoder})
    return Rig(node, link, clock)


DRIVER, TWIN = Room, None
