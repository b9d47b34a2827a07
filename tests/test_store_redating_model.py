"""Random lives with a wandering clock chip and power cuts: the far side ends up with the truth."""

import random
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.codec import Style, bytes_to_cells, cells_to_bytes, frame
from agent.demo.farside import FarSide
from agent.model.batch import Batch, Delivered, Row
from agent.store import LinkPolicy
from tests.conftest import MONDAY
from tests.durable.kit import AIR, Kit

LINKS = {"city": LinkPolicy(trust_wait_s=0), "radio": LinkPolicy(fill_s=600, coarse_first=True)}
TICKS = Style(whole_slots=True, ticks_always=True)
CUT = RuntimeError("the power is gone")


class Life:
    """One node, whose rows hold the true second of their slot; what each link has delivered."""

    def __init__(self, path: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = MONDAY  # true time
        self.far = {name: FarSide({1: AIR}) for name in LINKS}
        self.undated: dict[str, set[int]] = {name: set() for name in LINKS}  # went by boot and tick
        self.truth: dict[int, int] = {}  # start of a row's slot, by what it holds
        self.count = 0
        self.boots_of: dict[int, int] = {}
        self.known: set[int] = set()  # boots in which the best clock has spoken
        self.clock = self.new_clock()
        self.node = Kit(path, self.clock)
        self.node.store.links(LINKS)

    def new_clock(self) -> VirtualClock:
        made = VirtualClock(self.now, trust=self.chance.choice(["", "rtc", "rtc", "ntp"]))
        if made._source == "rtc":
            made.jump_s = self.chance.choice([-3 * 86_400.0, -3600.0, 120.0, 60.0, 7200.0, 1.0])
        return made

    def step(self) -> None:
        acts = [self.rows] * 5 + [self.send] * 6
        acts += [self.wait, self.restart, self.power_off, self.speak, self.cut_while_dating]
        self.chance.choice(acts)()
        self.now = self.clock.true_utc()

    def rows(self) -> None:
        for _ in range(self.chance.randrange(1, 12)):
            at = self.clock.monotonic() // 60 * 60 + 60
            self.clock.advance_to(at + self.clock._start % 60)
            self.count += 1
            row = self.node.row(cells=cells_to_bytes([self.count, self.count // 7]))
            self.node.store.put(self.node.layout, row)
            self.truth[self.count] = int(self.clock.true_utc() // 60) * 60
            self.boots_of[self.count] = self.node.store.boot

    def wait(self) -> None:
        self.node.later(self.chance.choice([30, 600, 5000]))

    def speak(self) -> None:
        """A time service does, and is right."""
        self.clock.jump_s, self.clock._source, self.clock._ask_at = 0.0, "ntp", 0.0
        self.node.store.date()
        if not self.node.store.dating:
            self.known.add(self.node.store.boot)

    def send(self, link: str = "") -> bool:
        link = link or self.chance.choice(list(LINKS))
        batch = self.node.store.link(link).next()
        if batch is None:
            return False
        self.take(batch, link, self.chance.choice([1, 7, 1000]), lost=self.chance.random() < 0.1)
        return True

    def take(self, batch: Batch, link: str, most: int, *, lost: bool) -> None:
        """The far side has it; where `lost` its acknowledgement never comes."""
        rows = batch.rows[-most:] if batch.in_order else batch.rows[:most]
        if batch.layout is not None:
            cut = Batch(
                batch.priority, layout=batch.layout, rows=rows, step=batch.step, boot=batch.boot
            )
        else:
            cut = batch
        if rows and rows[0].start is None:
            self.undated[link] |= {number_of(row) for row in rows}
        for made in frame(cut, 4096, self.clock, TICKS).frames:
            self.far[link].take(made, self.clock.true_utc())
        if not lost:
            self.node.store.link(link).delivered(Delivered(batch, rows))

    def restart(self) -> None:
        """The process ends in order, or is killed; the machine runs on."""
        if self.chance.random() < 0.5:
            self.node.store.close()
        self.node = self.node.crash(self.clock)
        self.node.store.links(LINKS)

    def power_off(self) -> None:
        self.now += self.chance.choice([60, 3600])
        self.clock = self.new_clock()
        self.node = self.node.crash(self.clock)
        self.node.store.links(LINKS)

    def cut_while_dating(self) -> None:
        """The power goes between two steps, or within one."""
        self.clock.jump_s, self.clock._source, self.clock._ask_at = 0.0, "ntp", 0.0
        access = self.node.store._access
        access.dating.rows = 3
        for _ in range(self.chance.randrange(4)):
            access.date()
            access.dating.rows = 3
        if self.chance.random() < 0.5:
            write = access.file.write

            def refuse(statements: object) -> None:
                access.file.write = write  # type: ignore[method-assign]
                raise CUT

            access.file.write = refuse  # type: ignore[method-assign]
            with pytest.raises(RuntimeError, match="the power"):
                self.live_on()
        self.power_off()

    def live_on(self) -> None:
        while True:
            self.node.store._access.date()
            self.rows()

    def check(self) -> None:
        """Every row of a boot whose clock is known stands at its right second."""
        for _, row in self.node.store.rows("air"):
            if row.boot in self.known and row.start is not None:
                assert row.start == self.truth[number_of(row)], row

    def end(self) -> None:
        self.speak()
        for _ in range(1000):
            self.node.store.date()
        assert not self.node.store.dating
        for name in LINKS:
            self.node.later(5000)
            while self.send(name):
                pass


def number_of(row: Row) -> int:
    number = bytes_to_cells(row.cells)[0]
    assert isinstance(number, int)
    return number


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(24))
def test_in_a_random_life_the_far_side_ends_up_with_what_the_node_knows(
    tmp_path: Path, seed: int
) -> None:
    life = Life(tmp_path / "store.db", seed)
    for _ in range(80):
        life.step()
        life.check()
    life.end()
    life.check()
    kept = {
        row.start: number_of(row) for _, row in life.node.store.rows("air") if row.start is not None
    }
    for name, far in life.far.items():
        said = {key[1]: row["temp"] for key, row in far.rows.items() if len(key) == 2}
        assert said.items() <= kept.items(), name
        assert {kept[start] for start in kept.keys() - said.keys()} <= life.undated[name]
        assert not far.refused
    life.node.store.close()
