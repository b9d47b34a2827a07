"""In which order a link gets what it owes: message lanes, and runs of rows for one frame."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.model.batch import EVENT, RAW, Cut, Layout, Message, Row, Rows
from agent.store.owed import Owed

FRESH_S = 3600.0  #: messages younger than this go before all rows
LONGEST_S = 14_400  #: WIRE.md section 2: m x interval never exceeds four hours
CANDIDATES = 512  #: most rows handed out for one frame
IN_ORDER = 1536  #: the same for back-fill that goes in order, over links that are quick
SMALL = 64  #: most rows of a hole that is filled at once; a longer one goes coarse first

#: a row as it is kept: seq, boot, mono_ms, start, cells, layout
Record = tuple[int, int, int, int | None, bytes, int]


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """What a link carries, and how."""

    tables: frozenset[str] | None = None  #: None: all
    messages: bool = True
    raw: bool = True  #: raw records; whoever carries no other message may carry these
    fill_s: float = 0.0  #: how long a live row may wait for company
    packed: bool = False
    coarse_first: bool = False  #: airtime is scarce: back-fill with the largest step first
    overlap: bool = False  #: live frames with room left go on into older rows, owed or not
    punctual: bool = False  #: a live frame waits its time even if full: its hour tells nothing
    trust_wait_s: float = 600.0  #: how long undated rows wait for a trusted clock

    def carries(self, table: str) -> bool:
        """Whether rows of `table` go out here."""
        return self.tables is None or table in self.tables


class MessageLanes:
    """The messages a link owes, by lane, each oldest first. Values: monotonic time of birth."""

    def __init__(self) -> None:
        self.alarms: dict[int, float] = {}
        self.others: dict[int, float] = {}
        self.older: dict[int, float] = {}
        self.raw: dict[int, float] = {}

    def add(self, message: Message, born: float) -> None:
        """Owe `message`, born at monotonic seconds `born` (long ago: minus infinity)."""
        kinds = {EVENT: self.alarms, RAW: self.raw}
        kinds.get(message.kind, self.others)[message.seq] = born

    def remove(self, seq: int) -> None:
        """Owe a message no longer."""
        for lane in (self.alarms, self.others, self.older, self.raw):
            lane.pop(seq, None)

    def keep(self, seqs: Collection[int]) -> None:
        """Owe no others than these."""
        for lane in (self.alarms, self.others, self.older, self.raw):
            for seq in lane.keys() - set(seqs):
                del lane[seq]

    def fresh(self, now: float) -> int | None:
        """The message that goes before all rows, if any."""
        for lane in (self.alarms, self.others):
            while lane:
                seq, born = next(iter(lane.items()))
                if now - born < FRESH_S:
                    return seq
                self.older[seq] = lane.pop(seq)
        return None

    def late(self) -> int | None:
        """The message that goes after all rows, if any; call `fresh` before."""
        for lane in (self.older, self.raw):
            if lane:
                return next(iter(lane))
        return None


@dataclass(slots=True)
class LinkState:
    """What the store knows of one link."""

    id: int
    name: str
    policy: LinkPolicy
    owed: dict[int, Owed] = field(default_factory=dict)  #: by table; 0 = messages
    lanes: MessageLanes = field(default_factory=MessageLanes)
    fits: dict[int, int] = field(default_factory=dict)  #: layout -> rows that filled a live frame
    backfill_rows: int = field(
        init=False
    )  #: rows for a back-fill frame: a few more than fitted last
    cut: Cut | None = None  #: the next chunk of the raw record that has gone in part
    turn: int = 0  #: table of the last data frame: the others come first

    def __post_init__(self) -> None:
        self.backfill_rows = self.most

    @property
    def most(self) -> int:
        """Most rows for a back-fill frame."""
        return CANDIDATES if self.policy.coarse_first else IN_ORDER

    def refit(self, layout: int, fits: int) -> None:
        """A live frame had room left: the limit has grown, or rows have become shorter."""
        if layout in self.fits:
            self.fits[layout] = max(self.fits[layout], fits)


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of one layout, equally spaced, in the order in which they were read."""

    layout: Layout
    rows: Sequence[Row]
    step: int = 1  #: WIRE's m


def leading_run(
    records: Sequence[Record], layouts: Mapping[int, Layout], direction: int, step: int = 0
) -> Run:
    """The longest beginning of `records` that one frame can hold.

    `direction` is 1 for records in order, -1 for newest first. `step` is WIRE's m; 0 takes what
    the first two rows suggest.
    """
    *columns, ids = zip(*records, strict=True)
    _, boots, monos, starts, _ = columns
    layout = layouts[ids[0]]
    length = alike(ids)
    if starts[0] is None:
        length = min(length, alike(starts), alike(boots))
        ticks = [mono_ms // (1000 * layout.interval_s) for mono_ms in monos[:length]]
        step, spaced = 1, equally_spaced(ticks, direction)
    else:
        length = min(length, starts.index(None) if None in starts else length)
        step = step or suggested_step(starts[:2], layout.interval_s)
        spaced = equally_spaced(starts[:length], direction * step * layout.interval_s)
    return Run(layout, Rows(columns)[:spaced], step)


def suggested_step(starts: Sequence[int | None], interval_s: int) -> int:
    """WIRE's m of a run that begins with these two starts; 1 where there is no such m."""
    first, second = starts[0], starts[-1]
    if first is None or second is None:
        return 1
    step, rest = divmod(abs(second - first), interval_s)
    power_of_two = step > 0 and step & (step - 1) == 0
    if rest or not power_of_two or step > most_step(interval_s) or first // interval_s % step:
        return 1
    return step


def stretched(parts: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Each range, and how long the hole is that it belongs to.

    Single rows that went already, as a coarse frame leaves them behind, do not end a hole.
    """
    ends: list[list[tuple[int, int]]] = []
    for part in parts:
        if ends and part[0] - ends[-1][-1][1] <= 2:
            ends[-1].append(part)
        else:
            ends.append([part])
    return [(*part, hole[-1][1] - hole[0][0] + 1) for hole in ends for part in hole]


def most_step(interval_s: int) -> int:
    """The largest power of two whose multiple of the interval is at most four hours."""
    return 1 << (LONGEST_S // interval_s).bit_length() - 1


def alike(values: Sequence[Any]) -> int:
    """How many values at the beginning are the same."""
    if values.count(values[0]) == len(values):
        return len(values)
    return next(n for n, value in enumerate(values) if value != values[0])


def equally_spaced(keys: Sequence[int], step: int) -> int:
    """How many keys at the beginning follow each other by `step`."""
    wanted = range(keys[0], keys[0] + step * len(keys), step)
    if all(map(operator.eq, keys, wanted)):
        return len(keys)
    return next(n for n, (key, want) in enumerate(zip(keys, wanted, strict=True)) if key != want)
