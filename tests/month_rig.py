"""The node of the simulated month on LoRaWAN, and what its server can know from what arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from random import Random

from agent.clock import VirtualClock
from agent.codec import decoder
from agent.housekeeping import EVERY_S
from agent.transport.uplink import IDLE_S
from drivers.api import Quantity
from tests.radio_rig import RadioRig

HOUR = 3600
COLUMNS = ("temp", "hum", "pres", "co2", "pm25", "pm10", "lux", "noise", "batt")
PROFILE = f"""
node = {{ name = "ghs" }}
[[instrument]]
name = "room"
driver = "tests.month_rig"
[[table]]
name = "air"
interval_s = 60
schema = 1
columns = {{ {", ".join(f'{name} = "room.{name}"' for name in COLUMNS)} }}
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


class Room:
    """Nine values of a class room that wander, as fast as those of a real one."""

    quantities = {
        "temp": Quantity("temperature", 0.01, -40, 85),
        "hum": Quantity("humidity", 0.1, 0, 100),
        "pres": Quantity("pressure", 1, 30_000, 110_000),
        "co2": Quantity("co2", 1, 0, 40_000),
        "pm25": Quantity("pm2_5", 0.1, 0, 1000),
        "pm10": Quantity("pm10", 0.1, 0, 1000),
        "lux": Quantity("illuminance", 1, 0, 120_000),
        "noise": Quantity("loudness", 0.1, 0, 140),
        "batt": Quantity("voltage", 0.01, 0, 20),
    }
    middle = (21.0, 45.0, 101_000.0, 800.0, 8.0, 12.0, 300.0, 40.0, 4.0)
    steps = (3, 2, 4, 12, 3, 4, 6, 12, 0)  # most steps from a row to the next
    far = 60  # steps from the middle: from there they are drawn back

    def __init__(self) -> None:
        self.chance, self.steps_off = Random(1), [0] * len(self.middle)

    def setup(self) -> None:
        """Nothing to set up."""

    def read(self) -> Mapping[str, float | None]:
        """The next row."""
        for column, most in enumerate(self.steps):
            drift = self.chance.randint(-most, most)
            off = self.steps_off[column]
            self.steps_off[column] += drift + ((off < -self.far) - (off > self.far)) * most
        named = zip(self.quantities.items(), self.middle, self.steps_off, strict=True)
        return {name: mid + off * one.step for (name, one), mid, off in named}


DRIVER, TWIN = Room, None


class Power(VirtualClock):
    """Nobody vouches for the time until the network has told it; each boot is another."""

    boots = 0

    def boot(self) -> None:
        """The supply came back: no time, another boot."""
        self.boots += 1
        self.unset(True)
        self._offset = None

    def boot_id(self) -> str:
        """One per boot."""
        return f"boot-{self.boots}"


class MonthRig(RadioRig):
    """The server takes dated rows only: an age may be one slot off."""

    clock_type = Power
    aged = 0  #: frames of rows without a date
    heard_at = -1e18  #: unix time of the newest uplink
    owes = 0  #: rows that wait at the node, by its newest hello, less those of its next live frame
    owes_at = -1e18  #: unix time of that hello

    def __init__(self, folder: Path, interval_s: int, **changes: object) -> None:
        self.profile = PROFILE.replace("interval_s = 60", f"interval_s = {interval_s}")
        self.came: dict[tuple[int, ...], float] = {}  # when each row came first, unix time
        self.acked: dict[int, float] = {}  # when the node confirmed a downlink, by token
        self.asked: set[int] = set()  # starts of the rows of these downlinks
        self.ways: Counter[str] = Counter()  # how rows came that had not come before
        self.interval_s = interval_s
        super().__init__(folder, trust="", **changes)

    def start(self) -> None:
        """Build the node; where it would look every few seconds it looks every few minutes."""
        super().start()
        for job in self.node.jobs:
            if job.name == "housekeeping" or job.name.startswith("link-"):
                job.step = seldom(job.step)

    def take(self, payload: bytes, at: float) -> None:
        """One uplink of the application."""
        self.heard_at = at
        said = decoder.decode(payload, self.far.schemas.get)
        if isinstance(said, decoder.Data) and not (isinstance(said.time, int) and said.time >= 0):
            self.aged += 1
            return
        super().take(payload, at)
        new = len(self.far.rows) - len(self.came)
        for row in list(islice(reversed(self.far.rows), new)):
            self.came[row] = at
            self.ways[self._way(row[1], at)] += 1
        if isinstance(said, decoder.Ack):
            self.acked.setdefault(said.token, at)
        if isinstance(said, decoder.Hello):
            newest = max((start for _, start in self.came), default=at)
            young = min(max(int(at - newest) // self.interval_s, 0), HOUR // self.interval_s + 1)
            self.owes, self.owes_at = said.items[3] - young, at

    def _way(self, start: int, at: float) -> str:
        """How a row came that had not come before."""
        if start in self.asked:
            return "resend"
        return "live" if at - start < 2 * max(HOUR, 6 * self.interval_s) else "backfill"

    def lose_power(self, off_s: float) -> None:
        """Node and modem are without supply for a while."""
        self.node.store._file.close()
        self.clock.sleep(off_s)
        assert isinstance(self.clock, Power)
        self.clock.boot()
        self.twin.power_on(self.clock.monotonic())
        self.start()


def seldom(step: Callable[[], float]) -> Callable[[], float]:
    """A month is long: what looks again and again does so every ten minutes, unless woken."""

    def slow() -> float:
        wait_s = step()
        return 10 * IDLE_S if wait_s in (EVERY_S, IDLE_S) else wait_s

    return slow
