"""The shipped bridge profile tells a frequency that drops, and is silent while the bridge is well.

Every twelfth window of two months here; `python -m tests.bench features` looks at each of them.
"""

from __future__ import annotations

from agent.model.alarm import ABOVE
from tests.tones_month import A_DAY, JUNE, Tones


def test_a_healthy_month_tells_nothing_and_one_per_cent_less_is_told_within_a_day() -> None:
    tones = Tones(1, JUNE)
    assert tones.run(28, every=12) == []
    assert tones.run(30, every=12) == []
    assert tones.judged > 0.9 * 30 * A_DAY / 12
    told = tones.run(0.25, drops={1: 0.01, 4: 0.01})
    assert sorted((one.column, one.code) for one in told) == [
        ("f1_moved", ABOVE),
        ("f4_moved", ABOVE),
    ]
