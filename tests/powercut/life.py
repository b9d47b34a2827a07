"""One life of a store between two power cuts; a witness outside the disk writes down each act.

A witness line is JSON. Before an act: ["try", n, start], ["say", text], ["set", n],
["sending", [seq, ...]]; after it has returned: ["put", seq, n], ["said", text, seq], ["done", n],
["sent", [seq, ...]]. ["life", number] begins one.
"""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any, NoReturn

from agent.clock import VirtualClock
from agent.codec import cells_to_bytes
from agent.model.batch import EVENT, Batch, Delivered, Layout, Message, Row
from agent.store import LinkPolicy, Store
from tests.durable.kit import AIR

NAME = "store.db"
LIFE = 100_000  #: numbers of rows of one life begin at its number times this
COUNT = "n"  #: a setting that goes with rows and downlinks


class Boot(VirtualClock):
    """The clock of one start of the machine."""

    def __init__(self, number: int, trust: str) -> None:
        super().__init__(1_772_000_000.0 + number * 10_000, trust=trust)
        self._boot = f"boot-{number}"

    def boot_id(self) -> str:
        """Told by the number of the life."""
        return self._boot


class Life:
    """Acts at random on a store, until it is killed."""

    def __init__(self, store: Store, witness: Path, number: int, seed: int) -> None:
        assert isinstance(store.clock, Boot)
        self.store, self.clock, self.link = store, store.clock, store.link("city")
        self.chance = random.Random(seed)
        self.n = number * LIFE
        self._witness = os.open(witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.layout: Layout | None = None
        self.witness("life", number)

    def witness(self, *items: Any) -> None:
        """One line, at once: a file outside of the disk loses nothing."""
        os.write(self._witness, json.dumps(items).encode() + b"\n")

    @property
    def refused(self) -> bool:
        """Whether anything waits in memory: then what has returned is no promise."""
        writer = self.store._writer
        return bool(writer.waiting or writer._trouble)

    def go_on(self) -> NoReturn:
        """Until killed."""
        acts = (self.put, self.post, self.command, self.send, self.tidy)
        while True:
            self.n += 1
            self.clock.sleep(self.chance.choice((60, 60, 60, 61, 5)))
            self.chance.choices(acts, (60, 5, 5, 25, 5))[0]()
            if self.refused:
                signal.pause()  # the disk has no power: nothing that returns now is a promise

    def put(self) -> None:
        """A row, sometimes with an event and a setting."""
        assert self.layout is not None
        utc, mono_ms = self.clock.utc(), round(self.clock.monotonic() * 1000)
        start = None if utc is None else int(utc // 60) * 60
        events, settings = [], {}
        if self.chance.random() < 0.1:
            self.witness("say", f"e{self.n}")
            events.append(self._message(f"e{self.n}"))
        if self.chance.random() < 0.3:
            self.witness("set", self.n)
            settings[COUNT] = str(self.n).encode()
        self.witness("try", self.n, start)
        cells = cells_to_bytes([self.n, self.chance.randrange(1000)])
        row = Row(0, self.store.boot, mono_ms, start, cells)
        seq = self.store.put(self.layout, row, events, settings)
        if self.refused:
            return
        self.witness("put", seq, self.n)
        for _ in events:
            self.witness("said", f"e{self.n}")
        if settings:
            self.witness("done", self.n)

    def post(self) -> None:
        """A message."""
        self.witness("say", f"p{self.n}")
        self.store.post(self._message(f"p{self.n}"))
        if not self.refused:
            self.witness("said", f"p{self.n}")

    def command(self) -> None:
        """A downlink: its effect, result and acknowledgement are one transaction."""
        self.witness("set", self.n)
        settings = {COUNT: str(self.n).encode()}
        token, digest = self.n % 65_536, str(self.n).encode()  # a token comes again after 19 lives
        self.link.command(token, 0, b"\x82\x00\x00", settings=settings, digest=digest)
        if not self.refused:
            self.witness("done", self.n)

    def send(self) -> None:
        """What is due, or some of it."""
        batch = self.link.next()
        if batch is None:
            return
        rows = self._some(batch)
        seqs = [row.seq for row in rows]
        self.witness("sending", seqs, batch.message.body.decode("latin-1") if batch.message else "")
        self.link.delivered(Delivered(batch, rows))
        self.witness("sent", seqs)

    def _some(self, batch: Batch) -> tuple[Row, ...]:
        most = self.chance.randrange(1, len(batch.rows) + 1) if batch.rows else 0
        return tuple(batch.rows[-most:] if batch.in_order else batch.rows[:most]) if most else ()

    def tidy(self) -> None:
        """Housekeeping; sometimes the clock becomes trusted."""
        self.chance.choice((self.store.flush, self.store.retain, self._trust))()

    def _trust(self) -> None:
        if not self.clock.trust:
            self.clock.unset(on=False)
            self.store.date()

    def _message(self, text: str) -> Message:
        now, utc = self.clock.monotonic(), self.clock.utc()
        start = None if utc is None else int(utc)
        return Message(0, EVENT, self.store.boot, round(now * 1000), start, text.encode())


def open_store(folder: Path, number: int, seed: int) -> Store:
    """The store on the disk as a new start of the machine finds it. Raises OSError."""
    trust = "ntp" if random.Random(seed).random() < 0.7 else ""
    store = Store(folder / NAME, Boot(number, trust))
    store.open()
    store.links({"city": LinkPolicy()})
    return store


def begin(store: Store, witness: Path, number: int, seed: int) -> NoReturn:
    """Live on it until killed."""
    life = Life(store, witness, number, seed)
    life.layout = store.layout("air", AIR, 60)
    life.go_on()
