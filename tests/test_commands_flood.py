"""Whoever may publish floods a real daemon behind a real broker: its rows come as if nobody did."""

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from agent import codec
from agent.codec import decoder
from agent.demo.broker import Broker
from agent.model.schema import registered_schemas
from agent.transport.links.listen import Listener
from tests.bench.bench_cost import profile
from tests.test_mqtt import until

ROOT = Path(__file__).parents[1]
PER_SECOND, SECONDS = 500, 10
COMMANDS = """
[commands]
allow = [1, 3, 4, 5]
interval_s = [60, 3600]
resend_rows_per_day = 100
"""


@dataclass
class Heard:
    """What the far side of a node has heard, and when."""

    late_s: dict[int, float] = field(default_factory=dict)  #: by start of the row
    acks: list[int] = field(default_factory=list)

    def take(self, topic: str, frame: bytes) -> None:
        now = time.time()
        if topic in ("state", "down"):
            return
        said = decoder.decode(frame, registered_schemas().get)
        if isinstance(said, decoder.Ack):
            self.acks.append(said.result)
        elif isinstance(said, decoder.Data):
            for start in said.starts(now):
                if start is not None:
                    self.late_s.setdefault(start, now - start)


@pytest.fixture
def watchdog(tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's end of sd_notify(3)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as one:
        one.bind(str(tmp_path / "notify"))
        yield one


def fed(watchdog: socket.socket) -> int:
    """How often it was fed since the last time."""
    count = 0
    while True:
        try:
            count += b"WATCHDOG=1" in watchdog.recv(4096)
        except BlockingIOError:
            return count


def flood(url: str) -> float:
    """Send downlinks of all kinds. Returns how late this machine was itself at most, in s."""
    chance, where = random.Random(1), urlsplit(url)
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect(where.hostname or "", where.port or 1883)
    client.loop_start()
    began, sent, late_s = time.monotonic(), 0, 0.0
    while sent < PER_SECOND * SECONDS:
        for _ in range(PER_SECOND // 50):
            client.publish("stadtsinn/school/down", one_of_many(chance), qos=sent % 2)
            sent += 1
        left_s = began + sent / PER_SECOND - time.monotonic()
        late_s = max(late_s, -left_s)
        time.sleep(max(left_s, 0))
    client.disconnect()
    client.loop_stop()
    return late_s


def one_of_many(chance: random.Random) -> bytes:
    """A downlink: junk, a repeat, allowed ones, an unknown one, a forbidden one, out of bounds."""
    token, now = chance.randrange(65_536), int(time.time())
    return chance.choice(
        [
            chance.randbytes(chance.randrange(300)),
            codec.encode_downlink(5, 7),
            codec.encode_downlink(5, token),
            codec.encode_downlink(4, token, 1, -1, now - 5, 5),
            codec.encode_downlink(99, token),
            codec.encode_downlink(7, token),
            codec.encode_downlink(1, token, 1, -1, 1),
            codec.encode_downlink(4, token, 1, -1, now - 60, 2**24),
        ]
    )


def start(folder: Path, broker: Broker) -> "subprocess.Popen[bytes]":
    """The daemon under a service manager's eyes, its log in a file."""
    path = profile(folder, broker.url)
    path.write_text(path.read_text() + COMMANDS)
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "RUNTIME_DIRECTORY": str(folder),
        "NOTIFY_SOCKET": str(folder / "notify"),
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.bench.trusted", "run", str(path)]
    with (folder / "log").open("wb") as file:
        return subprocess.Popen(command, env=environment, cwd=ROOT, stderr=file)


def counted(folder: Path) -> dict[str, int]:
    """Downlinks, as `status` shows them."""
    found: dict[str, int] = json.loads((folder / "state.json").read_text())["links"]["city"][
        "downlinks"
    ]
    return found


def test_500_downlinks_a_second_delay_no_row_and_starve_no_watchdog(
    tmp_path: Path, broker: Broker, watchdog: socket.socket
) -> None:
    heard, log = Heard(), tmp_path / "log"
    listener = Listener(broker.url, "school", heard.take)
    listener.start()
    with start(tmp_path, broker) as process:
        try:
            until(lambda: len(heard.late_s) >= 2, 30)
            fed(watchdog)
            lines, first = log.read_text().count("\n"), int(time.time()) + 1
            machine_late_s = flood(broker.url)
            last = int(time.time()) - 1
            until(lambda: last + 1 in heard.late_s, 10)
            assert fed(watchdog) >= 1
            until(lambda: sum(counted(tmp_path).values()) > 2000, 10)
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    listener.stop()
    during = [heard.late_s.get(start, 99.0) for start in range(first, last)]
    assert max(during) < 1 + machine_late_s
    assert len(heard.acks) <= 2 * (SECONDS + 5)
    assert log.read_text().count("\n") - lines <= SECONDS + 15
    with closing(sqlite3.connect(tmp_path / "store.db")) as base:
        (downlinks,) = base.execute("SELECT count(*) FROM token").fetchone()
        (messages,) = base.execute("SELECT count(*) FROM message").fetchone()
    assert downlinks <= 2 * (SECONDS + 5)
    assert messages <= 4 * (SECONDS + 5)
