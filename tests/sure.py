"""What a test knows to be there."""

from typing import TypeVar

T = TypeVar("T")


def sure(found: T | None) -> T:
    """What is not None; a test fails here if it is."""
    assert found is not None
    return found
