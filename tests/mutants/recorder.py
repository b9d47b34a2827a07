"""A pytest plugin: how long each test takes, and every test's lines, `no_cover` or not."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

DURATIONS = "MUTANTS_DURATIONS"  #: environment: where they are written
_seconds: dict[str, float] = defaultdict(float)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes too long for each day's coverage may see a wrong line as well."""
    for item in items:
        item.own_markers = [mark for mark in item.own_markers if mark.name != "no_cover"]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up setup, call and teardown of tests that pass; the others can judge nothing."""
    if report.when == "call" and not report.passed:
        _seconds[report.nodeid] += 1e9
    _seconds[report.nodeid] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write them once, where all reports come together."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        Path(os.environ[DURATIONS]).write_text(json.dumps(_seconds))
