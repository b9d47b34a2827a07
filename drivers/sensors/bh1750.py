"""ROHM BH1750FVI: illuminance, I2C 0x23 (ADDR low) or 0x5C.

Datasheet: BH1750FVI, Technical Note 11046EDT01 (2011.11): instruction set p. 5, measurement time
p. 2 and 11, conversion p. 7: lux = counts / 1.2 at the default measurement time. There is no id
register and no checksum; an LTR559 at the same address cannot be told apart by asking.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.api import Quantity
from drivers.bus.i2c import I2C
from drivers.sim.twin import Nack
from drivers.vector import Vector

POWER_ON, RESET, ONE_TIME_HIGH = 0x01, 0x07, 0x20
MEASURE_S = 0.180  # p. 2: H-resolution mode, maximum
COUNTS_PER_LUX = 1.2  # p. 7
FULL = 0xFFFF


class BH1750:
    """Illuminance in lx, 0..54612; one conversion of 180 ms per read, then it sleeps."""

    checksum = False
    quantities = {"illuminance": Quantity("illuminance", 1, 0, 54_612)}

    def __init__(self, i2c: I2C, address: int = 0x23) -> None:
        self.i2c, self.address = i2c, address

    def setup(self) -> None:
        """On and cleared: the chip acknowledges. Raises BusError."""
        self.i2c.write(self.address, bytes([POWER_ON]))
        self.i2c.write(self.address, bytes([RESET]))

    def read(self) -> dict[str, float]:
        """One conversion; a saturated one is above the range. Raises BusError."""
        self.i2c.write(self.address, bytes([ONE_TIME_HIGH]))
        self.i2c.pause(MEASURE_S)
        counts = int.from_bytes(self.i2c.read(self.address, 2), "big")
        return {"illuminance": counts / COUNTS_PER_LUX if counts < FULL else float("inf")}


class BH1750Twin:
    """Result register keeps the last result; a conversion takes its time; one-time sleeps after."""

    def __init__(self) -> None:
        self.truth: Mapping[str, float] = {"illuminance": 420.0}

    def power_on(self, now: float) -> None:
        """Powered down, result 0."""
        self.awake, self.result, self.pending = False, 0, -1
        self.due = 0.0

    def write(self, data: bytes, now: float) -> None:
        """A one-byte instruction. Raises Nack."""
        self._settle(now)
        for code in data:
            if code == 0x00:
                self.awake = False
            elif code == 0x01:
                self.awake = True
            elif code == 0x07:
                self.result = 0 if self.awake else self.result
            elif code in (0x10, 0x11, 0x20, 0x21, 0x13, 0x23):
                scale = 2 if code & 1 and not code & 2 else 1
                counts = round(self.truth["illuminance"] * 6 / 5 * scale)
                self.pending = min(max(counts, 0), 65535)
                self.due = now + (0.016 if code & 2 else 0.120)
            else:
                raise Nack

    def read(self, length: int, now: float) -> bytes:
        """The newest finished result."""
        self._settle(now)
        return self.result.to_bytes(2, "big")[:length].ljust(length, b"\xff")

    def _settle(self, now: float) -> None:
        if self.pending >= 0 and now >= self.due:
            self.result, self.pending = self.pending, -1


VECTORS = (
    Vector("BH1750FVI, p. 7", ["83 90"], {"illuminance": 28_067.0}, within=1.0),
    Vector("BH1750FVI, p. 7: saturated", ["ff ff"], {"illuminance": float("inf")}),
)
DRIVER, TWIN = BH1750, BH1750Twin
