"""A changed interval is on trial, on every link: taken back if nothing sent since is acknowledged.

What stood before, and until when the trial lasts, are in the store before the switch: the change is
taken back after a reboot as well.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from agent.clock import Clock
from agent.measure.sampler import Sampler
from agent.store import Store
from agent.transport.settings import Settings, fill_key, interval_key, trial_key

log = logging.getLogger(__name__)

LEAST_S = 900.0  #: a trial lasts three of the new intervals, and at least so long
INTERVALS = 3
SILENT_FRAMES = 10  #: where silence is usual: so many frames in a row without an answer


@dataclass(frozen=True, slots=True)
class Trial:
    """What a change has replaced, and until when it has to prove itself."""

    intervals: Mapping[str, int]  #: by table, seconds
    fill_s: float
    patience_s: float
    boot: int
    until: float  #: monotonic seconds of that boot
    until_utc: float  #: unix seconds by the system's clock, for another boot


class Trials:
    """The trials of all links, one each. Not locked: `Commands` is."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: Settings,
        samplers: Sequence[Sampler],
        unheard: Collection[str],
    ) -> None:
        self.store, self.clock, self.settings = store, clock, settings
        self.samplers = {one.layout.table: one for one in samplers}
        self.unheard = unheard  #: links on which most frames are not acknowledged
        self._began = clock.monotonic()
        self._frames: dict[str, int] = {}  # sent since the change, by link

    def begin(self, link: str, table: str, interval_s: int, fill_s: float) -> tuple[str, bytes]:
        """The entry that puts a change on trial, for the transaction that makes it.

        What an earlier change replaced, and nobody has acknowledged since, is still what comes
        back.
        """
        before = self._of(link)
        intervals = {table: cast(int, self.settings.get(interval_key(table)))}
        fill_before = cast(float, self.settings.get(fill_key(link)))
        if before is not None:
            intervals, fill_before = {**intervals, **before.intervals}, before.fill_s
        frames_s = SILENT_FRAMES * (fill_s + interval_s) if link in self.unheard else 0.0
        patience_s = max(INTERVALS * interval_s, LEAST_S, frames_s)
        made = Trial(
            intervals,
            fill_before,
            patience_s,
            self.store.boot,
            self.clock.monotonic() + patience_s,
            self.clock.system_utc() + patience_s,
        )
        self._frames[link] = 0
        return trial_key(link), json.dumps(asdict(made)).encode()

    def sent(self, link: str, silent: int) -> None:
        """A frame left; nothing has been heard since `silent` frames."""
        trial = self._of(link)
        if trial is None:
            return
        self._frames[link] = frames = self._frames.get(link, 0) + 1
        if silent < frames:  # it, or one sent since the change, was answered
            self.store.set_setting(trial_key(link), b"")
        elif silent >= SILENT_FRAMES:
            self._take_back(link, trial)

    def look(self, link: str) -> float:
        """Take back what has not proved itself in time. Seconds until then; infinite for never."""
        trial = self._of(link)
        if trial is None:
            return math.inf
        left_s = self._left_s(trial)
        if left_s > 0:
            return left_s
        self._take_back(link, trial)
        return math.inf

    def _left_s(self, trial: Trial) -> float:
        now = self.clock.monotonic()
        if trial.boot == self.store.boot:
            return trial.until - now
        # nobody knows how long the machine was off, nor whether its clock has been set since
        by_clock = trial.until_utc - self.clock.system_utc()
        return min(by_clock, self._began + trial.patience_s - now)

    def _of(self, link: str) -> Trial | None:
        kept = self.store.setting(trial_key(link))
        return Trial(**json.loads(kept)) if kept else None

    def _take_back(self, link: str, trial: Trial) -> None:
        """In one transaction; a value that the profile has replaced meanwhile stays."""
        tables = ",".join(trial.intervals)
        log.warning("link=%s downlink=taken-back reason='no answer since' table=%s", link, tables)
        made = {trial_key(link): b""}
        changed = {
            table: interval_s
            for table, interval_s in trial.intervals.items()
            if table in self.samplers and self.settings.is_replaced(interval_key(table))
        }
        for table, interval_s in changed.items():
            made |= [self.settings.replaced(interval_key(table), interval_s)]
        fill_back = self.settings.is_replaced(fill_key(link))
        if fill_back:
            made |= [self.settings.replaced(fill_key(link), trial.fill_s)]
        self.store.set_settings(made)
        if fill_back:
            self.store.link(link).set_fill(trial.fill_s)
        for table, interval_s in changed.items():
            sampler = self.samplers[table]
            sampler.change(self.store.layout(table, sampler.layout.schema, interval_s))
