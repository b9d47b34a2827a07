"""A simulated LoRaWAN as a whole: modem twins, the air, and the network server inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.keys import Keys
from drivers.sim.lorawan.air import Air, AirFaults, RoughAir
from drivers.sim.lorawan.device import Device
from drivers.sim.lorawan.modem_twin import ModemTwin
from drivers.sim.lorawan.server import NetworkServer, Uplink
from drivers.sim.lorawan.session import Memory

UP_PORTS, DOWN_PORT = range(10, 15), 20


class SimNetwork:
    """What lies behind the modems. `air` replaces the server inside, e.g. a PacketForwarder.

    `memory` makes what the device with a DevEUI remembers, where that is more than one run.
    `unix_at_zero` is the server's clock when the devices' own reads 0.
    """

    def __init__(
        self,
        unix_at_zero: float,
        air: Air | None = None,
        memory: Callable[[str], Memory] | None = None,
    ) -> None:
        self._memory = memory
        self.server = NetworkServer(unix_at_zero)
        self.faults = AirFaults()
        self.air = RoughAir(air or self.server, self.faults)
        self.twins: dict[str, ModemTwin] = {}  #: by DevEUI
        self._taken = 0

    def modem(self, keys: Keys, twin: Any) -> ModemTwin:
        """The modem with this identity; it keeps its memory when the node is built anew."""
        if keys.dev_eui not in self.twins:
            self.twins[keys.dev_eui] = twin(self._device(keys.dev_eui))
            eui, join, key = map(bytes.fromhex, (keys.dev_eui, keys.join_eui, keys.app_key))
            self.server.register(eui, join, key, random_nonce=twin.random_nonce)
        return self.twins[keys.dev_eui]

    def _device(self, dev_eui: str) -> Device:
        """A new one; of one that is known elsewhere chance is not the same in each run."""
        if self._memory is None:
            return Device(self.air)
        return Device(self.air, self._memory(dev_eui), seed=None)

    def arrived(self) -> list[Uplink]:
        """What the application has got since the last call, without what modems send themselves."""
        new = self.server.uplinks[self._taken :]
        self._taken += len(new)
        return [one for one in new if one.port in UP_PORTS and one.payload]

    def send(self, payload: bytes) -> None:
        """A downlink for every device, after its next uplink."""
        for eui in self.server.devices:
            self.server.enqueue(eui, DOWN_PORT, payload)
