"""The queue of one link: what is pending there, what goes next, what has gone."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from agent.model.batch import EVENT, RAW, WITHDRAWN, Batch, Cut, Delivered, Message, Row, Rows
from agent.store.capacity import Capacity
from agent.store.contents import Contents
from agent.store.database import Statement
from agent.store.ledger import Ledger
from agent.store.message_queue import MessageQueue
from agent.store.pending import FOREVER, PendingRanges, runs, without
from agent.store.policy import LinkPolicy
from agent.store.selection import Moment, Selection
from agent.store.statements import put_link, put_ranges

log = logging.getLogger(__name__)

PRIORITIES = {EVENT: "alarm", WITHDRAWN: "withdrawn"}
MESSAGES = 0  #: stands for the messages where ranges name a table


class Outbox:
    """Owns all that is kept of one link; whoever else wants it changed asks it.

    Order: fresh messages (alarms first), live rows, back-fill, older messages, raw chunks.
    `next`, `when` and `following` only look, apart from messages that are no longer fresh or went
    with a damaged file. Not locked: the store's lock is. They raise Refused, Damaged.
    """

    def __init__(
        self, number: int, name: str, policy: LinkPolicy, contents: Contents, ledger: Ledger
    ) -> None:
        self.number, self.name, self.policy = number, name, policy
        self.contents, self.ledger = contents, ledger
        self.pending: dict[int, PendingRanges] = {MESSAGES: PendingRanges()}  #: by table
        self.queue = MessageQueue()
        self.capacity = Capacity(policy)
        kept = json.loads(ledger.settings.get(cut_key(name), b"null"))
        self.cut = Cut(*kept) if kept else None  #: next chunk of the raw record gone in part
        self._turn = 0  # table of the last frame with rows
        self._out: dict[int, PendingRanges] = {}  # by table: handed out, nobody knows how it went
        self._anew: dict[tuple[int, int], int | None] = {}  # of these: slot they have got since
        self._taken_up: set[int] = set()  # withdrawals that were handed out

    # -- what goes next ----------------------------------------------------------------------

    def next(self, moment: Moment, *, backfill: bool = True) -> Batch | None:
        """What to send now: one message, or candidate rows; None for nothing.

        Without `backfill` there is nothing where it would be back-fill or what comes behind it.
        """
        return self._first(self._selection(moment), backfill=backfill)

    def when(self, moment: Moment, *, backfill: bool = True) -> float:
        """Seconds until `next` may have something, if nothing new comes; may be infinite."""
        selection = self._selection(moment)
        found = self._first(selection, backfill=backfill)
        return 0.0 if found else max(selection.due - moment.now, 0.0)

    def following(self, delivered: Delivered, moment: Moment) -> Batch | None:
        """The back-fill that comes after `delivered`, which is on its way.

        None where that cannot be known, or something else comes first.
        """
        batch = delivered.batch
        if batch.layout is None or not batch.in_order:
            return None
        selection = self._selection(moment)
        selection.turn = self.contents.owners[batch.layout.id].id
        selection.gone[selection.turn] = delivered.rows[0].seq
        return None if selection.live() else selection.backfill()

    def _selection(self, moment: Moment) -> Selection:
        pending = without(self.pending, self.contents.held) if self.contents.held else self.pending
        made = Selection(self.contents, pending, self.policy, self.capacity, moment)
        made.turn = self._turn
        return made

    def _first(self, selection: Selection, *, backfill: bool) -> Batch | None:
        self.queue.age(selection.moment.now)
        found = self._message(self.queue.fresh, selection) or selection.live()
        if found or not backfill:
            return found
        return selection.backfill() or self._message(self.queue.late, selection)

    def _message(self, first: Callable[[], int | None], selection: Selection) -> Batch | None:
        while (seq := first()) is not None:
            message = self.contents.message(seq)
            if message is not None:
                if message.kind == RAW and selection.held(message):
                    return None
                priority = PRIORITIES.get(message.kind, "message")
                return Batch(priority, message, boot=self.contents.boot, cut=self.cut)
            self.settle(seq)  # it went with a damaged file
        return None

    def hand_out(self, batch: Batch) -> None:
        """From now on nobody knows whether the far side has it, until `delivered` says so."""
        self._anew.clear()
        if batch.message is not None:
            if batch.kind == WITHDRAWN:
                self._taken_up.add(batch.message.seq)
            return
        assert batch.layout is not None, "a batch has a message or rows"
        out = self._out.setdefault(self.contents.owners[batch.layout.id].id, PendingRanges())
        for first, last in runs(Rows.of(batch.rows).seqs):
            out.add(first, last)

    def waits(self, seq: int) -> bool:
        """Whether a withdrawal has not been handed out."""
        return seq in self.pending[MESSAGES] and seq not in self._taken_up

    def may_be_delivered(self, table: int, seq: int) -> bool:
        """Whether a row is at the far side, or may be."""
        return seq not in self.pending[table] or seq in self._out.get(table, ())

    def dated_anew(self, table: int, seqs: Iterable[int], starts: Mapping[int, int | None]) -> None:
        """What is on its way under another slot does not count."""
        out = self._out.get(table, ())
        self._anew |= {(table, seq): starts.get(seq) for seq in seqs if seq in out}

    def _as_sent(self, table: int, rows: Sequence[Row]) -> Sequence[int]:
        """Numbers of delivered rows, without those that have got another slot meanwhile."""
        seqs = Rows.of(rows).seqs
        if table in self._out:
            for first, last in runs(seqs):
                self._out[table].subtract(first, last)
        if not self._anew:
            return seqs
        return [one.seq for one in rows if self._anew.get((table, one.seq), one.start) == one.start]

    # -- what has gone -----------------------------------------------------------------------

    def delivered(self, what: Delivered) -> None:
        """What is at the far side is pending no longer."""
        batch = what.batch
        if batch.message is not None:
            self._delivered_message(batch.message.seq, what.cut)
            return
        assert batch.layout is not None, "a batch has a message or rows"
        self._turn = self.contents.owners[batch.layout.id].id
        if self._turn in self.pending:
            self.pending[self._turn].subtract_each(self._as_sent(self._turn, what.rows))
        self.capacity.learn(what)

    def _delivered_message(self, seq: int, cut: Cut | None) -> None:
        """Of a raw record it is one chunk, and those before."""
        if cut is None:
            self.settle(seq)
            return
        last = cut.chunk + 1 == cut.chunks
        self.cut = None if last else cut._replace(chunk=cut.chunk + 1)
        if last:
            self.settle(seq)
        self.ledger.keep(cut_key(self.name), json.dumps(self.cut).encode())

    def set_aside(self, batch: Batch) -> None:
        """What can never be delivered here: the message, or the newest row."""
        if batch.message is not None:
            self.settle(batch.message.seq)
        elif batch.layout is not None:
            self.give_up(self.contents.owners[batch.layout.id].id, [batch.rows[0].seq])

    def settle(self, seq: int) -> None:
        """A message is pending no longer."""
        self.pending[MESSAGES].subtract(seq, seq)
        self.queue.remove(seq)
        self._taken_up.discard(seq)

    def give_up(self, table: int, seqs: Sequence[int]) -> list[int]:
        """Rows that are no more. Returns those that were pending."""
        pending = self.pending.get(table)
        if pending is None:
            return []
        gone = [seq for seq in seqs if seq in pending]
        pending.subtract_each(seqs)
        return gone

    def give_up_to(self, table: int, last: int) -> None:
        """The rows up to `last` are no more."""
        if table in self.pending:
            self.pending[table].subtract(1, last)

    def keep_messages(self, seqs: Collection[int]) -> None:
        """Of those there are, no messages but these are left."""
        mine = [seq for seq in seqs if seq in self.pending[MESSAGES]]
        self.queue.keep(mine)
        self.pending[MESSAGES].subtract(1, self.contents.message_last)
        for seq in mine:
            self.pending[MESSAGES].add(seq, seq)

    # -- what comes --------------------------------------------------------------------------

    def take(self, message: Message, link: str | None) -> None:
        """A new message, for `link` or for all. New rows need nothing: the range is open."""
        carries = self.policy.raw if message.kind == RAW else self.policy.messages
        if link is None and carries and self.policy.messages:
            self.queue.add(message, message.mono_ms / 1000)
        elif link == self.name or (link is None and carries):
            self.pending[MESSAGES].add(message.seq, message.seq)
            self.queue.add(message, message.mono_ms / 1000)
        else:
            self.pending[MESSAGES].subtract(message.seq, message.seq)

    def take_withdrawal(self, message: Message, table: int) -> None:
        """A wrong time goes back wherever rows of the table go."""
        if table in self.pending:
            self.pending[MESSAGES].add(message.seq, message.seq)
            self.queue.add(message, 0.0)
        elif message.seq in self.pending[MESSAGES]:
            self.pending[MESSAGES].subtract(message.seq, message.seq)

    def take_table(self, table: int, name: str) -> None:
        """A new table: all its rows from the first on, if it is carried."""
        if self.policy.carries(name):
            self.pending[table] = PendingRanges([(1, FOREVER)])

    def take_again(self, table: int, seqs: Iterable[int]) -> None:
        """Rows that are wanted once more, or could not be deleted after all."""
        for first, last in runs(list(seqs)):
            self.take_range(table, first, last)

    def take_range(self, table: int, first: int, last: int) -> None:
        """Kept rows that are wanted once more."""
        self.pending.setdefault(table, PendingRanges()).add(first, last)

    def change(self, **policy: float) -> None:
        """Other values of the policy, as a downlink says."""
        self.policy = replace(self.policy, **policy)  # type: ignore[arg-type]

    # -- from and to the file ----------------------------------------------------------------

    def load(self, ranges: Iterable[tuple[int, int, int]]) -> list[Statement]:
        """Take up (table, first, last) as they were kept; what is no longer carried goes."""
        for table, first, last in ranges:
            self.take_range(table, first, last)
        self.written()
        tables = self.contents.tables.values()
        carried = {one.id: one.last for one in tables if self.policy.carries(one.name)}
        if self.policy.messages:
            carried[MESSAGES] = self.contents.message_last
        for table, last in carried.items():
            # also where a range is open already: what was acknowledged and then lost with the
            # memory it waited in must not let the next rows pass as delivered
            self.take_range(table, last + 1, FOREVER)
        if not self.policy.messages:  # what was addressed to this link stays
            self.pending[MESSAGES].subtract(self.contents.message_last + 1, FOREVER)
        gone = self.pending.keys() - carried.keys() - {MESSAGES}
        return [self._drop_table(table) for table in gone]

    def _drop_table(self, table: int) -> Statement:
        name = self.contents.tables[table].name
        log.warning("link=%s table=%s state=removed reason='not carried'", self.name, name)
        del self.pending[table]
        return "DELETE FROM owed WHERE link = ? AND tbl = ?", (self.number, table)

    def changes(self) -> list[Statement]:
        """What is to be written with the next transaction."""
        made: list[Statement] = []
        for table, pending in self.pending.items():
            if pending.touched:
                made += put_ranges(self.number, table, pending)
        return made

    def written(self) -> None:
        """The changes are on disk."""
        for pending in self.pending.values():
            pending.touched.clear()

    def everything(self) -> Statement:
        """For a new file; all ranges become changes."""
        for pending in self.pending.values():
            pending.touched.update(first for first, _ in pending)
        return put_link(self.number, self.name)


def cut_key(link: str) -> str:
    """Where it is kept how far a link is with a raw record."""
    return f"raw.{link}"
