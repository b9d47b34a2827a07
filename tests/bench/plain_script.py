"""The script most people would write: paho and JSON, one publish per reading.

usage: plain_script.py HOST PORT FOLDER [queue]; with `queue` readings wait in SQLite meanwhile.
"""

import json
import sqlite3
import sys
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.canned import Canned


def main(host: str, port: int, folder: Path, queue: bool) -> None:
    """Once a second until killed."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect(host, port)
    client.loop_start()
    store = sqlite3.connect(folder / "queue.db") if queue else None
    if store:
        store.execute("CREATE TABLE IF NOT EXISTS q (id INTEGER PRIMARY KEY, body TEXT)")
    sensor = Canned()
    while True:
        for name, value in sensor.read().items():
            body = json.dumps({"sensor": name, "value": value, "time": time.time()})
            if store:
                store.execute("INSERT INTO q (body) VALUES (?)", (body,))
                store.commit()
                for key, kept in store.execute("SELECT id, body FROM q").fetchall():
                    client.publish(f"school/{name}", kept, qos=1)
                    store.execute("DELETE FROM q WHERE id = ?", (key,))
                store.commit()
            else:
                client.publish(f"school/{name}", body, qos=1)
        time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), "queue" in sys.argv[4:])
