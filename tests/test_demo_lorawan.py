"""`stadtsinn demo --lorawan`: the profile's own link, on a modem and a network inside."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import group
from agent.config import load
from agent.demo import RADIO_FILL_S, radio_link
from agent.demo.running import Radio
from agent.resources import resource
from agent.simulate import PRACTICE_KEY

IDENTITY = ("70B3D57ED0051234", "0102030405060708", PRACTICE_KEY)


def demo(*words: str) -> Result:
    return CliRunner().invoke(group, ["demo", "--lorawan", *words])


@pytest.mark.parametrize("words", [("--profile", "school-lorawan"), ("--modem", "la66")])
def test_a_recording_comes_out_of_the_network_server_as_it_was(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    rows = "\n".join(f"{2000 + n},{400 + n},{n},{500 + n}" for n in range(40))
    (tmp_path / "rec.csv").write_text(f"temp_cC,hum_permille,lux,co2_ppm\n{rows}\n")
    done = demo(*words, "--replay", str(tmp_path / "rec.csv"))
    assert done.exit_code == 0, done.output
    modem = words[1] if words[0] == "--modem" else "rak3172"
    assert f"via a {modem} and a LoRaWAN network server inside" in done.output
    assert "identical" in done.output
    assert "rows" in done.output


def test_the_profiles_own_link_is_used(tmp_path: Path) -> None:
    config, _ = load(resource("nodes/school-lorawan.toml"))
    link = radio_link(config, Radio("", "", *IDENTITY), tmp_path)
    assert (link.modem, link.fixed_length, link.limit_bytes) == ("rak3172", True, 115)
    assert link.carries == ("air", "events")
    assert (link.fill_s, link.data_rate) == (1200, 5)  # the profile's own
    assert Path(link.app_key_file).read_text() == PRACTICE_KEY
    assert radio_link(config, Radio("la66", "", *IDENTITY), tmp_path).modem == "la66"
    other, _ = load(resource("nodes/school.toml"))
    made = radio_link(other, Radio("", "", *IDENTITY), tmp_path)
    assert (made.modem, made.fill_s) == ("rak3172", RADIO_FILL_S)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("tcp://127.0.0.1",), "expected udp://host:port"),
        (("--app-key", "12"), "app_key: 32 hex digits wanted, 2 given"),
        (("--dev-eui", "zz"), "dev_eui"),
        (("--gateway-eui", "12"), "16 hex digits wanted"),
    ],
)
def test_what_is_wrong_is_one_line(words: tuple[str, ...], says: str) -> None:
    done = demo(*words)
    assert done.exit_code == 2
    assert says in done.output
    assert "Traceback" not in done.output
