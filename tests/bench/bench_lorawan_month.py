"""A month on LoRaWAN in simulated time: 10 % of all frames lost, outages, resets, power cuts.

Prints the ledger day by day. A row counts as lost if it is on disk, never arrived and is owed no
more; the days after the month are in peace, so that what is owed can leave.
"""

import contextlib
import importlib
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agent.codec import decoder
from agent.model.schema import registered_schemas
from agent.transport.airtime import HOUR_S
from drivers.api import ModemError
from hw.lorawan import vectors
from tests.bench.table import Line
from tests.modem_kit import Bench
from tests.month_findings import Findings
from tests.month_rig import HOUR
from tests.radio_month import Month

MODEMS = ("rak3172", "lora_e5", "rn2483", "la66")
FIRST_ROW_S = 10.0
WAYS = {"live": "live", "backfill": "as back-fill", "resend": "after a resend"}
BUDGET_S, DUTY_S = 30.0, 0.01 * HOUR_S
SHARED_MEMORY = Path("/dev/shm")  # a month of commits would only measure the disk


def lines() -> list[Line]:
    """The month, and how long it takes from the join to the first row."""
    found = month()
    print(summary(found))
    asked = f"month: {found.measured} rows measured, {found.asked} downlinks asked for rows"
    made = [
        Line(f"{asked}, rows lost", len(found.missing), "", 0),
        Line("month: rows still owed at the end", found.owed, "", 0),
        Line("month: rows that came changed", len(found.different), "", 0),
        Line("month: most airtime in any hour", found.worst_hour_s, "s", DUTY_S),
        Line("month: most airtime in any 24 hours", found.worst_day_s, "s", BUDGET_S),
        Line("month: most downlinks asked in a day", found.most_asked, "", 10),
        Line("month: frames over the limit", found.too_long, "", 0),
        Line(f"month: {found.joins} joins, DevNonces used twice", found.nonces_twice, "", 0),
        Line("month: frame counters used twice", found.counters_twice, "", 0),
    ]
    for name in MODEMS:
        what = f"join at SF7 to the first row at the server, {name}"
        made.append(Line(what, first_row_s(name), "s", FIRST_ROW_S))
    return made


def month() -> Findings:
    """Run it."""
    logging.getLogger().addHandler(logging.NullHandler())  # what happens to it is in the ledger
    where = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        made = Month(Path(folder))
        print("  day   rows  arrived  uplinks  joins  asked  airtime s  in an hour s  owed")
        for day, line in made.run():
            print(told(day, line), flush=True)
        return made.findings(6 * HOUR)


def told(day: int, line: Mapping[str, float]) -> str:
    """One line of the ledger."""
    return (
        f"  {day + 1:3}  {line['rows']:5.0f}  {line['arrived']:7.0f}  {line['uplinks']:7.0f}"
        f"  {line['joins']:5.0f}  {line['asked']:5.0f}  {line['airtime_s']:9.1f}"
        f"  {line['hour_s']:12.1f}  {line['owed']:4.0f}"
    )


def summary(found: Findings) -> str:
    """The ledger in short."""
    ways = ", ".join(f"{found.ways[way]} {said}" for way, said in WAYS.items())
    return (
        f"  {found.uplinks} frames, {found.airtime_s:.0f} s on the air; most in 24 hours"
        f" {found.worst_day_s:.1f} s, in an hour {found.worst_hour_s:.1f} s\n"
        f"  rows arrived: {found.arrived} of {found.measured}: {ways}\n"
        f"  holes at the end: {found.holes}; rows measured and missing in them:"
        f" {len(found.missing)}, owed still: {found.owed}"
    )


def first_row_s(name: str) -> float:
    """Simulated seconds from the join request to a decoded row; the modem is set up."""
    row = vectors.uplinks()[0].frame
    module = importlib.import_module(f"drivers.modems.{name}")
    bench = Bench(module.DRIVER, module.TWIN, data_rate=5)
    bench.modem.setup()
    began = bench.timer.now
    bench.modem.join()
    while not bench.server.uplinks:
        with contextlib.suppress(ModemError):  # the channel of the join rests
            bench.modem.send(row, port=10)
        bench.timer.sleep(0.5)
    arrived = bench.server.uplinks[0]
    assert isinstance(decoder.decode(arrived.payload, registered_schemas().get), decoder.Data)
    return arrived.at - began


def main() -> None:
    """Print the table."""
    for line in lines():
        print(line.text())


if __name__ == "__main__":
    main()
