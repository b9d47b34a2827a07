"""The house keeps its shape: who imports whom, what is documented, every profile starts."""

import ast
import gc
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from agent import config as configs
from agent.cli import COMMANDS, group
from agent.clock import VirtualClock
from agent.config import load
from agent.daemon import run_virtual
from agent.measure.health import HealthSource
from agent.model.schema import quantity_kinds
from agent.node import build
from agent.plan import make_plan, read_profile
from agent.simulate import SimBuses, check_feeds, make_world
from tests.conftest import MONDAY
from tests.rig import MemoryLink

ROOT = Path(__file__).parents[1]
PROFILES = sorted((ROOT / "hw" / "nodes").glob("*.toml"))
VENDORS = {  # vendor library -> who may import it
    "smbus2": r"drivers/bus/i2c\.py|drivers/sim/.*",
    "serial": r"drivers/bus/port\.py|drivers/sim/.*",
    "RPi": r"drivers/bus/pins\.py",
    "paho": r"agent/transport/links/.*",
    "cbor2": r"agent/codec/cbor\.py",
    "sqlite3": r"agent/store/.*",
    "numpy": r"agent/features/.*",
    "cryptography": r"drivers/sim/lorawan/.*",
    "click": r"agent/cli/.*",
    "rich": r"agent/cli/.*",
}


def parsed(path: Path) -> ast.AST:
    """A file's syntax tree; nothing else runs meanwhile (CPython issue 106905, in 3.11)."""
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        gc.enable()


def imports(path: Path) -> set[str]:
    """Top-level names a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def sources() -> list[Path]:
    return [*(ROOT / "agent").rglob("*.py"), *(ROOT / "drivers").rglob("*.py")]


@pytest.mark.no_cover
def test_drivers_know_nothing_of_the_agent() -> None:
    wrong = [path for path in (ROOT / "drivers").rglob("*.py") if "agent" in imports(path)]
    assert wrong == []


@pytest.mark.no_cover
def test_each_vendor_library_has_one_door() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {library}"
        for path in sources()
        for library in imports(path) & VENDORS.keys()
        if not re.fullmatch(VENDORS[library], path.relative_to(ROOT).as_posix())
    ]
    assert wrong == []


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    import subprocess
    import sys

    script = "import sys, agent.cli, agent.node; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    loaded = set(shown.stdout.split())
    assert not loaded & {"rich", "numpy", "paho.mqtt.client", "cryptography", "agent.simulate"}


@pytest.mark.no_cover
@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_shipped_profile_starts_simulated(profile: Path, tmp_path: Path) -> None:
    config, source = read_profile(profile)
    soon = tuple(msgspec.structs.replace(table, interval_s=20) for table in config.table)
    config = msgspec.structs.replace(config, table=soon)
    clock = VirtualClock(MONDAY)
    world = make_world(config, source)
    check_feeds(config, source, world)
    buses = SimBuses(
        clock,
        clock.true_utc,
        world,
        config.simulate.feeds,
        HealthSource(clock),
        config.simulate.rate_error,
    )
    made = make_plan(config, source, buses)
    links = {one.name: MemoryLink(clock) for one in config.link}
    node = build(made, clock, store_path=tmp_path / "store.db", links=links)
    run_virtual(node.jobs, clock, clock.monotonic() + 41)
    assert all(one.state == "ok" for one in node.instruments.values()), [
        (one.name, one.reason) for one in node.instruments.values()
    ]
    node.close()


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_key_of_a_shipped_profile_is_commented(profile: Path) -> None:
    load(profile)
    lines = profile.read_text(encoding="utf-8").splitlines()
    telling = [line for line in lines if line and not line.startswith("  {")]  # rows of a list
    assert sum("#" in line for line in telling) > len(telling) / 3


def test_every_config_key_stands_in_a_shipped_profile() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PROFILES)
    parts = [one for one in vars(configs).values() if hasattr(one, "__struct_encode_fields__")]
    keys = {key for part in parts for key in part.__struct_encode_fields__} - {"options"}
    missing = [key for key in sorted(keys) if not re.search(rf"\b{key}\b", text)]
    assert missing == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_stands_in_a_readme(name: str) -> None:
    shown = CliRunner().invoke(group, [name, "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.output
    pages = [ROOT / "README.md", *ROOT.glob("*/README.md")]
    assert any(f"stadtsinn {name}" in page.read_text(encoding="utf-8") for page in pages)


def test_quantity_numbers_are_told_apart_by_kind() -> None:
    numbers = [kind.number for kind in quantity_kinds().values()]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 65_536 for number in numbers)
