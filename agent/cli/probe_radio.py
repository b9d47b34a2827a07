"""`stadtsinn probe` for a LoRaWAN link: the modem answers, is joined, a hello is acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version

import click

from agent import codec
from agent.cli.finding import Finding
from agent.clock import Clock
from agent.codec.messages import stamped
from agent.config.sections import LorawanConfig
from agent.measure.buses import MachineBuses
from agent.measure.driver_registry import find_modem
from agent.model.batch import HELLO, Batch
from agent.plan import Plan
from agent.plan.optional import MissingExtra
from agent.transport.links.beating_timer import BeatingTimer
from agent.transport.links.lorawan import PORTS
from drivers.api import BUSY, DUTY_CYCLE, NO_ACCEPT, NOT_ACKED, DeviceError, Modem, ModemError

PATIENCE_S = 300.0  #: a join at SF12 silences a channel for 148 s
LONGEST_WAIT_S, SHORTEST_WAIT_S = 200.0, 2.0
HINTS = {
    NO_ACCEPT: "no answer to the join request: antenna, gateway in reach, keys as at the server?"
    " (stadtsinn lorawan keys)",
    NOT_ACKED: "hello sent, nobody acknowledged it: is a gateway in reach?",
}


def tune(config: LorawanConfig, made: Plan, clock: Clock) -> Iterator[Finding]:
    """One line each: set-up, join, hello; the first that fails is the last."""
    where = f"{config.modem} {config.port}"
    try:
        modem = modem_of(config, made, clock)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        yield Finding(config.name, where, False, f"{config.app_key_file}: {reason.lower()}")
        return
    except MissingExtra as error:
        yield Finding(config.name, where, False, str(error))
        return
    steps: tuple[Callable[[], str], ...] = (
        lambda: set_up(modem, config),
        lambda: join(modem, clock),
        lambda: hello(modem, made, clock),
    )
    try:
        for step in steps:
            good, text = judged(step, config.name, clock)
            yield Finding(config.name, where, good, text)
            if not good:
                return
    finally:
        modem.port.close()


def modem_of(config: LorawanConfig, made: Plan, clock: Clock) -> Modem:
    """The modem behind the buses. Raises OSError, ValueError where its key cannot be had."""
    buses = made.buses or MachineBuses(clock)
    return buses.modem(config, find_modem(config.modem), BeatingTimer(clock))


def judged(step: Callable[[], str], name: str, clock: Clock) -> tuple[bool, str]:
    """What a step says; one that meets the duty cycle is repeated when that allows it."""
    end = clock.monotonic() + PATIENCE_S
    while True:
        try:
            return True, step()
        except ModemError as error:
            wait_s = max(error.retry_s, SHORTEST_WAIT_S)
            silent = error.reason in (DUTY_CYCLE, BUSY) and wait_s <= LONGEST_WAIT_S
            if not silent or clock.monotonic() + wait_s > end:
                return False, HINTS.get(error.reason, error.reason)
            click.echo(f"     {name}: {error.reason}: waits {wait_s:.0f} s …", err=True)
            clock.sleep(wait_s)
        except DeviceError as error:
            return False, str(error)


def set_up(modem: Modem, config: LorawanConfig) -> str:
    """Identify and configure. Raises DeviceError."""
    modem.setup()
    return f"answers, DevEUI {config.dev_eui.upper()}"


def join(modem: Modem, clock: Clock) -> str:
    """A session, the one it has or a new one. Raises DeviceError."""
    if modem.joined():
        return f"joined before, session kept; {rate(modem)}"
    began = clock.monotonic()
    modem.join()
    return f"joined in {clock.monotonic() - began:.1f} s; {rate(modem)}"


def rate(modem: Modem) -> str:
    """The data rate in words. Raises DeviceError."""
    return f"data rate {modem.data_rate()}, up to {modem.limit()} bytes a frame"


def hello(modem: Modem, made: Plan, clock: Clock) -> str:
    """A confirmed hello and how well it was heard. Raises DeviceError."""
    numbers = [table.schema.number for table in made.tables]
    body = codec.hello_body({0: version("stadtsinn"), 2: sorted(numbers)})
    batch = Batch("message", stamped(HELLO, body, 0, clock))
    frame = codec.frame(batch, modem.limit(), clock).frames[0]
    modem.ask_link()
    began = clock.monotonic()
    modem.send(frame, port=PORTS[HELLO], confirmed=True)
    return ", ".join([f"hello acknowledged in {clock.monotonic() - began:.1f} s", *heard(modem)])


def heard(modem: Modem) -> Iterator[str]:
    """How well, as far as the modem tells."""
    modem.received()
    signal = modem.signal
    if signal.rssi_dbm is not None:
        yield f"RSSI {signal.rssi_dbm:.0f} dBm"
    if signal.snr_db is not None:
        yield f"SNR {signal.snr_db:.0f} dB"
    if signal.margin_db is not None:
        yield f"margin {signal.margin_db:.0f} dB"
