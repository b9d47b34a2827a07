"""What the codec has to answer, from agent.codec.decoder: the Python side of stadtsinn.js."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from agent import codec
from agent.codec import decoder
from agent.model.schema import Field, Missing, Schema, registered_schemas
from hw.lorawan import tables
from hw.lorawan.tables import EVENTS, HELLO, LAST_IN_STEPS, RESULTS, names_of_schemas

LAST_YEAR_S = 253_402_300_800  #: the year 10000, which ISO 8601 cannot write in four digits
SHORT_SLOTS = 65_536
WORDS = {
    Missing.NOT_AVAILABLE: None,
    Missing.BELOW: "low",
    Missing.ABOVE: "high",
    Missing.FAILED: "failed",
}


def uplink(frame: bytes, received: float) -> dict[str, Any]:
    """What decodeUplink returns for a frame that came at `received` (unix seconds)."""
    try:
        said = decoder.decode(frame, registered_schemas().get)
    except codec.CodecError:
        return {"errors": True}  # in its own words
    if isinstance(said, decoder.Data):
        return _data(said, received)
    if isinstance(said, decoder.Unknown):
        return {"data": {"kind": "unknown", "number": said.kind}, "warnings": True}
    return {"data": _message(said, received)}


def normalized(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What normalizeUplink makes of a decoded frame."""
    rules = tables.air() if data.get("schema") == tables.AIR_SCHEMA else {}
    made = []
    for row in data.get("rows", []):
        air = {}
        for name, rule in rules.items():
            value = None if row.get(name) is None else row[name] / rule["per"]
            if value is not None and rule["low"] <= value <= rule["high"]:
                air[rule["name"]] = value
        if air:
            made.append(({"time": row["time"]} if row["time"] else {}) | {"air": air})
    return made


def iso(unix: float | None) -> str | None:
    """A time as the codec writes it."""
    if unix is None or not 0 <= unix < LAST_YEAR_S:
        return None
    return decoder.iso(int(unix))


def _data(said: decoder.Data, received: float) -> dict[str, Any]:
    head = {
        "kind": "data",
        "schema": said.schema,
        "profile": names_of_schemas().get(said.schema),
        **_time(said.time, said.step_s, received),
        "interval_s": said.step_s,
    }
    schema = registered_schemas().get(said.schema)
    if schema is None:
        return {"data": head | {"omit": said.omit} | _kept(said), "warnings": True}
    rows = _rows(said, schema, received)
    newest = rows[-1] if rows else {}
    flat = {k: v for k, v in newest.items() if k not in ("time", "tick", "reason")}
    return {"data": head | flat | {"rows": rows}}


def _kept(said: decoder.Data) -> dict[str, Any]:
    if isinstance(said.body, bytes):
        return {"body": said.body.hex()}
    return {"cells": [WORDS[c] if isinstance(c, Missing) else c for c in said.body]}


def _rows(said: decoder.Data, schema: Schema, received: float) -> list[dict[str, Any]]:
    rows = decoder.json_rows(said, schema, received)
    told = []
    for back, (row, start) in enumerate(zip(rows[::-1], said.starts(received), strict=True)):
        tick = {"tick": said.time[1] - back} if isinstance(said.time, tuple) else {}
        rest = {key: value for key, value in row.items() if key != "time"}
        told.append({"time": iso(start), **tick, **rest})  # the codec's order: it is compared
    return told[::-1]


def _time(time: decoder.TimeItem, step_s: int, received: float) -> dict[str, Any]:
    told: dict[str, Any] = {"time": iso(decoder.slot_start(time, step_s, received))}
    if isinstance(time, tuple):
        return told | {"time_from": "boot", "boot": time[0], "tick": time[1]}
    if time < 0:
        return told | {"time_from": "age", "age_s": (-1 - time) * step_s}
    return told | {"time_from": "slot"}


def _message(said: decoder.Frame, received: float) -> dict[str, Any]:
    match said:
        case decoder.Event():
            return _event(said, received)
        case decoder.Slice():
            head = {"kind": "schema", "schema": said.schema, "wire": said.wire}
            fields = [_field(one) for one in said.fields]
            return head | {"total": said.total, "first": said.first, "fields": fields}
        case decoder.Ack():
            means = RESULTS[said.result]
            return {"kind": "ack", "token": said.token, "result": said.result, "means": means}
        case decoder.Hello():
            return {"kind": "hello"} | {_key(k): plain(v) for k, v in said.items.items()}
        case decoder.Raw():
            numbers = {k: getattr(said, k) for k in ("record", "chunk", "chunks", "start", "rate")}
            return {"kind": "raw", **plain(numbers), "bytes": len(said.data)}
        case decoder.Withdrawn():
            starts = said.starts()
            head = {"kind": "withdrawn", "number": said.number, "schema": said.schema}
            span = {"first": iso(starts[0]), "last": iso(starts[-1]), "count": said.count}
            return {**head, "interval_s": said.step_s, **span}
    raise TypeError(said)


def _event(said: decoder.Event, received: float) -> dict[str, Any]:
    field = _column(said.schema, said.column)
    value: Any = list(said.value) if isinstance(said.value, tuple) else said.value
    if field and isinstance(value, int) and said.code <= LAST_IN_STEPS:
        value = field.value(value)
    return {
        "kind": "event",
        "schema": said.schema,
        **_time(said.time, 1, received),
        "column": said.column,
        "field": field and field.name,
        "code": said.code,
        "event": EVENTS[said.code] if said.code < len(EVENTS) else "unknown",
        "value": value,
    }


def _column(number: int, column: int | None) -> Field | None:
    """A column of a registered table, if there is one."""
    schema = registered_schemas().get(number)
    if schema is None or column is None or column >= len(schema.fields):
        return None
    return schema.fields[column]


def _field(field: Field) -> dict[str, Any]:
    names = ("quantity", "exponent", "multiplier", "nominal", "first_order", "next_order")
    return {name: getattr(field, name) for name in names} | {"name": field.name, "unit": field.unit}


def _key(key: int) -> str:
    return HELLO[key] if key < len(HELLO) else str(key)


def plain(item: Any) -> Any:
    """JSON of what a CBOR item holds; what is no JSON number is null."""
    if isinstance(item, Mapping):
        return {key if isinstance(key, str) else _written(key): plain(v) for key, v in item.items()}
    if isinstance(item, (list, tuple)):
        return [plain(one) for one in item]
    if isinstance(item, float):
        return item if math.isfinite(item) else None
    if isinstance(item, bytes):
        return f"h'{item.hex()}'"
    return codec.items_of(codec.frame_of([item]))[0] if item is not None else None


def _written(key: Any) -> str:
    return str(key) if type(key) is int else "?"


# -- downlinks -----------------------------------------------------------------------------------


def downlink(frame: bytes) -> dict[str, Any]:
    """What decodeDownlink says of a downlink that Python made and the node would carry out."""
    said = decoder.parse_downlink(frame)
    data: dict[str, Any] = {"command": "", "token": said.token}
    match said.command, *said.args:
        case 1, schema, item, rows:
            told = {"schema": schema, "interval_s": decoder.step_of(item), "rows": rows}
            return data | {"command": "interval"} | told
        case 2, schema, column, code, raw:
            return (
                data
                | {"command": "threshold", "schema": schema}
                | _limit(schema, column, code, raw)
            )
        case 3, schema:
            return data | {"command": "schema", "schema": schema}
        case 4, schema, item, slot, count:
            step_s = decoder.step_of(item)
            start = iso(slot * step_s) if slot >= SHORT_SLOTS else None
            first = {"slot": slot} if start is None else {"from": start}
            told = {"schema": schema, "interval_s": step_s, **first, "count": count}
            return data | {"command": "resend"} | told
        case (5,):
            return data | {"command": "hello"}
        case (7,):
            return data | {"command": "restart"}
        case 8, packed:
            return data | {"command": "body", "body": ("plain", "packed")[packed]}
    raise ValueError(said)


def _limit(number: int, column: int, code: int, raw: int | None) -> dict[str, Any]:
    side = {1: "above", 2: "below"}[code]
    field = _column(number, column)
    if field is None:
        return {"column": column, f"{side}_raw": raw}
    return {"field": field.name, side: None if raw is None else field.value(raw)}
