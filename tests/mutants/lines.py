"""Which tests run which line: one run of the whole suite, kept until a file changes."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from coverage import CoverageData

from tests.mutants.mutation import Mutation
from tests.mutants.recorder import DURATIONS
from tests.mutants.sandbox import ROOT, Sandbox, files

SUITE_S = 3600.0
RECORDING = (
    *("-n", "2", "--dist", "worksteal", "-p", "tests.mutants.recorder"),
    *("--cov", "--cov-context=test", "--cov-report="),
)
BUDGET_S = 30.0  #: of tests per mutant, as long as they take by themselves


class Lines:
    """Tests by file and line, and how long each takes."""

    def __init__(self, cache: Path) -> None:
        self.folder = folder = cache / state()
        if not (folder / "coverage").exists():
            record(folder)
        self.seconds: dict[str, float] = json.loads((folder / "durations.json").read_text())
        self._data = CoverageData(str(folder / "coverage"))
        self._data.read()
        self._by_file: dict[str, dict[int, set[str]]] = {}

    def tests(self, mutation: Mutation) -> list[str]:
        """Those that run its lines, the quickest first; of its file where only importing does."""
        by_line = self._lines(mutation.path)
        wanted = range(mutation.line, mutation.last + 1)
        found = set().union(*(by_line.get(line, set()) for line in wanted))
        if not found:
            found = set().union(*by_line.values())
        return sorted(found, key=lambda test: (self.seconds[test], test))

    def affordable(self, tests: Iterable[str]) -> list[str]:
        """As many of them as fit into the budget."""
        kept: list[str] = []
        spent = 0.0
        for test in tests:
            spent += self.seconds[test]
            if kept and spent > BUDGET_S:
                break
            kept.append(test)
        return kept

    def _lines(self, path: str) -> dict[int, set[str]]:
        if path not in self._by_file:
            by_line: dict[int, set[str]] = defaultdict(set)
            measured = (one for one in self._data.measured_files() if one.endswith(f"/{path}"))
            contexts = self._data.contexts_by_lineno(next(measured, path))
            for line, names in contexts.items():
                tests = {name.rpartition("|")[0] for name in names}
                by_line[line] = {one for one in tests if self.seconds.get(one, 1e9) < BUDGET_S}
            self._by_file[path] = by_line
        return self._by_file[path]


def record(folder: Path) -> None:
    """Run the suite once, in a copy, noting who runs what. Raises RuntimeError if it cannot."""
    print("once: the whole suite, noting which test runs which line (some minutes) …", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    written = {DURATIONS: str(folder / "durations.json"), "COVERAGE_FILE": str(folder / "coverage")}
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        Sandbox(Path(scratch)).run(RECORDING, SUITE_S, **written)
    if not (folder / "coverage").exists():
        raise RuntimeError(f"{folder}: the suite left no coverage: does it run at all?")


def state() -> str:
    """A name for what all files hold now."""
    digest = hashlib.sha256()
    for name in files():
        if name.suffix in (".py", ".toml"):
            digest.update(str(name).encode() + (ROOT / name).read_bytes())
    return digest.hexdigest()[:12]
