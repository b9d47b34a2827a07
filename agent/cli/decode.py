"""`stadtsinn decode`: a frame explained byte by byte; or, the other way, made from JSON."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import click

from agent import codec
from agent.cli.options import BAD, USAGE, json_option
from agent.codec import decoder, explain
from agent.model.schema import Schema, registered_schemas


@click.command(
    epilog="""\b
    Examples:
      stadtsinn decode 84 01 19 86 85 01 4b 44 5b 92 28 bc 30 df 06 b0 2c 98
      stadtsinn decode --bits 840119868501 4b445b9228bc30df06b02c98
      mosquitto_sub -t 'stadtsinn/+/up' -C 1 -N | stadtsinn decode
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
@click.option("--encode", is_flag=True, help="The reverse: JSON items in, hex out.")
@json_option
def decode(
    frame: tuple[str, ...],
    slices: tuple[Path, ...],
    received: float | None,
    bits: bool,
    encode: bool,
    as_json: bool,
) -> None:
    """Explain a frame byte by byte.

    Without HEX the frame is read from standard input, as bytes or as hex. Exit code 1 if it is
    not a valid frame.
    """
    if encode:
        click.echo(_encoded(" ".join(frame) or sys.stdin.read()).hex(" "))
        return
    data = _bytes(frame)
    if received is not None and not math.isfinite(received):
        _end(f"--received: expected a unix time, got {received}", USAGE)
    try:
        known = dict(registered_schemas()) | dict(map(_schema, slices))
        when = time.time() if received is None else received
        if as_json:
            click.echo(json.dumps(_told(data, known, when), indent=1))
            return
        lines = explain.explain(data, known.get, when, bits=bits)
    except codec.CodecError as error:
        _end(f"not a valid frame: {error}", BAD)
    width = max(len(left) for left, _ in lines if len(left) <= 32)
    for left, right in lines:
        click.echo(f"{left:{width}}  {right}")


def _bytes(frame: tuple[str, ...]) -> bytes:
    """What was typed or piped; ends the command if it is no hex."""
    if not frame:
        piped = sys.stdin.buffer.read()
        if not piped:
            _end("no frame: type it as hex, or pipe it in", USAGE)
        try:
            return bytes.fromhex(piped.decode("ascii"))
        except ValueError:
            return piped
    text = "".join(frame).replace("|", "")
    try:
        return bytes.fromhex(text)
    except ValueError:
        _end(f"not hex: expected pairs of 0-9 a-f, such as 84 01 19, got '{text[:60]}'", USAGE)


def _schema(path: Path) -> tuple[int, Schema]:
    try:
        said = decoder.decode(path.read_bytes(), lambda _: None)
    except codec.CodecError as error:
        _end(f"{path}: no schema: {error}", BAD)
    if not isinstance(said, decoder.Slice) or len(said.fields) != said.total:
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


def _encoded(text: str) -> bytes:
    """JSON items -> a frame; a string "h'00ff'" is a byte string, "undefined" a failed cell."""
    try:
        data = codec.frame_of(json.loads(text))
        decoder.decode(data, lambda _: None)
    except json.JSONDecodeError as error:
        _end(f"not JSON: {error.msg} at character {error.pos + 1}", BAD)
    except (ValueError, TypeError, OverflowError, RecursionError, codec.CodecError) as error:
        _end(f"not a valid frame: {error}", BAD)
    return data


def _end(why: str, code: int) -> NoReturn:
    click.echo(f"stadtsinn: {why}", err=True)
    sys.exit(code)
