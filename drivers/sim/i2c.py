"""A simulated I2C bus: stands where smbus2.SMBus stands, as a whole; twins answer behind it.

Every call becomes messages to one `transfer`, as in the kernel (Linux, i2c/smbus-protocol);
errors are the kernel's OSErrors with the numbers of the Pi's bus driver (i2c-bcm2835).

Counterpart of drivers/bus/i2c.py.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from ctypes import memmove
from types import TracebackType

from smbus2 import I2cFunc, i2c_msg

from drivers.api import Timer
from drivers.sim.faults import Faults, Plugged
from drivers.sim.twin import I2CTwin, Nack

READ = 1  # I2C_M_RD
BLOCK = 32  # I2C_SMBUS_BLOCK_MAX
CLOCKS = 9  # of a byte: eight bits and the acknowledge (I2C-bus specification UM10204, 3.1.5)


class SimI2C:
    """A drop-in for `smbus2.SMBus`, with twins instead of wires; a message takes its time."""

    def __init__(self, timer: Timer, rate_hz: float = 100_000) -> None:
        self.timer, self.rate_hz = timer, rate_hz
        self.busy_s = 0.0  #: how long messages have taken so far
        self.longest_s = 0.0  #: the longest transaction: nothing else gets through meanwhile
        self.stuck = False  #: a chip holds SDA low: every transfer times out
        self.attached: dict[int, Plugged[I2CTwin]] = {}
        self.fd: int | None = 0
        self.funcs = I2cFunc(0)
        self.address: int | None = None
        self.force = False
        self.pec = 0
        self.open(1)

    # -- the simulation's own side -------------------------------------------------------------

    def attach(self, address: int, twin: I2CTwin, faults: Faults | None = None) -> Faults:
        """Plug a twin in and power it; its faults are returned to be switched."""
        one = Plugged(twin, faults or Faults())
        self.attached[address] = one
        twin.power_on(self.timer.monotonic())
        return one.faults

    def detach(self, address: int) -> None:
        """Unplug."""
        del self.attached[address]

    def transfer(self, messages: Sequence[i2c_msg]) -> None:
        """One combined transaction. Raises OSError as the kernel does."""
        if self.fd is None:
            raise error(errno.EBADF)
        if self.stuck:
            raise error(errno.ETIMEDOUT)
        before = self.busy_s
        for message in messages:
            self._message(message)
            took_s = (message.len + 1) * CLOCKS / self.rate_hz  # the address is a byte too
            self.busy_s += took_s
            if took_s:
                self.timer.sleep(took_s)
        self.longest_s = max(self.longest_s, self.busy_s - before)

    def _message(self, message: i2c_msg) -> None:
        one = self.attached.get(message.addr)
        if one is None or one.faults.unplugged:
            raise error(errno.EREMOTEIO)
        if one.faults.errno:
            raise error(one.faults.errno)
        if one.faults.slow_s:
            self.timer.sleep(one.faults.slow_s)
        one.freeze()
        now = self.timer.monotonic()
        try:
            if message.flags & READ:
                answer = one.faults.spoil(one.twin.read(message.len, now))
                memmove(message.buf, answer.ljust(message.len, b"\xff"), message.len)
            else:
                one.twin.write(bytes(message), now)
        except Nack as refusal:
            raise error(errno.EREMOTEIO) from refusal

    def _smbus(
        self, address: int, out: bytes | None, count: int = 0, *, block: bool = False
    ) -> bytes:
        """SMBus: write `out` (None: no write), then read; with the error byte if enabled."""
        self.address = address
        checked = b"" if out is None else bytes([address << 1]) + out
        messages = []
        if not count and self.pec and out:
            out += bytes([pec8(checked)])
        if out is not None:
            messages.append(i2c_msg.write(address, out))
        if count:
            checked += bytes([address << 1 | READ])
            answer = i2c_msg.read(address, count + (1 if self.pec else 0))
            messages.append(answer)
        self.transfer(messages)
        return self._checked(checked, bytes(answer), count, block) if count else b""

    def _checked(self, checked: bytes, answer: bytes, count: int, block: bool) -> bytes:
        if block:
            if not 1 <= answer[0] <= BLOCK:
                raise error(errno.EPROTO)
            count = 1 + answer[0]
        if self.pec and pec8(checked + answer[:count]) != answer[count]:
            raise error(errno.EBADMSG)
        return answer[:count]

    # -- smbus2.SMBus --------------------------------------------------------------------------

    def __enter__(self) -> SimI2C:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

    def open(self, bus: int | str) -> None:
        """Open; the number does not matter."""
        self.fd, self.funcs = 0, I2cFunc(0x0EFF_0009)

    def close(self) -> None:
        """Close; transfers fail until `open`."""
        self.fd = None

    def enable_pec(self, enable: bool = True) -> None:
        """Append and check the packet error code."""
        self.pec = int(enable)

    def write_quick(self, i2c_addr: int, force: bool | None = None) -> None:
        """A bare address."""
        self._smbus(i2c_addr, b"")

    def read_byte(self, i2c_addr: int, force: bool | None = None) -> int:
        """One byte, without a register."""
        return self._smbus(i2c_addr, None, 1)[0]

    def write_byte(self, i2c_addr: int, value: int, force: bool | None = None) -> None:
        """One byte, without a register."""
        self._smbus(i2c_addr, bytes([value]))

    def read_byte_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        """One byte of a register."""
        return self._smbus(i2c_addr, bytes([register]), 1)[0]

    def write_byte_data(
        self, i2c_addr: int, register: int, value: int, force: bool | None = None
    ) -> None:
        """One byte to a register."""
        self._smbus(i2c_addr, bytes([register, value]))

    def read_word_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        """Two bytes of a register, low byte first."""
        return int.from_bytes(self._smbus(i2c_addr, bytes([register]), 2), "little")

    def write_word_data(
        self, i2c_addr: int, register: int, value: int, force: bool | None = None
    ) -> None:
        """Two bytes to a register, low byte first."""
        self._smbus(i2c_addr, bytes([register]) + value.to_bytes(2, "little"))

    def process_call(
        self, i2c_addr: int, register: int, value: int, force: bool | None = None
    ) -> int:
        """Write a word, read a word, as one transaction."""
        out = bytes([register]) + value.to_bytes(2, "little")
        return int.from_bytes(self._smbus(i2c_addr, out, 2), "little")

    def read_block_data(self, i2c_addr: int, register: int, force: bool | None = None) -> list[int]:
        """A block whose length the chip tells first."""
        return list(self._smbus(i2c_addr, bytes([register]), 1 + BLOCK, block=True)[1:])

    def write_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int], force: bool | None = None
    ) -> None:
        """A block, its length first."""
        self._smbus(i2c_addr, bytes([register, short(data), *data]))

    def block_process_call(
        self, i2c_addr: int, register: int, data: Sequence[int], force: bool | None = None
    ) -> list[int]:
        """Write a block, read a block, as one transaction."""
        out = bytes([register, short(data), *data])
        return list(self._smbus(i2c_addr, out, 1 + BLOCK, block=True)[1:])

    def read_i2c_block_data(
        self, i2c_addr: int, register: int, length: int, force: bool | None = None
    ) -> list[int]:
        """`length` bytes from a register on, 32 at the most, else it raises ValueError."""
        if length > BLOCK:
            raise ValueError(f"Desired block length over {BLOCK} bytes")
        return list(self._smbus(i2c_addr, bytes([register]), length)) if length else []

    def write_i2c_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int], force: bool | None = None
    ) -> None:
        """Bytes to a register on, 32 at the most."""
        short(data)
        self._smbus(i2c_addr, bytes([register, *data]))

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Messages as one combined transaction."""
        self.transfer(i2c_msgs)


def error(number: int) -> OSError:
    """The kernel's error."""
    return OSError(number, os.strerror(number))


def short(data: Sequence[int]) -> int:
    """The length of a block. Raises ValueError over 32 bytes, as smbus2 does."""
    if len(data) > BLOCK:
        raise ValueError(f"Data length cannot exceed {BLOCK} bytes")
    return len(data)


def pec8(data: bytes) -> int:
    """SMBus packet error code: CRC-8, x^8 + x^2 + x + 1, start 0 (SMBus 3.1, 5.4.1)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc
