"""What is wrong with a profile's shape, in words for people, with the nearest key there is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from agent.config.remedies import remedy
from agent.config.sections import (
    TAGGED,
    AlarmConfig,
    Calibration,
    ColumnConfig,
    Config,
    InstrumentConfig,
    LoadConfig,
    ModeConfig,
    MqttConfig,
    NodeConfig,
    RecordsConfig,
    SimulateConfig,
    StoreConfig,
    TableConfig,
    WindowConfig,
)
from agent.config.source import ConfigError, Source

MOST_NAMED = 12  #: of what there is to choose from
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list in [ ]",
    "object": "a section or { }",
    "null": "nothing",
    **dict.fromkeys(("datetime", "date", "time"), "a date without quotes"),
}
LIMITS = (  # of a number, as msgspec says them -> in words
    (r" of length >= 1\b", " that is not empty"),
    (r" >= (-?[\d.]+)", "of at least"),
    (r" > (-?[\d.]+)", "above"),
    (r" <= (-?[\d.]+)", "of at most"),
    (r" < (-?[\d.]+)", "below"),
)
MEANT = {  # what people write who know it by another name: the first that is allowed
    **dict.fromkeys(("knoten", "gerät", "geraet", "device"), ("node",)),
    **dict.fromkeys(("sensor", "sensoren", "messgerät", "instrumente"), ("instrument",)),
    **dict.fromkeys(("tabelle", "tabellen", "messung"), ("table",)),
    **dict.fromkeys(("verbindung", "broker", "server", "host"), ("link", "url")),
    **dict.fromkeys(("speicher", "datenbank", "database"), ("store",)),
    **dict.fromkeys(("ausloeser", "auslöser"), ("trigger",)),
    **dict.fromkeys(("treiber", "chip", "type", "typ", "art"), ("driver", "kind", "what")),
    **{"adresse": ("address",), "kalibrierung": ("calibrate",), "eingänge": ("inputs",)},
    **{"spalten": ("columns",), "spalte": ("column",), "intervall": ("interval_s",)},
    **dict.fromkeys(("source", "quelle", "von"), ("from",)),
    **{"schritt": ("step",), "auflösung": ("step",), "achse": ("axis",)},
    **dict.fromkeys(("über", "ueber", "oberhalb", "max"), ("above",)),
    **dict.fromkeys(("unter", "unterhalb", "min"), ("below",)),
    **dict.fromkeys(("temp", "temperatur"), ("temperature",)),
    **dict.fromkeys(("hum", "humidity", "feuchte", "luftfeuchte"), ("relative_humidity", "hum")),
    **dict.fromkeys(("druck", "luftdruck"), ("pressure", "pres")),
    **dict.fromkeys(("licht", "helligkeit", "lux"), ("illuminance", "lux")),
    **{"abstand": ("distance",), "dehnung": ("strain",), "riss": ("crack_width", "crack")},
    **dict.fromkeys(("brücke", "bruecke"), ("bridge",)),
    **{"viertel": ("quarter",), "halb": ("half",), "voll": ("full",)},
    **dict.fromkeys(("password", "passwort"), ("password_file",)),
    **dict.fromkeys(("username", "benutzer"), ("user",)),
}
SOME_SECTION = {
    key
    for section in (NodeConfig, InstrumentConfig, TableConfig, StoreConfig, AlarmConfig, MqttConfig)
    for key in section.__struct_encode_fields__
}  #: keys that sections have; what stands above the first of them has none
LONELY = "stands above all sections: move it into the one it belongs to, such as [node]"
HINTS = {  # what a pattern means, for people
    "[a-z0-9]([a-z0-9-]": "1 to 32 of a-z 0-9 -, such as 'ghs-raum-a'",
    "[A-Za-z_]": "a letter, then letters, digits, - or _, such as 'air'",
    r"[^.]+\\.[^.]+": "two names with a dot between, such as 'air.temperature'",
    "mqtts?": "mqtt://host, mqtts://host or mqtts://host:port, wss://host/path",
    r"[^#+\\x00": "a topic without # and +, such as 'city/{node}/{kind}'",
    "(http://": "http://host:port",
}


def explain(error: msgspec.ValidationError, raw: Mapping[str, Any], source: Source) -> ConfigError:
    """Turn msgspec's sentence and path into file, line, key, expectation, nearest key."""
    text, _, path = str(error).partition(" - at ")
    where = path.strip("`").removeprefix("$").removeprefix(".").replace("[...]", "")
    if unknown := re.search(r"unknown field `([^`]*)`", text):
        nearest = near(unknown[1], _keys_at(where, raw))
        if not where and unknown[1] in SOME_SECTION and "did you mean" not in nearest:
            return source.error(where, unknown[1], LONELY)
        return source.error(where, unknown[1], f"unknown key{nearest}")
    if missing := re.search(r"missing required field `([^`]*)`", text):
        return _missing(where, missing[1], raw, source)
    section, _, key = where.rpartition(".")
    if key.endswith("]") and not section:
        section, key = where, ""
    if "Expected `array`, got `object`" in text and not section:
        hint = f"is a list: write it with two brackets, [[{key}]]"
        return source.error(section, key, hint)
    hint = in_words(text)
    hint += remedy(hint, _at(section, raw).get(key), key)
    if "matching regex" in text:
        hint = next((f"expected {words}" for part, words in HINTS.items() if part in text), hint)
    tagged = TAGGED.get(_part(section)[0])
    if "Invalid value" in text and tagged and key == tagged[0]:
        hint += choice(tagged[2], text)
    if "Invalid enum value" in text:
        hint += one_of(get_type_hints(_class_at(section, raw)).get(key), text)
    return source.error(section, key, hint)


def _missing(where: str, key: str, raw: Mapping[str, Any], source: Source) -> ConfigError:
    """A key that is not there; perhaps it is, with a slip in it."""
    present = set(_at(where, raw)) - set(_keys_at(where, raw))
    slip = misspelt(key, present)
    if slip:
        return source.error(where, slip, f"unknown key; did you mean '{key}'?")
    tagged = TAGGED.get(_part(where)[0])
    which = choice(tagged[2]) if tagged and key == tagged[0] else ""
    return source.error(where, key, f"is missing{which}")


def _at(where: str, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The section at a path, with what of an instrument goes to its driver."""
    here: Any = raw
    for name, index in re.findall(r"([\w-]+)(?:\[(\d+)\])?", where):
        here = here.get(name, {}) if isinstance(here, dict) else {}
        here = here[int(index)] if index and isinstance(here, list) else here
    return {**here, **here.get("options", {})} if isinstance(here, dict) else {}


def misspelt(key: str, present: Iterable[str]) -> str:
    """Which of the keys that are there was to be `key`; empty if none is like it."""
    meant = [one for one in sorted(present) if key in MEANT.get(one.lower(), ())]
    alike = difflib.get_close_matches(key, sorted(present), n=1, cutoff=0.7)
    return next(iter([*meant, *alike]), "")


def in_words(text: str) -> str:
    """What msgspec says, for people who know no Python: ``Expected `int | null`, got `str` ``."""

    def named(found: re.Match[str]) -> str:
        return " or ".join(TYPES[one] for one in found[1].split(" | ") if one != "null")

    kinds = "|".join(TYPES)
    text = re.sub(rf"`((?:(?:{kinds})(?: \| )?)+)`", named, text)
    for pattern, words in LIMITS:
        text = re.sub(pattern, partial(_limit, words), text)
    text = re.sub(r"Invalid (?:enum )?value ", "is ", text)
    return text.replace("Expected", "expected").replace("Object", "it")


def _limit(words: str, found: re.Match[str]) -> str:
    return f" {words} {float(found[1]):g}" if found.groups() else words


def _part(where: str) -> tuple[str, int]:
    """The last section of a path and its index: "simulate.defects[1]" -> ("defects", 1)."""
    section, index = (re.findall(r"([\w-]+)(?:\[(\d+)\])?", where) or [("", "")])[-1]
    return section, int(index or 0)


def one_of(kind: Any, text: str = "") -> str:
    """`: expected one of …` for a Literal, else nothing; `text` quotes what is there."""
    return choice(get_args(kind), text) if get_origin(kind) is Literal else ""


def choice(known: Iterable[object], text: str = "") -> str:
    """`: expected one of …`, with the nearest to what `text` quotes."""
    words = [str(one) for one in sorted(known, key=lambda one: (isinstance(one, str), one))]
    quoted = re.search(r"'([^']*)'", text)
    nearest = near(quoted[1], words) if quoted else ""
    likely = nearest if nearest.startswith("; did you mean") else ""
    return f": expected one of {', '.join(words)}{likely}"


def _keys_at(where: str, raw: Mapping[str, Any]) -> Iterable[str]:
    """The keys that are allowed in a section."""
    tagged = TAGGED.get(_part(where)[0])
    return [*([tagged[0]] if tagged else []), *_class_at(where, raw).__struct_encode_fields__]


def _class_at(where: str, raw: Mapping[str, Any]) -> type[Struct]:
    """What a section becomes."""
    section, index = _part(where)
    if section in TAGGED:
        tag, common, by_kind = TAGGED[section]
        holder = raw["simulate"] if section == "defects" else raw
        return by_kind.get(holder[section][index].get(tag, ""), common)
    kinds: dict[str, type[Struct]] = {
        "": Config,
        "node": NodeConfig,
        "store": StoreConfig,
        "table": TableConfig,
        "columns": ColumnConfig,
        "alarm": AlarmConfig,
        "calibrate": Calibration,
        "window": WindowConfig,
        "records": RecordsConfig,
        "simulate": SimulateConfig,
        "modes": ModeConfig,
        "loads": LoadConfig,
    }
    return kinds.get(section, Calibration)


def near(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or what there is to choose from."""
    known = sorted(known)
    meant = [one for one in MEANT.get(word.lower(), ()) if one in known]
    without_unit = [one for one in known if one.rpartition("_")[0] == word]
    small = {one.lower(): one for one in known}
    alike = difflib.get_close_matches(word.lower(), small, n=1, cutoff=0.61)
    close = meant or without_unit or [small[one] for one in alike]
    if close:
        return f"; did you mean '{close[0]}'?"
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    return f"; known here: {', '.join(known[:MOST_NAMED])}{more}" if known else ""
