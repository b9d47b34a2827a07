"""Frames into a folder: a CBOR sequence (RFC 8742), a new file per day, acked after fsync."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from agent.clock import Clock
from agent.codec import cbor
from agent.durable import sync_folder
from agent.model.batch import Batch, Delivered
from agent.transport.links import Following, LinkError, nothing_follows
from agent.transport.links.encoder import Encoder, Meanwhile, nothing

log = logging.getLogger(__name__)

RETRY_S = 10.0


class FileLink:
    """Appends every frame to `<folder>/<UTC date>.cborseq`; `undated.cborseq` without a clock."""

    silent = 0

    def __init__(
        self, folder: Path, clock: Clock, encoder: Encoder, limit_bytes: int = 4096
    ) -> None:
        self.folder, self.clock, self.encoder = folder, clock, encoder
        self.limit_bytes = limit_bytes
        self._mended: Path | None = None  # the file known to end with a whole frame

    def room(self, priority: str = "live") -> int:
        """Longest frame, in bytes."""
        return self.limit_bytes

    def deliver(self, batch: Batch, following: Following = nothing_follows) -> Delivered:
        """Append the batch's frames. Raises LinkError, Undeliverable."""
        encoded = self.encoder.encode(batch, self.limit_bytes)
        return self.encoder.carry(encoded, self.limit_bytes, self.send, following)

    def send(self, frame: bytes, batch: Batch, meanwhile: Meanwhile = nothing) -> None:
        """Append and fsync. A half-written frame is cut off again. Raises LinkError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{self._day()}.cborseq"
            if path != self._mended:
                mend(path, self.limit_bytes)
                self._mended = path
            new = not path.exists()
            with path.open("ab") as file:
                append(file.fileno(), frame)
            if new:
                sync_folder(self.folder)
        except OSError as error:
            self._mended = None
            reason = f"{error.filename or self.folder}: {error.strerror}"
            raise LinkError(reason, RETRY_S) from error

    def received(self) -> list[bytes]:
        """A file sends nothing back."""
        return []

    def close(self) -> None:
        """Nothing stays open."""

    def _day(self) -> str:
        now = self.clock.utc()
        return "undated" if now is None else time.strftime("%Y-%m-%d", time.gmtime(now))


def mend(path: Path, longest: int) -> None:
    """Cut off what a power cut left of a frame at the end: it would swallow the next one.

    A file that is damaged further up is left as it is, under another name. Raises OSError.
    """
    if not path.exists():
        return
    data = path.read_bytes()
    torn = len(data) - cbor.whole_arrays(data)
    if torn > longest:
        aside = path.with_name(f"{path.stem}-damaged-{len(data)}{path.suffix}")
        log.error("file=%s state=damaged kept_as=%s", path, aside)
        path.rename(aside)
    elif torn:
        log.warning("file=%s state=mended cut_bytes=%d", path, torn)
        os.truncate(path, len(data) - torn)


def append(file: int, frame: bytes) -> None:
    """Write all of `frame` durably, or nothing of it. Raises OSError."""
    end = os.lseek(file, 0, os.SEEK_END)
    try:
        if os.write(file, frame) != len(frame):
            raise OSError(28, os.strerror(28))  # a short write: the disk is full
        os.fsync(file)
    except OSError:
        os.ftruncate(file, end)
        raise
