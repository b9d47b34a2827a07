"""`stadtsinn new-driver` writes what every driver is asked for; so is the example of the README."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import group
from agent.cli.new_driver import places
from agent.measure.driver_registry import find
from tests import test_conformance
from tests.driver_kit import where
from tests.fuzz import fuzz_serial

README = Path(__file__).parents[1] / "drivers" / "README.md"
RULES = [rule for name, rule in vars(test_conformance).items() if name.startswith("test_")]
PROFILE = """
node = {{ name = "desk" }}
[[instrument]]
name = "it"
driver = "{name}"
bus = "{bus}"
[[table]]
name = "t"
interval_s = 60
columns = [{{ name = "value", from = "it.{quantity}" }}]
"""


def new_driver(*words: str) -> Result:
    return CliRunner().invoke(group, ["new-driver", *words])


def ask_everything(name: str) -> None:
    """Every rule of the conformance test, and the fuzzer."""
    for rule in RULES:
        try:
            rule(name)
        except pytest.skip.Exception:
            continue
    if fuzz_serial.fuzzer(name):
        fuzz_serial.run(2_000, 1, [name])


@pytest.mark.parametrize(
    ("bus", "device", "quantity"),
    [
        ("i2c", "i2c-1", "temperature"),
        ("serial", "/dev/serial0", "pm2_5"),
        ("w1", "w1", "temperature"),
    ],
)
def test_a_new_driver_passes_all_that_a_driver_is_asked_and_reads_in_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bus: str, device: str, quantity: str
) -> None:
    name = f"fresh_{bus}"
    made = new_driver(name, "--bus", bus, "--folder", str(tmp_path))
    assert made.exit_code == 0, made.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.md", f"{name}.py"]
    monkeypatch.syspath_prepend(tmp_path)
    ask_everything(name)
    assert f'driver = "{name}"' in (tmp_path / f"{name}.md").read_text("utf-8")
    profile = tmp_path / "node.toml"
    profile.write_text(PROFILE.format(name=name, bus=device, quantity=quantity))
    read = CliRunner().invoke(group, ["probe", "--simulate", "--no-links", str(profile)])
    assert read.exit_code == 0, read.output
    assert quantity in read.output


def test_the_example_of_the_readme_passes_all_that_a_driver_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert example
    (tmp_path / "tmp117.py").write_text(example[1])
    (tmp_path / "tmp117.md").write_text("its page")
    monkeypatch.syspath_prepend(tmp_path)
    ask_everything("tmp117")


def test_nothing_is_written_over_and_a_wrong_name_is_refused_with_the_remedy(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.md").write_text("mine")
    for words, text in (
        (("mine", "--bus", "i2c", "--folder", str(tmp_path)), "mine.md is there already: delete"),
        (("bme280", "--bus", "i2c"), "there is a driver 'bme280' already: choose another name"),
        (("random", "--bus", "w1"), "'random' means something in Python already"),
        (("class", "--bus", "w1"), "'class' means something in Python already"),
        (("lüfter", "--bus", "w1"), "a driver's name is a-z, 0-9 and _"),
        (("My-Chip", "--bus", "w1"), "a driver's name is a-z, 0-9 and _, such as veml7700"),
    ):
        refused = new_driver(*words)
        assert refused.exit_code == 2
        assert text in refused.output.replace("\n", "")
    assert (tmp_path / "mine.md").read_text() == "mine"
    assert not (tmp_path / "mine.py").exists()


def test_an_installed_wheel_asks_for_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.cli.new_driver.WIRING", Path("/nowhere/hw/wiring"))
    refused = new_driver("chip1", "--bus", "i2c")
    assert refused.exit_code == 2
    assert "say --folder, such as --folder ." in refused.output


def test_in_a_clone_the_page_lies_among_the_others() -> None:
    found = places("chip1", None)
    assert [path.relative_to(README.parents[1]).as_posix() for path in found] == [
        "drivers/sensors/chip1.py",
        "hw/wiring/chip1.md",
    ]


def slipped(tmp_path: Path, name: str, old: str, new: str) -> None:
    """A fresh driver with one slip in it."""
    new_driver(name, "--bus", "i2c", "--folder", str(tmp_path))
    text = (tmp_path / f"{name}.py").read_text("utf-8")
    assert old in text
    (tmp_path / f"{name}.py").write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "remedy"),
    [
        ("slip_vector", '["0c 80"]', '["0c 81"]', r"0c 81 is .*the driver reads"),
        ("slip_none", "VECTORS = (", "OTHERS = (", "no VECTORS: write down an example"),
        ("slip_scale", "CEL_PER_COUNT = 1 / 128", "CEL_PER_COUNT = 1 / 127", "off by more than"),
        ("slip_name", 'return {"temperature"', 'return {"temp"', "name the same in both"),
        ("slip_kind", 'Quantity("temperature"', 'Quantity("warmth"', "no kind 'warmth' in"),
        (
            "slip_id",
            "if (found := self.identity) != IDENTITY",
            "if not (found := 1)",
            "read the identity",
        ),
        ("slip_sum", "    checksum = False", "    sums = False", "Declare checksum = True"),
        ("slip_slow", "FIRST_RESULT_S = 0.13", "FIRST_RESULT_S = 13", "declare setup_s, or wait"),
        ("slip_last", "DRIVER, TWIN = SlipLast,", "DRIVER = SlipLast\nTWIN =", "its last line is"),
        ("slip_paper", "Datasheet:", "Paper:", "docstring names no 'Datasheet"),
    ],
)
def test_a_slip_in_a_driver_is_told_with_its_file_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str, remedy: str
) -> None:
    slipped(tmp_path, name, old, new)
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for rule in RULES:
        try:
            rule(name)
        except pytest.skip.Exception:
            continue
        except (AssertionError, pytest.fail.Exception) as error:
            found.append(str(error))
        except Exception as error:
            found.append(repr(error))
    assert any(re.search(remedy, one, re.DOTALL) for one in found), found
    assert any(where(name) in one for one in found)
    assert find(name)


RANGES = "lambda value: 0.01 if abs(value) < 9 else 1.0"


@pytest.mark.parametrize("says_so", [True, False])
def test_a_chip_that_changes_its_range_by_itself_states_its_resolution_as_a_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says_so: bool
) -> None:
    name = f"ranging_{says_so}".lower()
    slipped(tmp_path, name, "0.01, -55, 150", f"0.01, -55, 150, {RANGES if says_so else 'None'}")
    text = (tmp_path / f"{name}.py").read_text("utf-8")
    plain = 'return {"temperature": counts * CEL_PER_COUNT}'
    ranged = plain.replace(
        "counts * CEL_PER_COUNT", "round(counts / 128, 2 * (abs(counts) < 1200))"
    )
    assert plain in text
    (tmp_path / f"{name}.py").write_text(text.replace(plain, ranged))
    monkeypatch.syspath_prepend(tmp_path)
    rule = test_conformance.test_the_truth_comes_back_as_finely_as_it_says_over_the_range
    if says_so:
        rule(name)
    else:
        with pytest.raises(
            AssertionError, match="give the Quantity a larger step or a `resolution`"
        ):
            rule(name)
