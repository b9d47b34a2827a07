"""node.toml: the good one is understood, each wrong one is named with line, key and a hint."""

from pathlib import Path

import pytest

from agent.config import load, parse
from agent.config.sections import FileConfig, MqttConfig
from agent.config.source import ConfigError
from agent.plan.links import check_mqtt

GOOD = """
node  = { name = "ghs-raum-a" }
store = { path = "/x/store.db" }
[[instrument]]
name = "air"
driver = "scd41"
bus = "i2c-1"
calibrate = { co2 = { gain = 1.0, offset = 12 } }
self_calibration = false
[[table]]
name = "air"
interval_s = 60
schema = 1
columns = { temp = "air.temperature" }
[[table]]
name = "deck"
interval_s = 600
columns = [{ name = "eps", from = "s1.strain", step = 0.1, nominal = 0, orders = [8, 4] }]
[[link]]
name = "city"
kind = "mqtt"
url = "mqtts://broker.example:8883"
"""
HERE = Path("node.toml")


def test_a_good_profile_is_understood() -> None:
    config, _ = parse(HERE, GOOD)
    assert config.node.name == "ghs-raum-a"
    assert config.instrument[0].options == {"self_calibration": False}
    assert config.instrument[0].calibrate["co2"].offset == 12
    columns = config.table[1].columns
    assert isinstance(columns, tuple)
    assert columns[0].orders == (8, 4)
    assert config.link[0].body == "plain"


WRONG = [
    ("interval_s = 600", "intervall_s = 600", 17, "table[1].intervall_s", "mean 'interval_s'?"),
    (
        "interval_s = 600",
        'interval_s = "a"',
        17,
        "table[1].interval_s",
        "expected a whole number, got text",
    ),
    ("interval_s = 600", "", 15, "table[1].interval_s", "is missing"),
    ("url =", "ulr =", 22, "link[0].ulr", "mean 'url'?"),
    ("orders =", "order =", 18, "table[1].columns[0].order", "mean 'orders'?"),
    ("[8, 4]", "[8]", 18, "table[1].columns[0].orders", "length 2"),
    ('kind = "mqtt"', 'kind = "mqt"', 21, "link[0].kind", "one of file, lorawan, mqtt"),
    ('kind = "mqtt"', "", 19, "link[0].kind", "is missing"),
    ("gain =", "gian =", 8, "calibrate.gian", "mean 'gain'?"),
    ('"ghs-raum-a"', '"GHS Raum A"', 2, "node.name", "such as 'ghs-raum-a'"),
    ("store =", "stor =", 3, "stor", "mean 'store'?"),
    ("mqtts://b", "http://b", 22, "link[0].url", "mqtt://host"),
    ("mqtts://b", "mqtts://user:secret@b", 22, "link[0].url", "mqtt://host"),
    ('kind = "mqtt"', 'knd = "mqtt"', 21, "link[0].knd", "did you mean 'kind'?"),
    ("driver =", "drver =", 6, "instrument[0].drver", "did you mean 'driver'?"),
    (
        "schema = 1",
        'schema = "1"',
        13,
        "table[0].schema",
        "expected a whole number, got text in quotes",
    ),
    ("[[link]]", "[link]", 19, "link", "write it with two brackets, [[link]]"),
    ('"/x/store.db"', '""', 3, "store.path", "text in quotes that is not empty"),
    (
        'bus = "i2c-1"',
        "bus = 3",
        7,
        "instrument[0].bus",
        "expected text in quotes, got a whole number",
    ),
    ('"air.temperature"', '"air"', 14, "columns", "with a dot between"),
    ("schema = 1", "schema = [1", 13, "schema", "a ] is missing"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "key", "hint"), WRONG)
def test_a_wrong_profile_is_one_line_that_says_what_to_do(
    right: str, wrong: str, line: int, key: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(HERE, GOOD.replace(right, wrong))
    text = str(caught.value)
    assert text.startswith(f"node.toml:{line}: ")
    assert key in text
    assert hint in text
    assert "\n" not in text
    assert "secret" not in text


@pytest.mark.parametrize("url", ["mqtt://[::1]", "mqtt://[fe80::1]:1883", "mqtts://10.0.0.2:8883/"])
def test_a_broker_may_be_an_address(url: str) -> None:
    config, source = parse(HERE, GOOD.replace("mqtts://broker.example:8883", url))
    (link,) = config.link
    assert isinstance(link, MqttConfig)
    check_mqtt(link, source, "link[0]")
    assert link.url == url


@pytest.mark.parametrize("url", ["mqtt://[1:2]", "mqtt://a..b"])
def test_no_name_of_a_host_is_told(url: str) -> None:
    config, source = parse(HERE, GOOD.replace("mqtts://broker.example:8883", url))
    with pytest.raises(ConfigError, match="is no name of a host"):
        check_mqtt(config.link[0], source, "link[0]")  # type: ignore[arg-type]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: profile: no such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe4\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "latin.toml")


def test_a_file_link_needs_its_folder() -> None:
    text = GOOD.replace('kind = "mqtt"', 'kind = "file"').replace("url =", "path =")
    config, _ = parse(HERE, text)
    assert isinstance(config.link[0], FileConfig)
    with pytest.raises(ConfigError, match="path: is missing"):
        parse(HERE, text.replace('path = "mqtts://broker.example:8883"', ""))


def test_a_key_of_another_sections_name_is_found_where_it_stands() -> None:
    text = GOOD + '[[link]]\nname = "b"\nkind = "mqtt"\nfil_s = 3\n'
    with pytest.raises(ConfigError, match=r"node\.toml:26: link\[1\]\.fil_s: .*'fill_s'"):
        parse(HERE, text)


def test_an_unknown_section_without_likeness_lists_what_is_known() -> None:
    with pytest.raises(ConfigError, match="known here: alarm, clock, commands, instrument"):
        parse(HERE, "zzz = 1\n" + GOOD)
