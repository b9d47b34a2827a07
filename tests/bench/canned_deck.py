"""A driver module for profiles: an ADXL355 on a bus that costs nothing."""

from tests.bench.canned_fifo import Deck

DRIVER, TWIN = Deck, None
