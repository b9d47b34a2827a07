"""Simulated air -> real drivers -> real store -> real mosquitto -> decoded; in real processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agent.cli.demo import replayed
from agent.clock import Clock
from agent.daemon import Daemon
from agent.demo import prepare
from agent.demo.broker import Broker
from agent.demo.farside import FarSide
from agent.node import build
from agent.plan import make_plan, read_profile
from agent.resources import resource
from agent.status import Node
from agent.transport.links import broker_line, mqtt
from agent.transport.links.listen import Listener
from tests.bench.bench_cost import profile as canned_profile
from tests.conftest import DATA
from tests.durable.kills import kill_often
from tests.test_mqtt import PATIENCE_S, until

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def test_kills_at_random_moments_lose_no_row_and_invent_none(tmp_path: Path) -> None:
    outcome = kill_often(tmp_path, kills=6, seed=int(time.time()))
    assert outcome.put >= 5
    assert (outcome.lost, outcome.invented, outcome.conflicts) == (0, 0, 0)


@pytest.mark.skipif(not (DATA / "office_1min.csv").exists(), reason="the recording is not here")
def test_a_recording_comes_out_of_chips_and_broker_as_it_was(tmp_path: Path) -> None:
    lines = (DATA / "office_1min.csv").read_text().splitlines()[:301]
    (tmp_path / "office.csv").write_text("\n".join(lines))
    demo = prepare(
        resource("nodes/school.toml"), tmp_path / "demo", speed=1, replay=tmp_path / "office.csv"
    )
    demo.start()
    assert demo.done.wait(60)
    demo.stop()
    assert demo.measured() == demo.decoded()
    assert demo.deviations() == dict.fromkeys(("temp", "hum", "co2", "lux"), (0, 300))
    assert replayed(demo) == 0


def test_faults_on_a_timetable_lose_nothing(tmp_path: Path) -> None:
    (tmp_path / "faults.toml").write_text(
        '[[fault]]\nat_s = 120\nfor_s = 240\nwhat = "broker_away"\n'
        '[[fault]]\nat_s = 180\nfor_s = 600\nwhat = "unplug"\ntarget = "air"\n'
        '[[fault]]\nat_s = 240\nfor_s = 100\nwhat = "stuck_bus"\ntarget = "i2c-1"\n'
        '[[fault]]\nat_s = 300\nfor_s = 100\nwhat = "crc_noise"\ntarget = "climate"\n'
        '[[fault]]\nat_s = 350\nfor_s = 120\nwhat = "clock_unset"\n'
        '[[fault]]\nat_s = 500\nfor_s = 60\nwhat = "clock_jump"\nseconds = 7200\n'
    )
    demo = prepare(
        resource("nodes/school.toml"), tmp_path / "demo", speed=200, faults=tmp_path / "faults.toml"
    )
    demo.start()
    until(lambda: demo.clock.monotonic() > 800 and len(demo.measured()) >= 10)
    until(lambda: {one.code for one in demo.far.events} >= {4, 6})
    demo.stop()
    missing = {key for key, row in demo.measured().items() if demo.decoded().get(key) != row}
    assert missing == set()
    assert not demo.far.conflicts
    assert not demo.far.refused


def test_without_a_broker_the_demo_uses_files_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.demo.broker.installed", lambda: None)
    demo = prepare(resource("nodes/school.toml"), tmp_path, speed=600)
    assert "apt install mosquitto" in demo.where
    demo.start()
    until(demo.measured)
    demo.stop()
    assert demo.measured() == demo.decoded()
    assert list((tmp_path / "city").glob("*.cborseq"))


def start(folder: Path, url: str) -> subprocess.Popen[str]:
    """The daemon as systemd would start it."""
    command = [sys.executable, "-m", "tests.bench.trusted", "run", str(canned_profile(folder, url))]
    runtime = {**ENVIRONMENT, "RUNTIME_DIRECTORY": str(folder)}
    with (folder / "log").open("a") as log:
        return subprocess.Popen(command, env=runtime, cwd=ROOT, stderr=log, text=True)


def test_sigterm_ends_the_daemon_while_it_waits_and_nothing_is_lost(
    tmp_path: Path, broker: Broker
) -> None:
    heard: list[str] = []
    listener = Listener(broker.url, "school", lambda topic, _: heard.append(topic))
    listener.start()
    process = start(tmp_path, broker.url)
    until(lambda: heard.count("up") >= 2)
    broker.freeze()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    assert "acknowledgement" not in (tmp_path / "log").read_text()  # waited for to the end
    broker.thaw()
    state = tmp_path / "state.json"
    state.unlink()
    again = start(tmp_path, broker.url)

    def nothing_owed() -> bool:
        return state.exists() and json.loads(state.read_text())["links"]["city"]["owed"] == 0

    until(nothing_owed)
    again.send_signal(signal.SIGTERM)
    assert again.wait(PATIENCE_S) == 0
    listener.stop()


def test_a_wrong_profile_ends_with_two_and_one_line(tmp_path: Path) -> None:
    path = canned_profile(tmp_path, "mqtt://localhost")
    path.write_text(path.read_text().replace("interval_s", "intervall_s"))
    done = subprocess.run(
        [sys.executable, "-m", "agent", "run", str(path)],
        env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 2  # what, and the line itself
    assert "did you mean 'interval_s'?" in done.stderr


def test_a_bug_in_the_agent_ends_with_one(tmp_path: Path, broker: Broker) -> None:
    node = small(tmp_path, broker)
    node.samplers[0].step = None  # type: ignore[method-assign,assignment]
    node.jobs[0].step = node.samplers[0].step
    daemon = Daemon(node.jobs, node.clock, node.headline, node.stopping)
    assert daemon.run() == 1
    node.close()


def small(folder: Path, broker: Broker) -> Node:
    """A node of canned sensors at the broker, in this process."""
    config, source = read_profile(canned_profile(folder, broker.url))
    return build(make_plan(config, source), Clock())


def test_a_link_that_goes_silent_loses_nothing_and_rows_arrive_in_order(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "ACK_S", 0.5)  # a silence of 100 s, twenty times as fast
    monkeypatch.setattr(broker_line, "CONNACK_S", 0.5)
    heard: list[int] = []
    far = FarSide()

    def take(topic: str, payload: bytes) -> None:
        if topic == "up":
            heard.append(cbor_time(payload))
        if topic != "state":
            far.take(payload, None)

    listener = Listener(broker.url, "school", take, session="far")
    listener.start()
    node = small(tmp_path, broker)
    node.clock.trust = "ntp"
    node.clock._ask_at = 1e18
    daemon = Daemon(node.jobs, node.clock, node.headline, node.stopping)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    until(lambda: bool(heard))
    silent_from = time.time()
    broker.freeze()

    def shown() -> dict[str, Any]:
        """What a person is shown meanwhile."""
        link: dict[str, Any] = node.snapshot()["links"]["city"]
        return link

    until(lambda: shown()["owed"] >= 5 and shown()["state"] == "refused")
    seen = shown()
    silent_to = time.time()
    broker.thaw()
    until(lambda: node.store.counts().owed["city"] == 0 and len(far.rows) >= 5)
    node.stopping.set()
    thread.join()
    kept = [row.start for _, row in node.store.rows("air")]
    node.close()
    until(lambda: {key[1] for key in far.rows if key[0] == 1} >= set(kept[:-1]))
    listener.stop()
    assert not far.conflicts
    assert "answer" in seen["reason"] or "acknowledgement" in seen["reason"]
    waited = [start for start in heard if silent_from < start < silent_to - 3]  # not live any more
    assert waited == sorted(waited)


def cbor_time(frame: bytes) -> int:
    """The time item of a data frame."""
    from agent.codec import cbor

    return int(cbor.load(frame)[1])
