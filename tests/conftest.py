"""Fixtures that several files use."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import codec
from agent.clock import VirtualClock
from agent.demo.broker import Broker
from agent.model.batch import Encoded
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

EACH = 25  #: so many that begin with the same two bytes (length, kind or schema)
SHORT = 250  #: bytes; of longer ones zcbor takes seconds: only three


@pytest.fixture(scope="session", autouse=True)
def collected() -> Iterator[None]:
    """Frames that codec.frame makes in any test; zcbor looks at them behind the last one."""
    made_by, frames = codec.frame, dict[bytes, set[bytes]]()

    def frame(*arguments: Any, **options: Any) -> Encoded:
        encoded = made_by(*arguments, **options)
        for made in encoded.frames:
            alike = frames.setdefault(made[:2], set())
            if len(alike) < (EACH if len(made) <= SHORT else 3):
                alike.add(made)
        return encoded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "frame", frame)
        yield
    if frames and ZCBOR.exists():
        wrong = refused([f"uplink {made.hex()}" for alike in frames.values() for made in alike])
        assert not wrong, "frames of this session that agent/codec/wire.cddl does not allow"


# -- coverage ------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """In a worker of xdist, pytest-cov 7 traces twice: from the start, and for the session.

    The marker no_cover pauses only the second, and the first takes over: at full cost, for nothing.
    """
    plugin = session.config.pluginmanager.getplugin("_cov")
    if hasattr(session.config, "workerinput") and getattr(plugin, "cov_controller", None):
        plugin.cov_controller.cov.stop()


# -- where files of tests lie --------------------------------------------------------------------

MEMORY = Path("/dev/shm")
ROOM_BYTES = 1_000_000_000


def pytest_configure() -> None:
    """In memory where there is room.

    The store waits for the disk after every row, and no test takes the supply from this machine. A
    process that is killed loses nothing there either.
    """
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        tempfile.tempdir = str(MEMORY)
