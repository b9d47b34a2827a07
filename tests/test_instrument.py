"""Asking a sensor: range, calibration, compensation, failure, back-off, return."""

import asyncio
import logging
import threading
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from agent.clock import VirtualClock
from agent.codec.messages import SENSOR_BACK, SENSOR_FAILED
from agent.config.sections import Calibration
from agent.measure.instrument import LONGEST_BACK_OFF_S, Instrument, News
from agent.model.schema import Missing
from drivers.api import BusError, Quantity, WarmingUp


class Thermometer:
    """A sensor whose air and faults the test decides."""

    quantities = {"temperature": Quantity("temperature", 0.1, -40, 85)}

    def __init__(self) -> None:
        self.value: float | None = 21.0
        self.error: BaseException | None = None
        self.setups = 0
        self.pressure_pa = 0.0

    def setup(self) -> None:
        self.setups += 1
        self._fail()

    def compensate(self, pressure_pa: float) -> None:
        self.pressure_pa = pressure_pa

    def read(self) -> Mapping[str, float | None]:
        self._fail()
        return {"temperature": self.value}

    def _fail(self) -> None:
        if self.error:
            raise self.error


@pytest.fixture
def sensor() -> Thermometer:
    return Thermometer()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def instrument(sensor: Thermometer, clock: VirtualClock) -> Instrument:
    return Instrument("air", sensor, clock)


def test_a_good_value_is_calibrated_and_kept(
    instrument: Instrument, sensor: Thermometer, clock: VirtualClock
) -> None:
    instrument.calibrate = {"temperature": Calibration(gain=2.0, offset=-1.0)}
    assert instrument.ask() == {"temperature": 41.0}
    assert instrument.state == "ok"
    assert sensor.setups == 1
    assert instrument.recent("temperature") == 41.0
    clock.sleep(901)
    assert instrument.recent("temperature") is None
    assert instrument.recent("pressure") is None


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-40.1, Missing.BELOW),
        (85.1, Missing.ABOVE),
        (None, Missing.FAILED),
        (float("nan"), Missing.FAILED),
    ],
)
def test_an_unbelievable_value_becomes_its_reason(
    instrument: Instrument, sensor: Thermometer, value: float | None, cell: Missing
) -> None:
    sensor.value = value
    assert instrument.ask() == {"temperature": cell}


def test_inputs_of_other_instruments_are_handed_in_when_there_are_any(
    instrument: Instrument, sensor: Thermometer
) -> None:
    instrument.inputs = {"pressure_pa": lambda: None}
    instrument.ask()
    assert sensor.pressure_pa == 0.0
    instrument.inputs = {"pressure_pa": lambda: 98_700.0}
    instrument.ask()
    assert sensor.pressure_pa == 98_700.0


@pytest.mark.parametrize(
    "error",
    [
        BusError("0x44: no answer"),
        ZeroDivisionError("oops"),
        RuntimeError(),
        KeyError("x"),
        SystemExit("no /dev/gpiomem"),
        asyncio.CancelledError(),
        GeneratorExit(),
    ],
)
def test_whatever_a_driver_raises_is_a_fault_of_that_instrument(
    instrument: Instrument, sensor: Thermometer, clock: VirtualClock, error: BaseException
) -> None:
    sensor.error = error
    assert instrument.ask() == {"temperature": Missing.FAILED}
    assert instrument.state == "absent"
    clock.sleep(1)
    assert instrument.ask() == {"temperature": Missing.FAILED}
    assert instrument.ask() == {}  # in back-off: not measured, so not available
    clock.sleep(2)
    sensor.error = None
    assert instrument.ask() == {"temperature": 21.0}
    assert sensor.setups == 3
    assert instrument.state == "ok"


@pytest.mark.parametrize("answer", [None, 21.5, {"temperature": "21"}, {"temperature": b"x"}])
def test_an_answer_that_is_no_mapping_of_numbers_is_a_fault_of_that_instrument(
    instrument: Instrument, sensor: Thermometer, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    instrument.calibrate = {"temperature": Calibration(offset=0.5)}
    monkeypatch.setattr(sensor, "read", lambda: answer)
    instrument.prepare()
    assert instrument.ask() == {"temperature": Missing.FAILED}
    assert instrument.state == "absent"
    assert "Error: " in instrument.reason


def test_back_off_doubles_up_to_five_minutes(
    instrument: Instrument, sensor: Thermometer, clock: VirtualClock
) -> None:
    sensor.error = BusError("gone")
    waits, last = [], 0.0
    for _ in range(3000):
        if instrument.ask():
            waits.append(clock.monotonic() - last)
            last = clock.monotonic()
        clock.sleep(1)
    assert waits[:6] == [0, 1, 2, 4, 8, 16]
    assert max(waits) == LONGEST_BACK_OFF_S


def test_a_sensor_that_failed_once_is_asked_again_at_its_next_row_however_soon(
    instrument: Instrument, sensor: Thermometer
) -> None:
    sensor.error = BusError("disturbed")
    instrument.ask()
    sensor.error = None
    assert instrument.ask() == {"temperature": 21.0}  # of another table, in the same second


def test_a_sensor_that_answered_once_is_degraded_then_stale(
    instrument: Instrument, sensor: Thermometer, clock: VirtualClock
) -> None:
    instrument.ask()
    sensor.error = BusError("gone")
    instrument.ask()
    assert (instrument.state, instrument.reason) == ("degraded", "gone")
    clock.sleep(301)
    instrument.ask()
    assert instrument.state == "stale"


def test_a_state_is_logged_once(
    instrument: Instrument,
    sensor: Thermometer,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sensor.error = BusError("0x44: no answer")
    for _ in range(100):
        instrument.ask()
        clock.sleep(1)
    sensor.error = None
    clock.sleep(600)
    instrument.ask()
    assert [record.getMessage() for record in caplog.records] == [
        "sensor=air state=absent reason='0x44: no answer'",
        "sensor=air state=ok",
    ]


@pytest.mark.parametrize("value", [np.float32(21.5), Decimal("21.5")])
def test_whatever_number_a_driver_has_becomes_a_float(
    instrument: Instrument, sensor: Thermometer, value: Any
) -> None:
    sensor.value = value
    assert instrument.ask() == {"temperature": 21.5}
    assert type(instrument.latest["temperature"][0]) is float  # it goes into JSON


def test_an_interrupt_is_a_persons_in_the_main_thread_and_else_the_drivers(
    instrument: Instrument, sensor: Thermometer
) -> None:
    sensor.error = KeyboardInterrupt()
    thread = threading.Thread(target=instrument.ask)
    thread.start()
    thread.join()
    assert instrument.state == "absent"
    with pytest.raises(KeyboardInterrupt):
        Instrument("air", sensor, instrument.clock).ask()


class SlowWindow(Thermometer):
    """A window whose features take as long as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def cut(self, end: float, length_s: float, table: str = "") -> None:
        """An interval."""

    def hold(self, length_s: float) -> None:
        """Samples."""

    def trouble(self) -> None:
        """None."""

    def read(self) -> Mapping[str, float | None]:
        self.begun.set()
        assert self.go.wait(10)
        return super().read()


def test_features_that_another_table_is_waiting_for_are_waited_for(clock: VirtualClock) -> None:
    window, found = SlowWindow(), []
    instrument = Instrument("acc", window, clock)
    asking = threading.Thread(target=instrument.ask, args=((0.0, 600.0, "modes"),))
    asking.start()
    assert window.begun.wait(10)
    looking = threading.Thread(target=lambda: found.append(instrument.recent("temperature")))
    looking.start()
    looking.join(0.05)
    window.go.set()
    asking.join()
    looking.join()
    assert found == [21.0]


def test_a_sensor_that_warms_up_says_so_and_is_no_fault(
    instrument: Instrument,
    sensor: Thermometer,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    instrument.prepare()
    for left_s in (30.0, 20.0, 10.0, 0.2):
        sensor.error = WarmingUp("/dev/serial0", left_s)
        assert instrument.ask() == {}
        assert instrument.state == "warming"
        assert instrument.reason == f"/dev/serial0: warming up, {left_s:.0f} s left"
        assert (instrument.failures, instrument.news()) == (0, [])
        clock.sleep(10)
    sensor.error = None
    assert instrument.ask() == {"temperature": 21.0}
    assert (instrument.state, sensor.setups) == ("ok", 1)
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]  # once each


def test_a_sensor_that_failed_is_not_back_while_it_warms_up(
    instrument: Instrument, sensor: Thermometer, clock: VirtualClock
) -> None:
    sensor.error = BusError("gone")
    for _ in range(5):
        instrument.ask()
        clock.sleep(20)
    assert instrument.news() == [News(SENSOR_FAILED)]
    sensor.error = None
    instrument.prepare()
    sensor.error = WarmingUp("0x62", 5.0)
    clock.sleep(300)
    assert instrument.ask() == {}
    assert (instrument.state, instrument.news()) == ("warming", [])
    sensor.error = None
    assert instrument.ask() == {"temperature": 21.0}
    assert instrument.news() == [News(SENSOR_BACK)]


def test_a_sensor_that_warms_up_within_its_setup_is_set_up_again(
    instrument: Instrument, sensor: Thermometer
) -> None:
    sensor.error = WarmingUp("0x59", 3.0)
    instrument.prepare()
    assert (instrument.state, instrument.failures) == ("warming", 0)
    assert instrument.ask() == {}
    sensor.error = None
    assert instrument.ask() == {"temperature": 21.0}
    assert sensor.setups == 3
