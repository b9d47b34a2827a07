"""The network server's codec: time for one full frame, and its size against the servers' limits."""

import json
import statistics
import time
from collections.abc import Callable
from random import Random

import quickjs

from agent.codec import Style
from agent.model.schema import registered
from hw.lorawan import vectors
from tests.bench.table import Line
from tests.codec_kit import CODEC

FULL = 222  #: bytes, what the fast data rates carry
ROUNDS = 300
DECODE_MS = 2.0
SERVER_MS = 100.0  #: both servers end a script then, its loading included
MOST_BYTES = 40_960  #: of a script in The Things Stack


def lines() -> list[Line]:
    """A frame of 222 bytes decoded, the same in a fresh engine, as servers do it; the script."""
    script, frame = CODEC.read_text("utf-8"), full_frame()
    told = json.dumps({"bytes": list(frame), "fPort": 10, "recvTime": vectors.RECEIVED * 1000})
    script += "\nfunction timed(text) { return JSON.stringify(decodeUplink(JSON.parse(text))); }"

    def fresh() -> Callable[[str], str]:
        context = quickjs.Context()
        context.eval(script)
        return context.get("timed")  # type: ignore[no-any-return]

    loaded = fresh()
    count = len(json.loads(loaded(told))["data"]["rows"])
    about = f"codec: {len(frame)} bytes, {count} rows"
    return [
        Line(f"{about}, decoded", _median_ms(lambda: loaded(told)), "ms", DECODE_MS),
        Line(f"{about}, in a fresh engine", _median_ms(lambda: fresh()(told)), "ms", SERVER_MS),
        Line("codec: size of the script", CODEC.stat().st_size, "bytes", MOST_BYTES),
    ]


def full_frame() -> bytes:
    """As many rows of the class room as fit, with usual changes."""
    random = Random(3)
    row = [field.nominal for field in registered(1).fields]
    rows = []
    for _ in range(60):
        row = [raw + random.randint(-4, 4) for raw in row]
        rows.append(row)
    return vectors.frame_of(rows, registered(1), style=Style(fixed_length=True), limit=FULL)


def _median_ms(act: Callable[[], object]) -> float:
    """CPU time: what else this machine does is not the codec's."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        act()
        spent.append(1000 * (time.process_time() - began))
    return statistics.median(spent)


def main() -> None:
    """Print the table."""
    for line in lines():
        print(line.text())


if __name__ == "__main__":
    main()
