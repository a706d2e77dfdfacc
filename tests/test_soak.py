"""A short soak, the same in every run; `make soak` tries fifty thousand of each."""

import pytest

from tests.soak import KINDS, SECONDS, soak


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_soak(kind: str) -> None:
    """Random and mutated input raises nothing, takes no two seconds, and ends no interpreter."""
    tally = soak(kind, 1, 400)
    assert tally.failures == []
    assert tally.cases == 400
    assert tally.slowest < SECONDS
