"""Values that lie: a sensor that repeats itself, or has long had nothing believable to say."""

from collections.abc import Hashable, Mapping
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.codec.messages import SENSOR_BACK, SENSOR_FAILED, STANDS_STILL
from agent.measure.instrument import Instrument, News
from agent.model.quality import FEWEST, spoken
from agent.model.schema import Missing, quantity_kinds, registered
from drivers.api import BusError, Quantity
from tests.conftest import MONDAY
from tests.rig import PROFILE, make_rig

HOUR, DAY = 3600.0, 86_400.0


class Chip:
    """Says what the test wants."""

    quantities = {
        "temperature": Quantity("temperature", 0.01, -40, 125),
        "illuminance": Quantity("illuminance", 1, 0, 54_612),
        "co2": Quantity("co2", 1, 1, 40_000),
    }

    def __init__(self) -> None:
        self.values: dict[str, float | None] = {"temperature": 21.0}
        self.counts: Mapping[str, Hashable] = {}
        self.error: Exception | None = None

    def setup(self) -> None:
        """Nothing."""

    def read(self) -> Mapping[str, float | None]:
        if self.error:
            raise self.error
        return dict(self.values)


@pytest.fixture
def chip() -> Chip:
    return Chip()


@pytest.fixture
def instrument(chip: Chip) -> Instrument:
    return Instrument("air", chip, VirtualClock())


def asked(instrument: Instrument, seconds: float, every_s: float = 60.0) -> list[News]:
    """What is told while it is asked for so long, each answer like the one before."""
    told = []
    for _ in range(round(seconds / every_s)):
        instrument.ask()
        told += instrument.news()
        instrument.clock.sleep(every_s)
    return told


def test_a_temperature_that_is_the_same_for_six_hours_stands_still(
    instrument: Instrument, chip: Chip
) -> None:
    assert asked(instrument, 6 * HOUR) == []
    assert instrument.state == "ok"
    assert asked(instrument, HOUR) == [News(STANDS_STILL, "temperature", 21_600)]
    assert (instrument.state, instrument.well) == ("still", False)
    assert instrument.reason == "temperature: the same to the last bit for 7.0 h"
    assert instrument.ask() == {"temperature": 21.0}  # the cell is what was measured


def test_it_is_back_as_soon_as_it_moves_by_less_than_a_step(
    instrument: Instrument, chip: Chip
) -> None:
    asked(instrument, 7 * HOUR)
    chip.values = {"temperature": 21.0027}
    assert asked(instrument, 60) == [News(SENSOR_BACK)]
    assert instrument.state == "ok"


def test_a_value_that_moves_by_less_than_a_step_never_stands_still(
    instrument: Instrument, chip: Chip
) -> None:
    for minute in range(2 * 1440):
        chip.values = {"temperature": 21.0 + minute % 2 * 0.0027}
        assert asked(instrument, 60) == []
    assert instrument.state == "ok"


def test_a_dark_lux_sensor_is_no_fault_and_a_lamp_that_never_flickers_is(
    instrument: Instrument, chip: Chip
) -> None:
    chip.values = {"illuminance": 0.0}
    assert asked(instrument, 21 * DAY, 600) == []
    assert instrument.state == "ok"
    chip.values = {"illuminance": 350.0}
    assert asked(instrument, 2 * DAY, 600) == [News(STANDS_STILL, "illuminance", 86_400)]


def test_a_zero_is_a_fault_where_the_counts_behind_it_say_so(
    instrument: Instrument, chip: Chip
) -> None:
    chip.values, chip.counts = {"illuminance": 0.0}, {"illuminance": (0, 0, 0)}
    assert [one.code for one in asked(instrument, 2 * DAY, 600)] == [STANDS_STILL]


def test_counts_that_move_behind_a_cut_value_are_no_fault(
    instrument: Instrument, chip: Chip
) -> None:
    for minute in range(1440):
        chip.counts = {"temperature": minute % 7}
        assert asked(instrument, 60) == []


def test_a_frozen_quantity_beside_one_that_moves_is_found_out(
    instrument: Instrument, chip: Chip
) -> None:
    told = []
    for minute in range(4 * 1440):
        chip.values = {"temperature": 21 + minute / 1000, "co2": 800.0}
        told += asked(instrument, 60)
    assert told == [News(STANDS_STILL, "co2", 3 * 86_400)]
    assert instrument.reason.startswith("co2: ")


def test_a_few_answers_alike_say_nothing(instrument: Instrument) -> None:
    assert asked(instrument, (FEWEST - 1) * 4 * HOUR, 4 * HOUR) == []
    assert asked(instrument, 4 * HOUR, 4 * HOUR) != []


@pytest.mark.parametrize("seconds", [600.0, 0.0])
def test_a_profile_says_how_long_a_quantity_may_stand_still(chip: Chip, seconds: float) -> None:
    instrument = Instrument("air", chip, VirtualClock(), still_s={"temperature": seconds})
    codes = [one.code for one in asked(instrument, DAY)]
    assert codes == ([STANDS_STILL] if seconds else [])


def test_zero_ppm_for_long_is_degraded_and_told_with_value_one(
    instrument: Instrument, chip: Chip
) -> None:
    chip.values = {"temperature": 21.0, "co2": 0.0}
    assert asked(instrument, HOUR) == []
    assert asked(instrument, HOUR) == [News(SENSOR_FAILED, "co2", 1)]
    assert (instrument.state, instrument.well) == ("degraded", False)
    assert instrument.reason == "co2: no good value for 119 min"
    assert instrument.ask() == {"temperature": 21.0, "co2": Missing.BELOW}
    chip.values = {"temperature": 21.0, "co2": 700.0}
    assert asked(instrument, 60) == [News(SENSOR_BACK)]


def test_one_quantity_without_a_value_is_told_when_patience_ends(
    instrument: Instrument, chip: Chip
) -> None:
    instrument.patience_s = 600
    chip.values = {"temperature": 21.0, "co2": None}
    instrument.ask()
    assert instrument.state == "degraded"
    assert asked(instrument, 600) == []
    assert asked(instrument, 120) == [News(SENSOR_FAILED, "co2", 1)]


def test_a_sensor_that_fails_and_comes_back_still_frozen_is_told_each_time(
    instrument: Instrument, chip: Chip
) -> None:
    asked(instrument, 7 * HOUR)
    chip.error = BusError("gone")
    assert asked(instrument, HOUR) == [News(SENSOR_FAILED)]
    chip.error = None
    assert [one.code for one in asked(instrument, HOUR)] == [STANDS_STILL]


def test_every_kind_says_how_long_it_may_stand_still() -> None:
    kinds = quantity_kinds()
    assert all(kind.still_s >= 0 for kind in kinds.values())
    assert kinds["temperature"].still_s == 6 * HOUR
    assert kinds["co2"].still_s > 2.7 * DAY  # a week-end in a room that nobody is in


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(90.0, "90 s"), (1500.0, "25 min"), (21_600.0, "6.0 h"), (276_480.0, "3.2 days")],
)
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_event_12_goes_out_on_the_column_that_stands_still_and_status_says_so(
    tmp_path: Path,
) -> None:
    still = 'driver = "tests.rig"\nstill_s = { co2 = 1800 }\n'
    text = PROFILE.replace('driver = "tests.rig"\n', still)
    rig = make_rig(tmp_path, VirtualClock(MONDAY), text)
    rig.run(3600)
    codes = [(one.column, one.code) for one in rig.link.far.events]
    co2 = next(i for i, f in enumerate(registered(1).fields) if f.name == "co2")
    assert (co2, STANDS_STILL) in codes
    said = rig.node.snapshot()["sensors"]["room"]
    assert said["state"] == "still"
    assert said["reason"].startswith("co2: the same to the last bit")
    assert rig.node.bad_sensors() == ["room"]
