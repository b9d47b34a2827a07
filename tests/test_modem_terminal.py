"""A modem on a pseudo-terminal: the real pyserial, the real Port, a clock that runs."""

from __future__ import annotations

import threading

import pytest

from agent.clock import SimClock
from drivers.api import BusError
from drivers.bus.port import Port
from drivers.keys import Keys
from drivers.modems.rak3172 import DRIVER, TWIN
from drivers.sim.lorawan.device import Device
from drivers.sim.lorawan.server import NetworkServer
from drivers.sim.lorawan.terminal import Terminal
from tests.modem_kit import APP_KEY, DEV_EUI, EUI, JOIN_EUI


def test_modem_on_a_terminal_joins_sends_and_may_disappear() -> None:
    clock, server, stop = SimClock(0.0, speed=4), NetworkServer(), threading.Event()
    server.register(EUI, bytes.fromhex(JOIN_EUI), bytes.fromhex(APP_KEY))
    terminal = Terminal(TWIN(Device(server)), clock)
    port = Port(terminal.path, DRIVER.baudrate, clock)
    modem = DRIVER(port, Keys(DEV_EUI, JOIN_EUI, APP_KEY), data_rate=5)

    def carry() -> None:
        while not stop.is_set():
            stop.wait(terminal.step() / 4)

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        clock.sleep(0.5)
        modem.setup()
        modem.join()
        assert modem.joined()
    finally:
        stop.set()
        thread.join()
        terminal.close()
    with pytest.raises(BusError, match=terminal.path):
        modem.data_rate()
    port.close()
