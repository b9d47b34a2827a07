"""Small values that the store keeps by name: settings, results of downlinks, counters."""

from __future__ import annotations

from collections.abc import Mapping

from agent.store.database import File, Statement
from agent.store.statements import put_setting, put_tally, put_token

TOKENS = 100  #: how many downlinks of a link are remembered


class Ledger:
    """Read at the start, then in memory. Counters are written with the next transaction."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.settings: dict[str, bytes] = {}
        self.tokens: dict[str, dict[int, int]] = {}  #: link -> token -> result
        self.tally: dict[str, int] = {}
        self._changed_tallies: set[str] = set()
        self._changed_settings: set[str] = set()

    def load(self) -> None:
        """Read everything. Raises Refused, Damaged."""
        read = self.file.read
        self.settings = dict(read("SELECT key, value FROM setting"))
        self.tally = dict(read("SELECT name, value FROM tally"))
        for link, token, result in read("SELECT link, token, result FROM token ORDER BY id"):
            self.tokens.setdefault(link, {})[token] = result

    def count(self, name: str, more: int) -> None:
        """Add to a counter that outlives restarts."""
        self.tally[name] = self.tally.get(name, 0) + more
        self._changed_tallies.add(name)

    def keep(self, key: str, value: bytes) -> None:
        """A setting that may be written later: after a crash its old value stands again."""
        self.settings[key] = value
        self._changed_settings.add(key)

    def set(self, settings: Mapping[str, bytes]) -> list[Statement]:
        """Settings that belong into this transaction."""
        self.settings.update(settings)
        return [put_setting(*item) for item in settings.items()]

    def remember(self, link: str, token: int, result: int) -> list[Statement]:
        """Keep what came of a downlink, with the 99 before."""
        tokens = self.tokens.setdefault(link, {})
        tokens[token] = result
        made = [put_token(link, token, result)]
        if len(tokens) > TOKENS:
            oldest = next(iter(tokens))
            del tokens[oldest]
            made.append(("DELETE FROM token WHERE link = ? AND token = ?", (link, oldest)))
        return made

    def changes(self) -> list[Statement]:
        """What is to be written with the next transaction."""
        if not self._changed_tallies and not self._changed_settings:  # the rule
            return []
        tallies = [put_tally(name, self.tally[name]) for name in self._changed_tallies]
        settings = self._changed_settings
        return tallies + [put_setting(key, self.settings[key]) for key in settings]

    def written(self) -> None:
        """The changes are on disk."""
        self._changed_tallies.clear()
        self._changed_settings.clear()

    def everything(self) -> list[Statement]:
        """For a new file; the counters become changes."""
        self._changed_tallies.update(self.tally)
        made = [put_setting(*item) for item in self.settings.items()]
        for name, tokens in self.tokens.items():
            made += [put_token(name, *item) for item in tokens.items()]
        return made
