"""What a column is by its heading: which channel of a room, in which unit, converted how."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

WORDS = {  # channel -> words of a heading, and parts of German compounds (behind a *)
    "temperature": "temp temperature temperatur tmp tair airtemp *temperatur",
    "relative_humidity": "hum humidity rh relh rf feuchte feuchtigkeit *feuchte *feuchtigkeit",
    "pressure": "pres press pressure baro barometer druck luftdruck slp qfe bp *luftdruck",
    "co2": "co2 carbondioxide kohlendioxid kohlenstoffdioxid",
    "illuminance": "lux lx light licht illuminance illumination brightness helligkeit "
    "beleuchtungsstärke beleuchtungsstaerke beleuchtung lichtstärke",
    "pm1": "pm1 pm01",
    "pm2_5": "pm25",
    "pm10": "pm10",
    "loudness": "noise loudness sound lautstärke lautstaerke lärm laerm schall schallpegel "
    "spl laeq dba geräusch *lautstärke",
}
EXACT = {"p1": "pm10", "p2": "pm2_5"}  # Sensor.Community's archive
#: words with which a column is something else than the state of the air
ELSE = (
    "high low min max minimum maximum hi lo dew dewpoint taupunkt cpu chip board boden soil water "
    "wasser set setpoint soll sollwert target ziel feels gefühlt chill heat index std stdev sd "
    "deviation count trend offset calibration battery batterie status quality flag raw absolute "
    "absolut id outdoor outside out aussen außen draußen draussen durp1 durp2 ratiop1 ratiop2 "
    "rain regen wind solar uv color colour farbe"
)
OTHER = frozenset(ELSE.split())
UNITS = {  # channel -> unit as people write it -> factor, offset to the driver's
    "temperature": {
        "°c c cel celsius degc grad °": (1.0, 0.0),
        "°f f fahrenheit degf": (5 / 9, -160 / 9),
        "k kelvin": (1.0, -273.15),
        "cc": (0.01, 0.0),
    },
    "relative_humidity": {
        "% %rh %rf %rh. rh pct percent prozent %r.h. %r.f. % rf": (1.0, 0.0),
        "permille ‰": (0.1, 0.0),
    },
    "pressure": {
        "pa pascal": (1.0, 0.0),
        "hpa mbar mb millibar": (100.0, 0.0),
        "kpa": (1000.0, 0.0),
        "bar": (100_000.0, 0.0),
        "mmhg torr": (133.322387415, 0.0),
        "inhg": (3386.389, 0.0),
    },
    "co2": {"ppm [ppm] ppmv": (1.0, 0.0), "ppb": (0.001, 0.0), "%": (10_000.0, 0.0)},
    "illuminance": {"lx lux": (1.0, 0.0), "klx klux": (1000.0, 0.0)},
    "loudness": {"db dba db(a) dbspl": (1.0, 0.0)},
}
DUST = {
    "ug/m3 ug/m^3 ug/m ugm3 ug/cbm microg/m3": (1.0, 0.0),
    "mg/m3 mg/m^3": (1000.0, 0.0),
    "ng/m3": (0.001, 0.0),
}
UNITS |= {"pm1": DUST, "pm2_5": DUST, "pm10": DUST}
SHOWN = {
    "temperature": "°C",
    "relative_humidity": "%",
    "pressure": "Pa",
    "co2": "ppm",
    "illuminance": "lx",
    "loudness": "dB",
}
IN_BRACKETS = re.compile(r"[\[(]([^\])]*)[\])]|/\s*([^/\s]+/?\S*)\s*\Z|\bin\s+(\S+)\s*\Z")
WORD = re.compile(r"[^\W_]+", re.U)


@dataclass(frozen=True, slots=True)
class Heading:
    """What was understood of one heading."""

    quantity: str = ""  #: the channel without its place; empty: not understood
    unit: str = ""  #: as written, empty if none is
    exact: bool = False  #: the words say nothing else


def understood(text: str) -> Heading:
    """The quantity and the unit a heading names."""
    clean = normal(text)
    bracket = IN_BRACKETS.search(clean)
    unit = next((one.strip() for one in bracket.groups() if one), "") if bracket else ""
    rest = clean.replace(bracket[0], " ") if bracket and unit else clean
    if clean in EXACT:
        return Heading(EXACT[clean], unit, True)
    words = [re.sub(r"(?<=[a-zäöü]{3})\d+\Z", "", one) for one in WORD.findall(rest)]
    found = next((one for word in words if (one := quantity_of(word))), "")
    if not found or OTHER.intersection(words):
        return Heading("", unit)
    last = re.split(r"[\s_]+", rest.strip())[-1]
    if not unit and len(words) > 1 and conversion(found, last) is not None:
        if quantity_of(last) != found or last in ("lux", "lx"):
            unit, words = last, words[:-1]
    elif not unit and (last := re.sub(r".*\d|[\w.]*\s", "", rest.strip())) in ("%", "°c", "°f"):
        unit = last
    return Heading(found, unit, len(words) == 1)


def normal(text: str) -> str:
    """Lower case, one spelling of each sign; dust by size is one word."""
    text = re.sub(r"(?<=[a-zäöü]{3})(?=[A-Z][a-z])", "_", text.strip())
    text = text.lower().replace("₂", "2").replace("³", "3").replace("²", "2").replace("º", "°")
    text = text.replace("µ", "u").replace("μ", "u").replace("℃", "°c").replace("℉", "°f")
    text = re.sub(r"\bcarbon[ _-]dioxide", "co2", text)
    text = re.sub(r"pm[ _-]?2[.,_p]?5(?!\d)", "pm25", text)
    text = re.sub(r"feinstaub[ _-]*2[.,]5", "pm25", re.sub(r"feinstaub[ _-]*10\b", "pm10", text))
    text = re.sub(r"pm[ _-]?1(?:[.,_]0)(?!\d)", "pm1", text)
    return re.sub(r"pm[ _-](?=10?\b)", "pm", text)


def quantity_of(word: str) -> str:
    """The quantity a word names, empty if none."""
    for quantity, known in WORDS.items():
        for one in known.split():
            if word == one or (one[0] == "*" and word.endswith(one[1:])):
                return quantity
    return ""


@lru_cache(maxsize=1024)
def conversion(quantity: str, unit: str) -> tuple[float, float] | None:
    """Factor and offset from a unit to the driver's; None for one that is not of this quantity."""
    if not unit:
        return 1.0, 0.0
    wanted = normal(unit).replace(" ", "")
    for names, found in UNITS.get(quantity, {}).items():
        if wanted in names.split():
            return found
    return None


def is_unit(text: str) -> bool:
    """Whether a cell is nothing but a unit, as in a line below the headings."""
    return any(text.strip() and conversion(one, text.strip()) is not None for one in UNITS)


def by_size(quantity: str, values: Sequence[float]) -> str:
    """The unit that such values without one can only have; empty for the driver's own."""
    middle = sorted(values)[len(values) // 2] if values else 0.0
    if quantity == "pressure":
        sizes = ((0.85, 1.1, "bar"), (24, 32, "inHg"), (60, 115, "kPa"), (300, 1100, "hPa"))
        return next((unit for low, high, unit in sizes if low <= middle <= high), "")
    return ""
