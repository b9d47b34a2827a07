"""A file that was removed, or replaced, under the running node: begun anew with what is in hand.

The connection still reads the file that has lost its name. Its newest rows, back to the oldest
pending one, and its pending messages go into the new file under their numbers.
"""

from __future__ import annotations

from agent.store.contents import INSERT_ROW
from agent.store.database import SEQ_BITS, Damaged
from agent.store.outbox import MESSAGES
from agent.store.pending import union
from agent.store.state import State
from agent.store.statements import Table, put_message
from agent.store.writer import IN_MEMORY, Unit, Writer


def look(writer: Writer) -> None:
    """See whether the file is in place; if it is not, begin anew."""
    try:
        if writer.file.in_place():
            return
    except OSError:  # a disk that does not answer: the next transaction says so
        return
    writer.ask(lambda: gather(writer))
    writer.begin_anew(Damaged("removed or replaced while the node runs"))
    writer.retry()


def gather(writer: Writer) -> None:
    """Let rows and messages wait in memory for the new file. Raises Refused, Damaged."""
    state, found = writer.state, list[Unit]()
    tables = state.contents.tables.values()
    most = (IN_MEMORY - len(writer.waiting)) // max(len(tables), 1)
    for table in tables:
        found += rows(state, table, most)
    waiting = state.contents.waiting_messages
    pending = union(one.pending[MESSAGES] for one in state.outboxes.values())
    newest = state.contents.message_last
    seqs = [n for first, last in pending for n in range(first, min(last, newest) + 1)]
    for message in filter(None, map(state.contents.message, seqs)):
        if message.seq not in waiting:
            found.append(Unit([put_message(message, None)], messages=[message]))
            waiting[message.seq] = message
    writer.waiting.extendleft(reversed(found))


def rows(state: State, table: Table, most: int) -> list[Unit]:
    """The newest rows of a table that are on disk, oldest first: at most so many."""
    last = table.last - len(table.waiting)
    first = state.pending(table).after(0)[0]
    kept = state.contents.downwards(table, first, last, most)
    kept.reverse()
    table.waiting = {one[0]: one for one in kept} | table.waiting
    units = []
    for seq, boot, mono_ms, start, cells, layout in kept:
        values = (seq, layout, boot, mono_ms, start, cells)
        put = INSERT_ROW, (table.id << SEQ_BITS | seq, *values[1:])
        units.append(Unit([put], table, values))
    return units
