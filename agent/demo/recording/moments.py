"""Times as people and programs write them, to unix seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.demo.recording.cells import is_missing

EARLIEST, LATEST = 315_532_800.0, 4_102_444_800.0  #: 1980 to 2100: what lies outside is no date
#: of numbers: from where on they are seconds, ms, us, ns since 1970
UNIX = ((1e8, 1.0), (1e11, 1e3), (1e14, 1e6), (1e17, 1e9))
EXCEL_DAYS, EXCEL_ZERO = (20_000.0, 80_000.0), datetime(1899, 12, 30)
ZONES = {  # hours
    "z": 0, "utc": 0, "gmt": 0, "mez": 1, "cet": 1, "mesz": 2, "cest": 2, "wez": 0, "wet": 0,
    "wesz": 1, "west": 1, "oez": 2, "eet": 2, "oesz": 3, "eest": 3, "bst": 1, "est": -5,
    "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s*([ap]\.?m\.?)?(?:\s*uhr)?"
DATE = r"(\d{1,4})\s*([./-])\s*(\d{1,2})\s*\2\s*(\d{1,4})\.?"
BOTH = re.compile(
    rf"(?:[a-zäöü]{{2,9}}\.?,?\s+)?{DATE}(?:(?:\s*[,;t]\s*|\s+){CLOCK})?\s*(\S.*)?", re.I
)
ONLY_CLOCK = re.compile(rf"{CLOCK}\s*\Z", re.I)
ONLY_DATE = re.compile(rf"{DATE}\s*\Z")
OFFSET = re.compile(r"(?:utc|gmt)?\s*([-+])(\d{1,2}):?(\d{2})?\Z")

Parser = Callable[[str], "datetime | float | None"]  #: naive = local; a float is unix seconds


def iso(text: str) -> datetime | None:
    """ISO 8601 and RFC 3339."""
    try:
        return datetime.fromisoformat(text) if "-" in text or "T" in text else None
    except ValueError:
        return None


def written(day_first: bool) -> Parser:
    """Dates with points, slashes or dashes, with or without a time and a zone behind it."""

    def parse(text: str) -> datetime | None:
        found = BOTH.fullmatch(text.replace("\u2212", "-"))
        if found is None:
            return None
        first, sign, second, third, hour, minute, whole, part, half, zone = found.groups()
        if len(first) > 2:
            year, month, day = int(first), int(second), int(third)
        else:
            day, month = (int(first), int(second)) if day_first or sign == "." else (
                int(second), int(first))  # fmt: skip
            year = int(third) + (2000 if len(third) <= 2 else 0)
        hours = int(hour or 0) % 12 + 12 * (half[0] in "pP") if half else int(hour or 0)
        micro = int(((part or "") + "000000")[:6])
        try:
            made = datetime(year, month, day, minute=int(minute or 0), second=int(whole or 0),
                            microsecond=micro) + timedelta(hours=hours)  # fmt: skip
        except (ValueError, OverflowError):
            return None
        offset = zone_of(zone) if zone else None
        return None if zone and offset is None else made.replace(tzinfo=offset)

    return parse


def numeric(text: str) -> datetime | float | None:
    """Seconds, ms, us or ns since 1970; days as Excel counts them."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    if EXCEL_DAYS[0] <= value <= EXCEL_DAYS[1]:
        return EXCEL_ZERO + timedelta(seconds=round(value * 86_400, 3))
    for least, per_second in reversed(UNIX):
        if value >= least:
            return value / per_second
    return None


def elapsed(text: str) -> float | None:
    """Seconds since a beginning that is not known."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if 0 <= value < UNIX[0][0] else None


def anything(text: str) -> datetime | None:
    """What python-dateutil reads, of the demo extra. Raises ImportError without it."""
    from dateutil import parser  # an optional library

    try:
        made: datetime = parser.parse(text)
    except (ValueError, OverflowError):
        return None
    return made


def zone_of(text: str) -> tzinfo | None:
    """The zone a name or an offset stands for, None if it is none."""
    clean = text.strip().lower().removeprefix("(").removesuffix(")")
    if clean in ZONES:
        return timezone(timedelta(hours=ZONES[clean]))
    found = OFFSET.match(clean.split(" ")[0] if clean[:1] in "+-" else clean)
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))


def share(parse: Parser, cells: Sequence[str]) -> float:
    """Which part of the cells that say something it reads."""
    telling = [one for one in cells if not is_missing(one)]
    return sum(parse(one) is not None for one in telling) / len(telling) if telling else 0.0


def parser_of(cells: Sequence[str], named: bool, comma: bool) -> tuple[Parser, str] | None:
    """How the times of a column are read, and that in words; None if they are none.

    `named`: its heading says that it is a time, so numbers may be one; `comma`: the file has
    decimal commas, so its dates begin with the day. Raises ImportError where only
    python-dateutil could tell.
    """
    cells = [one.strip() for one in cells]
    first, words = day_first(cells, comma)
    for parse, name in ((iso, "ISO 8601"), (written(first), words)):
        if share(parse, cells) >= 0.6:
            return (parse if parse is not iso else both(iso, written(first))), name
    if not named:
        return None
    for parse, name in ((numeric, "numbers since 1970"), (elapsed, "seconds from the first on")):
        if share(parse, cells) >= 0.6:
            return parse, name
    telling = [one for one in cells if not is_missing(one) and re.search(r"\d", one)]
    if telling and any(re.search(r"[a-z]{3}", one, re.I) for one in telling):
        return (anything, "words") if share(anything, telling) >= 0.6 else None
    return None


def both(first: Parser, second: Parser) -> Parser:
    """The first that reads it."""

    def parse(text: str) -> datetime | float | None:
        found = first(text)
        return second(text) if found is None else found

    return parse


def day_first(cells: Sequence[str], comma: bool) -> tuple[bool, str]:
    """Whether dates begin with the day, and that in words."""
    pairs = [(int(m[1]), int(m[3]), m[2]) for one in cells if (m := re.match(DATE, one))]
    pairs = [one for one in pairs if one[0] < 100]
    if any(one[2] == "." for one in pairs) or any(one[0] > 12 for one in pairs):
        return True, "day.month.year"
    if any(one[1] > 12 for one in pairs):
        return False, "month/day/year"
    half = any(re.search(r"[ap]\.?m\.?", one, re.I) for one in cells)
    return (True, "day/month/year") if comma or not half else (False, "month/day/year")


def clock_of(text: str) -> timedelta | None:
    """A time of day."""
    found = ONLY_CLOCK.match(text.strip())
    if found is None:
        return None
    hour, minute, second, part, half = found.groups()
    hours = int(hour) % 12 + 12 * (half[0] in "pP") if half else int(hour)
    fraction = float(f"0.{part}") if part else 0.0
    return timedelta(hours=hours, minutes=int(minute), seconds=int(second or 0) + fraction)


class Local:
    """Local times to unix seconds; the hour that comes twice by what came before."""

    def __init__(self, zone: tzinfo | None, name: str, falling: bool = False) -> None:
        self.zone, self.name, self.falling = zone, name, falling
        self.used = False  #: whether a time had no zone of its own
        self.twice = 0  #: times that were put into the second of two hours
        self._before: dict[str, float] = {}  # by track
        self._offsets: dict[tuple[int, int, int, int, int], tuple[float, float]] = {}

    def unix(self, moment: datetime | float, of: str = "") -> float:
        """Unix seconds. `of`: whose time, to compare it with the one before."""
        if isinstance(moment, float):
            return moment
        if moment.tzinfo is not None:
            return moment.timestamp()
        self.used = True
        key = (moment.year, moment.month, moment.day, moment.hour, moment.minute // 15)
        if key not in self._offsets:
            if len(self._offsets) > 100_000:
                self._offsets.clear()
            self._offsets[key] = self._two(moment)
        summer, winter = self._offsets[key]
        utc = moment.replace(tzinfo=UTC).timestamp()
        made = utc - summer
        if winter != summer:
            before = self._before.get(of)
            later = before is None or utc - winter < before  # newest first: the second hour is
            if later if self.falling else before is not None and made <= before:
                made, self.twice = utc - winter, self.twice + 1
        self._before[of] = made
        return made

    def _two(self, moment: datetime) -> tuple[float, float]:
        """Seconds ahead of UTC, as the first and as the second of two hours; alike in a gap."""
        begin = moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)
        utc = begin.replace(tzinfo=UTC).timestamp()
        found = []
        for fold in (0, 1):
            local = begin.replace(fold=fold, tzinfo=self.zone)
            found.append(utc - local.timestamp())
        return (found[0], found[1]) if found[0] > found[1] else (found[0], found[0])


def local_zone(german: bool) -> tuple[tzinfo | None, str]:
    """The machine's zone; of German dates on a machine that keeps UTC: Germany's."""
    if (
        german
        and time.localtime(0).tm_gmtoff == 0
        and time.tzname[0] in ("UTC", "GMT", "Universal")
    ):
        try:
            return ZoneInfo("Europe/Berlin"), "Europe/Berlin"
        except ZoneInfoNotFoundError:
            pass
    return None, f"this machine's zone, {time.tzname[0]}"


BEST_FIRST = (  # headings of a time
    "_time timestamp timestamp_utc datetime date_time zeitstempel zeitpunkt time_utc utc "
    "last_changed last_updated created_at recorded_at measured_at dateutc datum_zeit "
    "datum_uhrzeit date_and_time zeit time ts unix epoch unixtime unix_time unix_timestamp "
    "messzeit messzeitpunkt when date datum tag day t uhrzeit clock t_s"
)
NAMES: Mapping[str, int] = {name: at for at, name in enumerate(BEST_FIRST.split())}


def rank(heading: str) -> int | None:
    """How well a heading names a time; None if it does not."""
    words = re.findall(r"[^\W_]+|^_(?=time)", heading.strip().lower())
    joined = "_".join(words).replace("__", "_")
    if joined.startswith("_"):
        joined = "_time"
    if joined in NAMES:
        return NAMES[joined]
    telling = {"time", "date", "zeit", "datum", "timestamp", "uhrzeit", "datetime", "zeitstempel"}
    if joined in ("start", "stop", "start_time", "stop_time", "end", "ende", "end_time"):
        return None
    ends = any(word in telling or word.endswith(("zeit", "datum")) for word in words)
    return len(NAMES) if ends else None
