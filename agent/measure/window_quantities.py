"""What a window can tell: names, kinds, steps and ranges of its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.config.sections import WindowConfig
from drivers.api import Quantity

BANDS = 16  #: third-octave bands from 1 Hz on
TOP = 3  #: largest passages of a window


def quantities_of(
    axes: Sequence[str], kinds: Mapping[str, Quantity], options: WindowConfig
) -> dict[str, Quantity]:
    """All of them; `kinds` says what each axis measures, empty: accelerations."""
    if not kinds:
        return STREAM_QUANTITIES | acceleration_quantities(axes, len(options.modes))
    found = dict(STREAM_QUANTITIES)
    for axis in axes:
        found |= level_quantities(axis, kinds[axis], options.bins)
    return found


def acceleration_quantities(axes: Sequence[str], modes: int) -> dict[str, Quantity]:
    """What a window of accelerations can tell."""
    found: dict[str, Quantity] = {}
    for axis in axes:
        found |= {
            f"mean_{axis}": Quantity("acceleration", 0.001, -80, 80),
            f"rms_{axis}": Quantity("acceleration", 1e-5, 0, 80),
            f"peak_{axis}": Quantity("acceleration", 1e-4, 0, 160),
            f"crest_{axis}": Quantity("ratio", 0.1, 0, 1000),
            f"kurtosis_{axis}": Quantity("ratio", 0.1, -2, 1e5),
            f"ppv_{axis}": Quantity("velocity", 0.01, 0, 1e4),
            f"ppv_frequency_{axis}": Quantity("frequency", 0.1, 0, 500),
        }
        found |= {f"level_{axis}_{k}": Quantity("level", 0.5, -100, 200) for k in range(BANDS)}
    found |= {f"tilt_{axis}": Quantity("tilt", 0.001, -90, 90) for axis in axes[:2]}
    for k in range(1, modes + 1):
        found |= {
            f"f{k}": Quantity("frequency", 0.001, 0, 500),
            f"d{k}": Quantity("damping", 0.01, 0, 100),
            f"q{k}": Quantity("percentage", 1, 0, 100),
            f"p{k}": Quantity("frequency", 0.001, 0, 500),
        }
    return found


def level_quantities(axis: str, kind: Quantity, bins: int) -> dict[str, Quantity]:
    """What a window of any other signal can tell: levels, half cycles, damage, passages."""
    width = kind.high - kind.low
    height = Quantity(kind.kind, kind.step, -width, width)
    found = {f"{word}_{axis}": kind for word in ("mean", "min", "max")}
    found |= {f"cycles_{axis}_{k}": Quantity("count", 1, 0, 1e9) for k in range(bins)}
    found |= {f"top_{axis}_{k}": height for k in range(1, TOP + 1)}
    return found | {
        f"damage_{axis}": Quantity("damage", 1e-9, 0, 2),
        f"passages_{axis}": Quantity("count", 1, 0, 1e6),
    }


STREAM_QUANTITIES = {
    "completeness": Quantity("percentage", 0.1, 0, 100),
    "missing": Quantity("count", 1, 0, 2e9),
    "clipped": Quantity("count", 1, 0, 2e9),
    "rate": Quantity("frequency", 0.0001, 0, 10_000),
    "temperature": Quantity("temperature", 0.1, -60, 130),
}
