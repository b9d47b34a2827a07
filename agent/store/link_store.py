"""The store as one link sees it: its outbox behind the lock, and its downlinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.model.batch import ACK, Batch, Delivered, Message
from agent.store.access import Access
from agent.store.database import Statement
from agent.store.ledger import Known, Outcome
from agent.store.outbox import Outbox
from agent.store.selection import Moment
from agent.store.statements import Resend
from agent.store.writer import Unit

AGAIN_S = 60.0  #: a file that gives no answer is asked again


class LinkStore:
    """Any thread may call anything; the links' names are those of `Store.links`."""

    def __init__(self, access: Access, name: str) -> None:
        self.access, self.name = access, name
        self._ahead = 0  # steps of dating when `following` was asked

    @property
    def _outbox(self) -> Outbox:
        return self.access.state.outboxes[self.name]

    # -- up ----------------------------------------------------------------------------------

    def next(self, *, backfill: bool = True) -> Batch | None:
        """What the link is to send now: one message, or candidate rows; None for nothing.

        Asked again with nothing delivered, it gives the same or newer. Without `backfill` it does
        not look for that, nor for what goes after it: a link may have no airtime for it for hours.
        """
        self.access.date_all()
        outbox, moment = self._outbox, self._moment()
        return self.access.ask(lambda: handed_out(outbox, outbox.next(moment, backfill=backfill)))

    def when(self, *, backfill: bool = True) -> float:
        """Seconds until `next` may have something, if nothing new comes; may be infinite."""
        if self.access.date_all() and self.access.dating.more:
            return 0.0
        outbox, moment = self._outbox, self._moment()
        due_s = self.access.ask(lambda: outbox.when(moment, backfill=backfill))
        return AGAIN_S if due_s is None else due_s

    def following(self, delivered: Delivered) -> Batch | None:
        """What `next` is likely to give once `delivered`, back-fill on its way, has arrived."""
        outbox, moment = self._outbox, self._moment()
        batch = self.access.ask(lambda: outbox.following(delivered, moment))
        self._ahead = self.access.dating.steps
        return batch

    def take_up(self, batch: Batch) -> bool:
        """Whether a batch that `following` gave may still go as it is."""
        with self.access.lock:
            if self._ahead != self.access.dating.steps:
                return False
            self._outbox.hand_out(batch)
            return True

    def delivered(self, what: Delivered) -> None:
        """What has arrived is pending no longer. Written with the next row, or after 10 s."""
        with self.access.lock:
            self._outbox.delivered(what)

    def set_aside(self, batch: Batch) -> None:
        """What can never be delivered is counted: the message, or the newest row."""
        with self.access.lock:
            self.access.state.ledger.count("set_aside", 1)
            self._outbox.set_aside(batch)

    def _moment(self) -> Moment:
        return self.access.moment(self._outbox.policy.trust_wait_s)

    # -- down --------------------------------------------------------------------------------

    def set_fill(self, fill_s: float) -> None:
        """Change how long live rows wait for company, in seconds."""
        self._change(fill_s=fill_s)

    def set_packed(self, packed: bool) -> None:
        """Change whether frames are packed."""
        self._change(packed=packed)

    def _change(self, **policy: float) -> None:
        with self.access.lock:
            self._outbox.change(**policy)
        self.access.wake()

    def result_of(self, token: int, digest: bytes = b"") -> int | None:
        """The result of a downlink that came before, known by its token and a digest of its bytes.

        Kept for 7 days, and for the last 100.
        """
        with self.access.lock:
            return self.access.state.ledger.result_of(self.name, Known(token, digest))

    def command(
        self,
        token: int,
        result: int,
        ack_body: bytes,
        settings: Mapping[str, bytes] | None = None,
        messages: Sequence[Message] = (),
        resend: Resend | None = None,
        digest: bytes = b"",
    ) -> None:
        """Effect, result and owed acknowledgement of a downlink in one transaction.

        One that is known already has no second effect: only the acknowledgement is owed.
        Acknowledgement and messages go to this link only.
        """
        clock, state, name = self.access.clock, self.access.state, self.name
        now, offset = clock.monotonic(), clock.offset()
        start = None if offset is None else int(now + offset)
        ack = Message(0, ACK, state.contents.boot, round(now * 1000), start, ack_body)
        with self.access.lock:
            statements: list[Statement] = []
            made = [state.new_message(ack, name, statements)]
            one = Known(token, digest)
            if state.ledger.result_of(name, one) is None:
                outcome = Outcome(result, int(clock.system_utc()))
                statements += state.ledger.remember(name, one, outcome)
                made += [state.new_message(one, name, statements) for one in messages]
                statements += state.ledger.set(settings or {})
                if resend is not None:
                    self._resend(resend)
            self.access.writer.apply(Unit(statements, messages=made))
        self.access.wake()

    def resend(self, wanted: Resend) -> int:
        """Let kept rows go once more. Returns how many."""
        with self.access.lock:
            count = self._resend(wanted)
        self.access.wake()
        return count

    def _resend(self, wanted: Resend) -> int:
        access = self.access
        islands = access.writer.ask(lambda: access.state.contents.islands(wanted)) or []
        for table, first, last in islands:
            self._outbox.take_range(table.id, first, last)
        return sum(last - first + 1 for _, first, last in islands)


def handed_out(outbox: Outbox, batch: Batch | None) -> Batch | None:
    """The batch, which is on its way from now on."""
    if batch is not None:
        outbox.hand_out(batch)
    return batch
