"""What has to be done now and then: the state file as a reader sees it, dates after a step."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.housekeeping import Housekeeping
from agent.model.batch import Row
from agent.store import Store
from tests.conftest import MONDAY
from tests.durable.kit import AIR, CELLS
from tests.rig import make_rig

HOUR = 3600


@pytest.fixture
def housekeeping(tmp_path: Path, clock: VirtualClock) -> Iterator[Housekeeping]:
    numbers = count()
    store = Store(tmp_path / "store.db", clock)
    store.open()
    state = tmp_path / "state.json"
    yield Housekeeping(store, clock, lambda: None, lambda: {"look": next(numbers)}, state)
    store.close()


def test_who_has_the_state_file_open_sees_the_whole_old_one(housekeeping: Housekeeping) -> None:
    assert housekeeping.state_file is not None
    housekeeping.step()
    with housekeeping.state_file.open() as reader:
        housekeeping.step()
        assert json.load(reader) == {"look": 0}
    assert json.loads(housekeeping.state_file.read_text()) == {"look": 1}


def test_a_state_that_cannot_be_told_leaves_the_file_as_it_was(housekeeping: Housekeeping) -> None:
    assert housekeeping.state_file is not None
    housekeeping.step()
    housekeeping.snapshot = lambda: {"look": object()}
    with pytest.raises(TypeError):
        housekeeping.step()
    assert json.loads(housekeeping.state_file.read_text()) == {"look": 0}


def test_a_step_of_the_clock_dates_what_had_no_date_and_is_told(
    housekeeping: Housekeeping, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody may ask for a frame meanwhile: a link in back-off, or no link at all."""
    store = housekeeping.store
    housekeeping.step()
    layout = store.layout("air", AIR, 60)
    clock.sleep(120)
    store.put(layout, Row(0, store.boot, 120_000, None, CELLS))
    clock.jump_s = HOUR
    housekeeping.step()
    assert [row.start for _, row in store.rows("air")] == [int(MONDAY) + 120 + HOUR]
    assert "clock=stepped seconds=+3600" in caplog.text


def test_a_row_that_was_due_before_a_step_gets_its_slot_after_it(
    tmp_path: Path, clock: VirtualClock
) -> None:
    rig = make_rig(tmp_path, clock)
    rig.run(90)
    clock.jump_s = HOUR
    rig.run(60)
    starts = [row.start for _, row in rig.node.store.rows("air")]
    assert starts == [int(MONDAY) + 60, int(MONDAY) + 120 + HOUR]
    rig.node.close()
