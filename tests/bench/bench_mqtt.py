"""Bytes of MQTT per value, counted on the wire, both directions; and how soon after an outage."""

import socket
import socketserver
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agent.clock import Clock, VirtualClock
from agent.config import parse
from agent.config.sections import MqttConfig
from agent.demo.broker import Broker
from agent.model.batch import Batch
from agent.node import build
from agent.plan import make_plan
from agent.status import Node
from agent.transport.links import Link, LinkError
from agent.transport.links.encoder import Encoder
from agent.transport.links.mqtt import MqttLink
from tests.bench.bench_cost import COLUMNS, PROFILE, ROOT
from tests.bench.table import Line

START = 1_767_600_000
ROWS = 300
VALUES = 9
OUTAGES_S = {5.0: 2, 30.0: 2, 58.0: 2, 90.0: 30}  #: how soon a frame is to be there after each


class Meter(socketserver.ThreadingTCPServer):
    """A TCP relay that counts the bytes of both directions."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        self.port, self.count = port, 0
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"mqtt://127.0.0.1:{self.server_address[1]}"


class Relay(socketserver.BaseRequestHandler):
    """One connection."""

    server: Meter

    def handle(self) -> None:
        """Pour both ways until one side ends."""
        with socket.create_connection(("127.0.0.1", self.server.port)) as behind:
            threading.Thread(target=self.pour, args=(behind, self.request), daemon=True).start()
            self.pour(self.request, behind)

    def pour(self, source: socket.socket, sink: socket.socket) -> None:
        """One way."""
        try:
            while data := source.recv(65_536):
                self.server.count += len(data)
                sink.sendall(data)
        except OSError:
            return


def make_node(folder: Path, url: str, rows: int) -> Node:
    """A node of canned sensors at 1 row/s whose live frames hold `rows` rows."""
    columns = ", ".join(f'{name} = "room.{name}"' for name in COLUMNS)
    text = PROFILE.format(folder=folder, url=url, columns=columns) + f"fill_s = {rows - 1}\n"
    config, source = parse(folder / "node.toml", text)
    return build(make_plan(config, source), VirtualClock(START))


def bytes_per_value(folder: Path, broker: Broker, rows: int) -> float:
    """MQTT bytes on the wire per value, connection and hello left out."""
    with Meter(broker.port) as meter:
        node = make_node(folder, meter.url, rows)
        sampler, uplink = node.samplers[0], node.uplinks[0]
        connect(uplink.link)
        before, measured = meter.count, 0
        while measured < ROWS:
            wait_s = sampler.step()
            while uplink.step() == 0:
                pass
            node.clock.sleep(wait_s)
            measured = node.store.counts().rows
        time.sleep(0.2)
        sent = measured - node.store.counts().owed["city"]
        size = (meter.count - before) / sent / VALUES
        node.close()
        meter.shutdown()
    return size


def back_after_s(folder: Path, outage_s: float) -> float:
    """Seconds from the broker's return to the first acknowledged frame."""
    broker = Broker(folder)
    broker.start()
    config = MqttConfig(name="city", url=broker.url)
    wake = threading.Event()
    link = MqttLink(config, "school", Clock(), wake, Encoder(Clock()), threading.Event())
    send(link, wake)
    broker.stop()
    time.sleep(outage_s)
    began = time.perf_counter()
    broker.start()
    send(link, wake)
    took = time.perf_counter() - began
    link.close()
    broker.stop()
    return took


def connect(link: Link) -> None:
    """Wait until it is there."""
    while True:
        try:
            link.room()
        except LinkError:
            time.sleep(0.05)
        else:
            time.sleep(0.2)  # birth and subscription are through
            return


def send(link: MqttLink, wake: threading.Event) -> None:
    """Until it is acknowledged, as the uplink does."""
    while True:
        try:
            link.room()
            link.send(b"\x84\x01\x19\x86\x85\x01\x81\x01", Batch("live"))
        except LinkError as error:
            wake.wait(error.retry_s)
            wake.clear()
        else:
            return


def lines() -> list[Line]:
    """Bytes and delays."""
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as name:
        broker = Broker(Path(name) / "broker")
        broker.start()
        sizes = {}
        for rows in (1, 5):
            folder = Path(name) / str(rows)
            folder.mkdir()
            sizes[rows] = bytes_per_value(folder, broker, rows)
        broker.stop()
        folders = [Path(name) / f"outage{outage_s}" for outage_s in OUTAGES_S]
        with ThreadPoolExecutor() as pool:
            delays = list(pool.map(back_after_s, folders, OUTAGES_S))
    return [
        Line("MQTT bytes per value, one row per frame", sizes[1], "B", 8),
        Line("MQTT bytes per value, five rows per frame", sizes[5], "B", 2.5),
        *(
            Line(f"first frame after the broker's return, away {away:.0f} s", took, "s", most)
            for (away, most), took in zip(OUTAGES_S.items(), delays, strict=True)
        ),
    ]


if __name__ == "__main__":
    for line in lines():
        print(line.text())
