"""Values of the profile that a downlink may replace.

A replaced value stands in the store beside the profile's; it ends when the profile's is edited.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from agent.store import Store
from agent.transport.bounds import Bounds


def interval_key(table: str) -> str:
    """A table's interval in seconds."""
    return f"interval/{table}"


def limits_key(table: str, column: str) -> str:
    """A column's alarm limits in raw steps: [above, below]."""
    return f"limits/{table}/{column}"


def fill_key(link: str) -> str:
    """A link's fill_s."""
    return f"fill/{link}"


def packed_key(link: str) -> str:
    """Whether a link packs its bodies."""
    return f"packed/{link}"


def trial_key(link: str) -> str:
    """What a change over a link has replaced, until something sent since is acknowledged."""
    return f"on-trial/{link}"


def resent_key(link: str) -> str:
    """How many rows were asked for again on a link: [day, rows]."""
    return f"resent/{link}"


class Settings:
    """The standing value of each key: the profile's, or what replaced it within its bounds."""

    def __init__(self, store: Store, profile: Mapping[str, object], bounds: Bounds) -> None:
        self.store, self.profile, self.bounds = store, profile, bounds

    def get(self, key: str) -> object:
        """What holds now; None for a key the profile does not have."""
        profile = self.profile.get(key)
        kept = self.store.setting(key)
        if kept is None:
            return profile
        before, now = json.loads(kept)
        return now if before == profile and self.bounds.hold(key, now) else profile

    def is_replaced(self, key: str) -> bool:
        """Whether another value than the profile's holds."""
        return self.get(key) != self.profile.get(key)

    def replaced(self, key: str, value: object) -> tuple[str, bytes]:
        """The entry that makes `value` stand, for the store."""
        return key, json.dumps([self.profile.get(key), value]).encode()
