"""A bad day on the air and the day after; `make bench` runs the month."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.month_rig import HOUR
from tests.radio_month import Month

MODEMS = ("rak3172", "lora_e5", "rn2483", "la66")


@pytest.mark.no_cover
@pytest.mark.parametrize("modem", MODEMS)
def test_bad_days_lose_no_row_and_break_no_rule(tmp_path: Path, modem: str) -> None:
    month = Month(
        tmp_path,
        days=1,
        peace_days=1,
        outages=1,
        outage_days=0.2,
        resets=2,
        cuts=2,
        interval_s=600,
        modem=modem,
    )
    days = [line for _, line in month.run()]
    found = month.findings(6 * HOUR)
    assert found.measured > 270
    assert (found.missing, found.owed, found.different) == ([], 0, [])
    assert found.worst_hour_s < 36
    assert found.worst_day_s < 30
    assert (found.too_long, found.nonces_twice, found.counters_twice) == (0, 0, 0)
    assert 0 < found.asked <= 10 * len(days)
    assert sum(found.ways.values()) == found.arrived
    assert found.ways["resend"] > 0
    assert (month.rig.far.refused, month.rig.far.conflicts) == ([], [])
