r"""Raw records: one file each. Samples are never interpolated.

A file has three parts, so that any language reads it:

    STADTSINN RECORD 1 9bd366ae     words, format, CRC-32 of all bytes after this line, in hex
    {"number":12,"stream":"deck"…}  one line of JSON: see `Head`
    00 00 80 3f …                   float32, little endian: sample after sample, in each sample
                                    axis after axis, segment after segment

In numpy: `np.frombuffer(data.split(b"\\n", 2)[2], "<f4").reshape(-1, len(head["axes"]))`.
"""

from __future__ import annotations

import os
import re
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.durable import sync_folder

FIRST_LINE = re.compile(rb"STADTSINN RECORD 1 ([0-9a-f]{8})\n")
FLOAT_BYTES = 4
LONGEST_HEAD = 10_000_000  #: bytes


class RecordError(Exception):
    """A record's file is gone or damaged; the message says which and how."""


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """Samples without a gap inside."""

    missing: int  #: samples that are missing before it
    samples: int  #: how many it has


class Note(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened during a record."""

    at_s: float  #: seconds after the first sample
    words: str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a record is."""

    number: int  #: never given twice on a node
    stream: str  #: name of the instrument
    axes: tuple[str, ...]
    units: tuple[str, ...]  #: UCUM, per axis
    rate_hz: float  #: fitted, else nominal
    segments: tuple[Segment, ...]
    start: float | None  #: unix seconds of the first sample; None: the clock was not trusted
    boot: int  #: number of the machine's start
    mono_s: float  #: monotonic seconds of the first sample
    notes: tuple[Note, ...] = ()
    schema: int = 0  #: of the trigger's column
    column: int = 0  #: of the trigger, in its table
    axis: int = 0  #: the trigger listened to

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(one.samples for one in self.segments)

    @property
    def missing(self) -> int:
        """How many are missing in between."""
        return sum(one.missing for one in self.segments[1:])

    @property
    def length_s(self) -> float:
        """From the first sample to the end of the last, gaps included."""
        return (self.samples + self.missing) / self.rate_hz

    def times(self) -> Iterator[tuple[int, float]]:
        """Each segment's number of samples, and its begin in seconds after the first sample."""
        before = 0
        for number, one in enumerate(self.segments):
            before += one.missing if number else 0
            yield one.samples, before / self.rate_hz
            before += one.samples


@dataclass(frozen=True, slots=True)
class Record:
    """A whole record."""

    head: Head
    data: bytes  #: float32, little endian

    def floats(self) -> array[float]:
        """Its samples, axis after axis."""
        return floats_of(self.data)


def bytes_of(samples: Iterable[float]) -> bytes:
    """Numbers as float32, little endian."""
    made = array("f", samples)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()


def floats_of(data: bytes) -> array[float]:
    """The reverse."""
    made = array("f", data)
    if sys.byteorder == "big":
        made.byteswap()
    return made


def write(path: Path, record: Record) -> None:
    """All of it or nothing, durably. Raises OSError."""
    head = msgspec.json.encode(record.head) + b"\n"
    crc = zlib.crc32(record.data, zlib.crc32(head))
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as file:
            file.write(f"STADTSINN RECORD 1 {crc:08x}\n".encode() + head)
            file.write(record.data)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read(path: Path) -> Record:
    """A record. Raises RecordError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    first = FIRST_LINE.match(content)
    rest = content[first.end() :] if first else b""
    if first is None or zlib.crc32(rest) != int(first[1], 16):
        raise RecordError(f"{path}: is no record, or damaged")
    line, _, data = rest.partition(b"\n")
    head = head_of(path, line)
    if len(data) != head.samples * len(head.axes) * FLOAT_BYTES:
        raise RecordError(f"{path}: {len(data)} bytes are not {head.samples} samples")
    return Record(head, data)


def read_head(path: Path) -> Head:
    """What a record is, quickly: its samples are not looked at. Raises RecordError."""
    try:
        with path.open("rb") as file:
            first, line = file.readline(100), file.readline(LONGEST_HEAD)
    except OSError as error:
        raise RecordError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    if not FIRST_LINE.fullmatch(first):
        raise RecordError(f"{path}: is no record, or damaged")
    return head_of(path, line)


def head_of(path: Path, line: bytes) -> Head:
    """The second line of a record. Raises RecordError."""
    try:
        return msgspec.json.decode(line, type=Head)
    except msgspec.MsgspecError as error:
        raise RecordError(f"{path}: {error}") from error
