"""The least that could do the job: one SQLite FULL commit and one QoS 1 publish per row.

Same libraries as the agent, no sensor, no decisions. usage: bare_loop.py HOST PORT FOLDER
"""

import sqlite3
import sys
import threading
import time
from pathlib import Path

import cbor2
import click  # noqa: F401 -- the same libraries as the agent
import msgspec  # noqa: F401
import paho.mqtt.client as mqtt
import serial  # noqa: F401
import smbus2  # noqa: F401
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.canned import Canned
from tests.sure import sure


def main(host: str, port: int, folder: Path) -> None:
    """Once a second until killed."""
    store = sqlite3.connect(folder / "bare.db", isolation_level=None)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = FULL")
    store.execute("CREATE TABLE IF NOT EXISTS row (seq INTEGER PRIMARY KEY, at REAL, cells BLOB)")
    acked = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_publish = lambda *_: acked.set()
    client.connect(host, port)
    client.loop_start()
    sensor, due = Canned(), time.monotonic()
    while True:
        now = time.time()
        cells = cbor2.dumps([round(sure(value) * 100) for value in sensor.read().values()])
        store.execute("INSERT INTO row (at, cells) VALUES (?, ?)", (now, cells))
        acked.clear()
        client.publish("bare/up", cells, qos=1)
        acked.wait(5)
        due += 1
        time.sleep(max(due - time.monotonic(), 0))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
