"""Records that are kept and go out: files and what is owed of them, in step with each other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import msgspec

from agent import codec
from agent.clock import Clock
from agent.codec import cbor
from agent.events import chunks
from agent.events.folder import Records
from agent.events.records import Head, Record, RecordError, read_head
from agent.model.batch import RAW, Batch, Cut, Encoded, Message
from agent.store import Store

log = logging.getLogger(__name__)

LAST = "record.last"  #: setting: the number given last


class Archive:
    """Keeps records for every link that carries them. Any thread may call anything."""

    def __init__(self, records: Records, store: Store, clock: Clock) -> None:
        self.records, self.store, self.clock = records, store, clock
        self._messages: dict[int, int] = {}  # record -> its message
        self._last = 0
        self._undated: set[int] = set()  # records of this boot, kept before the clock was trusted
        self._lock = threading.Lock()

    def open(self) -> None:
        """Owe what lies in the folder and was never owed: the node stopped in between.

        Raises OSError.
        """
        for part in self.records.folder.glob("*.part"):
            part.unlink(missing_ok=True)
        self._messages = {number_of(body): seq for seq, body in self.store.raws()}
        numbers = self.records.numbers()
        self._last = max([int(self.store.setting(LAST) or b"0"), *numbers, *self._messages])
        for number in numbers:
            if number not in self._messages:
                self._owe_again(number)
        self._undated = set(self._of_this_boot(numbers))
        gone = self._messages.keys() - set(numbers)
        self.store.forget([self._messages.pop(number) for number in gone])

    def new_number(self) -> int:
        """A number that no record has had."""
        with self._lock:
            self._last += 1
            self.store.set_setting(LAST, str(self._last).encode())
            return self._last

    def keep(self, record: Record) -> None:
        """Write a record and owe it; the oldest go if there is no room. Raises OSError."""
        with self._lock:
            self._make_room(len(record.data) + 1000)
            self.records.save(record)
            self._messages[record.head.number] = self.store.post(message(record.head))
            if record.head.start is None:
                self._undated.add(record.head.number)

    def date(self) -> None:
        """Date what was kept before the clock was trusted: once, as rows are.

        Raises OSError: one that the disk refuses is tried again by the next start.
        """
        offset = self.clock.offset()
        if offset is None or not self._undated:
            return
        with self._lock:
            while self._undated:
                with suppress(RecordError):  # it is gone, or damaged: said when it is owed
                    record = self.records.read(self._undated.pop())
                    head = msgspec.structs.replace(record.head, start=record.head.mono_s + offset)
                    self.records.save(Record(head, record.data))

    def frame(self, batch: Batch, limit: int, style: codec.Style) -> Encoded:
        """The next chunk of a record. Raises CodecError for a record that cannot be sent."""
        assert batch.message is not None, "a record is owed as a message"
        try:
            record = self.records.read(number_of(batch.message.body))
        except RecordError as error:
            raise codec.CodecError(str(error)) from error
        head, cut = record.head, batch.cut
        start = head.start if head.start is not None else batch.message.start
        data = chunks.content(record, start)
        size = chunks.floats_per_chunk(head, start, data, limit)
        if size < 1:
            raise codec.CodecError(f"a chunk does not fit into {limit} bytes")
        if cut is None or cut.record != head.number or cut.size > size:
            # not begun, or the limit shrank: from its first chunk on
            cut = Cut(head.number, size, 0, chunks.count(data, size))
        body = chunks.body(head, start, data, cut.size, cut.chunk)
        one = replace(batch, message=batch.message._replace(body=body))
        return replace(codec.frame(one, limit, self.clock, style), cut=cut)

    def _of_this_boot(self, numbers: Sequence[int]) -> Iterator[int]:
        """Those without a date, from the newest back: the machine's start ends the search."""
        for number in reversed(numbers):
            with suppress(RecordError):
                head = read_head(self.records.path(number))
                if head.boot != self.store.boot:
                    return
                if head.start is None:
                    yield number

    def _make_room(self, room: int) -> None:
        gone = self.records.too_many(room, lambda one: not self._owed(one))
        for number in gone:
            if self._owed(number):
                log.warning("record=%d state=lost reason='no room: raise records.max_mb'", number)
            self.records.remove(number)
        self.store.forget([self._messages.pop(one) for one in gone if one in self._messages])

    def _owed(self, number: int) -> bool:
        return number in self._messages and self.store.owes(self._messages[number])

    def _owe_again(self, number: int) -> None:
        try:
            record = self.records.read(number)
        except RecordError as error:
            log.warning("record=%d state=damaged reason='%s'", number, error)
            return
        self._messages[number] = self.store.post(message(record.head))


def message(head: Head) -> Message:
    """What the store keeps of a record: its number. Samples are read at framing."""
    start = None if head.start is None else int(head.start)
    return Message(0, RAW, head.boot, round(head.mono_s * 1000), start, cbor.dump([head.number]))


def number_of(body: bytes) -> int:
    """The record a message is about."""
    number: int = cbor.load(body)[0]
    return number
