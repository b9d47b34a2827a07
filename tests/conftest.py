"""Fixtures that several files use."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import codec
from agent.broker import Broker
from agent.clock import VirtualClock
from agent.parcel import Framed
from tests.cddl import ZCBOR, refused

MONDAY = 1_767_600_000.0  # 2026-01-05 08:00 UTC
DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def clock() -> VirtualClock:
    """Trusted, Monday 2026-01-05 08:00 UTC, stands still until told."""
    return VirtualClock(MONDAY)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A real mosquitto on a free loopback port."""
    one = Broker(tmp_path / "broker")
    one.start()
    yield one
    one.stop()


# -- every distinct frame of the session against the CDDL ----------------------------------------

MOST_FRAMES = 750  #: of each worker of pytest-xdist


@pytest.fixture(scope="session", autouse=True)
def collected() -> Iterator[None]:
    """Frames that codec.frame makes in any test; zcbor looks at them behind the last one."""
    made_by, frames = codec.frame, set[bytes]()

    def frame(*arguments: Any, **options: Any) -> Framed:
        framed = made_by(*arguments, **options)
        if len(frames) < MOST_FRAMES:
            frames.update(framed.frames)
        return framed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "frame", frame)
        yield
    if frames and ZCBOR.exists():
        wrong = refused([f"uplink {made.hex()}" for made in sorted(frames)])
        assert not wrong, "frames of this session that agent/wire.cddl does not allow"


# -- where files of tests lie --------------------------------------------------------------------

MEMORY = Path("/dev/shm")
ROOM_BYTES = 1_000_000_000


def pytest_configure() -> None:
    """In memory where there is room: the store waits for the disk after every row, and no test
    takes the supply from this machine. A process that is killed loses nothing there either."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
