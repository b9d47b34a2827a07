"""Load tests: from the command to the report, on twins, in virtual time."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import xml.etree.ElementTree as ET
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from agent.cli import group
from agent.cli import loadtest as command
from agent.cli.picture import loadtest as told_of
from agent.clock import VirtualClock
from agent.config import parse
from agent.config.sections import Calibration
from agent.daemon import Job, run_virtual
from agent.demo import crane as demo_loadtest
from agent.demo.crane import Crane
from agent.features.loadtest_figures import Part, envelope, parts_of
from agent.loadtest import files, page, recording, report, svg
from agent.loadtest.job import LoadTest
from agent.loadtest.mailbox import REQUEST, Mailbox, ask
from agent.loadtest.read import Recorded, read
from agent.loadtest.sensors import Asker
from agent.measure.driver_registry import find
from agent.measure.health import HealthSource
from agent.measure.instrument import Instrument
from agent.measure.stream import Polled, Stream
from agent.model.stretch import Read, Stretch
from agent.node import build
from agent.plan import make_plan
from agent.simulate import SimBuses
from drivers.bus.i2c import I2C
from drivers.sim.i2c import SimI2C
from drivers.sim.onewire import SimOneWire
from drivers.sim.world import SchoolDay
from tests.rig import MemoryLink, Room

G = 9.80665
PLENTY = 10**9
CRANE = (8.0, 16.0)  #: s: when it stands there
STRAIN = 36.0  #: um/m below it
SET = 1.5  #: um/m that stay
LEAN = 0.02  #: deg


BRIDGE = """
node = { name = "bridge-1" }
[[instrument]]
name = "s1"
driver = "nau7802"
bus = "i2c-1"
[[instrument]]
name = "node"
driver = "health"
[[table]]
name = "slow"
interval_s = 60
columns = [{ name = "s1", from = "s1.strain" }]
[[link]]
name = "city"
kind = "file"
path = "frames"
[simulate]
feeds = { "s1.strain" = "s1.strain" }
"""


class Parking:
    """A world with one gauge: 1 um/m per ton on it."""

    channels = ["s1.strain"]

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self.parked: list[tuple[float, float, float, float]] = []

    def truth(self, channel: str, unix: float) -> float:
        return 5.0 + sum(
            weight_t for weight_t, at, duration_s, _ in self.parked if at <= unix < at + duration_s
        )

    def load(self, weight_t: float, at: float, duration_s: float, position: float) -> None:
        self.parked.append((weight_t, at, duration_s, position))


class Truth(Mapping[str, float]):
    """A truth that changes with time."""

    def __init__(self, **of_time: Callable[[], float]) -> None:
        self.of_time = of_time

    def __getitem__(self, name: str) -> float:
        return self.of_time[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self.of_time)

    def __len__(self) -> int:
        return len(self.of_time)


@dataclass
class Site:
    """A bridge with two accelerometers, gauges, a crack, a probe; the job; a person."""

    clock: VirtualClock
    folder: Path
    bus: SimI2C = field(init=False)
    streams: dict[str, Stream] = field(default_factory=dict)
    instruments: dict[str, Instrument] = field(default_factory=dict)
    twins: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, Any] = field(default_factory=dict)
    free: int = PLENTY
    test: LoadTest = None  # type: ignore[assignment]
    began: float = 0.0  #: monotonic s at which the test's time began

    def __post_init__(self) -> None:
        self.bus = SimI2C(self.clock)
        (self.folder / "run").mkdir(exist_ok=True)
        for name, driver in (("deck", "adxl355"), ("pier", "iis2iclx")):
            self.streams[name] = Stream(name, self._chip(name, driver), self.clock)
        self._asked("gauge", "nau7802", strain=self.strain)
        self._asked("crack", "ads1115", crack_width=lambda: 0.2)
        onewire = SimOneWire(self.clock)
        self.twins["probe"] = find("ds18b20").twin()  # type: ignore[misc]
        onewire.attach("28-000000000001", self.twins["probe"])
        probe = find("ds18b20").make(onewire, {})
        self.instruments["probe"] = Instrument("probe", probe, self.clock)
        self.twins["deck"].motion = self.moved
        for one in self.instruments.values():
            one.ask()  # tables have asked them long ago
        self.restart()

    def restart(self) -> LoadTest:
        """A new daemon on the same disk."""
        if self.test is not None:
            self.test.close()
        mailbox = Mailbox(self.folder / "run")
        self.test = LoadTest(
            "bridge-1", self.folder / "loadtests", mailbox, self.clock, self.streams,
            self.instruments, lambda path: self.free,
        )  # fmt: skip
        self.jobs = [Job("test", self.test.step)]
        self.jobs += [Job(name, one.step) for name, one in self.streams.items()]
        self.jobs += [Job("asker", one.step, one.wake) for one in self.test.askers]
        self.test.step()
        return self.test

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        run_virtual(self.jobs, self.clock, self.clock.monotonic() + seconds)

    def strain(self) -> float:
        """What the gauge feels: the crane, and what stays of it."""
        at = self.clock.monotonic() - self.began
        return 12.0 + (STRAIN if CRANE[0] <= at < CRANE[1] else SET if at >= CRANE[1] else 0.0)

    def moved(self, at: float) -> tuple[float, float, float]:
        """What the deck's chip feels: it leans while the crane stands there."""
        stands = CRANE[0] <= at - self.began < CRANE[1]
        return (G * LEAN * 3.141592653589793 / 180 * stands, 0.0, G)

    def run(self, *words: str) -> Result:
        """The command, as a person types it; the node goes on meanwhile."""
        return CliRunner().invoke(
            group, ["loadtest", *words, "--run-dir", str(self.folder / "run")]
        )

    def tick(self, seconds: float) -> None:
        """The node does what it is asked while a command waits."""
        self.test.step()

    def crane(self) -> Recorded:
        """A whole test: 8 s quiet, 8 s with the crane, 8 s after it."""
        self.began = self.clock.monotonic()
        assert self.run("start", "48 t crane, lane 2").exit_code == 0
        self.pass_(CRANE[0])
        self.run("mark", "crane in the middle")
        self.pass_(CRANE[1] - CRANE[0])
        self.run("mark", "crane gone")
        self.pass_(8.0)
        return read(self.test.stop())

    def _chip(self, name: str, driver: str, **options: Any) -> Any:
        found = find(driver)
        assert found.twin is not None
        self.twins[name] = found.twin()
        address = found.options["address"].default
        self.faults[name] = self.bus.attach(address, self.twins[name])
        return found.make(I2C(self.bus, self.clock), options)

    def _asked(self, name: str, driver: str, **truth: Callable[[], float]) -> None:
        self.instruments[name] = Instrument(name, self._chip(name, driver), self.clock)
        self.twins[name].truth = Truth(**{**steady(self.twins[name].truth), **truth})


def steady(truth: Mapping[str, float]) -> dict[str, Callable[[], float]]:
    return {name: partial(float, value) for name, value in truth.items()}


@pytest.fixture
def site(clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    one = Site(clock, tmp_path)
    monkeypatch.setattr(command, "pause", one.tick)
    one.pass_(2.0)
    yield one
    one.test.close()


def by_name(test: Recorded) -> dict[str, report.Row]:
    return {row.channel.name: row for row in report.rows(test)}


def within(value: float | None, truth: float, step: float) -> bool:
    assert value is not None
    return abs(value - truth) <= step


# -- figures -------------------------------------------------------------------------------------


def test_figures_of_a_parked_crane_are_those_of_the_truth(site: Site) -> None:
    rows = by_name(site.crane())
    strain, step = rows["gauge.strain"].figures, 0.1
    assert within(strain.before, 12.0, step)
    assert within(strain.peak, STRAIN, step)
    assert within(strain.after, 12.0 + SET, step)
    assert within(strain.residual, SET, step)
    assert strain.peak_at is not None
    assert CRANE[0] <= strain.peak_at < CRANE[1]
    lean = rows["deck.tilt_x"].figures
    assert within(lean.peak, LEAN, 2e-4)
    assert within(lean.residual, 0.0, 2e-4)
    assert within(rows["deck.z"].figures.before, G, 1e-4)
    middle = rows["gauge.strain"].phases[1]
    assert within(middle, STRAIN, 2.0)  # the mark came up to a second late
    assert within(rows["crack.crack_width"].figures.peak, 0.0, 0.001)
    assert within(rows["probe.temperature"].figures.before, 18.0, 0.0625)


@pytest.mark.no_cover
def test_samples_are_all_there_and_at_their_time(site: Site) -> None:
    """Step of acceleration at a known moment, found in the record within two samples."""
    site.instruments.pop("probe")  # its conversions hold up the one thread of virtual time
    site.restart()
    test = site.crane()
    deck = next(one for one in test.channels if one.name == "deck.x")
    assert "no gap" in deck.how
    part = deck.parts[0]
    assert len(deck.parts) == 1
    assert abs(len(part.time) - 125 * test.length_s) < 60
    step = part.time[(part.values[:, 0] > 1e-3).argmax()]
    assert abs(step - CRANE[0]) < 2 / 125


def test_a_gap_of_a_stream_stays_a_gap_in_figures_csv_and_picture(
    site: Site, tmp_path: Path
) -> None:
    site.instruments.clear()
    site.restart()
    site.test.start("gap")
    site.pass_(4.0)
    jobs = site.jobs
    site.jobs = [one for one in jobs if one.name != "deck"]
    site.pass_(3.0)
    site.jobs = jobs
    site.pass_(4.0)
    test = read(site.test.stop())
    rows = report.write(test, tmp_path / "report")
    deck = next(row.channel for row in rows if row.channel.name == "deck.z")
    assert "1 gap" in deck.how
    before, after = deck.parts
    assert 2.5 < after.time[0] - before.time[-1] < 3.5
    assert abs(after.missing - 125 * (after.time[0] - before.time[-1])) < 2
    lines = (tmp_path / "report" / "deck.z.csv").read_text().splitlines()
    assert sum(line.endswith(",") for line in lines) == 1
    picture = (tmp_path / "report" / "deck.z.svg").read_text()
    assert picture.count('class="gap"') == 1
    assert picture.count("<polyline") == 2
    assert picture.count("no samples") == 1


def test_a_polled_stream_is_recorded_before_and_reported_after_calibration(site: Site) -> None:
    gauge = site.instruments.pop("gauge")
    polled = Polled(gauge.sensor, 10, site.clock)
    site.streams = {"gauge": Stream("gauge", polled, site.clock)}
    tare = {"mean_strain": Calibration(gain=2.0, offset=-24.0)}
    site.instruments = {"gauge": Instrument("gauge", gauge.sensor, site.clock, tare)}
    site.restart()
    site.pass_(2.0)
    site.test.start("tare")
    site.pass_(6.0)
    row = by_name(read(site.test.stop()))["gauge.strain"]
    assert row.channel.unit == "um/m"
    assert within(row.figures.before, 0.0, 0.2)
    assert "10 Hz" in row.channel.how


# -- the command ---------------------------------------------------------------------------------


def short(site: Site) -> None:
    """Only slow sensors: quick to record."""
    site.streams.clear()
    site.restart()


def test_start_mark_stop_by_command_make_a_report(site: Site, tmp_path: Path) -> None:
    short(site)
    begun = site.run("start", "48 t crane, lane 2")
    assert begun.exit_code == 0, begun.output
    assert "recording '48 t crane, lane 2': 3 sensors" in begun.output
    assert "ends by itself after 4 h" in begun.output
    site.pass_(5.0)
    assert "marked 'crane in the middle' at" in site.run("mark", "crane in the middle").output
    assert "marked 'a <b> & c' at" in site.run("mark", "a <b>\n & \x07c").output
    site.pass_(5.0)
    assert "(being recorded)" in site.run("list").output
    ended = site.run("stop", "--german", "--output", str(tmp_path / "usb"))
    assert ended.exit_code == 0, ended.output
    assert "gauge.strain" in ended.output
    assert "residual" in ended.output
    assert "noise" in ended.output
    assert "…" not in ended.output
    assert "report: " in ended.output
    page = (tmp_path / "usb" / "report.html").read_text()
    assert "crane in the middle" in page
    for picture in sorted((tmp_path / "usb").glob("*.svg")):
        assert ET.parse(picture).getroot().tag.endswith("svg")
        assert picture.name in page
    assert len(list((tmp_path / "usb").glob("*.svg"))) == 3
    rows = (tmp_path / "usb" / "gauge.strain.csv").read_text("utf-8-sig").splitlines()
    assert rows[0] == "seconds [s];time;gauge.strain [µm/m]"
    assert rows[1].split(";")[2].startswith("11,999")
    again = site.run("report", "2026-01-05-48-t-crane-lane-2")
    assert again.exit_code == 0, again.output
    assert (site.folder / "loadtests/2026-01-05-48-t-crane-lane-2/report/report.html").exists()


def test_a_second_start_and_marks_without_a_test_are_refused(site: Site) -> None:
    short(site)
    assert "no load test runs" in site.run("mark", "x").output
    refused = site.run("stop")
    assert refused.exit_code == 1
    assert "no load test runs" in refused.output
    site.run("start", "one")
    refused = site.run("start", "two")
    assert refused.exit_code == 1
    assert "'2026-01-05-one' is being recorded: stop that one first" in refused.output


def test_without_a_node_the_command_says_so_at_once_or_after_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "pause", lambda seconds: None)
    words = ["loadtest", "start", "x", "--run-dir", str(tmp_path)]
    done = CliRunner().invoke(group, words)
    assert done.exit_code == 1
    assert "no node answers in" in done.output
    Mailbox(tmp_path).tell()  # a node that died
    done = CliRunner().invoke(group, words)
    assert "is it running? systemctl status stadtsinn" in done.output
    assert not list(tmp_path.glob("*.request*"))
    (tmp_path / REQUEST).write_text("{}")  # a command that died
    assert "is it running?" in CliRunner().invoke(group, words).output
    assert not list(tmp_path.glob("*.request*"))


def test_a_request_from_before_the_start_is_not_done(site: Site) -> None:
    (site.folder / "run" / REQUEST).write_text('{"id": "1", "do": "start", "text": "old"}')
    site.restart()
    site.test.step()
    assert site.test.running is None
    (site.folder / "run" / REQUEST).write_text("nonsense")
    site.test.step()
    assert not (site.folder / "run" / REQUEST).exists()
    assert "is not known here" in ask(site.folder / "run", "dance", pause=site.tick)["text"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")
def test_without_rights_the_command_names_sudo(site: Site) -> None:  # pragma: no cover
    (site.folder / "run").chmod(0o500)
    assert "sudo stadtsinn loadtest" in site.run("start", "x").output
    (site.folder / "run").chmod(0o700)
    site.test.home.mkdir(mode=0)
    assert "sudo stadtsinn loadtest list" in site.run("list").output
    assert "sudo stadtsinn loadtest" in site.run("report", str(site.test.home / "x")).output
    site.test.home.chmod(0o700)


def test_a_node_without_bridge_sensors_has_nothing_to_record(site: Site) -> None:
    site.instruments.clear()
    short(site)
    assert "no sensor that feels a bridge" in site.run("start", "x").output


def test_a_name_is_used_twice_and_the_second_is_numbered(site: Site) -> None:
    short(site)
    for _ in range(2):
        site.run("start", "Kran: über die Brücke!")
        site.test.stop()
    names = sorted(one.name for one in (site.folder / "loadtests").iterdir())
    assert names == [
        "2026-01-05-kran-ueber-die-bruecke",
        "2026-01-05-kran-ueber-die-bruecke-2",
    ]


# -- what goes wrong -----------------------------------------------------------------------------


def test_after_a_crash_what_was_recorded_is_kept_and_stop_reports_it(site: Site) -> None:
    site.instruments.pop("probe")
    site.restart()
    site.run("start", "crash")
    site.pass_(3.0)
    site.run("mark", "on it")
    site.pass_(3.0)
    site.restart()
    assert "broke off" in site.run("list").output
    refused = site.run("mark", "too late")
    assert refused.exit_code == 1
    assert "what was recorded is kept" in refused.output
    ended = site.run("stop")
    assert ended.exit_code == 0, ended.output
    assert "broke off: the node was stopped, or lost its supply" in ended.output
    assert "The last that is on disk is of" in ended.output
    assert "deck.z" in ended.output
    site.restart()
    assert "no load test runs" in site.run("stop").output


def test_a_torn_end_of_every_file_costs_only_that(site: Site, tmp_path: Path) -> None:
    site.instruments.pop("probe")
    site.restart()
    site.test.start("power cut")
    site.pass_(4.0)
    folder = site.test.running.folder if site.test.running else tmp_path
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-5])
    test = read(folder)
    assert not test.whole
    assert "broke off" in test.ending
    assert test.length_s > 3.0
    assert all(one.parts for one in test.channels)
    site.restart()
    assert "had broken off" in site.run("start", "next").output
    assert read(folder).ending.startswith("broke off")
    damaged = bytearray((folder / "deck.samples").read_bytes())
    damaged[40] ^= 1
    (folder / "deck.samples").write_bytes(damaged)
    assert list(files.chunks(folder / "deck.samples")) == []


def test_a_disk_without_room_refuses_to_start_and_ends_a_test(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    short(site)
    site.free = 1_000_000
    refused = site.run("start", "x")
    assert refused.exit_code == 1
    assert "the disk has 1 MB free, an hour of load test needs" in refused.output
    site.free = PLENTY
    site.run("start", "x")
    site.pass_(3.0)
    site.free = 1_000_000
    site.pass_(12.0)
    assert site.test.running is None
    folder = next((site.folder / "loadtests").iterdir())
    assert read(folder).ending == "ended by itself: the disk has less than 50 MB left"


def test_a_disk_that_takes_nothing_ends_the_test_not_the_node(site: Site) -> None:
    site.instruments.clear()
    site.restart()
    site.run("start", "x")
    site.pass_(2.0)
    assert site.test.running is not None
    site.test.running.writer._files["deck.samples"].close()
    site.test.running.writer._files["deck.samples"] = open("/dev/full", "ab", buffering=0)  # noqa: SIM115
    site.pass_(2.0)
    assert site.test.running is None
    assert "No space left" in site.run("mark", "y").output
    ended = site.run("stop")
    assert ended.exit_code == 0, ended.output
    assert "broke off: No space left on device" in ended.output


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [("LONGEST_S", 5.0, "ended by itself after 0 h"), ("MOST_BYTES", 500, "ended by itself after")],
)
def test_a_test_ends_by_itself(
    site: Site, monkeypatch: pytest.MonkeyPatch, limit: str, value: float, words: str
) -> None:
    short(site)
    monkeypatch.setattr(recording, limit, value)
    site.run("start", "x")
    site.pass_(12.0)
    assert site.test.running is None
    folder = next((site.folder / "loadtests").iterdir())
    assert words in read(folder).ending
    assert f"'{folder.name}' {words}" in site.run("mark", "too late").output
    assert f"recorded in {folder}" in site.run("stop").output
    assert "no load test runs" in site.run("stop").output


def test_faults_of_sensors_stand_in_the_report(site: Site) -> None:
    site.run("start", "x")
    site.pass_(2.0)
    site.faults["gauge"].unplugged = site.faults["deck"].unplugged = True
    site.pass_(4.0)
    site.faults["gauge"].unplugged = site.faults["deck"].unplugged = False
    site.pass_(6.0)
    test = read(site.test.stop())
    told = {(name, bool(reason)) for _, name, reason in test.faults}
    assert told >= {("gauge", True), ("gauge", False), ("deck", True), ("deck", False)}


def test_a_clock_that_is_trusted_later_dates_the_whole_test(tmp_path: Path) -> None:
    clock = VirtualClock(1_767_600_000.0, trust="")
    site = Site(clock, tmp_path)
    short(site)
    began = clock.monotonic()
    site.test.start("early")
    site.pass_(12.0)
    clock.set_utc(1_767_600_000.0 + clock.monotonic(), "lorawan")
    site.pass_(12.0)
    test = read(site.test.stop())
    assert test.folder.name == "undated-early"
    assert test.begin_utc is not None
    assert abs(test.begin_utc - 1_767_600_000.0 - began) < 0.1
    assert "at an unknown time" not in page.page(test, report.rows(test))


def test_not_a_load_test_is_said_in_a_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(group, ["loadtest", "report", str(tmp_path)])
    assert done.exit_code == 2
    assert "no load test there" in done.output
    (tmp_path / files.LOG).write_text("{")
    done = CliRunner().invoke(group, ["loadtest", "report", str(tmp_path)])
    assert "broke off before it began" in done.output


def test_a_test_of_a_node_that_died_is_listed_as_such(site: Site) -> None:
    short(site)
    site.run("start", "x")
    for path in (site.folder / "loadtests" / "2026-01-05-x").iterdir():
        os.utime(path, (1e9, 1e9))
    assert "(broke off: does the node run?)" in site.run("list").output
    nobody = CliRunner().invoke(group, ["loadtest", "list", "--run-dir", str(site.folder)])
    assert nobody.exit_code == 0
    assert "no load tests in /var/lib/stadtsinn/loadtests" in nobody.output


# -- in a node, in a demo -----------------------------------------------------------------------


def test_a_list_says_how_much_there_is_and_survives_a_folder_that_goes(site: Site) -> None:
    assert site.run("start", "first").exit_code == 0
    site.pass_(5.0)
    site.test.stop()
    assert site.run("start", "second").exit_code == 0
    site.pass_(1.0)
    told = site.run("list").output.splitlines()
    assert re.fullmatch(r".*/2026-01-05-first  0\.0 MB", told[0])
    assert re.fullmatch(r".*-second  0\.0 MB  \(being recorded\)", told[1])
    assert re.fullmatch(r"2 load tests, 0\.\d MB; nothing deletes them: .* MB free", told[2])
    assert site.test.running is not None
    shutil.rmtree(site.test.running.folder)
    told = site.run("list").output.splitlines()
    assert [line.split("  ")[0][-5:] for line in told[:-1]] == ["first"]


def test_a_report_leaves_the_disk_to_the_rows_and_says_what_it_takes(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = site.crane()
    needed = report.about_bytes(test)
    monkeypatch.setattr(command, "free_bytes", lambda place: files.KEEP_FREE + needed - 1)
    refused = site.run("report", str(test.folder))
    assert refused.exit_code == 1
    assert "gauge.strain" in refused.output  # the figures need no disk
    assert "stadtsinn: no report: it takes 1 MB" in refused.output
    assert not (test.folder / "report").exists()
    monkeypatch.setattr(command, "free_bytes", lambda place: files.KEEP_FREE + needed)
    monkeypatch.setattr(command, "LARGE", needed - 1)
    written = site.run("report", str(test.folder), "--output", str(tmp_path / "new" / "report"))
    assert written.exit_code == 0
    assert "this may take minutes" in written.output
    taken = sum(one.stat().st_size for one in (tmp_path / "new" / "report").iterdir())
    assert taken == pytest.approx(needed, rel=0.5)


def test_a_node_with_a_run_directory_has_the_job_and_stops_it_in_order(
    clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SETTLE_S", "QUIET_S", "DRIVE_S", "STAND_S"):
        monkeypatch.setattr(demo_loadtest, name, 6.0)
    config, source = parse(tmp_path / "node.toml", BRIDGE)
    world = Parking(clock.true_utc())
    buses = SimBuses(clock, clock.true_utc, world, config.simulate.feeds, HealthSource(clock))
    made = make_plan(config, source, buses)
    links = {"city": MemoryLink(clock).with_encoder}
    node = build(
        made, clock, store_path=tmp_path / "store.db", links=links,
        state_file=tmp_path / "state.json",
    )  # fmt: skip
    assert node.loadtest is not None
    crane = Crane("Autokran, 36,5 t", node.loadtest, world, clock, threading.Event())
    assert world.parked[0][0] == 36.5
    run_virtual([*node.jobs, Job("crane", crane.step)], clock, 40.0)
    assert crane.done.is_set()
    assert crane.folder is not None
    test = read(crane.folder)
    assert [words for _, words in test.marks][1] == "crane in the middle"
    strain = by_name(test)["s1.strain"].figures
    assert within(strain.peak, 36.5, 0.1)
    assert within(strain.residual, 0.0, 0.1)
    assert [one.name for one in test.channels] == ["s1.strain"]  # not the node's own temperature
    node.loadtest.start("cut short by the end of the node")
    name = "2026-01-05-cut-short-by-the-end-of-the-node"
    told = told_of(json.loads(json.dumps(node.snapshot())))
    assert told == f" load test {name} is being recorded: stadtsinn loadtest stop"
    node.close()
    node.loadtest.broken = tmp_path / name, "broke off"
    assert f"{name} broke off: stadtsinn loadtest stop" in told_of(node.snapshot())
    assert files.unfinished(tmp_path / "loadtests/2026-01-05-cut-short-by-the-end-of-the-node")


def test_a_world_without_vehicles_and_a_node_that_refuses(site: Site) -> None:
    site.instruments.clear()
    short(site)
    crane = Crane("crane", site.test, SchoolDay(), site.clock, threading.Event())
    assert not crane.parks
    run_virtual([Job("crane", crane.step)], site.clock, site.clock.monotonic() + 12)
    assert crane.done.is_set()
    assert "no sensor that feels a bridge" in crane.error


def test_the_demo_says_where_commands_reach_it_and_why_there_is_no_load_test() -> None:
    words = ["demo", "--profile", "school", "--loadtest", "x", "--duration", "1", "--lines"]
    done = CliRunner().invoke(group, words)
    assert done.exit_code == 1
    assert "--run-dir " in done.output
    assert "the demo ended before it was over" in done.output
    done = CliRunner().invoke(group, [*words, "--replay", "x.csv"])
    assert done.exit_code == 2
    assert "--replay or --loadtest" in done.output


# -- pictures ------------------------------------------------------------------------------------


def test_ten_minutes_at_125_hz_are_a_small_picture_that_keeps_the_peak() -> None:
    time = np.arange(75_000) / 125
    values = np.sin(time)[:, None]
    values[40_000] = 9.0
    at, shown = envelope(Part(time, values), 0, 600.0, svg.COLUMNS)
    assert max(shown) == 9.0
    chart = svg.Chart("x & y", "m/s²", 600.0, [(at, shown)], [(5, "<a>"), (6, "b")], begin_utc=0)
    picture = svg.svg(chart)
    assert len(picture) < 60_000
    ET.fromstring(picture)


def test_labels_of_marks_do_not_cover_each_other() -> None:
    rows = svg.mark_rows([(100, "crane drives on"), (110, "in the middle"), (300, "gone")])
    assert rows == [(0, False), (1, False), (0, False)]
    assert svg.mark_rows([(svg.WIDTH - 30, "a long label at the end")]) == [(0, True)]


def test_a_channel_that_stands_still_or_has_one_value_is_drawn() -> None:
    for line in (([0.0, 1.0], [5.0, 5.0]), ([0.5], [0.0])):
        ET.fromstring(svg.svg(svg.Chart("x", "mm", 2.0, [line])))


def test_a_long_test_is_timed_in_blocks() -> None:
    """Two hours whose chip's clock drifts by 20 ppm: times stay within 10 ms."""
    reads, stretches, at, end = [], [], 0.0, 0
    for number in range(7200):
        rate = 12 * (1 + 20e-6 * number / 7200)
        end, at = end + 12, at + 12 / rate
        reads.append(Read(end, 12, at + 0.001, False, 0))
        stretches.append(Stretch(end - 12, end, array("d", [at] * 12), reads[-1:], False))
    (part,) = parts_of(stretches, 1, 12.0, 0.0)
    assert len(part.time) == end
    assert (np.diff(part.time) > 0).all()
    late = part.time[11::12] - part.values[11::12, 0]
    assert abs(late).max() < 0.01


def test_a_gauge_at_its_rate_waits_for_no_other_sensor(site: Site) -> None:
    site._asked("lane2", "ads122c04", strain=site.strain)
    together = [[one.name for one in asker.instruments] for asker in site.restart().askers]
    assert together == [["gauge"], ["lane2"], ["crack"], ["probe"]]


def test_a_test_that_begins_while_a_sensor_answers_is_not_slept_through(
    clock: VirtualClock,
) -> None:
    asked: list[str] = []

    def take(name: str, at: float, values: object, fault: str) -> bool:
        asked.append(name)
        if len(asked) == 1:  # the old test has ended, and the next begins right now
            asker.begin()
            return False
        return True

    asker = Asker([Instrument("room", Room(), clock)], clock, take)
    asker.begin()
    asker.step()
    asker.step()
    assert asked == ["room", "room"]
