"""Nuvoton NAU7802 as front end of a strain-gauge bridge, in um/m; I2C 0x2A, no other address.

Datasheet: NAU7802, revision 1.7: power-on sequence 9.1, calibration 8.6, registers 11. Supplies
the bridge from its own regulator (AVDD, 3.0 V) and takes it as reference, so the supply cancels;
2^23 counts are AVDD / gain as in Linux, drivers/iio/adc/nau7802.c; other sources have half of it,
so prove the scale with a resistor across the gauge before use (hw/wiring/nau7802.md). No checksum
and no wire test in the chip: its registers are read back with every conversion. Tare belongs to the
profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from drivers.api import DataError, Quantity
from drivers.bus.i2c import I2C
from drivers.registers import Bits, Register
from drivers.sim.twin import RegisterTwin
from drivers.strain import Bridge, Gain, Wiring
from drivers.vector import Vector

RESET, DIGITAL, ANALOG, READY, START, DONE, LDO = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x80  # 11.1
RUNNING = DIGITAL | ANALOG | START | LDO
LDO_3_0_V = 5 << 3  # 4.5 V less 5 x 0.3 V; it needs 0.3 V less than the Pi's 3.3 V
RATE_CODES = {10: 0, 20: 1, 40: 2, 80: 3, 320: 7}
CHANNEL_2 = 0x80
CALIBRATE = 0x04  # with mode 0: the converter's own offset, inputs shorted inside
CALIBRATION_FAILED = 0x08
CHOPPER_OFF = 0x30  # 9.1
CAPACITOR = 0x80  # on the pins of channel 2, if channel 1 is the only one (9.4)
REVISION = 0xF
RESET_S, READY_S, LDO_S = 0.001, 0.001, 0.25  # ready after 0.2 ms; LDO as SparkFun's driver waits
CALIBRATION_POLL_S = 0.02
POLLS = 50  # of anything: 1 s of calibration, 12 conversions
SETTLING = 6  # conversions that are wrong after a change of channel, gain or rate


class NAU7802:
    """Strain in um/m of one bridge; positive = output plus above output minus."""

    checksum, setup_s = False, 1.5
    quantities: Mapping[str, Quantity]
    pu_ctrl, ctrl1, ctrl2 = Register(0x00), Register(0x01), Register(0x02)
    control = Register(0x00, size=3)  # the three above at once
    result = Register(0x12, size=3, signed=True)
    adc = Register(0x15)
    pga_power = Register(0x1C)
    revision = Bits(Register(0x1F), 0x0F)

    def __init__(
        self,
        i2c: I2C,
        address: int = 0x2A,
        gauge_factor: float = 2.0,
        bridge: Wiring = "quarter",
        channel: Literal[1, 2] = 1,
        rate_hz: Literal[10, 20, 40, 80, 320] = 10,
        gain: Gain = 128,
    ) -> None:
        self.i2c, self.address = i2c, address
        self.bridge = Bridge(gauge_factor, bridge, gain)
        self.channel, self.rate_hz = channel, rate_hz
        self.gain_ldo = LDO_3_0_V | gain.bit_length() - 1
        self.rate_channel = (CHANNEL_2 if channel == 2 else 0) | RATE_CODES[rate_hz] << 4
        self.quantities = {"strain": self.bridge.quantity()}
        self.counts: Mapping[str, int] = {}  #: behind the newest value

    def setup(self) -> None:
        """Reset, identify, configure, calibrate the offset, let it settle: 1.3 s at 10 Hz.

        Raises BusError, DataError.
        """
        self._power_up()
        if self.revision != REVISION:
            raise DataError(f"0x{self.address:02x}: revision {self.revision:x}, not a NAU7802")
        self.ctrl1, self.ctrl2 = self.gain_ldo, self.rate_channel
        self.adc = CHOPPER_OFF
        self.pga_power = CAPACITOR if self.channel == 1 else 0
        self.pu_ctrl = RUNNING
        self.i2c.pause(LDO_S)
        self._calibrate()
        for _ in range(SETTLING):
            self._next()

    def read(self) -> dict[str, float]:
        """A conversion that ends after the call, at most 1 / rate later.

        Raises DataError where a wire is open, and after a loss of supply.
        """
        _ = self.result  # what has waited is old; taking it clears DONE
        counts = self._next()
        if overload := self.bridge.overload(counts):
            raise DataError(f"0x{self.address:02x}: {overload}")
        self.counts = {"strain": counts}
        return {"strain": self.bridge.strain(counts)}

    def _power_up(self) -> None:
        """Section 9.1. Raises DataError if the chip does not become ready."""
        self.pu_ctrl = RESET
        self.i2c.pause(RESET_S)
        self.pu_ctrl = DIGITAL
        self.i2c.pause(READY_S)
        if not self.pu_ctrl & READY:
            raise DataError(f"0x{self.address:02x}: not ready after reset: no NAU7802?")

    def _calibrate(self) -> None:
        """Take the converter's own offset away; the bridge's stays."""
        self.ctrl2 = self.rate_channel | CALIBRATE
        for _ in range(POLLS):
            self.i2c.pause(CALIBRATION_POLL_S)
            status = self.ctrl2
            if status & CALIBRATION_FAILED:
                raise DataError(
                    f"0x{self.address:02x}: offset calibration failed: bridge's supply?"
                )
            if not status & CALIBRATE:
                return
        raise DataError(f"0x{self.address:02x}: offset calibration does not end")

    def _next(self) -> int:
        """Counts of the next conversion. Raises DataError if none comes or registers differ."""
        wanted = (RUNNING | READY) << 16 | self.gain_ldo << 8 | self.rate_channel
        for _ in range(POLLS):
            status = self.control
            if status & ~(DONE << 16) != wanted:
                seen = f"0x{self.address:02x}: registers {status:06x}, not {wanted:06x}"
                raise DataError(f"{seen}: lost its configuration; did it lose its supply?")
            if status & DONE << 16:
                return self.result
            self.i2c.pause(0.25 / self.rate_hz)
        raise DataError(f"0x{self.address:02x}: no conversion in {12 / self.rate_hz:.1f} s")


class NAU7802Twin(RegisterTwin):
    """A bridge on `channel`; the first six conversions after a change are wrong, as in the chip.

    It converts whenever both halves have power; bit CS only begins anew. Its own offset is 5000
    counts until calibrated; what is calibrated before the regulator has settled (0.2 s) is off by
    300, and without the analog half it fails.
    """

    defaults = {0x1F: 0x0F}
    other_chip = {0x1F: 0x00}
    feels = {"strain": (-15_000.0, 15_000.0)}

    def __init__(
        self, gauge_factor: float = 2.0, bridge: str = "quarter", channel: int = 1
    ) -> None:
        self.truth: Mapping[str, float] = {"strain": 12.5}
        self.per_um_m = gauge_factor * {"quarter": 0.25, "half": 0.5, "full": 1.0}[bridge] * 1e-6
        self.noise_rms = {"strain": 50e-9 / 3.0 / self.per_um_m}  # volts at 10 Hz, excitation
        self.channel = channel
        self.open_wire = False

    def power_on(self, now: float) -> None:
        """Everything off, registers 0 but the revision."""
        super().power_on(now)
        self._off(now)

    def _off(self, now: float) -> None:
        self.ready = self.ldo = self.calibrated = self.started = float("inf")
        self.calibrating, self.offset, self.taken, self.left = False, 5000, 0, 0

    def write(self, data: bytes, now: float) -> None:
        """Registers from the pointer on; only PU_CTRL before the chip is ready."""
        before = bytes(self.memory)
        if data and (data[0] == 0 or now >= self.ready):
            super().write(data, now)
        elif data:
            self.pointer = data[0]
        if self.memory[0] & 0x01:
            self.memory[:0x1F] = b"\x01" + bytes(0x1E)
            self._off(now)
        elif self.memory[:3] != before[:3]:
            self._changed(before, now)

    def _changed(self, before: bytes, now: float) -> None:
        power, was = self.memory[0], before[0]
        if power & ~was & 0x02:
            self.ready = now + 0.0002
        if power & ~was & 0x80:
            self.ldo = now + 0.2
        if self.memory[2] & 0x04:
            self.calibrated, self.calibrating = now + 0.344, True
            self.left = 300 if now < self.ldo else 0
            self.memory[2] = self.memory[2] & 0xF7 | (0 if power & 0x04 else 0x08)
        running = power & 0x06 == 0x06
        begin = self.calibrated if self.calibrating else now
        self.started, self.taken = begin if running else float("inf"), 0

    def read(self, length: int, now: float) -> bytes:
        """Registers; reading the result makes the conversion an old one."""
        if self.calibrating and now >= self.calibrated:
            self.calibrating, self.offset = False, self.left
            self.memory[2] &= 0xFB
        rate = {0: 10, 1: 20, 2: 40, 3: 80, 7: 320}[self.memory[2] >> 4 & 7]
        done = int((now - self.started) * rate + 1e-6) if now >= self.started else 0
        flags = (0x08 if now >= self.ready else 0) | (0x20 if done > self.taken else 0)
        self.memory[0] = self.memory[0] & 0xD7 | flags
        if self.pointer <= 0x12 < self.pointer + length:
            self.taken = done
            self.memory[0x12:0x15] = self._counts(done).to_bytes(3, "big", signed=True)
        return super().read(length, now)

    def _counts(self, done: int) -> int:
        """24 bit two's complement of AVDD / gain, limited."""
        if done == 0:
            return 0
        if self.open_wire or self.channel - 1 != self.memory[2] >> 7:
            return 0x7FFFFF - self.offset
        gain = 1 << (self.memory[1] & 7)
        counts = self.truth["strain"] * self.per_um_m * gain * 2**23 + self.offset
        counts += 2000 << (6 - done) if done <= 6 else 0
        return min(max(round(counts), -0x800000), 0x7FFFFF)


VECTORS = tuple(
    Vector(
        "Linux, drivers/iio/adc/nau7802.c: 2793e-9 mV per count at 3.0 V, gain 128",
        ["00 00 00", "9e 2f 00", "be 2f 00", counts],
        {"strain": strain},
        within=0.08,  # the kernel cuts 2793.97 off
        told=["12", "00", "00", "12"],
    )
    for counts, strain in (("000000", 0.0), ("0186a0", 186.2), ("fe7960", -186.2))
)
DRIVER, TWIN = NAU7802, NAU7802Twin
