"""Texas Instruments ADS1115 as reader of a potentiometric crack gauge or LVDT conditioner, in mm.

I2C 0x48 (ADDR to ground), 0x49, 0x4A, 0x4B. Datasheet: ADS1115, SBAS444E: config register 8.1.3,
data format 7.5.4, rates 6.5. Ratiometric: the gauge's supply is measured on a second channel right
after its wiper, so the supply's drift cancels; position = wiper / supply x range. No id register,
no checksum: setup() checks that the chip holds what it was told.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.api import DataError, Quantity
from drivers.bus.i2c import I2C
from drivers.registers import Register
from drivers.sim.twin import RegisterTwin
from drivers.vector import Vector

START = 0x8000  # bit 15: start a single conversion; reads 1 while idle
SINGLE_ENDED = 0x4000  # multiplexer 4 + channel, bits 14:12
RANGE_4096 = 0x0200  # full scale 4.096 V, bits 11:9 = 001
SINGLE_SHOT = 0x0100
RATE_128 = 0x0080  # bits 7:5 = 100
COMPARATOR_OFF = 0x0003
CONVERT_S = 1 / 128 * 1.1  # 6.5: the internal clock is within 10 %
POLLS = 5
LOWEST_SUPPLY = 1000  # counts, 0.125 V: below, the gauge has no supply
AT_STOP = 0.0005  # of its range: nearer to an end, the gauge leans against its stop


class ADS1115:
    """Opening of a crack in mm, from `range_mm` of stroke.

    Raises ValueError where both channels are one.
    """

    checksum = False
    quantities: Mapping[str, Quantity]
    result = Register(0x00, size=2, signed=True)
    config = Register(0x01, size=2)

    def __init__(
        self,
        i2c: I2C,
        address: int = 0x48,
        channel: int = 0,
        supply_channel: int = 3,
        range_mm: float = 25.0,
    ) -> None:
        if not (0 <= channel <= 3 and 0 <= supply_channel <= 3 and channel != supply_channel):
            raise ValueError("channel and supply_channel are two different ones of 0 to 3")
        self.i2c, self.address = i2c, address
        self.channel, self.supply_channel, self.range_mm = channel, supply_channel, range_mm
        self.quantities = {"crack_width": Quantity("crack", 0.001, -range_mm, 2 * range_mm)}
        self.counts: Mapping[
            str, object
        ] = {}  #: behind the newest value; the stop it leans against

    def setup(self) -> None:
        """Write the configuration and read it back. Raises BusError, DataError."""
        wanted = self._config(self.channel)
        self.config = wanted
        if (self.config | START) != (wanted | START):
            raise DataError(f"0x{self.address:02x}: does not keep its configuration: no ADS1115")

    def read(self) -> dict[str, float]:
        """Wiper and supply, 17 ms. Raises DataError if the gauge has no supply."""
        wiper = self._convert(self.channel)
        supply = self._convert(self.supply_channel)
        if supply < LOWEST_SUPPLY:
            raise DataError(f"0x{self.address:02x}: the gauge has no supply ({supply} counts)")
        share = wiper / supply
        stop = "low" if share < AT_STOP else "high" if share > 1 - AT_STOP else ""
        self.counts = {"crack_width": stop or wiper}  # at a stop the last bit may flicker
        return {"crack_width": share * self.range_mm}

    def _config(self, channel: int) -> int:
        gain = RANGE_4096 | SINGLE_SHOT | RATE_128 | COMPARATOR_OFF
        return SINGLE_ENDED | channel << 12 | gain

    def _convert(self, channel: int) -> int:
        """Counts of 125 uV. Raises DataError if the conversion never ends."""
        self.config = START | self._config(channel)
        for _ in range(POLLS):
            self.i2c.pause(CONVERT_S)
            status = self.config
            if status & ~START != self._config(channel):
                raise DataError(f"0x{self.address:02x}: lost its configuration: {status:04x}")
            if status & START:
                return self.result
        raise DataError(f"0x{self.address:02x}: a conversion does not end")


class ADS1115Twin(RegisterTwin):
    """A gauge of `range_mm` between channel and supply_channel, fed with 3.3 V."""

    width = 2
    runs_on = False
    defaults = {1: 0x8583, 2: 0x8000, 3: 0x7FFF}  # table 8-3
    feels = {"crack_width": (0.0, 25.0)}

    def __init__(self, channel: int = 0, supply_channel: int = 3, range_mm: float = 25.0) -> None:
        self.truth: Mapping[str, float] = {"crack_width": 0.2}
        self.noise_rms = {"crack_width": 0.003}  # 2 to 5 um with its gauge
        self.range_mm = range_mm
        self.wiper, self.supply = channel, supply_channel
        self.supply_v = 3.3

    def power_on(self, now: float) -> None:
        """Idle, result 0."""
        super().power_on(now)
        self.done, self.coming = now, 0

    def write(self, data: bytes, now: float) -> None:
        """Two bits of pointer, and a word into the register it names; the result is read only."""
        if len(data) >= 3 and data[0] & 3:
            super().write(bytes([data[0] & 3]) + data[1:3], now)
            self._start(data, now)
        elif data:
            super().write(bytes([data[0] & 3]), now)

    def _start(self, data: bytes, now: float) -> None:
        if self.pointer == 1 and data[1] & 0x80:
            self.coming = self._counts(data[1] >> 4 & 7, data[1] >> 1 & 7)
            self.done = now + 1 / (8, 16, 32, 64, 128, 250, 475, 860)[data[2] >> 5]

    def refresh(self, now: float) -> None:
        """Result and bit 15 of config, which is 0 while it converts."""
        if now >= self.done:
            self.put(0, self.coming)
        self.put(1, self.get(1) & 0x7FFF | (0x8000 if now >= self.done else 0))

    def _counts(self, mux: int, gain: int) -> int:
        """16 bit two's complement of full scale (7.5.4), limited."""
        full = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)[gain]
        volts = 0.0
        if mux - 4 == self.supply:
            volts = self.supply_v
        elif mux - 4 == self.wiper:
            volts = self.supply_v * self.truth["crack_width"] / self.range_mm
        return min(max(round(volts / full * 32768), -32768), 32767)


VECTORS = (
    Vector(
        "ADS1115, 7.5.4: 4000h at 4.096 V is 2.048 V; 6720h is 3.3 V",
        ["c3 83", "40 00", "f3 83", "67 20"],
        {"crack_width": 2.048 / 3.3 * 25.0},
        within=0.001,
        told=["01c383", "01", "00", "01f383", "01", "00"],
    ),
)
DRIVER, TWIN = ADS1115, ADS1115Twin
