"""Fixtures that several files use."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import codec
from agent.broker import Broker
from agent.clock import VirtualClock
from agent.parcel import Framed

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


# -- every distinct frame of the session, for the CDDL (test_cddl.py runs last) ------------------

MOST_FRAMES = 2000
FRAMES: set[bytes] = set()


@pytest.fixture(scope="session", autouse=True)
def collected() -> Iterator[set[bytes]]:
    """Frames that codec.frame made in any test so far."""
    made_by = codec.frame

    def frame(*arguments: Any, **options: Any) -> Framed:
        framed = made_by(*arguments, **options)
        if len(FRAMES) < MOST_FRAMES:
            FRAMES.update(framed.frames)
        return framed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "frame", frame)
        yield FRAMES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The CDDL test looks at what all others made."""
    items.sort(key=lambda item: item.path.name == "test_cddl.py")
