"""A month of a node on LoRaWAN: lost frames, outages, modem resets, power cuts.

Short for tests, long for the bench.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from drivers.modems.eu868 import LIMIT
from drivers.sim.lorawan.frame import JOIN_REQUEST
from tests.conftest import MONDAY
from tests.month_findings import Findings, counters_of, nonces_of, worst
from tests.month_rig import HOUR, MonthRig
from tests.month_server import DAY, Asker
from tests.sure import sure

FRAME = 13  # bytes around a payload


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
        peace_days: int = 7,
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
        table = sure(store._state.contents.table("air"))
        ranges = store._state.outboxes["radio"].pending[table.id]
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
            ways=self.rig.ways,
            uplinks=len(sent),
            airtime_s=sum(s for _, s in sent),
            holes=len(self.asker.holes(self.rig.clock.true_utc())),
        )
