"""Units as people write them; inside and on the wire they are UCUM's."""

from __future__ import annotations

WRITTEN = {
    "Cel": "°C",
    "[ppm]": "ppm",
    "ug/m3": "µg/m³",
    "1": "",
    "deg": "°",
    "um/m": "µm/m",
    "m/s2": "m/s²",
}  #: UCUM -> as people write it, where that differs


def written(unit: str) -> str:
    """A UCUM unit for people: "Cel" is "°C", a plain number's "1" is nothing."""
    return WRITTEN.get(unit, unit)
