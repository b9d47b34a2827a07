"""A sensor as installed on this node: ask it, judge what it says, bring it back when it fails."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

from agent.clock import Clock
from agent.codec.messages import SENSOR_BACK, SENSOR_FAILED, STANDS_STILL
from agent.config.sections import Calibration
from agent.model.quality import Quality
from agent.model.schema import Missing
from drivers.api import Compensated, DeviceError, Quantity, Sensor, WarmingUp

log = logging.getLogger(__name__)

FIRST_BACK_OFF_S = 1.0
LONGEST_BACK_OFF_S = 300.0
STALE_S = 300.0  #: after so long without a good value a sensor that once answered is stale
TELL_AFTER = 3  #: failures in a row before the far side is told (a noisy cable fails once)
FEATURES_S = 10.0  #: the longest that one waits for features of another table on a small Pi
LOOK_S = 20.0  #: between rows, so often one looks whether a sensor samples by itself

WELL = ("new", "warming", "ok")  #: states of which nobody has to be told
DEGRADED = 1  #: value of a SENSOR_FAILED of a sensor that answers, but nothing believable

FAULTS = BaseException  #: a call of sys.exit, a cancelled task of asyncio are faults as well

Reading = float | Missing


class News(NamedTuple):
    """What the far side is to be told of a sensor."""

    code: int
    quantity: str = ""  #: on whose column; "": on the first of the sensor
    value: int | None = None


#: monotonic seconds at which a row's slot begins, its table's interval, the table
Slot = tuple[float, float, str]


@runtime_checkable
class Windowed(Protocol):
    """A sensor that describes an interval."""

    def cut(self, end: float, length_s: float, table: str = "") -> None:
        """The next `read` is about the `length_s` seconds before monotonic time `end`."""
        ...

    def hold(self, length_s: float) -> None:
        """Intervals of `length_s` will be asked for."""
        ...

    def trouble(self) -> BaseException | None:
        """Why it brings no samples now."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A sensor that carries something from row to row, and over restarts."""

    def state(self, table: str = "") -> bytes | None:
        """What is to be kept with the row of a table, None if nothing has changed."""
        ...

    def restore(self, kept: bytes) -> None:
        """Go on from there. Raises ValueError, TypeError, KeyError for what it cannot read."""
        ...


def let_go(error: BaseException) -> None:
    """Raise what is no driver's: Ctrl-C of a person, which comes to the main thread only."""
    by_hand = threading.current_thread() is threading.main_thread()
    if by_hand and isinstance(error, KeyboardInterrupt):
        raise error


@dataclass
class Instrument:
    """One sensor under its name. `ask` never raises: whatever a driver raises is its fault."""

    name: str
    sensor: Sensor
    clock: Clock
    calibrate: Mapping[str, Calibration] = field(default_factory=dict)
    inputs: Mapping[str, Callable[[], float | None]] = field(default_factory=dict)
    still_s: Mapping[str, float] = field(default_factory=dict)  #: by quantity, of the profile
    patience_s: float = 3600.0  #: so long without a good value of a quantity is degraded
    state: str = "new"  #: new, warming, ok, degraded, still, stale, absent
    reason: str = ""  #: why it is not ok, in one line
    failures: int = 0  #: in a row
    told: set[tuple[int, str]] = field(
        default_factory=set
    )  #: known at the far side: code, quantity
    latest: dict[str, tuple[float, float]] = field(default_factory=dict)  #: value, when (monotonic)
    _ready: bool = False
    _again_at: float = 0.0
    _asked_at: float = -math.inf  # a window's newest interval; -inf for other sensors
    _good_at: float | None = None
    _look_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _windowed: Windowed | None = None
    _remembering: Remembering | None = None
    _quality: Quality | None = None

    def __post_init__(self) -> None:
        self._windowed = self.sensor if isinstance(self.sensor, Windowed) else None
        self._remembering = self.sensor if isinstance(self.sensor, Remembering) else None

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """What the sensor can tell."""
        return self.sensor.quantities

    @property
    def well(self) -> bool:
        """Whether nobody has to be told of its state."""
        return self.state in WELL

    def hold(self, interval_s: float) -> None:
        """A table of this interval asks it from now on."""
        if self._windowed:
            self._windowed.hold(interval_s)

    @property
    def streams(self) -> bool:
        """Whether its sensor samples by itself."""
        return self._windowed is not None

    def watch(self) -> float:
        """Between rows: seconds until a sensor that samples by itself is looked at again.

        Infinite for other sensors.
        """
        if self._windowed is None:
            return math.inf
        with self._lock:
            now = self.clock.monotonic()
            if self._look_at is None:  # its stream has only begun
                self._look_at = now + LOOK_S
            if now >= self._look_at:
                self._look_at = now + LOOK_S
                error = self._windowed.trouble()
                if error is not None:
                    self._failed(error)
                elif self.failures or self.state == "new":
                    self._succeeded("ok", "")
            return self._look_at - now

    def news(self) -> list[News]:
        """What the far side is to be told, each once: failed, degraded, stands still, back."""
        with self._lock:
            wrong = self._wrong()
            if wrong:
                fresh = [one for one in wrong if one[:2] not in self.told]
                self.told = {one[:2] for one in wrong}
                return fresh
            if self.told and not self.failures:
                self.told.clear()
                return [News(SENSOR_BACK)]
            return []

    def _wrong(self) -> list[News]:
        if self.failures or self._quality is None:
            return [News(SENSOR_FAILED)] if self.failures >= TELL_AFTER else []
        lasting = self._quality.doubts.lasting(self.clock.monotonic())
        wrong = [News(SENSOR_FAILED, name, DEGRADED) for name, _ in lasting]
        return wrong + [News(STANDS_STILL, *one) for one in self._quality.standing().items()]

    def prepare(self) -> None:
        """Set it up ahead of its first row, so that a slow chip has time to start."""
        with self._lock:
            try:
                self._set_up()
            except FAULTS as error:
                let_go(error)
                self._failed(error)

    def ask(self, slot: Slot | None = None) -> Mapping[str, Reading]:
        """One value or reason per quantity; a quantity that was not measured is absent.

        `slot`: which row it is for; a window describes the interval that ended there.
        """
        with self._lock:
            now = self.clock.monotonic()
            if now < self._again_at and not self._windowed:  # whose stream waits by itself
                return {}
            if slot is not None and self._windowed:
                self._windowed.cut(*slot)
                self._asked_at, self._look_at = now, now + LOOK_S
            try:
                values = self.converse()
                judged = self.judge(values)
                self._note(values, judged, slot)
            except FAULTS as error:
                let_go(error)
                self._failed(error)
                if isinstance(error, WarmingUp):
                    return {}
                return dict.fromkeys(self.quantities, Missing.FAILED)
            self._weigh(judged)
            return judged

    def carried(self, table: str) -> bytes | None:
        """What the sensor carries from row to row, if it has changed since the table's last row."""
        return self._remembering.state(table) if self._remembering else None

    def carry_on(self, kept: bytes) -> None:
        """Go on where `carried` was; what cannot be read is left, and said."""
        try:
            if self._remembering:
                self._remembering.restore(kept)
        except (ValueError, TypeError, KeyError) as error:
            log.warning("sensor=%s state=forgotten reason='%s'", self.name, error)

    def recent(self, quantity: str, within_s: float = 900.0) -> float | None:
        """The newest good value if it is young enough: what another instrument compensates with.

        What an interval did not tell, such as a missed mode, is not filled from the one before.
        Features that another table has asked for at this moment are waited for: tables of one
        interval begin at the same time, and what is asked while they are computed would be absent
        in every row.
        """
        if self._windowed and self._lock.acquire(timeout=FEATURES_S):
            self._lock.release()
        value, when = self.latest.get(quantity, (0.0, -math.inf))
        young = self.clock.monotonic() - when <= within_s and when >= self._asked_at
        return value if young else None

    def converse(self) -> Mapping[str, float | None]:
        """Set up if needed, compensate, read. Raises whatever the driver raises."""
        self._set_up()
        inputs = {key: value for key, ask in self.inputs.items() if (value := ask()) is not None}
        if inputs:
            cast(Compensated, self.sensor).compensate(**inputs)
        return self.sensor.read()

    def _set_up(self) -> None:
        if not self._ready:
            self.sensor.setup()
            self._ready = True

    def judge(self, values: Mapping[str, float | None]) -> dict[str, Reading]:
        """Calibrate and range-check; whatever kind of number a driver has, a float comes out."""
        quantities, calibrate, latest = self.sensor.quantities, self.calibrate, self.latest
        now = self.clock.monotonic()
        judged: dict[str, Reading] = {}
        for name, value in values.items():
            quantity = quantities.get(name)
            number = value if type(value) is float else made_float(value)
            if quantity is None or number != number:
                judged[name] = Missing.FAILED
                continue
            if name in calibrate:
                number = number * calibrate[name].gain + calibrate[name].offset
            if quantity.low <= number <= quantity.high:
                latest[name] = (number, now)
                judged[name] = number
            else:
                judged[name] = Missing.BELOW if number < quantity.low else Missing.ABOVE
        return judged

    def _note(
        self, values: Mapping[str, float | None], judged: Mapping[str, Reading], slot: Slot | None
    ) -> None:
        """Remember since when values repeat themselves, and since when they are not good."""
        if self._quality is None:
            may_s = {**said_by(self.sensor, "still_s"), **self.still_s}
            self._quality = Quality(self.quantities, may_s, self.patience_s, self.streams)
        table = slot[2] if slot is not None and self.streams else ""
        bad = {name: isinstance(value, Missing) for name, value in judged.items()}
        counts = said_by(self.sensor, "counts")
        self._quality.look(values, counts, bad, self.clock.monotonic(), table)

    def _weigh(self, judged: Mapping[str, Reading]) -> None:
        """Its state after an answer."""
        bad = [name for name, value in judged.items() if value is Missing.FAILED]
        if bad and len(bad) == len(judged):
            self._failed(DeviceError("no believable value"))
            return
        if bad:
            self._succeeded("degraded", f"{', '.join(bad)}: no believable value")
        elif self._quality is not None:
            self._succeeded(*self._quality.state(self.clock.monotonic()))

    def _succeeded(self, state: str, reason: str) -> None:
        self.failures = 0
        self._good_at = self.clock.monotonic()
        self._become(state, reason)

    def _failed(self, error: BaseException) -> None:
        """Note the fault; the next try after a back-off starts with `setup`."""
        if isinstance(error, WarmingUp):  # it is well: nothing failed, nothing is back either
            self._become("warming", str(error))
            return
        now = self.clock.monotonic()
        self.failures += 1
        self._ready = False
        back_off = min(FIRST_BACK_OFF_S * 2 ** min(self.failures - 1, 10), LONGEST_BACK_OFF_S)
        self._again_at = now + back_off if self.failures > 1 else now
        reason = str(error) or type(error).__name__
        if not isinstance(error, DeviceError):
            reason = f"{type(error).__name__}: {reason}"
            if reason != self.reason:
                log.error("sensor=%s state=fault", self.name, exc_info=error)
        if self._good_at is None:
            self._become("absent", reason)
        else:
            self._become("stale" if now - self._good_at > STALE_S else "degraded", reason)

    def _become(self, state: str, reason: str) -> None:
        if state == self.state and reason == self.reason:
            return
        if state != self.state:
            quoted = f" reason='{reason}'" if reason else ""
            level = logging.INFO if state in WELL else logging.WARNING
            log.log(level, "sensor=%s state=%s%s", self.name, state, quoted)
        self.state, self.reason = state, reason


def said_by(sensor: Sensor, name: str) -> Mapping[str, Any]:
    """What a driver declares by quantity; in somebody's driver the name may be something else."""
    found = getattr(sensor, name, None)
    return found if isinstance(found, Mapping) else {}


def made_float(value: float | None) -> float:
    """A float of whatever kind of number; raises AttributeError for text."""
    return math.nan if value is None else value.__float__()
