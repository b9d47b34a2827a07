"""A sensor that warms up: what status and probe say of it, and what the far side is not told."""

import json
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner

from agent.cli import group
from agent.cli.probe import SLOW_S, ask
from agent.clock import VirtualClock
from agent.measure.instrument import Instrument
from agent.measure.stream import Polled, Stream
from agent.model.schema import Missing
from drivers.api import Quantity, WarmingUp
from tests.window_kit import make_window_rig, table

DUST = '\n[[instrument]]\nname = "dust"\ndriver = "pms5003"\nbus = "/dev/serial0"\n'


class Slow:
    """Warms up for as long as the test wants."""

    quantities = {"temperature": Quantity("temperature", 0.1, -40, 85)}

    def __init__(self, clock: VirtualClock, warm_up_s: float) -> None:
        self.clock, self.warm_at, self.setups = clock, warm_up_s, 0

    def setup(self) -> None:
        """Counted."""
        self.setups += 1

    def read(self) -> Mapping[str, float | None]:
        """21, once it is warm."""
        left_s = self.warm_at - self.clock.monotonic()
        if left_s > 0:
            raise WarmingUp("0x59", left_s)
        return {"temperature": 21.0}


def test_status_shows_it_as_warming_and_no_event_goes_out(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, DUST + table("t", 5, "pm=dust.pm2_5"))
    rig.run(21)
    state = rig.node.snapshot()
    assert state["sensors"]["dust"]["state"] == "warming"
    assert "/dev/serial0: warming up, " in state["sensors"]["dust"]["reason"]
    assert rig.node.bad_sensors() == []
    (tmp_path / "state.json").write_text(json.dumps(state))
    shown = CliRunner().invoke(group, ["status", "--file", str(tmp_path / "state.json")])
    assert "warming" in shown.output
    rig.run(21)
    assert rig.node.instruments["dust"].state == "ok"
    cells = [row["pm"] for row in rig.rows("t")]
    assert cells[0] is Missing.NOT_AVAILABLE
    assert isinstance(cells[-1], float)
    assert rig.codes() == []
    rig.node.close()


def test_a_stream_of_a_sensor_that_warms_up_lets_it_get_warm() -> None:
    clock = VirtualClock()
    sensor = Slow(clock, 30.0)
    stream = Stream("gas", Polled(sensor, 1.0, clock), clock, span_s=60.0)
    for _ in range(5):
        clock.sleep(stream.step())
    assert isinstance(stream.error, WarmingUp)
    while clock.monotonic() < 120:
        clock.sleep(stream.step())
    assert stream.error is None
    assert sensor.setups == 1


def test_probe_waits_for_it_and_says_how_long_where_it_takes_too_long() -> None:
    for warm_up_s, good, text in (
        (SLOW_S - 5, True, "temperature 21 °C"),
        (SLOW_S + 50, False, "0x59: warming up, 50 s left: probe again then"),
    ):
        clock = VirtualClock()
        found = ask(Instrument("gas", Slow(clock, warm_up_s), clock), "sgp")
        assert (found.good, found.text) == (good, text)
