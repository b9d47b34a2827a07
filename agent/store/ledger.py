"""Small values that the store keeps by name: settings, results of downlinks, counters."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

from agent.store.database import File, Statement
from agent.store.statements import delete_token, put_setting, put_tally, put_token

KEPT_S = 7 * 86_400  #: so long a downlink that was carried out is remembered …
LEAST, MOST = 100, 25_000  #: … of a link at least so many, and at most
REFUSED = 100  #: refused ones of a link: a flood of them pushes none of the others out
FORGOTTEN = 10  #: at once: after a quiet week no transaction is a long one


class Known(NamedTuple):
    """A downlink that was carried out, or refused."""

    token: int
    digest: bytes  #: of its bytes; empty where 0.1 kept it: any bytes with that token


class Outcome(NamedTuple):
    """What came of it, at unix second `at` by the system's clock."""

    result: int
    at: int


class Ledger:
    """Read at the start, then in memory. Counters are written with the next transaction."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.settings: dict[str, bytes] = {}
        self.done: dict[str, dict[Known, Outcome]] = {}  #: downlinks by link, oldest first
        self.refused: dict[str, dict[Known, Outcome]] = {}
        self.tally: dict[str, int] = {}
        self._changed_tallies: set[str] = set()
        self._changed_settings: set[str] = set()

    def load(self) -> None:
        """Read everything. Raises Refused, Damaged."""
        read = self.file.read
        self.settings = dict(read("SELECT key, value FROM setting"))
        self.tally = dict(read("SELECT name, value FROM tally"))
        sql = "SELECT link, token, digest, result, at FROM token ORDER BY id"
        for link, token, digest, result, at in read(sql):
            self._keep(link, Known(token, digest), Outcome(result, at))

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

    def result_of(self, link: str, one: Known) -> int | None:
        """What came of a downlink, if it is remembered."""
        for of_link in (self.done.get(link, {}), self.refused.get(link, {})):
            found = of_link.get(one) or of_link.get(Known(one.token, b""))
            if found:
                return found.result
        return None

    def remember(self, link: str, one: Known, outcome: Outcome) -> list[Statement]:
        """Keep what came of a downlink, with those of the week before."""
        known = self._keep(link, one, outcome)
        most = REFUSED if outcome.result else MOST
        made = [put_token(link, *one, *outcome)]
        return made + self._forget(link, known, outcome.at - KEPT_S, most)

    def _keep(self, link: str, one: Known, outcome: Outcome) -> dict[Known, Outcome]:
        known = (self.refused if outcome.result else self.done).setdefault(link, {})
        known[one] = outcome
        return known

    def _forget(
        self, link: str, known: dict[Known, Outcome], before: int, most: int
    ) -> list[Statement]:
        made = []
        for one, outcome in list(islice(known.items(), FORGOTTEN)):
            old = outcome.at < before and len(known) > LEAST
            if not old and len(known) <= most:
                break
            del known[one]
            made.append(delete_token(link, *one))
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
        for name, known in (*self.done.items(), *self.refused.items()):
            made += [put_token(name, *one, *outcome) for one, outcome in known.items()]
        return made
