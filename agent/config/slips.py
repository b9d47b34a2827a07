"""What people write first instead of TOML: told in words, with the line as it would be right."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import NamedTuple

LISTS = ("instrument", "table", "alarm", "link", "trigger")
SINGLE = ("node", "store", "records", "simulate", "clock", "commands")
CURLY = dict.fromkeys("“”„‟«»″", '"') | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'")
BLANKS = dict.fromkeys("\u00a0\u2007\u202f\u200b\u2009\ufeff", " ")
TRUE = ("true", "yes", "on", "ja", "an", "ein", "wahr")
FALSE = ("false", "no", "off", "nein", "aus", "falsch")
NUMBER = r"[+-]?\d+(?:[.,]\d+)?"
MOST = 40  #: slips of one file that are told


class Slip(NamedTuple):
    """One line that is no TOML."""

    line: int  #: from 1
    key: str
    hint: str


class Mended(NamedTuple):
    """A line as it would be right, and what was wrong with it."""

    text: str
    hint: str


def mend(text: str) -> tuple[str, list[Slip]]:
    """The text as TOML that can be read on with, and every slip on the way there.

    A line that no rule knows is left out; never more than `MOST` times.
    """
    lines, slips = text.splitlines(), list[Slip]()
    for number, line in enumerate(lines):
        if (mended := brackets(line)) is not None:
            slips.append(Slip(number + 1, _key(line), mended.hint))
            lines[number] = mended.text
    while len(slips) < MOST:
        try:
            tomllib.loads("\n".join(lines))
        except tomllib.TOMLDecodeError as error:
            slips.append(_one(lines, error))
        else:
            break
    return "\n".join(lines), slips


def _one(lines: list[str], error: tomllib.TOMLDecodeError) -> Slip:
    """Mend the line at which the parser stopped, or the open one before it."""
    at = re.search(r"line (\d+)", str(error))
    stopped = min(int(at[1]) if at else len(lines), len(lines)) - 1
    for number in (stopped, *_open_before(lines, stopped)):
        for rule in RULES:
            mended = rule(lines[number])
            if mended is not None and mended.text != lines[number]:
                slip = Slip(number + 1, _key(lines[number]), mended.hint)
                lines[number] = mended.text
                return slip
    number = _last_written(lines, stopped)
    slip = Slip(number + 1, _key(lines[number]) or "TOML", plain(str(error)))
    lines[number] = ""
    return slip


def _open_before(lines: list[str], stopped: int) -> list[int]:
    """Lines above in which something was opened and not closed: the nearest statement's."""
    above = range(stopped - 1, max(stopped - 60, -1), -1)
    return [n for n in above if lines[n].strip()][:1] + [
        n for n in above if _bare(lines[n]).count("[") != _bare(lines[n]).count("]")
    ][:2]


def _last_written(lines: list[str], number: int) -> int:
    """The line itself, or the nearest above that has something in it."""
    while number > 0 and not lines[number].strip():
        number -= 1
    return number


def plain(text: str) -> str:
    """What the parser says, where it needs knowledge of its insides to be understood."""
    twice = ("Cannot overwrite a value", "Cannot declare", "Cannot mutate")
    if not text.startswith(twice):
        return text
    return f"this key or section is there twice ({text.rpartition('(')[2]}"


def _key(line: str) -> str:
    found = re.match(r"\s*\[*\s*([\w-]+)", line)
    return found[1] if found else ""


def _bare(line: str) -> str:
    """Without its comment and what stands in quotes."""
    return re.sub(r"\"[^\"]*\"|'[^']*'", '""', line).split("#")[0]


def _split(line: str) -> tuple[str, str, str] | None:
    """Key with its sign, value, comment: of a line that is a statement."""
    found = re.match(r"^(\s*[\w.-]+\s*=\s*)(.*?)(\s*(?:#.*)?)$", line)
    return (found[1], found[2], found[3]) if found else None


def remedy(expected: str, value: object) -> str:
    """What to write instead of a value of the wrong kind, where that can be told."""
    if isinstance(value, str) and "number" in expected:
        found = re.fullmatch(rf"\s*({NUMBER})\s*[A-Za-zµ°%/]*\s*", value)
        return f": write {found[1].replace(',', '.')} without quotes" if found else ""
    if isinstance(value, str) and "true or false" in expected:
        word = value.strip().lower()
        right = "true" if word in TRUE else "false" if word in FALSE else "true or false"
        return f": write {right}, without quotes"
    if isinstance(value, float) and "whole number" in expected:
        return f", {value:g}"
    if isinstance(value, bool | int | float) and "text in quotes" in expected:
        return f': write "{str(value).lower()}"'
    return ""


# -- rules: a line as it would be right, or None ---------------------------------------------------


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
    mended = "".join(CURLY.get(one, one) for one in line)
    return Mended(mended, 'typographic quotes: write the straight ones, "…"')


def strange_blanks(line: str) -> Mended | None:
    """Blanks that only look like one: copied from a web page."""
    mended = "".join(BLANKS.get(one, one) for one in line)
    return Mended(mended, "a blank that is none (copied from a web page?): type it anew")


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
    number = found[1].replace(",", ".")
    mended = line[: found.start(1)] + number + line[found.end() :]
    return Mended(mended, f"write the number alone: {number} (its unit is in the key's name)")


def leading_zero(line: str) -> Mended | None:
    """interval_s = 060."""
    found = re.search(r"=\s*([+-]?)0+(\d+)(?=\s*(?:[},#]|$))", line)
    if found is None:
        return None
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
    if parts is None or not re.match(r"[A-Za-zÄÖÜäöüß/]", parts[1]) or parts[1] in ("inf", "nan"):
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
    bare = _bare(line)
    if re.match(r"^\s*\[\[?\s*[\w.-]+\s*\]?\s*$", bare):  # a section
        name = re.sub(r"[\[\]\s]", "", bare)
        double = name in LISTS or bare.strip().startswith("[[")
        right = f"[[{name}]]" if double else f"[{name}]"
        return Mended(right, f"a bracket is missing: write {right}")
    for opened, closed in ("{}", "[]"):
        if bare.count(opened) > bare.count(closed) and "=" in bare:
            body, sign, comment = line.partition(" #")
            missing = closed * (bare.count(opened) - bare.count(closed))
            return Mended(
                f"{body.rstrip().rstrip(',')} {missing}{sign}{comment}", f"a {closed} is missing"
            )
        if bare.count(closed) > bare.count(opened):
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
    no_sign,
    open_bracket,
)
