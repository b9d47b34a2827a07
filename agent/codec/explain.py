"""A frame or a downlink in words: each item's bytes and meaning, packed code by code if asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields as fields_of
from typing import Any

from agent.codec import cbor, decoder
from agent.codec.packed import Column, read_cell
from agent.codec.wire import SHORT_SLOTS, WIRE_OF, CodecError
from agent.model.batch import ACK, EVENT, HELLO, RAW, SLICE, WITHDRAWN
from agent.model.schema import Cell, Field, Missing, Schema

NAMES = {
    EVENT: "event",
    SLICE: "schema slice",
    ACK: "ack",
    HELLO: "hello",
    RAW: "raw chunk",
    WITHDRAWN: "withdrawn",
}
REASONS = {
    Missing.NOT_AVAILABLE: "not available",
    Missing.BELOW: "below range",
    Missing.ABOVE: "above range",
    Missing.FAILED: "failed",
}
CODES = {  # WIRE.md section 4
    0: "cleared",
    1: "above",
    2: "below",
    3: "fast change",
    4: "sensor failed",
    5: "sensor back",
    6: "restart",
    7: "opened",
    8: "data lost",
    9: "clock corrected",
    10: "vehicle or vibration",
    11: "store set aside",
    12: "stands still",
}
VIBRATION = 10
FIGURES = ("peak", "duration", "area", "class")
FAILED, DEGRADED = 4, 1
IN_SECONDS = (9, 12)
IN_STEPS = (0, 1, 2, 3)  #: events whose value is a raw value of the column
SIDES = {1: "above", 2: "below"}
FORMS = {0: "plain", 1: "packed"}
COMMANDS: Mapping[int, tuple[str, Sequence[str]]] = {  # name, arguments: WIRE.md section 4
    1: ("interval and rows per frame", ("schema", "interval", "rows")),
    2: ("alarm threshold", ("schema", "column", "side", "limit")),
    3: ("want schema", ("schema",)),
    4: ("resend rows", ("schema", "interval", "slot", "count")),
    5: ("want hello", ()),
    7: ("restart the agent", ()),
    8: ("form of the body", ("form",)),
}
Line = tuple[str, str]  #: bytes or bits, meaning


def explain(
    frame: bytes,
    schema_of: Callable[[int], Schema | None],
    received: float | None,
    *,
    bits: bool = False,
) -> list[Line]:
    """A valid frame, line by line. `received` (unix time) completes a short slot."""
    said = decoder.decode(frame, schema_of)
    items = cbor.load(frame)
    lines = [(cbor.array_head(len(items)).hex(" "), f"array of {len(items)}")]
    if isinstance(said, decoder.Data):
        return lines + _data(said, items, schema_of(said.schema), received, bits=bits)
    lines.append((_hex(items[0]), f"{items[0]}: {NAMES.get(items[0], 'unknown, a later version')}"))
    if isinstance(said, decoder.Unknown):
        return lines + [(_hex(item), repr(item)) for item in items[1:]]
    if isinstance(said, decoder.Event):
        return lines + _event(said, items, schema_of(said.schema), received)
    if isinstance(said, decoder.Raw):
        return lines + _raw(said, items)
    if isinstance(said, decoder.Withdrawn):
        return lines + _withdrawn(said, items)
    names = [one.name for one in fields_of(said)]
    if isinstance(said, decoder.Slice):
        names = [*names[:-1], *(_about(field) for field in said.fields)]
    rest = zip(items[1:], [*names, *["later item"] * len(items)], strict=False)
    return lines + [(_hex(item), _named(name, item)) for item, name in rest]


def explain_downlink(
    frame: bytes, schema_of: Callable[[int], Schema | None], received: float | None
) -> list[Line]:
    """A downlink, line by line. `received` (unix time) completes a short slot.

    Raises CodecError for what is no downlink; one that a node would refuse is told nevertheless.
    """
    said = decoder.parse_downlink(frame)
    name, wanted = COMMANDS.get(said.command, ("unknown, answered with result 1", ()))
    lines = [
        (cbor.array_head(2 + len(said.args)).hex(" "), f"array of {2 + len(said.args)}: downlink"),
        (_hex(said.command), f"command: {said.command}, {name}"),
        (_hex(said.token), f"token: {said.token}"),
    ]
    known = dict(zip(wanted, said.args, strict=False))
    words = [_argument(one, known, schema_of, received) for one in known]
    words += [f"one item too many: {item!r}" for item in said.args[len(wanted) :]]
    if said.command not in COMMANDS:
        words = [repr(item) for item in said.args]
    lines += [(_hex(item), told) for item, told in zip(said.args, words, strict=True)]
    missing = [(" ", f"missing: {one}") for one in wanted[len(said.args) :]]
    return lines + missing


def is_downlink(frame: bytes) -> bool:
    """Whether this is a downlink with all its arguments, and so no data frame.

    A data frame has an array or a byte string where downlinks that long have a number.
    """
    try:
        said = decoder.parse_downlink(frame)
    except CodecError:
        return False
    if any(isinstance(item, (list, bytes)) for item in said.args[1:2]):
        return False
    wanted = COMMANDS.get(said.command)
    return wanted is not None and len(said.args) == len(wanted[1])


def _argument(
    name: str,
    known: Mapping[str, Any],
    schema_of: Callable[[int], Schema | None],
    received: float | None,
) -> str:
    """One argument of a downlink in words, in the light of the others."""
    item, number = known[name], known.get("schema")
    if name == "limit" and item is None:
        return "limit: none, switched off"
    if type(item) is not int:
        return f"{name}: {item!r} is no number: refused with result 2"
    schema = schema_of(number) if type(number) is int else None
    if name == "schema":
        return f"schema: {item}" + ("" if schema else ", not known here")
    if name == "column" or name == "limit":
        return _of_column(name, item, known.get("column"), schema)
    if name == "interval" or name == "slot":
        return _of_time(name, item, known["interval"], received)
    choices = {"side": SIDES, "form": FORMS}.get(name)
    return f"{name}: {item}" + (
        f", {choices.get(item, 'refused with result 2')}" if choices else ""
    )


def _of_column(name: str, item: int, column: object, schema: Schema | None) -> str:
    """The column of a threshold, or its limit in the column's unit."""
    field = None
    if schema and type(column) is int and 0 <= column < len(schema.fields):
        field = schema.fields[column]
    if name == "column":
        return f"column: {item}" + (f", {field.name}" if field else "")
    return f"limit: {item}" + (f" = {item * field.step:.6g} {field.unit}" if field else " steps")


def _of_time(name: str, item: int, interval: object, received: float | None) -> str:
    """An interval, or a slot counted in it."""
    try:
        step_s = decoder.step_of(interval)
    except CodecError:
        return f"{name}: {item}" + (", refused with result 2" if name == "interval" else "")
    if name == "interval":
        return f"interval: {_span(step_s)}"
    return f"oldest row: {_when(item, step_s, received)}" if item >= 0 else f"slot: {item}, refused"


def _data(
    said: decoder.Data,
    items: list[Any],
    schema: Schema | None,
    received: float | None,
    *,
    bits: bool,
) -> list[Line]:
    lines = [
        (_hex(items[0]), f"schema {said.schema}" + ("" if schema else ", not known here")),
        (_hex(items[1]), f"time: {_when(said.time, said.step_s, received)}"),
        (_hex(items[2]), f"interval {_span(said.step_s)}"),
    ]
    fields = [schema.fields[column] for column in said.columns] if schema else []
    lines += (
        _packed(said, fields, bits=bits) if isinstance(said.body, bytes) else (_plain(said, fields))
    )
    if len(items) > 4:
        left_out = [k for k in range(items[4].bit_length()) if items[4] >> k & 1]
        names = [schema.fields[k].name for k in left_out] if schema else map(str, left_out)
        lines.append((_hex(items[4]), f"not in the body: {', '.join(names) or 'nothing'}"))
    return lines + [(_hex(item), "later item, ignored (padding)") for item in items[5:]]


def _event(
    said: decoder.Event, items: list[Any], schema: Schema | None, received: float | None
) -> list[Line]:
    known = schema is not None and said.column is not None and said.column < len(schema.fields)
    field = schema.fields[said.column or 0] if schema is not None and known else None
    column = "none" if said.column is None else str(said.column)
    column += f", {field.name}" if field else ""
    words = [
        f"schema: {said.schema}" + ("" if schema else ", not known here"),
        f"time: {_when(said.time, 1, received)}",
        f"column: {column}",
        f"code: {said.code}, {CODES.get(said.code, 'a later one')}",
        f"value: {_told(said, field)}",
    ]
    return [(_hex(item), told) for item, told in zip(items[1:], words, strict=False)]


def _told(said: decoder.Event, field: Field | None) -> str:
    """An event's value in words."""
    step, unit = (field.step, field.unit) if field else (1, "steps")
    if isinstance(said.value, tuple) and said.code == VIBRATION and len(said.value) <= len(FIGURES):
        return _figures(said.value, step, unit)
    if isinstance(said.value, int) and said.code in IN_STEPS and field:
        return f"{said.value} = {said.value * step:.6g} {unit}"
    if said.code == FAILED and said.value == DEGRADED:
        return "1 = degraded: it answers, nothing believable"
    if said.code in IN_SECONDS:
        return f"{said.value} s"
    return str(list(said.value) if isinstance(said.value, tuple) else said.value)


def _figures(value: Sequence[int], step: float, unit: str) -> str:
    """Of vehicle or vibration, as agent/events/trigger.py makes it; the last may be missing."""
    scales = ((step, unit), (0.01, "s"), (step, f"{unit} s"), (1, ""))
    told = [
        f"{name} {raw * scale:.6g} {unit}".rstrip()
        for name, raw, (scale, unit) in zip(FIGURES, value, scales, strict=False)
    ]
    left_out = " and ".join(FIGURES[len(value) :])
    return ", ".join([*told, *([f"no room for {left_out}"] if left_out else [])])


def _raw(said: decoder.Raw, items: list[Any]) -> list[Line]:
    begin = decoder.iso(said.start) if said.start else "not known"
    words = [
        f"record: {said.record}",
        f"chunk: {said.chunk}, from 0",
        f"chunks: {said.chunks} in all",
        f"start: {begin}",
        f"rate: {said.rate} samples per second",
        f"samples: {len(said.data) // 4} numbers, float32" + ("" if said.chunk else ", head first"),
    ]
    return [(_hex(item), told) for item, told in zip(items[1:], words, strict=True)]


def _withdrawn(said: decoder.Withdrawn, items: list[Any]) -> list[Line]:
    starts = said.starts()
    words = [
        f"number: {said.number}",
        f"schema: {said.schema}",
        f"interval {_span(said.step_s)}",
        f"slot {said.slot}, {decoder.iso(starts[0])}",
        f"count: {said.count}, to {decoder.iso(starts[-1])}: sent under a wrong time",
    ]
    return [(_hex(item), told) for item, told in zip(items[1:], words, strict=True)]


def _when(time: decoder.TimeItem, step_s: int, received: float | None) -> str:
    if isinstance(time, tuple):
        return f"boot {time[0]}, tick {time[1]}, undated"
    if time < 0:
        return f"{-1 - time} slots before it was sent, clock not trusted"
    start = decoder.slot_start(time, step_s, received)
    short = " (mod 65536)" if time < SHORT_SLOTS else ""
    return f"slot {time}{short}" + (f", {decoder.iso(start)}" if start is not None else "")


def _span(seconds: int) -> str:
    count, unit = (seconds // 60, "minute") if seconds % 60 == 0 else (seconds, "second")
    return f"{count} {unit}" + ("s" if count > 1 else "")


def _plain(said: decoder.Data, fields: Sequence[Field]) -> list[Line]:
    assert isinstance(said.body, tuple)
    items = [WIRE_OF[cell] if isinstance(cell, Missing) else cell for cell in said.body]
    lines = [(cbor.array_head(len(items)).hex(" "), f"array of {len(items)} cells")]
    if not fields:
        return lines + [("  " + _hex(item), str(item)) for item in items]
    rows = said.rows or ()
    cells = [(field, cell) for row in rows for field, cell in zip(fields, row, strict=True)]
    for at, (item, (field, cell)) in enumerate(zip(items, cells, strict=True)):
        step = f"{item:+d} -> " if type(item) is int and item != cell else ""
        row = f"row {at // len(fields) + 1} " if len(rows) > 1 else ""
        lines.append(("  " + _hex(item), f"{row}{field.name}: {step}{_value(field, cell)}"))
    return lines


def _packed(said: decoder.Data, fields: Sequence[Field], *, bits: bool) -> list[Line]:
    body = said.body
    assert isinstance(body, bytes)
    head = cbor.dump(body)[: -len(body)]
    lines = [(head.hex(" "), f"byte string of {len(body)}"), ("  " + body.hex(" "), "packed cells")]
    if bits and fields:
        return lines[:1] + _codes(body, fields, len(said.rows or ()))
    for at, row in enumerate(said.rows or ()):
        told = ", ".join(f"{f.name} {_value(f, c)}" for f, c in zip(fields, row, strict=True))
        lines.append((f"  row {at + 1}", told))
    return lines


def _codes(body: bytes, fields: Sequence[Field], rows: int) -> list[Line]:
    """One line per code, as a person would read it."""
    text = f"{int.from_bytes(body, 'big'):0{len(body) * 8}b}"
    columns = [Column(field) for field in fields]
    lines, at = [], 0
    for _ in range(rows):
        for field, column in zip(fields, columns, strict=True):
            order, base, first = column.order, column.base(), column.last is None
            found = read_cell(text, at, column)
            assert found is not None
            cell, end = found
            how = "escape" if isinstance(cell, Missing) else f"order {order}: {cell - base:+d}"
            on = f" on {base}" if first and not isinstance(cell, Missing) else ""
            lines.append(("  " + text[at:end], f"{field.name}: {how}{on} = {_value(field, cell)}"))
            at = end
    return [*lines, ("  " + text[at:], "padding, or cut off")] if at < len(text) else lines


def _value(field: Field, cell: Cell) -> str:
    return REASONS[cell] if isinstance(cell, Missing) else f"{field.value(cell):.10g} {field.unit}"


def _about(field: Field) -> str:
    step = f"step {field.step:.10g} {field.unit}"
    return f"column {field.name or '(no name)'}, quantity {field.quantity}, {step}"


def _named(name: str, item: Any) -> str:
    return name if name.startswith("column ") or isinstance(item, cbor.Tag) else f"{name}: {item}"


def _hex(item: Any) -> str:
    return cbor.dump(item).hex(" ")
