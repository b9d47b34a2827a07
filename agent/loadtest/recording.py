"""One load test while it runs: samples, values and marks on their way into its folder."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agent.clock import Clock
from agent.loadtest import files
from agent.loadtest.files import KEEP_FREE
from agent.measure.stream import Stream

SYNC_S = 10.0  #: a power cut costs no more than so much
LONGEST_S = 4 * 3600.0
MOST_BYTES = 500_000_000
STOPPED = "stopped"
MOST_LETTERS = 120  #: of a name or mark


class Recording:
    """Every method raises OSError where the disk takes nothing. One thread at a time."""

    def __init__(
        self, folder: Path, clock: Clock, streams: Mapping[str, Stream], free: Callable[[Path], int]
    ) -> None:
        self.folder, self.clock, self.streams, self.free = folder, clock, streams, free
        self.began = clock.monotonic()
        self.writer = files.Writer(folder)
        self._sync_at = self.began + SYNC_S
        self._dated = False
        self._next = {name: one.ring.end for name, one in streams.items()}  # first not written
        self._faults: dict[str, str] = {}  # instrument -> what was written last

    def begin(self, name: str, node: str, channels: Sequence[Mapping[str, Any]]) -> None:
        """The first line: what this is."""
        utc = self.clock.utc()
        self._dated = utc is not None
        about = {"name": name, "node": node, "boot": self.clock.boot_id(), "channels": channels}
        self.writer.line(
            "begin",
            self.began,
            utc=utc,
            clock=self.clock.trust,
            version=version("stadtsinn"),
            **about,
        )
        self.writer.sync()

    def mark(self, text: str) -> float:
        """Note what happens now; seconds since the beginning."""
        now = self.clock.monotonic()
        self.writer.line("mark", now, text=text)
        self.writer.sync()
        return now - self.began

    def values(self, instrument: str, at: float, values: Mapping[str, float | None]) -> None:
        """What a sensor answered."""
        self.writer.line("values", at, instrument=instrument, values=values)

    def fault(self, instrument: str, reason: str) -> None:
        """Note it once when a sensor fails, and when it is well again (empty reason)."""
        if self._faults.get(instrument, "") != reason:
            self._faults[instrument] = reason
            at = self.clock.monotonic()
            self.writer.line("fault", at, instrument=instrument, reason=reason)

    def take(self) -> None:
        """New samples of every stream."""
        for name, stream in self.streams.items():
            self.fault(name, stream.reason)
            for stretch in stream.ring.stretches(self._next[name]):
                self.writer.samples(name, stream.ring.axes, stretch)
                self._next[name] = stretch.end

    def look_after(self) -> str:
        """Sync, date; why it has to end now, if it has to."""
        now = self.clock.monotonic()
        if now < self._sync_at:
            return ""
        self._sync_at = now + SYNC_S
        if not self._dated and (utc := self.clock.utc()) is not None:
            self._dated = True
            self.writer.line("clock", now, utc=utc)
        self.writer.sync()
        if now - self.began > LONGEST_S:
            return f"ended by itself after {LONGEST_S / 3600:.0f} h"
        if self.writer.size > MOST_BYTES:
            return f"ended by itself after {MOST_BYTES / 1e6:.0f} MB"
        if self.free(self.folder) < KEEP_FREE:
            return f"ended by itself: the disk has less than {KEEP_FREE / 1e6:.0f} MB left"
        return ""

    def end(self, reason: str) -> None:
        """The last line, onto the disk."""
        self.writer.line("end", self.clock.monotonic(), reason=reason)
        self.writer.close()


def new_folder(home: Path, name: str, utc: float | None) -> Path:
    """`<date>-<name>`, made; numbered if that is taken. Raises OSError."""
    home.mkdir(parents=True, exist_ok=True)
    day = "undated" if utc is None else time.strftime("%Y-%m-%d", time.localtime(utc))
    label = f"{day}-{slug(name)}"
    for count in range(2, 1000):
        folder = home / label
        try:
            folder.mkdir()
        except FileExistsError:
            label = f"{day}-{slug(name)}-{count}"
        else:
            return folder
    raise FileExistsError(17, "too many load tests of this name today", str(home / label))


def plain(words: str) -> str:
    """One line of printable letters: it goes into pictures and pages."""
    return "".join(one for one in " ".join(words.split()) if one.isprintable())[:MOST_LETTERS]


def slug(name: str) -> str:
    """A name as a folder's: `48 t crane, lane 2` -> `48-t-crane-lane-2`."""
    name = name.lower()
    for umlaut, plain in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        name = name.replace(umlaut, plain)
    return re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:48].strip("-") or "loadtest"
