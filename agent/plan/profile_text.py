"""The text of a profile as sections and statements, out of which something is cut; lines stay."""

from __future__ import annotations

import re
from collections.abc import Iterator

HEAD = re.compile(r"^\s*\[+\s*([\w.-]+)\s*\]+")
STATEMENT = re.compile(r"^\s*\"?([\w.-]+)\"?\s*=")
VALUE = r"(?:\"[^\"]*\"|'[^']*'|\[[^\[\]]*\]|\{[^{}]*\}|[^,{}\[\]#]+)"
NAME = re.compile(r"(?<![\w-])name\s*=\s*[\"']([^\"']*)[\"']")
NOBODY = "x_"  #: name of what stands in
STAND_IN = {  # where a profile has to have one: put behind its end, so that no line moves
    "node": '[node]\nname = "x"',
    "instrument": '[[instrument]]\nname = "x_"\ndriver = "health"',
    "table": '[[table]]\nname = "x_"\ninterval_s = 60\n'
    'columns = [{ name = "x", from = "x_.uptime" }]',
}


class ProfileText:
    """Lines are counted from 1; 0 stands for what comes before the first section."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._stand_ins: list[str] = []

    @property
    def text(self) -> str:
        """As it is now."""
        return "\n".join([*self._lines, *self._stand_ins])

    def head(self, line: int) -> int:
        """The line of the section that a line belongs to."""
        above = range(min(line, len(self._lines)), 0, -1)
        return next((n for n in above if HEAD.match(self._lines[n - 1])), 0)

    def end(self, head: int) -> int:
        """The last line of a section; with one name the sections below it are part of it."""
        found = HEAD.match(self._lines[head - 1]) if head else None
        inside = f"{found[1]}." if found else ""
        for number in range(head + 1, len(self._lines) + 1):
            other = HEAD.match(self._lines[number - 1])
            if other and not (inside and other[1].startswith(inside)):
                return number - 1
        return len(self._lines)

    def names(self, head: int) -> set[str]:
        """What a section calls itself; of what stands before the first, nothing."""
        text = "\n".join(self._lines[head - 1 : self.end(head)]) if head else ""
        return set(NAME.findall(text)[:1])

    def keys(self, head: int) -> Iterator[tuple[int, str]]:
        """Every statement of a section: its line and key."""
        for number in range(head + 1, self.end(head) + 1):
            if found := STATEMENT.match(self._lines[number - 1]):
                yield number, found[1]

    def cut(self, line: int, where: str, name: str) -> bool:
        """Take out the key `name`, or the element that `where` counts. Whether it was found."""
        if not 0 < line <= len(self._lines):
            return False
        first, last = self._statement(line)
        found = STATEMENT.match(self._lines[first - 1])
        element = re.search(r"([\w-]+)\[(\d+)\]$", where)
        if element and found and found[1] == element[1]:
            return self._cut_element(first, last, int(element[2]))
        if found and found[1] == name:
            self._blank(first, last)
            return True
        return self._cut_entry(first, last, name)

    def swap(self, line: int, old: str, new: str) -> bool:
        """Write `new` for the key, section or value `old` of a line. Whether it was found."""
        if not 0 < line <= len(self._lines) or not old:
            return False
        word = rf"(?<![\w.-]){re.escape(old)}(?![\w-])"
        made, count = re.subn(word, lambda _: new, self._lines[line - 1], count=1)
        self._lines[line - 1] = made
        return count > 0

    def fill(self, line: int, text: str) -> None:
        """Write a statement where one was cut out."""
        self._lines[line - 1] = text

    def drop(self, head: int, line: int, where: str) -> None:
        """Take out a whole section; a stand-in for what a profile has to have."""
        kind = re.split(r"[\[.]", where)[0]
        if head:
            found = HEAD.match(self._lines[head - 1])
            kind = found[1].split(".")[0] if found else kind
            self._blank(head, self.end(head))
        elif line:
            self._blank(*self._statement(line))
        if not self._has(kind) and kind in STAND_IN:
            self._stand_ins.append(STAND_IN[kind])
            if kind == "table" and STAND_IN["instrument"] not in self._stand_ins:
                self._stand_ins.append(STAND_IN["instrument"])  # what it measures

    def _has(self, kind: str) -> bool:
        head = re.compile(rf"^\s*(?:\[+\s*{re.escape(kind)}\s*\]|{re.escape(kind)}\s*=)")
        return any(map(head.match, [*self._lines, *self._stand_ins]))

    def _statement(self, line: int) -> tuple[int, int]:
        """First and last line of the statement at a line: a list may go over several."""
        first = line
        while first > 1 and not STATEMENT.match(self._lines[first - 1]):
            if HEAD.match(self._lines[first - 1]):
                return line, line
            first -= 1
        last, limit = first, len(self._lines)
        while last < limit and _open(self._joined(first, last)):
            last += 1
        return (first, last) if last >= line else (line, line)

    def _joined(self, first: int, last: int) -> str:
        return "\n".join(self._lines[first - 1 : last])

    def _blank(self, first: int, last: int) -> None:
        for number in range(first - 1, last):
            self._lines[number] = ""

    def _put(self, first: int, text: str) -> None:
        for number, one in enumerate(text.split("\n")):
            self._lines[first - 1 + number] = one

    def _cut_entry(self, first: int, last: int, name: str) -> bool:
        """`name = value` inside of { }."""
        text = self._joined(first, last)
        entry = rf"(?<![\w.-])\"?{re.escape(name)}\"?\s*=\s*{VALUE}\s*"
        for pattern in (rf"{entry},\s*", rf",\s*{entry}", entry):
            made, count = re.subn(pattern, _newlines, text, count=1)
            if name and count:
                self._put(first, made)
                return True
        return False

    def _cut_element(self, first: int, last: int, index: int) -> bool:
        """The { } of that number in a list."""
        text = self._joined(first, last)
        found = list(re.finditer(r"\{(?:[^{}]|\{[^{}]*\})*\}[ \t]*,?", text))
        if index >= len(found):
            return False
        begin, end = found[index].span()
        self._put(first, text[:begin] + _newlines(found[index]) + text[end:])
        return True


def _newlines(found: re.Match[str]) -> str:
    """Only the line ends of what is cut out."""
    return "\n" * found[0].count("\n")


def _open(text: str) -> bool:
    """Whether a bracket is still to be closed."""
    bare = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'|#[^\n]*", "", text)
    return any(bare.count(a) > bare.count(b) for a, b in ("[]", "{}"))
