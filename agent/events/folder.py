"""The folder in which a node keeps its raw records, under a byte budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from agent.events.records import Record, read, write


def folder_of(path: str, store: Path) -> Path:
    """Where a profile keeps records: where it says, else beside its store."""
    return Path(path) if path else store.parent / "records"


class Records:
    """The records of a node. One writer; others may read meanwhile."""

    def __init__(self, folder: Path, max_bytes: int = 200_000_000) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self._newest: tuple[int, Record] | None = None  # read last: its chunks go one by one
        self._sizes: dict[int, int] | None = None  # of the files in bytes, once looked at

    def path(self, number: int) -> Path:
        """Where a record lies."""
        return self.folder / f"{number:08d}.record"

    def numbers(self) -> list[int]:
        """Of all records that are there, oldest first."""
        names = (path.stem for path in self.folder.glob("*.record"))
        return sorted(int(name) for name in names if name.isdecimal())

    def read(self, number: int) -> Record:
        """A record, remembered until another is wanted. Raises RecordError."""
        newest = self._newest
        if newest is None or newest[0] != number or not self.path(number).exists():
            newest = self._newest = number, read(self.path(number))
        return newest[1]

    def save(self, record: Record) -> None:
        """Write a record. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        number = record.head.number
        write(self.path(number), record)
        self._newest = None
        if self._sizes is not None:
            self._sizes[number] = self._size(number)

    def remove(self, number: int) -> None:
        """Delete a record; one that is gone already is fine. Raises OSError."""
        self.path(number).unlink(missing_ok=True)
        if self._sizes is not None:
            self._sizes.pop(number, None)

    def too_many(self, room: int, delivered: Callable[[int], bool]) -> Sequence[int]:
        """Which have to go so that `room` bytes fit: oldest delivered ones first, then oldest."""
        if self._sizes is None:
            self._sizes = {number: self._size(number) for number in self.numbers()}
        sizes, gone = self._sizes, list[int]()
        over = sum(sizes.values()) + room - self.max_bytes
        if over <= 0:
            return gone
        for number in sorted(sizes, key=lambda one: (not delivered(one), one)):
            if over <= 0:
                break
            gone.append(number)
            over -= sizes[number]
        return gone

    def _size(self, number: int) -> int:
        try:
            return self.path(number).stat().st_size
        except OSError:
            return 0
