"""`stadtsinn decode`: a frame or downlink explained byte by byte; or, the reverse, from JSON."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from agent import codec
from agent.cli.options import BAD, USAGE, json_option
from agent.codec import decoder, explain
from agent.model.schema import Schema, registered_schemas

LONGEST = 65_536  #: bytes of a frame that is explained unasked
TYPED = 4  #: characters of hex, spaces and JSON for a byte, at most


@click.command(
    epilog="""\b
    Examples:
      stadtsinn decode 84 01 19 86 85 01 4b 44 5b 92 28 bc 30 df 06 b0 2c 98
      stadtsinn decode --bits 840119868501 4b445b9228bc30df06b02c98
      mosquitto_sub -t 'stadtsinn/+/up' -C 1 -N | stadtsinn decode
      stadtsinn decode 85 01 18 2a 01 01 05
      stadtsinn decode --encode '[1, 34437, 1, [2145, 473, 101325, null]]'
    """
)
@click.argument("frame", nargs=-1, metavar="[HEX]...")
@click.option(
    "--schema",
    "slices",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A private schema: a file with a schema slice (binary, as retained on MQTT).",
)
@click.option("--received", type=float, help="Unix time of reception [default: now].")
@click.option("--bits", is_flag=True, help="A packed body code by code.")
@click.option("--downlink", is_flag=True, help="It is a downlink, whatever it looks like.")
@click.option("--force", is_flag=True, help="Also more than 64 kB.")
@click.option("--encode", is_flag=True, help="The reverse: JSON items in, hex out.")
@json_option
def decode(
    frame: tuple[str, ...],
    slices: tuple[Path, ...],
    received: float | None,
    bits: bool,
    downlink: bool,
    force: bool,
    encode: bool,
    as_json: bool,
) -> None:
    """Explain a frame, or a downlink, byte by byte.

    Without HEX it is read from standard input, as bytes or as hex. A downlink is recognised by
    itself. Exit code 1 if it is not valid.
    """
    if encode:
        text = " ".join(frame) or _piped(force=force).decode("utf-8", "replace")
        click.echo(_encoded(text, downlink=downlink).hex(" "))
        return
    data = _bytes(frame, force=force)
    if received is not None and not math.isfinite(received):
        _end(f"--received: expected a unix time, got {received}", USAGE)
    try:
        known = dict(registered_schemas()) | dict(map(_schema, slices))
        when = time.time() if received is None else received
        down = downlink or explain.is_downlink(data)
        if as_json:
            told = _downlink(data) if down else _told(data, known, when)
            click.echo(json.dumps(told, indent=1).replace("\x7f", "\\u007f"))
        elif down:
            _show(explain.explain_downlink(data, known.get, when))
        else:
            _show(explain.explain(data, known.get, when, bits=bits))
    except codec.CodecError as error:
        _end(f"not a valid frame: {error}", BAD)


def _show(lines: Sequence[explain.Line]) -> None:
    """Two columns: bytes or bits, meaning."""
    width = max(len(left) for left, _ in lines if len(left) <= 32)
    for left, right in lines:
        click.echo(f"{left:{width}}  {shown(right)}")


def shown(text: str) -> str:
    r"""What others wrote, without what a terminal would obey: control characters as \x1b."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _bytes(frame: tuple[str, ...], *, force: bool) -> bytes:
    """What was typed or piped; ends the command if it is no hex, or too long unforced."""
    data = _typed(frame) if frame else _piped_bytes(force=force)
    if len(data) > LONGEST and not force:
        _end(f"more than {LONGEST} bytes: no frame is that long; --force explains it", USAGE)
    return data


def _piped(*, force: bool) -> bytes:
    """Standard input, no more of it than could be needed."""
    return sys.stdin.buffer.read(-1 if force else TYPED * LONGEST)


def _piped_bytes(*, force: bool) -> bytes:
    """A frame from standard input, as bytes or as hex."""
    piped = _piped(force=force)
    if not piped:
        _end("no frame: type it as hex, or pipe it in", USAGE)
    try:
        return bytes.fromhex(piped.decode("ascii"))
    except ValueError:
        return piped


def _typed(frame: tuple[str, ...]) -> bytes:
    """A frame from the command line."""
    text = "".join(frame).replace("|", "")
    try:
        return bytes.fromhex(text)
    except ValueError:
        _end(f"not hex: expected pairs of 0-9 a-f, such as 84 01 19, got '{text[:60]}'", USAGE)


def _schema(path: Path) -> tuple[int, Schema]:
    with path.open("rb") as file:
        data = file.read(LONGEST)
    try:
        said = decoder.decode(data, lambda _: None)
    except codec.CodecError as error:
        _end(f"{path}: no schema: {error}", BAD)
    if not isinstance(said, decoder.Slice) or len(said.fields) != said.total or said.wire != 1:
        raise codec.CodecError(f"{path} is no whole schema")
    return said.schema, Schema(said.schema, said.fields)


def _told(data: bytes, known: dict[int, Schema], received: float) -> dict[str, Any]:
    said = decoder.decode(data, known.get)
    if not isinstance(said, decoder.Data):
        return {"kind": type(said).__name__.lower(), "items": codec.items_of(data)}
    if said.rows is None:
        return {"kind": "data", "schema": said.schema, "known": False}
    rows = decoder.json_rows(said, known[said.schema], received)
    return {"kind": "data", "schema": said.schema, "rows": rows}


def _downlink(data: bytes) -> dict[str, Any]:
    said = decoder.parse_downlink(data)
    return {
        "kind": "downlink",
        "command": said.command,
        "token": said.token,
        "items": codec.items_of(data),
    }


def _encoded(text: str, *, downlink: bool) -> bytes:
    """JSON items -> a frame; a string "h'00ff'" is a byte string, "undefined" a failed cell."""
    try:
        data = codec.frame_of(json.loads(text))
        if downlink or explain.is_downlink(data):
            decoder.parse_downlink(data)
        else:
            decoder.decode(data, lambda _: None)
    except json.JSONDecodeError as error:
        _end(f"not JSON: {error.msg} at character {error.pos + 1}", BAD)
    except (ValueError, TypeError, OverflowError, RecursionError, codec.CodecError) as error:
        _end(f"not a valid frame: {error}", BAD)
    return data


def _end(why: str, code: int) -> NoReturn:
    click.echo(f"stadtsinn: {shown(why)}", err=True)
    sys.exit(code)
