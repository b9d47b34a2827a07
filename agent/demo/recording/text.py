"""From bytes to rows of cells: encoding, separator, comments; line by line, however long."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from agent.demo.recording.moments import ONLY_CLOCK, ONLY_DATE

HEAD = 65_536  #: bytes from which the dialect is told
SEPARATORS = {";": "semicolon", "\t": "tab", "|": "bar", ",": "comma"}  #: a tie: the first
SPACES = ""  #: columns stand apart by spaces
LONGEST_CELL = 131_072  #: what csv takes
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass
class Text:
    """How a file is written."""

    encoding: str
    errors: str
    said: str  #: the encoding, for people
    skip: int  #: bytes of its mark
    separator: str = ","
    join: bool = False  #: date and time are two cells of one column
    dropped: Counter[str] = field(default_factory=Counter)  #: what was left out while reading


def western(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are no UTF-8 are what Windows and old Excel write."""
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    return wrong.decode("cp1252", "replace").replace("\ufffd", ""), error.end


codecs.register_error("western", western)


def encoding_of(head: bytes) -> Text:
    """By its mark, by every second byte being zero, else UTF-8 or what Windows writes."""
    for mark, name in MARKS:
        if head.startswith(mark):
            said = "UTF-8 with a mark" if name == "utf-8" else name.upper()
            return Text(name, "western" if name == "utf-8" else "replace", said, len(mark))
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(zeros) > 3 and zeros.count(0) > 0.6 * len(zeros) and head.count(0) < 0.6 * len(head):
            return Text(name, "replace", name.upper(), 0)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return other_encoding(head)
    return Text("utf-8", "western", "UTF-8", 0)


def other_encoding(head: bytes) -> Text:
    """Windows-1252, unless it cannot be and charset-normalizer (demo extra) knows better."""
    try:
        head.decode("cp1252")
    except UnicodeDecodeError:
        try:
            from charset_normalizer import from_bytes  # an optional library
        except ImportError:
            pass
        else:
            best = from_bytes(head).best()
            if best is not None:
                return Text(best.encoding, "replace", best.encoding, 0)
    return Text("utf-8", "western", "Latin-1 (Windows-1252)", 0)


def lines(path: Path, text: Text, tell: Callable[[int], None] | None = None) -> Iterator[str]:
    """The lines without comments, empty ones and NUL.

    `tell` hears now and then how many bytes have been read. Raises OSError.
    """
    with path.open("rb") as file:
        file.seek(text.skip)
        for number, line in enumerate(decoded(file, text), 1):
            if tell and not number % 20_000:
                tell(file.tell())
            if "\0" in line:
                text.dropped["with NUL bytes"] += 1
                line = line.replace("\0", "")
            if not line.strip(" \t\r\n,;|\ufeff\x1a"):
                text.dropped["blank"] += 1
            elif line.lstrip(' \t\ufeff"')[:1] == "#" or line[:2] == "//":
                text.dropped["comments"] += 1
            elif not re.match(r'\ufeff?"?sep=.', line, re.I):
                yield line


def decoded(file: BinaryIO, text: Text) -> Iterator[str]:
    """Lines by any of the three line ends; none longer than what csv takes."""
    decoder = codecs.getincrementaldecoder(text.encoding)(text.errors)
    rest = ""
    while True:
        block = file.read(HEAD)
        rest += decoder.decode(block, final=not block)
        rest = rest.replace("\r\n", "\n") if block and not rest.endswith("\r") else rest
        if not block:
            rest = rest.replace("\r\n", "\n")
        if rest.endswith("\r") and block:  # its \n may follow
            continue
        *whole, rest = rest.replace("\r", "\n").split("\n")
        yield from (one + "\n" for one in whole)
        if len(rest) > LONGEST_CELL:
            text.dropped["longer than 131,072 characters"] += 1
            rest = ""
        if not block:
            if rest:
                yield rest
            return


def separator_of(head: Iterable[str], announced: str) -> str:
    """The sign between cells: as announced by `sep=`, else the one that makes equal rows."""
    if announced:
        return announced
    sample = list(head)[:200]
    best, most = SPACES, 0.5
    for sign in SEPARATORS:
        widths = [len(row) for row in csv.reader(sample, delimiter=sign)]
        usual, count = Counter(widths).most_common(1)[0] if widths else (1, 0)
        if usual > 1 and count / len(widths) > most:
            best, most = sign, count / len(widths)
    if best != SPACES:
        return best
    spaced = Counter(len(split(one)) for one in sample)
    return SPACES if spaced and spaced.most_common(1)[0][0] > 1 else ","


def split(line: str) -> list[str]:
    """Cells that stand apart by spaces; one space may be within a cell if two are between."""
    cells = re.split(r"\s{2,}|\t", line.strip())
    return cells if len(cells) > 1 else line.split()


def date_in_two(head: Iterable[str]) -> bool:
    """Whether date and time stand apart by a space in rows, but are one column in the headings."""
    first, *others = [split(one) for one in head][:20] or [[]]
    return any(
        len(one) == len(first) + 1 and one != joined(one) and len(joined(one)) == len(first)
        for one in others
    )


def joined(cells: Sequence[str]) -> list[str]:
    """A date and the time behind it as one cell."""
    made: list[str] = []
    for cell in cells:
        if made and ONLY_CLOCK.match(cell) and ONLY_DATE.match(made[-1]):
            made[-1] += " " + cell
        else:
            made.append(cell)
    return made


def rows(source: Iterable[str], text: Text) -> Iterator[list[str]]:
    """Rows of cells; a quotation that does not end costs its row only."""
    if text.separator == SPACES:
        for line in source:
            yield joined(split(line)) if text.join else split(line)
        return
    for line in source:
        if line.count('"') % 2:
            line = line.replace('"', "")
        if '"' in line:
            yield next(csv.reader([line], delimiter=text.separator, skipinitialspace=True), [])
        else:
            yield line.rstrip("\r\n").split(text.separator)
