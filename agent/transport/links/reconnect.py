"""How soon a broker that is away is asked again."""

from __future__ import annotations

import random
from collections.abc import Callable

PATIENT_S = 60.0  #: reconnect every second for so long, then doubling to 30 s
SLOWEST_S = 28  #: so that the first frame is there within 30 s of the broker's return


def pause_s(down_s: float, draw: Callable[[int, int], int] = random.randint) -> int:
    """Seconds to the next try where the broker has been away for `down_s`.

    1 for the first minute, then as long again as that minute has been over, jittered downwards by
    up to a third: a city's nodes do not come back in step. `draw`: a whole number between two.
    """
    beyond_s = down_s - PATIENT_S
    if beyond_s < 0:
        return 1
    longest_s = min(max(int(beyond_s), 2), SLOWEST_S)
    return draw(-(-longest_s * 2 // 3), longest_s)
