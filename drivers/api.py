"""What a driver is: the words that chips, modems and the agent share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

log = logging.getLogger(__name__)


def __getattr__(name: str) -> Any:
    """What 0.1 called `Batch`, for one release more: drivers of others may still import it."""
    if name == "Batch":
        log.warning("drivers.api.Batch state=renamed reason='import Samples instead'")
        return Samples
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


class DeviceError(Exception):
    """A chip or modem could not be read; the message names the address and what was seen."""


class BusError(DeviceError):
    """No answer: not acknowledged, timed out, or the bus itself failed."""


class DataError(DeviceError):
    """An answer that cannot be true: checksum, identity, overrun, too early."""


class WarmingUp(DeviceError):
    """It is well, but has nothing to tell yet: a fan, a heater, a first conversion. No fault."""

    def __init__(self, where: str, left_s: float) -> None:
        super().__init__(f"{where}: warming up, {max(left_s, 0.0):.0f} s left")
        self.left_s = left_s  #: until its first value, about


class ModemError(DeviceError):
    """A modem refused; `retry_s` is when to ask again."""

    def __init__(self, reason: str, retry_s: float) -> None:
        super().__init__(reason)
        self.reason, self.retry_s = reason, retry_s


@dataclass(frozen=True, slots=True)
class Quantity:
    """What one number of a sensor means. The unit (UCUM) comes with the kind."""

    kind: str  #: a line of hw/schemas/quantities.toml
    step: float  #: smallest difference worth sending, in the kind's unit
    low: float  #: believable range, lower end, in the kind's unit
    high: float  #: believable range, upper end
    resolution: Callable[[float], float] | None = None  #: finest difference at a value; None: step

    def resolves(self, value: float) -> float:
        """The finest difference the sensor tells at `value`, both in the kind's unit."""
        return self.resolution(value) if self.resolution else self.step


class Timer(Protocol):
    """Time as drivers need it; handed in, so that tests and demos choose its speed."""

    def monotonic(self) -> float:
        """Seconds that never jump."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...


class Sensor(Protocol):
    """A chip that is asked and answers. The constructor stores; `setup` acts.

    Beside what stands here a class may declare, for plans and tests: `checksum`, whether a
    flipped bit is noticed; `warm_up_s`, from `setup` to the first value (0); `setup_s` and
    `read_s`, the most time these take (1 and 0.25); `still_s`, for how long a quantity may repeat
    itself to the last bit where it is coarser than others of its kind; `counts`, by quantity what
    the newest value was made of (anything that compares), where rounding or a limit may hide that
    it moves, or where a zero is suspect as well.
    """

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """Name of each value `read` can return, and what it means."""
        ...

    def setup(self) -> None:
        """Identify, self-test, configure. Safe to call again. Raises DeviceError."""
        ...

    def read(self) -> Mapping[str, float | None]:
        """One conversion: absent = not measured, None = measured but bad.

        Raises DeviceError; WarmingUp while a first value is still to come.
        """
        ...


class Compensated(Protocol):
    """A sensor that wants another instrument's value before it reads."""

    def compensate(self, **inputs: float) -> None:
        """Take the newest input values, in the units their keyword names say."""
        ...


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples drained from a FIFO, oldest first, one tuple per sample in the order of `axes`."""

    samples: Sequence[Sequence[float]]
    gap: bool = False  #: samples are missing before the first one: overrun, restart, torn words
    lost: int | None = None  #: how many are missing there, where it can be told; None: unknown
    at: float | None = field(
        default=None, compare=False
    )  #: monotonic s, level was read just before


class Fifo(Protocol):
    """A chip that samples by itself and has to be emptied in time."""

    axes: Sequence[str]
    unit: str  #: UCUM
    rate_hz: float  #: nominal
    depth_s: float  #: how long the chip can wait before it loses samples

    def setup(self) -> None:
        """Identify, self-test, configure, start. Safe to call again. Raises DeviceError."""
        ...

    def drain(self) -> Samples:
        """All samples since the last call. Raises DeviceError."""
        ...


# What a modem may refuse with, as `ModemError.reason`; anything else is said in words.
NOT_JOINED = "not joined"
NO_ACCEPT = "no join accept"
NOT_ACKED = "not acknowledged"
TOO_LONG = "too long for the data rate"
DUTY_CYCLE = "duty cycle"
BUSY = "busy"
RESTARTED = "modem restarted"
UNFINISHED = "frame accepted, its end not heard of"  # it may wait for the duty cycle to repeat it


@dataclass(frozen=True, slots=True)
class Downlink:
    """What the network sent to the application."""

    port: int  #: FPort, 1..255
    payload: bytes


@dataclass(slots=True)
class Signal:
    """How well the network is heard, and hears; None = not told yet."""

    rssi_dbm: float | None = None  #: of the newest downlink
    snr_db: float | None = None  #: of the newest downlink
    margin_db: int | None = None  #: link check: above what the gateway needs
    gateways: int | None = None  #: link check: that heard the request
    heard: int = 0  #: answers of the network so far


class Closing(Protocol):
    """Something that can be let go of."""

    def close(self) -> None:
        """Let go; the next use opens it again."""
        ...


class Modem(Protocol):
    """A LoRaWAN class A modem, region EU868. The constructor stores; `setup` acts.

    Every method raises BusError where the modem does not answer, DataError where it answers
    nonsense, ModemError where it refuses.
    """

    port: Closing  #: what it is connected with
    signal: Signal
    asks_by_uplink: bool  #: `ask_time` sends an uplink of the modem's own

    def setup(self) -> None:
        """Wake, identify, configure, see whether it has these keys. Safe to call again."""
        ...

    def joined(self) -> bool:
        """Whether it holds a session of these keys."""
        ...

    def join(self) -> None:
        """One attempt; returns when accepted. Back-off is the caller's job."""
        ...

    def data_rate(self) -> int:
        """The present data rate, 0..6; ADR may have changed it."""
        ...

    def limit(self) -> int:
        """Bytes the next payload may have."""
        ...

    def send(self, payload: bytes, *, port: int, confirmed: bool = False) -> None:
        """Send 1 byte or more; returns when the modem says sent, or acknowledged."""
        ...

    def received(self) -> list[Downlink]:
        """Downlinks since the last call."""
        ...

    def ask_link(self) -> None:
        """Let the next uplink ask how well it is heard; the answer comes into `signal`."""
        ...

    def ask_time(self) -> None:
        """Ask the network for the time: with the next uplink, or with one of the modem's own."""
        ...

    def time(self) -> float | None:
        """Unix time now, if the network has answered `ask_time`."""
        ...
