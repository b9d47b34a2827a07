"""A load test: everything that feels the bridge, as fast as it can, into files, with marks.

Tables go on meanwhile. What is written is raw (files.py); figures and pictures are
made of it afterwards (report.py).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.clock import Clock
from agent.loadtest import files
from agent.loadtest.files import KEEP_FREE, free_bytes
from agent.loadtest.mailbox import Mailbox
from agent.loadtest.recording import LONGEST_S, STOPPED, Recording, new_folder, plain
from agent.loadtest.sensors import Asker, bridge, by_rate, bytes_per_s, described, stream_described
from agent.measure.instrument import Instrument
from agent.measure.stream import Stream

log = logging.getLogger(__name__)

IDLE_S = 0.5
RECORD_S = 0.25
BROKE_OFF = "broke off: the node was stopped, or lost its supply"


class Refused(Exception):
    """What is asked cannot be done now; `str()` says why and what to do."""


class LoadTest:
    """`step` is the job: does what is asked at the mailbox, takes the streams' new samples.

    `askers` are jobs too. `home` is where tests are kept, each in a folder of its own.
    """

    def __init__(
        self,
        node: str,
        home: Path,
        mailbox: Mailbox,
        clock: Clock,
        streams: Mapping[str, Stream],
        instruments: Mapping[str, Instrument],
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.node, self.home, self.mailbox, self.clock, self.free = node, home, mailbox, clock, free
        self.streams, self.instruments = streams, instruments
        asked = [one for one in instruments.values() if one.name not in streams and bridge(one)]
        self.askers = [Asker(some, clock, self.take) for some in by_rate(asked)]
        self.running: Recording | None = None
        self.broken: tuple[Path, str] | None = None  #: a test cut short, not yet stopped; why
        self.ended: tuple[Path, str] | None = (
            None  #: one that ended by itself, not yet stopped; why
        )
        self._opened = False
        self._lock = threading.Lock()  # of the recording

    def step(self) -> float:
        """Look at the mailbox, record. Return the seconds until the next look."""
        if not self._opened:
            self._open()
        request = self.mailbox.request()
        if request is not None:
            self._serve(request)
        if self.running is None:
            return IDLE_S
        self._record(lambda recording: recording.take())
        self._record(self._look_after)
        return RECORD_S

    def start(self, name: str) -> str:
        """Begin to record; says what and where. Raises Refused, OSError."""
        if self.running is not None:
            raise Refused(f"'{self.running.folder.name}' is being recorded: stop that one first")
        channels = self.channels()
        if not channels:
            raise Refused("this node has no sensor that feels a bridge: nothing to record")
        rate = bytes_per_s(channels)
        self._make_sure_of_room(rate)
        before, self.ended = self._give_up(), None
        folder = new_folder(self.home, name, self.clock.utc())
        recording = Recording(folder, self.clock, self.streams, self.free)
        recording.begin(name, self.node, channels)
        self.running = recording
        self._publish()
        for asker in self.askers:
            asker.begin()
        log.info("loadtest=%s state=recording", folder.name)
        said = f"recording '{name}': {len(channels)} sensors, {rate / 1e3:.1f} kB/s into {folder}"
        return f"{before}{said}; ends by itself after {LONGEST_S / 3600:.0f} h"

    def mark(self, text: str) -> str:
        """Note what happens now. Raises Refused, OSError."""
        with self._lock:
            at = self._recording().mark(text)
        return f"marked '{text}' at {at:.1f} s"

    def stop(self) -> Path:
        """End recording; the folder with all of it. Raises Refused, OSError."""
        if self.running is None and (over := self.broken or self.ended) is not None:
            self._give_up()
            self.ended = None
            self._publish()
            return over[0]
        recording = self._recording()
        for stream in self.streams.values():
            stream.catch_up()
        with self._lock:
            recording.take()
            self._end(STOPPED)
        self._publish()
        return recording.folder

    def close(self) -> None:
        """The node stops: what is recorded goes onto the disk, without an end."""
        with self._lock:
            recording, self.running = self.running, None
            if recording is not None:
                try:
                    recording.writer.close()
                except OSError as error:
                    log.error("loadtest=%s reason='%s'", recording.folder.name, error.strerror)

    def take(
        self, instrument: str, at: float, values: Mapping[str, float | None], fault: str
    ) -> bool:
        """What a sensor answered; whether a test runs at all."""

        def write(recording: Recording) -> None:
            if values:
                recording.values(instrument, at, values)
            recording.fault(instrument, fault)

        self._record(write)
        return self.running is not None

    def channels(self) -> list[dict[str, Any]]:
        """What is recorded, for the first line of the log."""
        found = [
            stream_described(name, stream, self.instruments.get(name))
            for name, stream in self.streams.items()
        ]
        return found + [described(one) for asker in self.askers for one in asker.instruments]

    # -- inside ----------------------------------------------------------------------------------

    def _open(self) -> None:
        """A test without an end was cut short: it waits to be stopped."""
        self._opened = True
        try:
            cut = [one for one in files.folders(self.home) if files.unfinished(one)]
        except OSError as error:
            log.warning("loadtest: %s: %s", error.filename or self.home, error.strerror)
            cut = []
        if cut:
            self.broken = cut[-1], BROKE_OFF
            log.warning("loadtest=%s state=broken", cut[-1].name)
        self.mailbox.state["home"] = str(self.home)
        self._publish(self.mailbox.open)

    def _serve(self, request: Mapping[str, str]) -> None:
        """Do what is asked; whatever the disk says to it is the answer."""
        folder, words = None, plain(request["text"])
        try:
            if request["do"] == "start":
                text = self.start(words)
            elif request["do"] == "mark":
                text = self.mark(words)
            elif request["do"] == "stop":
                folder = str(self.stop())
                text = f"recorded in {folder}"
            else:
                raise Refused(f"'{request['do']}' is not known here: is the node older?")
        except Refused as error:
            answer = {"ok": False, "text": str(error)}
        except OSError as error:
            answer = {"ok": False, "text": f"{error.filename or self.home}: {error.strerror}"}
        else:
            answer = {"ok": True, "text": text, "folder": folder}
        self._publish(lambda: self.mailbox.answer(request, answer))

    def _make_sure_of_room(self, rate: float) -> None:
        """Raises Refused, OSError."""
        self.home.mkdir(parents=True, exist_ok=True)
        free, needed = self.free(self.home), KEEP_FREE + 3600 * rate
        if free < needed:
            raise Refused(
                f"the disk has {free / 1e6:.0f} MB free, an hour of load test needs "
                f"{needed / 1e6:.0f} MB: delete what is no longer needed in {self.home}"
            )

    def _look_after(self, recording: Recording) -> None:
        reason = recording.look_after()
        if reason:
            log.warning("loadtest=%s reason='%s'", recording.folder.name, reason)
            self._end(reason)
            self.ended = recording.folder, reason

    def _record(self, write: Callable[[Recording], None]) -> None:
        """Write, if a test runs; a disk that takes nothing ends the test, not the node."""
        with self._lock:
            recording = self.running
            if recording is None:
                return
            try:
                write(recording)
            except OSError as error:
                log.error("loadtest=%s reason='%s'", recording.folder.name, error.strerror)
                reason = f"broke off: {error.strerror}"
                self.running, self.broken = None, (recording.folder, reason)
                recording.writer.abandon()
        if self.running is None:
            self._publish()

    def _end(self, reason: str) -> None:
        """The lock is held. Raises OSError."""
        recording = self._recording()
        recording.end(reason)
        self.running = None
        log.info("loadtest=%s state=ended", recording.folder.name)

    def _give_up(self) -> str:
        """Nothing is added to a test that broke off; words for whoever begins the next."""
        if self.broken is None:
            return ""
        (folder, reason), self.broken = self.broken, None
        try:
            files.end(folder, reason)
        except OSError as error:  # its report says that it has no end
            log.error("loadtest=%s reason='%s'", folder.name, error.strerror)
        return f"'{folder.name}' had broken off (loadtest report {folder.name}); "

    def _publish(self, tell: Callable[[], None] | None = None) -> None:
        """What commands see. Without a run directory nobody can ask: said, and lived with."""
        self.mailbox.state["running"] = None if self.running is None else str(self.running.folder)
        self.mailbox.state["broken"] = None if self.broken is None else str(self.broken[0])
        try:
            (tell or self.mailbox.tell)()
        except OSError as error:
            log.warning("loadtest: %s: %s", self.mailbox.run_dir, error.strerror)

    def _recording(self) -> Recording:
        """The one that runs. Raises Refused."""
        if self.running is not None:
            return self.running
        if (over := self.broken or self.ended) is not None:
            raise Refused(
                f"'{over[0].name}' {over[1]}; what was recorded is kept: "
                "'loadtest stop' makes its report, 'loadtest start' begins a new one"
            )
        raise Refused("no load test runs: 'loadtest start NAME' begins one")
