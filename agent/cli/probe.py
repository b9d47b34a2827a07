"""`stadtsinn probe`: does every sensor read, does every link go out? Before you climb down."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from agent.cli.finding import Finding
from agent.cli.options import (
    BAD,
    config_errors,
    json_option,
    profile_argument,
    simulate_option,
    start_logging,
)
from agent.cli.probe_radio import tune
from agent.clock import Clock, VirtualClock
from agent.codec import hello_body
from agent.codec.messages import stamped
from agent.config.sections import InstrumentConfig, LinkConfig, LorawanConfig, MqttConfig
from agent.measure.driver_registry import slip
from agent.measure.instrument import FAULTS, Instrument, let_go
from agent.measure.window import Window
from agent.model.batch import HELLO, Batch
from agent.model.schema import Missing, quantity_kinds
from agent.model.units import written
from agent.node import make_instruments, open_buses
from agent.plan import Plan, make_plan, read_profile
from agent.status import REASONS
from agent.store.database import in_use
from agent.transport.airtime import Scratch
from agent.transport.links import LinkError, Undeliverable
from agent.transport.links.make import make_link
from drivers.api import DeviceError, WarmingUp

SLOW_S = 40.0  #: a sensor may take so long to its first value (a fan settles for 30 s)
LINK_S = 20.0  #: and a link to its acknowledgement
RUNS = "in use by the running node: sudo systemctl stop stadtsinn"
STANDS_S = 5.0  #: a reason that stands so long on MQTT, or a file, does not go away by waiting


@click.command(
    epilog="""\b
    Examples:
      stadtsinn probe                                   /etc/stadtsinn/node.toml
      stadtsinn probe --simulate hw/nodes/school.toml   without hardware
      stadtsinn probe --raw                             bytes, to send along with a question
    """
)
@profile_argument
@simulate_option
@click.option("--raw", is_flag=True, help="Show the bytes that went over the buses.")
@click.option("--no-links", is_flag=True, help="Only the sensors.")
@json_option
@config_errors
def probe(profile: Path, simulate: bool, raw: bool, no_links: bool, as_json: bool) -> None:
    """Read every sensor once and try every link.

    A sensor is set up first; a link is sent a hello until it is acknowledged. One line each. Exit
    code 1 if any of them fails.
    """
    start_logging(level=50)
    config, source = read_profile(profile)
    clock = VirtualClock(time.time()) if simulate else Clock()  # its fans settle at once
    made = make_plan(config, source, open_buses(config, source, clock, simulate=simulate))
    clock.accepts = config.clock.trust
    if not as_json:
        click.echo(f"     {'clock':12} {clock.told()}")
    findings = []
    for finding in all_findings(made, clock, links=not no_links):
        findings.append(finding)
        if not as_json:
            show(finding, raw)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in findings]))
    bad = sum(not one.good for one in findings)
    if not as_json:
        click.echo(f"{len(findings) - bad} good, {bad} failed")
    sys.exit(BAD if bad else 0)


def show(finding: Finding, raw: bool) -> None:
    """One line, and the bytes below it."""
    mark = click.style("ok  ", fg="green") if finding.good else click.style("FAIL", fg="red")
    click.echo(f"{mark} {finding.name:12} {finding.what:24} {finding.text}")
    for line in finding.raw if raw else ():
        click.echo(f"       {line}")


def all_findings(made: Plan, clock: Any, *, links: bool) -> Iterator[Finding]:
    """Every instrument, then every link."""
    instruments = make_instruments(made, clock)
    for config in made.config.instrument:
        what = f"{config.driver} {config.bus}".strip()
        if later := intervals(config, made):
            text = f"from the first interval of {', '.join(later)} on"
            yield Finding(config.name, what, True, text)
        else:
            yield ask(instruments[config.name], what)
    for link in made.config.link if links else ():
        if isinstance(link, LorawanConfig):
            yield from tune(link, made, clock)
        else:
            yield greet(link, made)


def intervals(config: InstrumentConfig, made: Plan) -> list[str]:
    """Inputs that are known when an interval has ended: nobody waits ten minutes for them here."""
    references = config.inputs.values()
    return [one for one in references if isinstance(made.sensors[one.split(".")[0]], Window)]


def ask(instrument: Instrument, what: str) -> Finding:
    """Set one sensor up and read it; a slow one is asked until it has a value."""
    sensor = instrument.sensor
    window = sensor if isinstance(sensor, Window) else None
    if window is not None:
        window.open(instrument.clock)
    read = window.preview if window else instrument.converse
    chip = window.source if window else sensor
    bus = next((v for v in vars(chip).values() if hasattr(v, "tape")), None)
    tape: list[str] = []
    if bus is not None:
        bus.tape = tape
    clock = instrument.clock
    end = clock.monotonic() + SLOW_S
    try:
        values, wait = heard(read)
        while not values and clock.monotonic() < end:
            clock.sleep(1.0)
            tape.clear()
            values, wait = heard(read)
        good, text = (False, wait) if wait else told(instrument, values)
    except FAULTS as error:
        let_go(error)
        return Finding(instrument.name, what, False, fault(error), tape)
    return Finding(instrument.name, what, good, text, tape)


def heard(
    read: Callable[[], Mapping[str, float | None]],
) -> tuple[Mapping[str, float | None], str]:
    """Its values; or none, and in words how long it still warms up."""
    try:
        return read(), ""
    except WarmingUp as error:
        return {}, f"{error}: probe again then"


def fault(error: BaseException) -> str:
    """What went wrong: in a driver's own words, or for whoever writes the driver."""
    foreign = not isinstance(error, DeviceError) and error.__traceback__ is not None
    return slip(error) if foreign else str(error) or type(error).__name__


def told(instrument: Instrument, values: Mapping[str, float | None]) -> tuple[bool, str]:
    """Values with units; whether all of them can be believed."""
    if not values:
        return False, f"no value within {SLOW_S:.0f} s"
    shown, good = [], True
    for name, judged in instrument.judge(values).items():
        if name not in instrument.quantities:
            good = False
            shown.append(f"{name} is none of the driver's quantities")
            continue
        unit = quantity_kinds()[instrument.quantities[name].kind].unit
        if isinstance(judged, Missing):
            good = False
            shown.append(f"{name} {REASONS[judged]} ({values[name]})")
        else:
            shown.append(f"{name} {judged:.6g} {written(unit)}".rstrip())
    return good, ", ".join(shown)


def greet(config: LinkConfig, made: Plan) -> Finding:
    """Send a hello and wait for its acknowledgement."""
    where = str(getattr(config, "url", getattr(config, "path", "")))
    if isinstance(config, MqttConfig) and in_use(Path(made.config.store.path)):
        return Finding(config.name, where, False, RUNS)  # each would throw the other out
    clock, wake = Clock(), threading.Event()
    numbers = [table.schema.number for table in made.tables]
    body = hello_body({0: version("stadtsinn"), 2: sorted(numbers)})
    batch = Batch("message", stamped(HELLO, body, 0, clock))
    link = make_link(config, made, Scratch(), clock, wake, threading.Event())
    patient_s = LINK_S if isinstance(config, LorawanConfig) else STANDS_S
    began, reason, since = time.monotonic(), "", 0.0
    try:
        while time.monotonic() - began < LINK_S:
            try:
                link.deliver(batch)
                took = time.monotonic() - began
                text = f"hello acknowledged in {took:.2f} s"
                notes = getattr(link, "notes", ())
                return Finding(config.name, where, True, "; ".join([text, *notes]))
            except Undeliverable as error:
                reason = str(error)
                break
            except LinkError as error:
                if reason != error.reason:
                    reason, since = error.reason, time.monotonic()
                stands = reason != "connecting" and time.monotonic() - since > patient_s
                if error.refused or error.retry_s == 0 or stands:
                    break
                wake.wait(0.5)
                wake.clear()
    finally:
        link.close()
    return Finding(config.name, where, False, reason)
