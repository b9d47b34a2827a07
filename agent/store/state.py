"""What the store knows without asking its file, and who owns which part of it.

`contents` owns tables, layouts and the numbers of rows and messages; `ledger` settings, results of
downlinks and counters; each outbox all that is pending on its link. What concerns several of them
stands here. Nothing here is locked: the store's lock is.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from agent.model.batch import Layout, Message
from agent.model.schema import Schema
from agent.store.contents import Contents
from agent.store.database import File, Statement
from agent.store.ledger import Ledger
from agent.store.outbox import MESSAGES, Outbox
from agent.store.pending import FOREVER, PendingRanges, runs, union
from agent.store.policy import LinkPolicy
from agent.store.selection import Moment
from agent.store.statements import Table, delete_link, put_link
from agent.store.withdrawals import Withdrawals

log = logging.getLogger(__name__)

LONG_AGO = float("-inf")
KEPT_RANGES = "SELECT tbl, first, ifnull(last, ?) FROM owed WHERE link = ?"
KEPT_MESSAGES = """SELECT seq, kind, boot, mono_ms, start, x'' FROM message
    WHERE seq BETWEEN ? AND ?"""


class State:
    """The parts, over one file. Questions to it may raise Refused, Damaged."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.contents = Contents(file)
        self.ledger = Ledger(file)
        self.outboxes: dict[str, Outbox] = {}  #: by link
        self.withdrawals = Withdrawals(self.contents, self.ledger, self.outboxes)
        self.in_doubt: dict[int, int] = {}  #: by table: rows up to here may have gone unnoticed

    def load(self) -> None:
        """Read what is needed all the time."""
        self.contents.load()
        self.ledger.load()

    # -- links -------------------------------------------------------------------------------

    def set_links(self, policies: Mapping[str, LinkPolicy], moment: Moment) -> list[Statement]:
        """Exactly these links: for new ones all is pending from now on, for removed ones none."""
        known = {name: number for number, name in self.file.read("SELECT id, name FROM link")}
        self.outboxes.clear()  # others hold it
        made: list[Statement] = []
        for name in known.keys() - policies.keys():
            log.warning("link=%s state=removed reason='not in the profile any more'", name)
            made += delete_link(known[name])
        for name, policy in policies.items():
            number = known.setdefault(name, max(known.values(), default=0) + 1)
            outbox = Outbox(number, name, policy, self.contents, self.ledger)
            made.append(put_link(number, name))
            made += outbox.load(self.file.read(KEPT_RANGES, (FOREVER, number)))
            self._load_messages(outbox, moment)
            self.outboxes[name] = outbox
        return made

    def _load_messages(self, outbox: Outbox, moment: Moment) -> None:
        for span in outbox.pending[MESSAGES]:
            for found in self.file.read(KEPT_MESSAGES, span):
                message = Message._make(found)
                outbox.queue.add(message, self._born(message, moment))

    def _born(self, message: Message, moment: Moment) -> float:
        """When a message began, as monotonic time of this boot."""
        if message.boot == self.contents.boot:
            return message.mono_ms / 1000
        if message.start is None or moment.utc is None:
            return LONG_AGO
        return moment.now - (moment.utc - message.start)

    # -- rows --------------------------------------------------------------------------------

    def new_layout(
        self, table: str, schema: Schema, interval_s: int
    ) -> tuple[Layout, list[Statement]]:
        """Open a layout, and its table if that is new."""
        owner, made = self.contents.table(table), []
        if owner is None:
            owner, statement = self.contents.new_table(table)
            made.append(statement)
            for outbox in self.outboxes.values():
                outbox.take_table(owner.id, owner.name)
        layout, statement = self.contents.new_layout(owner, schema, interval_s)
        return layout, [*made, statement]

    def pending(self, table: Table) -> PendingRanges:
        """What is pending of a table on any link."""
        boxes = self.outboxes.values()
        return union(one.pending[table.id] for one in boxes if table.id in one.pending)

    def may_be_delivered(self, table: Table, seq: int) -> bool:
        """Whether any far side has a row, or may have it though nobody said so."""
        boxes = [one for one in self.outboxes.values() if table.id in one.pending]
        if boxes and seq <= self.in_doubt.get(table.id, 0):
            return True
        return any(one.may_be_delivered(table.id, seq) for one in boxes)

    def dated_anew(
        self, table: Table, seqs: Collection[int], starts: Mapping[int, int | None]
    ) -> None:
        """Rows have other slots now: they are pending again on every link that carries them."""
        spans = runs(list(seqs))
        for one in self.outboxes.values():
            if table.id in one.pending:
                for first, last in spans:
                    one.take_range(table.id, first, last)
                one.dated_anew(table.id, seqs, starts)

    def tally(self, table: Table, lost: int, dropped: int) -> None:
        """Count rows that are no more: pending ones, and others."""
        table.dropped += lost + dropped
        self.contents.changed(table)
        self.ledger.count("lost", lost)
        self.ledger.count("dropped", dropped)

    # -- messages ----------------------------------------------------------------------------

    def new_message(self, message: Message, link: str | None, made: list[Statement]) -> Message:
        """Number a message and put it into the outbox of `link`, or of all that carry it."""
        numbered, statement = self.contents.new_message(message, link)
        made.append(statement)
        for outbox in self.outboxes.values():
            outbox.take(numbered, link)
        return numbered

    def settle(self, seq: int) -> None:
        """A message is pending nowhere any more."""
        for outbox in self.outboxes.values():
            outbox.settle(seq)

    def owes(self, seq: int) -> bool:
        """Whether a message is pending on any link."""
        return any(seq in one.pending[MESSAGES] for one in self.outboxes.values())

    def forget(self, seqs: Sequence[int]) -> list[Statement]:
        """Raw records are no more. Counts those that were pending."""
        self.ledger.count("lost_records", sum(map(self.owes, seqs)))
        for seq in seqs:
            self.settle(seq)
        return [("DELETE FROM message WHERE seq = ?", (seq,)) for seq in seqs]

    # -- to the file -------------------------------------------------------------------------

    def changes(self) -> list[Statement]:
        """What has changed here since it was written last."""
        made = [*self.contents.changes(), *self.ledger.changes()]
        for outbox in self.outboxes.values():
            made += outbox.changes()
        return made

    def written(self) -> None:
        """The changes are on disk."""
        for outbox in self.outboxes.values():
            outbox.written()
        self.contents.written()
        self.ledger.written()

    def everything(self, machine: str) -> list[Statement]:
        """For a new file: all that is still known. Ranges and counters become changes."""
        links = [outbox.everything() for outbox in self.outboxes.values()]
        return [*self.contents.everything(machine), *links, *self.ledger.everything()]
