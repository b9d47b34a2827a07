"""A node on a simulated LoRaWAN in virtual time, with a far side that decodes what arrives."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agent.clock import VirtualClock
from agent.codec import bytes_to_cells, encode_downlink
from agent.config import parse
from agent.daemon import run_virtual
from agent.demo.farside import FarSide
from agent.measure.health import HealthSource
from agent.model.schema import Cell, Missing, registered_schemas
from agent.node import build
from agent.plan import make_plan
from agent.simulate import SimBuses, make_world
from agent.status import Node
from agent.transport.links.lorawan import LorawanLink
from drivers.sim.lorawan.network import SimNetwork
from tests.conftest import MONDAY

Rows = dict[tuple[int, ...], dict[str, Cell]]

PROFILE = """
node = { name = "ghs" }
[[instrument]]
name = "air"
driver = "sht4x"
bus = "i2c-1"
[[instrument]]
name = "node"
driver = "health"
[[table]]
name = "air"
interval_s = 60
schema = 1
columns = { temp = "air.temperature", hum = "air.relative_humidity" }
[[alarm]]
column = "air.temp"
above = 60
[[link]]
name = "radio"
kind = "lorawan"
modem = "rak3172"
dev_eui = "70B3D57ED0051234"
join_eui = "0102030405060708"
app_key_file = "/nowhere/app.key"
data_rate = 5
reset_pin = 17
"""


class RadioRig:
    """`cut_power` builds the node anew on the same store and the same modem."""

    profile = PROFILE
    clock_type = VirtualClock

    def __init__(self, folder: Path, *, trust: str = "ntp", **changes: object) -> None:
        text = self.profile
        for key, value in changes.items():
            line = f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n"
            lines = [one for one in text.splitlines() if not one.startswith(f"{key} =")]
            text = "\n".join(lines) + "\n" + line.replace("'", '"')
        self.folder, self.text = folder, text
        self.clock = self.clock_type(MONDAY, trust=trust)
        self.network = SimNetwork(self.clock.true_utc() - self.clock.monotonic())
        self.far = FarSide(schemas=dict(registered_schemas()))
        self.start()

    def start(self) -> None:
        """Build the node."""
        config, source = parse(self.folder / "node.toml", self.text)
        self.source = source
        world, clock = make_world(config, source), self.clock
        self.buses = SimBuses(clock, clock.true_utc, world, {}, HealthSource(clock))
        self.buses.network = self.network
        made = make_plan(config, source, self.buses)
        self.node: Node = build(made, clock, store_path=self.folder / "store.db")

    def cut_power(self) -> None:
        """Kill it without a goodbye, and start it again."""
        self.node.store._file.close()
        self.start()

    def run(self, seconds: float) -> None:
        """Let time pass; the far side takes what arrives."""
        run_virtual(self.node.jobs, self.clock, self.clock.monotonic() + seconds)
        for uplink in self.network.arrived():
            self.take(uplink.payload, self.network.server.unix_at_zero + uplink.at)

    def take(self, payload: bytes, at: float) -> None:
        """One uplink, and when it came."""
        self.far.take(payload, at)

    def down(self, command: int, token: int, *args: int | None) -> None:
        """A downlink of the server."""
        self.network.send(encode_downlink(command, token, *args))

    @property
    def link(self) -> LorawanLink:
        """The node's one link."""
        link = self.node.uplinks[0].link
        assert isinstance(link, LorawanLink)
        return link

    @property
    def twin(self) -> Any:
        """The modem."""
        return next(iter(self.network.twins.values()))

    def report(self) -> dict[str, Any]:
        """What status shows of the link."""
        shown: dict[str, Any] = self.node.snapshot()["links"]["radio"]
        return shown

    def measured(self) -> Rows:
        """Every dated row of the store."""
        found: Rows = {}
        for layout, row in self.node.store.rows("air"):
            names = [one.name for one in layout.schema.fields]
            cells = zip(names, bytes_to_cells(row.cells), strict=True)
            if row.start is not None:
                found[layout.schema.number, row.start] = known(cells)
        return found

    def decoded(self) -> Rows:
        """The same as the far side knows it."""
        return {key: known(cells.items()) for key, cells in self.far.rows.items()}

    def arrived_as_measured(self) -> bool:
        """Whether every row of the far side is in the store, with just these cells."""
        measured = self.measured()
        return all(measured[key] == cells for key, cells in self.decoded().items())

    def airtimes(self) -> list[tuple[float, float]]:
        """Every uplink of the modem, joins too: end and seconds on the air."""
        log = self.network.air.log
        return [(end, radio.airtime_s(len(frame), uplink=True)) for end, radio, frame in log]


def known(cells: Iterable[tuple[str, Cell]]) -> dict[str, Cell]:
    """Without what was not measured."""
    return {name: cell for name, cell in cells if cell is not Missing.NOT_AVAILABLE}
