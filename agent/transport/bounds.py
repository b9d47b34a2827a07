"""What downlinks may do on this node: the profile's [commands]."""

from __future__ import annotations

from dataclasses import dataclass

from agent.config.sections import CommandsConfig, NodeConfig
from agent.plan.tables import interval_allowed

INTERVAL, THRESHOLD, SCHEMA, RESEND, HELLO, RESTART, BODY = 1, 2, 3, 4, 5, 7, 8  # WIRE.md section 4
#: by kind of setting (the key's first word): the downlink that replaces it
REPLACED_BY = {"interval": INTERVAL, "fill": INTERVAL, "limits": THRESHOLD, "packed": BODY}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which downlinks are carried out, and how far each may go."""

    allowed: frozenset[int]
    limits: CommandsConfig

    def interval(self, seconds: int) -> bool:
        """Whether a downlink may set a table's interval to this."""
        low, high = self.limits.interval_s
        return interval_allowed(seconds) and low <= seconds <= high

    def hold(self, key: str, value: object) -> bool:
        """Whether what a downlink put in place of a profile's value may stand today."""
        kind = key.partition("/")[0]
        if REPLACED_BY[kind] not in self.allowed:
            return False
        return kind != "interval" or (isinstance(value, int) and self.interval(value))


def bounds(commands: CommandsConfig, node: NodeConfig) -> Bounds:
    """The profile's; where it names no commands, those that 0.1 allowed."""
    allowed = {INTERVAL, SCHEMA, RESEND, HELLO, BODY}
    if node.thresholds_by_downlink:
        allowed.add(THRESHOLD)
    if node.restart_by_downlink:
        allowed.add(RESTART)
    named = commands.allow
    return Bounds(frozenset(allowed if named is None else named), commands)
