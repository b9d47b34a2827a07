"""Numbers and times as a spreadsheet reads them, international or German."""

from __future__ import annotations

import time


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
