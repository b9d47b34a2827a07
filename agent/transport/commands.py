"""Downlinks: one implementation for every link (WIRE.md section 4).

Effect, result and the owed acknowledgement are one transaction; a repeated token gets its first
result again and has no second effect. Settings stand in the store beside the profile's value
they replace, and end when that value is edited.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent import codec
from agent.clock import Clock
from agent.codec import decoder
from agent.codec.messages import schema_slice
from agent.config.sections import NodeConfig
from agent.measure.sampler import Sampler
from agent.model.alarm import ABOVE, BELOW, Alarm
from agent.model.batch import Message
from agent.plan.tables import interval_allowed
from agent.store import Resend, Store
from agent.transport.settings import (
    Settings,
    fill_key,
    interval_key,
    limits_key,
    packed_key,
    trial_key,
)

log = logging.getLogger(__name__)

DONE, UNKNOWN, BAD, LATER = 0, 1, 2, 3  # results
REVERT_AFTER = 10  #: frames in a row without an answer, after a change of interval
MOST_ROWS = 1000  #: rows per uplink that downlink 1 may ask for


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


class Commands:
    """Carries out the downlinks of all links."""

    def __init__(
        self,
        node: NodeConfig,
        store: Store,
        clock: Clock,
        samplers: Sequence[Sampler],
        settings: Settings,
        hello: Callable[[], Message],
        restart: Callable[[], None],
    ) -> None:
        self.node, self.store, self.clock = node, store, clock
        self.samplers, self.settings = samplers, settings
        self.hello, self.restart = hello, restart
        self.refused = 0  #: malformed downlinks since the start
        self._lock = threading.Lock()
        self._tried: dict[str, int] = {}  # frames since a change on trial, by link
        self._known: Mapping[int, tuple[int, Callable[..., Effect]]] = {  # arguments, act
            1: (3, self._interval),
            2: (4, self._threshold),
            3: (1, self._schema),
            4: (4, self._resend),
            5: (0, self._hello),
            7: (0, self._restart),
            8: (1, self._body),
        }

    def do(self, frame: bytes, link: str) -> None:
        """Carry out one downlink that came over `link`. Never raises for what is in it."""
        try:
            downlink = decoder.parse_downlink(frame)
        except codec.CodecError as error:
            self.refused += 1
            log.warning("link=%s downlink=ignored reason='%s'", link, error)
            return
        with self._lock:
            self._once(downlink, link)

    def _once(self, downlink: decoder.Downlink, link: str) -> None:
        token = downlink.token
        result = self.store.link(link).result_of(token)
        effect = Effect()
        if result is None:
            result, effect = self._judged(downlink, link)
            log.info(
                "link=%s downlink=%d token=%d result=%d", link, downlink.command, token, result
            )
        self.store.link(link).command(
            token,
            result,
            codec.ack_body(token, result),
            settings=effect.settings,
            messages=effect.messages,
            resend=effect.resend,
        )
        effect.apply()

    def _judged(self, downlink: decoder.Downlink, link: str) -> tuple[int, Effect]:
        if downlink.command not in self._known:
            return UNKNOWN, Effect()
        arguments, act = self._known[downlink.command]
        if len(downlink.args) != arguments:
            return BAD, Effect()
        try:
            return DONE, act(link, *downlink.args)
        except Refused as refused:
            return refused.result, Effect()

    def sent(self, link: str, silent: int) -> None:
        """A frame left over `link`; nothing has been heard since `silent` frames.

        A changed interval is on trial until a frame sent since is answered; if none is, it is
        taken back.
        """
        kept = self.store.setting(trial_key(link))
        if not kept:
            return
        with self._lock:
            self._tried[link] = self._tried.get(link, 0) + 1
            answered = silent < self._tried[link]
            if answered or silent >= REVERT_AFTER:
                del self._tried[link]
                self.store.set_setting(trial_key(link), b"")
            if not answered and silent >= REVERT_AFTER:
                self._take_back(link, *json.loads(kept))

    def _take_back(self, link: str, table: str, interval_s: int, fill_s: float) -> None:
        log.warning("link=%s downlink=taken-back reason='no answer since' table=%s", link, table)
        sampler = next(one for one in self.samplers if one.layout.table == table)
        for key, value in ((interval_key(table), interval_s), (fill_key(link), fill_s)):
            self.store.set_setting(*self.settings.replaced(key, value))
        self.store.link(link).set_fill(fill_s)
        sampler.change(self.store.layout(table, sampler.layout.schema, interval_s))

    # -- the commands, by number -------------------------------------------------------------

    def _interval(self, link: str, schema: object, item: object, rows: object) -> Effect:
        """1: interval of a table, and rows per frame on the asking link."""
        sampler, count = self._sampler(schema), whole(rows, 1, MOST_ROWS)
        seconds = seconds_of(whole(item, -codec.LONGEST_S, codec.LONGEST_S))
        if not interval_allowed(seconds):
            raise Refused(BAD)
        fill_s = (count - 1) * seconds
        layout = sampler.layout
        replaced = self.settings.replaced

        def apply() -> None:
            self.store.link(link).set_fill(fill_s)
            if seconds != layout.interval_s:
                sampler.change(self.store.layout(layout.table, layout.schema, seconds))

        before = json.dumps([layout.table, layout.interval_s, self.settings.get(fill_key(link))])
        settings = [
            replaced(interval_key(layout.table), seconds),
            replaced(fill_key(link), fill_s),
            (trial_key(link), before.encode()),
        ]
        return Effect(dict(settings), apply=apply)

    def _threshold(
        self, link: str, schema: object, column: object, code: object, raw: object
    ) -> Effect:
        """2: a limit in raw steps, or null to switch it off."""
        if not self.node.thresholds_by_downlink:
            raise Refused(LATER)
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
        """4: rows from a slot on, once more."""
        number = whole(schema, 0, 65_535)
        seconds = seconds_of(whole(item, -codec.LONGEST_S, codec.LONGEST_S))
        first, rows = whole(slot, 0, 2**40), whole(count, 1, 2**24)
        if first < 65_536:
            now = self.clock.utc()
            if now is None:
                raise Refused(LATER)
            first = decoder.nearest_slot(first, math.floor(now / seconds))
        return Effect(resend=Resend(number, seconds, first * seconds, rows))

    def _hello(self, link: str) -> Effect:
        """5: who are you."""
        return Effect(messages=[self.hello()])

    def _restart(self, link: str) -> Effect:
        """7: restart the agent, if the profile allows it."""
        if not self.node.restart_by_downlink:
            raise Refused(LATER)
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
