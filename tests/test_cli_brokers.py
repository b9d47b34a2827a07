"""What `check`, `probe` and `status` say about a broker and the way to it."""

import json
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from tests import hostile
from tests.rig import make_rig
from tests.test_cli import run, school

OPEN = '"mqtt://broker.example:1883"\nuser = "a"\npassword_file = "/etc/hostname"'
LOCAL = '"mqtt://localhost:1883"'


def warnings(path: str) -> list[str]:
    """Those of `check`, less what this machine has not got."""
    done = run("check", "--json", path)
    assert done.exit_code == 0, done.output
    return list(json.loads(done.output)["warnings"])


def test_check_warns_while_the_name_is_the_one_that_is_shipped(tmp_path: Path) -> None:
    assert any("node.name is 'ghs-raum-a'" in one for one in warnings(school(tmp_path)))
    assert warnings(school(tmp_path, ('"ghs-raum-a" }', '"aula" }'))) == []


@pytest.mark.parametrize("host", ["broker.example", "8.8.8.8", "[2001:4860:4860::8888]"])
@pytest.mark.parametrize("scheme", ["mqtt", "ws"])
def test_check_warns_of_a_password_that_everybody_on_the_way_may_read(
    tmp_path: Path, host: str, scheme: str
) -> None:
    url = OPEN.replace("broker.example", host).replace("mqtt:", scheme + ":")
    (one,) = warnings(school(tmp_path, ('"ghs-raum-a" }', '"aula" }'), (LOCAL, url)))
    assert "the password goes unencrypted to" in one


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://localhost",
        "mqtt://10.1.2.3",
        "mqtt://pi.local",
        "mqtt://[::1]",
        "mqtt://broker",
        "mqtts://broker.example",
        "wss://broker.example/mqtt",
        "mqtt://192.168.1.9:1884",
    ],
)
def test_check_says_nothing_of_a_password_that_stays_in_the_house(tmp_path: Path, url: str) -> None:
    other = OPEN.replace("mqtt://broker.example:1883", url)
    assert warnings(school(tmp_path, ('"ghs-raum-a" }', '"aula" }'), (LOCAL, other))) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('topic = "city/#"', "a topic without # and +"),
        ('proxy = "socks://x"', "http://host:port"),
        ("qos = 2", "qos"),
        ("max_back_off_s = 0", "max_back_off_s"),
        ("patient_s = -1", "patient_s"),
        ('url = "wss://a b/"', "wss://host/path"),
    ],
)
def test_check_names_a_wrong_key_of_a_broker(tmp_path: Path, line: str, words: str) -> None:
    new = line if line.startswith("url") else f'url = "mqtt://localhost"\n{line}'
    path = school(tmp_path, ('url = "mqtt://localhost:1883"', new))
    done = run("check", path)
    assert done.exit_code == 2
    assert words in done.output


def canned(folder: Path, url: str) -> str:
    """A node of one sensor at a broker."""
    path = folder / "node.toml"
    path.write_text(
        f'node = {{ name = "ghs" }}\nstore = {{ path = "{folder}/store.db" }}\n'
        '[[instrument]]\nname = "room"\ndriver = "tests.rig"\n'
        '[[table]]\nname = "air"\ninterval_s = 60\nschema = 1\n'
        'columns = { temp = "room.temp", co2 = "room.co2" }\n'
        f'[[link]]\nname = "city"\nkind = "mqtt"\nurl = "{url}"\n'
    )
    return str(path)


def test_probe_names_the_topics_that_are_not_allowed(tmp_path: Path) -> None:
    with hostile.Denies("down", "state") as broker:
        done = run("probe", canned(tmp_path, broker.url))
    assert done.exit_code == 0
    assert "hello acknowledged" in done.output
    assert "stadtsinn/ghs/down: may not be subscribed: Not authorized" in done.output
    assert "stadtsinn/ghs/state: may not be written: Not authorized" in done.output


def test_probe_names_the_topic_of_a_hello_that_may_not_be_written(tmp_path: Path) -> None:
    with hostile.Denies("hello") as broker:
        done = run("probe", canned(tmp_path, broker.url))
    assert done.exit_code == 1
    assert "the broker refuses stadtsinn/ghs/hello: Not authorized" in done.output


def test_status_shows_what_a_link_goes_on_without(tmp_path: Path, clock: VirtualClock) -> None:
    rig = make_rig(tmp_path, clock)
    rig.link.notes = ["stadtsinn/ghs/down: may not be subscribed: Not authorized"]  # type: ignore[attr-defined]
    rig.run(65)
    (tmp_path / "state.json").write_text(json.dumps(rig.node.snapshot()))
    rig.node.close()
    done = run("status", "--file", str(tmp_path / "state.json"))
    assert done.exit_code == 0
    assert "stadtsinn/ghs/down" in done.output
