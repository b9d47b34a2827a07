"""The job of a link: what it does with what its link says. Any link, no frames."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.model.batch import Batch, Delivered
from agent.store import LinkPolicy
from agent.transport.airtime import Scratch
from agent.transport.links import Following, LinkError, Undeliverable, nothing_follows
from agent.transport.links.join_back_off import JoinBackOff
from agent.transport.uplink import FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S, Uplink
from tests.durable.kit import Kit, kit
from tests.record_kit import NoCommands

REFUSED = LinkError("quota", refused=True)


@dataclass
class Publisher:
    """A link without frames: takes `most` rows of a batch at a time, and says what it was given."""

    most: int = 1000
    errors: list[Exception] = field(default_factory=list)  #: for the next deliveries
    taken: list[Delivered] = field(default_factory=list)
    told: list[Batch | None] = field(default_factory=list)  #: what follows, as it was told
    ask: bool = False  #: for what follows
    silent: int = 0

    def room(self, priority: str = "live") -> int:
        return self.most

    def deliver(self, batch: Batch, following: Following = nothing_follows) -> Delivered:
        rows = batch.rows[-self.most :] if batch.in_order else batch.rows[: self.most]
        made = Delivered(batch, rows, bodies=(b"rows",))
        if self.ask:
            self.told.append(following(made))
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(made)
        return made

    def received(self) -> Sequence[bytes]:
        return ()

    def close(self) -> None: ...

    @property
    def seqs(self) -> list[list[int]]:
        """Of each delivery, the rows."""
        return [[row.seq for row in one.rows] for one in self.taken]


@dataclass
class Bench:
    node: Kit
    link: Publisher
    uplink: Uplink


@pytest.fixture
def bench(tmp_path: Path, clock: VirtualClock) -> Iterator[Bench]:
    with kit(tmp_path, clock) as node:
        node.store.links({"city": LinkPolicy()})
        link = Publisher()
        yield Bench(node, link, Uplink("city", link, node.store, clock, NoCommands()))  # type: ignore[arg-type]


# -- what counts as delivered ---------------------------------------------------------------------


def test_only_what_a_link_says_it_delivered_is_pending_no_longer(bench: Bench) -> None:
    bench.node.put(1)
    bench.node.later(3600)
    bench.node.put(10)
    bench.node.later(3600)
    bench.link.most = 4
    steps = [bench.uplink.step() for _ in range(4)]
    assert bench.link.seqs[0] == [1]  # then there is a gap
    assert bench.link.seqs[1:] == [[5, 4, 3, 2], [9, 8, 7, 6], [11, 10]]
    assert steps[:3] == [0, 0, 0]
    assert bench.node.store.counts().owed == {"city": 0}
    assert bench.uplink.frames == 4


@pytest.mark.parametrize(
    "error", [LinkError("down", 1.0), REFUSED, LinkError("air", 9, later=True)]
)
def test_what_broke_off_half_way_is_pending_as_before_and_comes_again(
    bench: Bench, error: LinkError
) -> None:
    bench.node.put(3)
    bench.node.later(3600)
    bench.link.errors = [error]
    bench.uplink.step()
    assert bench.node.store.counts().owed == {"city": 3}
    assert (bench.uplink.frames, bench.uplink.size, bench.uplink.acked_at) == (0, 0, None)
    bench.node.later(1000)
    bench.uplink.step()
    assert bench.link.seqs == [[3, 2, 1]]


def test_what_can_never_be_delivered_is_set_aside_and_the_next_goes(bench: Bench) -> None:
    bench.node.put(3)
    bench.node.later(3600)
    bench.link.errors = [Undeliverable("no number")]
    assert bench.uplink.step() == 0
    bench.uplink.step()
    counts = bench.node.store.counts()
    assert (counts.set_aside, counts.owed) == (1, {"city": 0})
    assert bench.link.seqs == [[2, 1]]


def test_an_error_that_is_no_links_error_ends_the_job(bench: Bench) -> None:
    bench.node.put(1)
    bench.link.errors = [ValueError("a bug")]
    with pytest.raises(ValueError, match="a bug"):
        bench.uplink.step()
    assert bench.node.store.counts().owed == {"city": 1}


# -- what follows ---------------------------------------------------------------------------------


def outage(bench: Bench, rows: int) -> None:
    bench.node.put(rows)
    bench.node.later(3600)
    bench.link.most, bench.link.ask = 4, True


def test_a_link_is_handed_the_very_batch_it_was_told_would_follow(bench: Bench) -> None:
    outage(bench, 10)
    for _ in range(3):
        bench.uplink.step()
    first, second, third = (one.batch for one in bench.link.taken)
    assert bench.link.told[0] is second
    assert bench.link.told[1] is third
    assert first is not second
    assert bench.link.seqs == [[4, 3, 2, 1], [8, 7, 6, 5], [10, 9]]


def test_after_a_delivery_that_failed_nothing_is_taken_to_follow_it(bench: Bench) -> None:
    outage(bench, 10)
    bench.link.errors = [LinkError("no acknowledgement", 1.0)]
    for _ in range(4):
        bench.uplink.step()
    assert bench.link.seqs == [[4, 3, 2, 1], [8, 7, 6, 5], [10, 9]]


def test_what_was_to_follow_lets_a_new_row_and_an_alarm_go_first(bench: Bench) -> None:
    outage(bench, 10)
    bench.uplink.step()
    bench.node.put(1)
    bench.node.store.post(bench.node.message())
    for _ in range(4):
        bench.uplink.step()
    assert [one.batch.priority for one in bench.link.taken] == [
        "backfill", "alarm", "live", "backfill", "backfill",
    ]  # fmt: skip
    assert bench.link.seqs == [[4, 3, 2, 1], [], [11], [8, 7, 6, 5], [10, 9]]


# -- back-off -------------------------------------------------------------------------------------


def waits(bench: Bench, count: int) -> list[float]:
    """Seconds after each of so many refusals in a row."""
    bench.node.put(1)
    found = []
    for _ in range(count):
        bench.link.errors = [REFUSED]
        found.append(bench.uplink.step())
        bench.node.later(found[-1])
    return found


def test_refusals_double_from_five_seconds_to_a_quarter_of_an_hour(bench: Bench) -> None:
    bench.uplink.draw = lambda low, high: high
    assert waits(bench, 10) == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_a_back_off_is_jittered_over_its_whole_range(bench: Bench) -> None:
    bench.uplink.draw = random.Random(1).uniform
    shares = sorted(wait / LONGEST_BACK_OFF_S for wait in waits(bench, 508)[8:])
    assert 0.75 <= shares[0] < 0.755
    assert 0.995 < shares[-1] <= 1.0
    assert 0.86 < shares[250] < 0.89  # evenly: the middle of the range is the middle of the draws


def test_nodes_that_are_refused_at_once_do_not_ask_again_at_once(bench: Bench) -> None:
    bench.node.put(1)
    made = []
    for _ in range(20):
        bench.link.errors = [REFUSED]
        one = Uplink("city", bench.link, bench.node.store, bench.node.clock, NoCommands())  # type: ignore[arg-type]
        made.append(one.step())
    assert len(set(made)) == 20
    assert max(made) - min(made) > 0.1 * FIRST_BACK_OFF_S


def test_a_link_that_says_when_is_not_asked_before(bench: Bench) -> None:
    bench.node.put(1)
    bench.link.errors = [LinkError("duty cycle", 77.0, refused=True)]
    assert bench.uplink.step() == 77.0
    bench.node.later(30)
    bench.node.put(1)
    assert bench.uplink.step() == pytest.approx(47.0)
    assert bench.link.taken == []


def test_a_delivery_ends_the_doubling(bench: Bench) -> None:
    bench.uplink.draw = lambda low, high: high
    assert waits(bench, 4)[-1] == 40
    bench.uplink.step()
    assert (bench.uplink.state, bench.uplink.reason) == ("ok", "")
    assert waits(bench, 1) == [5]


def test_waits_for_the_next_join_are_jittered_over_their_whole_range() -> None:
    clock, draw = VirtualClock(), random.Random(1).uniform
    found = []
    for _ in range(500):
        one = JoinBackOff(Scratch(), clock, "radio", draw)
        one.tried(1.5)
        found.append(one.wait_s() / 150)  # 1 % of the first hour
    assert 1.0 <= min(found) < 1.005
    assert 1.295 < max(found) <= 1.3
