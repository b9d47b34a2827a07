"""Frames against agent/codec/wire.cddl, by zcbor in an environment of its own."""

import subprocess
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).parents[1]
ZCBOR = ROOT / ".venv-zcbor" / "bin" / "python"


def refused(lines: Collection[str]) -> list[str]:
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
