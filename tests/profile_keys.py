"""The keys of a profile as tables, from the structs of agent/config/sections.py.

A key's meaning is the `#:` comment on its line, or above it; a section's is its docstring.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from agent.config import sections
from agent.config.errors import HINTS, TYPES
from agent.config.sections import TAGGED, Config

HEAD = ("| key | what it takes | default | range | unit | meaning |", "| --- " * 6 + "|")
UNITS = {
    **{one: one for one in ("s", "mm", "m", "days", "bytes", "deg", "t")},
    **{"mb": "MB", "hz": "Hz", "cel": "°C", "gpa": "GPa", "percent": "%"},
}  #: last part of a key's name -> unit
OTHERS = "options"  #: of an instrument: keys that go to its driver
PLURAL = {"a number": "numbers", "a whole number": "whole numbers", TYPES["object"]: "{ }"}
SAFE_BAR = "\\|"  #: inside of a table
SIGNS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}


def tables() -> str:
    """Every section with its keys, in the order of `Config`."""
    return "\n".join(line for part in sections_of(Config) for line in [*part, ""])


def sections_of(kind: type[Struct], path: str = "") -> Iterator[list[str]]:
    """The sections inside of one, each followed by those inside of it."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        structs = list(dict.fromkeys(structs_in(hint)))
        where = f"{path}.{name}" if path else name
        where += ".…" if get_origin(bare(hint)) is dict else ""
        several = get_origin(bare(hint)) is tuple or get_origin(bare(hint)) in (Union, UnionType)
        several = several and "array" in kinds(hint)
        yield from part(name, where, structs, several)


def part(name: str, where: str, structs: Sequence[type], several: bool) -> Iterator[list[str]]:
    """One section: what all of its kinds have, then each kind."""
    title = f"[[{where}]]" if several else f"[{where}]"
    if name in TAGGED and len(structs) > 1:
        tag, common, by_kind = TAGGED[name]
        says = f"`{tag}` says which: {', '.join(f'`{one}`' for one in by_kind)}."
        yield section(f"`{title}`", common, says)
        for value, one in by_kind.items():
            yield section(f'`{title}` with `{tag} = "{value}"`', one)
            yield from sections_of(one, where)
        return
    for one in structs:
        yield section(f"`{title}`", one)
        yield from sections_of(one, where)


def section(title: str, kind: type, says: str = "") -> list[str]:
    """Headline, docstring, table of its own keys."""
    told = " ".join((inspect.getdoc(kind) or "").split())
    return [f"### {title}", "", f"{told} {says}".strip(), "", *HEAD, *rows(kind)]


def rows(kind: type) -> Iterator[str]:
    """A row for each key that the struct itself has; none for those it shares with others."""
    meanings, hints = comments(kind), get_type_hints(kind, include_extras=True)
    for one in msgspec.structs.fields(kind):
        if one.name not in kind.__annotations__:
            continue
        hint = hints[one.name]
        cells = (
            f"`{one.encode_name}`" if one.name != OTHERS else "every other",
            takes(hint),
            default(one),
            range_of(hint),
            unit(one.encode_name),
            meanings.get(one.name, ""),
        )
        yield row(cells)


def row(cells: Sequence[str]) -> str:
    """Of a table, with no sign in it that means something to a forge."""
    safe = (re.sub(r"<(?=[a-z])", "&lt;", cell.replace("|", SAFE_BAR)) for cell in cells)
    return f"| {' | '.join(safe)} |"


# -- meanings --------------------------------------------------------------------------------------


def comments(kind: type) -> Mapping[str, str]:
    """Field -> what its `#:` comments say, of those on its lines and right above it."""
    source = inspect.getsource(sections)
    said = {
        token.start[0]: (token.string[2:].strip(), not token.line[: token.start[1]].strip())
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and token.string.startswith("#:")
    }
    found = {}
    for field in fields_of(kind, source):
        first, last = field.lineno, field.end_lineno or field.lineno
        while said.get(first - 1, ("", False))[1]:
            first -= 1
        assert isinstance(field.target, ast.Name)
        inside = (said[number][0] for number in range(first, last + 1) if number in said)
        found[field.target.id] = " ".join(inside)
    return found


def fields_of(kind: type, source: str) -> list[ast.AnnAssign]:
    """The statements that declare a struct's fields."""
    classes = (one for one in ast.parse(source).body if isinstance(one, ast.ClassDef))
    body = next((one.body for one in classes if one.name == kind.__name__), [])
    return [one for one in body if isinstance(one, ast.AnnAssign)]


# -- types -----------------------------------------------------------------------------------------


def bare(hint: Any) -> Any:
    """Without what is annotated."""
    return bare(get_args(hint)[0]) if get_origin(hint) is Annotated else hint


def metas(hint: Any) -> list[Meta]:
    """What is annotated, of a type or of its part that is not None."""
    if get_origin(hint) is Annotated:
        return [one for one in get_args(hint)[1:] if isinstance(one, Meta)]
    if get_origin(hint) in (Union, UnionType):
        return [meta for one in get_args(hint) for meta in metas(one)]
    return []


def structs_in(hint: Any) -> Iterator[type[Struct]]:
    """Structs in a type, wherever they stand."""
    hint = bare(hint)
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
    for one in get_args(hint) if get_origin(hint) is not Literal else ():
        yield from structs_in(one)


def kinds(hint: Any) -> list[str]:
    """What TOML calls a type's parts, in the words of `TYPES`."""
    hint = bare(hint)
    if get_origin(hint) in (Union, UnionType):
        return [kind for one in get_args(hint) for kind in kinds(one)]
    if get_origin(hint) is tuple:
        return ["array"]
    if hint is type(None):
        return ["null"]
    plain = getattr(hint, "__name__", "")
    return [plain] if plain in TYPES else ["object"]


def takes(hint: Any) -> str:
    """A type in words: "a number", "one of …", "a list of numbers in [ ]"."""
    hint, pattern = bare(hint), next((one.pattern for one in metas(hint) if one.pattern), "")
    if pattern:
        return in_words(pattern)
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        one_by_one = (takes(one) for one in inside if one is not type(None))
        return " or ".join(dict.fromkeys(one_by_one))
    if origin is Literal:
        return "one of " + ", ".join(f"`{toml(one)}`" for one in inside)
    if origin is tuple:
        return listed(inside)
    if origin in (dict, Mapping):
        return f"{{ name = {takes(inside[1]).replace(TYPES['object'], '{ }')}, … }}"
    return TYPES["object"] if list(structs_in(hint)) else TYPES.get(hint.__name__, "any value")


def listed(inside: Sequence[Any]) -> str:
    """A list: of as many as one likes, or of so many."""
    many, words = inside[-1] is ..., takes(inside[0])
    several = f"[ ] of {PLURAL.get(words, words)}"
    return several if many else f"[{', '.join(takes(one) for one in inside)}]"


def in_words(pattern: str) -> str:
    """What a pattern means, as error messages say it."""
    shown = repr(pattern)  # as in msgspec's message
    return next((words for part, words in HINTS.items() if part in shown), TYPES["str"])


def range_of(hint: Any) -> str:
    """Limits of a number; of a list, of what is in it."""
    inside = get_args(bare(hint)) if get_origin(bare(hint)) in (tuple, dict, Mapping) else ()
    found = metas(hint) or [meta for one in inside[-1:] for meta in metas(one)]
    words = [
        sign.format(f"{limit:g}" if abs(limit) < 1e6 else limit)
        for meta in found
        for name, sign in SIGNS.items()
        if (limit := getattr(meta, name)) is not None
    ]
    return ", ".join(words)


def unit(key: str) -> str:
    """As the key's name says it: airtime_s_per_day -> s a day."""
    name, _, period = key.partition("_per_")
    last = name.rpartition("_")[2]
    found = UNITS.get(last, "") if "_" in name or period else ""
    return f"{found} per {period}" if found and period else found


def default(one: msgspec.structs.FieldInfo) -> str:
    """As it would be written in a profile; `needed` where there is none."""
    if one.required:
        return "needed"
    value = one.default if one.default is not msgspec.NODEFAULT else one.default_factory()
    if isinstance(value, Struct) or value is None:
        return "none"
    return f"`{toml(value)}`"


def toml(value: object) -> str:
    """A value as a profile has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}" if value >= 1 else f"{value:g}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml(one) for one in value)}]"
    return "{}" if value == {} else re.sub(r"^'(.*)'$", r'"\1"', repr(value))
