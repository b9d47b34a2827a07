"""A node before each hostile broker, then before a good one on the same port: nothing is lost."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.codec import decoder
from agent.model.schema import registered_schemas
from tests import hostile
from tests.hostile import Hostile

ROOT = Path(__file__).parents[2]
SPEED = 60  #: pauses of the profile are divided by it
START_S, STOP_S = 30.0, 15.0
EMPTY_S = 150.0  #: a refusal of a topic is not asked again for up to 80 s after a minute of them
SETTLE_S = 5.0  #: until threads and memory are what they stay
MOST_GROWTH_MB = 8.0
FIRST, LATER_S = 20, 2.0  #: connects at first; then one in so many seconds, the mean of full jitter
PROFILE = """
node = {{ name = "ghs" }}
store = {{ path = "{folder}/store.db" }}
[[instrument]]
name = "node"
driver = "health"
[[table]]
name = "health"
interval_s = 1
schema = 0
columns = {{ uptime = "node.uptime", mem_free = "node.memory_available" }}
[[link]]
name = "city"
kind = "mqtt"
url = "{url}"
trust_wait_s = 0
patient_s = {patient_s}
max_back_off_s = {longest_s}
"""
HOSTILE: dict[str, Callable[[], Hostile]] = {
    "hangs up before CONNACK": hostile.HangsUp,
    "closes after CONNACK": hostile.ClosesAfterConnack,
    "cuts at SUBSCRIBE and PUBLISH": lambda: hostile.CutsAt("down", "state", "up", "hello"),
    "refuses": hostile.Refuses,
    "denies every topic": lambda: hostile.Denies("down", "state", "up", "hello", "event"),
    "acknowledges nothing": hostile.Silent,
    "talks garbage": hostile.Garbage,
    "has another client of that name": hostile.TakesOver,
    "hangs up after a row": hostile.OneRowEach,
    "retains nothing": hostile.NoRetain,
    "takes QoS 0 only": hostile.QosZero,
    "has a retained message of 120 MB": hostile.Floods,
    "takes packets of 60 bytes": lambda: hostile.Limits(b"\x27\x00\x00\x00\x3c"),
}


@dataclass
class Scene:
    """One broker and one node."""

    name: str
    broker: Hostile
    folder: Path
    process: subprocess.Popen[bytes] = field(init=False)
    good: Hostile = field(init=False)
    usual: tuple[int, int, float] = (0, 0, 0.0)
    wrong: list[str] = field(default_factory=list)

    def start(self) -> None:
        """The node as a service starts it."""
        self.folder.mkdir()
        profile = self.folder / "node.toml"
        pauses = {"patient_s": 60 / SPEED, "longest_s": 300 / SPEED}
        profile.write_text(PROFILE.format(folder=self.folder, url=self.broker.url, **pauses))
        state = self.folder / "state.json"
        command = [sys.executable, "-m", "tests.outside.node", str(profile), str(state)]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log)

    def held(self) -> tuple[int, int, float]:
        """Threads, descriptors, MB that the node holds."""
        proc = Path(f"/proc/{self.process.pid}")
        pages = int((proc / "statm").read_text().split()[1])
        threads, files = (sum(1 for _ in (proc / name).iterdir()) for name in ("task", "fd"))
        return threads, files, pages * 4096 / 1e6

    def judge(self, seconds: float) -> str:
        """What the node did; what is wrong with it is kept."""
        threads, files, size = self.held()
        connects = len(self.broker.connects)
        most = FIRST + seconds / LATER_S
        self._must(connects <= most, f"{connects} connects, at most {most:.0f}")
        self._must(threads <= self.usual[0], f"threads {self.usual[0]} -> {threads}")
        self._must(files <= self.usual[1] + 3, f"descriptors {self.usual[1]} -> {files}")
        grown = size - self.usual[2]
        self._must(grown <= MOST_GROWTH_MB, f"memory grew by {grown:.1f} MB")
        said = self.link().get("reason", "")
        return f"{connects} connects, {threads} threads, {files} files, {grown:+.1f} MB; '{said}'"

    def link(self) -> dict[str, object]:
        """What `status` shows of the link."""
        state = self.folder / "state.json"
        return dict(json.loads(state.read_text())["links"]["city"]) if state.exists() else {}

    def mend(self) -> None:
        """A good broker takes the port."""
        port = self.broker.server_address[1]
        self.broker.__exit__()
        self.good = Hostile(port)

    def empty(self) -> bool:
        """Whether nothing is owed any more."""
        return bool(self.good.published()) and self.link().get("owed") == 0

    def end(self) -> str:
        """Every row the store has has arrived somewhere."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_S)
        self.good.__exit__()
        kept = self.kept()
        arrived = rows_of(self.broker) | rows_of(self.good)
        lost = len(kept - arrived - {max(kept, default=0)})  # the newest may be on its way
        self._must(lost == 0 and len(kept) > 0, f"rows lost {lost} of {len(kept)}")
        return f"rows {len(kept)}, lost {lost}"

    def kept(self) -> set[int]:
        """Starts of the rows the node has kept."""
        database = sqlite3.connect(f"file:{self.folder}/store.db?mode=ro", uri=True)
        try:
            return {start for (start,) in database.execute("SELECT start FROM row")}
        finally:
            database.close()

    def _must(self, good: bool, words: str) -> None:
        if not good:
            self.wrong.append(words)


def rows_of(broker: Hostile) -> set[int]:
    """Slots of the rows a broker has acknowledged."""
    found: set[int] = set()
    for topic, payload in broker.taken:
        if topic.endswith("/up"):
            data = decoder.decode(payload, registered_schemas().get)
            if isinstance(data, decoder.Data):
                found |= {start for start in data.starts() if start is not None}
    return found


def patient(done: Callable[[], bool], seconds: float) -> None:
    """Wait until it is, or time is up."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.5)


def run(seconds: float) -> int:
    """All at once; how many were not as they must be."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="outside-") as name:
        scenes = [
            Scene(words, made(), Path(name) / str(at))
            for at, (words, made) in enumerate(HOSTILE.items())
        ]
        for one in scenes:
            one.start()
        patient(lambda: all((one.folder / "state.json").exists() for one in scenes), START_S)
        time.sleep(SETTLE_S)
        for one in scenes:
            one.usual = one.held()
        time.sleep(seconds)
        did = [one.judge(seconds) for one in scenes]
        for one in scenes:
            one.mend()
        patient(lambda: all(one.empty() for one in scenes), EMPTY_S)
        for one, words in zip(scenes, did, strict=True):
            rows = one.end()
            verdict = "FAIL " + "; ".join(one.wrong) if one.wrong else "ok"
            print(f"a broker that {one.name}: {words}; {rows}: {verdict}", flush=True)
    return sum(bool(one.wrong) for one in scenes)
