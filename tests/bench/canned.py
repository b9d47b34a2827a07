"""A sensor without a bus: what remains is the agent's own cost."""

from collections.abc import Mapping

from drivers.api import Quantity


class Canned:
    """Nine values of a class room that move a little at every read."""

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

    def __init__(self) -> None:
        self.reads = 0

    def setup(self) -> None:
        """Nothing to set up."""

    def read(self) -> Mapping[str, float | None]:
        """The next row."""
        self.reads += 1
        k = abs(self.reads % 12 - 6)  # up and down, as air moves
        return {
            "temp": 21.45 - 0.03 * k,
            "hum": 47.3 + 0.1 * k,
            "pres": 101_325.0 + 2 * k,
            "co2": 812.0 - 9 * k,
            "pm25": 6.3 + 0.1 * k,
            "pm10": 10.4 + 0.3 * k,
            "lux": 420.0 + k,
            "noise": 51.2 + 1.8 * k,
            "batt": 4.02,
        }


DRIVER, TWIN = Canned, None
