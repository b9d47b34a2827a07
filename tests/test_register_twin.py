"""A twin of registers is served by one class, whatever their width."""

import pytest

from drivers.sim.twin import RegisterTwin


class Wide(RegisterTwin):
    """Two bytes each."""

    width = 2
    defaults = {0x00: 0x8000, 0x0F: 0x0117, 0xFF: 0xABCD}


class WideAndLow(Wide):
    """Low byte first."""

    order = "little"


class WideAndStill(Wide):
    """Its pointer stands still."""

    runs_on = False


class Wider(RegisterTwin):
    """Three bytes each."""

    width = 3
    defaults = {0x02: 0x123456}


class Plain(RegisterTwin):
    """One byte each."""

    defaults = {0x05: 0x11, 0x06: 0x22, 0xFF: 0x33}


@pytest.mark.parametrize(
    ("kind", "pointer", "length", "said"),
    [
        (Plain, "05", 2, "11 22"),
        (Plain, "ff", 2, "33 00"),  # from the last register back to the first
        (Wide, "00", 2, "80 00"),
        (Wide, "0f", 3, "01 17 00"),
        (Wide, "ff", 4, "ab cd 80 00"),
        (WideAndLow, "0f", 2, "17 01"),
        (WideAndStill, "0f", 5, "01 17 01 17 01"),
        (Wider, "02", 3, "12 34 56"),
        (Wider, "01", 6, "00 00 00 12 34 56"),
    ],
)
def test_registers_of_any_width_are_read(
    kind: type[RegisterTwin], pointer: str, length: int, said: str
) -> None:
    twin = kind()
    twin.power_on(0.0)
    twin.write(bytes.fromhex(pointer), 0.0)
    assert twin.read(length, 0.0) == bytes.fromhex(said)


@pytest.mark.parametrize(
    ("kind", "written", "register", "holds"),
    [
        (Plain, "05 aa bb", 6, 0xBB),
        (Wide, "03 12 34 56 78", 4, 0x5678),
        (WideAndLow, "03 12 34", 3, 0x3412),
        (WideAndStill, "03 12 34 56 78", 3, 0x5678),
        (Wider, "10 01 02 03", 0x10, 0x010203),
    ],
)
def test_registers_of_any_width_are_written(
    kind: type[RegisterTwin], written: str, register: int, holds: int
) -> None:
    twin = kind()
    twin.power_on(0.0)
    twin.write(bytes.fromhex(written), 0.0)
    assert twin.get(register) == holds


def test_a_twin_puts_what_it_measures_below_zero_too() -> None:
    twin = Wide()
    twin.power_on(0.0)
    twin.put(0, -1280)
    assert twin.read(2, 0.0) == bytes.fromhex("fb00")
    twin.power_on(1.0)
    assert twin.get(0) == 0x8000
