"""What a load test leaves on disk: a folder with one log and the raw samples of each stream.

`test.jsonl`: one JSON object per line, `what` says which: begin, values, mark, clock, fault, end;
`at` is monotonic seconds. `<instrument>.samples`: chunks, oldest first, little-endian:

    "SLT1" | axes u16 | reads u32 | samples u32 | first u64 | crc32 u32 of what follows
    reads:    end u64 | size u32 | at f64 | gap u8 | lost i32 (-1: not known)
    samples:  f64, sample after sample, axis after axis

Both are only appended to: a power cut costs the end of the last line or chunk, and no more.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import sys
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from agent.model.stretch import Read, Stretch

LOG = "test.jsonl"
HEAD = struct.Struct("<4sHIIQI")
MAGIC = b"SLT1"
READ = struct.Struct("<QIdBi")
UNKNOWN = -1
KEEP_FREE = 50_000_000  #: bytes of the disk that a load test never takes: rows come first


def free_bytes(folder: Path) -> int:
    """Bytes of the disk that are free for this user. Raises OSError."""
    return shutil.disk_usage(folder).free


class Writer:
    """Appends to the folder of a load test. Every method raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.size = 0  #: bytes so far
        self._files: dict[str, IO[bytes]] = {}

    def line(self, what: str, at: float | None, **more: Any) -> None:
        """One line of the log."""
        text = json.dumps({"what": what, "at": at, **more}, ensure_ascii=False, allow_nan=False)
        self._append(LOG, text.encode() + b"\n")

    def samples(self, instrument: str, axes: int, stretch: Stretch) -> None:
        """One chunk of a stream."""
        self._append(f"{instrument}.samples", chunk(axes, stretch))

    def sync(self) -> None:
        """Onto the disk, now."""
        for file in self._files.values():
            os.fsync(file.fileno())

    def close(self) -> None:
        """Onto the disk, and let go; let go in any case."""
        try:
            self.sync()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go without a promise: the disk takes nothing."""
        for file in self._files.values():
            file.close()  # unbuffered: nothing is left to write
        self._files.clear()

    def _append(self, name: str, data: bytes) -> None:
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = (self.folder / name).open("ab", buffering=0)
        if file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder / name))
        self.size += len(data)


def chunk(axes: int, stretch: Stretch) -> bytes:
    """A stretch as bytes; a read whose first samples are no longer there begins at a gap."""
    reads = list(stretch.reads)
    start = reads[0].end - reads[0].size
    if stretch.first > start:
        reads[0] = reads[0]._replace(size=reads[0].end - stretch.first, gap=True, lost=None)
    elif stretch.gap:
        reads[0] = reads[0]._replace(gap=True)
    body = b"".join(
        READ.pack(one.end, one.size, one.at, one.gap, UNKNOWN if one.lost is None else one.lost)
        for one in reads
    )
    body += _little(stretch.samples).tobytes()
    count = stretch.end - stretch.first
    return HEAD.pack(MAGIC, axes, len(reads), count, stretch.first, zlib.crc32(body)) + body


def chunks(path: Path) -> Iterator[Stretch]:
    """Every whole chunk of a file; ends at one that is torn. Raises OSError."""
    with path.open("rb") as file:
        while len(head := file.read(HEAD.size)) == HEAD.size:
            magic, axes, reads, samples, first, crc = HEAD.unpack(head)
            body = file.read(reads * READ.size + 8 * axes * samples) if magic == MAGIC else b""
            if not body or zlib.crc32(body) != crc:
                return
            yield _stretch(body, reads, first, first + samples)


def lines(folder: Path) -> list[Mapping[str, Any]]:
    """Every whole line of the log. Raises OSError."""
    found: list[Mapping[str, Any]] = []
    for text in (folder / LOG).read_bytes().splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # torn by a power cut
            continue
        if isinstance(line, dict) and "what" in line:
            found.append(line)
    return found


def unfinished(folder: Path) -> bool:
    """Whether it broke off, or still runs. Raises OSError."""
    with (folder / LOG).open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - 1000, 0))
        return b'{"what": "end"' not in file.read()


def folders(home: Path) -> list[Path]:
    """Load tests below `home`, oldest first; none where it is not. Raises OSError."""
    try:
        names = os.listdir(home)
    except FileNotFoundError:
        return []
    found = [home / name for name in names if (home / name / LOG).exists()]
    return sorted(found, key=lambda folder: ((folder / LOG).stat().st_mtime, folder))


def end(folder: Path, reason: str) -> None:
    """Write under a load test that broke off that nothing follows. Raises OSError."""
    writer = Writer(folder)
    writer._append(LOG, b"\n")  # the last line may be torn
    writer.line("end", None, reason=reason)
    writer.close()


def _stretch(body: bytes, count: int, first: int, last: int) -> Stretch:
    reads: Sequence[Read] = [
        Read(end, size, at, bool(gap), None if lost == UNKNOWN else lost)
        for end, size, at, gap, lost in READ.iter_unpack(body[: count * READ.size])
    ]
    samples = array("d", body[count * READ.size :])
    return Stretch(first, last, _little(samples), reads, reads[0].gap)


def _little(samples: array[float]) -> array[float]:
    """Little-endian on any machine."""
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples
