"""node.toml -> frozen structs. An error names file, line, key, what was expected, nearest key."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct, field

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
Words = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]
Reference = Annotated[str, Meta(pattern=r"^[^.]+\.[^.]+$")]  #: instrument.quantity, table.column
MOST_NAMED = 12  #: of what there is to choose from
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list in [ ]",
    "object": "a section or { }",
    "null": "nothing",
}
HINTS = {  # what a pattern means, for people
    "[a-z0-9]([a-z0-9-]": "1 to 32 of a-z 0-9 -, such as 'ghs-raum-a'",
    "[A-Za-z_]": "a letter, then letters, digits, - or _, such as 'air'",
    r"[^.]+\\.[^.]+": "two names with a dot between, such as 'air.temperature'",
    "mqtts?": "mqtt://host, mqtts://host or mqtts://host:port",
}


class ConfigError(Exception):
    """The profile is wrong; `str()` is one line with file, line, key and what to do."""

    def __init__(self, path: Path, line: int, key: str, hint: str) -> None:
        super().__init__(f"{path}:{line}: {key}: {hint}" if line else f"{path}: {key}: {hint}")
        self.path, self.line, self.key, self.hint = path, line, key, hint


class _Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the profile: every key is known."""


class NodeConfig(_Part, frozen=True):
    """Who this node is."""

    name: Name  #: appears in MQTT topics and pictures
    restart_by_downlink: bool = False  #: whether downlink 7 may restart the agent
    thresholds_by_downlink: bool = True  #: whether downlink 2 may change alarm thresholds


class StoreConfig(_Part, frozen=True):
    """Where rows are kept, and how many."""

    path: Annotated[str, Meta(min_length=1)] = "/var/lib/stadtsinn/store.db"
    max_mb: Annotated[float, Meta(ge=2)] = 500
    max_days: Annotated[float, Meta(gt=0)] = 800


class Calibration(_Part, frozen=True):
    """value x gain + offset, in the quantity's unit.

    Of an axis of a window: of every sample, and so of all that is made of them.
    """

    gain: float = 1.0
    offset: float = 0.0


class WindowConfig(_Part, frozen=True):
    """What becomes of the samples of a chip with a FIFO, or of a sensor that is read fast."""

    rate_hz: Annotated[float, Meta(ge=0.1, le=100)] | None = None  #: of a sensor without a FIFO
    modes: tuple[float, ...] = ()  #: reference frequencies in Hz: f1, d1, q1, p1, f2 …
    mode_width: Annotated[float, Meta(gt=0, lt=0.5)] = 0.05  #: how far a mode may be, relative
    highest_hz: Annotated[float, Meta(gt=0)] = 15.0  #: modes are looked for up to here
    lines_hz: tuple[float, ...] = (50 / 3, 25.0, 100 / 3, 50.0)  #: machine lines, never modes
    tilt_slope: dict[str, float] = {}  #: per axis: deg/K of the sensor's own temperature
    reference_cel: float = 20.0  #: tilt reads as at this temperature
    bins: Annotated[int, Meta(ge=1, le=64)] = 16  #: of the cycle histogram
    bin_width: Annotated[float, Meta(gt=0)] = 10.0  #: unit of the samples
    gate: Annotated[float, Meta(ge=0)] = 1.0  #: smaller turns are noise, unit of the samples
    detail_category: Annotated[float, Meta(gt=0)] | None = None  #: MPa, the engineer's choice
    modulus_gpa: Annotated[float, Meta(gt=0)] = 210.0  #: um/m to MPa
    on: float = 3.0  #: a passage begins above, unit of the samples
    off: float = 1.5  #: and ends below


class InstrumentConfig(_Part, frozen=True):
    """A sensor as installed on this node."""

    name: Words
    driver: str  #: drivers.sensors.<driver>, or the dotted name of a module with DRIVER and TWIN
    bus: str = ""  #: "i2c-1", a serial device, "w1"
    inputs: dict[str, Reference] = {}
    calibrate: dict[str, Calibration] = {}
    window: WindowConfig | None = None
    options: dict[str, Any] = {}  #: every other key: goes to the driver's constructor


class ColumnConfig(_Part, frozen=True):
    """A column of a private table."""

    name: Words
    source: Reference = field(name="from")
    step: Annotated[float, Meta(gt=0)] | None = None
    nominal: int | None = None
    orders: tuple[int, int] | None = None


class TableConfig(_Part, frozen=True):
    """Columns measured together every `interval_s`."""

    name: Words
    interval_s: int
    columns: dict[str, Reference] | tuple[ColumnConfig, ...]
    schema: int | None = None


class AlarmConfig(_Part, frozen=True):
    """A threshold on a column, in the column's unit."""

    column: Reference
    above: float | None = None
    below: float | None = None
    hysteresis: Annotated[float, Meta(ge=0)] = 0.0
    hold_s: Annotated[float, Meta(ge=0)] = 0.0


class TriggerConfig(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """What every trigger on the samples of an instrument has. Units: those of its axis."""

    column: Reference  #: of the events it makes: table.column, whose step the peak is told in
    instrument: Words
    axis: str
    classes: tuple[float, ...] = ()  #: ascending peaks at which a heavier class begins
    known_peak: Annotated[float, Meta(gt=0)] | None = None  #: or: the peak of a known vehicle …
    known_t: Annotated[float, Meta(gt=0)] | None = None  #: … its weight in tonnes …
    classes_t: tuple[Annotated[float, Meta(gt=0)], ...] = ()  #: … and weights that begin a class
    longest_s: Annotated[float, Meta(ge=1, le=120)] = 120.0  #: of an event, and of its record
    rearm_s: Annotated[float, Meta(ge=0, le=600)] = 5.0  #: after an event in which none begins
    record: bool = False  #: whether the raw samples of all axes are kept
    before_s: Annotated[float, Meta(ge=0, le=60)] = 10.0  #: of the record, before the event
    after_s: Annotated[float, Meta(ge=0, le=60)] = 20.0  #: of the record, after the event


class VibrationConfig(TriggerConfig, frozen=True, kw_only=True, tag="vibration"):
    """Short over long average of the squared, band-passed samples."""

    floor: Annotated[float, Meta(gt=0)]  #: rms below which nothing begins: five times the noise
    short_s: Annotated[float, Meta(gt=0, le=10)] = 0.5
    long_s: Annotated[float, Meta(gt=0, le=300)] = 20.0
    on: Annotated[float, Meta(gt=1)] = 4.0  #: ratio of mean squares at which an event begins
    off: Annotated[float, Meta(gt=0)] = 1.5  #: and below which it ends
    band_hz: tuple[Annotated[float, Meta(gt=0)], Annotated[float, Meta(gt=0)]] = (0.5, 30.0)


class VehicleConfig(TriggerConfig, frozen=True, kw_only=True, tag="vehicle"):
    """Mean of half a second less the median of the last minute, with hysteresis."""

    on: Annotated[float, Meta(gt=0)]  #: a passage begins where the amount reaches this
    off: Annotated[float, Meta(gt=0)]  #: and ends where it falls below


class RecordsConfig(_Part, frozen=True):
    """Where raw records are kept, and how many."""

    path: str = ""  #: default: the folder "records" beside the store
    max_mb: Annotated[float, Meta(ge=1)] = 200.0


class LinkConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every way out has."""

    name: Words
    carries: tuple[str, ...] | None = None  #: tables, "events", "records"; default: everything
    body: Literal["plain", "packed"] = "plain"
    fill_s: Annotated[float, Meta(ge=0)] | None = None  #: how long a live row waits for company
    trust_wait_s: Annotated[float, Meta(ge=0)] = 600.0  #: how long undated rows wait for a clock


class MqttConfig(LinkConfig, frozen=True, kw_only=True, tag="mqtt"):
    """An MQTT broker."""

    url: Annotated[str, Meta(pattern=r"^mqtts?://([^/:@ []+|\[[\da-fA-F:.]+])(:\d+)?/?$")] = (
        "mqtt://localhost"
    )
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    client_id: str = ""  #: default: the node's name
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 60
    limit_bytes: Annotated[int, Meta(ge=51, le=262_144)] = 4096
    json: bool = False  #: also one JSON object per row on <topic>/json


class FileConfig(LinkConfig, frozen=True, kw_only=True, tag="file"):
    """Frames into a folder, one CBOR sequence (RFC 8742) per day."""

    path: Annotated[str, Meta(min_length=1)]
    limit_bytes: Annotated[int, Meta(ge=51, le=262_144)] = 4096


class LorawanConfig(LinkConfig, frozen=True, kw_only=True, tag="lorawan"):
    """A LoRaWAN modem, class A, OTAA."""

    modem: str  #: drivers.modems.<modem>
    dev_eui: str
    join_eui: str
    app_key_file: str
    port: str = "/dev/serial0"
    reset_pin: int | None = None  #: BCM number, where the modem's reset line is wired
    region: Literal["EU868"] = "EU868"
    body: Literal["plain", "packed"] = "packed"
    adr: bool = True  #: the network chooses data rate and power
    data_rate: Annotated[int, Meta(ge=0, le=5)] = 0  #: to join with: 0 = SF12 … 5 = SF7
    confirmed: bool = False  #: whether rows want an acknowledgement; alarms always do
    tries: Annotated[int, Meta(ge=1, le=8)] = 3  #: how often a confirmed frame is sent
    airtime_s_per_day: Annotated[float, Meta(ge=1, le=86_400)] = 30.0  #: fair use of the network
    duty_cycle_percent: Annotated[float, Meta(gt=0, le=100)] = 1.0  #: of an hour, by law
    limit_bytes: Annotated[int, Meta(ge=20, le=242)] = 242
    fixed_length: bool = False  #: frames always as long as they may be: length tells nothing
    overlap: bool = False  #: room left is filled with rows sent before


class DefectConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="what"):
    """What every defect of a simulated bridge has."""

    since: str = field(name="from")  #: ISO date, or date and time; UTC unless it says otherwise


class FrequencyConfig(DefectConfig, frozen=True, kw_only=True, tag="frequency"):
    """A mode lies lower, or higher."""

    mode: Annotated[int, Meta(ge=1)]
    share: Annotated[float, Meta(gt=-0.9, lt=1)]  #: of its frequency; -0.01 is one per cent lower


class CrackConfig(DefectConfig, frozen=True, kw_only=True, tag="crack"):
    """A crack opens for good."""

    mm_per_month: float
    crack: Annotated[int, Meta(ge=1)] = 1


class BearingConfig(DefectConfig, frozen=True, kw_only=True, tag="bearing"):
    """The western bearing gives way, at once, slowly or both."""

    axis: Literal["x", "y"] = "x"
    deg: float = 0.0
    deg_per_day: float = 0.0


class ModeConfig(_Part, frozen=True):
    """A natural mode of a simulated bridge."""

    frequency_hz: Annotated[float, Meta(gt=0.2, lt=40)]
    damping: Annotated[float, Meta(ge=0.002, le=0.2)] = 0.01  #: share of critical


class LoadConfig(_Part, frozen=True):
    """A heavy vehicle that stands on a simulated bridge: a load test."""

    weight_t: Annotated[float, Meta(gt=0, le=200)]
    at: str  #: ISO date and time from which it stands; UTC unless it says otherwise
    duration_s: Annotated[float, Meta(gt=0)] = 300.0
    position: Annotated[float, Meta(ge=0, le=1)] = 0.5  #: share of the span from the west
    lane: Literal[1, 2] = 2


class SimulateConfig(_Part, frozen=True):
    """What simulated chips feel where `--simulate` is given."""

    world: str = "school_day"
    seed: int = 1
    feeds: dict[Reference, str] = {}  #: instrument.truth -> channel; instrument.motion -> place
    rate_error: dict[Words, Annotated[float, Meta(ge=-0.1, le=0.1)]] = {}  #: by instrument, share
    defects: tuple[FrequencyConfig | CrackConfig | BearingConfig, ...] = ()  #: of a bridge
    modes: tuple[ModeConfig, ...] = ()  #: of a bridge; default: four from 2.5 to 11 Hz
    loads: tuple[LoadConfig, ...] = ()  #: on a bridge


class Config(_Part, frozen=True):
    """A whole profile."""

    node: NodeConfig
    instrument: tuple[InstrumentConfig, ...]
    table: Annotated[tuple[TableConfig, ...], Meta(min_length=1)]
    store: StoreConfig = StoreConfig()
    alarm: tuple[AlarmConfig, ...] = ()
    link: tuple[MqttConfig | FileConfig | LorawanConfig, ...] = ()
    trigger: tuple[VibrationConfig | VehicleConfig, ...] = ()
    records: RecordsConfig = RecordsConfig()
    simulate: SimulateConfig = SimulateConfig()


class Source:
    """The text of a profile, to find the line of a key again."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.lines = path, text.splitlines()

    def error(self, where: str, key: str, hint: str) -> ConfigError:
        """A ConfigError at `key` of section `where`, e.g. ("table[1]", "interval_s")."""
        label = f"{where}.{key}" if where and key else where or key
        return ConfigError(self.path, self.line(where, key), label, hint)

    def line(self, where: str, key: str) -> int:
        """The line (from 1) of `key` inside `where`; the section's own if the key has none; else 0.

        Walks down part by part, each search starting where the one before ended.
        """
        first, last, line = 0, len(self.lines), 0
        for section, index in re.findall(r"([\w-]+)(?:\[(\d+)\])?", where):
            heads = self._heads(section, first, last)
            if not heads:
                continue
            chosen = min(int(index or 0), len(heads) - 1)
            first = heads[chosen]
            line = first + 1
            last = self._end(first) if self.lines[first].lstrip().startswith("[") else last
        found = self._heads(key, first, last) if key else []
        return found[0] + 1 if found else line

    def _heads(self, word: str, first: int, last: int) -> list[int]:
        """Where `word` is a section's head or a key between two lines."""
        key = re.escape(word)
        head = re.compile(rf"^\s*\[+\s*{key}\s*\]+|^\s*{key}\s*[=.]|[{{,]\s*\"?{key}\"?\s*=")
        return [number for number in range(first, last) if head.search(self._bare(number))]

    def _end(self, first: int) -> int:
        """The line after the last of the section that begins at `first`."""
        rest = range(first + 1, len(self.lines))
        return next((n for n in rest if re.match(r"^\s*\[+\s*\w", self.lines[n])), len(self.lines))

    def _bare(self, number: int) -> str:
        return self.lines[number].split("#")[0]


def load(path: Path) -> tuple[Config, Source]:
    """Read and shape-check a profile. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except OSError as error:
        raise ConfigError(path, 0, "profile", (error.strerror or str(error)).lower()) from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, 0, "profile", "is not UTF-8 text") from error
    return parse(path, text)


def parse(path: Path, text: str) -> tuple[Config, Source]:
    """Shape-check the text of a profile. Raises ConfigError."""
    source = Source(path, text)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        line = int(at[1]) if at else len(source.lines)
        raise ConfigError(path, line, "TOML", _plain(str(error))) from error
    _check_numbers(raw, "", source)
    _gather_options(raw)
    try:
        return msgspec.convert(raw, Config), source
    except msgspec.ValidationError as error:
        raise _explain(error, raw, source) from None


def _plain(text: str) -> str:
    """What tomllib says, where it needs knowledge of its insides to be understood."""
    twice = ("Cannot overwrite a value", "Cannot declare", "Cannot mutate")
    if not text.startswith(twice):
        return text
    return f"this key or section is there twice ({text.rpartition('(')[2]}"


def _check_numbers(value: object, where: str, source: Source) -> None:
    """No number is inf or nan, which TOML allows and nothing here means. Raises ConfigError."""
    if isinstance(value, dict):
        for key, one in value.items():
            _check_numbers(one, f"{where}.{key}" if where else key, source)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            _check_numbers(one, f"{where}[{index}]", source)
    elif isinstance(value, float) and not math.isfinite(value):
        section, _, key = where.rpartition(".")
        raise source.error(section, key, f"expected a number, got {value}")


def _gather_options(raw: dict[str, Any]) -> None:
    """Move every key of an instrument that is not ours under `options`."""
    ours = set(InstrumentConfig.__struct_fields__) - {"options"}
    instruments = raw.get("instrument")
    for one in instruments if isinstance(instruments, list) else ():
        if isinstance(one, dict):
            one["options"] = {key: one.pop(key) for key in list(one) if key not in ours}


def _explain(error: msgspec.ValidationError, raw: Mapping[str, Any], source: Source) -> ConfigError:
    """Turn msgspec's sentence and path into file, line, key, expectation, nearest key."""
    text, _, path = str(error).partition(" - at ")
    where = path.strip("`").removeprefix("$").removeprefix(".").replace("[...]", "")
    if unknown := re.search(r"unknown field `([^`]*)`", text):
        nearest = near(unknown[1], _keys_at(where, raw))
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
    if "matching regex" in text:
        hint = next((f"expected {words}" for part, words in HINTS.items() if part in text), hint)
    tagged = TAGGED.get(_part(section)[0])
    if "Invalid value" in text and tagged and key == tagged[0]:
        hint = f"{text}: expected one of {', '.join(sorted(tagged[2]))}"
    if "Invalid enum value" in text:
        hint = text + one_of(get_type_hints(_class_at(section, raw)).get(key))
    return source.error(section, key, hint)


def _missing(where: str, key: str, raw: Mapping[str, Any], source: Source) -> ConfigError:
    """A key that is not there; perhaps it is, with a slip in it."""
    present = set(_at(where, raw)) - set(_keys_at(where, raw))
    slip = misspelt(key, present)
    if slip:
        return source.error(where, slip, f"unknown key; did you mean '{key}'?")
    return source.error(where, key, "is missing")


def _at(where: str, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The section at a path, with what of an instrument goes to its driver."""
    here: Any = raw
    for name, index in re.findall(r"([\w-]+)(?:\[(\d+)\])?", where):
        here = here.get(name, {}) if isinstance(here, dict) else {}
        here = here[int(index)] if index and isinstance(here, list) else here
    return {**here, **here.get("options", {})} if isinstance(here, dict) else {}


def misspelt(key: str, present: Iterable[str]) -> str:
    """Which of the keys that are there was to be `key`; empty if none is like it."""
    return next(iter(difflib.get_close_matches(key, sorted(present), n=1, cutoff=0.7)), "")


def in_words(text: str) -> str:
    """What msgspec says, for people who know no Python: ``Expected `int | null`, got `str` ``."""

    def named(found: re.Match[str]) -> str:
        return " or ".join(TYPES[one] for one in found[1].split(" | ") if one != "null")

    kinds = "|".join(TYPES)
    text = re.sub(rf"`((?:(?:{kinds})(?: \| )?)+)`", named, text)
    return text.replace("Expected", "expected").replace("Object", "it")


LINK_KINDS: Mapping[str, type[LinkConfig]] = {
    "mqtt": MqttConfig,
    "file": FileConfig,
    "lorawan": LorawanConfig,
}
DEFECT_KINDS: Mapping[str, type[DefectConfig]] = {
    "frequency": FrequencyConfig,
    "crack": CrackConfig,
    "bearing": BearingConfig,
}
TRIGGER_KINDS: Mapping[str, type[TriggerConfig]] = {
    "vibration": VibrationConfig,
    "vehicle": VehicleConfig,
}
#: sections whose keys depend on one of them: that key, what all have, what each value has
TAGGED: Mapping[str, tuple[str, type[Struct], Mapping[str, type[Struct]]]] = {
    "link": ("kind", LinkConfig, LINK_KINDS),
    "trigger": ("kind", TriggerConfig, TRIGGER_KINDS),
    "defects": ("what", DefectConfig, DEFECT_KINDS),
}


def _part(where: str) -> tuple[str, int]:
    """The last section of a path and its index: "simulate.defects[1]" -> ("defects", 1)."""
    section, index = (re.findall(r"([\w-]+)(?:\[(\d+)\])?", where) or [("", "")])[-1]
    return section, int(index or 0)


def one_of(kind: Any) -> str:
    """`: expected one of …` for a Literal, else nothing."""
    if get_origin(kind) is not Literal:
        return ""
    return f": expected one of {', '.join(sorted(map(str, get_args(kind))))}"


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
    without_unit = [one for one in known if one.rpartition("_")[0] == word]
    small = {one.lower(): one for one in known}
    alike = difflib.get_close_matches(word.lower(), small, n=1, cutoff=0.6)
    close = without_unit or [small[one] for one in alike]
    if close:
        return f"; did you mean '{close[0]}'?"
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    return f"; known here: {', '.join(known[:MOST_NAMED])}{more}" if known else ""
