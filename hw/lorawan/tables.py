"""The codec's tables, from the schemas that the agent itself reads."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Mapping
from typing import Any

from agent.model.schema import Field, quantity_kinds, registered_schemas
from agent.resources import resource

EVENTS = (
    *("cleared", "above", "below", "fast change", "sensor failed", "sensor back", "restart"),
    *("opened", "data lost", "clock corrected", "vibration", "store set aside"),
    "stands still",
)  #: by code, WIRE.md section 4
LAST_IN_STEPS = 3  #: events up to this code carry a value of their column
RESULTS = ("done", "unknown command", "bad argument", "not now")  #: of a downlink
HELLO = ("firmware", "boots", "schemas", "waiting")  #: by key
RESERVED = {
    *("kind", "schema", "profile", "time", "time_from", "age_s", "boot", "tick", "interval_s"),
    *("rows", "reason"),
}  #: what stands beside the values of the newest row

AIR_SCHEMA = 1  #: the class room: the only table whose columns surely are about its air
# kind -> name in The Things Stack's normalized payload, divided by, least and highest allowed there
# (lorawan-devices lib/payload.json)
AIR = {
    "temperature": ("temperature", 1, -273.15, 1000),
    "humidity": ("relativeHumidity", 1, 0, 100),
    "pressure": ("pressure", 100, 900, 1100),  # hPa
    "co2": ("co2", 1, 0, 1_000_000),
    "illuminance": ("lightIntensity", 1, 0, 1_000_000),
}


@functools.cache
def names_of_schemas() -> Mapping[int, str]:
    """Name of each registered table by its number."""
    tables = [tomllib.loads(path.read_text("utf-8")) for path in resource("schemas").glob("*.toml")]
    return {table["number"]: table["name"] for table in tables if type(table.get("name")) is str}


def script() -> str:
    """The JavaScript of all tables."""
    schemas = {
        number: {"name": names_of_schemas()[number], "columns": list(map(_column, schema.fields))}
        for number, schema in sorted(registered_schemas().items())
    }
    units = {kind.number: kind.unit for kind in quantity_kinds().values()}
    tables: dict[str, Any] = {
        "SCHEMAS": schemas,
        "UNITS": units,
        "AIR": {AIR_SCHEMA: air()},
        "EVENTS": list(EVENTS),
        "LAST_IN_STEPS": LAST_IN_STEPS,
        "RESULTS": list(RESULTS),
        "HELLO": list(HELLO),
    }
    return "".join(f"var {name} = {_literal(table)};\n" for name, table in tables.items())


def units_page() -> str:
    """Every column with its unit and step, as a table for README.md."""
    lines = ["| schema | field | unit | step |", "| --- | --- | --- | --- |"]
    for number, schema in sorted(registered_schemas().items()):
        for field in schema.fields:
            about = f"{number} {names_of_schemas()[number]}"
            lines.append(f"| {about} | `{field.name}` | {field.unit} | {field.step:g} |")
    return "\n".join(lines) + "\n"


def air() -> dict[str, Any]:
    """What of the class room's columns goes where in the normalized payload."""
    kinds = {kind.number: name for name, kind in quantity_kinds().items()}
    rules = {}
    for field in registered_schemas()[AIR_SCHEMA].fields:
        rule = AIR.get(kinds[field.quantity])
        if rule:
            rules[field.name] = dict(zip(("name", "per", "low", "high"), rule, strict=True))
    return rules


def _column(field: Field) -> dict[str, Any]:
    if field.name in RESERVED:
        raise ValueError(f"a column '{field.name}' would hide what the codec says itself")
    return {
        "name": field.name,
        "unit": field.unit,
        "exponent": field.exponent,
        "multiplier": field.multiplier,
        "nominal": field.nominal,
        "first": field.first_order,
        "next": field.next_order,
    }


def _literal(item: Any, indent: str = "") -> str:
    """A JavaScript literal; an object of plain values stands on one line."""
    if not isinstance(item, (dict, list)):
        return json.dumps(item)
    deeper = indent + "  "
    if isinstance(item, list):
        return "[\n" + "".join(f"{deeper}{_literal(one, deeper)},\n" for one in item) + f"{indent}]"
    pairs = [f"{key}: {_literal(value, deeper)}" for key, value in item.items()]
    if not any(isinstance(value, (dict, list)) for value in item.values()) and len(pairs) < 9:
        return "{ " + ", ".join(pairs) + " }"
    return "{\n" + "".join(f"{deeper}{pair},\n" for pair in pairs) + f"{indent}}}"
