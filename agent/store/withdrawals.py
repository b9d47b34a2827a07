"""Wrong times that went out are withdrawn: numbered messages in the queues of every link."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from agent.codec import withdrawn_body
from agent.model.batch import WITHDRAWN, Message
from agent.store.contents import Contents
from agent.store.database import Statement
from agent.store.ledger import Ledger
from agent.store.outbox import Outbox
from agent.store.pending import runs
from agent.store.statements import Table

NUMBER = "withdrawn"  #: setting: how many there were
MOST_SLOTS = 2**24  #: of one (WIRE.md section 8)
LONGER = "UPDATE message SET body = ? WHERE seq = ?"

Kind = tuple[int, int, int]  #: table, schema, interval in seconds


@dataclass
class Undo:
    """Takes back what the disk refused."""

    acts: list[Callable[[], object]] = field(default_factory=list)

    def undo(self) -> None:
        """The last first."""
        for act in reversed(self.acts):
            act()


@dataclass(frozen=True, slots=True)
class Open:
    """A withdrawal that no link has taken up yet: neighbours join it."""

    seq: int
    number: int
    slot: int
    count: int

    def joined(self, slot: int, count: int) -> Open | None:
        """Longer by these slots where they lie beside it."""
        first, end = min(slot, self.slot), max(slot + count, self.slot + self.count)
        apart = slot > self.slot + self.count or slot + count < self.slot
        if apart or end - first > MOST_SLOTS:
            return None
        return Open(self.seq, self.number, first, end - first)


class Withdrawals:
    """Not locked: the store's lock is."""

    def __init__(self, contents: Contents, ledger: Ledger, outboxes: Mapping[str, Outbox]) -> None:
        self.contents, self.ledger, self.outboxes = contents, ledger, outboxes
        self._open: dict[Kind, Open] = {}

    def add(self, table: Table, slots: Iterable[tuple[int, int]], made: list[Statement]) -> Undo:
        """Withdraw slots (layout, start) of a table; `made` takes what writes it."""
        undo = Undo()
        by_kind: dict[Kind, set[int]] = {}
        for number, start in slots:
            layout = self.contents.layouts[number]
            kind = table.id, layout.schema.number, layout.interval_s
            by_kind.setdefault(kind, set()).add(start // layout.interval_s)
        for kind, found in by_kind.items():
            for first, last in runs(sorted(found)):
                self._add(kind, first, last - first + 1, made, undo)
        return undo

    def _add(self, kind: Kind, slot: int, count: int, made: list[Statement], undo: Undo) -> None:
        before = self._open.get(kind)
        longer = before.joined(slot, count) if before and self._untouched(kind, before) else None
        if longer is None:
            longer = self._new(kind, slot, count, made, undo)
        else:
            made.append((LONGER, (self._body(kind, longer), longer.seq)))
        self._open[kind] = longer
        undo.acts.append(lambda: self._restore(kind, before))

    def _restore(self, kind: Kind, before: Open | None) -> None:
        if before is None:
            self._open.pop(kind, None)
        else:
            self._open[kind] = before

    def _untouched(self, kind: Kind, one: Open) -> bool:
        """Whether no link has taken it up."""
        return all(box.waits(one.seq) for box in self._boxes(kind[0]))

    def _new(self, kind: Kind, slot: int, count: int, made: list[Statement], undo: Undo) -> Open:
        kept = self.ledger.settings.get(NUMBER, b"0")
        one = Open(self.contents.message_last + 1, int(kept) + 1, slot, count)
        made += self.ledger.set({NUMBER: b"%d" % one.number})
        undo.acts.append(lambda: self.ledger.settings.update({NUMBER: kept}))
        body, start = self._body(kind, one), slot * kind[2]
        message = Message(0, WITHDRAWN, self.contents.boot, 0, start, body)
        numbered, statement = self.contents.new_message(message, None)
        made.append(statement)
        for box in self.outboxes.values():
            box.take_withdrawal(numbered, kind[0])
            undo.acts.append(lambda box=box: box.settle(numbered.seq))  # type: ignore[misc]
        return one

    def _body(self, kind: Kind, one: Open) -> bytes:
        return withdrawn_body(one.number, *kind[1:], one.slot, one.count)

    def _boxes(self, table: int) -> list[Outbox]:
        return [box for box in self.outboxes.values() if table in box.pending]
