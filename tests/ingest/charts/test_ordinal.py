import numpy as np
import pytest

from ingest.charts.heat import Scale, even, shares
from ingest.charts.ordinal import Bands, bands_of, bucket_shares
from ingest.stats import Buckets

EDGES = np.array([0.0, 0.25, 1.0, np.inf])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, 0.0), (0.125, 0.5), (0.25, 1.0), (0.625, 1.5), (1.0, 2.0), (1.5, None), (-1.0, None), (np.inf, 3.0)],
)
def test_position(value: float, expected: float | None) -> None:
    """A value stands as far into its band as into its bucket; in an open band only its edge has a place."""
    assert Bands(EDGES, "s").position(value) == expected


def test_names() -> None:
    """Bands are named by their edges, open ones by the one that they have."""
    bands = Bands(np.array([-np.inf, 0.25, 1.0, np.inf]), "s")
    assert [bands.name(number) for number in range(3)] == ["up to 250 ms", "250 ms to 1 s", "over 1 s"]
    assert list(bands.labels()) == [(1, "250 ms"), (2, "1 s")]
    assert list(Bands(EDGES, "s").labels(2)) == [(0, "0"), (2, "1 s")]


def test_long_unit_has_no_room() -> None:
    """A long unit is left out of the labels."""
    assert list(Bands(np.array([0.0, 100.0]), "queries").labels()) == [(0, "0"), (1, "100")]


def test_bands_in_use() -> None:
    """The buckets from the first to the last one in use are kept; negative values open the first."""
    bands, kept = bands_of(np.array([1.0, 2.0, 3.0, np.inf]), np.array([0.0, 1.0, 0.0, 0.0]), "s")
    assert (bands.edges.tolist(), kept) == ([1.0, 2.0], slice(1, 2))
    bands, _ = bands_of(np.array([0.0, np.inf]), np.array([1.0, 1.0]), "s")
    assert bands.edges.tolist() == [-np.inf, 0.0, np.inf]
    with pytest.raises(ValueError, match="no bucket"):
        bands_of(np.array([np.inf]), np.array([0.0]), "s")


def test_shares_of_buckets() -> None:
    """Shares add up to one, whatever is unknown or dips, and are NaN for an empty histogram."""
    counts = np.array([[1.0, 3.0, 4.0], [np.nan, 3.0, 4.0], [5.0, 4.0, 5.0], [0.0, 0.0, 0.0]])
    found = bucket_shares(Buckets(np.array([1.0, 2.0, np.inf]), counts, np.zeros(4)))
    assert found[:3].tolist() == [[0.25, 0.5, 0.25], [0.0, 0.75, 0.25], [1.0, 0.0, 0.0]]
    assert np.isnan(found[3]).all()


def test_levels() -> None:
    """A value at a bound belongs to the step above it."""
    scale = shares(0.01, 0.1)
    assert scale.levels(np.array([0.0, 0.01, 0.05, 0.1, 1.0])).tolist() == [0, 1, 1, 2, 2]
    assert scale.texts == ("1 %", "10 %")


@pytest.mark.parametrize(("bounds", "expected"), [(0, [4]), (1, [1, 7]), (3, [1, 3, 5, 7]), (6, [1, 2, 3, 4, 5, 6, 7])])
def test_colours_are_spread(bounds: int, expected: list[int]) -> None:
    """Few steps are as far apart as the colours allow."""
    scale = Scale(tuple(range(bounds)), ("",) * bounds)
    assert scale.roles == [f"heat-{number}" for number in expected]


@pytest.mark.parametrize("low", [-5.0, 0.0, 1.0, 99.0])
@pytest.mark.parametrize("length", [0.013, 1.0, 7.0, 12_345.0])
def test_even_scale(low: float, length: float) -> None:
    """Values of any size take three to seven steps, none of them empty at the ends."""
    scale = even(np.array([low, np.nan, low + length / 3, low + length]), "")
    assert 2 <= len(scale.bounds) <= 6
    assert low < scale.bounds[0] < scale.bounds[-1] <= low + length


def test_scale_of_one_value() -> None:
    """Values that are all alike have a single colour."""
    assert even(np.array([2.0, 2.0]), "s").bounds == ()
    assert even(np.array([0.0, np.inf]), "s").bounds == ()
    assert even(np.array([np.nan, np.nan]), "s").bounds == ()
