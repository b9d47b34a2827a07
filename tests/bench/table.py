"""One line of the table: what, measured, what it must reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """`limit` is the number to reach; `most` says on which side."""

    what: str
    value: float
    unit: str
    limit: float | None = None
    most: bool = True  #: value <= limit is good; False: value >= limit

    @property
    def good(self) -> bool | None:
        """Reached? None if there is nothing to reach."""
        if self.limit is None:
            return None
        return self.value <= self.limit if self.most else self.value >= self.limit

    @property
    def verdict(self) -> str:
        """In a word; none if there is nothing to reach."""
        return {True: "reached", False: "NOT reached", None: ""}[self.good]

    @property
    def bound(self) -> str:
        """What it must reach, with the side."""
        sign = "<=" if self.most else ">="
        return "" if self.limit is None else f"{sign} {number(self.limit)}"

    def text(self) -> str:
        """For people at a terminal."""
        measured = f"{number(self.value):>10} {self.unit:10}"
        return f"{self.what:58} {measured} {self.bound:>12}  {self.verdict}"

    def row(self) -> str:
        """For the page."""
        return f"| {self.what} | {number(self.value)} {self.unit} | {self.bound} | {self.verdict} |"


def number(value: float) -> str:
    """Three or four figures, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
