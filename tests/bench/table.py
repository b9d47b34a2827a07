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

    def text(self) -> str:
        """For people."""
        verdict = {True: "reached", False: "NOT reached", None: ""}[self.good]
        sign = "<=" if self.most else ">="
        limit = "" if self.limit is None else f"{sign} {number(self.limit)}"
        return f"{self.what:58} {number(self.value):>10} {self.unit:10} {limit:>12}  {verdict}"


def number(value: float) -> str:
    """Three or four figures, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
