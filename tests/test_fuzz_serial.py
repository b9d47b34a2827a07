"""Twenty thousand damaged answers of serial and 1-wire chips; `make fuzz` runs the millions."""

import pytest

from tests.fuzz import fuzz_serial


@pytest.mark.no_cover
def test_damaged_answers_of_chips_are_refused() -> None:
    fuzz_serial.run(20_000, seed=3)
