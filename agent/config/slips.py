"""What people write first instead of TOML: told in words, with the line as it would be right."""

from __future__ import annotations

import re
import tomllib
from typing import NamedTuple

from agent.config.slip_rules import RULES, bare, brackets, uncommented

LONGEST = 60  #: lines that belong together at most
MOST = 40  #: slips of one file that are told


class Slip(NamedTuple):
    """One line that is no TOML."""

    line: int  #: from 1
    key: str
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
    slips += one_line(lines)
    while len(slips) < MOST:
        try:
            tomllib.loads("\n".join(lines))
        except tomllib.TOMLDecodeError as error:
            slips.append(_one(lines, error))
        else:
            break
    return "\n".join(lines), slips


def one_line(lines: list[str]) -> list[Slip]:
    """Join every { } that goes over several lines; what stands between stays empty."""
    slips = []
    for number, line in enumerate(lines):
        if not _unclosed(line):
            continue
        last, text = number, line
        while last + 1 < min(number + LONGEST, len(lines)) and _unclosed(text):
            last += 1
            text = f"{uncommented(text)} {lines[last].strip()}"
        over_a_section = any(
            re.match(r"\s*\[\[?\s*[A-Za-z]", one) for one in lines[number + 1 : last]
        )
        if last == number or _unclosed(text) or over_a_section:
            continue
        lines[number : last + 1] = [re.sub(r",\s*\}", " }", text), *[""] * (last - number)]
        hint = "what stands in { } has to be on one line, without a comma before the }"
        slips.append(Slip(number + 1, _key(line), hint))
    return slips


def _unclosed(text: str) -> bool:
    told = bare(text)
    return told.count("{") > told.count("}")


def foreign(text: str) -> str:
    """What a file is that is no TOML at all; empty if it may be."""
    if text.lstrip().startswith("{"):
        return "JSON"
    keys, rows = re.search(r"^\w+:\s*$", text, re.M), re.search(r"^\s*- \w+:", text, re.M)
    return "YAML" if keys and rows else ""


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
    nearest, opened, depth = list[int](), list[int](), 0
    for number in range(stopped - 1, max(stopped - LONGEST, -1), -1):
        told = bare(lines[number])
        here = told.count("[") - told.count("]")
        depth += here
        nearest += [number] if lines[number].strip() and not nearest else []
        opened += [number] if here and depth > 0 else []
    return [*nearest, *opened[:2]]


def _last_written(lines: list[str], number: int) -> int:
    """The line itself, or the nearest above that has something in it."""
    while number > 0 and not lines[number].strip():
        number -= 1
    return number


def plain(text: str) -> str:
    """What the parser says, where it needs knowledge of its insides to be understood."""
    twice = ("Cannot overwrite a value", "Cannot declare", "Cannot mutate")
    if text.startswith(twice):
        return "this key or section is there twice"
    return re.sub(r" \(at (?:line \d+, column \d+|end of document)\)", "", text)


def _key(line: str) -> str:
    found = re.match(r"\s*\[*\s*([\w-]+)", line)
    return found[1] if found else ""
