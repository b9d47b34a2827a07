"""Why a connection to a broker ended, in words a person can act on."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from paho.mqtt.client import MQTTv5
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from agent.transport.links.login import FileTrouble, plain, unreachable
from agent.transport.links.one_connection import OneConnection

TAKEN_OVER = 0x8E  #: MQTT 5, 3.14.2.1
UNSUPPORTED = 0x84  #: this protocol version, 3.2.2.2
LASTED_S = 600.0  #: a connection that lasted longer was not begrudged by anybody
TIMES = 3  #: connections in a row, cut in the same way: no accident


@dataclass
class Connection:
    """One connection from its first try to its end: what was seen of it."""

    client: OneConnection
    version: MQTTProtocolVersion
    began: float = field(default_factory=time.monotonic)
    opened_at: float | None = None  #: the socket is open, CONNACK is awaited
    code: ReasonCode | None = None  #: of the CONNACK
    unanswered: str = ""  #: "PUBLISH topic", while it is
    asked_at: float = 0.0  #: when it was sent
    acks: dict[int, ReasonCode] = field(default_factory=dict)  #: by packet id
    answered: set[str] = field(default_factory=set)  #: what the broker takes: "PUBLISH topic"
    acked: int = 0  #: publishes, of any kind
    carried: int = 0  #: publishes of rows and messages that were acknowledged
    farewell: ReasonCode | None = None  #: of the broker's DISCONNECT
    error: BaseException | None = None  #: it did not come about
    given_up: str = ""  #: why we ended it ourselves
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def accepted(self) -> bool:
        """Whether the broker has let us in."""
        return self.code is not None and not self.code.is_failure

    @property
    def reached(self) -> bool:
        """Whether anybody answered."""
        return self.error is None or not unreachable(self.error)

    @property
    def hung_up_early(self) -> bool:
        """Whether it was closed before CONNACK, without a word."""
        silent = self.code is None and self.farewell is None and not self.given_up
        return silent and self.error is None

    @property
    def files(self) -> bool:
        """Whether a file of ours was the reason."""
        return isinstance(self.error, FileTrouble)

    @property
    def version_refused(self) -> bool:
        """Whether the broker does not speak our version of MQTT."""
        if self.code is None:
            return False
        return self.code.value == UNSUPPORTED or "protocol version" in str(self.code).lower()

    @property
    def cut(self) -> bool:
        """Whether it was closed after CONNACK, without a word and without being asked to."""
        return self.accepted and self.farewell is None and not self.given_up

    @property
    def suspect(self) -> str:
        """What it was cut at: sent, not answered, and never answered before on it."""
        return "" if self.unanswered in self.answered else self.unanswered

    @property
    def taken_over(self) -> bool:
        """Whether the broker says that somebody else came by our name."""
        return self.farewell is not None and self.farewell.value == TAKEN_OVER

    def ask(self, what: str) -> None:
        """Something goes out that will be answered."""
        self.unanswered, self.asked_at = what, time.monotonic()

    def answer(self, packet: int, code: ReasonCode) -> None:
        """It was."""
        if not code.is_failure:
            self.answered.add(self.unanswered)
        self.unanswered = ""
        self.acks[packet] = code


@dataclass
class Endings:
    """How connections ended, one after the other."""

    client_id: str
    rivals: int = 0  #: ended as they end when another client uses the name, in a row
    at: str = ""  #: what the last ones were cut at
    times: int = 0  #: how many of them, in a row
    doubtful: bool = False  #: whether it was what we said first that was too much, or we ourselves

    def take(self, one: Connection) -> str:
        """The reason of this one, in the light of those before."""
        self._count(one)
        if one.given_up:
            return one.given_up
        if one.error is not None:
            return plain(one.error)
        if one.client.too_long:
            return f"cut: the broker announced a packet of {one.client.too_long} bytes"
        if one.code is None and one.farewell is None:
            return "the broker hangs up before it answers: is this its MQTT port, TLS?"
        if one.code is not None and one.code.is_failure:
            return f"refused by the broker: {one.code}"
        return self._after_connack(one)

    @property
    def contested(self) -> bool:
        """Whether another client seems to use the name."""
        return self.rivals >= TIMES

    def _after_connack(self, one: Connection) -> str:
        if one.taken_over or (self.contested and one.version != MQTTv5):  # 3.1.1 does not tell
            return f"another client uses the name '{self.client_id}'"
        if one.suspect:
            said = f": {one.farewell}" if one.farewell else ""
            return f"the broker hangs up at {one.suspect}{said}: may this node do that?"
        if one.farewell is not None:
            return f"the broker ends the connection: {one.farewell}"
        if not one.acked:
            return (
                "the broker closes after accepting: is the name used by another client, is it one"
                " the broker knows, is a quota used up?"
            )
        return "connection lost"

    def _count(self, one: Connection) -> None:
        rival = one.taken_over or (one.cut and one.acked > 0 and not one.suspect)
        short = time.monotonic() - one.began < LASTED_S
        self.rivals = self.rivals + 1 if rival and short else 0
        if one.taken_over and short:
            self.rivals = max(self.rivals, TIMES)
        at = one.suspect if one.cut else ""
        self.times = self.times + 1 if at and at == self.at else int(bool(at))
        self.at = at
        self.doubtful = one.cut and not one.carried and (bool(at) or not one.acked)
