"""The simulated bridge that a profile asks for: its modes, what goes wrong with it, load tests."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.config.sections import (
    BearingConfig,
    CrackConfig,
    FrequencyConfig,
    LoadConfig,
    SimulateConfig,
)
from agent.config.source import Source
from drivers.sim.bridge import CRACKS, FREQUENCIES, Bridge, mode
from drivers.sim.defects import BearingTilt, CrackDrift, Defect, FrequencyDrop


def make_bridge(simulate: SimulateConfig, source: Source) -> Bridge:
    """The bridge. Raises ConfigError."""
    own = [mode(k, one.frequency_hz, one.damping) for k, one in enumerate(simulate.modes)]
    defects = [
        defect(one, len(own) or len(FREQUENCIES), source, f"simulate.defects[{index}]")
        for index, one in enumerate(simulate.defects)
    ]
    bridge = Bridge(simulate.seed, modes=own, defects=defects)
    for index, one in enumerate(simulate.loads):
        put(bridge, one, source, f"simulate.loads[{index}]")
    return bridge


def defect(
    one: FrequencyConfig | CrackConfig | BearingConfig, modes: int, source: Source, where: str
) -> Defect:
    """A defect as the bridge takes it. Raises ConfigError."""
    since = unix(one.since, source, where, "from")
    if isinstance(one, FrequencyConfig):
        if one.mode > modes:
            raise source.error(where, "mode", f"the bridge has modes 1 to {modes}")
        return FrequencyDrop(since, one.mode, one.share)
    if isinstance(one, CrackConfig):
        if one.crack > len(CRACKS):
            raise source.error(where, "crack", f"the bridge has cracks 1 to {len(CRACKS)}")
        return CrackDrift(since, one.crack, one.mm_per_month)
    if not one.deg and not one.deg_per_day:
        raise source.error(where, "deg", "is missing: give deg, deg_per_day or both")
    return BearingTilt(since, one.axis, one.deg, one.deg_per_day)


def put(bridge: Bridge, load: LoadConfig, source: Source, where: str) -> None:
    """A load onto the bridge. Raises ConfigError."""
    at = unix(load.at, source, where, "at")
    bridge.load(load.weight_t, at, load.duration_s, load.position, load.lane)


def unix(text: str, source: Source, where: str, key: str) -> float:
    """An ISO date or time as unix seconds. Raises ConfigError."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        hint = f"expected a date such as '2026-02-01' or '2026-02-01T08:30', got '{text}'"
        raise source.error(where, key, hint) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
