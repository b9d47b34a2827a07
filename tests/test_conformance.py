"""Every driver against its twin. A new driver in drivers/sensors/ is tested without a new line.

What the rules have to know of it, it declares itself: truths come from its quantities and from
what its twin `feels`, times from `warm_up_s`, `setup_s` and `read_s`, published bytes from its
VECTORS. drivers/README.md says the same for who writes one.
"""

from __future__ import annotations

import ast
import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.codec.messages import SENSOR_BACK, STANDS_STILL
from agent.measure.instrument import Instrument
from agent.model.schema import quantity_kinds
from drivers.api import BusError, DataError, DeviceError, WarmingUp
from tests.driver_kit import (
    READ_S,
    SETUP_S,
    Bench,
    module_of,
    names_with,
    replayed,
    truths,
    where,
)

WIRING = Path(__file__).parents[1] / "hw" / "wiring"
ERRNOS = (errno.EIO, errno.ETIMEDOUT, errno.EREMOTEIO, errno.ENXIO, errno.EAGAIN, errno.ENODEV)
BUSES = ("I2C 0x", "serial", "1-wire")


def bus_error(name: str, act: Callable[[], object], what: str) -> None:
    fails_as(
        BusError,
        act,
        f"{where(name)}: {what} ends as if nothing were wrong: let the bus's BusError through"
        " (setup() and read() have to speak to the chip, and to catch nothing)",
    )


def fails_as(error: type[DeviceError], act: Callable[[], object], else_told: str) -> None:
    try:
        act()
    except error:
        return
    pytest.fail(else_told)


@pytest.fixture(params=names_with("read"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_sets_up_and_reads_what_it_says_it_measures(name: str) -> None:
    bench = Bench(name).ready()
    for _ in range(2):
        values = bench.read()
        assert values.keys() == bench.driver.quantities.keys(), (
            f"{where(name)}: read() tells {sorted(values)}, `quantities` say"
            f" {sorted(bench.driver.quantities)}: name the same in both; if its first value takes"
            " a time after setup(), declare it as warm_up_s"
        )
        bench.ready()  # setup is safe to call again


def test_until_it_is_warm_it_says_so(name: str) -> None:
    bench = Bench(name)
    bench.driver.setup()
    if not bench.warm_up_s:
        first = bench.read()
        assert first, f"{where(name)}: nothing after setup(): declare warm_up_s"
        for quantity, meant in bench.driver.quantities.items():
            right = bench.twin.truth[quantity]
            assert first[quantity] == pytest.approx(right, abs=meant.resolves(right) * 1.0001), (
                f"{where(name)}: the first read() after setup() tells {quantity} ="
                f" {first[quantity]}, the twin feels {right}: wait in setup() until a result is"
                " there, or declare warm_up_s"
            )
        return
    with pytest.raises(WarmingUp) as caught:
        bench.read()
    left_s, declared_s = caught.value.left_s, bench.driver.warm_up_s
    assert 0 < left_s <= declared_s, (
        f"{where(name)}: WarmingUp says {left_s} s just after setup(), warm_up_s is {declared_s}"
    )


def test_the_truth_comes_back_as_finely_as_it_says_over_the_range(name: str) -> None:
    bench = Bench(name).ready()
    unfelt = bench.driver.quantities.keys() - bench.twin.truth.keys()
    assert not unfelt, f"{where(name)}: the twin's `truth` has no {sorted(unfelt)}"
    for truth in truths(bench):
        bench.twin.truth = {**bench.twin.truth, **truth}
        read = bench.after_a_while()
        for quantity, meant in bench.driver.quantities.items():
            found, right = read.get(quantity), truth[quantity]
            finest = meant.resolves(right) * 1.0001
            assert found is not None and abs(found - right) <= finest, (  # noqa: PT018
                f"{where(name)}: the twin feels {truth}, the driver reads {quantity} = {found},"
                f" off by more than {finest:g}: a slip in the conversion, or give the Quantity a"
                " larger step or a `resolution`, or the twin a narrower `feels`"
            )
            assert meant.low - finest <= found <= meant.high + finest


def test_its_published_bytes_are_read_as_published(name: str) -> None:
    vectors = getattr(module_of(name), "VECTORS", ())
    assert vectors, (
        f"{where(name)}: no VECTORS: write down an example of the datasheet as a"
        " drivers.vector.Vector, bytes and values"
    )
    for vector in vectors:
        read, written = replayed(name, vector)
        for quantity, value in vector.values.items():
            assert read.get(quantity) == pytest.approx(value, abs=vector.within), (
                f"{where(name)}: {vector.source}: {' | '.join(vector.said)} is {vector.values},"
                f" the driver reads {dict(read)}"
            )
        assert vector.told is None or list(vector.told) == written, (
            f"{where(name)}: {vector.source}: the driver writes {written}, not {vector.told}"
        )


def test_an_absent_chip_is_a_bus_error(name: str) -> None:
    bench = Bench(name)
    bench.faults.unplugged = True
    bus_error(name, bench.driver.setup, "setup() without its chip")
    bench.faults.unplugged = False
    bench.ready()
    bench.faults.unplugged = True
    bus_error(name, bench.read, "read() without its chip")


def test_every_errno_is_a_bus_error_and_the_chip_comes_back(name: str) -> None:
    for number in ERRNOS:
        bench = Bench(name).ready()
        bench.faults.errno = number
        bus_error(name, bench.read, f"read() on a bus that says {errno.errorcode[number]}")
        bus_error(name, bench.driver.setup, f"setup() on a bus that says {errno.errorcode[number]}")
        bench.faults.errno = 0
        bench.ready()
        assert bench.read()


def test_flipped_bits_are_noticed_where_the_chip_has_a_checksum(name: str) -> None:
    bench = Bench(name).ready()
    checked = bench.said("checksum", None)
    assert checked is not None, (
        f"{where(name)}: does the chip send a checksum? Declare checksum = True (and verify it) or"
        f" checksum = False in class {type(bench.driver).__name__}"
    )
    if not checked:
        pytest.skip("this chip sends no checksum")
    bench.faults.flip = 1.0
    for _ in range(20):
        fails_as(
            DeviceError,
            bench.after_a_while,
            f"{where(name)}: with a bit flipped on the bus"
            " read() ends as if nothing were wrong: verify the checksum and raise BusError",
        )
    bench.faults.flip = 0.0
    bench.ready()
    assert bench.read()


def test_after_a_brown_out_it_is_right_or_says_so_and_setup_brings_it_back(name: str) -> None:
    bench = Bench(name).ready()
    right = bench.read()
    bench.twin.power_on(bench.clock.monotonic())
    bench.clock.sleep(60)
    try:
        for _ in range(3):
            bench.clock.sleep(6)
            values = bench.read()
            assert all(values[key] == pytest.approx(right[key]) for key in values), (
                f"{where(name)}: after a loss of supply it reads {dict(values)} where {dict(right)}"
                " is right: notice it and raise DataError"
            )
    except DeviceError:
        pass
    bench.ready()
    assert bench.read() == pytest.approx(right)


def test_another_chip_at_the_address_is_refused(name: str) -> None:
    bench = Bench(name)
    other = getattr(bench.twin, "other_chip", {})
    if not other:
        pytest.skip("this chip has no id")
    for register, value in other.items():
        bench.twin.put(register, value)
    fails_as(
        DataError,
        bench.driver.setup,
        f"{where(name)}: setup() takes the twin's `other_chip`"
        " for its own: read the identity and raise DataError where it is another's",
    )


def test_it_keeps_to_its_time(name: str) -> None:
    bench = Bench(name)
    bench.driver.setup()
    for act, most_s, key in (
        (lambda: None, bench.said("setup_s", SETUP_S), "setup_s"),
        (bench.read, bench.said("read_s", READ_S), "read_s"),
    ):
        before = bench.clock.monotonic() if key == "read_s" else 0.0
        act()
        took_s = bench.clock.monotonic() - before
        assert took_s <= most_s, f"{where(name)}: {took_s:.2f} s: declare {key}, or wait less"
        bench.clock.sleep(bench.warm_up_s)


def test_a_slow_chip_is_still_read(name: str) -> None:
    bench = Bench(name).ready()
    bench.faults.slow_s = 0.01
    assert bench.after_a_while().keys() == bench.driver.quantities.keys()


def test_a_chip_that_moves_is_well_and_a_frozen_one_is_found_out(name: str) -> None:
    bench = Bench(name)
    quantities = bench.driver.quantities
    may_s = dict.fromkeys(quantities, 600.0)  # instead of days
    instrument = Instrument(name, bench.driver, bench.clock, still_s=may_s)
    instrument.prepare()
    bench.clock.sleep(bench.warm_up_s)
    rest, air = dict(bench.twin.truth), dict(bench.twin.truth)
    bench.twin.truth = air
    steps = {one: 2 * meant.resolves(rest[one]) for one, meant in quantities.items()}

    def told(minutes: int) -> list[int]:
        codes = []
        for minute in range(minutes):
            air.update({one: rest[one] + minute % 3 * step for one, step in steps.items()})
            assert instrument.ask()
            codes += [one.code for one in instrument.news()]
            instrument.clock.sleep(60)
        return codes

    assert told(30) == [], f"{where(name)}: {instrument.reason} while it moves"
    assert instrument.state == "ok", f"{where(name)}: {instrument.reason}"
    bench.faults.frozen = True
    codes = told(30)
    assert instrument.state == "still", (
        f"{where(name)}: frozen for 30 min, it is {instrument.state}: what do its `counts` tell?"
    )
    assert codes == [STANDS_STILL] * len(quantities)
    bench.faults.frozen = False
    assert told(4) == [SENSOR_BACK]


def test_nothing_it_measures_may_stand_still_for_ever(name: str) -> None:
    sensor = Bench(name).driver
    for quantity, meant in sensor.quantities.items():
        may_s = {quantity: quantity_kinds()[meant.kind].still_s, **getattr(sensor, "still_s", {})}
        assert may_s[quantity] > 0, f"{where(name)}: {quantity}: declare still_s, seconds"


def test_its_page_its_kinds_and_its_docstring_are_there(name: str) -> None:
    for quantity, meant in Bench(name).driver.quantities.items():
        assert meant.kind in quantity_kinds(), (
            f"{where(name)}: {quantity}: no kind '{meant.kind}' in hw/schemas/quantities.toml;"
            f" there are {', '.join(sorted(quantity_kinds()))}"
        )
    text = module_of(name).__doc__ or ""
    assert "Datasheet" in text, f"{where(name)}: its docstring names no 'Datasheet: <which>'"
    assert any(bus in text for bus in BUSES), f"{where(name)}: its docstring names none of {BUSES}"
    file = Path(where(name))
    pages = (WIRING / f"{name}.md", file.with_suffix(".md"))
    assert any(page.exists() for page in pages), f"{pages[0]}: missing: how is the chip wired?"
    last = ast.unparse(ast.parse(file.read_text(encoding="utf-8")).body[-1])
    assert last.startswith("DRIVER, TWIN = "), f"{file}: its last line is DRIVER, TWIN = ..."
