"""Frames against the CDDL: valid ones, wrong ones; those of all other tests: see conftest.py."""

import pytest

from tests.cddl import ZCBOR, refused
from tests.fuzz.frames import DOWNLINKS, valid_frames

REFUSED = [
    "84 01 19 86 85 00 43 44 5b 92",  # interval 0
    "84 01 19 86 85 01 40",  # an empty packed body
    "84 1a 00 01 00 00 00 01 80",  # schema number 65536
    "83 22 00 04",  # result 4
    "85 20 01 00 03 f6",  # no code
    "81 26",  # an unknown kind
]

pytestmark = pytest.mark.skipif(not ZCBOR.exists(), reason="make .venv-zcbor/ready")


def test_every_kind_of_frame_is_valid_and_wrong_ones_are_not() -> None:
    lines = [f"uplink {made.hex()}" for made in valid_frames()]
    lines += [f"downlink {made.hex()}" for made in DOWNLINKS]
    wrong = [f"uplink {bytes.fromhex(hexed).hex()}" for hexed in REFUSED]
    said = refused(lines + wrong)
    assert [line.split(":")[0] for line in said] == wrong
