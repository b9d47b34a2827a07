"""The shape of a profile: every section and key, with its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\Z")]
Words = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*\Z")]
Reference = Annotated[str, Meta(pattern=r"^[^.]+\.[^.]+\Z")]  #: instrument.quantity, table.column


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


class ClockConfig(_Part, frozen=True):
    """Who is believed about the time."""

    #: a time service, device time of a LoRaWAN network, a clock chip, the system as it is
    trust: tuple[Literal["ntp", "lorawan", "rtc", "system"], ...] = ("ntp", "lorawan", "rtc")


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

    url: Annotated[str, Meta(pattern=r"^mqtts?://([^/:@\s[]+|\[[\da-fA-F:.]+])(:\d+)?/?\Z")] = (
        "mqtt://localhost"
    )
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    client_id: str = ""  #: default: the node's name
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 60
    limit_bytes: Annotated[int, Meta(ge=51, le=262_144)] = 12_288
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
    clock: ClockConfig = ClockConfig()
    alarm: tuple[AlarmConfig, ...] = ()
    link: tuple[MqttConfig | FileConfig | LorawanConfig, ...] = ()
    trigger: tuple[VibrationConfig | VehicleConfig, ...] = ()
    records: RecordsConfig = RecordsConfig()
    simulate: SimulateConfig = SimulateConfig()


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
