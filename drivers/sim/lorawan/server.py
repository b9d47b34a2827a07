"""A small LoRaWAN network server with its join server: an `Air` inside the process."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.sim.lorawan import mac_codec as mac
from drivers.sim.lorawan.air import Heard
from drivers.sim.lorawan.frame import (
    ACK,
    ADR_ACK_REQ,
    CONFIRMED_DOWN,
    DATA_DOWN,
    JOIN_REQUEST,
    PENDING,
    Data,
    FrameError,
    JoinAccept,
    JoinRequest,
    authentic,
    head_of,
)
from drivers.sim.lorawan.mac_codec import Command
from drivers.sim.lorawan.region import (
    FASTEST,
    JOIN_DELAY_S,
    LOWEST_SNR_DB,
    ROOM,
    RX2_DR,
    RX2_HZ,
    SPREADING,
    Radio,
)
from drivers.sim.lorawan.session import Session, session_of

ADR_AFTER = 4  # uplinks between two corrections
MARGIN_DB, STEP_DB = 10, 3
EXTRA_CHANNELS = (867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000)
WINDOW_TOLERANCE_S = 0.02
FORGET_S = 20.0
CLOCK_PORT = 202  # LoRa Alliance TS003


@dataclass(frozen=True, slots=True)
class Uplink:
    """A frame the application gets."""

    dev_eui: bytes
    at: float  #: end of the transmission, device clock
    counter: int
    port: int | None
    payload: bytes
    radio: Radio
    confirmed: bool


@dataclass
class Registered:
    """A device as the network server knows it."""

    join_eui: bytes
    app_key: bytes
    random_nonce: bool = False
    nonces: set[int] = field(default_factory=set)
    session: Session | None = None
    up: int = -1  #: newest uplink counter
    down: int = 0  #: next downlink counter
    queue: list[tuple[int, bytes, bool]] = field(default_factory=list)  #: port, payload, confirmed
    orders: list[Command] = field(default_factory=list)  #: MAC commands to send
    answers: list[Command] = field(default_factory=list)  #: MAC answers received, for tests
    ordered: dict[int, bytes] = field(default_factory=dict)  #: last body sent of each command
    heard: int = 0
    last_end: float = -1.0  #: of its newest uplink


@dataclass(frozen=True, slots=True)
class Downlink:
    """A frame that waits for a device's windows."""

    frame: bytes
    first: float  #: RX1 opens
    radio1: Radio
    radio2: Radio

    def in_window(self, radio: Radio, at: float) -> bool:
        """Whether it is sent at this time on this channel and data rate."""
        early, late = abs(at - self.first), abs(at - self.first - 1.0)
        tolerance = WINDOW_TOLERANCE_S
        return (early < tolerance and radio == self.radio1) or (
            late < tolerance and radio == self.radio2
        )


class NetworkServer:
    """Joins devices, checks and decrypts their frames, answers in RX1 and RX2."""

    def __init__(self, unix_at_zero: float = 1_772_000_000.0, net_id: int = 0x13) -> None:
        self.unix_at_zero, self.net_id = unix_at_zero, net_id  #: server's clock at device time 0
        self.devices: dict[bytes, Registered] = {}
        self.uplinks: list[Uplink] = []
        self.refusals: list[str] = []  #: why frames were dropped
        self.refuse_join = False
        self.adr = False
        self.channels = EXTRA_CHANNELS  #: handed out in the join accept
        self.rx1_delay_s, self.rx2_data_rate = 1, RX2_DR
        self.rssi_dbm, self.snr_db = -52, 8.0  #: how well the devices are heard
        self._join_nonce = 0
        self._downlinks: list[Downlink] = []

    def register(
        self, dev_eui: bytes, join_eui: bytes, app_key: bytes, *, random_nonce: bool = False
    ) -> Registered:
        """Let a device in. `random_nonce`: it is a 1.0.2 device, nonces need not grow."""
        self.devices[dev_eui] = Registered(join_eui, app_key, random_nonce)
        return self.devices[dev_eui]

    def enqueue(
        self, dev_eui: bytes, port: int, payload: bytes, *, confirmed: bool = False
    ) -> None:
        """Send `payload` after the device's next uplink."""
        self.devices[dev_eui].queue.append((port, payload, confirmed))

    def order(self, dev_eui: bytes, identifier: int, body: bytes = b"") -> None:
        """Send a MAC command after the device's next uplink."""
        self.devices[dev_eui].orders.append((identifier, body))

    def set_data_rate(self, dev_eui: bytes, data_rate: int, *, repeats: int = 1) -> None:
        """Order another data rate, all channels on."""
        self.order(dev_eui, mac.LINK_ADR, bytes([data_rate << 4, 0, 0, 0x60 | repeats]))

    def transmit(self, frame: bytes, radio: Radio, end: float) -> None:
        """An uplink was on the air until `end`."""
        try:
            if frame[:1] == bytes([JOIN_REQUEST]):
                self._join(frame, radio, end)
            else:
                self._data(frame, radio, end)
        except FrameError as error:
            self.refusals.append(str(error))

    def listen(self, radio: Radio, at: float) -> Heard | None:
        """The downlink that begins at `at`, if there is one on this channel and data rate."""
        self._downlinks = [one for one in self._downlinks if one.first > at - FORGET_S]
        for one in self._downlinks:
            if one.in_window(radio, at):
                return Heard(one.frame, self.rssi_dbm, self.snr_db)
        return None

    def _join(self, frame: bytes, radio: Radio, end: float) -> None:
        request = JoinRequest.parse(frame)
        device = self.devices.get(request.dev_eui)
        if device is None or device.join_eui != request.join_eui:
            raise FrameError("join: unknown device")
        if not authentic(frame, device.app_key):
            raise FrameError("join: wrong MIC")
        grown = request.dev_nonce > max(device.nonces, default=-1)
        if request.dev_nonce in device.nonces or not (grown or device.random_nonce):
            raise FrameError("join: DevNonce has already been used")
        device.nonces.add(request.dev_nonce)
        if self.refuse_join:
            raise FrameError("join: refused")
        self._join_nonce += 1
        accept = JoinAccept(
            self._join_nonce,
            self.net_id,
            0x26000000 | self._join_nonce,
            rx2_data_rate=self.rx2_data_rate,
            delay_s=self.rx1_delay_s,
            channels=self.channels,
        )
        device.session = session_of(accept, device.app_key, request.dev_nonce)
        device.up, device.down, device.heard = -1, 0, 0
        device.orders.clear()
        reply = accept.build(device.app_key)
        self._downlinks.append(Downlink(reply, end + JOIN_DELAY_S, radio, Radio(RX2_HZ, RX2_DR)))

    def _data(self, frame: bytes, radio: Radio, end: float) -> None:
        dev_eui, device, session = self._sender(frame)
        keys = (session.network_key, session.application_key)
        data = Data.parse(frame, *keys, device.up)
        if data.counter < device.up:
            raise FrameError(f"counter {data.counter} already used")
        repeated = data.counter == device.up
        if repeated and end == device.last_end:
            return  # a second gateway heard the same transmission
        device.up, device.last_end = data.counter, end
        orders = data.payload if data.port == 0 else data.options
        if not repeated:
            uplink = (data.counter, data.port, data.payload, radio, data.confirmed)
            self.uplinks.append(Uplink(dev_eui, end, *uplink))
            if data.port == CLOCK_PORT:
                self._clock(device, data.payload, end)
            self._obey(device, session, list(mac.split(orders, mac.TO_NETWORK)), radio, end)
        self._answer(device, session, data, radio, end)

    def _sender(self, frame: bytes) -> tuple[bytes, Registered, Session]:
        _, address, _ = head_of(frame)
        for dev_eui, device in self.devices.items():
            if device.session is not None and device.session.address == address:
                return dev_eui, device, device.session
        raise FrameError(f"unknown address {address:08x}")

    def _obey(
        self, device: Registered, session: Session, orders: list[Command], radio: Radio, end: float
    ) -> None:
        """Answer the device's requests, note its answers, correct its data rate."""
        device.heard += 1
        for identifier, body in orders:
            if identifier == mac.LINK_CHECK:
                floor = LOWEST_SNR_DB[SPREADING[radio.data_rate]]
                margin = max(0, min(254, round(self.snr_db - floor)))
                device.orders.append((identifier, bytes([margin, 1])))
            elif identifier == mac.DEVICE_TIME:
                device.orders.append((identifier, mac.device_time(self.unix_at_zero + end)))
            else:
                device.answers.append((identifier, body))
                self._agreed(device, session, identifier, body)
        if self.adr and device.heard % ADR_AFTER == 0:
            self._adapt(device, radio)

    def _clock(self, device: Registered, payload: bytes, end: float) -> None:
        """AppTimeReq of TS003: say how wrong the device's time is."""
        if len(payload) == 6 and payload[0] == 1:
            theirs = int.from_bytes(payload[1:5], "little")
            ours = round(self.unix_at_zero + end - mac.GPS_EPOCH + mac.LEAP_S)
            correction = (ours - theirs).to_bytes(4, "little", signed=True)
            answer = b"\x01" + correction + bytes([payload[5] & 15])
            device.queue.insert(0, (CLOCK_PORT, answer, False))

    def _agreed(self, device: Registered, session: Session, identifier: int, status: bytes) -> None:
        """From now on answer as the device has agreed to listen."""
        body = device.ordered.get(identifier, b"")
        if identifier == mac.RX_TIMING and body:
            session.delay_s = body[0] & 15 or 1
        elif identifier == mac.RX_PARAM and body and status == b"\x07":
            session.rx1_offset, session.rx2_data_rate = body[0] >> 4 & 7, body[0] & 15
            session.rx2_hz = 100 * int.from_bytes(body[1:4], "little")

    def _adapt(self, device: Registered, radio: Radio) -> None:
        spare = self.snr_db - LOWEST_SNR_DB[SPREADING[radio.data_rate]] - MARGIN_DB
        wanted = min(radio.data_rate + max(int(spare // STEP_DB), 0), FASTEST)
        if wanted > radio.data_rate:
            device.orders.append((mac.LINK_ADR, bytes([wanted << 4, 0, 0, 0x61])))

    def _answer(
        self, device: Registered, session: Session, data: Data, radio: Radio, end: float
    ) -> None:
        """One downlink if there is anything to say."""
        wanted = data.confirmed or data.flags & ADR_ACK_REQ or device.orders or device.queue
        if not wanted:
            return
        options = mac.join(device.orders)
        device.ordered.update(device.orders)
        device.orders.clear()
        port, payload, confirmed = None, b"", False
        room = ROOM[radio.data_rate] - len(options)
        if device.queue and len(device.queue[0][1]) <= room:
            port, payload, confirmed = device.queue.pop(0)
        flags = (ACK if data.confirmed else 0) | (PENDING if device.queue else 0)
        kind = CONFIRMED_DOWN if confirmed else DATA_DOWN
        down = Data(kind, session.address, device.down, flags, options, port, payload)
        device.down += 1
        frame = down.build(session.network_key, session.application_key)
        radio1 = Radio(radio.frequency_hz, max(radio.data_rate - session.rx1_offset, 0))
        radio2 = Radio(session.rx2_hz, session.rx2_data_rate)
        self._downlinks.append(Downlink(frame, end + session.delay_s, radio1, radio2))
