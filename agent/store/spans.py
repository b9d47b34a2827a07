"""Which clock dated which rows of a table: ranges of sequence numbers, pure arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agent.clock import Reckoning
from agent.store.database import Statement

PUT = """INSERT OR REPLACE INTO dated (tbl, first, boot, source, offset_ms)
    VALUES (?, ?, ?, ?, ?)"""
DELETE = "DELETE FROM dated WHERE tbl = ? AND first = ?"
ALIKE_MS = 1000  #: offsets closer than this are one


class Span(NamedTuple):
    """Rows from `first` on, up to the next span, belong to `boot` and were dated `by` this."""

    first: int
    boot: int
    by: Reckoning | None  #: None: by nobody, or nobody knows

    def covers(self, boot: int, by: Reckoning | None) -> bool:
        """Whether a row dated by this may stand in the span."""
        if by is None or self.by is None or boot != self.boot:
            return boot == self.boot and by is self.by
        near = abs(by.offset_ms - self.by.offset_ms) <= ALIKE_MS
        return near and by.source == self.by.source


class Spans:
    """The spans of one table, ascending. Before the first nobody knows."""

    def __init__(self, table: int, spans: Iterable[Span] = ()) -> None:
        self.table = table
        self._spans = list(spans)
        self.touched: set[int] = set()  #: first numbers of spans that came, went or changed

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def at(self, seq: int) -> Span | None:
        """The span of a row."""
        place = bisect_right(self._spans, seq, key=lambda one: one.first)
        return self._spans[place - 1] if place else None

    def last_of(self, boot: int) -> Reckoning | None:
        """Who dated the newest rows; the clock may have given way to another at this moment."""
        last = self._spans[-1] if self._spans else None
        return last.by if last and last.boot == boot else None

    def append(self, seq: int, boot: int, by: Reckoning | None) -> bool:
        """The newest row was dated by this. Whether that begins a span."""
        last = self._spans[-1] if self._spans else None
        if last.covers(boot, by) if last else by is None:
            return False
        self._set([*self._spans, Span(seq, boot, by)])
        return True

    def assign(self, first: int, last: int, boot: int, by: Reckoning) -> None:
        """The rows first..last are dated by this from now on."""
        after = self.at(last)
        made = [one for one in self._spans if one.first < first or one.first > last]
        made.append(Span(first, boot, by))
        if after is not None and all(one.first != last + 1 for one in made):
            made.append(after._replace(first=last + 1))
        self._set(sorted(made, key=lambda one: one.first))

    def pieces(self, newest: int) -> Iterator[tuple[int, int, Span]]:
        """First and last row of each span that has any up to `newest`."""
        ends = [one.first - 1 for one in self._spans[1:]] + [newest]
        for one, end in zip(self._spans, ends, strict=False):
            if one.first <= min(end, newest):
                yield one.first, min(end, newest), one

    def forget_before(self, seq: int) -> None:
        """Rows before this one are no more."""
        place = bisect_right(self._spans, seq, key=lambda one: one.first)
        self._set(self._spans[max(place - 1, 0) :])

    def replace(self, old: Span, by: Reckoning) -> None:
        """Another clock stands by what dated these rows."""
        self._set([one._replace(by=by) if one == old else one for one in self._spans])

    def restore(self, spans: Iterable[Span]) -> None:
        """Take back what the disk refused."""
        self._set(list(spans))

    def changes(self) -> list[Statement]:
        """What is to be written with the next transaction."""
        here = {one.first: one for one in self._spans}
        return [self._statement(first, here.get(first)) for first in self.touched]

    def everything(self) -> None:
        """For a new file: all spans become changes."""
        self.touched.update(one.first for one in self._spans)

    def _set(self, spans: list[Span]) -> None:
        merged: list[Span] = []
        for one in spans:
            if not merged or not merged[-1].covers(one.boot, one.by):
                merged.append(one)
        self.touched.update(one.first for one in set(merged) ^ set(self._spans))
        self._spans = merged

    def _statement(self, first: int, span: Span | None) -> Statement:
        if span is None:
            return DELETE, (self.table, first)
        source, offset_ms = span.by or (None, None)
        return PUT, (self.table, first, span.boot, source, offset_ms)


def spans_of(table: int, lines: Iterable[tuple[int, int, str | None, int]]) -> Spans:
    """As they are kept: first, boot, source, offset_ms."""
    return Spans(
        table,
        [
            Span(first, boot, None if source is None else Reckoning(source, offset_ms))
            for first, boot, source, offset_ms in lines
        ],
    )
