"""How soon a broker is asked again: counted from the last acknowledged publish."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

IMPATIENT_S = 1.0  #: between two tries to reach it, in the first minute
FIRST_S = 1.0  #: longest first pause of those that double
MOST_DOUBLINGS = 20  #: an hour of seconds is reached by then


@dataclass
class BackOff:
    """Pauses between connections to one broker, in seconds.

    One that cannot be reached is asked every second while `patient_s` have not passed since a
    connection ended that had carried something. All else doubles from a second to `longest_s`, with
    full jitter: a city's nodes do not come back in step. To be connected resets nothing.
    """

    patient_s: float
    longest_s: float
    began: float  #: monotonic seconds
    draw: Callable[[float, float], float] = random.uniform  #: a number between two
    tries: int = 0  #: pauses drawn since something was carried

    def carried(self, now: float) -> None:
        """A connection ended that had carried an acknowledged publish: all begins anew."""
        self.began, self.tries = now, 0

    def pause_s(self, now: float, *, reached: bool) -> float:
        """Seconds to the next try; `reached`: somebody answered, if only by hanging up."""
        if not reached and now - self.began < self.patient_s:
            return IMPATIENT_S
        longest_s = min(FIRST_S * 2.0 ** min(self.tries, MOST_DOUBLINGS), self.longest_s)
        self.tries += 1
        return self.draw(0.0, longest_s)
