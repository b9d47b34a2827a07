"""Where in the text of a profile a key stands, and the error that says so."""

from __future__ import annotations

import re
from pathlib import Path

NAMED = re.compile(r"(?<![\w-])name\s*=\s*[\"']([^\"']*)[\"']")
HEAD = re.compile(r"^\s*\[+\s*([\w.-]+)")
CREDENTIALS = re.compile(r"//[^/@\s\"]*@")


class ConfigError(Exception):
    """The profile is wrong; `str()` is one line with file, line, key and what to do.

    `where` and `name` are the section and the key in it, `text` the line itself as it stands there.
    """

    def __init__(
        self,
        path: Path,
        line: int,
        key: str,
        hint: str,
        *,
        where: str = "",
        title: str = "",
        text: str = "",
    ) -> None:
        super().__init__(f"{path}:{line}: {key}: {hint}" if line else f"{path}: {key}: {hint}")
        self.path, self.line, self.key, self.hint = path, line, key, hint
        self.where, self.title, self.text = where, title or key, text

    def told(self) -> str:
        """For people: file and line, what it is about by name, the remedy; then the line itself."""
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        line = CREDENTIALS.sub("//…@", self.text.strip())
        return f"{place}: {self.title}: {self.hint}" + (f"\n    {line}" if line else "")

    @property
    def name(self) -> str:
        """The key alone, without its section; empty where a whole section is meant."""
        return self.key.removeprefix(self.where).removeprefix(".") if self.where else self.key


class Source:
    """The text of a profile, to find the line of a key again."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.lines = path, text.splitlines()

    def error(self, where: str, key: str, hint: str) -> ConfigError:
        """A ConfigError at `key` of section `where`, e.g. ("table[1]", "interval_s")."""
        label = f"{where}.{key}" if where and key else where or key
        line = self.line(where, key)
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        title = self._title(where, key)
        return ConfigError(self.path, line, label, hint, where=where, title=title, text=text)

    def _title(self, where: str, key: str) -> str:
        """A section by the name it gives itself, by its number where it has none.

        "table[1].columns[0].step" -> "table 'deck', column 'eps', step".
        """
        named, plain, path = list[str](), list[str](), ""
        for part in where.split(".") if where else ():
            path = f"{path}.{part}" if path else part
            found = re.fullmatch(r"([\w-]+)\[(\d+)\]", part)
            if found:
                named, plain = [*named, *plain, self._called(path, found[1], int(found[2]))], []
            else:
                plain.append(part)
        return ", ".join([*named, ".".join([*plain, key] if key else plain)]).removesuffix(", ")

    def _called(self, path: str, kind: str, index: int) -> str:
        first = self.line(path, "") - 1
        inline = 0 <= first < len(self.lines) and not self.lines[first].lstrip().startswith("[")
        last = first + 1 if inline else self._end(max(first, 0))
        named = NAMED.search("\n".join(map(self._bare, range(max(first, 0), last))))
        word = kind.removesuffix("s")
        return f"{word} '{named[1]}'" if named else f"{word} {index + 1}"

    def line(self, where: str, key: str) -> int:
        """The line (from 1) of `key` inside `where`; the section's own if the key has none; else 0.

        Walks down part by part, each search starting where the one before ended.
        """
        first, last, line = 0, len(self.lines), 0
        for section, index in re.findall(r"([\w-]+)(?:\[(\d+)\])?", where):
            heads = self._heads(section, first, last)
            if not heads and not line:
                return 0  # the profile does not have this section
            if not heads:
                continue
            chosen = min(int(index or 0), len(heads) - 1)
            first = heads[chosen]
            line = first + 1
            if self.lines[first].lstrip().startswith("["):
                last = self._end(first)
            elif index:
                first = self._element(first, last, int(index))
                line, last = first + 1, first + 1
            else:
                last = min(self._closed(first), last)
        found = self._heads(key, first, last) if key else []
        return found[0] + 1 if found else line

    def _heads(self, word: str, first: int, last: int) -> list[int]:
        """Where `word` is a section's head or a key between two lines."""
        key = re.escape(word)
        head = re.compile(rf"^\s*\[+\s*{key}\s*\]+|^\s*{key}\s*[=.]|[{{,]\s*\"?{key}\"?\s*=")
        below = re.compile(rf"^\s*\[+\s*(?:[\w-]+\.)*{key}\s*[.\]]")  # [simulate.feeds]
        lines = range(first, last)
        found = [number for number in lines if head.search(self._bare(number))]
        return found or [number for number in lines if below.search(self._bare(number))]

    def _element(self, first: int, last: int, index: int) -> int:
        """Where the { of that number is, in a list that begins at line `first`."""
        seen = -1
        for number in range(first, last):
            seen += self._bare(number).count("{")
            if seen >= index:
                return number
        return first

    def _closed(self, first: int) -> int:
        """The line after the last of a statement with brackets that begins at `first`."""
        depth = 0
        for number in range(first, len(self.lines)):
            bare = self._bare(number)
            depth += bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
            if depth <= 0:
                return number + 1
        return len(self.lines)

    def _end(self, first: int) -> int:
        """The line after the last of the section that begins at `first`; what is below belongs."""
        own = HEAD.match(self.lines[first])
        inside = f"{own[1]}." if own else ""
        for number in range(first + 1, len(self.lines)):
            other = HEAD.match(self.lines[number])
            if other and not (inside and other[1].startswith(inside)):
                return number
        return len(self.lines)

    def _bare(self, number: int) -> str:
        return self.lines[number].split("#")[0]
