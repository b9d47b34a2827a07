"""Downlinks: one implementation for every link (WIRE.md section 4).

Effect, result and the owed acknowledgement are one transaction; a repeat (the same bytes) gets its
first result again and has no second effect. Settings stand in the store beside the profile's value
they replace, and end when that value is edited. A flood gets one answer a second: what beyond that
is malformed, refused or repeated is counted and costs neither a transaction nor a line in the log;
what would have an effect waits.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from agent import codec
from agent.clock import Clock
from agent.codec import decoder
from agent.codec.messages import schema_slice
from agent.measure.sampler import Sampler
from agent.model.alarm import ABOVE, BELOW, Alarm
from agent.model.batch import Message
from agent.store import Resend, Store
from agent.transport.bounds import (
    BODY,
    HELLO,
    INTERVAL,
    RESEND,
    RESTART,
    SCHEMA,
    THRESHOLD,
    Bounds,
)
from agent.transport.pace import Pace, Seldom
from agent.transport.settings import (
    Settings,
    fill_key,
    interval_key,
    limits_key,
    packed_key,
    resent_key,
)
from agent.transport.trial import Trials

log = logging.getLogger(__name__)

DONE, UNKNOWN, BAD, LATER = 0, 1, 2, 3  # results
ANSWER_EVERY_S = 1.0  #: to what is refused or repeated
LOG_EVERY_S = 60.0  #: a line on those
DIGEST = 8  #: bytes of the SHA-256 by which a repeat is known
DAY_S = 86_400


class Refused(Exception):
    """A downlink that is understood and not carried out; `result` says why."""

    def __init__(self, result: int) -> None:
        super().__init__(result)
        self.result = result


def nothing() -> None:
    """No effect in memory."""


@dataclass
class Effect:
    """What a downlink does: in the store, in one transaction; then in memory."""

    settings: dict[str, bytes] = field(default_factory=dict)
    messages: Sequence[Message] = ()
    resend: Resend | None = None
    apply: Callable[[], None] = nothing


class Traffic:
    """The downlinks of one link: how many of each kind since the start, and how often they may."""

    def __init__(self, per_hour: float, clock: Clock) -> None:
        self.done = 0
        self.refused = 0  #: understood and not carried out
        self.repeated = 0
        self.malformed = 0
        self.pace = Pace(per_hour, clock.monotonic)
        self.answers = Seldom(ANSWER_EVERY_S, clock.monotonic)
        self.lines = Seldom(LOG_EVERY_S, clock.monotonic)


class Commands:
    """Carries out the downlinks of all links."""

    def __init__(
        self,
        bounds: Bounds,
        store: Store,
        clock: Clock,
        samplers: Sequence[Sampler],
        settings: Settings,
        trials: Trials,
        hello: Callable[[], Message],
        restart: Callable[[], None],
    ) -> None:
        self.bounds, self.store, self.clock = bounds, store, clock
        self.samplers, self.settings, self.trials = samplers, settings, trials
        self.hello, self.restart = hello, restart
        self._lock = threading.Lock()
        self._traffic: dict[str, Traffic] = {}
        self._known: Mapping[int, tuple[int, Callable[..., Effect]]] = {  # arguments, act
            INTERVAL: (3, self._interval),
            THRESHOLD: (4, self._threshold),
            SCHEMA: (1, self._schema),
            RESEND: (4, self._resend),
            HELLO: (0, self._hello),
            RESTART: (0, self._restart),
            BODY: (1, self._body),
        }

    def traffic(self, link: str) -> Traffic:
        """What has come over a link since the start."""
        if link not in self._traffic:
            made = Traffic(self.bounds.limits.per_hour, self.clock)
            self._traffic.setdefault(link, made)  # `status` may have asked at the same moment
        return self._traffic[link]

    def do(self, frame: bytes, link: str) -> float:
        """Carry out one downlink that came over `link`. Never raises for what is in it.

        Returns the seconds after which to ask once more, where it has to wait for its turn; else 0.
        """
        try:
            downlink = decoder.parse_downlink(frame)
        except codec.CodecError as error:
            self.traffic(link).malformed += 1
            self._say(link, str(error))
            return 0.0
        with self._lock:
            return self._once(downlink, sha256(frame).digest()[:DIGEST], link)

    def _once(self, downlink: decoder.Downlink, digest: bytes, link: str) -> float:
        traffic = self.traffic(link)
        result = self.store.link(link).result_of(downlink.token, digest)
        if result is not None:
            traffic.repeated += 1
            self._turn_down(downlink, digest, link, result, "repeated")
            return 0.0
        result, effect = self._judged(downlink, link)
        if result != DONE:
            traffic.refused += 1
            self._turn_down(downlink, digest, link, result, "refused")
            return 0.0
        wait_s = traffic.pace.wait_s()
        if wait_s == 0:
            traffic.pace.took()
            traffic.done += 1
            log.info("link=%s downlink=%d token=%d", link, downlink.command, downlink.token)
            self._enter(downlink, digest, link, DONE, effect)
            effect.apply()
        return wait_s

    def _turn_down(
        self, downlink: decoder.Downlink, digest: bytes, link: str, result: int, why: str
    ) -> None:
        """An answer, if there was none in this second; nothing else comes of it."""
        self._say(link, f"{downlink.command} {why}, token {downlink.token}, result {result}")
        if self.traffic(link).answers.passes():
            self._enter(downlink, digest, link, result, Effect())

    def _enter(
        self, downlink: decoder.Downlink, digest: bytes, link: str, result: int, effect: Effect
    ) -> None:
        """Effect, result and acknowledgement, in one transaction."""
        token = downlink.token
        self.store.link(link).command(
            token,
            result,
            codec.ack_body(token, result),
            settings=effect.settings,
            messages=effect.messages,
            resend=effect.resend,
            digest=digest,
        )

    def _say(self, link: str, reason: str) -> None:
        """One line a minute on what has no effect."""
        lines = self.traffic(link).lines
        if lines.passes():
            more = lines.take_held()
            log.warning("link=%s downlink=ignored reason='%s' before=%d", link, reason, more)

    def _judged(self, downlink: decoder.Downlink, link: str) -> tuple[int, Effect]:
        if downlink.command not in self._known:
            return UNKNOWN, Effect()
        arguments, act = self._known[downlink.command]
        if len(downlink.args) != arguments:
            return BAD, Effect()
        if downlink.command not in self.bounds.allowed:
            return LATER, Effect()
        try:
            return DONE, act(link, *downlink.args)
        except Refused as refused:
            return refused.result, Effect()

    def sent(self, link: str, silent: int) -> None:
        """A frame left over `link`; nothing has been heard since `silent` frames."""
        with self._lock:
            self.trials.sent(link, silent)

    def look(self, link: str) -> float:
        """Take back what came over `link` and has not proved itself in time. Seconds until then."""
        with self._lock:
            return self.trials.look(link)

    # -- the commands, by number -------------------------------------------------------------

    def _interval(self, link: str, schema: object, item: object, rows: object) -> Effect:
        """1: interval of a table, and rows per frame on the asking link."""
        sampler, count = self._sampler(schema), whole(rows, 1, self.bounds.limits.rows_per_frame)
        seconds = seconds_of(whole(item, -codec.LONGEST_S, codec.LONGEST_S))
        if not self.bounds.interval(seconds):
            raise Refused(BAD)
        fill_s = (count - 1) * seconds
        layout = sampler.layout
        replaced = self.settings.replaced

        def apply() -> None:
            self.store.link(link).set_fill(fill_s)
            if seconds != layout.interval_s:
                sampler.change(self.store.layout(layout.table, layout.schema, seconds))

        settings = [
            replaced(interval_key(layout.table), seconds),
            replaced(fill_key(link), fill_s),
            self.trials.begin(link, layout.table, seconds, fill_s),
        ]
        return Effect(dict(settings), apply=apply)

    def _threshold(
        self, link: str, schema: object, column: object, code: object, raw: object
    ) -> Effect:
        """2: a limit in raw steps, or null to switch it off."""
        sampler = self._sampler(schema)
        index = whole(column, 0, len(sampler.layout.schema.fields) - 1)
        side = whole(code, ABOVE, BELOW)
        limit = None if raw is None else whole(raw, -(2**31) + 1, 2**31 - 1)
        alarm = next((one for one in sampler.alarms if one.column == index), None) or Alarm(index)
        above, below = (limit, alarm.below) if side == ABOVE else (alarm.above, limit)
        key = limits_key(sampler.layout.table, sampler.layout.schema.fields[index].name)
        setting = self.settings.replaced(key, [above, below])
        return Effect(dict([setting]), apply=lambda: sampler.set_limits(index, above, below))

    def _schema(self, link: str, schema: object) -> Effect:
        """3: the asked schema, whole."""
        layout = self._sampler(schema).layout
        return Effect(messages=[schema_slice(layout.schema, self.store.boot, self.clock)])

    def _resend(
        self, link: str, schema: object, item: object, slot: object, count: object
    ) -> Effect:
        """4: rows from a slot on, once more; so many a day."""
        number = whole(schema, 0, 65_535)
        seconds = seconds_of(whole(item, -codec.LONGEST_S, codec.LONGEST_S))
        first, rows = whole(slot, 0, 2**40), whole(count, 1, 2**24)
        if first < 65_536:
            now = self.clock.utc()
            if now is None:
                raise Refused(LATER)
            first = decoder.nearest_slot(first, math.floor(now / seconds))
        day = int(self.clock.system_utc() // DAY_S)
        asked = rows + self._resent(link, day)
        if asked > self.bounds.limits.resend_rows_per_day:
            raise Refused(LATER)
        entry = {resent_key(link): json.dumps([day, asked]).encode()}
        return Effect(entry, resend=Resend(number, seconds, first * seconds, rows))

    def _resent(self, link: str, day: int) -> int:
        """How many rows were asked for again on this day."""
        kept = self.store.setting(resent_key(link))
        on, rows = json.loads(kept) if kept else (day, 0)
        return int(rows) if on == day else 0

    def _hello(self, link: str) -> Effect:
        """5: who are you."""
        return Effect(messages=[self.hello()])

    def _restart(self, link: str) -> Effect:
        """7: restart the agent, if the profile allows it."""
        return Effect(apply=self.restart)

    def _body(self, link: str, packed: object) -> Effect:
        """8: plain or packed frames on the asking link."""
        choice = whole(packed, 0, 1) == 1
        setting = self.settings.replaced(packed_key(link), choice)
        return Effect(dict([setting]), apply=lambda: self.store.link(link).set_packed(choice))

    def _sampler(self, number: object) -> Sampler:
        for sampler in self.samplers:
            if sampler.layout.schema.number == number and type(number) is int:
                return sampler
        raise Refused(BAD)


def whole(value: object, low: int, high: int) -> int:
    """`value` if it is an integer between both. Raises Refused."""
    if type(value) is int and low <= value <= high:
        return value
    raise Refused(BAD)


def seconds_of(item: int) -> int:
    """An interval item in seconds: +n minutes, -n seconds. Raises Refused for 0."""
    if item == 0 or (item < 0 and item % 60 == 0):
        raise Refused(BAD)  # whole minutes are always written +n
    return item * 60 if item > 0 else -item
