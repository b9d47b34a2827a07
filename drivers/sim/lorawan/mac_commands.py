"""An end device does what MAC commands say, and says what it did. L2 1.0.4, chapter 5."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.sim.lorawan import mac_codec as mac
from drivers.sim.lorawan.duty import DutyCycle
from drivers.sim.lorawan.mac_codec import Command
from drivers.sim.lorawan.region import FASTEST, JOIN_CHANNELS, allowed
from drivers.sim.lorawan.session import Channel, Memory, Session

KEEP = 15  # data rate or power: as it is
ALL_ON = 6  # ChMaskCntl
LAST_CHANNEL = 15
LOWEST_POWER = 7


def carry_out(
    memory: Memory, duty: DutyCycle, orders: Sequence[Command], adr: bool, snr: float
) -> None:
    """Carry out the network's commands; answers wait in the session for the next uplink."""
    session = memory.session
    assert session is not None
    block = [body for identifier, body in orders if identifier == mac.LINK_ADR]
    if block:
        status = _link_adr(memory, session, block, adr)
        session.answers += [(mac.LINK_ADR, bytes([status]))] * len(block)
    for identifier, body in orders:
        if identifier == mac.DUTY_CYCLE:
            duty.aggregate = 1 / 2 ** (body[0] & 15)
            session.answers.append((identifier, b""))
        elif identifier == mac.DEV_STATUS:
            margin = max(-32, min(31, round(snr))) & 0x3F
            session.answers.append((identifier, bytes([255, margin])))
        elif identifier == mac.NEW_CHANNEL:
            session.answers.append((identifier, bytes([_new_channel(session, body)])))
        elif identifier == mac.RX_PARAM:
            session.sticky[identifier] = bytes([_rx_param(session, body)])
        elif identifier == mac.RX_TIMING:
            session.delay_s = body[0] & 15 or 1
            session.sticky[identifier] = b""
        elif identifier == mac.DL_CHANNEL:
            session.sticky[identifier] = bytes([_dl_channel(session, body)])


def _link_adr(memory: Memory, session: Session, block: Sequence[bytes], adr: bool) -> int:
    chosen = {index for index, channel in session.channels.items() if channel.enabled}
    mask_known = True
    for body in block:
        mask, control = int.from_bytes(body[1:3], "little"), body[3] >> 4 & 7
        bits = {index for index in range(16) if mask >> index & 1}
        chosen = set(session.channels) if control == ALL_ON else bits
        mask_known = control in (0, ALL_ON) and bool(chosen) and chosen <= set(session.channels)
    rate, power, repeats = block[-1][0] >> 4, block[-1][0] & 15, block[-1][3] & 15
    if not adr:
        rate, power = KEEP, KEEP
    usable = [session.channels[index] for index in chosen if index in session.channels]
    wanted = memory.data_rate if rate == KEEP else rate
    rate_known = any(channel.low <= wanted <= channel.high for channel in usable)
    power_known = power == KEEP or power <= LOWEST_POWER
    if mask_known and rate_known and power_known:
        memory.data_rate, session.transmissions = wanted, repeats or 1
        session.power = session.power if power == KEEP else power
        for index, channel in session.channels.items():
            channel.enabled = index in chosen
    return mask_known | rate_known << 1 | power_known << 2


def _new_channel(session: Session, body: bytes) -> int:
    index, hz = body[0], 100 * int.from_bytes(body[1:4], "little")
    high, low = body[4] >> 4, body[4] & 15
    if index < len(JOIN_CHANNELS) or index > LAST_CHANNEL:
        return 0
    if hz == 0:
        session.channels.pop(index, None)
        return 3
    status = allowed(hz) | (low <= high <= FASTEST) << 1
    if status == 3:
        session.channels[index] = Channel(hz, low, high)
    return status


def _rx_param(session: Session, body: bytes) -> int:
    offset, rate = body[0] >> 4 & 7, body[0] & 15
    hz = 100 * int.from_bytes(body[1:4], "little")
    status = allowed(hz) | (rate <= FASTEST) << 1 | (offset <= 5) << 2
    if status == 7:
        session.rx1_offset, session.rx2_data_rate, session.rx2_hz = offset, rate, hz
    return status


def _dl_channel(session: Session, body: bytes) -> int:
    channel, hz = session.channels.get(body[0]), 100 * int.from_bytes(body[1:4], "little")
    status = allowed(hz) | (channel is not None) << 1
    if channel is not None and allowed(hz):
        channel.answer_hz = hz
    return status
