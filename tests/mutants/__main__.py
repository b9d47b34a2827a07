"""Put wrong lines into store, transport, clock and codec, and tell which of them no test sees.

usage: python -m tests.mutants [COUNT [SEED]]     again: goes on where it stopped
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from random import Random

from tests.mutants.lines import BUDGET_S, Lines
from tests.mutants.mutation import Mutation, mutations
from tests.mutants.sandbox import ROOT, Sandbox

PLACES = ("agent/store", "agent/transport", "agent/codec", "agent/clock.py")
CACHE = ROOT / ".mutants"
WORKERS = 2
SIGNS = {"caught": ".", "hung": "h", "survived": "S", "unseen": "U"}
LIMIT_S = 4 * BUDGET_S  #: a machine may be busy; beyond that the tests hang


def sources() -> list[Path]:
    """Files of the places, whatever they are called today."""
    found = []
    for place in PLACES:
        path = ROOT / place
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return found


def chosen(count: int, seed: int) -> list[Mutation]:
    """So many of all, the same ones for the same seed and files."""
    everything = [one for path in sources() for one in mutations(ROOT, path)]
    print(f"{len(everything):,} mutants in {len(sources())} files; {count} of them, seed {seed}")
    return Random(seed).sample(everything, min(count, len(everything)))


def judge(mutation: Mutation, lines: Lines, sandboxes: SimpleQueue[Sandbox]) -> dict[str, object]:
    """Its outcome: caught, hung (caught as well), survived, or unseen: no test runs it."""
    began, tests = time.monotonic(), lines.tests(mutation)
    run, outcome = lines.affordable(tests), "unseen"
    if run:
        sandbox = sandboxes.get()
        try:
            wrong = mutation.apply((ROOT / mutation.path).read_bytes())
            outcome = sandbox.judge(mutation.path, wrong, run, LIMIT_S)
        finally:
            sandboxes.put(sandbox)
    return {
        "name": mutation.name, "path": mutation.path, "line": mutation.line,
        "before": mutation.before, "after": mutation.text, "outcome": outcome,
        "tests": len(run), "of": len(tests), "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def known(results: Path) -> dict[str, dict[str, object]]:
    """What earlier runs on the same files have found, by name."""
    if not results.exists():
        return {}
    return {one["name"]: one for one in map(json.loads, results.read_text().splitlines())}


def report(found: Sequence[dict[str, object]]) -> None:
    """The rate, and every survivor as a change."""
    left = [one for one in found if one["outcome"] in ("survived", "unseen")]
    caught = len(found) - len(left)
    print(f"\n{caught} of {len(found)} caught, {caught / max(len(found), 1):.1%}")
    for one in sorted(left, key=lambda one: (str(one["path"]), str(one["line"]))):
        print(f"\n{one['path']}:{one['line']} {one['outcome']} {one['tests']} of {one['of']} tests")
        print(f"  - {one['before']}\n  + {one['after']}")


def main(count: int, seed: int) -> None:
    """Judge them two at a time; each result is written down at once."""
    lines = Lines(CACHE)
    results = lines.folder / "results.jsonl"
    done, wanted = known(results), chosen(count, seed)
    open_ones = [one for one in wanted if one.name not in done]
    sandboxes: SimpleQueue[Sandbox] = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        for number in range(WORKERS):
            sandboxes.put(Sandbox(Path(scratch) / str(number)))
        with ThreadPoolExecutor(WORKERS) as pool, results.open("a") as log:
            for found in pool.map(lambda one: judge(one, lines, sandboxes), open_ones):
                done[str(found["name"])] = found
                log.write(json.dumps(found) + "\n")
                log.flush()
                print(SIGNS[str(found["outcome"])], end="", flush=True)
    report([done[one.name] for one in wanted])


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    main(words[0] if words else 200, words[1] if len(words) > 1 else 1)
