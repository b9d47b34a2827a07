"""Profiles that are well-formed and cannot work: each is refused before anything starts."""

import re
from pathlib import Path

import pytest

from agent.config import load, parse
from agent.config.source import ConfigError
from agent.plan import make_plan
from agent.resources import resource

SCHOOL = resource("nodes/school.toml").read_text()
URL = 'url = "mqtt://localhost:1883"'
TWICE = '\n[[link]]\nname = "two"\nkind = "mqtt"\nurl = "mqtt://localhost:1883/"\n'
DUST = '\n[[instrument]]\nname = "more"\ndriver = "pms5003"\nbus = "/dev/serial0"\n'
OWN = '\n[[table]]\nname = "own"\ninterval_s = 60\ncolumns = [{}]\n'
CARELESS = '\n[[instrument]]\nname = "x"\ndriver = "tests.test_plan"\n'
LIMIT = '\n[[alarm]]\ncolumn = "air.temp"\n'
WIDE = ", ".join(f'{{ name = "x{n}", from = "air.co2" }}' for n in range(54))
WRONG = [
    ("above = 1500", "above = nan", "alarm[0].above: expected a number, got nan"),
    ("hysteresis = 100", "hysteresis = inf", "alarm[0].hysteresis: expected a number, got inf"),
    ("max_mb = 500", "max_mb = inf", "store.max_mb: expected a number, got inf"),
    ("offset = 0.0", "offset = -inf", "calibrate.temperature.offset: expected a number, got -inf"),
    ("", LIMIT + "above = 1e300\n", "alarm[1].above: 1e+300 is beyond what the column can say"),
    ("", LIMIT + "above = 5\nbelow = 9\n", "alarm[1].above: is less than 'below'"),
    ("", OWN.format('{ name = "x", from = "air.co2", nominal = 9999999999 }'), "at most 31 bits"),
    ("", OWN.format(WIDE), "table[2].columns: has 54, a table has at most 53"),
    ("", DUST, "instrument[6].bus: /dev/serial0 belongs to 'dust' already"),
    ('bus = "i2c-1" ', 'bus = "spi-1" ', "'spi-1' is no I2C bus: driver 'sht4x' needs one"),
    ("", CARELESS, "LookupError: no mailbox"),
    ('bus = "/dev/serial0"', 'bus = "serial0"', "'serial0' is no serial port: driver 'pms5003'"),
    (":1883", ":99999", "link[0].url: port 99999 does not exist"),
    (URL, URL + '\npassword_file = "/x"', "link[0].password_file: needs 'user' as well"),
    (URL, URL + '\nca_file = "/x"', "link[0].ca_file: needs a url that begins with mqtts://"),
    (URL, URL + '\nkey_file = "/x"', "link[0].key_file: needs 'certificate_file' as well"),
    (URL, URL + '\nuser = "a\\u0000b"', "link[0].user: has a character that cannot be printed"),
    ('column = "air.co2"', 'column = "air.noise"', "'air.noise' is measured by nothing here"),
    (URL, 'url = "mqtt://a..b"', "link[0].url: 'a..b' is no name of a host"),
    ("0x44", "0x144", "instrument[0].address: 0x144 is no I2C address: expected 0x08 to 0x77"),
    ("0x44", "-1", "instrument[0].address: -0x1 is no I2C address"),
    ("gain = 1.0", "gain = 0", "calibrate.temperature.gain: 0 makes all values alike"),
    ('driver = "sht4x"', 'driver = "SHT4X"', "no driver 'SHT4X'; did you mean 'sht4x'?"),
    ('bus = "i2c-1" ', 'buss = "i2c-1" ', "instrument[0].buss: unknown key; did you mean 'bus'?"),
    ("calibrate = {", "calibrat = {", "calibrat: is no option of driver 'sht4x'; did you"),
    ("temp = \"climate.temperature", "temp = \"climate.relative_humidity",
     "table[0].columns.temp: is in Cel, 'climate.relative_humidity' in %"),
    ("", TWICE, "link[1].url: link 'city' goes to this broker already"),
    ("interval_s = 60 ", "interval_s = 60\ninterval_s = 30 ", "this key or section is there twice")
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "hint"), WRONG, ids=[hint for _, _, hint in WRONG])
def test_what_cannot_work_is_refused_with_its_line(old: str, new: str, hint: str) -> None:
    assert old in SCHOOL
    text = SCHOOL.replace(old, new, 1) if old else SCHOOL + new
    with pytest.raises(ConfigError) as caught:
        make_plan(*parse(Path("node.toml"), text))
    assert hint in str(caught.value)
    assert caught.value.line > 0
    assert "\n" not in str(caught.value)


ROMS = [
    ("28-0316a2791d", "expected 28- and 12 digits 0-9 a-f, such as 28-0316a2791dff"),
    ("28-0316a2791dfg", "expected 28- and 12 digits"),
    ("10-0316a2791dff", "expected 28- and 12 digits"),
    ("28-0316A2791DFF", "here it is written 28-0316a2791dff"),
    ("28FF1D79A2160379", "its checksum is fe, a digit is wrong"),
    ("28 FF 1D 79 A2 16 03 FE", "here it is written 28-0316a2791dff"),
]


@pytest.mark.parametrize(("rom", "hint"), ROMS, ids=[rom for rom, _ in ROMS])
def test_a_rom_that_no_probe_can_have_is_refused(rom: str, hint: str) -> None:
    probe = f'\n[[instrument]]\nname = "deck"\ndriver = "ds18b20"\nbus = "w1"\nrom = "{rom}"\n'
    with pytest.raises(ConfigError, match=re.escape(hint)) as caught:
        make_plan(*parse(Path("node.toml"), SCHOOL + probe))
    assert caught.value.key == "instrument[6].rom"
    assert caught.value.line == len((SCHOOL + probe).splitlines())


class Careless:
    """Somebody's driver, whose constructor does more than store."""

    def __init__(self) -> None:
        raise LookupError("no mailbox")


DRIVER = Careless

BRIDGE = resource("nodes/bridge.toml").read_text()
SLIPS = [  # in the parts that a class room has not: key of the error, what is said
    ('kind = "vibration" ', 'kind = "vibraton" ', "trigger[0].kind", "one of vehicle, vibration"),
    ("floor = 0.006", "flor = 0.006", "trigger[0].flor", "did you mean 'floor'?"),
    ("known_t = 48", "knwon_t = 48", "trigger[1].knwon_t", "did you mean 'known_t'?"),
    ("mode_width =", "mode_widht =", "instrument[0].window.mode_widht", "mean 'mode_width'?"),
    ("{ rate_hz = 10, b", "{ rate = 10, b", "instrument[6].window.rate", "mean 'rate_hz'?"),
    ("{ rate_hz = 10, b", "{ b", "instrument[6].window", "window.rate_hz is missing"),
    ("slope = { x =", "slope = { q =", "instrument[2].window", "no tilt 'q'; known here: x, y"),
    ("rate_hz = 125 ", "rate_hz = 126 ", "instrument[0].rate_hz", "is 125 or 250, not 126"),
    ('kind = "crack" ', 'kind = "crak" ', "instrument[28].kind", "one of crack, frequency, tilt"),
    ("records = {", "recrods = {", "recrods", "did you mean 'records'?"),
    ('from = "acc.f1"', 'from = "acc.g1"', "table[1].columns[0].from", "f2, f3 and 80 more"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "hint"), SLIPS, ids=[new for _, new, *_ in SLIPS])
def test_a_slip_in_a_bridges_profile_is_named_with_line_and_key(
    old: str, new: str, key: str, hint: str
) -> None:
    text = BRIDGE.replace(old, new, 1)
    with pytest.raises(ConfigError, match=re.escape(hint)) as caught:
        make_plan(*parse(Path("node.toml"), text))
    assert caught.value.key == key
    assert new in text.splitlines()[caught.value.line - 1]


def test_a_profile_out_of_an_editor_that_marks_its_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_bytes(b"\xef\xbb\xbf" + SCHOOL.encode())
    assert load(tmp_path / "node.toml")[0].node.name == "ghs-raum-a"


def test_a_modem_and_a_sensor_do_not_share_a_serial_line() -> None:
    text = resource("nodes/school-lorawan.toml").read_text()
    port = text.split('port = "')[1].split('"')[0]
    text += f'\n[[instrument]]\nname = "more"\ndriver = "pms5003"\nbus = "{port}"\n'
    with pytest.raises(ConfigError, match=f"{port} belongs to instrument 'more' already"):
        make_plan(*parse(Path("node.toml"), text))
