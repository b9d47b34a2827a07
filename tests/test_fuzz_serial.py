"""Twenty thousand damaged answers of serial and 1-wire chips; `make fuzz` runs the millions."""

from tests.fuzz import fuzz_serial


def test_damaged_answers_of_chips_are_refused() -> None:
    fuzz_serial.run(20_000, seed=3)
