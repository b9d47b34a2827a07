"""Random lives of a store against the plainest model: a set of rows that are still to be sent."""

import random
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.store import LinkPolicy
from tests.conftest import MONDAY
from tests.durable.kit import DECK, Kit

LINKS = {
    "city": LinkPolicy(trust_wait_s=300),
    "radio": LinkPolicy(fill_s=600, coarse_first=True, trust_wait_s=0),
}
Rows = set[tuple[str, int]]


class Life:
    """A store, and what its links have to bring out."""

    def __init__(self, path: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.node = Kit(path, self.new_clock())
        self.node.store.links(LINKS)
        self.put: Rows = set()
        self.sent: dict[str, Rows] = {name: set() for name in LINKS}
        self.flushed: dict[str, set[tuple[str, int]]] = {name: set() for name in LINKS}
        self.disk = True

    def new_clock(self) -> VirtualClock:
        trust = self.chance.choice(["ntp", ""])
        return VirtualClock(MONDAY + self.chance.randrange(10**6), trust=trust)

    def step(self) -> None:
        acts = [self.rows] * 4 + [self.send] * 6
        acts += [self.wait, self.restart, self.trust, self.jump, self.flush, self.toggle_disk]
        self.chance.choice(acts)()

    def rows(self) -> None:
        table, schema = self.chance.choice([("air", self.node.layout.schema), ("deck", DECK)])
        layout = self.node.store.layout(table, schema, self.chance.choice([60, 60, 10]))
        for seq in self.node.put(self.chance.randrange(1, 20), layout):
            assert (table, seq) not in self.put
            self.put.add((table, seq))
        self.node.later()
        self.remember()

    def send(self) -> None:
        link = self.chance.choice(list(LINKS))
        batch = self.node.store.link(link).next()
        if batch is None:
            return
        assert batch.layout is not None
        seqs = self.node.ack(batch, link, self.chance.choice([1, 7, 1000]))
        self.sent[link] |= {(batch.layout.table, seq) for seq in seqs}

    def wait(self) -> None:
        self.node.later(self.chance.choice([30, 600, 5000]))

    def trust(self) -> None:
        self.node.clock.set_utc(self.node.clock.system_utc(), "lorawan")
        self.node.store.date()

    def jump(self) -> None:
        self.node.clock.jump_s += self.chance.choice([-300, 300, 86_400])

    def flush(self) -> None:
        self.node.store.flush()
        self.remember()

    def toggle_disk(self) -> None:
        self.disk = not self.disk
        self.node.store._file.read(f"PRAGMA query_only = {'OFF' if self.disk else 'ON'}")

    def remember(self) -> None:
        """What of the sending outlives a kill."""
        if self.disk:
            self.flushed = {name: set(rows) for name, rows in self.sent.items()}

    def restart(self) -> None:
        if not self.disk:
            self.toggle_disk()
        if self.chance.random() < 0.5:
            self.node.store.close()
            self.remember()
        else:
            self.node.store.flush()
            self.remember()
        clock = self.node.clock if self.chance.random() < 0.5 else self.new_clock()
        self.node = self.node.crash(clock)
        self.node.store.links(LINKS)

    def check(self) -> None:
        counts = self.node.store.counts()
        assert counts.rows == len(self.put)
        for name, sent in self.sent.items():
            assert sent <= self.put
            assert counts.owed[name] == len(self.put - sent)

    def drain(self) -> None:
        if not self.disk:
            self.toggle_disk()
        self.trust()
        self.node.later(5000)
        for name in LINKS:
            while (batch := self.node.store.link(name).next()) is not None:
                assert batch.layout is not None
                seqs = self.node.ack(batch, name, self.chance.choice([3, 50]))
                self.sent[name] |= {(batch.layout.table, seq) for seq in seqs}
            assert self.sent[name] == self.put


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(8))
def test_in_a_random_life_every_row_gets_out_on_every_link(tmp_path: Path, seed: int) -> None:
    life = Life(tmp_path / "store.db", seed)
    for _ in range(120):
        life.step()
        life.check()
    life.drain()
    life.check()
    life.node.store.close()
