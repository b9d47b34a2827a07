"""Slips in one line of a profile: each rule gives the line as it would be right, or None."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from agent.config.remedies import FALSE, NUMBER, TRUE, amount

LONG_NUMBER = 8  #: digits; what is longer and begins with 0 is no number
LISTS = ("instrument", "table", "alarm", "link", "trigger")
SINGLE = ("node", "store", "records", "simulate", "clock", "commands")
CURLY = dict.fromkeys("“”„‟«»″", '"') | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'")
BLANKS = dict.fromkeys("\u00a0\u2007\u202f\u200b\u2009\ufeff", " ")
DASHES = dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
UNQUOTED = re.compile(r"[A-Za-zÄÖÜäöüß/]|\d[\d.]*-[\w-]+$|\d+\.\d+\.\d|\d{4}-\d\d-\d\d ")


class Mended(NamedTuple):
    """A line as it would be right, and what was wrong with it."""

    text: str
    hint: str


def bare(line: str) -> str:
    """Without its comment and what stands in quotes."""
    return re.sub(r"\"[^\"]*\"|'[^']*'", '""', line).split("#")[0]


def uncommented(line: str) -> str:
    """Without a comment at its end."""
    return re.sub(r"^((?:[^\"'#]|\"[^\"]*\"|'[^']*')*)#.*$", r"\1", line).rstrip()


def _outside(line: str, signs: Mapping[str, str]) -> str:
    """A line with signs replaced, except in its comment."""
    body = uncommented(line)
    return "".join(signs.get(one, one) for one in body) + line[len(body) :]


def _split(line: str) -> tuple[str, str, str] | None:
    """Key with its sign, value, comment: of a line that is a statement."""
    found = re.match(r"^(\s*[\w.-]+\s*=\s*)(.*?)(\s*(?:#.*)?)$", line)
    return (found[1], found[2], found[3]) if found else None


def brackets(line: str) -> Mended | None:
    """[instrument] where there may be several, [[node]] where there is one."""
    found = re.match(r"^(\s*)(\[\[?)\s*([\w-]+)(?![\w.-])\s*(\]?\]?)(.*)$", line)
    if found is None or "=" in found[5].split("#")[0]:
        return None
    before, opened, name, _, rest = found.groups()
    right = f"[[{name}]]" if name.lower() in LISTS else f"[{name}]"
    if name.lower() not in (*LISTS, *SINGLE) or f"{opened}{name}{found[4]}" == right:
        return None
    several = name.lower() in LISTS
    hint = "there may be several: write it with two brackets" if several else "there is one: write"
    mended = f"{before}{right.lower()}{rest}"
    return Mended(mended, f"{hint}, {right.lower()}") if mended != line else None


def curly_quotes(line: str) -> Mended | None:
    """Quotes as a text processor sets them."""
    mended = _outside(line, CURLY)
    return Mended(mended, 'typographic quotes: write the straight ones, "…"')


def strange_blanks(line: str) -> Mended | None:
    """Blanks that only look like one: copied from a web page."""
    mended = "".join(BLANKS.get(one, one) for one in line)
    return Mended(mended, "a blank that is none (copied from a web page?): type it anew")


def dashes(line: str) -> Mended | None:
    """A minus sign as a text processor sets it."""
    mended = _outside(line, DASHES)
    return Mended(mended, "a long dash: type the short one, -")


def comment_sign(line: str) -> Mended | None:
    """// or ; where a comment begins."""
    mended = re.sub(r"^((?:[^\"'#]|\"[^\"]*\"|'[^']*')*?)(?<![:\w])(?://|;)", r"\1#", line)
    return Mended(mended, "a comment begins with #; each key stands on a line of its own")


def end_sign(line: str) -> Mended | None:
    """A comma or semicolon behind a value."""
    found = re.match(r"^(\s*[\w.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[\w.+-]+))\s*[,;]\s*(#.*)?$", line)
    if found is None:
        return None
    return Mended(f"{found[1]}  {found[2] or ''}".rstrip(), "nothing stands behind a value")


def last_comma(line: str) -> Mended | None:
    """{ a = 1, }."""
    mended = re.sub(r",\s*\}", " }", line)
    return Mended(mended, "no comma stands before a }")


def row_comma(line: str) -> Mended | None:
    """A row of a list, without a comma before the next."""
    found = re.match(r"^(\s*\{.*\})(\s*(?:#.*)?)$", line)
    return Mended(f"{found[1]},{found[2]}", "a comma is missing after }") if found else None


def control_characters(line: str) -> Mended | None:
    """What no keyboard writes."""
    mended = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", line)
    return Mended(mended, "a character that cannot be seen: type this line anew")


def colon(line: str) -> Mended | None:
    """key: value."""
    mended = re.sub(r"^(\s*[\w.-]+)\s*:\s*(?!//)", r"\1 = ", line)
    return Mended(mended, "a key and its value stand around an equals sign: key = value")


def no_sign(line: str) -> Mended | None:
    """key value."""
    mended = re.sub(r"^(\s*[A-Za-z_][\w.-]*)\s+(?=[\w\"'\[{+-])", r"\1 = ", line)
    wrong = _split(line) is not None or not mended.strip()
    return None if wrong else Mended(mended, "an equals sign is missing: key = value")


def decimal_comma(line: str) -> Mended | None:
    """0,3 where a single number stands; not between the numbers of a list."""
    found = re.search(r"=\s*([+-]?\d+),(\d+)(?=\s*(?:[},#]|$))", line)
    if found is None:
        return None
    number, how = f"{found[1]}.{found[2]}", " with a point"
    if not found[2].strip("0"):
        number, how = found[1], ""
    mended = line[: found.start(1)] + number + line[found.end() :]
    return Mended(mended, f"decimal comma: write {number}{how}")


def number_with_unit(line: str) -> Mended | None:
    """interval_s = 60 s."""
    found = re.search(rf"=\s*({NUMBER})\s*([A-Za-zµ°%/]+)(?=\s*(?:[}},#]|$))", line)
    if found is None or re.fullmatch(r"e[+-]?\d*|x[\da-fA-F]+", found[2]):
        return None
    key = re.findall(r"[\w-]+", line[: found.start()])[-1:]
    number = amount("".join(key), found[1], found[2])
    mended = line[: found.start(1)] + number + line[found.end() :]
    return Mended(mended, f"write the number alone, without its unit: {number}")


def leading_zero(line: str) -> Mended | None:
    """interval_s = 060."""
    found = re.search(r"=\s*([+-]?)0+(\d+)(?=\s*(?:[},#]|$))", line)
    if found is None:
        return None
    whole = line[found.start(1) : found.end()]
    if len(whole) > LONG_NUMBER:  # an EUI, a serial number
        mended = f'{line[: found.start(1)]}"{whole}"{line[found.end() :]}'
        return Mended(mended, f'text stands in quotes: "{whole}"')
    mended = line[: found.start(1)] + found[1] + found[2] + line[found.end() :]
    return Mended(mended, f"write {found[1]}{found[2]}, without zeros in front")


def truth(line: str) -> Mended | None:
    """False, yes, aus."""
    parts = _split(line)
    if parts is None:
        return None
    word = parts[1].strip().lower()
    if word not in (*TRUE, *FALSE) or parts[1] in ("true", "false"):
        return None
    right = "true" if word in TRUE else "false"
    return Mended(parts[0] + right + parts[2], f"write {right}, in small letters")


def truth_inside(line: str) -> Mended | None:
    """The same inside of { }."""
    mended = re.sub(r"(?<==)(\s*)True\b", r"\1true", line)
    mended = re.sub(r"(?<==)(\s*)False\b", r"\1false", mended)
    return Mended(mended, "write true or false, in small letters")


def no_quotes(line: str) -> Mended | None:
    """driver = sht4x."""
    parts = _split(line)
    if parts is None or not UNQUOTED.match(parts[1]) or parts[1] in ("inf", "nan"):
        return None
    if any(one in parts[1] for one in "\"'[]{}"):
        return None
    text = parts[1].strip()
    return Mended(f'{parts[0]}"{text}"{parts[2]}', f'text stands in quotes: "{text}"')


def no_quotes_inside(line: str) -> Mended | None:
    """{ temp = air.temperature }."""
    mended = re.sub(r"(=\s*)([A-Za-z_][\w-]*\.[A-Za-z_][\w-]*)(?=\s*[,}])", r'\1"\2"', line)
    return Mended(mended, "text stands in quotes")


def open_quote(line: str) -> Mended | None:
    """A quote that is not closed."""
    body, sign, comment = line.partition(" #")
    for quote in "\"'":
        if body.count(quote) % 2:
            tail = re.search(r"\s*[,}\]]*\s*$", body)
            at = tail.start() if tail else len(body)
            if not body.rstrip().startswith(quote) and body.rstrip().endswith(quote):
                mended = re.sub(r"(=\s*)(?=[^\s\"'])", rf"\1{quote}", body, count=1)
            else:
                mended = body[:at] + quote + body[at:]
            return Mended(mended + sign + comment, f"a {quote} is missing")
    return None


def backslash(line: str) -> Mended | None:
    """A Windows path in double quotes."""
    if '"' not in line or "\\" not in line:
        return None
    return Mended(line.replace("\\", "/"), "write / instead of \\ in a path")


def open_bracket(line: str) -> Mended | None:
    """A bracket that is not closed on its line, where it should be."""
    told = bare(line)
    if re.match(r"^\s*\[\[?\s*[\w.-]+\s*\]?\s*$", told):  # a section
        name = re.sub(r"[\[\]\s]", "", told)
        double = name in LISTS or told.strip().startswith("[[")
        right = f"[[{name}]]" if double else f"[{name}]"
        return Mended(right, f"a bracket is missing: write {right}")
    for opened, closed in ("{}", "[]"):
        if told.count(opened) > told.count(closed) and "=" in told:
            body, sign, comment = line.partition(" #")
            missing = closed * (told.count(opened) - told.count(closed))
            return Mended(
                f"{body.rstrip().rstrip(',')} {missing}{sign}{comment}", f"a {closed} is missing"
            )
        if told.count(closed) > told.count(opened):
            at = line.rindex(closed)
            return Mended(line[:at] + line[at + 1 :], f"a {closed} too many")
    return None


def comma_missing(line: str) -> Mended | None:
    """{ a = 1 b = 2 }."""
    mended = re.sub(r"([\w\"'}\]])\s+(?=[A-Za-z_][\w-]*\s*=)", r"\1, ", line)
    wrong = "{" not in line or mended == line
    return None if wrong else Mended(mended, "a comma is missing between two keys in { }")


Rule = Callable[[str], Mended | None]
RULES: tuple[Rule, ...] = (
    curly_quotes,
    strange_blanks,
    dashes,
    end_sign,
    comment_sign,
    control_characters,
    colon,
    decimal_comma,
    truth,
    truth_inside,
    number_with_unit,
    leading_zero,
    no_quotes_inside,
    no_quotes,
    backslash,
    open_quote,
    comma_missing,
    last_comma,
    row_comma,
    no_sign,
    open_bracket,
)
