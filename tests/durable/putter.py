"""Puts rows until it is killed, and prints the number of each once `put` has returned.

    python -m tests.durable.putter <store file> <first number>

Row n has the cells of n, so that whoever reads the store can tell whether a row is what was put.
"""

import sys
from pathlib import Path

from agent.clock import VirtualClock
from agent.model.batch import Delivered, Row
from agent.store import LinkPolicy, Store
from tests.durable.kit import AIR


def cells_of(number: int) -> bytes:
    return b"\x82\x1a" + number.to_bytes(4, "big") + b"\x01"


def main(path: str, first: str) -> None:
    clock = VirtualClock()
    store = Store(Path(path), clock)
    store.open()
    layout = store.layout("air", AIR, 60)
    store.links({"city": LinkPolicy()})
    number = int(first)
    while True:
        clock.sleep(60)
        seq = store.put(layout, Row(0, store.boot, number * 60_000, number * 60, cells_of(number)))
        print(seq, number, flush=True)
        batch = store.link("city").next()
        if number % 3 == 0 and batch is not None:
            store.link("city").delivered(Delivered(batch, batch.rows))
            for row in batch.rows:
                print("sent", row.seq, flush=True)
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
