"""Cells as people and programs write them: numbers with units, commas and words for missing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

WORDS = (
    "|nan|na|n/a|n.a.|#n/a|#na|#nv|#n/v|#value!|#wert!|#div/0!|null|none|nil|unavailable|unknown|"
    "undef|undefined|missing|-|--|---|----|.|..|?|k.a.|k. a.|keine|leer|inf|+inf|-inf|infinity|"
    "-infinity|+infinity|1.#inf|1.#qnan|-nan|+nan|err|error|fehler|---.-|--.-|\\n|void|invalid|"
    "ungültig|nicht verfügbar|unbekannt|offline|\u2013|\u2014|\u2212|***|*"
)
MISSING = frozenset(WORDS.split("|"))
NUMBER = re.compile(
    r"\s*([-+]?(?:\d[\d., '\u00a0\u2009\u202f\u2019]*|[.,]\d+)(?:[eE][-+]?\d+)?)\s*(\D.*)?\Z", re.S
)
COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?\s*(?:[^\d.,].*)?")
POINT = re.compile(r"[-+]?\d+\.\d+(?:[eE][-+]?\d+)?\s*(?:[^\d.,].*)?")
GROUPS = re.compile(r"[-+]?\d{1,3}(?:[,.]\d{3})+")
SPACES = str.maketrans("", "", " '\u00a0\u2009\u202f\u2019")


def is_missing(text: str) -> bool:
    """Whether a cell says that nothing was measured."""
    return text.strip().lower() in MISSING


def comma_decides(cells: Iterable[str]) -> bool:
    """Whether the comma is the decimal sign of these cells."""
    cells = list(cells)
    commas = sum(bool(COMMA.fullmatch(one.strip())) for one in cells)
    return commas > sum(bool(POINT.fullmatch(one.strip())) for one in cells)


def number(text: str, comma: bool) -> tuple[float, str] | None:
    """The number and the unit behind it; NaN for missing; None for what is no number at all."""
    try:
        value = float(text.replace(",", ".") if comma and "." not in text else text)
        return (value if math.isfinite(value) and "_" not in text else math.nan), ""
    except ValueError:
        pass
    if is_missing(text):
        return math.nan, ""
    found = NUMBER.match(text.replace("\u2212", "-"))
    if found is None:
        return None
    digits, unit = found[1].translate(SPACES).rstrip(".,"), (found[2] or "").strip()
    try:
        value = float(plain(digits, comma))
    except ValueError:
        return None
    return (value if math.isfinite(value) else math.nan), unit


def plain(digits: str, comma: bool) -> str:
    """With a decimal point and without groups of thousands."""
    own, other = (",", ".") if comma else (".", ",")
    if own in digits and other in digits:  # the last one is the decimal sign
        own, other = (own, other) if digits.rfind(own) > digits.rfind(other) else (other, own)
        return digits.replace(other, "").replace(own, ".")
    if other in digits:
        return digits.replace(other, "" if GROUPS.fullmatch(digits) else ".")
    groups = digits.count(own) > 1 and GROUPS.fullmatch(digits)
    return digits.replace(own, "" if groups else ".")
