"""Numbers and times as a spreadsheet reads and people type them, international or German."""

from __future__ import annotations

import re
import time
from calendar import monthrange
from datetime import datetime

import click

GERMAN = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})(?:[ ,T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
FORM = "expected a date such as 2026-01-12, 12.01.2026 or 2026-01-12T07:30"
GERMAN_ZONES = {"CET": "MEZ", "CEST": "MESZ"}


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """A date, or date and time, as typed; local time unless it has a zone of its own."""

    name = "date"

    def __init__(self, last: bool = False) -> None:
        self.fold = int(last)  # of an hour that comes twice: the first, at an end the second

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """A datetime; what the calendar does not have is said in words."""
        if isinstance(value, datetime):
            return value
        found = GERMAN.fullmatch(value.strip())
        day, month, year = found.groups()[:3] if found else (None,) * 3
        if found is None and (found := ISO.fullmatch(value.strip())):
            year, month, day = found.groups()[:3]
        if found is None or day is None or month is None or year is None:
            return self._zoned(value, param, ctx)
        hour, minute, second = (int(one or 0) for one in found.groups()[3:])
        if trouble := impossible(int(year), int(month), int(day), (hour, minute, second)):
            self.fail(f"'{value}': {trouble}", param, ctx)
        return datetime(int(year), int(month), int(day), hour, minute, second, fold=self.fold)

    def _zoned(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            self.fail(f"'{value}': {FORM}", param, ctx)


def impossible(year: int, month: int, day: int, clock: tuple[int, int, int]) -> str:
    """What of a date the calendar does not have; empty if it has it."""
    if not 1 <= month <= 12:
        return f"there is no month {month}"
    if year < 1:
        return f"there is no year {year}"
    days = monthrange(year, month)[1]
    if not 1 <= day <= days:
        return f"the month {month:02}.{year} has {days} days"
    hour, minute, second = clock
    if hour > 23 or minute > 59 or second > 59:
        return f"there is no time {hour}:{minute:02}:{second:02}"
    return ""


def number(value: float, german: bool) -> str:
    """As a spreadsheet of that language reads it."""
    text = f"{value:.10g}"
    return text.replace(".", ",") if german else text


def moment(start: int | None, german: bool) -> str:
    """ISO 8601 in UTC, or local time as German Excel reads it."""
    if start is None:
        return ""
    if german:
        return time.strftime("%d.%m.%Y %H:%M:%S", time.localtime(start))
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start))


def zone(start: int | None) -> str:
    """Winter or summer time of a local time: MEZ, MESZ; elsewhere hours and minutes from UTC."""
    if start is None:
        return ""
    local = time.localtime(start)
    if local.tm_zone in GERMAN_ZONES:
        return GERMAN_ZONES[local.tm_zone]
    sign, minutes = "-" if local.tm_gmtoff < 0 else "+", abs(local.tm_gmtoff) // 60
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"
