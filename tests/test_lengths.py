"""Short functions, short files: a guide, with an end to it."""

import pytest

from tests.source_tree import functions, length, shown, sources

LONGEST_FUNCTION = 45
LONGEST_FILE = 350


@pytest.mark.no_cover
def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{shown(path)}:{one.lineno} {one.name}: {length(one)} lines"
        for path in sources()
        for one in functions(path)
        if length(one) > LONGEST_FUNCTION
    ]
    assert long == []


@pytest.mark.no_cover
def test_no_file_has_more_than_one_reason() -> None:
    counted = {shown(path): path.read_text(encoding="utf-8").count("\n") for path in sources()}
    long = {name for name, lines in counted.items() if lines > LONGEST_FILE}
    assert long == set()


@pytest.mark.no_cover
def test_functions_are_short_as_a_rule() -> None:
    lengths = sorted(length(one) for path in sources() for one in functions(path))
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 9 // 10] <= 18
