"""Twenty thousand damaged inputs each; `make fuzz` runs the millions."""

import pytest

from tests.fuzz import fuzz_decode, fuzz_downlink
from tests.fuzz.frames import DOWNLINKS, valid_frames


@pytest.mark.no_cover
def test_damaged_frames_are_refused_or_mean_just_these_bytes() -> None:
    fuzz_decode.run(20_000, seed=1)


@pytest.mark.no_cover
def test_damaged_downlinks_are_refused_or_mean_just_these_bytes() -> None:
    fuzz_downlink.run(20_000, seed=2)


def test_what_the_fuzzers_start_from_is_accepted() -> None:
    assert all(map(fuzz_decode.one, valid_frames()))
    assert all(map(fuzz_downlink.one, DOWNLINKS))
