"""`stadtsinn lorawan`: keys to paste, join, state of the radio, and how often a node may send.

The link itself is agent/transport/links/lorawan.py.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from agent.cli.lorawan_airtime import day, enough, simulated_day, stored
from agent.cli.lorawan_fit import fit_lines
from agent.cli.options import (
    BAD,
    config_errors,
    profile_argument,
    simulate_option,
    start_logging,
)
from agent.cli.status import load
from agent.clock import Clock
from agent.config.errors import near
from agent.config.sections import Config, LorawanConfig
from agent.config.source import Source
from agent.measure.buses import read_keys
from agent.measure.driver_registry import find_modem
from agent.model.batch import Layout, Row
from agent.node import open_buses
from agent.plan import read_profile
from agent.plan.optional import LORAWAN, needs
from agent.transport.links.beating_timer import BeatingTimer
from drivers.api import DeviceError

RATES = {12: 0, 11: 1, 10: 2, 9: 3, 8: 4, 7: 5}  # spreading factor -> EU868 data rate
DAY_S = 86_400
MOST_NEEDED = 1000  #: rows from which a fit is told without a word


@click.group(
    epilog="""\b
    Examples:
      stadtsinn lorawan keys      what to paste at the network server, with QR code
      stadtsinn lorawan join      does the network let it in?
      stadtsinn lorawan airtime --table air --sf 7,9,12 --every 60   how often may it send?
    """
)
def lorawan() -> None:
    """Keys, join, status, airtime of a LoRaWAN link."""


@lorawan.command(epilog="Example:  stadtsinn lorawan keys --secret hw/nodes/school-lorawan.toml")
@profile_argument
@click.option("--secret", is_flag=True, help="Show the AppKey too.")
@config_errors
def keys(profile: Path, secret: bool) -> None:
    """Print what the network server wants, and the QR code of LoRa Alliance TR005."""
    config, source = read(profile)
    link = radio_of(config, source)
    click.echo(f"DevEUI   {link.dev_eui.upper()}\nJoinEUI  {link.join_eui.upper()}")
    shown = f"in {link.app_key_file}; --secret shows it"
    if secret:
        try:
            shown = read_keys(link).app_key
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise source.error("link", "app_key_file", reason.lower()) from error
    click.echo(f"AppKey   {shown}")
    click.echo("Region   EU868, class A, OTAA; codec: hw/lorawan/stadtsinn.js")
    text = f"LW:D0:{link.join_eui.upper()}:{link.dev_eui.upper()}:00000000"
    click.echo(text)
    try:  # segno: optional
        import segno
    except ImportError:
        click.echo(f"The QR code {needs(LORAWAN)}")
        return
    segno.make(text, error="m").terminal(compact=True)


@lorawan.command(epilog="Example:  stadtsinn lorawan join --simulate hw/nodes/school-lorawan.toml")
@profile_argument
@simulate_option
@config_errors
def join(profile: Path, simulate: bool) -> None:
    """Set the modem up and join, if it has no session yet. Stop the daemon before."""
    start_logging()
    config, source = read(profile)
    link, clock = radio_of(config, source), Clock()
    buses = open_buses(config, source, clock, simulate=simulate)
    try:
        modem = buses.modem(link, find_modem(link.modem), BeatingTimer(clock))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise source.error("link", "app_key_file", reason.lower()) from error
    try:
        modem.setup()
        click.echo(f"{link.modem} on {link.port}: answers")
        if modem.joined():
            click.echo("has a session of these keys: no join needed")
        else:
            click.echo("joining, up to 15 s …")
            modem.join()
            click.echo("joined")
        rate = modem.data_rate()
        click.echo(f"data rate {rate}, up to {modem.limit()} bytes a frame")
    except DeviceError as error:
        click.echo(f"stadtsinn: {error}", err=True)
        click.echo("  check antenna and gateway; keys: stadtsinn lorawan keys", err=True)
        sys.exit(BAD)
    finally:
        modem.port.close()


@lorawan.command(epilog="Example:  stadtsinn lorawan status")
@click.option("--file", "path", type=click.Path(path_type=Path),
              default=Path("/run/stadtsinn/state.json"), show_default=True)  # fmt: skip
def status(path: Path) -> None:
    """Joined, data rate, signal, airtime spent, next send: of the running node."""
    state = load(path)
    radios = {name: one for name, one in state["links"].items() if "radio" in one}
    if not radios:
        click.echo("stadtsinn: this node has no LoRaWAN link", err=True)
        sys.exit(BAD)
    for name, one in radios.items():
        click.echo(f"{name}: {one['state']} {one['reason']}".rstrip())
        for key, value in one["radio"].items():
            click.echo(f"  {key:18} {'-' if value is None else value}")
    sys.exit(BAD if any(one["state"] == "refused" for one in radios.values()) else 0)


@lorawan.command(
    epilog="""\b
    Example:
      stadtsinn lorawan airtime --table air --simulate hw/nodes/school-lorawan.toml
    """
)
@profile_argument
@click.option("--table", "name", required=True, help="Which table of the profile.")
@click.option("--sf", default="7,9,12", show_default=True, help="Spreading factors, 7 to 12.")
@click.option("--every", type=click.IntRange(1), help="Seconds between rows; default: as kept.")
@simulate_option
@config_errors
def airtime(profile: Path, name: str, sf: str, every: int | None, simulate: bool) -> None:
    """How often may this node send? From rows that are stored, or a simulated day."""
    config, source = read(profile)
    link = radio_of(config, source)
    tables = [one.name for one in config.table]
    if name not in tables:
        raise click.UsageError(f"no table '{name}'{near(name, tables)}")
    if not all(one.strip().isdigit() and int(one) in RATES for one in sf.split(",")):
        raise click.UsageError("--sf: numbers 7 to 12 with commas between, such as 7,9,12")
    layout: Layout
    rows: Sequence[Row]
    layout, rows = (simulated_day if simulate else stored)(config, source, name)
    if len(rows) < 2:
        raise click.UsageError("too few rows are stored: try --simulate")
    step = max(round((every or layout.interval_s) / layout.interval_s), 1)
    budget = link.airtime_s_per_day
    click.echo(f"{len(rows)} rows; one every {step * layout.interval_s} s; {budget:g} s a day")
    click.echo("  SF  bytes  rows/frame  frames/day  airtime/day")
    for factor in map(int, sf.split(",")):
        rate, chosen = RATES[factor], rows[::step]
        found = day(layout, chosen, step, rate, link.limit_bytes, link.fill_s,
                    fixed_length=link.fixed_length)  # fmt: skip
        verdict = "fits"
        if found.seconds > budget:
            every_s, fill_s = enough(layout, chosen, step, rate, link)
            waiting = "" if fill_s is None else f" with fill_s = {fill_s:.0f}"
            verdict = f"too much: about every {every_s:.0f} s{waiting} would fit"
        click.echo(
            f"  {factor:2}  {found.limit:5}  {found.rows_per_frame:10.1f}  {found.frames:10.1f}"
            f"  {found.seconds:9.1f} s  {verdict}"
        )


@lorawan.command(
    epilog="""\b
    Example:
      stadtsinn lorawan fit --table air hw/nodes/school-lorawan.toml
    """
)
@profile_argument
@click.option("--table", "name", required=True, help="Which table of the profile.")
@click.option("--rows", "together", type=click.IntRange(1, 200), default=15, show_default=True,
              help="Rows that a frame holds, as a rule.")  # fmt: skip
@simulate_option
@config_errors
def fit(profile: Path, name: str, together: int, simulate: bool) -> None:
    """The shortest frames for a table's own values, as lines of the profile.

    From rows that are stored, or a simulated day: nominals and orders for every column. Put the
    lines in place of the table's; the new number of its schema follows by itself.
    """
    config, source = read(profile)
    table = next((one for one in config.table if one.name == name), None)
    if table is None:
        raise click.UsageError(f"no table '{name}'{near(name, [one.name for one in config.table])}")
    layout, rows = (simulated_day if simulate else stored)(config, source, name)
    if len(rows) < MOST_NEEDED:
        click.echo(f"stadtsinn: only {len(rows)} rows: a week of them tells more", err=True)
    for line in fit_lines(config, source, table, layout, rows, together):
        click.echo(line)


def read(profile: Path) -> tuple[Config, Source]:
    """The profile. Raises ConfigError."""
    return read_profile(profile)


def radio_of(config: Config, source: Source) -> LorawanConfig:
    """The profile's LoRaWAN link. Raises ConfigError."""
    link = next((one for one in config.link if isinstance(one, LorawanConfig)), None)
    if link is None:
        raise source.error("link", "", "no link of kind 'lorawan': see school-lorawan.toml")
    return link
