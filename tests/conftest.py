"""Fixtures that several files use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.broker import Broker
from agent.clock import VirtualClock

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
