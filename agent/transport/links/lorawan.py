"""LoRaWAN through a modem on a serial port: every second of airtime is counted before it is used.

Sent means: the modem says sent (rows), or the network has acknowledged (alarms; rows where the
profile says so). Whatever happens at a modem leaves the rows owed. EU868, class A.

The command for people is agent/cli/lorawan.py.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager

from agent.clock import Clock
from agent.config.sections import LorawanConfig
from agent.model.batch import ACK, EVENT, HELLO, SLICE, WITHDRAWN, Batch, Delivered
from agent.transport.airtime import DAY_S, Airtime, Memory
from agent.transport.links import Following, LinkError, nothing_follows
from agent.transport.links.encoder import Encoder, Meanwhile, nothing
from agent.transport.links.join_back_off import JoinBackOff
from drivers.api import (
    BUSY,
    DUTY_CYCLE,
    NOT_ACKED,
    NOT_JOINED,
    RESTARTED,
    TOO_LONG,
    UNFINISHED,
    BusError,
    DeviceError,
    Modem,
    ModemError,
)
from drivers.modems.eu868 import MAC_ANSWERS, airtime_s

log = logging.getLogger(__name__)

PORTS = {0: 10, EVENT: 11, SLICE: 12, ACK: 13, HELLO: 14, WITHDRAWN: 15}  # WIRE.md section 4
DOWN_PORT = 20
QUESTIONS = 2  #: bytes: link check and device time
JOIN_REQUEST = 10  #: as long on the air as a payload of so many bytes: 23 bytes in all
REQUEST = 6  #: payload of the frame some modems send to ask for the time (TS003)
JOIN_BUDGET = 0.5  #: of the day's airtime, after the first hour: rows want some when it is over
AGAIN_S = 30.0  #: the modem does not answer
ASK_TIME_S, ASK_TIME_AGAIN_S = 86_400.0, 600.0
ASK_LINK_S = 6 * 3600.0
UNANSWERED = 3  #: so many uplinks without an answer: ask with each whether anybody hears us
DEAF_S, DEAF_SHARE = 30.0, 0.25  #: first wait after a frame nobody acknowledged; budget for them
WINDOWS_S = 3.0  #: a repetition takes so much longer than its frame
MOST_REPEATS = 15  #: of an unconfirmed frame, where the network orders it (LinkADRReq, NbTrans)


class LorawanLink:
    """A modem. Raises LinkError where a frame could not be sent."""

    def __init__(
        self,
        modem: Modem,
        config: LorawanConfig,
        clock: Clock,
        memory: Memory,
        encoder: Encoder,
    ) -> None:
        self.modem, self.config, self.clock, self.memory = modem, config, clock, memory
        self.encoder = encoder
        duty = config.duty_cycle_percent / 100
        self.airtime = Airtime(memory, clock, config.name, config.airtime_s_per_day, duty)
        self.data_rate = config.data_rate
        self.silent = 0  #: uplinks in a row after which nothing was heard
        self.joined = False
        self.next_at: float | None = None  #: monotonic seconds at which the air is free again
        self._set_up = False
        self._too_long = 0  #: refusals in a row for length
        self._deaf = 0  #: confirmed frames in a row that nobody acknowledged
        self._confirm_at = -math.inf  #: monotonic seconds: no confirmed frame before
        self._heard = 0  # answers of the network, as of the newest uplink
        self._heard_last = True  # whether that uplink had one
        self._asked_link = self._asked_time = -math.inf
        self._timing = False  # asked for the time, no answer yet
        self._timeless = False  # said that the answers hold none

    # -- Link -------------------------------------------------------------------------------

    def room(self, priority: str = "live") -> int:
        """Longest frame that may go now, in bytes. Raises LinkError."""
        if self._confirmed(priority):
            self._wait_for_ears()
        self._wait_for_air(airtime_s(1, self.data_rate), priority)
        with self._speaking():
            self._ready()
            if self.modem.asks_by_uplink:
                self._ask_time_by_uplink()
            self.data_rate = self.modem.data_rate()
            return min(self.modem.limit(), self.config.limit_bytes)

    def deliver(self, batch: Batch, following: Following = nothing_follows) -> Delivered:
        """Send the batch's frames. Raises LinkError, Undeliverable."""
        limit = self.room(batch.priority)
        return self.encoder.carry(self.encoder.encode(batch, limit), limit, self.send, following)

    def send(self, frame: bytes, batch: Batch, meanwhile: Meanwhile = nothing) -> None:
        """Return when the modem says sent, an alarm when the network has it. Raises LinkError."""
        kind, priority = batch.kind, batch.priority
        if kind not in PORTS:
            raise LinkError(f"frames of kind {kind} do not go over LoRaWAN", refused=True)
        confirmed = self._confirmed(priority)
        seconds = airtime_s(len(frame) + self._options(), self.data_rate)
        self._wait_for_air(seconds, priority)
        with self._speaking():
            self._ask()
            self.airtime.book(seconds, priority)
            tries = self.config.tries if confirmed else MOST_REPEATS
            began = self.clock.monotonic()
            try:
                self.modem.send(frame, port=PORTS[kind], confirmed=confirmed)
            except ModemError as error:
                self._account(error.reason, seconds)
                if error.reason == UNFINISHED:
                    self._book_repeats(seconds, self.clock.monotonic() - began, tries)
                raise
            self._too_long = 0
            self._book_repeats(seconds, self.clock.monotonic() - began, tries)
            self._listen(confirmed=confirmed)

    def received(self) -> list[bytes]:
        """Downlinks for us since the last call, oldest first."""
        if not self._set_up:
            return []
        try:
            downlinks = self.modem.received()
        except DeviceError as error:
            log.warning("link=%s modem='%s'", self.config.name, error)
            self._set_up = False
            return []
        self._hear()
        return [one.payload for one in downlinks if one.port == DOWN_PORT]

    def close(self) -> None:
        """Let go of the port; the session stays in the modem."""
        self.modem.port.close()

    # -- for people ---------------------------------------------------------------------------

    def report(self) -> dict[str, float | bool | str | None]:
        """What `status` shows of the radio."""
        signal = self.modem.signal
        waits = None if self.next_at is None else max(self.next_at - self.clock.monotonic(), 0.0)
        return {
            "modem": self.config.modem,
            "joined": self.joined,
            "data_rate": self.data_rate,
            "rssi_dbm": signal.rssi_dbm,
            "snr_db": signal.snr_db,
            "margin_db": signal.margin_db,
            "airtime_s": round(self.airtime.spent_s(), 1),
            "airtime_s_per_day": self.airtime.day_s,
            "next_send_s": None if waits is None else round(waits),
        }

    def radio(self) -> dict[str, float]:
        """The same for the health table: what is known of it."""
        signal = self.modem.signal
        known = {"rssi": signal.rssi_dbm, "snr": signal.snr_db, "margin": signal.margin_db}
        if self.joined:
            known["data_rate"] = self.data_rate
        known["airtime"] = self.airtime.spent_s()
        return {name: value for name, value in known.items() if value is not None}

    # -- the air ------------------------------------------------------------------------------

    def _wait_for_air(self, seconds: float, priority: str) -> None:
        """Raises LinkError with the time when a frame of this priority may go."""
        wait_s = self.airtime.wait_s(seconds, priority)
        if wait_s <= 0:
            self.next_at = None
            return
        if math.isinf(wait_s):
            reason = f"one frame needs {seconds:.1f} s on the air, the budget is smaller"
            raise LinkError(reason, AGAIN_S, refused=True)
        wait_s = math.ceil(wait_s)
        self.next_at = self.clock.monotonic() + wait_s
        raise LinkError("waits for airtime", wait_s, later=True)

    def _confirmed(self, priority: str) -> bool:
        """Whether frames of this priority want an acknowledgement."""
        return priority in ("alarm", "withdrawn") or (
            self.config.confirmed and priority != "message"
        )

    def _book_repeats(self, seconds: float, took_s: float, tries: int) -> None:
        """A frame that took so long was sent more than once; no modem says how often."""
        again = int((took_s - seconds) / (seconds + WINDOWS_S))
        for _ in range(min(again, tries - 1)):
            self.airtime.book(seconds)

    def _rest(self, spent_s: float) -> None:
        """Nobody acknowledged: confirmed frames wait, else an outage would eat the day's airtime.

        From half a minute on longer and longer, until they take a quarter of the budget. The
        first sign of the network ends it.
        """
        longest_s = spent_s * DAY_S / (self.airtime.day_s * DEAF_SHARE)
        wait_s = min(DEAF_S * 4.0**self._deaf, longest_s)
        self._deaf += 1
        self._confirm_at = self.clock.monotonic() + wait_s

    def _wait_for_ears(self) -> None:
        """Raises LinkError with the time when a confirmed frame may be tried again."""
        wait_s = self._confirm_at - self.clock.monotonic()
        if wait_s > 0:
            raise LinkError(NOT_ACKED, math.ceil(wait_s), later=True)

    def _options(self) -> int:
        """Bytes that questions and the modem's own answers may add to the next frame, at most."""
        return QUESTIONS + (MAC_ANSWERS if self._heard_last else 0)

    def _account(self, reason: str, seconds: float) -> None:
        """What of the time booked was really on the air, now that the modem has refused."""
        if reason == NOT_ACKED:
            self.silent += 1
            for _ in range(self.config.tries - 1):
                self.airtime.book(seconds)
            self._rest(self.config.tries * seconds)
        elif reason == TOO_LONG:  # some modems send an empty frame instead
            self._too_long += 1
            self.airtime.give_back(seconds - min(airtime_s(0, self.data_rate), seconds))
        elif reason not in (UNFINISHED, RESTARTED):
            self.airtime.give_back(seconds)

    def _ask(self) -> None:
        """Questions that ride on the next uplink: who hears us, what time is it?"""
        now = self.clock.monotonic()
        if now - self._asked_link >= ASK_LINK_S or self.silent >= UNANSWERED:
            self._asked_link = now
            self.modem.ask_link()
        if self._time_wanted() and not self.modem.asks_by_uplink:
            self._asked_time, self._timing = now, True
            self.modem.ask_time()

    def _time_wanted(self) -> bool:
        """Whether to ask the network for the time: often while nobody vouches for it."""
        every_s = ASK_TIME_S if self.clock.trust == "lorawan" else ASK_TIME_AGAIN_S
        due = self.clock.monotonic() - self._asked_time >= every_s
        return self.clock.trust != "ntp" and due

    def _ask_time_by_uplink(self) -> None:
        """Some modems spend a frame of their own on it. Raises LinkError, for the air is used."""
        seconds = airtime_s(REQUEST, self.data_rate)
        if not self._time_wanted() or self.airtime.wait_s(seconds, "live") > 0:
            return
        self.airtime.book(seconds)
        self._asked_time, self._timing = self.clock.monotonic(), True
        self.modem.ask_time()
        self._listen(confirmed=False)

    def _listen(self, *, confirmed: bool) -> None:
        """What the network has said in the windows of this uplink."""
        self.silent += 1
        self._heard_last = False
        if confirmed:
            self.silent, self._heard_last = 0, True
            self._deaf, self._confirm_at = 0, -math.inf
        self._hear()
        if self._timing:
            self._take_time()

    def _take_time(self) -> None:
        """The network's time, if it has told one that can be true."""
        unix = self.modem.time()
        if unix is not None:
            self._timing, self.silent, self._timeless = False, 0, False
            self.clock.set_utc(unix, "lorawan")
        elif self._heard_last and not self._timeless:
            self._timeless = True
            reason = "the network answers, but with no time that can be true"
            log.warning("link=%s time=unknown reason='%s'", self.config.name, reason)

    def _hear(self) -> None:
        """Was there an answer? Some modems tell of it after the uplink is over."""
        heard = self.modem.signal.heard
        if heard != self._heard:
            self._heard, self._heard_last, self.silent = heard, True, 0
            self._deaf, self._confirm_at = 0, -math.inf

    # -- the session --------------------------------------------------------------------------

    def _ready(self) -> None:
        """Set up, and joined. Raises LinkError, DeviceError."""
        if not self._set_up:
            self.modem.setup()
            self._set_up = True
        if not self.joined:
            self.joined = self.modem.joined()
        if not self.joined:
            self._join()

    def _join(self) -> None:
        """One attempt, if the back-off allows it."""
        backoff = JoinBackOff(self.memory, self.clock, self.config.name)
        seconds = airtime_s(JOIN_REQUEST, self.config.data_rate)
        wait_s = backoff.wait_s()
        if wait_s > 0:
            raise LinkError("not joined: no answer to join requests", wait_s)
        self._wait_for_air(seconds, "message")
        self.airtime.book(seconds)
        backoff.tried(seconds, JOIN_BUDGET * self.airtime.day_s / DAY_S)
        try:
            self.modem.join()
        except ModemError as error:
            if error.reason in (DUTY_CYCLE, BUSY):
                self.airtime.give_back(seconds)
                raise
            log.warning("link=%s join=failed reason='%s'", self.config.name, error.reason)
            reason = "not joined: no answer to join requests"
            raise LinkError(reason, backoff.wait_s()) from error
        log.info("link=%s join=accepted", self.config.name)
        backoff.done()
        self.joined, self.silent = True, 0

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """What a modem raises becomes a LinkError; a modem in doubt is set up anew."""
        try:
            yield
        except ModemError as error:
            raise self._refusal(error) from error
        except DeviceError as error:
            self._set_up = self.joined = False
            raise LinkError(str(error), AGAIN_S, refused=isinstance(error, BusError)) from error

    def _refusal(self, error: ModemError) -> LinkError:
        if error.reason == NOT_JOINED:
            self.joined = False
            return LinkError(error.reason, 1.0)
        if error.reason == RESTARTED:
            self._set_up = self.joined = False
            return LinkError(error.reason, 1.0)
        if error.reason == TOO_LONG and self._too_long < 3:
            return LinkError(error.reason, 0.0)
        if error.reason in (DUTY_CYCLE, UNFINISHED):
            self.next_at = self.clock.monotonic() + error.retry_s
            return LinkError(error.reason, max(error.retry_s, 1.0), later=True)
        return LinkError(error.reason, error.retry_s, refused=True)
