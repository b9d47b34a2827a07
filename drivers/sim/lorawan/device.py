"""A LoRaWAN class A end device, region EU868, L2 1.0.4; time is handed in, nothing sleeps.

`join` and `send` begin a transmission; `advance(now)` does what has become due since: end of the
frame, receive windows, repetitions. What happens is told to `tell(event, at)`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from drivers.sim.lorawan import mac_codec as mac
from drivers.sim.lorawan.air import Air, Heard
from drivers.sim.lorawan.duty import DutyCycle
from drivers.sim.lorawan.events import (
    Event,
    Joined,
    JoinFailed,
    LinkChecked,
    Received,
    Refused,
    Sending,
    Sent,
    TimeAnswered,
)
from drivers.sim.lorawan.frame import (
    ACK,
    ADR,
    ADR_ACK_REQ,
    CONFIRMED_UP,
    DATA_UP,
    PENDING,
    Data,
    FrameError,
    JoinAccept,
    JoinRequest,
)
from drivers.sim.lorawan.mac_codec import Command
from drivers.sim.lorawan.mac_commands import carry_out
from drivers.sim.lorawan.region import JOIN_DELAY_S, ROOM, ROOM_REPEATER, RX2_DR, RX2_HZ, Radio
from drivers.sim.lorawan.session import Channel, Memory, Session, join_channels, session_of

ADR_ACK_LIMIT, ADR_ACK_DELAY = 64, 32
ACK_TIMEOUT_S = (1.0, 3.0)
NOWHERE = Radio(0, 0)
WINDOW_S = 0.05  # an empty receive window is over after a few symbols


@dataclass
class Flight:
    """A frame on its way, until its windows and repetitions are over."""

    frame: bytes
    confirmed: bool = False
    nonce: int | None = None  #: of a join request
    counter: int = 0
    tries: int = 1  #: still to make, this one included
    radio: Radio = NOWHERE
    answer_hz: int = 0  #: where RX1 listens
    end: float = 0.0
    answered: bool = False
    acked: bool = False


class Device:
    """The MAC. Its host sets identity and keys, then joins."""

    def __init__(self, air: Air, memory: Memory | None = None, seed: int | None = 1) -> None:
        self.air, self.memory = air, memory or Memory()
        self.dev_eui = self.join_eui = bytes(8)
        self.app_key = b""
        self.adr = True
        self.random_nonce = False  #: as 1.0.2 had it; else counted and never reused
        self.repeater = False  #: use the payload limits that leave room for a repeater
        self.duty = DutyCycle()
        self.tell: Callable[[Event, float], None] = lambda event, at: None
        self.chance = random.Random(seed)
        self.requests: list[int] = []  #: MAC commands for the next uplink: link check, time
        self._flight: Flight | None = None
        self._due: tuple[float, Callable[[float], None]] | None = None

    @property
    def session(self) -> Session | None:
        """The present activation."""
        return self.memory.session

    @property
    def busy(self) -> bool:
        """Whether a frame is on its way."""
        return self._flight is not None

    @property
    def due(self) -> float | None:
        """When something happens next."""
        return self._due[0] if self._due else None

    def room(self) -> int:
        """Bytes an application payload may have now; MAC answers shrink it."""
        table = ROOM_REPEATER if self.repeater else ROOM
        return table[self.memory.data_rate] - len(self._options())

    def join(self, now: float) -> None:
        """Ask for a session. Raises Refused."""
        self._check_idle()
        if len(self.app_key) != 16:
            raise Refused("keys")
        nonce = self.chance.randrange(65536) if self.random_nonce else self.memory.dev_nonce
        if nonce > 65535:
            raise Refused("nonces used up")
        request = JoinRequest(self.join_eui, self.dev_eui, nonce).build(self.app_key)
        if not self.random_nonce:
            self.memory.dev_nonce = nonce + 1  # first: a kept memory writes it down
        self._begin(Flight(request, nonce=nonce), now)
        self.memory.session = None

    def send(
        self, payload: bytes, port: int, now: float, *, confirmed: bool = False, tries: int = 1
    ) -> None:
        """Send one frame; a confirmed one up to `tries` times. Raises Refused."""
        self._check_idle()
        if self.session is None:
            raise Refused("not joined")
        if len(payload) > self.room():
            raise Refused("length")
        session, options = self.session, self._options()
        kind = CONFIRMED_UP if confirmed else DATA_UP
        flags = self._flags(session)
        data = Data(kind, session.address, session.up, flags, options, port, payload)
        frame = data.build(session.network_key, session.application_key)
        repeats = tries if confirmed else session.transmissions
        self._begin(Flight(frame, confirmed, counter=session.up, tries=repeats), now)
        session.up += 1
        session.ack_due = False
        session.answers.clear()
        self.requests.clear()
        self._adapt(session)

    def stop(self) -> None:
        """Forget the frame on its way: reset or power cut."""
        self._flight, self._due = None, None
        self.requests.clear()

    def advance(self, now: float) -> None:
        """Do everything that is due up to `now`, each at its own time."""
        while self._due is not None and self._due[0] <= now:
            at, act = self._due
            self._due = None
            act(at)

    def _check_idle(self) -> None:
        if self._flight is not None:
            raise Refused("busy")

    def _flags(self, session: Session) -> int:
        flags = ADR if self.adr else 0
        if self.adr and session.unheard >= ADR_ACK_LIMIT:
            flags |= ADR_ACK_REQ
        return flags | (ACK if session.ack_due else 0)

    def _adapt(self, session: Session) -> None:
        """Without any answer for long, first more power, then slower, then all channels."""
        session.unheard += 1
        silent = session.unheard - ADR_ACK_LIMIT
        if not self.adr or silent < ADR_ACK_DELAY or silent % ADR_ACK_DELAY:
            return
        if session.power:
            session.power = 0
        elif self.memory.data_rate > session.rates().start:
            self.memory.data_rate -= 1
        else:
            session.transmissions = 1
            for channel in session.channels.values():
                channel.enabled = True

    def _options(self) -> bytes:
        """FOpts of the next uplink."""
        session = self.session
        if session is None:
            return b""
        wanted: list[Command] = [*session.sticky.items(), *session.answers]
        return mac.join(wanted + [(request, b"") for request in self.requests])

    def _begin(self, flight: Flight, now: float) -> None:
        channel, wait_s = self._channel(flight, now)
        if wait_s > 0:
            raise Refused("duty cycle", wait_s)
        self._flight = flight
        self._transmit(channel, now)

    def _channel(self, flight: Flight, now: float) -> tuple[Channel, float]:
        """A channel picked at random among the free ones, and how long until it is free."""
        joining = flight.nonce is not None
        channels = self.session.channels if self.session and not joining else join_channels()
        rate = self.memory.data_rate
        usable = [c for c in channels.values() if c.enabled and c.low <= rate <= c.high]
        if not usable:
            raise Refused("no channel")
        waits = [self.duty.wait_s(c.frequency_hz, now) for c in usable]
        soonest = min(waits)
        free = [c for c, wait in zip(usable, waits, strict=True) if wait == soonest]
        return self.chance.choice(free), soonest

    def _transmit(self, channel: Channel, now: float) -> None:
        flight = self._current()
        flight.radio = Radio(channel.frequency_hz, self.memory.data_rate)
        flight.answer_hz = channel.answer_hz or channel.frequency_hz
        flight.tries -= 1
        airtime = flight.radio.airtime_s(len(flight.frame), uplink=True)
        flight.end = now + airtime
        self.duty.used(channel.frequency_hz, airtime, flight.end)
        self.tell(Sending(channel.frequency_hz, self.memory.data_rate, flight.counter), now)
        self._due = (flight.end, self._sent)

    def _sent(self, at: float) -> None:
        flight = self._current()
        self.air.transmit(flight.frame, flight.radio, at)
        self._due = (at + self._delay_s(), self._first_window)

    def _delay_s(self) -> float:
        return float(self.session.delay_s) if self.session else JOIN_DELAY_S

    def _first_window(self, at: float) -> None:
        flight, session = self._current(), self.session
        offset = session.rx1_offset if session else 0
        radio = Radio(flight.answer_hz, max(flight.radio.data_rate - offset, 0))
        if not self._listen(radio, 1, at):
            self._due = (at + 1.0, self._second_window)

    def _second_window(self, at: float) -> None:
        session = self.session
        radio = Radio(RX2_HZ, RX2_DR)
        if session:
            radio = Radio(session.rx2_hz, session.rx2_data_rate)
        if not self._listen(radio, 2, at):
            self._due = (at + WINDOW_S, self._over)

    def _listen(self, radio: Radio, window: int, at: float) -> bool:
        heard = self.air.listen(radio, at)
        event = self._understand(heard, window) if heard else None
        if heard is None or event is None:
            return False
        self._current().answered = True
        over = at + radio.airtime_s(len(heard.frame), uplink=False)

        def arrive(when: float) -> None:
            for one in event:
                self.tell(one, when)
            self._over(when)

        self._due = (over, arrive)
        return True

    def _understand(self, heard: Heard, window: int) -> list[Event] | None:
        """What a frame means; None if it is not for this device."""
        try:
            if self._current().nonce is not None:
                return self._accepted(heard)
            return self._downlink(heard, window)
        except FrameError:
            return None

    def _accepted(self, heard: Heard) -> list[Event] | None:
        accept = JoinAccept.parse(heard.frame, self.app_key)
        if accept.join_nonce <= self.memory.join_nonce:
            return None
        nonce = self._current().nonce
        assert nonce is not None
        self.memory.join_nonce = accept.join_nonce
        self.memory.session = session_of(accept, self.app_key, nonce)
        self.duty.aggregate = 1.0
        return [Joined(accept.address, accept.net_id)]

    def _downlink(self, heard: Heard, window: int) -> list[Event] | None:
        session = self.session
        assert session is not None
        keys = (session.network_key, session.application_key)
        data = Data.parse(heard.frame, *keys, session.down)
        if data.address != session.address or data.counter <= session.down:
            return None
        session.down, session.unheard = data.counter, 0
        session.sticky.clear()
        session.ack_due = data.confirmed
        self._current().acked = bool(data.flags & ACK)
        orders = list(mac.split(data.payload if data.port == 0 else data.options, mac.TO_DEVICE))
        carry_out(self.memory, self.duty, orders, self.adr, heard.snr_db)
        return [*self._news(orders), self._received(data, heard, window)]

    def _received(self, data: Data, heard: Heard, window: int) -> Received:
        wants = data.confirmed or bool(data.flags & PENDING)
        acked = bool(data.flags & ACK)
        payload = data.payload if data.port else b""
        return Received(data.port, payload, window, heard.rssi_dbm, heard.snr_db, acked, wants)

    def _news(self, orders: list[Command]) -> list[Event]:
        news: list[Event] = []
        for identifier, body in orders:
            if identifier == mac.LINK_CHECK:
                news.append(LinkChecked(body[0], body[1]))
            elif identifier == mac.DEVICE_TIME:
                news.append(TimeAnswered(mac.unix_time(body), self._current().end))
        return news

    def _over(self, at: float) -> None:
        """Windows closed: repeat, or tell how it ended."""
        flight = self._current()
        done = flight.acked if flight.confirmed else flight.answered
        if flight.nonce is None and not done and flight.tries > 0:
            pause = self.chance.uniform(*ACK_TIMEOUT_S)
            self._due = (at + pause, self._repeat)
            return
        self._flight = None
        if flight.nonce is None:
            self.tell(Sent(flight.confirmed, flight.acked), at)
        elif not flight.answered:
            self.tell(JoinFailed(), at)

    def _repeat(self, at: float) -> None:
        channel, wait_s = self._channel(self._current(), at)
        if wait_s > 0:
            self._due = (at + wait_s, self._repeat)
        else:
            self._transmit(channel, at)

    def _current(self) -> Flight:
        assert self._flight is not None
        return self._flight
