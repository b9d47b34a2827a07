"""Payload limits of EU868. LoRa Alliance RP002-1.0.4, tables 7 and 8."""

from __future__ import annotations

LIMIT = (51, 51, 51, 115, 242, 242, 242)  #: bytes by data rate
LIMIT_REPEATER = (51, 51, 51, 115, 222, 222, 222)  #: with room for a repeater's header
MAC_ANSWERS = 15  #: most bytes the modem's own answers can take off
