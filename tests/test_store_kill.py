"""SIGKILL at random moments: every row that `put` returned for is there, none is invented."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.store import LinkPolicy
from agent.store.database import in_use
from tests.durable.kit import Kit
from tests.durable.putter import cells_of

ROUNDS = 10
MOST_ROWS = 60  # the kill comes after so many rows at the latest


def one_life(path: Path, first: int, rows: int) -> list[str]:
    """Start a process that puts rows, kill it after about `rows` of them. What it said."""
    command = [sys.executable, "-m", "tests.durable.putter", str(path), str(first)]
    root = Path(__file__).parents[1]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(rows)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.readlines()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return [line for line in said if line.endswith("\n")]


def test_rows_survive_kills(tmp_path: Path) -> None:
    path, chance = tmp_path / "store.db", random.Random(30)
    told: dict[int, int] = {}
    sent: set[int] = set()
    first = 29_000_000
    for _ in range(ROUNDS):
        for line in one_life(path, first, chance.randrange(1, MOST_ROWS)):
            words = line.split()
            if words[0] == "sent":
                sent.add(int(words[1]))
            else:
                told[int(words[0])] = int(words[1])
        first = max(told.values(), default=first) + 2  # one row may be there without a word
    node = Kit(path, VirtualClock())
    kept = {row.seq: row for _, row in node.store.rows("air")}
    assert all(kept[seq].start == number * 60 for seq, number in told.items())
    assert all(row.cells == cells_of((row.start or 0) // 60) for row in kept.values())
    assert len(kept) - len(told) <= ROUNDS  # written, but killed before the word
    assert sorted(kept) == list(range(1, len(kept) + 1))
    node.store.links({"city": LinkPolicy()})
    owed = {seq for frame in node.drain() for seq in frame}
    assert kept.keys() - sent <= owed  # what was not sent is still owed
    assert owed <= kept.keys()
    node.store.close()


def test_a_second_process_is_kept_out_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    command = [sys.executable, "-m", "tests.durable.putter", str(path), "29000000"]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        with pytest.raises(OSError, match=r"in use by another stadtsinn: sudo systemctl stop"):
            Kit(path, VirtualClock())
        assert in_use(path)
        assert process.stdout.readline()
        process.kill()
    assert not list(tmp_path.glob("*damaged*"))
    assert not in_use(path)
    assert not in_use(tmp_path / "none.db")
    node = Kit(path, VirtualClock())
    assert len(node.kept()) >= 2
    node.store.close()
