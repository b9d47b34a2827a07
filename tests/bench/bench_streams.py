"""Two streams: every sample accounted for over 24 hours; what watching costs; bytes of the rows.

The hours are simulated with stalls of the drain thread, a bus that does not answer, and overruns.
CPU and memory are those of the daemon in a process of its own, on a bus that costs nothing.
"""

import errno
import logging
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from agent import codec
from agent.clock import Clock, VirtualClock
from agent.codec import cbor
from agent.daemon import run_virtual
from agent.measure.health import HealthSource
from agent.measure.stream import Stream
from agent.model.batch import Batch
from agent.node import build
from agent.plan import make_plan, read_profile
from agent.resources import resource
from agent.simulate import SimBuses, make_world
from drivers.bus.i2c import I2C
from drivers.sensors import adxl355, iis2iclx
from drivers.sim.i2c import SimI2C
from tests.bench.bench_cost import cpu_s, start
from tests.bench.table import Line

HOURS = 24.0
DRAWN = 2000  #: rows whose cells are drawn
SECONDS = 60.0
SETTLE_S = 5.0
MONDAY = 1_768_200_600.0
PROFILE = """
node = {{ name = "deck" }}
store = {{ path = "{folder}/store.db" }}
[[instrument]]
name = "acc"
driver = "tests.bench.canned_deck"
window = {{ modes = [2.5, 4.3, 7.1, 11.0] }}
[[instrument]]
name = "tilt"
driver = "tests.bench.canned_bearing"
[[table]]
name = "modes"
interval_s = 600
columns = [{columns}]
[[link]]
name = "file"
kind = "file"
path = "{folder}/frames"
"""
COLUMNS = [
    *(f"acc.{word}_{axis}" for word in ("rms", "peak", "kurtosis", "ppv") for axis in "xyz"),
    *(f"acc.{word}{k}" for word in "fdq" for k in (1, 2, 3, 4)),
    *(f"acc.level_z_{k}" for k in range(16)),
    *("tilt.tilt_x", "tilt.tilt_y", "tilt.rms_x", "tilt.rms_y", "acc.completeness"),
]


def profile(folder: Path) -> Path:
    """Two accelerometers, all of their features every ten minutes."""
    columns = ", ".join(
        f'{{ name = "{one.replace(".", "_")}", from = "{one}" }}' for one in COLUMNS
    )
    path = folder / "node.toml"
    path.write_text(PROFILE.format(folder=folder, columns=columns))
    return path


def account(module: ModuleType, seed: int, hours: float) -> tuple[int, int, int]:
    """Samples neither delivered nor counted as missing; gaps; samples produced."""
    chance, clock = random.Random(seed), VirtualClock()
    bus, twin = SimI2C(clock), module.TWIN()
    twin.rate_error = chance.uniform(-0.03, 0.03)
    driver = module.DRIVER(I2C(bus, clock))
    faults = bus.attach(driver.address, twin)
    stream = Stream("deck", driver, clock)
    stream.step()
    thrown = twin.made - len(twin.queue) - stream.ring.end  # while its filter settled
    look = 0.0
    while clock.monotonic() < hours * 3600:
        clock.sleep(stream.step() + chance.uniform(0, 0.005))
        if chance.random() < 0.002:
            clock.sleep(chance.expovariate(1 / 3))
        if chance.random() < 0.001:
            faults.errno = chance.choice((errno.EIO, errno.EREMOTEIO))
        elif chance.random() < 0.2:
            faults.errno = 0
        if clock.monotonic() >= look:
            look = clock.monotonic() + 600
            stream.sample_times()
    faults.errno = 0
    for _ in range(300):
        clock.sleep(stream.step())
    stream.step()
    stream.sample_times()
    produced = twin.made - len(twin.queue)
    lost = stream.missing
    return produced - thrown - stream.ring.end - lost, stream.ring.gaps, produced


def accounts(hours: float) -> list[Line]:
    """Both chips."""
    logging.disable(logging.CRITICAL)
    shown = []
    for module, seed in ((adxl355, 1), (iis2iclx, 2)):
        name = module.DRIVER.__name__
        apart, gaps, produced = account(module, seed, hours)
        shown.append(Line(f"{name}, {hours:g} h: samples unaccounted for", abs(apart), "", 0))
        shown.append(Line(f"{name}: gaps in {produced:,} samples", gaps, ""))
    logging.disable(logging.NOTSET)
    return shown


def streaming(seconds: float) -> list[Line]:
    """CPU of the daemon between two windows."""
    with tempfile.TemporaryDirectory(prefix="stadtsinn-bench-") as name:
        path = profile(Path(name))
        running = start("-m", "tests.bench.trusted", "run", str(path))
        try:
            time.sleep(SETTLE_S)
            before = cpu_s(running.pid)
            time.sleep(seconds)
            share = (cpu_s(running.pid) - before) / seconds
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=10)
    return [Line("two streams, steadily: CPU of one core", 100 * share, "%", 4)]


def windows() -> list[Line]:
    """Most memory of a process that has made two windows of ten minutes; what it has imported."""
    command = [sys.executable, "-m", "tests.bench.bench_streams", "windows"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [
        Line("two streams, two windows of 10 min: most RSS", float(out[0]), "MB", 90),
        Line("modules of scipy imported meanwhile", float(out[1]), "", 0),
        Line("CPU of both windows of one interval, as a node", float(out[2]), "s", 0.5),
    ]


def measure_windows() -> tuple[float, int, float]:
    """In a process of its own: peak RSS in MB, scipy modules, CPU seconds of the second row."""
    import agent.transport.links.mqtt  # noqa: F401 -- a daemon has the way out in memory too

    clock = VirtualClock(MONDAY)
    with tempfile.TemporaryDirectory(prefix="stadtsinn-bench-") as name:
        config, source = read_profile(profile(Path(name)))
        buses = SimBuses(clock, clock.true_utc, make_world(config, source), {}, HealthSource(clock))
        node = build(make_plan(config, source, buses), clock)
        run_virtual(node.jobs, clock, clock.monotonic() + 1199)
        table = node.samplers[0]
        clock.sleep(2)
        began = time.process_time()
        table.step()
        spent = time.process_time() - began
        rows = list(node.store.rows("modes"))
        assert len(rows) == 2, f"{len(rows)} rows"
        node.close()
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    return int(peak[1]) * 1024 / 1e6, sum("scipy" in one for one in sys.modules), spent


def frames() -> list[Line]:
    """Bytes of the rows of the shipped bridge profile, simulated for two intervals."""
    config, source = read_profile(resource("nodes/bridge.toml"))
    clock = VirtualClock(MONDAY)
    health, simulate = HealthSource(clock), config.simulate
    world = make_world(config, source)
    buses = SimBuses(clock, clock.true_utc, world, simulate.feeds, health, simulate.rate_error)
    with tempfile.TemporaryDirectory(prefix="stadtsinn-bench-") as name:
        made = make_plan(config, source, buses).over(())
        node = build(made, clock, store_path=Path(name) / "store.db")
        run_virtual(node.jobs, clock, clock.monotonic() + 1260)
        sizes = {}
        for table, draw in (("deck", drawn_deck), ("modes", drawn_modes)):
            found = list(node.store.rows(table))
            sizes[table] = max(packed(layout, row, clock) for layout, row in found)
            layout, row = found[-1]
            chance = random.Random(1)
            made_up = (row._replace(cells=cbor.dump(draw(chance))) for _ in range(DRAWN))
            sizes[f"drawn {table}"] = max(packed(layout, one, clock) for one in made_up)
        node.close()
    return [
        Line("bridge: slow row of 26 sensors, packed, two of a morning", sizes["deck"], "bytes"),
        Line(f"the same: largest of {DRAWN} drawn", sizes["drawn deck"], "bytes", 51),
        Line("bridge: modes row, packed, two of a morning", sizes["modes"], "bytes"),
        Line(f"the same: largest of {DRAWN} drawn", sizes["drawn modes"], "bytes", 48),
    ]


def drawn_deck(chance: random.Random) -> list[int]:
    """Cells of a slow row, wider than any of the world's year.

    Tilt within 0.3 deg, strain within 60 um/m, cracks to 0.4 mm, -10 to 35 Cel, water at 0.3 to 4.5
    m, each by itself.
    """
    celsius = chance.uniform(-10, 35)
    return [
        *(chance.randint(-300, 300) for _ in range(6)),
        *(chance.randint(-60, 60) for _ in range(6)),
        *(chance.randint(0, 400) for _ in range(4)),
        *(round(2 * (celsius + chance.uniform(-4, 4))) for _ in range(8)),
        chance.randint(30, 450),
        round(2 * celsius),
        chance.randint(-20, 20),
    ]


def drawn_modes(chance: random.Random) -> list[int]:
    """Cells of a modes row.

    Frequencies within 5 %, damping to 5 %, rms about 0.03 m/s2, peaks about 0.3 m/s2, PPV about 1.5
    mm/s.
    """

    def about(counts: float) -> int:
        return round(abs(chance.gauss(0, counts)))

    return [
        *(round(hz * chance.uniform(0.95, 1.05)) for hz in (2500, 4300, 7100, 11_000)),
        *(chance.randint(30, 500) for _ in range(4)),
        *(chance.randint(0, 10) for _ in range(4)),
        *(about(300) for _ in range(6)),
        about(150),
        *(about(300) for _ in range(2)),
        chance.randint(50, 100),
    ]


def packed(layout: object, row: object, clock: Clock) -> int:
    """Bytes of a frame with one row."""
    batch = Batch("live", None, layout, [row], packed=True, boot=1)  # type: ignore[arg-type, list-item]
    return len(codec.frame(batch, 4096, clock).frames[0])


def lines(hours: float = HOURS, seconds: float = SECONDS) -> list[Line]:
    """The table."""
    return [*streaming(seconds), *windows(), *frames(), *accounts(hours)]


if __name__ == "__main__":
    if sys.argv[1:] == ["windows"]:
        print(*measure_windows())
    else:
        for line in lines(float(sys.argv[1]) if len(sys.argv) > 1 else HOURS):
            print(line.text())
