"""`check` tells every mistake of a profile at once, at its line, with what to write instead."""

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import group
from agent.cli.options import examine_text
from agent.config import parse
from agent.config.slips import mend
from agent.measure.driver_registry import look_beside
from agent.plan.machine import look_at
from agent.plan.mistakes import all_mistakes
from agent.plan.profile_text import NOBODY
from tests.test_shape import PROFILES

SIX = """\
node = { name = "New Comer" }
store = { path = "/var/tmp/x.db", max_mb = 50, max_days = 10 }
[[instrument]]
name = "light"
driver = "veml7700x"
bus = "i2c-1"
addres = 0x10
[[instrument]]
name = "dust"
driver = "sds012"
bus = "/dev/serial0"
[[table]]
name = "air"
interval_s = 60
schema = 1
columns = { lux = "light.lux", pm25 = "dust.pm2_5" }
[[alarm]]
column = "air.lux"
above = 5
[[link]]
name = "city"
kind = "mqtt"
url = "localhost:1883"
"""
GOOD = """\
node = { name = "room" }
[[instrument]]
name = "climate"
driver = "sht4x"
bus = "i2c-1"
calibrate = { temperature = { gain = 1.0, offset = 0.5 } }
[[instrument]]
name = "air"
driver = "scd41"
bus = "i2c-1"
self_calibration = false
[[table]]
name = "air"
interval_s = 60
schema = 1
columns = { temp = "climate.temperature", co2 = "air.co2" }
[[alarm]]
column = "air.co2"
above = 1000
[[link]]
name = "city"
kind = "mqtt"
url = "mqtt://localhost"
"""


def told(tmp_path: Path, text: str | bytes) -> list[tuple[int, str, str]]:
    """Line, what it is about, hint."""
    path = tmp_path / "node.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [(one.line, one.title, one.hint) for one in all_mistakes(path, examine_text)]


def check(path: Path, *words: str) -> Result:
    return CliRunner().invoke(group, ["check", str(path), *words])


def test_six_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = told(tmp_path, SIX)
    assert [line for line, _, _ in found] == [1, 5, 7, 10, 16, 23]
    assert [about for _, about, _ in found] == [
        "node.name", "instrument 'light', driver", "addres", "instrument 'dust', driver",
        '"light.lux"', "link 'city', url",
    ]  # fmt: skip
    assert found[2][2] == "unknown key; did you mean 'address'?"
    done = check(tmp_path / "node.toml")
    assert done.exit_code == 2
    assert '    url = "localhost:1883"' in done.output
    assert "6 mistakes in" in done.output


def test_what_follows_from_a_mistake_is_not_told(tmp_path: Path) -> None:
    text = GOOD.replace('"scd41"', '"scd42"').replace("self_", "# ")
    assert told(tmp_path, text) == [
        (9, "instrument 'air', driver", "no driver 'scd42'; did you mean 'scd41'?")
    ]


SLIPS = [
    ('"sht4x"', "sht4x", 4, 'text stands in quotes: "sht4x"'),
    ('"sht4x"', "“sht4x”", 4, "typographic quotes"),
    ('"sht4x"', "„sht4x“", 4, "typographic quotes"),
    ("= false", "= False", 11, "write false, in small letters"),
    ("= false", "= nein", 11, "write false, in small letters"),
    ("= false", '= "aus"', 11, "write false, without quotes"),
    ("0.5", "0,5", 6, "decimal comma: write 0.5 with a point"),
    ("= 60", "= 60,0", 14, "decimal comma: write 60"),
    ("= 60", "= 60 s", 14, "write the number alone, without its unit: 60"),
    ("= 60", "= 1 min", 14, "write the number alone, without its unit: 60"),
    ("= 60", "= 60;", 14, "nothing stands behind a value"),
    ("= 60", "= 60 // jede Minute", 14, "a comment begins with #"),
    ("offset = 0.5", "offset = \u22120.5", 6, "a long dash"),
    ("= 60", '= "60 s"', 14, "write 60 without quotes"),
    ("= 60", '= "60"', 14, "write 60 without quotes"),
    ("= 60", "= 060", 14, "write 60, without zeros in front"),
    ("= 60", "= 60.5", 14, "expected a whole number, got a number, 60.5"),
    ("= 60", " 60", 14, "an equals sign is missing"),
    ("interval_s = 60", "interval_s: 60", 14, "equals sign: key = value"),
    ("interval_s = 60", "interval_s = 60\ninterval_s = 60", 15, "there twice"),
    ("interval_s", "Interval_s", 14, "did you mean 'interval_s'?"),
    ("interval_s", "\u00a0interval_s", 14, "a blank that is none"),
    ("[[table]]", "[table]", 12, "write it with two brackets, [[table]]"),
    ("[[table]]", "[[table]", 12, "write it with two brackets, [[table]]"),
    ('node = { name = "room" }', '[[node]]\nname = "room"', 1, "write, [node]"),
    ('name = "climate"', 'name = "climate', 3, 'a " is missing'),
    ('name = "climate"', 'name = climate"', 3, 'a " is missing'),
    ('"room" }', '"room" }\nstore = { path = "C:\\users" }', 2, "write / instead of"),
    ("offset = 0.5 } }", "offset = 0.5 }", 6, "a } is missing"),
    ("offset = 0.5 } }", "offset = 0.5 } } }", 6, "a } too many"),
    ("gain = 1.0, offset", "gain = 1.0 offset", 6, "a comma is missing"),
    ('co2 = "air.co2"', "co2 = air.co2", 16, "text stands in quotes"),
    ("offset = 0.5", "offset = 1e308", 6, "leaves no value within"),
    ("self_cal", 'inputs = { pressure_pa = "climate.temperature" }\nself_cal', 11, "is in Pa"),
    ("localhost", "localhost\\n", 23, "expected mqtt://host"),
    ('"room"', '"room\\n"', 1, "such as 'ghs-raum-a'"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "hint"), SLIPS, ids=[s[1][:24] for s in SLIPS])
def test_what_people_write_first_is_told_with_the_remedy(
    tmp_path: Path, right: str, wrong: str, line: int, hint: str
) -> None:
    assert right in GOOD
    found = told(tmp_path, GOOD.replace(right, wrong, 1))
    assert len(found) == 1, found
    assert found[0][0] == line
    assert hint in found[0][2]


WRONG = sorted((Path(__file__).parent / "data" / "profiles-wrong").glob("*.toml"))


@pytest.mark.parametrize("profile", WRONG, ids=lambda path: path.stem)
def test_wrong_profiles_are_told_all_mistakes_as_they_say_at_their_end(profile: Path) -> None:
    """Lines such as `#= 5: no driver 'sht4'`: where, and how the hint begins."""
    said = re.findall(r"^#= (\d+): (.*)$", profile.read_text(encoding="utf-8"), re.M)
    found = all_mistakes(profile, examine_text)
    assert [one.line for one in found] == [int(line) for line, _ in said]
    for one, (_, hint) in zip(found, said, strict=True):
        assert one.hint.startswith(hint)


def test_a_word_that_stands_in_is_never_told() -> None:
    told = [one.told() for path in WRONG for one in all_mistakes(path, examine_text)]
    assert len(WRONG) > 20
    invented = rf"(?<!\w){NOBODY}(?!\w)|i2c-9|/dev/9"
    assert [line for line in told if re.search(invented, line)] == []


def test_slips_of_many_kinds_are_all_told_in_one_run(tmp_path: Path) -> None:
    text, lines = GOOD, set[int]()
    for right, wrong, line, _ in (SLIPS[0], SLIPS[3], SLIPS[6], SLIPS[8]):
        text, lines = text.replace(right, wrong, 1), lines | {line}
    assert {line for line, _, _ in told(tmp_path, text)} == lines


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_a_right_profile_has_no_slip(profile: Path) -> None:
    text = profile.read_text(encoding="utf-8")
    assert mend(text) == ("\n".join(text.splitlines()), [])


def test_how_a_file_was_saved_is_told_and_the_rest_is_looked_at_too(tmp_path: Path) -> None:
    text = "# Erklärung\n" + GOOD.replace('"sht4x"', '"sht4"')
    assert told(tmp_path, "\ufeff" + GOOD) == []
    latin = told(tmp_path, text.encode("latin-1"))
    assert [line for line, _, _ in latin] == [1, 5]
    assert "save it anew as UTF-8" in latin[0][2]
    wide = told(tmp_path, text.encode("utf-16"))
    assert [line for line, _, _ in wide] == [1, 5]
    assert "UTF-16" in wide[0][2]
    assert told(tmp_path, GOOD.replace("\n", "\r\n").replace(" = ", "\t=\t")) == []


def test_programs_get_the_mistakes_as_json(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(SIX)
    done = check(tmp_path / "node.toml", "--json")
    assert done.exit_code == 2
    found = json.loads(done.output)["mistakes"]
    assert [one["line"] for one in found] == [1, 5, 7, 10, 16, 23]
    assert found[0]["text"] == 'node = { name = "New Comer" }'


def test_a_password_in_a_url_is_not_shown_with_its_line(tmp_path: Path) -> None:
    text = GOOD.replace("mqtt://localhost", "mqtt://me:secret@broker")
    (tmp_path / "node.toml").write_text(text)
    done = check(tmp_path / "node.toml")
    assert done.exit_code == 2
    assert "secret" not in done.output


def test_a_driver_beside_the_profile_is_among_the_suggestions(tmp_path: Path) -> None:
    (tmp_path / "teapot.py").write_text("DRIVER = None\n")
    path = tmp_path / "node.toml"
    path.write_text(GOOD.replace('"sht4x"', '"teapott"'))
    assert "did you mean 'teapot'?" in check(path).output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is in danger")
def test_root_loads_no_driver_from_where_others_may_write(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65_534, 65_534)
    (folder / "evil_driver.py").write_text("raise SystemExit('loaded')\n# DRIVER\n")
    path = folder / "node.toml"
    path.write_text(GOOD.replace('"sht4x"', '"evil_driver"'))
    look_beside(folder)
    assert "no driver 'evil_driver'" in check(path).output


def test_what_the_machine_lacks_is_a_warning_apart_from_what_is_wrong(tmp_path: Path) -> None:
    for name in ("dev/i2c-1", "dev/i2c-20", "dev/ttyUSB0"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o644)
    text = GOOD.replace('"i2c-1"', '"i2c-3"', 1).replace(
        '"room" }', '"room" }\n[store]\nmax_mb = 1e12'
    )
    more = 'url = "mqtt://localhost"\nuser = "x"\npassword_file = "/secret"\n'
    more += '[[link]]\nname = "two"\nkind = "mqtt"\nurl = "mqtts://b"\nca_file = "/nope.pem"\n'
    config, source = parse(tmp_path / "node.toml", text.replace('url = "mqtt://localhost"\n', more))
    found = [one.text for one in look_at(config, source, tmp_path)]
    assert "there is no i2c-3 here; there is i2c-1, i2c-20 (climate)" in found
    assert "link 'two': ca_file /nope.pem is not there" in found
    assert "link 'city': everybody may read /secret: chmod 640" in found
    assert any("the store may take 1,000,000,000,000 MB, its disk has" in one for one in found)
    assert any("the store's folder /var/lib/stadtsinn is not there" in one for one in found)


def test_five_sensors_on_a_bus_that_is_off_are_one_line(tmp_path: Path) -> None:
    config, source = parse(tmp_path / "node.toml", GOOD)
    found = [one.text for one in look_at(config, source, tmp_path) if "I2C" in one.text]
    assert len(found) == 1
    assert "(climate, air)" in found[0]
    assert "raspi-config" in found[0]


def test_a_bus_that_is_off_is_told_how_to_switch_on_and_no_store_section_has_no_line(
    tmp_path: Path,
) -> None:
    text = GOOD.replace('driver = "scd41"\nbus = "i2c-1"', 'driver = "ds18b20"\nbus = "w1"')
    text += '[[link]]\nname = "two"\nkind = "file"\npath = "/frames"\n'
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "ttyS0").touch()
    found = look_at(*parse(tmp_path / "node.toml", text.replace("self_cal", "# ")), tmp_path)
    told = {one.text: one.line for one in found}
    assert any("1-wire is not switched on here" in one and "(air)" in one for one in told)
    assert [line for one, line in told.items() if "store's folder" in one] == [0]


def test_a_warning_changes_no_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(GOOD.replace("interval_s = 60", "interval_s = 61"))
    done = check(path)
    assert done.exit_code == 0
    assert "61 s do not fit into an hour" in done.output
    assert "usual is 60" in done.output
