"""Simulated buses are drop-ins for the real libraries; the buses say what to do."""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import serial
import smbus2
from smbus2 import i2c_msg

from agent.clock import Clock, VirtualClock
from agent.config import parse
from agent.measure.buses import MachineBuses
from agent.measure.driver_registry import find
from agent.measure.instrument import Instrument
from agent.model.schema import Missing
from agent.node import make_instruments
from agent.plan import make_plan
from agent.simulate import SimBuses, make_world
from drivers.api import BusError, DataError, Quantity
from drivers.bus.i2c import I2C, KernelBus
from drivers.bus.pins import Pins
from drivers.bus.port import Port
from drivers.registers import Bits, Register
from drivers.sensors.pms5003 import PMS5003Twin
from drivers.sensors.sht4x import SHT4xTwin
from drivers.sim.i2c import SimI2C, pec8
from drivers.sim.pins import SimPins
from drivers.sim.port import SimPort
from drivers.sim.twin import RegisterTwin


class Memory(RegisterTwin):
    """A chip of plain registers."""

    defaults = {n: n ^ 0x5A for n in range(256)}
    truth: Mapping[str, float] = {}


class Pec(RegisterTwin):
    """A chip that appends and checks the packet error code, as SMBus 3.1 says."""

    truth: Mapping[str, float] = {}

    def write(self, data: bytes, now: float) -> None:
        self.heard = data
        if len(data) > 1:
            assert pec8(bytes([0x20 << 1]) + data[:-1]) == data[-1]

    def read(self, length: int, now: float) -> bytes:
        answer = bytes(range(1, length))
        head = bytes([0x20 << 1]) + self.heard + bytes([0x20 << 1 | 1])
        return answer + bytes([pec8(head + answer)])


class Counted(RegisterTwin):
    """A chip that tells the length of a block first."""

    truth: Mapping[str, float] = {}
    block = b"\x03abc"

    def read(self, length: int, now: float) -> bytes:
        return self.block.ljust(length, b"\xff")


@pytest.fixture
def bus(clock: VirtualClock) -> SimI2C:
    one = SimI2C(clock)
    one.attach(0x10, Memory())
    return one


def test_it_has_every_method_of_smbus2_with_the_same_parameters() -> None:
    for name, method in inspect.getmembers(smbus2.SMBus, inspect.isfunction):
        if not name.startswith("_"):
            ours = inspect.signature(getattr(SimI2C, name)).parameters
            assert list(ours) == list(inspect.signature(method).parameters), name
    bus = SimI2C(VirtualClock())
    assert all(hasattr(bus, name) for name in ("fd", "funcs", "address", "force", "pec"))


def test_bytes_words_and_blocks(bus: SimI2C) -> None:
    with bus as one:
        one.write_quick(0x10)
        one.write_byte(0x10, 7)
        assert one.read_byte(0x10) == 7 ^ 0x5A
        one.write_byte_data(0x10, 3, 0xAA)
        assert one.read_byte_data(0x10, 3) == 0xAA
        one.write_word_data(0x10, 4, 0x1234)
        assert one.read_word_data(0x10, 4) == 0x1234
        assert one.process_call(0x10, 8, 0xBEEF) == 0xBEEF
        one.write_i2c_block_data(0x10, 16, [1, 2, 3])
        assert one.read_i2c_block_data(0x10, 16, 3) == [1, 2, 3]
        assert one.read_i2c_block_data(0x10, 16, 0) == []
        one.write_block_data(0x10, 32, [9, 8])
        assert one.read_i2c_block_data(0x10, 32, 3) == [2, 9, 8]
    with pytest.raises(OSError, match="Bad file"):
        bus.read_byte(0x10)


def test_blocks_whose_length_the_chip_tells(bus: SimI2C) -> None:
    twin = Counted()
    bus.attach(0x11, twin)
    assert bus.read_block_data(0x11, 0) == [*b"abc"]
    assert bus.block_process_call(0x11, 0, [1, 2]) == [*b"abc"]
    twin.block = b"\x21"
    with pytest.raises(OSError, match="Protocol"):
        bus.read_block_data(0x11, 0)


def test_a_combined_transaction_goes_on_without_a_stop(bus: SimI2C) -> None:
    answer = smbus2.i2c_msg.read(0x10, 2)
    bus.i2c_rdwr(smbus2.i2c_msg.write(0x10, [5]), answer)
    assert [*bytes(answer)] == [5 ^ 0x5A, 6 ^ 0x5A]


def test_blocks_stop_at_32_bytes_as_in_smbus2(bus: SimI2C) -> None:
    for call in (
        lambda: bus.read_i2c_block_data(0x10, 0, 33),
        lambda: bus.write_i2c_block_data(0x10, 0, [0] * 33),
        lambda: bus.write_block_data(0x10, 0, [0] * 33),
    ):
        with pytest.raises(ValueError, match="32 bytes"):
            call()


def test_the_packet_error_code_is_appended_and_checked(bus: SimI2C) -> None:
    bus.attach(0x20, Pec())
    bus.enable_pec(True)
    bus.write_byte_data(0x20, 1, 2)
    assert bus.read_word_data(0x20, 1) == 0x0201
    with pytest.raises(OSError, match="Bad message"):
        bus.read_byte_data(0x10, 0)
    bus.enable_pec(False)
    assert bus.read_byte_data(0x10, 0) == 0x5A


def test_errors_are_the_kernels(bus: SimI2C, clock: VirtualClock) -> None:
    with pytest.raises(OSError, match="Remote I/O") as caught:
        bus.read_byte(0x33)
    assert caught.value.errno == errno.EREMOTEIO
    bus.attached[0x10].faults.slow_s = 2.0
    before = clock.monotonic()
    bus.read_byte(0x10)
    assert clock.monotonic() == pytest.approx(before + 2, abs=1e-3)
    bus.stuck = True
    with pytest.raises(OSError, match="timed out"):
        bus.read_byte(0x10)
    bus.stuck = False
    bus.detach(0x10)
    with pytest.raises(OSError, match="Remote I/O"):
        bus.read_byte(0x10)


def test_a_chip_that_is_asked_too_early_does_not_acknowledge(clock: VirtualClock) -> None:
    bus = SimI2C(clock)
    bus.attach(0x44, SHT4xTwin())
    clock.sleep(0.001)
    bus.write_byte(0x44, 0xFD)
    with pytest.raises(OSError, match="Remote I/O"):
        bus.read_byte(0x44)


def test_a_tape_takes_down_what_goes_over_a_bus(bus: SimI2C, clock: VirtualClock) -> None:
    i2c = I2C(bus, clock)
    i2c.tape = []
    i2c.write_read(0x10, b"\x01", 2)
    assert i2c.tape == ["w 10 01", "r 10 5b 58"]


def test_a_bus_that_is_not_switched_on_says_how(clock: VirtualClock) -> None:
    with pytest.raises(BusError, match="0x44: /dev/i2c-77: is I2C switched on"):
        I2C(KernelBus("i2c-77"), clock).read(0x44, 1)


def test_a_bus_that_is_not_there_names_those_that_are(tmp_path: Path, clock: VirtualClock) -> None:
    for name in ("i2c-20", "i2c-1"):
        (tmp_path / name).touch()
    with pytest.raises(BusError, match="i2c-3: is not there; there is i2c-1, i2c-20"):
        I2C(KernelBus("i2c-3", tmp_path), clock).read(0x44, 1)


class Adapter:
    """An adapter that may be pulled out: then every handle opened before is dead for ever."""

    def __init__(self, path: Path, answers: Sequence[int]) -> None:
        self.path, self.answers, self.opened, self.closed = path, list(answers), 0, 0

    def open(self, path: str) -> Handle:
        self.opened += 1
        return Handle(self, os.open(path, os.O_RDWR))


class Handle:
    """What smbus2.SMBus is to the kernel's bus."""

    def __init__(self, adapter: Adapter, fd: int) -> None:
        self.adapter, self.fd = adapter, fd

    def i2c_rdwr(self, *messages: smbus2.i2c_msg) -> None:
        number = self.adapter.answers.pop(0)
        if number:
            raise OSError(number, os.strerror(number))

    def close(self) -> None:
        self.adapter.closed += 1
        os.close(self.fd)


@pytest.mark.parametrize(
    ("answers", "opened"),
    [
        ([0, errno.ENODEV, 0], 2),
        ([0, errno.EIO, 0], 2),
        ([0, errno.EREMOTEIO, 0], 1),  # only this chip did not answer
        ([0, errno.ENXIO, errno.ENXIO], 1),
    ],
)
def test_a_dead_handle_is_opened_anew_and_none_is_left(
    tmp_path: Path, clock: VirtualClock, answers: list[int], opened: int
) -> None:
    (tmp_path / "i2c-1").touch()
    adapter = Adapter(tmp_path / "i2c-1", answers)
    i2c = I2C(KernelBus("i2c-1", tmp_path, adapter.open), clock)  # type: ignore[arg-type]
    for number in answers:
        with pytest.raises(BusError) if number else contextlib.nullcontext():
            i2c.read(0x44, 1)
    assert adapter.opened == opened
    assert adapter.closed == opened - 1


# -- further I2C buses, as the kernel makes them of a multiplexer ---------------------------------

CHANNELS = """
node = { name = "ruhr" }
[[instrument]]
name = "left"
driver = "sht4x"
bus = "i2c-11"
[[instrument]]
name = "right"
driver = "sht4x"
bus = "i2c-12"
[[instrument]]
name = "upstream"
driver = "sht4x"
bus = "i2c-1"
address = 0x45
[[instrument]]
name = "river"
driver = "a02yyuw"
bus = "/dev/serial0"
mount_height_m = 6.0
inputs = { temperature = "left.temperature" }
[[table]]
name = "air"
interval_s = 60
columns = [{ name = "left", from = "left.temperature" }]
"""


@pytest.fixture
def channels(tmp_path: Path, clock: VirtualClock) -> tuple[SimBuses, dict[str, Instrument]]:
    config, source = parse(tmp_path / "node.toml", CHANNELS)
    buses = SimBuses(clock, clock.true_utc, make_world(config, source), {})
    instruments = make_instruments(make_plan(config, source, buses), clock)
    for name, cel in (("left", 5.0), ("right", -5.0), ("upstream", 20.0)):
        buses.twins[name].truth = {**buses.twins[name].truth, "temperature": cel}
    return buses, instruments


def temperatures(instruments: dict[str, Instrument]) -> list[object]:
    values = [instruments[name].ask()["temperature"] for name in ("left", "right", "upstream")]
    return [one if isinstance(one, Missing) else round(one) for one in values]


def test_one_address_on_two_buses_is_two_chips(
    channels: tuple[SimBuses, dict[str, Instrument]],
) -> None:
    buses, instruments = channels
    assert sorted(buses.buses) == ["i2c-1", "i2c-11", "i2c-12"]
    assert temperatures(instruments) == [5, -5, 20]
    buses.faults["right"].unplugged = True
    assert temperatures(instruments) == [5, Missing.FAILED, 20]


def test_a_stuck_channel_does_not_stop_the_others(
    channels: tuple[SimBuses, dict[str, Instrument]], clock: VirtualClock
) -> None:
    buses, instruments = channels
    buses.buses["i2c-11"].stuck = True
    assert temperatures(instruments) == [Missing.FAILED, -5, 20]
    assert instruments["left"].reason == "0x44: Connection timed out"
    buses.buses["i2c-11"].stuck = False
    clock.sleep(2)
    assert temperatures(instruments) == [5, -5, 20]


def test_a_gauge_takes_the_air_of_an_instrument_on_another_bus(
    channels: tuple[SimBuses, dict[str, Instrument]],
) -> None:
    buses, instruments = channels
    buses.twins["river"].truth = {"distance": 4.0, "temperature": 5.0}
    assert instruments["river"].ask()["level"] == pytest.approx(1.895, abs=0.001)  # 11 cm wrong
    instruments["left"].ask()
    assert instruments["river"].ask()["level"] == pytest.approx(2.0, abs=0.001)


def test_each_bus_of_the_kernel_is_opened_by_itself(clock: VirtualClock, tmp_path: Path) -> None:
    config, _ = parse(tmp_path / "node.toml", CHANNELS)
    buses = MachineBuses(clock)
    left, right, again = (buses.bus(config.instrument[index], find("sht4x")) for index in (0, 1, 0))
    assert left is again
    assert isinstance(left, I2C)
    assert isinstance(right, I2C)
    assert left.lock is not right.lock
    paths = [str(vars(one.bus)["path"]) for one in (left, right)]
    assert paths == ["/dev/i2c-11", "/dev/i2c-12"]


# -- the driver of the style page, as a third party would write it ------------------------------


class TMP117:
    """Texas Instruments TMP117: temperature, I2C 0x48 (SNOSD82D, table 7-3, 7.6.11)."""

    quantities = {"temperature": Quantity("temperature", 0.01, -55, 150)}
    result = Register(0x00, size=2, signed=True)
    identity = Bits(Register(0x0F, size=2), 0x0FFF)

    def __init__(self, i2c: I2C, address: int = 0x48) -> None:
        self.i2c, self.address = i2c, address

    def setup(self) -> None:
        if self.identity != 0x117:
            raise DataError(f"0x{self.address:02x}: not a TMP117")
        self.i2c.pause(0.13)

    def read(self) -> dict[str, float]:
        counts = self.result
        if counts == -0x8000:
            raise DataError(f"0x{self.address:02x}: no result since power-up")
        return {"temperature": counts / 128}


class TMP117Twin(RegisterTwin):
    defaults = {0x00: 0x80, 0x1E: 0x01, 0x1F: 0x17}

    def __init__(self) -> None:
        self.truth = {"temperature": 21.5}

    def power_on(self, now: float) -> None:
        super().power_on(now)
        self.first = now + 0.125

    def read(self, length: int, now: float) -> bytes:
        if now >= self.first:
            counts = round(self.truth["temperature"] * 128)
            self.memory[0:2] = counts.to_bytes(2, "big", signed=True)
        start = 2 * self.pointer
        return bytes(self.memory[start : start + length])


def test_a_driver_with_its_twin_can_be_this_short(clock: VirtualClock) -> None:
    bus, twin = SimI2C(clock), TMP117Twin()
    bus.attach(0x48, twin)
    chip = TMP117(I2C(bus, clock))
    with pytest.raises(DataError, match="no result"):
        chip.read()
    chip.setup()
    for value in (-55.0, -0.5, 0.0, 25.25, 150.0):
        twin.truth = {"temperature": value}
        assert chip.read() == {"temperature": value}
    twin.memory[0x1F] = 0
    with pytest.raises(DataError, match="not a TMP117"):
        chip.setup()


class Fields:
    """A chip with fields of a register."""

    low = Bits(Register(0x20), 0x0F)
    high = Bits(Register(0x20), 0xF0)
    word = Register(0x30, 2, signed=True, order="little")

    def __init__(self, i2c: I2C) -> None:
        self.i2c, self.address = i2c, 0x10


def test_assigning_bits_clears_them_first_and_keeps_the_others(
    bus: SimI2C, clock: VirtualClock
) -> None:
    chip = Fields(I2C(bus, clock))
    chip.low, chip.high = 0xF, 0x3
    chip.low = 0x1
    assert (chip.low, chip.high) == (0x1, 0x3)
    chip.word = -2
    assert chip.word == -2
    with pytest.raises(ValueError, match="does not fit"):
        chip.low = 16


# -- serial --------------------------------------------------------------------------------------


class Echo:
    """A device that says what it is told to, in pieces."""

    baudrate = 9600
    truth: Mapping[str, float] = {}

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def power_on(self, now: float) -> None:
        self.heard = b""

    def receive(self, data: bytes, now: float) -> None:
        self.heard += data

    opened = False

    def send(self, now: float) -> bytes:
        if not self.opened:  # opening a port forgets what came before
            self.opened = True
            return b""
        return self.pieces.pop(0) if self.pieces else b""


def test_the_port_has_what_serial_has(clock: VirtualClock) -> None:
    names = [name for name in dir(serial.Serial) if not name.startswith("_")]
    port = SimPort(clock, Echo())
    missing = [name for name in names if not hasattr(port, name)]
    assert missing == ["BAUDRATE_CONSTANTS"]  # numbers of Linux's own
    for name in ("cancel_read", "cancel_write", "nonblocking"):
        getattr(port, name)()
    port.set_input_flow_control(True)
    port.set_output_flow_control(False)
    port.set_low_latency_mode(True)


def test_published_ways_of_reading_work(clock: VirtualClock) -> None:
    port = SimPort(clock, Echo(b"one\ntwo\r\n", b"three"), timeout=1)
    assert port.readline() == b"one\n"
    assert port.read_until(b"\r\n") == b"two\r\n"
    before = clock.monotonic()
    assert port.read(9) == b"three"
    assert clock.monotonic() - before == pytest.approx(1, abs=0.05)
    buffer = bytearray(4)
    assert port.readinto(buffer) == 0
    assert port.write(b"hello") == 5
    port.flush()
    port.reset_output_buffer()
    port.send_break(0.1)
    assert (port.out_waiting, port.cts, port.dsr) == (0, False, False)
    port.dtr = port.rts = True
    port.close()
    with pytest.raises(serial.SerialException):
        port.read()
    port.open()
    with pytest.raises(serial.SerialException, match="already open"):
        port.open()


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        ((b"OK\r\n", b"+JOINED\r\n"), [b"OK", b"+JOINED", b""]),
        ((b"\r\nOK\r", b"\n\rERR\n"), [b"OK", b"ERR", b""]),
        ((b"OK", b"", b"AY\n"), [b"OKAY", b""]),
    ],
)
def test_lines_end_with_cr_lf_or_both(
    clock: VirtualClock, said: tuple[bytes, ...], lines: list[bytes]
) -> None:
    port = Port("sim", 9600, clock, SimPort(clock, Echo(*said)))
    assert [port.read_line(0.5) for _ in lines] == lines


def test_ten_kilobytes_without_a_line_end_do_not_grow(clock: VirtualClock) -> None:
    port = Port("sim", 9600, clock, SimPort(clock, Echo(b"x" * 10_000)))
    assert len(port.read_line(5.0)) == 512


def test_a_port_that_is_not_there_says_so(clock: VirtualClock) -> None:
    port = Port("/dev/ttyNONE", 9600, clock)
    for use in (lambda: port.write(b"x"), lambda: port.read(1, 0.1), port.discard):
        with pytest.raises(BusError, match="/dev/ttyNONE: not there: is it plugged in"):
            use()
    port.close()


def test_a_port_is_opened_anew_after_an_error(clock: VirtualClock) -> None:
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    port = Port(name, 9600, Clock())
    port.tape = []
    port.discard()
    os.write(ours, b"hello\r\n")
    assert port.read_line(1.0) == b"hello"
    port.write(b"AT\r\n")
    assert os.read(ours, 10) == b"AT\r\n"
    assert port.tape[-1] == "w 41 54 0d 0a"
    with pytest.raises(BusError, match=r"in use|busy|lock"):
        Port(name, 9600, clock).write(b"x")
    os.close(ours)
    os.close(theirs)
    with pytest.raises(BusError):
        port.read(2, 0.1)  # one byte is here already: the end of the line above
    port.close()


def test_bytes_are_garbage_at_another_speed(clock: VirtualClock) -> None:
    port = SimPort(clock, PMS5003Twin(), baudrate=115_200, timeout=2)
    assert b"BM" not in port.read(32)


# -- pins ----------------------------------------------------------------------------------------


def test_pins_are_written_and_read(clock: VirtualClock) -> None:
    library = SimPins()
    pins = Pins(library)
    pins.write(17, True)
    assert library.levels[17] == 1
    assert pins.read(4) is True
    assert pins.read(5, pull_up=False) is False
    seen: list[int] = []
    library.watchers[17] = seen.append
    pins.write(17, False)
    assert seen[-1] == 0
    library.cleanup()


def test_pins_that_cannot_be_used_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "RPi", None)
    with pytest.raises(BusError, match=f"{sys.executable} -m pip install 'stadtsinn.pi.'"):
        Pins().read(4)
    monkeypatch.undo()

    class Broken(SimPins):
        def setup(self, *_: object, **__: object) -> None:
            raise RuntimeError("Cannot determine SOC peripheral base address")

    for use in (lambda: Pins(Broken()).read(4), lambda: Pins(Broken()).write(4, True)):
        with pytest.raises(BusError, match="pin 4: Cannot determine"):
            use()


def test_an_old_library_on_a_pi_5_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "RPi").mkdir()
    (tmp_path / "RPi" / "__init__.py").touch()
    broken = 'raise RuntimeError("Cannot determine SOC peripheral base address")\n'
    (tmp_path / "RPi" / "GPIO.py").write_text(broken)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("RPi", "RPi.GPIO"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(BusError, match="on a Pi 5 install rpi-lgpio"):
        Pins().read(4)


def test_simulated_pins_are_as_strict_as_the_library() -> None:
    library = SimPins()
    with pytest.raises(RuntimeError, match="numbering mode"):
        library.setup(4, SimPins.OUT)
    library.setmode(SimPins.BCM)
    library.setwarnings(False)
    with pytest.raises(RuntimeError, match="OUTPUT"):
        library.output(4, 1)
    with pytest.raises(RuntimeError, match="setup"):
        library.input(4)
    library.setup([4, 5], SimPins.OUT, initial=SimPins.HIGH)
    assert library.input(5) == 1
    library.cleanup(4)
    assert 4 not in library.modes


def test_a_transfer_takes_nine_clocks_a_byte_at_the_rate_of_the_bus() -> None:
    for rate_hz in (100_000, 400_000):
        clock = VirtualClock()
        bus = SimI2C(clock, rate_hz)
        bus.attach(0x48, TMP117Twin())
        before = clock.monotonic()
        I2C(bus, clock).write_read(0x48, b"\x0f", 2)
        assert clock.monotonic() - before == pytest.approx((2 + 3) * 9 / rate_hz)
        assert bus.longest_s == bus.busy_s == pytest.approx((2 + 3) * 9 / rate_hz)


def test_who_has_waited_for_the_bus_is_next() -> None:
    order: list[str] = []
    first_in, go = threading.Event(), threading.Event()

    class Slow:
        """Keeps its first caller until it may go."""

        def i2c_rdwr(self, *messages: i2c_msg) -> None:
            order.append(f"{messages[0].addr:02x}")
            first_in.set()
            go.wait(10)

    bus = I2C(Slow(), VirtualClock())

    def burst() -> None:
        for _ in range(5):
            bus.write(0x6A, b"\x78")

    long, short = (
        threading.Thread(target=burst),
        threading.Thread(target=bus.write, args=(0x1D, b"")),
    )
    long.start()
    assert first_in.wait(10)
    short.start()
    while not bus.turn.locked():  # until it waits for the bus
        pass
    go.set()
    long.join()
    short.join()
    assert order.index("1d") <= 2
