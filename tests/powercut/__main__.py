"""Power cuts on a disk with a volatile cache.

usage: python -m tests.powercut [COUNT [SEED]]

COUNT cuts with the store as it is, a tenth of it each with synchronous NORMAL and OFF: those must
lose rows, or the rig proves nothing. Then a tenth of it while a store of 0.1 is upgraded, and its
control. Root only; says what is missing elsewhere.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.powercut.controls import weaken
from tests.powercut.life import begin, open_store
from tests.powercut.rig import Rig, missing
from tests.powercut.upgrade import upgrade_cut
from tests.powercut.verdict import Witness, faults

NEW_DISK = 40  #: lives of one disk
EARLY = 0.15  #: share of cuts while the store is opened
THOROUGH = 10  #: every so many lives the whole file is checked
KEPT = (0, 0, 30, 50, 80, 100)  #: per cent of the cache that reached the medium


@dataclass
class Tally:
    """What a series of cuts showed."""

    cuts: int = 0
    recovered: int = 0  #: lives that opened the store and were judged
    put: int = 0
    dropped: int = 0  #: blocks that never reached the medium
    bad: Counter[str] = field(default_factory=Counter)

    def text(self) -> str:
        """One line."""
        wrong = ", ".join(f"{name} {count}" for name, count in self.bad.items()) or "none"
        return (
            f"{self.cuts} cuts, {self.recovered} recoveries, {self.put} rows put, "
            f"{self.dropped} blocks dropped; wrong: {wrong}"
        )


def series(rig: Rig, witness: Path, count: int, mode: str, seed: int) -> Tally:
    """`count` lives and cuts with one strength of `synchronous`."""
    chance, tally = random.Random(seed), Tally()
    for number in range(1, count + 1):
        if number % NEW_DISK == 1:
            rig.new()
            witness.write_bytes(b"")
        one_cut(rig, witness, number, mode, chance, tally)
        if number % 100 == 0 or number == count:
            print(f"  {mode}: {tally.text()}", flush=True)
    return tally


def one_cut(
    rig: Rig, witness: Path, number: int, mode: str, chance: random.Random, tally: Tally
) -> None:
    """Power on, judge what is there, live, power off."""
    rig.mount()
    before = witness.stat().st_size
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        live(rig.mount_at, witness, number, mode, chance.randrange(2**31), writer)
    os.close(writer)
    verdict = judged(reader, chance)
    tally.dropped += rig.cut(chance.choice(KEPT), chance.randrange(2**31))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    rig.unmount()
    tally.cuts += 1
    tally.put += witness.read_bytes()[before:].count(b'["put"')
    if verdict is not None:
        tally.recovered += 1
        tally.bad.update(one.split(":")[0] for one in verdict)
        if verdict:
            print(f"    life {number}, {mode}: {'; '.join(verdict)}", flush=True)
            rig.new()
            witness.write_bytes(b"")


def judged(reader: int, chance: random.Random) -> list[str] | None:
    """What the child found wrong when it opened the store; None if it was cut before it could."""
    with os.fdopen(reader, "rb") as file:
        if chance.random() < EARLY:
            time.sleep(chance.uniform(0, 0.03))
            return None
        line = file.readline()
    time.sleep(chance.uniform(0.01, 0.35))
    found: list[str] = json.loads(line) if line else ["no answer: the store did not open"]
    return found


def live(folder: Path, witness: Path, number: int, mode: str, seed: int, writer: int) -> None:
    """The child: never returns."""
    try:
        weaken(mode)
        seen = Witness.of(witness)
        store = open_store(folder, number, seed)
        found = faults(folder, seen, thorough=number % THOROUGH == 0)
        os.write(writer, json.dumps(found).encode() + b"\n")
        os.close(writer)
        begin(store, witness, number, seed)
    except BaseException as error:
        os.write(writer, json.dumps([f"{type(error).__name__}: {error}"]).encode() + b"\n")
    finally:
        os._exit(9)


def upgrades(rig: Rig, count: int, mode: str, seed: int) -> Tally:
    """`count` upgrades of an old store, each cut."""
    chance, tally = random.Random(seed), Tally()
    for number in range(1, count + 1):
        found, put, dropped = upgrade_cut(rig, mode, chance)
        tally.cuts, tally.recovered = tally.cuts + 1, tally.recovered + 1
        tally.put, tally.dropped = tally.put + put, tally.dropped + dropped
        tally.bad.update(one.split(":")[0] for one in found)
        if found:
            print(f"    upgrade {number}, {mode}: {'; '.join(found)}", flush=True)
    return tally


def main(count: int, seed: int) -> int:
    """Exit code: 0 if nothing was lost and the controls lost something."""
    lacking = missing()
    if lacking:
        print(f"skipped: {lacking}")
        return 0
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="powercut-"))
    rig = Rig(folder)
    try:
        few = max(count // 10, 30)
        plan = {"FULL": count, "NORMAL": few, "OFF": few}
        found = {mode: series(rig, folder / "witness", n, mode, seed) for mode, n in plan.items()}
        upgraded = {mode: upgrades(rig, few, mode, seed) for mode in ("FULL", "OFF")}
    finally:
        rig.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{time.monotonic() - began:.0f} s, seed {seed}")
    for mode, tally in found.items():
        print(f"{mode:7} {tally.text()}")
    for mode, tally in upgraded.items():
        print(f"upgrade {mode:7} {tally.text()}")
    blind = [mode for mode in ("NORMAL", "OFF") if not found[mode].bad]
    blind += [] if upgraded["OFF"].bad else ["upgrade OFF"]
    if blind:
        print(f"the controls {', '.join(blind)} lost nothing: this run proves nothing")
    return 1 if found["FULL"].bad or upgraded["FULL"].bad or blind else 0


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    sys.exit(main(*(given + [2000, 1][len(given) :])))
