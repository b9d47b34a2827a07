"""Every mistake of a profile: what is wrong is cut out, and the rest looked at again.

What only follows from an earlier mistake (a column of an instrument that could not be made) is not
told: it goes with the mistake that is mended.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from agent.config import read_text, syntax_errors
from agent.config.errors import near
from agent.config.slip_rules import uncommented
from agent.config.slips import foreign, mend
from agent.config.source import ConfigError, Source
from agent.measure.driver_registry import OWN, DriverError, find, known
from agent.plan.profile_text import HEAD, NOBODY, ProfileText

BEGIN = "begin with one of hw/nodes, such as school.toml"
MOST = 100  #: mistakes that are told
FOLLOWS = re.compile(r"no (instrument|table|link) '([^']+)'")  #: where that was cut out
THINNED = re.compile(
    r"(?:table )?'([\w-]+)"
    r"(?:' has no|\.[\w-]+' is measured by nothing|' does not measure '[^']+'; known)"
)  #: where something of it was cut out
MEANT = re.compile(  # where the nearest word can stand in for what is wrong
    r"^(?:unknown key|is no option of driver '[^']*'|no (?:driver|world) '[^']*'|is '[^']*': .*)"
    r"; did you mean '([^']+)'\?$"
)
NO_BUS = re.compile(r"driver '[^']*' needs one, such as '(i2c-|/dev/)")
FREE = 900  #: number of a bus that nobody has
LIKELY = 0.8  #: how alike a driver has to be to stand in
MACHINE = re.compile(r"needs \w+\. Please type")  #: an optional library: no judging without it

Check = Callable[[str], object]  #: looks at a whole text, raises ConfigError for its first mistake


def all_mistakes(path: Path, check: Callable[[Path, str], object]) -> list[ConfigError]:
    """What is wrong with a profile, in the order of its lines; empty if nothing is.

    `check` is given the path and a text and raises ConfigError for the first mistake in it.
    """
    try:
        text, found = read_text(path)
    except ConfigError as error:
        return [error]
    if strange := strangeness(text):
        return [*found, ConfigError(path, 1, "profile", f"{strange}: {BEGIN}")]
    source = Source(path, text)
    mended, slips = mend(text)
    found += syntax_errors(source, slips)
    found += Hunt(source, mended, lambda text: check(path, text)).all()
    return sorted(found, key=lambda one: one.line)


def strangeness(text: str) -> str:
    """Why a file is no profile at all; empty if it may be one."""
    if not re.search(r"^\s*[^#\s]", text, re.M):
        return "is empty"
    kind = foreign(text)
    return f"is {kind}, not TOML" if kind else ""


class Hunt:
    """Mistakes one after the other, each cut out of the text before the next look."""

    def __init__(self, source: Source, text: str, check: Check) -> None:
        self.source, self.check = source, check
        self.profile, self._written = ProfileText(text), ProfileText("\n".join(source.lines))
        self.found: list[ConfigError] = []
        self._gone: set[str] = set()  # names of sections that were cut out
        self._cut: set[int] = set()  # first lines of sections in which something was cut out
        #: sections of which a line could not be read at all
        self._torn = {self.profile.head(number) for number in unread(source.lines, text)}
        self._cut_at: dict[tuple[int, str], int] = {}  # head and key -> where it was
        self._swapped: set[tuple[int, str]] = set()  # line, what was put there
        self._buses = 0  # that were made up
        self._thinned: set[str] = set()  # names of sections in which something was cut out
        self._unnamed: set[str] = set()  # kinds of sections of which one has a wrong name

    def all(self) -> list[ConfigError]:
        """Until nothing is wrong any more, or nothing more can be cut out."""
        for _ in range(4 * MOST):
            before = self.profile.text
            try:
                self.check(before)
            except ConfigError as error:
                if error.line > len(self.source.lines):
                    break  # in what stands in for a section that was cut out
                self._take(error)
            else:
                break
            stuck = self.profile.text == before or len(self.found) >= MOST
            if stuck or any(MACHINE.search(one.hint) for one in self.found):
                break
        for one in self.found:
            self._number(one)
        return self.found

    def _number(self, error: ConfigError) -> None:
        """Count sections as the file has them, where others before were cut out."""
        head = HEAD.match(self.source.lines[(self._written.head(error.line) or 1) - 1])
        if head is None:
            return
        name = head[1].rpartition(".")[2]
        above = map(HEAD.match, self.source.lines[: error.line])
        number = sum(one is not None and one[1] == head[1] for one in above)
        error.key = re.sub(rf"\b{name}\[\d+\]", f"{name}[{number - 1}]", error.key, count=1)
        word = name.removesuffix("s")
        error.title = re.sub(rf"\b{word} \d+", f"{word} {number}", error.title, count=1)
        error.hint = error.hint.replace(f"{NOBODY}, ", "").removesuffix(f"; known here: {NOBODY}")

    def _take(self, error: ConfigError) -> None:
        """Tell it, if it is no consequence; then cut it out."""
        head = self.profile.head(error.line)
        missing = error.hint.startswith(("is missing", "is empty", "needs 'above'"))
        follows = self._follows(error) or (missing and self._taken(head, error))
        if not follows and not self._told(error):
            text = self.source.lines[error.line - 1] if error.line else ""
            error.text = text
            self.found.append(error)
        if self._right(head, error):
            return
        if error.hint.startswith("no driver"):
            self.found += [*self._strange_options(head), *self._strange_quantities(head)]
        if error.name == "name" and "used twice" not in error.hint:
            self._unnamed.add(error.where.partition("[")[0])
        cut = not missing and self.profile.cut(error.line, error.where, error.name)
        if cut:
            self._cut.add(head)
            self._cut_at[head, error.name] = error.line
            self._thinned |= self.profile.names(head)
        else:
            self._drop(head, error)

    def _right(self, head: int, error: ConfigError) -> bool:
        """Put what was meant in the place of what is wrong, to look at the rest of the section."""
        meant, bus = MEANT.search(error.hint), NO_BUS.search(error.hint)
        if meant and (error.line, meant[1]) not in self._swapped:
            self._swapped.add((error.line, meant[1]))
            old = (
                error.name
                if error.hint.startswith(("unknown key", "is no option"))
                else _quoted(error.hint)
            )
            likely = difflib.SequenceMatcher(None, old.lower(), meant[1]).ratio() >= LIKELY
            known = meant[1] in dict((key, n) for n, key in self.profile.keys(head))
            sure = likely or not error.hint.startswith("no driver")
            return sure and not known and self.profile.swap(error.line, old, meant[1])
        line = self._cut_at.get((head, "bus"), error.line)
        if bus is None or (error.hint.startswith("is missing") and line == error.line):
            return False
        self._buses += 1
        self.profile.fill(line, f'bus = "{bus[1]}{FREE + self._buses}"')
        return True

    def _taken(self, head: int, error: ConfigError) -> bool:
        """Whether what is missing was there, with a mistake in it."""
        some = head in self._cut and not error.hint.startswith("is missing")
        return some or head in self._torn or (head, error.name) in self._cut_at

    def _told(self, error: ConfigError) -> bool:
        return any((one.line, one.hint) == (error.line, error.hint) for one in self.found)

    def _follows(self, error: ConfigError) -> bool:
        """Whether it speaks of a name that was cut out with a mistake."""
        named, thinned = FOLLOWS.match(error.hint), THINNED.match(error.hint)
        gone = named is not None and (named[2] in self._gone or named[1] in self._unnamed)
        return gone or (thinned is not None and thinned[1] in self._thinned)

    def _drop(self, head: int, error: ConfigError) -> None:
        """The whole section; where there has to be one, one that is right."""
        self._gone |= self.profile.names(head)
        self.profile.drop(head, error.line, error.where or error.key)

    def _strange_options(self, head: int) -> list[ConfigError]:
        """Keys of an instrument without a driver that no driver at all knows."""
        every = {*OWN, *(key for name in known() for key in options(name))}
        path, lines = self.source.path, self.source.lines
        return [
            ConfigError(path, n, key, f"unknown key{near(key, every)}", text=lines[n - 1])
            for n, key in self.profile.keys(head)
            if key not in every
        ]

    def _strange_quantities(self, head: int) -> Iterator[ConfigError]:
        """What is wanted of an instrument without a driver, and no driver at all measures."""
        every = {name for driver in known() for name in measured(driver)}
        for name in self.profile.names(head):
            reference = re.compile(rf"[\"']{re.escape(name)}\.([\w-]+)[\"']")
            for number, line in enumerate(self.source.lines, 1):
                for found in reference.finditer(line.split("#")[0]):
                    if found[1] not in every:
                        hint = f"no driver measures '{found[1]}'{near(found[1], every)}"
                        yield ConfigError(self.source.path, number, found[0], hint, text=line)


def unread(lines: Sequence[str], mended: str) -> Iterator[int]:
    """Lines of the file of which nothing is left in the text that was mended."""
    for number, line in enumerate(mended.split("\n")[: len(lines)], 1):
        if not line.strip() and uncommented(lines[number - 1]).strip().rstrip(",") not in mended:
            yield number


def _quoted(hint: str) -> str:
    """The word that a hint speaks of."""
    found = re.search(r"'([^']*)'", hint)
    return found[1] if found else ""


def measured(name: str) -> Iterable[str]:
    """What the driver `name` measures, as far as it says so without options."""
    try:
        return list(getattr(find(name).make(None, {}), "quantities", ()))
    except Exception:  # it wants options, or is somebody's with a slip of its own
        return ()


def options(name: str) -> list[str]:
    """What the driver `name` takes."""
    try:
        return list(find(name).options)
    except DriverError:
        return []
