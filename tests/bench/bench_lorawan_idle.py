"""CPU of a node that has joined and waits for company for its rows, beside the bare MQTT loop.

One row per second, as in the node's own bench (bench_cost). The daemon talks to its modem through
a pseudo-terminal; modem and network server run in this process and are not counted.
"""

import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from agent.clock import Clock
from agent.demo.broker import Broker
from agent.simulate import PRACTICE_KEY
from drivers.keys import Keys
from drivers.modems.rak3172 import TWIN
from drivers.sim.lorawan.network import SimNetwork
from drivers.sim.lorawan.terminal import Terminal
from tests.bench.bench_cost import COLUMNS, ROOT, cpu_s, rss_mb, start
from tests.bench.table import Line

SECONDS, SETTLE_S, JOIN_S = 60.0, 5.0, 60.0
DEV_EUI, JOIN_EUI = "70B3D57ED0051234", "0102030405060708"
PROFILE = """
node = {{ name = "school" }}
store = {{ path = "{folder}/store.db" }}
[[instrument]]
name = "room"
driver = "tests.bench.canned"
[[table]]
name = "air"
interval_s = 1
schema = 1
columns = {{ {columns} }}
[[link]]
name = "radio"
kind = "lorawan"
modem = "rak3172"
port = "{port}"
dev_eui = "{dev_eui}"
join_eui = "{join_eui}"
app_key_file = "{folder}/app.key"
data_rate = 5
"""


def profile(folder: Path, port: str) -> Path:
    """The school table, its only way out a modem."""
    columns = ", ".join(f'{name} = "room.{name}"' for name in COLUMNS)
    (folder / "app.key").write_text(PRACTICE_KEY)
    path = folder / "radio.toml"
    text = PROFILE.format(
        folder=folder, port=port, columns=columns, dev_eui=DEV_EUI, join_eui=JOIN_EUI
    )
    path.write_text(text)
    return path


def measure(seconds: float = SECONDS) -> dict[str, tuple[float, float]]:
    """Name -> (RSS in MB, CPU in ms per row)."""
    clock, stop = Clock(), threading.Event()
    network = SimNetwork(time.time() - clock.monotonic())
    terminal = Terminal(network.modem(Keys(DEV_EUI, JOIN_EUI, PRACTICE_KEY), TWIN), clock)

    def carry() -> None:
        while not stop.wait(terminal.step()):
            pass

    modem = threading.Thread(target=carry, name="modem")
    modem.start()
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as name:
        folder = Path(name)
        broker = Broker(folder / "broker")
        broker.start()
        running = {
            "joined node": start(
                "-m", "tests.bench.trusted", "run", str(profile(folder, terminal.path))
            ),
            "bare loop": start("-m", "tests.bench.bare_loop", "127.0.0.1", str(broker.port), name),
        }
        try:
            until_heard(network)
            time.sleep(SETTLE_S)
            before = {name: cpu_s(one.pid) for name, one in running.items()}
            time.sleep(seconds)
            return {
                name: (rss_mb(one.pid), (cpu_s(one.pid) - before[name]) / seconds * 1000)
                for name, one in running.items()
            }
        finally:
            for one in running.values():
                one.send_signal(signal.SIGTERM)
                one.communicate(timeout=10)
            broker.stop()
            stop.set()
            modem.join()
            terminal.close()


def until_heard(network: SimNetwork) -> None:
    """Wait for the node's hello. Raises AssertionError if it does not come."""
    end = time.monotonic() + JOIN_S
    while not network.server.uplinks:
        assert time.monotonic() < end, "the node has not joined"
        time.sleep(0.2)


def lines(seconds: float = SECONDS) -> list[Line]:
    """Memory, CPU, and the node issue's ratio."""
    found = measure(seconds)
    shown = []
    for name, (memory, cpu) in found.items():
        shown.append(Line(f"LoRaWAN, 1 row/s: RSS, {name}", memory, "MB"))
        shown.append(Line(f"LoRaWAN, 1 row/s: CPU per row, {name}", cpu, "ms"))
    ratio = found["joined node"][1] / found["bare loop"][1]
    return [*shown, Line("LoRaWAN, joined and idle: CPU, ratio to the bare loop", ratio, "x", 2.5)]


if __name__ == "__main__":
    for line in lines(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS):
        print(line.text())
