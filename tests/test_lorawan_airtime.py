"""The airtime formula against published figures."""

from __future__ import annotations

import pytest

from drivers.airtime import airtime_s, uplink_s


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
def test_airtime_is_what_the_designers_guide_says(length, spreading, milliseconds):
    assert airtime_s(length, spreading) * 1000 == pytest.approx(milliseconds, abs=0.01)


def test_uplink_adds_the_thirteen_bytes_of_the_frame_and_the_options():
    assert uplink_s(51, 12) == airtime_s(64, 12)
    assert uplink_s(36, 12, options=15) == airtime_s(64, 12)


def test_double_bandwidth_halves_the_airtime():
    assert airtime_s(64, 7, 250_000) == pytest.approx(airtime_s(64, 7) / 2)


def test_downlink_without_checksum_is_never_longer():
    assert airtime_s(33, 9, crc=False) <= airtime_s(33, 9)
