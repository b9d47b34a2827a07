"""What the store says after a power cut, against what its witness saw."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.codec import bytes_to_cells
from tests.powercut.life import COUNT, NAME

MESSAGES = 0  #: stands for messages where pending ranges name a table
FOREVER = 2**62
EVENTS = -1


@dataclass
class Witness:
    """All that was tried and all that was promised, in every life of this disk."""

    tried: set[int] = field(default_factory=set)  #: numbers of rows
    put: dict[int, int] = field(default_factory=dict)  #: seq -> number
    sent: set[int] = field(default_factory=set)  #: seqs handed to the far side, perhaps
    settled: set[int] = field(
        default_factory=set
    )  #: acknowledgements that a later act made durable
    said: set[str] = field(default_factory=set)
    say: set[str] = field(default_factory=set)
    message_sent: set[str] = field(default_factory=set)
    setting: list[int] = field(default_factory=lambda: [-1, -1])  #: tried, promised
    _open: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, path: Path) -> Witness:
        """Everything in the file; a line that was cut off counts as not written."""
        made = cls()
        for line in path.read_bytes().splitlines() if path.exists() else ():
            if line.endswith(b"]"):
                kind, *items = json.loads(line)
                getattr(made, f"_{kind}")(*items)
        return made

    def _life(self, number: int) -> None:
        self._open.clear()

    def _try(self, number: int, start: int | None) -> None:
        self.tried.add(number)

    def _put(self, seq: int, number: int) -> None:
        self.put[seq] = number
        self._firm()

    def _say(self, text: str) -> None:
        self.say.add(text)

    def _said(self, text: str) -> None:
        self.said.add(text)
        self._firm()

    def _set(self, number: int) -> None:
        self.setting[0] = number

    def _done(self, number: int) -> None:
        self.setting[1] = number

    def _sending(self, seqs: list[int], text: str) -> None:
        self.sent |= set(seqs)
        self.message_sent |= {text}

    def _sent(self, seqs: list[int]) -> None:
        self._open |= set(seqs)

    def _firm(self) -> None:
        """Acknowledgements are written with the next transaction."""
        self.settled |= self._open
        self._open.clear()


def faults(folder: Path, witness: Witness, *, thorough: bool) -> list[str]:
    """What is wrong with the store in `folder`; nothing if it kept every promise."""
    found = [f"{one.name}: set aside" for one in folder.glob("*damaged*")]
    with sqlite3.connect(f"file:{folder / NAME}?mode=ro", uri=True) as store:
        rows = {
            seq: bytes_to_cells(cells)[0]
            for seq, cells in read(store, "SELECT seq, cells FROM row")
        }
        found += row_faults(rows, witness)
        found += pending_faults(rows, pending(store, "tbl <> 0"), witness)
        found += message_faults(store, witness)
        kept = read(store, "SELECT value FROM setting WHERE key = ?", COUNT)
        value = int(kept[0][0]) if kept else -1
        if not witness.setting[1] <= value <= max(witness.setting):
            found.append(f"setting: {value}, promised {witness.setting[1]}")
        if thorough and read(store, "PRAGMA integrity_check") != [("ok",)]:
            found.append("integrity")
    return found


def row_faults(rows: dict[int, Any], witness: Witness) -> list[str]:
    """Lost, changed or invented rows, and numbers that are missing between."""
    found = []
    if lost := [seq for seq, number in witness.put.items() if rows.get(seq) != number]:
        found.append(f"lost: {lost[:5]} and {len(lost)} in all")
    if invented := set(rows.values()) - witness.tried:
        found.append(f"invented: {sorted(invented)[:5]}")
    if rows and sorted(rows) != list(range(1, len(rows) + 1)):
        found.append("gap: numbers are missing between rows")
    return found


def pending_faults(
    rows: dict[int, Any], ranges: list[tuple[int, int]], witness: Witness
) -> list[str]:
    """Rows that nobody would send any more, and acknowledged ones that would go again."""
    found = []
    lost = [s for s in witness.put if s not in witness.sent and not within(s, ranges)]
    if lost:
        found.append(f"never sent and not pending: {lost[:5]}")
    again = [seq for seq in witness.settled if within(seq, ranges)]
    if again:
        found.append(f"pending again after a durable acknowledgement: {again[:5]}")
    if rows and not within(max(rows) + 1, ranges):
        found.append("the next row would not be pending")
    return found


def message_faults(store: sqlite3.Connection, witness: Witness) -> list[str]:
    """Lost, invented, or no longer pending though nobody has it."""
    kept = read(store, "SELECT seq, body FROM message WHERE kind = ?", EVENTS)
    bodies = {body.decode("latin-1"): seq for seq, body in kept}
    found, ranges = [], pending(store, "tbl = 0")
    if lost := witness.said - bodies.keys():
        found.append(f"messages lost: {sorted(lost)[:5]}")
    if invented := bodies.keys() - witness.say:
        found.append(f"messages invented: {sorted(invented)[:5]}")
    quiet = [one for one in witness.said - witness.message_sent if one in bodies]
    if unsent := [one for one in quiet if not within(bodies[one], ranges)]:
        found.append(f"messages never sent and not pending: {unsent[:5]}")
    return found


def pending(store: sqlite3.Connection, where: str) -> list[tuple[int, int]]:
    """Ranges of numbers that the link owes."""
    return [
        (a, FOREVER if b is None else b)
        for a, b in read(store, f"SELECT first, last FROM owed WHERE {where}")
    ]


def within(number: int, ranges: list[tuple[int, int]]) -> bool:
    """Whether a number lies in one of the ranges."""
    return any(first <= number <= last for first, last in ranges)


def read(store: sqlite3.Connection, sql: str, *values: object) -> list[Any]:
    """All rows."""
    return store.execute(sql, values).fetchall()
