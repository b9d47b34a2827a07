"""The airtime formula against published figures."""

from __future__ import annotations

import pytest

from agent.cli.lorawan_airtime import company, day
from agent.codec import cells_to_bytes
from agent.model.batch import Layout, Row
from agent.model.schema import registered
from drivers.time_on_air import airtime_s, uplink_s


@pytest.mark.parametrize(
    ("length", "spreading", "milliseconds"),
    [
        (
            64,
            12,
            2793.472,
        ),  # 51 bytes of payload; worked by hand from AN1200.13: 73 + 12.25 symbols
        (64, 7, 118.016),  # 103 + 12.25 symbols of 1.024 ms
        (23, 12, 1482.75),  # join request
        (23, 7, 61.70),
        (24, 12, 1482.75),
        (128, 9, 676.864),
        (235, 7, 368.896),
    ],
)
def test_airtime_is_what_the_designers_guide_says(
    length: int, spreading: int, milliseconds: float
) -> None:
    assert airtime_s(length, spreading) * 1000 == pytest.approx(milliseconds, abs=0.01)


@pytest.mark.parametrize(
    ("length", "spreading", "milliseconds"),
    [
        (13, 9, 164.864),  # spreadsheet of The Things Network's forum, "formulas from AN1200.13"
        (10, 7, 41.216),  # rfwireless-world.com, LoRaWAN airtime calculator, examples 1 and 2
        (10, 11, 577.536),
        (10, 8, 72),  # and its table, whole milliseconds
        (10, 9, 144),
        (10, 10, 289),
        (10, 12, 991),
    ],
)
def test_airtime_is_what_others_have_reckoned(
    length: int, spreading: int, milliseconds: float
) -> None:
    precise = milliseconds % 1 > 0
    reckoned = airtime_s(length, spreading) * 1000
    assert reckoned == pytest.approx(milliseconds, abs=0.001 if precise else 0.5)


def test_a_plan_fills_frames_as_far_as_the_wait_allows() -> None:
    layout = Layout(1, "air", registered(1), 1800)
    cells = cells_to_bytes([field.nominal for field in layout.schema.fields])
    rows = [Row(n + 1, 1, 0, 1_767_600_000 + 1800 * n, cells) for n in range(49)]
    assert company(None, 1800) == 7  # six intervals, both ends counted
    assert day(layout, rows, 1, 5, 242).rows_per_frame == 7
    assert day(layout, rows, 1, 5, 242, fill_s=86_400).rows_per_frame == 49
    assert company(0.0, 60) == 1
    padded = day(layout, rows, 1, 5, 115, fixed_length=True)
    assert padded.seconds == pytest.approx(padded.frames * uplink_s(115, 7))


def test_uplink_adds_the_thirteen_bytes_of_the_frame_and_the_options() -> None:
    assert uplink_s(51, 12) == airtime_s(64, 12)
    assert uplink_s(36, 12, options=15) == airtime_s(64, 12)


def test_double_bandwidth_halves_the_airtime() -> None:
    assert airtime_s(64, 7, 250_000) == pytest.approx(airtime_s(64, 7) / 2)


def test_downlink_without_checksum_is_never_longer() -> None:
    assert airtime_s(33, 9, crc=False) <= airtime_s(33, 9)
