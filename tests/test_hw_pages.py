"""The pages of hw/: what is made from the code is fresh, what is an example runs."""

import re
import tomllib
from pathlib import Path

import pytest

from agent.cli.options import examine_text
from agent.codec import private_number
from agent.config import parse
from agent.config.sections import Config
from agent.model.schema import field_for, registered_schemas
from agent.plan.mistakes import all_mistakes
from drivers.sim.timetable import KINDS, load
from tests.hw_pages import (
    HW,
    OPTIONS_HEAD,
    WIRING_HEAD,
    between,
    fresh,
    option_rows,
    wiring_rows,
)
from tests.profile_keys import rows, sections_of, tables
from tests.simulated_kit import measured

NODES = HW / "nodes" / "README.md"
TYPE = "type  python -m tests.hw_pages"


def blocks(page: Path) -> list[str]:
    """TOML examples of a page."""
    return re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def example_profile(folder: Path) -> Path:
    """All examples of hw/nodes/README.md but the timetable, as one profile."""
    parts = [one for one in blocks(NODES) if "[[fault]]" not in one]
    path = folder / "steg.toml"
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


# -- made from the code ----------------------------------------------------------------------------


def test_the_tables_of_keys_are_as_the_structs_have_them() -> None:
    text = NODES.read_text(encoding="utf-8")
    assert fresh(text, {"<!-- keys -->": tables}) == text, TYPE


@pytest.mark.parametrize(
    ("page", "mark", "head", "made"),
    [
        ("nodes", "<!-- options -->", OPTIONS_HEAD, option_rows),
        ("wiring", "<!-- pages -->", WIRING_HEAD, wiring_rows),
    ],
)
def test_no_row_of_a_list_says_what_the_code_does_not(page, mark, head, made) -> None:  # type: ignore[no-untyped-def]
    """A row that is missing passes: a new driver is one file and its page."""
    text = (HW / page / "README.md").read_text(encoding="utf-8")
    stale = set(between(text, mark)[0].splitlines()) - set(head) - set(made())
    assert stale == set(), TYPE


def test_every_key_says_what_it_means() -> None:
    silent = [
        f"{part[0]}: {line}"
        for part in sections_of(Config)
        for line in part
        if line.startswith("| `") and line.endswith("|  |")
    ]
    assert silent == [], "say it behind the key in agent/config/sections.py:  #: what it is"


def test_every_section_of_a_profile_has_its_table() -> None:
    titles = [part[0] for part in sections_of(Config)]
    for name in ("[node]", "[[instrument]]", "[instrument.window]", "[[table.columns]]", "[store]"):
        assert f"### `{name}`" in titles
    assert '### `[[link]]` with `kind = "lorawan"`' in titles
    assert len(titles) == len(set(titles))
    assert all(list(rows(kind)) for kind in (Config,))


# -- examples --------------------------------------------------------------------------------------


def test_the_examples_of_a_profile_are_one_that_is_right_and_measures(tmp_path: Path) -> None:
    profile = example_profile(tmp_path)
    assert [str(one) for one in all_mistakes(profile, examine_text)] == []
    node = measured(profile, tmp_path)
    assert [(one.name, one.reason) for one in node.instruments.values() if one.state != "ok"] == []


def test_the_timetable_breaks_the_example_in_every_way_there_is(tmp_path: Path) -> None:
    (timetable,) = (one for one in blocks(NODES) if "[[fault]]" in one)
    config, _ = parse(tmp_path, example_profile(tmp_path).read_text(encoding="utf-8"))
    (tmp_path / "breaks.toml").write_text(timetable)
    names = [one.name for one in config.instrument]
    faults = load(tmp_path / "breaks.toml", names, [one.bus for one in config.instrument])
    assert {one.what for one in faults} == set(KINDS)


def test_the_page_of_schemas_names_every_registered_table() -> None:
    text = (HW / "schemas" / "README.md").read_text(encoding="utf-8")
    named = [int(number) for number in re.findall(r"^\| (\d+) \| \[", text, re.M)]
    assert named == sorted(registered_schemas())


def test_the_example_of_a_table_to_register_is_one() -> None:
    (example,) = blocks(HW / "schemas" / "README.md")
    table = tomllib.loads(example)
    assert table["number"] not in registered_schemas()
    assert private_number([field_for(**column) for column in table["column"]]) > 255


# -- profiles of 0.1 -------------------------------------------------------------------------------

OLD = sorted((Path(__file__).parent / "data" / "profiles-0.1").glob("*.toml"))


@pytest.mark.parametrize("profile", OLD, ids=lambda path: path.stem)
def test_a_profile_of_0_1_is_right_and_measures_and_the_log_tells_new_names(
    profile: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.measure.driver_registry._told_renamed", set())
    assert [str(one) for one in all_mistakes(profile, examine_text)] == []
    node = measured(profile, tmp_path)
    assert all(one.state == "ok" for one in node.instruments.values())
    tables = tomllib.loads(profile.read_text(encoding="utf-8"))["table"]
    assert node.store.counts().rows >= 2 * len(tables)
    former = set(re.findall(r'driver = "(agent\.\w+)"', profile.read_text(encoding="utf-8")))
    told = [line.split()[0] for line in caplog.messages if "state=renamed" in line]
    assert sorted(told) == sorted(f"driver={name}" for name in former)
    assert former
