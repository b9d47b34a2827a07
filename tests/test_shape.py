"""The house keeps its shape: rooms, names, who imports whom; every profile starts."""

import ast
import gc
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from agent import config as configs
from agent.config import load
from agent.model.schema import quantity_kinds
from tests.simulated_kit import measured

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


# -- names ---------------------------------------------------------------------------------------

MOST_FLAT = 8  #: modules that lie in agent/ itself
NUMBERED = {"eu868", "rui3"}  #: terms; chips and modems are called what they are called
NOTHING_SAID = {"util", "utils", "common", "helper", "helpers", "misc", "base", "tools"}


def modules() -> list[Path]:
    return [path for path in sources() if path.stem != "__init__"]


def docstring(path: Path) -> str:
    tree = parsed(path)
    assert isinstance(tree, ast.Module)
    return ast.get_docstring(tree) or ""


@pytest.mark.no_cover
def test_few_modules_lie_flat_in_agent() -> None:
    flat = [path.name for path in (ROOT / "agent").glob("*.py") if path.stem != "__init__"]
    assert len(flat) <= MOST_FLAT, f"a new file belongs into a room of agent/: {sorted(flat)}"


@pytest.mark.no_cover
def test_a_file_name_means_one_thing_or_both_files_name_each_other() -> None:
    by_name: dict[str, list[Path]] = {}
    for path in modules():
        by_name.setdefault(path.name, []).append(path)
    silent = [
        f"{one.relative_to(ROOT)} does not name {other.relative_to(ROOT)} in its docstring"
        for alike in by_name.values()
        for one in alike
        for other in alike
        if one != other and other.relative_to(ROOT).as_posix() not in docstring(one)
    ]
    assert silent == [], "one idea at two levels says so; else one of the two is renamed"


@pytest.mark.no_cover
def test_names_say_something_and_carry_no_number() -> None:
    named = {"drivers/sensors", "drivers/modems"}
    wrong = [
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if path.stem in NOTHING_SAID
        or (
            re.search(r"\d$", path.stem)
            and path.stem not in NUMBERED
            and path.parent.relative_to(ROOT).as_posix() not in named
        )
    ]
    assert wrong == []


# -- who imports whom: anywhere in a file, in functions and behind TYPE_CHECKING too -------------


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def graph() -> dict[str, set[str]]:
    """Module -> the modules of the project that it imports."""
    files = {dotted(path): path for path in sources()}
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        asked = set()
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                asked |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                whole = {f"{node.module}.{one.name}" for one in node.names}
                asked |= {one if one in files else node.module for one in whole}
        found[name] = (asked & files.keys()) - {name}
    return found


def circle(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """Names that lie on a circle or between two; none if there is none."""
    left = {name: set(to) for name, to in arrows.items()}
    while True:
        asked = set().union(*left.values()) if left else set()
        off = [name for name, to in left.items() if not to & left.keys() or name not in asked]
        if not off:
            return sorted(left)
        for name in off:
            del left[name]


def room(module: str) -> str:
    """`agent.measure.window` -> `measure`, `drivers.sim.i2c` -> `drivers: sim`."""
    top, *rest = module.split(".")
    inside = rest[0] if rest else "__init__"
    return inside if top == "agent" else f"drivers: {inside}"


def allowed() -> dict[str, set[str]]:
    """The table of agent/README.md: room -> what it may import, from the bottom up."""
    rows: dict[str, set[str]] = {}
    text = (ROOT / "agent/README.md").read_text(encoding="utf-8")
    table = text.split("| room |")[1].split("\n\n")[0].splitlines()[2:]
    for line in table:
        name, _, may = (cell.strip() for cell in line.strip("|").split("|"))
        agent, _, drivers = may.partition("drivers: ")
        above = {one.strip("; ") for one in agent.split(",")} - {"-", ""}
        if "all" in above:
            above = set(rows)
        found = re.match(r"[`\[]([a-z_]+)", name)
        assert found, f"no room: {line}"
        of_drivers = {one.strip() for one in drivers.split(",")} - {""}
        rows[found[1]] = above | {f"drivers: {one}" for one in of_drivers}
    return rows


@pytest.mark.no_cover
def test_no_circle_of_imports_between_files() -> None:
    assert circle(graph()) == []


def test_a_circle_would_be_seen() -> None:
    assert circle({"a": ["b"], "b": ["c"], "c": []}) == []
    assert circle({"a": ["b"], "b": ["c"], "c": ["b", "d"], "d": []}) == ["b", "c"]


@pytest.mark.no_cover
def test_a_room_imports_what_its_line_in_the_agents_page_names() -> None:
    may = allowed()
    arrows = {
        (room(module), room(other), module, other)
        for module, others in graph().items()
        if module.startswith("agent.")
        for other in others
    }
    wrong = [
        f"{module} imports {other}: '{here}' may import {sorted(may.get(here, ()))}"
        for here, there, module, other in sorted(arrows)
        if here != there and there not in may.get(here, set())
    ]
    assert wrong == []


@pytest.mark.no_cover
def test_the_agents_page_names_every_room_and_only_rooms_above() -> None:
    seen: set[str] = set()
    for name, may in allowed().items():
        below = {one for one in may if not one.startswith("drivers: ")} - seen
        assert below == set(), f"'{name}' may import what stands below it"
        seen.add(name)
    assert seen == {room(dotted(path)) for path in (ROOT / "agent").rglob("*.py")} - {"__init__"}


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
    node = measured(profile, tmp_path)
    assert all(one.state == "ok" for one in node.instruments.values()), [
        (one.name, one.reason) for one in node.instruments.values()
    ]


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


def test_quantity_numbers_are_told_apart_by_kind() -> None:
    numbers = [kind.number for kind in quantity_kinds().values()]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 65_536 for number in numbers)
