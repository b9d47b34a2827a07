"""The shape of a profile: every section and key, with its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\Z")]
Words = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*\Z")]
Reference = Annotated[str, Meta(pattern=r"^[^.]+\.[^.]+\Z")]  #: instrument.quantity, table.column
#: mqtt(s)://host:port, or ws(s)://host:port/path
BROKER_URL = (
    r"^(mqtts?://([^/:@\s[]+|\[[\da-fA-F:.]+])(:\d+)?/?"
    r"|wss?://([^/:@\s[]+|\[[\da-fA-F:.]+])(:\d+)?(/[!-~]*)?)\Z"
)
#: of what is published: no wildcards (MQTT 5, 4.7)
TOPIC = r"^[^#+\x00-\x1f\s/][^#+\x00-\x1f]*\Z"
PROXY = r"^(http://([^/\s@]+@)?([^/:@\s[]+|\[[\da-fA-F:.]+])(:\d+)?/?)?\Z"


class _Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the profile: every key is known."""


class NodeConfig(_Part, frozen=True):
    """Who this node is."""

    name: Name  #: appears in MQTT topics and pictures
    #: whether downlink 7 (restart) is allowed; only where [commands] has no `allow`
    restart_by_downlink: bool = False
    #: whether downlink 2 (thresholds of alarms) is allowed; likewise
    thresholds_by_downlink: bool = True


class CommandsConfig(_Part, frozen=True):
    """What downlinks may do here, on every link. Numbers as in WIRE.md section 4."""

    #: 1 interval, 2 threshold, 3 schema, 4 resend, 5 hello, 7 restart, 8 body
    allow: tuple[int, ...] | None = None  # default: as [node] says
    interval_s: tuple[int, int] = (1, 14_400)  #: shortest and longest that downlink 1 may set
    rows_per_frame: Annotated[int, Meta(ge=1, le=1000)] = 1000  #: most that downlink 1 may set
    resend_rows_per_day: Annotated[int, Meta(ge=0)] = (
        50_000  #: most that downlink 4 may ask, a link
    )
    per_hour: Annotated[int, Meta(ge=1, le=3600)] = 120  #: so many are carried out, on each link


class StoreConfig(_Part, frozen=True):
    """Where rows are kept, and how many."""

    path: Annotated[str, Meta(min_length=1)] = "/var/lib/stadtsinn/store.db"  #: the SQLite file
    max_mb: Annotated[float, Meta(ge=2)] = 500  #: of the file; then rows go, delivered ones first
    max_days: Annotated[float, Meta(gt=0)] = 800  #: older rows go once they are delivered


class ClockConfig(_Part, frozen=True):
    """Who is believed about the time."""

    #: a time service, device time of a LoRaWAN network, a clock chip, the system as it is
    trust: tuple[Literal["ntp", "lorawan", "rtc", "system"], ...] = ("ntp", "lorawan", "rtc")


class Calibration(_Part, frozen=True):
    """value x gain + offset, in the quantity's unit.

    Of an axis of a window: of every sample, and so of all that is made of them.
    """

    gain: float = 1.0  #: not 0
    offset: float = 0.0  #: in the quantity's unit, added after the gain


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

    name: Words  #: unique on this node; appears in logs, and before the dot of a reference
    driver: str  #: drivers.sensors.<driver>, or the dotted name of a module with DRIVER and TWIN
    bus: str = ""  #: "i2c-1", a serial device, "w1"
    inputs: dict[str, Reference] = {}  #: what it needs of other instruments: key of the driver
    calibrate: dict[str, Calibration] = {}  #: per quantity or axis
    window: WindowConfig | None = None  #: chips with a FIFO have one anyway, with its defaults
    still_s: dict[
        str, Annotated[float, Meta(ge=0)]
    ] = {}  #: a value alike for longer stands still; 0: never
    patience_s: Annotated[float, Meta(ge=0)] = (
        3600.0  #: without a believable value for longer: degraded
    )
    options: dict[str, Any] = {}  #: every other key: goes to the driver's constructor


class ColumnConfig(_Part, frozen=True):
    """A column of a private table."""

    name: Words  #: unique in its table
    source: Reference = field(name="from")  #: what is measured: instrument.quantity
    step: Annotated[float, Meta(gt=0)] | None = None  #: smallest difference sent; default: driver's
    nominal: int | None = None  #: a usual value, in steps; default: of the kind of quantity
    orders: tuple[int, int] | None = None  #: Golomb orders of the first and further values, 0..31


class TableConfig(_Part, frozen=True):
    """Columns measured together every `interval_s`."""

    name: Words  #: unique on this node; of `carries`, alarms, exports
    interval_s: int  #: 1 to 3600, or whole minutes up to 14400; rows start at multiples of it, UTC
    columns: dict[str, Reference] | tuple[ColumnConfig, ...]  #: registered: { … }; private: [ … ]
    schema: int | None = None  #: number of a registered table; default: a private one


class AlarmConfig(_Part, frozen=True):
    """A threshold on a column, in the column's unit."""

    column: Reference  #: table.column; one alarm each
    above: float | None = None  #: the alarm stands above this; one of the two, or both
    below: float | None = None  #: the alarm stands below this
    hysteresis: Annotated[float, Meta(ge=0)] = 0.0  #: it ends so far back inside
    hold_s: Annotated[float, Meta(ge=0)] = 0.0  #: so long values have to be outside, or back


class TriggerConfig(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """What every trigger on the samples of an instrument has. Units: those of its axis."""

    column: Reference  #: of the events it makes: table.column, whose step the peak is told in
    instrument: Words  #: one with a FIFO, or with a window that has `rate_hz`
    axis: str  #: of its samples, such as "z" or "strain"
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
    short_s: Annotated[float, Meta(gt=0, le=10)] = 0.5  #: of the short average
    long_s: Annotated[float, Meta(gt=0, le=300)] = 20.0  #: of the long average
    on: Annotated[float, Meta(gt=1)] = 4.0  #: ratio of mean squares at which an event begins
    off: Annotated[float, Meta(gt=0)] = 1.5  #: and below which it ends
    #: lowest and highest frequency, below half of the instrument's rate
    band_hz: tuple[Annotated[float, Meta(gt=0)], Annotated[float, Meta(gt=0)]] = (0.5, 30.0)


class VehicleConfig(TriggerConfig, frozen=True, kw_only=True, tag="vehicle"):
    """Mean of half a second less the median of the last minute, with hysteresis."""

    on: Annotated[float, Meta(gt=0)]  #: a passage begins where the amount reaches this
    off: Annotated[float, Meta(gt=0)]  #: and ends where it falls below


class RecordsConfig(_Part, frozen=True):
    """Where raw records are kept, and how many."""

    path: str = ""  #: default: the folder "records" beside the store
    max_mb: Annotated[float, Meta(ge=1)] = 200.0  #: then delivered ones go first, the oldest


class LinkConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every way out has."""

    name: Words  #: unique on this node; appears in logs and `status`
    carries: tuple[str, ...] | None = None  #: tables, "events", "records"; default: everything
    body: Literal["plain", "packed"] = "plain"  #: how rows are written; packed takes half the bytes
    fill_s: Annotated[float, Meta(ge=0)] | None = None  #: how long a live row waits for company
    trust_wait_s: Annotated[float, Meta(ge=0)] = 600.0  #: how long undated rows wait for a clock


class MqttConfig(LinkConfig, frozen=True, kw_only=True, tag="mqtt"):
    """An MQTT broker."""

    #: of the broker; mqtts is encrypted, ws and wss go through a web server
    url: Annotated[str, Meta(pattern=BROKER_URL)] = "mqtt://localhost"
    topic: Annotated[str, Meta(pattern=TOPIC)] = "stadtsinn/{node}/{kind}"  #: or its beginning
    qos: Literal[0, 1] = 1  #: 0: nothing is acknowledged, rows may be lost
    proxy: Annotated[str, Meta(pattern=PROXY)] = (
        ""  #: through which the broker is reached; default: directly
    )
    patient_s: Annotated[float, Meta(ge=0, le=3600)] = (
        60.0  #: so long a broker that is away is tried every second
    )
    max_back_off_s: Annotated[float, Meta(ge=1, le=3600)] = 300.0  #: longest between two tries
    user: str = ""  #: of the broker
    password_file: str = ""  #: a file with nothing but the password, readable by the service only
    ca_file: str = ""  #: PEM: who may vouch for the broker; default: the system's
    certificate_file: str = ""  #: PEM: the node's own, where the broker asks for one
    key_file: str = ""  #: PEM: of the certificate
    client_id: str = ""  #: default: the node's name
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 60  #: a silent broker is given up after it
    limit_bytes: Annotated[int, Meta(ge=51, le=262_144)] = 12_288  #: longest frame
    json: bool = False  #: also one JSON object per row on <topic>/json


class FileConfig(LinkConfig, frozen=True, kw_only=True, tag="file"):
    """Frames into a folder, one CBOR sequence (RFC 8742) per day."""

    path: Annotated[str, Meta(min_length=1)]  #: the folder
    limit_bytes: Annotated[int, Meta(ge=51, le=262_144)] = 4096  #: longest frame


class LorawanConfig(LinkConfig, frozen=True, kw_only=True, tag="lorawan"):
    """A LoRaWAN modem, class A, OTAA."""

    modem: str  #: drivers.modems.<modem>, or the dotted name of a module with DRIVER and TWIN
    dev_eui: str  #: 16 hex digits, on the modem's label
    join_eui: str  #: 16 hex digits, also called AppEUI
    app_key_file: str  #: a file with nothing but 32 hex digits, readable by the service only
    port: str = "/dev/serial0"  #: the serial device
    reset_pin: int | None = None  #: BCM number, where the modem's reset line is wired
    region: Literal["EU868"] = "EU868"  #: channels and limits of the air
    body: Literal["plain", "packed"] = "packed"  #: how rows are written
    adr: bool = True  #: the network chooses data rate and power
    data_rate: Annotated[int, Meta(ge=0, le=5)] = 0  #: to join with: 0 = SF12 … 5 = SF7
    confirmed: bool = False  #: whether rows want an acknowledgement; alarms always do
    tries: Annotated[int, Meta(ge=1, le=8)] = 3  #: how often a confirmed frame is sent
    airtime_s_per_day: Annotated[float, Meta(ge=1, le=86_400)] = 30.0  #: fair use of the network
    duty_cycle_percent: Annotated[float, Meta(gt=0, le=100)] = 1.0  #: of an hour, by law
    limit_bytes: Annotated[int, Meta(ge=20, le=242)] = 242  #: longest frame; slow rates want less
    fixed_length: bool = False  #: frames always as long as they may be: length tells nothing
    overlap: bool = False  #: room left is filled with rows sent before


class DefectConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="what"):
    """What every defect of a simulated bridge has."""

    since: str = field(name="from")  #: ISO date, or date and time; UTC unless it says otherwise


class FrequencyConfig(DefectConfig, frozen=True, kw_only=True, tag="frequency"):
    """A mode lies lower, or higher."""

    mode: Annotated[int, Meta(ge=1)]  #: number of the mode, the lowest is 1
    share: Annotated[float, Meta(gt=-0.9, lt=1)]  #: of its frequency; -0.01 is one per cent lower


class CrackConfig(DefectConfig, frozen=True, kw_only=True, tag="crack"):
    """A crack opens for good."""

    mm_per_month: float  #: how fast
    crack: Annotated[int, Meta(ge=1)] = 1  #: number of the crack: channel crack.width_1 …


class BearingConfig(DefectConfig, frozen=True, kw_only=True, tag="bearing"):
    """The western bearing gives way, at once, slowly or both."""

    axis: Literal["x", "y"] = "x"  #: along or across the bridge
    deg: float = 0.0  #: at once
    deg_per_day: float = 0.0  #: slowly


class ModeConfig(_Part, frozen=True):
    """A natural mode of a simulated bridge."""

    frequency_hz: Annotated[float, Meta(gt=0.2, lt=40)]  #: its natural frequency
    damping: Annotated[float, Meta(ge=0.002, le=0.2)] = 0.01  #: share of critical


class LoadConfig(_Part, frozen=True):
    """A heavy vehicle that stands on a simulated bridge: a load test."""

    weight_t: Annotated[float, Meta(gt=0, le=200)]  #: all axles together
    at: str  #: ISO date and time from which it stands; UTC unless it says otherwise
    duration_s: Annotated[float, Meta(gt=0)] = 300.0  #: how long it stands
    position: Annotated[float, Meta(ge=0, le=1)] = 0.5  #: share of the span from the west
    lane: Literal[1, 2] = 2  #: on which it stands


class SimulateConfig(_Part, frozen=True):
    """What simulated chips feel where `--simulate` is given."""

    world: str = "school_day"  #: or "bridge"
    seed: int = 1  #: the same seed, the same weather, traffic and noise
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
    commands: CommandsConfig = CommandsConfig()
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
