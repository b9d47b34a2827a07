"""The store in numbers, from memory: cheap enough to ask for every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.store.outbox import MESSAGES
from agent.store.state import State


@dataclass(frozen=True, slots=True)
class Counts:
    """The store in numbers."""

    rows: int  #: kept
    owed: Mapping[str, int]  #: rows, by link
    owed_rows: Mapping[tuple[str, str], int]  #: by link and table
    messages: Mapping[str, int]  #: owed, by link
    lost: int  #: rows dropped before every link had them, since the store began
    dropped: int  #: rows dropped after that
    set_aside: int  #: rows and messages that could not be encoded
    lost_records: int  #: raw records that went before every link had them
    in_memory: int  #: rows that wait for the disk
    bytes: int  #: on the disk

    @property
    def waiting(self) -> int:
        """Rows that the slowest link still owes."""
        return max(self.owed.values(), default=0)


def count(state: State, size: int) -> Counts:
    """The numbers of now; `size` is what the file takes, in bytes."""
    tables, links = state.contents.tables.values(), state.outboxes.values()
    owed = {
        (link.name, table.name): link.pending[table.id].count(table.last)
        for link in links
        for table in tables
        if table.id in link.pending
    }
    last, tally = state.contents.message_last, state.ledger.tally
    return Counts(
        rows=sum(table.rows for table in tables),
        owed={
            link.name: sum(rows for (name, _), rows in owed.items() if name == link.name)
            for link in links
        },
        owed_rows=owed,
        messages={link.name: link.pending[MESSAGES].count(last) for link in links},
        lost=tally.get("lost", 0),
        dropped=tally.get("dropped", 0),
        set_aside=tally.get("set_aside", 0),
        lost_records=tally.get("lost_records", 0),
        in_memory=sum(len(table.waiting) for table in tables),
        bytes=size,
    )
