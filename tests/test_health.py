"""Node health from /proc and /sys: this machine's own, and a Pi's as files."""

from pathlib import Path

import pytest

from agent.clock import Clock, VirtualClock
from agent.measure.health import DRIVER, Health, HealthSource
from agent.model.schema import quantity_kinds, registered
from tests.rig import make_rig
from tests.sure import sure


def pi(root: Path) -> Path:
    """The files of a Pi with a weak supply."""
    files = {
        "sys/class/thermal/thermal_zone0/temp": "48312\n",
        "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
        "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
        "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n",
        "proc/meminfo": "MemTotal: 500000 kB\nMemAvailable:  312500 kB\n",
        "proc/uptime": "86461.5 300000.1\n",
        "proc/self/io": "rchar: 1\nwrite_bytes: 20000000\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_pi_tells_its_temperature_supply_memory_and_uptime(tmp_path: Path) -> None:
    values = Health(HealthSource(VirtualClock(), root=pi(tmp_path))).read()
    assert values["cpu_temperature"] == 48.312
    assert values["undervoltage"] == 1
    assert values["memory_available"] == 320.0
    assert values["uptime"] == 86461.5
    assert values["written"] == 20.0
    assert "owed" not in values


def test_what_a_machine_does_not_have_is_absent(tmp_path: Path) -> None:
    root = pi(tmp_path)
    (root / "sys/class/thermal/thermal_zone0/temp").unlink()
    (root / "sys/class/hwmon/hwmon1/in0_lcrit_alarm").unlink()
    (root / "proc/self/io").unlink()
    (root / "proc/meminfo").write_text("MemTotal: 5 kB\n")
    values = Health(HealthSource(VirtualClock(), root=root)).read()
    assert not values.keys() & {"cpu_temperature", "undervoltage", "written", "memory_available"}


def test_a_machine_without_proc_tells_what_it_can_and_says_once_what_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    health = Health(HealthSource(VirtualClock(), root=tmp_path))
    health.setup()
    health.setup()
    assert health.read().keys() == {"disk_free", "clock", "bad_sensors", "useless_downlinks"}
    absent = "cpu_temperature,undervoltage,memory_available,uptime,written"
    assert caplog.messages == [f"health=partial absent={absent} reason='not on this machine'"]


def test_written_bytes_count_from_midnight_on(tmp_path: Path, clock: VirtualClock) -> None:
    source = HealthSource(clock, root=pi(tmp_path))
    assert source.written_today() == 20.0
    clock.sleep(86_400)
    assert source.written_today() == 0.0
    (tmp_path / "proc/self/io").write_text("write_bytes: 25000000\n")
    assert source.written_today() == 5.0


def test_this_machine_answers_too() -> None:
    health = DRIVER(HealthSource(Clock()))
    health.setup()
    values = health.read()
    assert sure(values["uptime"]) > 0
    assert sure(values["disk_free"]) > 0
    assert values.keys() <= health.quantities.keys()


def test_the_store_tells_what_is_owed_and_how_often_the_agent_started(
    tmp_path: Path, clock: VirtualClock
) -> None:
    for starts in (1, 2):
        rig = make_rig(tmp_path, clock)
        rig.run(120)
        source = HealthSource(clock, rig.node.store)
        values = Health(source).read()
        assert values["restarts"] == starts
        assert values["owed"] == 0
        rig.node.close()


def test_every_quantity_is_a_kind_and_fits_the_registered_table() -> None:
    assert {one.kind for one in Health.quantities.values()} <= quantity_kinds().keys()
    assert len(registered(0).fields) <= 24
