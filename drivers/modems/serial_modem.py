"""What all serial LoRaWAN modems share: waking, patience, joining, sending, what they receive.

A dialect says with which words: it fills in what raises NotImplementedError here.
"""

from __future__ import annotations

from drivers.api import BUSY, NO_ACCEPT, BusError, Downlink, ModemError, Signal
from drivers.bus.port import Port
from drivers.keys import Keys
from drivers.modems.dialogue import Dialogue
from drivers.modems.eu868 import LIMIT
from drivers.modems.reset import ResetPin

JOIN_S, PLAIN_S, CONFIRMED_S = 15.0, 30.0, 12.0  # cover SF12, 3 repetitions; per try if confirmed
BUSY_S, NO_CHANNEL_S, UNFINISHED_S = 5.0, 60.0, 30.0
TRIES = 3
GREETINGS = 4  # the first may only wake it, the second be cut
ANSWER_S = 0.5


class SerialModem:
    """One module. `tries`: how often a confirmed frame is sent at most, 1..8."""

    baudrate = 9600
    asks_by_uplink = False

    greeting = "AT"  #: asked until it answers
    hint = "is it powered?"  #: what to look at if it never does
    limits = LIMIT  #: bytes by data rate

    def __init__(
        self,
        port: Port,
        keys: Keys,
        *,
        adr: bool = True,
        data_rate: int = 0,
        tries: int = TRIES,
        reset: ResetPin | None = None,
    ) -> None:
        self.port, self.keys, self.reset = port, keys, reset
        self.adr, self.join_rate, self.tries = adr, data_rate, tries
        self.signal = Signal()
        self.talk = Dialogue(port, self._unasked)
        self._downlinks: list[Downlink] = []
        self._joined = False  # as far as it has told
        self._rekeyed = False  # the session belongs to other keys
        self._answers = 0  # bytes the modem's own answers may take off the next payload

    def joined(self) -> bool:
        """Whether it holds a session of these keys. Raises DeviceError."""
        return self._joined

    def data_rate(self) -> int:
        """The present data rate, 0..6. Raises DeviceError."""
        raise NotImplementedError

    def limit(self) -> int:
        """Bytes the next payload may have. Raises DeviceError."""
        return self.limits[self.data_rate()] - self._answers

    def send(self, payload: bytes, *, port: int, confirmed: bool = False) -> None:
        """Send; returns when the modem says sent, or acknowledged. Raises DeviceError."""
        try:
            self._offer(payload, port, confirmed)
            self._finish(confirmed)
        except ModemError as error:
            self._learn(error)
            raise
        self._learn(None)
        self._answers = 0

    def received(self) -> list[Downlink]:
        """Downlinks since the last call. Raises BusError."""
        self.talk.settle()
        got, self._downlinks = self._downlinks, []
        return got

    # -- what a dialect says in its own words ------------------------------------------------

    def _offer(self, payload: bytes, port: int, confirmed: bool) -> None:
        """Hand over a frame; returns when it is accepted. Raises DeviceError."""
        raise NotImplementedError

    def _finish(self, confirmed: bool) -> None:
        """Wait for the end of the frame just accepted. Raises DeviceError."""
        raise NotImplementedError

    def _greets(self, line: str) -> bool:
        """Whether a line answers the greeting."""
        raise NotImplementedError

    def _nudge(self, attempt: int) -> None:
        """What goes before the greeting; attempts count from 0."""

    def _unasked(self, line: str, *, sending: bool = False) -> None:
        """A line nobody waited for. Raises ModemError if it means that a frame is lost."""
        raise NotImplementedError

    # -- what they share ---------------------------------------------------------------------

    def _wake(self) -> None:
        """Get in step with it; with the reset line if nothing else helps. Raises BusError."""
        if self._alive():
            return
        if self.reset is not None:
            self.reset.pulse()
            self._joined = False
            if self._alive():
                return
        raise BusError(f"{self.port.path}: no answer to {self.greeting}: {self.hint}")

    def _alive(self) -> bool:
        for attempt in range(GREETINGS):
            self._nudge(attempt)
            self.talk.settle()
            self.talk.say(self.greeting)
            if any(self._greets(line) for line in self.talk.until(ANSWER_S)):
                return True
        return False

    def _outcome(self, accepted: str, denied: str) -> None:
        """Wait for the end of a join. Raises ModemError, or BusError if it does not end."""
        for line in self.talk.until(JOIN_S):
            if line == accepted:
                return
            if line.startswith(denied):
                raise ModemError(NO_ACCEPT, 0.0)
            self._unasked(line, sending=True)
        raise BusError(f"{self.port.path}: join: neither accepted nor denied in {JOIN_S:g} s")

    def _patience_s(self, confirmed: bool) -> float:
        """Seconds a frame may take."""
        return CONFIRMED_S * self.tries if confirmed else PLAIN_S

    def _learn(self, error: ModemError | None) -> None:
        """What the end of a frame means: a modem that stays busy is reset."""
        if self.reset is None:
            return
        if error is None or error.reason != BUSY:
            self.reset.calm()
        elif self.reset.busy():
            self._joined = False

    def _downlink(self, port: str, payload: str) -> bool:
        """Keep a downlink for `received`; False if LoRaWAN has no such port for applications."""
        if not 0 < int(port) < 256:
            return False
        self._downlinks.append(Downlink(int(port), bytes.fromhex(payload)))
        return True

    def _strength(self, rssi_dbm: str, snr_db: str) -> None:
        """How well a downlink was heard."""
        self.signal.heard += 1
        self.signal.rssi_dbm, self.signal.snr_db = float(rssi_dbm), float(snr_db)

    def _margin(self, margin_db: str, gateways: str) -> None:
        """The answer to a link check."""
        self.signal.heard += 1
        self.signal.margin_db, self.signal.gateways = int(margin_db), int(gateways)
