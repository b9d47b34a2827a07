"""What to write instead of a value of the wrong kind."""

from __future__ import annotations

import re

TRUE = ("true", "yes", "on", "ja", "an", "ein", "wahr")
FALSE = ("false", "no", "off", "nein", "aus", "falsch")
NUMBER = r"[+-]?\d+(?:[.,]\d+)?"
FACTORS = {
    **dict.fromkeys((("s", one) for one in ("min", "minute", "minutes", "minuten")), 60),
    **dict.fromkeys(
        (("s", one) for one in ("h", "hour", "hours", "std", "stunde", "stunden")), 3600
    ),
    **{("s", "ms"): 0.001, ("mb", "gb"): 1000, ("mb", "kb"): 0.001, ("hz", "khz"): 1000},
    **{("mm", "cm"): 10, ("mm", "m"): 1000, ("m", "cm"): 0.01, ("m", "mm"): 0.001},
}  #: what a key's name ends with, what was written -> times so much


def amount(key: str, number: str, unit: str) -> str:
    """A number with a point, in the unit that its key's name says: interval_s, "5", "min" -> 300.

    As it is where the unit says nothing else.
    """
    number = number.replace(",", ".")
    factor = FACTORS.get((key.rpartition("_")[2], unit.lower()), 1)
    return number if factor == 1 else f"{float(number) * factor:g}"


def remedy(expected: str, value: object, key: str = "") -> str:
    """What to write instead of a value of the wrong kind, where that can be told."""
    if isinstance(value, str) and "number" in expected:
        if re.fullmatch(r"0x[\da-fA-F]+", value):
            return f": write {value} without quotes"
        found = re.fullmatch(rf"\s*({NUMBER})\s*([A-Za-zµ°%/]*)\s*", value)
        return f": write {amount(key, found[1], found[2])} without quotes" if found else ""
    if isinstance(value, int) and "true or false" in expected and value in (0, 1):
        return f": write {str(bool(value)).lower()}"
    if isinstance(value, str) and "a list" in expected:
        return f': write ["{value}"]'
    if isinstance(value, int | float) and "a list" in expected:
        return f": write [{value:g}]"
    if isinstance(value, str) and "true or false" in expected:
        word = value.strip().lower()
        right = "true" if word in TRUE else "false" if word in FALSE else "true or false"
        return f": write {right}, without quotes"
    if isinstance(value, float) and "whole number" in expected:
        return f", {value:g}"
    if isinstance(value, bool | int | float) and "text in quotes" in expected:
        return f': write "{str(value).lower()}"'
    return ""
