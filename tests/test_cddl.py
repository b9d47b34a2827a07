"""Frames against the CDDL, by zcbor in its own environment. Runs after all other tests."""

import subprocess
from pathlib import Path

import pytest

from tests.fuzz.frames import DOWNLINKS, valid_frames

ROOT = Path(__file__).parents[1]
ZCBOR = ROOT / ".venv-zcbor" / "bin" / "python"
REFUSED = [
    "84 01 19 86 85 00 43 44 5b 92",  # interval 0
    "84 01 19 86 85 01 40",  # an empty packed body
    "84 1a 00 01 00 00 00 01 80",  # schema number 65536
    "83 22 00 04",  # result 4
    "85 20 01 00 03 f6",  # no code
    "81 25",  # an unknown kind
]

pytestmark = pytest.mark.skipif(not ZCBOR.exists(), reason="make .venv-zcbor/ready")


def refused(lines: list[str]) -> list[str]:
    """What zcbor says against "<type> <hex>" lines."""
    done = subprocess.run(
        [ZCBOR, ROOT / "tests" / "zcbor_check.py"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [line for line in done.stdout.splitlines() if line.startswith(("uplink", "downlink"))]


def test_every_frame_of_this_session_is_valid_and_wrong_ones_are_not(
    collected: set[bytes],
) -> None:
    good = sorted(collected)[:1500] + valid_frames()
    lines = [f"uplink {made.hex()}" for made in good]
    lines += [f"downlink {made.hex()}" for made in DOWNLINKS]
    wrong = [f"uplink {bytes.fromhex(hexed).hex()}" for hexed in REFUSED]
    said = refused(lines + wrong)
    assert [line.split(":")[0] for line in said] == wrong
