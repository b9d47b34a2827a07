"""Records of noise, and a node of store, archive and one uplink."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from agent.clock import SimClock
from agent.codec import Style, decoder
from agent.demo.farside import FarSide
from agent.events.archive import Archive, message
from agent.events.folder import Records
from agent.events.records import (
    Head,
    Note,
    Record,
    Segment,
    bytes_of,
)
from agent.model.batch import Batch, Delivered
from agent.store import LinkPolicy, Store
from agent.transport.links import Following, LinkError, nothing_follows
from agent.transport.links.encoder import Encoder, Meanwhile, nothing
from agent.transport.uplink import Uplink
from tests.conftest import MONDAY

AXES = ("x", "y", "z")
SCHOOL = Path(__file__).parents[1] / "hw" / "nodes" / "school.toml"


def record(number: int = 1, samples: int = 500, seed: int = 0, **options: object) -> Record:
    """Three axes of noise; a gap of 7 in the middle."""
    rng = random.Random(seed or number)
    data = bytes_of(rng.gauss(0, 0.01) for _ in range(3 * samples))
    parts = {"segments": (Segment(0, samples // 2), Segment(7, samples - samples // 2))}
    head = {
        "number": number,
        "stream": "deck",
        "axes": AXES,
        "units": ("m/s2",) * 3,
        "rate_hz": 125.031,
        "start": MONDAY + 0.25,
        "boot": 1,
        "mono_s": 0.25,
        "notes": (Note(10.0, "begin"),),
        "schema": 58_697,
        "column": 3,
        "axis": 2,
    }
    return Record(Head(**parts | head | options), data)  # type: ignore[arg-type]


@dataclass
class Wire:
    """Takes frames to the far side, or not."""

    far: FarSide
    encoder: Encoder
    frames: list[bytes] = field(default_factory=list)
    limit: int = 1000
    silent: int = 0
    left: int = 10**9  #: so many frames are taken

    def room(self, priority: str = "live") -> int:
        return self.limit

    def deliver(self, batch: Batch, following: Following = nothing_follows) -> Delivered:
        encoded = self.encoder.encode(batch, self.limit)
        return self.encoder.carry(encoded, self.limit, self.send, following)

    def send(self, frame: bytes, batch: Batch, meanwhile: Meanwhile = nothing) -> None:
        if self.left <= 0:
            raise LinkError("down", 1.0)
        self.left -= 1
        meanwhile()
        self.frames.append(frame)
        self.far.take(frame, MONDAY)

    def received(self) -> list[bytes]:
        return []

    def close(self) -> None: ...


class NoCommands:
    def do(self, downlink: bytes, link: str) -> float:
        return 0.0

    def look(self, link: str) -> float:
        return float("inf")

    def sent(self, link: str, silent: int) -> None: ...


class Node:
    """Store, archive and one uplink."""

    def __init__(
        self, folder: Path, clock: SimClock, far: FarSide | None = None, **options: float
    ) -> None:
        self.folder, self.clock, self.far = folder, clock, far or FarSide()
        self.store = Store(folder / "store.db", clock)
        self.store.open()
        self.store.links({"city": LinkPolicy(), "radio": LinkPolicy(raw=False)})
        self.records = Records(folder / "records", **options)  # type: ignore[arg-type]
        self.archive = Archive(self.records, self.store, clock)
        self.archive.open()
        self.encoder = Encoder(clock, Style(True), self.archive.frame)
        self.link = Wire(self.far, self.encoder)
        self.uplink = Uplink("city", self.link, self.store, clock, NoCommands())  # type: ignore[arg-type]

    def keep(self, one: Record) -> Record:
        self.archive.keep(one)
        return one

    def send(self) -> None:
        while self.store.link("city").next() and self.link.left:
            self.uplink.step()

    def tally(self, name: str) -> int:
        return self.store._state.ledger.tally.get(name, 0)

    def restart(self, *, crash: bool = False) -> "Node":
        if crash:
            self.store._file.close()
        self.store.close()
        return Node(self.folder, self.clock, self.far)


def decoder_of(frame: bytes) -> decoder.Raw:
    said = decoder.decode(frame, lambda _: None)
    assert isinstance(said, decoder.Raw)
    return said


def message_framed(node: Node, number: int):  # type: ignore[no-untyped-def]
    """As if the whole record had gone."""
    seq = node.archive._messages[number]
    return Delivered(Batch("message", message(record(number).head)._replace(seq=seq)))
