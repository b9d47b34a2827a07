"""A driver module for profiles: an IIS2ICLX on a bus that costs nothing."""

from tests.bench.canned_fifo import Bearing

DRIVER, TWIN = Bearing, None
