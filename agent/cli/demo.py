"""`stadtsinn demo`: a simulated node here, live in the terminal."""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from rich.live import Live

from agent.cli.loadtest import report_of
from agent.cli.options import BAD, USAGE, config_errors, start_logging
from agent.cli.picture import counted, frame_line, mode_lines, picture
from agent.cli.picture_file import drawn
from agent.cli.radio_options import radio_options
from agent.config.errors import near
from agent.demo import prepare, usual_speed
from agent.demo.running import Demo, Radio
from agent.demo.watch import Watch
from agent.resources import resource
from drivers.sim.replay import ReplayError
from drivers.sim.timetable import TimetableError

LOOK_S = 0.25
LARGE = 5_000_000  #: bytes of a recording that take a while to read
FASTEST_LOADTEST = 4.0  #: times real time: an accelerometer's FIFO holds a quarter of a second
FASTEST_RADIO = 30.0  #: times real time: a modem answers through a real pseudo-terminal


@click.command(
    epilog="""\b
    Examples:
      stadtsinn demo
      stadtsinn demo --speed 600 --duration 20
      stadtsinn demo --replay office.csv          a recording through the simulated chips
      stadtsinn demo --replay my.csv --column CO2=room.co2 --column "T/10=room.temperature*0.1"
      stadtsinn demo --faults breaks.toml         what happens when things break
      stadtsinn demo --profile bridge --truth truth.csv   what a perfect node would have measured
      stadtsinn demo --loadtest "48 t crane"      a crane stands on a bridge; its report
      stadtsinn demo --duration 30 --svg demo.svg the last picture as a file, for a page
      stadtsinn demo --lorawan                    through a LoRaWAN modem and network inside
      stadtsinn demo --lorawan udp://127.0.0.1:1700 --modem lora_e5 \\
          --dev-eui 70B3D57ED0051234 --join-eui 0102030405060708 --app-key 2B7E…4F3C
    """
)
@click.option("--profile", show_default="school, with --loadtest bridge",
              help="A shipped profile by name, or a file.")  # fmt: skip
@click.option("--speed", type=click.FloatRange(0.1, 3600), show_default="60, with streams 10",
              help="Simulated seconds per second.")  # fmt: skip
@click.option("--duration", type=click.FloatRange(1), metavar="SECONDS",
              help="End by itself after so many real seconds.")  # fmt: skip
@click.option("--replay", type=click.Path(path_type=Path, dir_okay=False),
              help="A recording, any table of values; runs as fast as it can.")  # fmt: skip
@click.option("--column", "columns", multiple=True, metavar="HEADER=CHANNEL[*FACTOR]",
              help="What a column of the recording is; else by its heading.")  # fmt: skip
@click.option("--faults", type=click.Path(path_type=Path, dir_okay=False),
              help="A TOML timetable of what breaks when.")  # fmt: skip
@click.option("--truth", type=click.Path(path_type=Path, dir_okay=False, writable=True),
              metavar="FILE.csv",
              help="At the end: what was true at each row's start, to compare; of a bridge "
                   "its modes' frequencies too, and its vehicles in a second file.")  # fmt: skip
@click.option("--loadtest", default="", metavar="NAME",
              help="A load test of a bridge, by itself: its report at the end.")  # fmt: skip
@radio_options
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False, writable=True),
              metavar="FILE.svg", help="At the end: the last picture as a file.")  # fmt: skip
@click.option("--lines", is_flag=True, help="Lines instead of the picture, also on a terminal.")
@config_errors
def demo(
    profile: str | None,
    speed: float | None,
    duration: float | None,
    replay: Path | None,
    columns: tuple[str, ...],
    faults: Path | None,
    truth: Path | None,
    loadtest: str,
    radio: Radio | None,
    svg: Path | None,
    lines: bool,
) -> None:
    """A simulated node here, live in the terminal.

    All of it: real drivers on simulated chips, every row on disk, frames through a real MQTT
    broker, decoded again on the far side. Exit code 1 if what was decoded differs from what was
    measured.
    """
    path = found(profile or ("bridge" if loadtest else "school"))
    live = sys.stdout.isatty() and not lines
    start_logging(logging.CRITICAL if live else logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="stadtsinn-demo-") as folder:
        try:
            with reading(replay) as tell:
                made = prepare(
                    path, Path(folder), speed=bounded(speed or usual_speed(path), radio, loadtest),
                    replay=replay, faults=faults, radio=radio, loadtest=loadtest,
                    columns=mapping(columns), tell=tell,
                )  # fmt: skip
        except (ReplayError, TimetableError, ValueError) as error:
            click.echo(f"stadtsinn: {error}", err=True)
            sys.exit(USAGE)
        introduce(made, loadtest)
        with running(made), drawn(made, svg):
            (show_live if live else show_lines)(made, duration)
        code = summary(made)
        if truth:
            code = max(code, tell_truth(made, truth))
        sys.exit(max(code, report_crane(made)) if loadtest else code)


def bounded(speed: float, radio: Radio | None, loadtest: str) -> float:
    """Times real time, as far as radio and load test allow; a real network server has its own."""
    if radio is not None:
        speed = 1.0 if radio.server else min(speed, FASTEST_RADIO)
    return min(speed, FASTEST_LOADTEST) if loadtest else speed


@contextmanager
def reading(replay: Path | None) -> Iterator[Callable[[int], None] | None]:
    """A bar while a large recording is read and a person watches."""
    size = replay.stat().st_size if replay is not None and replay.is_file() else 0
    if size < LARGE or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=size, label="reading", file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)


def mapping(columns: Sequence[str]) -> dict[str, tuple[str, float]]:
    """Header -> channel and factor, as typed. Raises ValueError."""
    made = {}
    for text in columns:
        header, _, rest = text.rpartition("=")
        channel, _, factor = rest.partition("*")
        if not header or not channel or not (factor or "1").replace(".", "", 1).isdigit():
            form = "expected HEADER=CHANNEL or HEADER=CHANNEL*FACTOR, such as CO2=room.co2"
            raise ValueError(f"--column {text}: {form}")
        made[header] = channel, float(factor or 1)
    return made


def introduce(made: Demo, loadtest: str) -> None:
    """What is played, what runs here, and how a load test of it is begun from elsewhere."""
    if made.said:
        click.echo(made.said)
    click.echo(f"Node '{made.node.config.node.name}', simulated, via {made.where}")
    if made.run_dir and (made.node.streams or loadtest):
        click.echo(f"From another terminal: stadtsinn loadtest … --run-dir {made.run_dir}")


def found(profile: str) -> Path:
    """A file, or a shipped profile; ends the command if it is neither."""
    if profile.endswith(".toml"):
        return Path(profile)
    known = [path.stem for path in resource("nodes").glob("*.toml")]
    if profile not in known:
        hint = f"no shipped profile '{profile}'{near(profile, known)}"
        click.echo(f"stadtsinn: --profile: {hint}", err=True)
        sys.exit(USAGE)
    return resource(f"nodes/{profile}.toml")


@contextmanager
def running(made: Demo) -> Iterator[None]:
    """The demo runs inside; Ctrl-C ends it in order, and so does a window that is closed."""
    endings = [
        one
        for one in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(one) is not signal.SIG_IGN  # nohup
    ]
    before = {one: signal.signal(one, interrupt) for one in endings}
    try:
        made.start()
        yield
    except KeyboardInterrupt:
        click.echo("")
    finally:
        made.stop()  # else its broker would go on for ever
        for one, handler in before.items():
            signal.signal(one, handler)


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Any other end becomes what Ctrl-C is."""
    raise KeyboardInterrupt


def moments(made: Demo, duration: float | None) -> Iterator[float]:
    """Ticks until the duration, the recording or the node ends."""
    began = time.monotonic()
    while duration is None or time.monotonic() - began < duration:
        yield time.monotonic() - began
        if made.done.wait(LOOK_S) or made.node.stopping.is_set():
            return


def show_live(made: Demo, duration: float | None) -> None:
    """The picture, four times a second."""
    watch = Watch(made.node)
    with Live(screen=False, refresh_per_second=4) as live:
        for _ in moments(made, duration):
            size = live.console.size
            state, view = made.node.snapshot(), watch.preview()
            live.update(picture(state, made.far, made.clock, view, (size.width, size.height)))


def show_lines(made: Demo, duration: float | None) -> None:
    """A line for every frame, and for every row of natural frequencies.

    A frame was decoded here, or left for a server that decodes itself.
    """
    news = outgoing(made) if made.radio and made.radio.server else incoming(made)
    watch, told = Watch(made.node), set[tuple[int, ...]]()
    for _ in moments(made, duration):
        line = next(news)
        if line:
            click.echo(line)
        for line in mode_lines(made.far, watch, told):
            click.echo(line)


def incoming(made: Demo) -> Iterator[str]:
    """A line when the far side has decoded another frame; empty if it has not."""
    shown = None
    while True:
        last = made.far.last
        yield frame_line(made.far) if last is not None and last is not shown else ""
        shown = last


def outgoing(made: Demo) -> Iterator[str]:
    """A line when another frame has left; empty if none has."""
    (uplink,), sent = made.node.uplinks, 0
    while True:
        count, frame = uplink.frames, uplink.last_frame
        yield f"sent: frame {count}, {len(frame)} bytes, {frame.hex()}" if count > sent else ""
        sent = count


def tell_truth(made: Demo, path: Path) -> int:
    """Write what was true beside what was measured. The exit code."""
    try:
        files = made.write_truth(path)
    except OSError as error:
        click.echo(f"stadtsinn: --truth: {path}: {error.strerror}", err=True)
        return BAD
    click.echo(f"truth: {' and '.join(map(str, files)) or 'no row, no truth: let it run longer'}")
    return 0


def report_crane(made: Demo) -> int:
    """The report of the load test, in a folder that stays. The exit code."""
    crane = made.crane
    if crane is None or crane.folder is None:
        reason = (crane and crane.error) or "the demo ended before it was over"
        click.echo(f"stadtsinn: no load test: {reason}", err=True)
        return BAD
    if not crane.parks:
        click.echo("This world has no vehicles: the bridge as it is.")
    return report_of(crane.folder, Path(tempfile.mkdtemp(prefix="stadtsinn-loadtest-")), False)


def summary(made: Demo) -> int:
    """Was everything that was measured decoded, and nothing else? The exit code."""
    measured = made.measured()
    missing = made.missing()
    same = matches(made, missing) and not made.far.conflicts and not made.far.refused
    values = sum(map(len, [*made.decoded().values(), *(cells for _, cells in made.far.aged)]))
    if made.radio and made.radio.server:
        click.echo(f"measured {len(measured)} rows; what the network server got it decodes itself")
        return 0
    aged = f" ({len(made.far.aged)} of them with an age: no clock)" if made.far.aged else ""
    decoded = len(made.far.rows) + len(made.far.aged)
    waiting = f", {len(missing)} waiting for a frame" if same and missing else ""
    click.echo(
        f"measured {counted(len(measured), 'row')}, decoded {decoded}{aged}{waiting}: "
        f"{verdict(same, decoded)}; {counted(made.far.frames, 'frame')}, "
        f"{made.far.size} bytes, {made.far.row_size / max(values, 1):.2f} bytes per value in rows, "
        f"{counted(len(made.far.events), 'event')}"
    )
    if not same:
        click.echo(f"  differing or missing: {missing[:5]} {made.far.refused[:2]}", err=True)
    return replayed(made) if made.replay and same else (0 if same else BAD)


def verdict(same: bool, decoded: int) -> str:
    """In words; of nothing at all nothing is claimed."""
    if not same:
        return "NOT identical"
    return "identical" if decoded else "too short to compare anything, let it run longer"


def matches(made: Demo, missing: Sequence[tuple[int, int]]) -> bool:
    """Whether all that arrived is what was measured, and what did not is owed still."""
    measured, dated = made.measured(), [one for one in made.decoded().items() if len(one[0]) == 2]
    owed = sum(made.node.store.counts().owed.values()) if made.radio else 0
    alike = all(measured.get((key[0], key[1])) == cells for key, cells in dated)
    return alike and len(missing) <= owed


def replayed(made: Demo) -> int:
    """Does what came out equal the recording within one step?"""
    good = True
    for name, (steps, count) in made.deviations().items():
        click.echo(f"  {name}: {count} values, largest difference to the recording {steps:g} steps")
        good = good and steps <= 1
    return 0 if good else BAD
