"""Where the files that come with the agent lie: in the wheel, or in the checkout."""

from __future__ import annotations

from pathlib import Path


def resource(name: str) -> Path:
    """`hw/<name>`, e.g. "schemas" or "nodes/school.toml"."""
    here = Path(__file__).parent
    inside = here / "hw" / name
    return inside if inside.exists() else here.parent / "hw" / name
