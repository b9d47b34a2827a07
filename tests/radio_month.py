"""A month of a node on LoRaWAN: lost frames, outages, modem resets, power cuts; and a server that
notices holes and asks for them again. Short for tests, long for the bench."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random

from agent.clock import VirtualClock
from agent.codec import decoder
from agent.keeper import EVERY_S
from agent.uplink import IDLE_S
from drivers.api import Quantity
from drivers.modems.eu868 import LIMIT
from drivers.sim.lorawan.frame import JOIN_REQUEST, JoinRequest, head_of
from tests.conftest import MONDAY
from tests.radio_rig import RadioRig

DAY, HOUR = 86_400, 3600
PATIENCE_S = 10 * HOUR  #: a hole from which nothing came for so long is asked for again
COLUMNS = ("temp", "hum", "pres", "co2", "pm25", "pm10", "lux", "noise", "batt")
FRAME = 13  # bytes around a payload
PROFILE = f"""
node = {{ name = "ghs" }}
[[instrument]]
name = "room"
driver = "tests.radio_month"
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
            if job.name == "keeper" or job.name.startswith("link-"):
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


@dataclass
class Asked:
    """A resend the server has asked for."""

    token: int
    oldest: int
    newest: int
    times: list[float]  #: when; more than one if nobody confirmed it


@dataclass
class Asker:
    """The application server: which rows never came? Asks for them, `most` times a day.

    The largest hole first, and each once: again only when nothing of it has come for long, and the
    node's hello says that it owes less than is missing there. A downlink that nobody confirms goes
    once more under its token, which the node carries out once.
    """

    rig: MonthRig
    first: int  #: unix time of the first row it expects
    interval_s: int = 60
    most: int = 10
    patience_s: float = 4 * HOUR  #: a row younger than that may be on its way
    asked: list[Asked] = field(default_factory=list)

    def look(self) -> None:
        """Ask for the largest holes, if the node is there."""
        now = self.rig.clock.true_utc()
        if now - self.rig.heard_at > 3 * HOUR:
            return
        left = self.most - sum(self.day(one) == self.day(now) for one in self.times())
        for one in self.asked:
            if one.token not in self.rig.acked and now - one.times[-1] > 6 * HOUR and left > 0:
                left -= 1
                self._ask(one, now)
        holes = [one for one in self.holes(now) if not self._pending(now, *one)]
        for hole in sorted(holes, key=lambda one: one[0] - one[1])[: max(left, 0)]:
            self.asked.append(Asked(len(self.asked) + 1, *hole, []))
            self._ask(self.asked[-1], now)

    def _ask(self, what: Asked, now: float) -> None:
        what.times.append(now)
        slots = range(what.oldest, what.newest + 1, self.interval_s)
        self.rig.asked.update(slots)
        minutes, slot = self.interval_s // 60, what.oldest // self.interval_s
        self.rig.down(4, what.token, 1, minutes, slot, len(slots))

    def times(self) -> list[float]:
        """When it has sent downlinks."""
        return [when for one in self.asked for when in one.times]

    @staticmethod
    def day(when: float) -> float:
        """Which day of the run a unix time belongs to."""
        return (when - MONDAY) // DAY

    def holes(self, now: float) -> list[tuple[int, int]]:
        """First and last missing row of each hole; two with little between them are one."""
        found: list[tuple[int, int]] = []
        for start in range(self.first, int(now - self.patience_s), self.interval_s):
            if (1, start) in self.rig.far.rows:
                continue
            if found and start - found[-1][1] <= 3 * self.interval_s:
                found[-1] = found[-1][0], start
            else:
                found.append((start, start))
        return found

    def _pending(self, now: float, oldest: int, newest: int) -> bool:
        """Asked for, and may still come."""
        tries = [one for one in self.asked if one.oldest <= newest and one.newest >= oldest]
        if not tries:
            return False
        confirmed = self.rig.acked.get(tries[-1].token)
        if confirmed is None:
            return True
        came, slots = self.rig.came, range(oldest, newest + 1, self.interval_s)
        newest_at = max(came.get((1, start), confirmed) for start in slots)
        if now - max(newest_at, confirmed) < PATIENCE_S * 2 ** (len(tries) - 1):
            return True
        missing = sum((1, start) not in came for start in slots)
        return self.rig.owes_at < confirmed or self.rig.owes >= missing


@dataclass
class Findings:
    """What came of it. Rows missing, owed or different and numbers used twice: must be none."""

    measured: int
    arrived: int
    asked: int  #: downlinks of the application server
    most_asked: int  #: on one day
    joins: int
    missing: list[tuple[int, int]]  #: rows that are old enough, never came and are not owed
    owed: int  #: rows that are still to come
    different: list[tuple[int, ...]]  #: rows that came changed
    worst_hour_s: float
    worst_day_s: float
    too_long: int  #: frames over the limit of their data rate
    nonces_twice: int
    counters_twice: int


class Month:
    """`days` with faults drawn from `seed`, then some in peace for what is owed still."""

    def __init__(
        self,
        folder: Path,
        *,
        days: int = 30,
        outages: int = 3,
        outage_days: float = 2.0,
        resets: int = 20,
        cuts: int = 5,
        loss: float = 0.1,
        peace_days: int = 5,
        interval_s: int = 60,
        seed: int = 1,
        **changes: object,
    ) -> None:
        self.rig = MonthRig(folder, interval_s, **changes)
        self.chance, self.days, self.loss = Random(seed), days, loss
        self.all_days = days + peace_days
        self.rig.network.faults.chance = Random(seed)
        self.rig.network.server.adr = True
        self.asker = Asker(self.rig, round(MONDAY), interval_s)
        room = days / max(outages, 1)
        self.outages = [
            (
                begin := (n + self.chance.uniform(0.1, 0.9)) * room - outage_days / 2,
                begin + outage_days,
            )
            for n in range(outages)
        ]
        self.plan: list[tuple[float, Callable[[], None]]] = [
            *((self._moment() * DAY, self._reset) for _ in range(resets)),
            *((self._moment() * DAY, self._cut) for _ in range(cuts)),
            *((hour * HOUR, self.asker.look) for hour in range(2, 24 * self.all_days, 2)),
        ]

    def run(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Day by day; yields the ledger's line of each."""
        plan = sorted(self.plan, key=lambda one: one[0])
        for day in range(self.all_days):
            while plan and plan[0][0] < (day + 1) * DAY:
                at, act = plan.pop(0)
                self._until(at)
                act()
            self._until((day + 1) * DAY)
            yield day, self.ledger(day)

    def _until(self, end: float) -> None:
        """Let time pass; the air is good or bad as it comes."""
        clock, faults = self.rig.clock, self.rig.network.faults
        while clock.monotonic() < end:
            now = clock.monotonic() / DAY
            away = any(begin <= now < over for begin, over in self.outages)
            lost = 1.0 if away else self.loss if now < self.days else 0.0
            faults.lose_up = faults.lose_down = lost
            self.rig.run(min(HOUR, end - clock.monotonic()))

    def _reset(self) -> None:
        self.rig.twin.reset(self.rig.clock.monotonic())

    def _cut(self) -> None:
        self.rig.lose_power(self.chance.uniform(60, 1800))

    def _moment(self) -> float:
        return self.chance.uniform(0.1, self.days)

    # -- what came of it ---------------------------------------------------------------------

    def ledger(self, day: int) -> dict[str, float]:
        """Rows, uplinks and seconds on the air of one day."""
        first = MONDAY + day * DAY
        sent = [(at, s) for at, s in self.rig.airtimes() if day * DAY <= at < (day + 1) * DAY]
        rows = self.rig.node.store.rows("air", first_start=round(first))
        log = [frame for at, _, frame in self.rig.network.air.log if day <= at / DAY < day + 1]
        return {
            "rows": sum((row.start or 0) < first + DAY for _, row in rows),
            "arrived": sum(first <= key[1] < first + DAY for key in self.rig.far.rows),
            "uplinks": len(sent),
            "joins": sum(frame[0] == JOIN_REQUEST for frame in log),
            "asked": sum(first <= one < first + DAY for one in self.asker.times()),
            "airtime_s": sum(s for _, s in sent),
            "hour_s": worst(sent, HOUR),
            "owed": self.rig.node.store.counts().owed["radio"],
        }

    def _owed(self) -> set[tuple[int, int]]:
        """Rows the node will send by itself."""
        store = self.rig.node.store
        table = store._stock.table("air")
        ranges = store._stock.links["radio"].owed[table.id]
        return {(1, row.start or 0) for _, row in store.rows("air") if row.seq in ranges}

    def findings(self, patience_s: float = 12 * HOUR) -> Findings:
        """The whole run."""
        measured, decoded = self.rig.measured(), self.rig.decoded()
        old = self.rig.clock.true_utc() - patience_s
        late = {key for key in measured if key[1] < old} - decoded.keys()
        owed = self._owed()
        sent, log = self.rig.airtimes(), self.rig.network.air.log
        nonces, counters = nonces_of(log), counters_of(log)
        return Findings(
            measured=len(measured),
            arrived=len(decoded),
            asked=len(self.asker.times()),
            most_asked=max(Counter(map(self.asker.day, self.asker.times())).values()),
            joins=len(nonces),
            missing=sorted(late - owed),
            owed=len(late & owed),
            different=[key for key, cells in decoded.items() if measured.get(key) != cells],
            worst_hour_s=worst(sent, HOUR),
            worst_day_s=worst(sent, DAY),
            too_long=sum(len(f) > FRAME + LIMIT[r.data_rate] for _, r, f in log),
            nonces_twice=len(nonces) - len(set(nonces)),
            counters_twice=sum(len(frames) > 1 for frames in counters.values()),
        )


Log = Sequence[tuple[float, object, bytes]]


def nonces_of(log: Log) -> list[int]:
    """DevNonces of all join requests."""
    return [JoinRequest.parse(frame).dev_nonce for _, _, frame in log if frame[0] == JOIN_REQUEST]


def counters_of(log: Log) -> dict[tuple[int, int], set[bytes]]:
    """Different frames by address and counter: a repetition is the same frame."""
    found = defaultdict(set)
    for _, _, frame in log:
        if frame[0] != JOIN_REQUEST:
            counter = int.from_bytes(frame[6:8], "little")
            found[head_of(frame)[1], counter].add(frame)
    return found


def worst(sent: list[tuple[float, float]], window_s: float) -> float:
    """Most seconds on the air within any such time."""
    most, first, total = 0.0, 0, 0.0
    for at, seconds in sent:
        total += seconds
        while sent[first][0] <= at - window_s:
            total -= sent[first][1]
            first += 1
        most = max(most, total)
    return most
