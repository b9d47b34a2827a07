"""Maxim DS18B20: temperature, 1-wire through the kernel (/sys/bus/w1/devices/28-…).

Datasheet: DS18B20, 19-7487, revision 6 (7/19): register format figure 4, data table 1, memory map
figure 9. A conversion at 12 bit takes 750 ms. After power-up the register holds 85 Cel until the
first conversion, and byte 6 holds 0C; chips that count in byte 6 have 10 there at a true 85 Cel,
the others cannot be told apart and are refused. With too little power clones and parasite supplies
report 127.94, a broken wire -127. A chip left at 9 to 11 bits (figure 10) leaves its lowest bits
undefined: they are cut off.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from drivers.api import DataError, Quantity
from drivers.bus.onewire import OneWire
from drivers.crc import crc8_maxim
from drivers.vector import Vector

log = logging.getLogger(__name__)

CEL_PER_COUNT = 1 / 16  # table 1
POWER_ON_COUNTS = 0x0550  # 85.000 Cel: no conversion since power-up
POWER_ON_BYTE_6 = 0x0C  # figure 9
LOWEST, HIGHEST = -55 * 16, 125 * 16  # table 1; 127.94 and -127 Cel lie outside
FAMILY = "28"
ROM = re.compile(r"28-[0-9a-f]{12}")  # as the kernel names it: family, serial number, no checksum
WHOLE_ROM = re.compile(
    r"28[0-9a-f]{14}"
)  # as on the wire: family, serial number low byte first, CRC


class DS18B20:
    """Temperature in Cel. `rom` is its name; without it, the only one on the bus.

    Raises ValueError for a `rom` that no DS18B20 can have.
    """

    checksum = True
    read_s = 0.8
    quantities = {"temperature": Quantity("temperature", 0.0625, -55, 125)}
    still_s = {"temperature": 3 * 86_400.0}  #: a sixteenth of a degree, in soil or in a pier

    def __init__(self, onewire: OneWire, rom: str = "") -> None:
        check_rom(rom)
        self.onewire, self.rom = onewire, rom
        self.name = rom
        self.bits = 12  #: of the newest conversion

    def setup(self) -> None:
        """Find it, convert once. Raises BusError: not there, or several and no `rom` given."""
        self.name = self.onewire.the_one(FAMILY, self.rom, "DS18B20")
        self.onewire.read(self.name)  # a first conversion, after which 85 Cel is no power-on value

    def read(self) -> dict[str, float]:
        """One conversion, up to 750 ms. Raises BusError, DataError."""
        pad = self.onewire.scratchpad(self.name)
        counts = int.from_bytes(pad[:2], "little", signed=True)
        fresh = counts != POWER_ON_COUNTS or pad[6] != POWER_ON_BYTE_6
        if not fresh or not LOWEST <= counts <= HIGHEST:
            raise DataError(
                f"{self.name}: {counts * CEL_PER_COUNT:.3f} Cel: no conversion; supply?"
            )
        self._note_bits(9 + (pad[4] >> 5 & 3))
        undefined = 12 - self.bits
        return {"temperature": (counts >> undefined << undefined) * CEL_PER_COUNT}

    def _note_bits(self, bits: int) -> None:
        """Say once that it does not convert as finely as it can."""
        if bits != self.bits and bits < 12:
            step = CEL_PER_COUNT * (1 << 12 - bits)
            how = f"echo 12 | sudo tee /sys/bus/w1/devices/{self.name}/resolution"
            log.warning("rom=%s bits=%d step=%g reason='set it:  %s'", self.name, bits, step, how)
        self.bits = bits


def check_rom(rom: str) -> None:
    """Raises ValueError that says what is wrong with the name of a device, and how it is right."""
    if not rom or ROM.fullmatch(rom):
        return
    example = "such as 28-0316a2791dff: type  ls /sys/bus/w1/devices"
    digits = re.sub(r"[^0-9a-f]", "", rom.lower()) if re.fullmatch(r"[0-9A-Fa-f .:-]+", rom) else ""
    if WHOLE_ROM.fullmatch(digits):  # all eight bytes, as other programs show them
        code = bytes.fromhex(digits)
        if crc8_maxim(code[:7]) != code[7]:
            raise ValueError(
                f"rom '{rom}': its checksum is {crc8_maxim(code[:7]):02x}, a digit is wrong"
            )
        raise ValueError(f"rom '{rom}': here it is written {FAMILY}-{code[6:0:-1].hex()}")
    if ROM.fullmatch(rom.lower()):
        raise ValueError(f"rom '{rom}': here it is written {rom.lower()}")
    raise ValueError(f"rom '{rom}': expected 28- and 12 digits 0-9 a-f, {example}")


class DS18B20Twin:
    """Converts at 12 bit; with a weak supply the power-on value stays."""

    def __init__(self) -> None:
        self.truth: Mapping[str, float] = {"temperature": 18.0}
        self.weak = False  #: too little supply for a conversion
        self.bits = 12  #: 9 to 12; what lies below is left over from before
        self.counting = True  #: byte 6 is 16 less the lowest four bits; in clones it stays 0C

    def power_on(self, now: float) -> None:
        """Scratchpad as delivered (figure 9)."""
        self.pad = bytes.fromhex("50054b467fff0c10")

    def scratchpad(self, now: float) -> tuple[bytes, float]:
        """A conversion of 750 ms, its nine bytes."""
        if self.weak:
            self.pad = bytes.fromhex("50054b467fff0c10")
        else:
            counts = min(max(round(self.truth["temperature"] * 16), -880), 2000)
            counts |= (1 << 12 - self.bits) - 1
            left = 16 - counts % 16 if self.counting else 0x0C
            rest = bytes([0x4B, 0x46, (self.bits - 9) << 5 | 0x1F, 0xFF, left, 0x10])
            self.pad = counts.to_bytes(2, "little", signed=True) + rest
        return self.pad + bytes([remainder(self.pad)]), 0.75


def remainder(data: bytes) -> int:
    """The same checksum as a division of polynomials, bits in the order of the wire."""
    bits = [byte >> n & 1 for byte in data for n in range(8)] + [0] * 8
    for at in range(len(bits) - 8):
        if bits[at]:
            for offset, term in enumerate((1, 0, 0, 1, 1, 0, 0, 0, 1)):
                bits[at + offset] ^= term
    return sum(bit << n for n, bit in enumerate(bits[-8:]))


VECTORS = tuple(
    Vector("DS18B20, table 1", [pad], {"temperature": celsius}, within=0.0)
    for pad, celsius in (
        ("d0 07 4b 46 7f ff 0c 10 f4", 125.0),
        ("91 01 4b 46 7f ff 0c 10 70", 25.0625),
        ("a2 00 4b 46 7f ff 0c 10 74", 10.125),
        ("08 00 4b 46 7f ff 0c 10 e2", 0.5),
        ("00 00 4b 46 7f ff 0c 10 c8", 0.0),
        ("f8 ff 4b 46 7f ff 0c 10 c3", -0.5),
        ("5e ff 4b 46 7f ff 0c 10 6a", -10.125),
        ("6f fe 4b 46 7f ff 0c 10 e8", -25.0625),
        ("90 fc 4b 46 7f ff 0c 10 4f", -55.0),
    )
)
DRIVER, TWIN = DS18B20, DS18B20Twin
