"""Histograms: Prometheus' quantiles, edges that hold what they promise, shares that are counted."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.stats import Buckets, Range, Share

INF = math.inf
exactly = settings(deadline=None, derandomize=True, max_examples=400)


def buckets(bounds: Sequence[float], *counts: Sequence[float]) -> Buckets:
    """Cumulative counts, one row a histogram; the sums do not matter."""
    return Buckets(np.array(bounds), np.array(counts, dtype=float), np.zeros(len(counts)))


def observed(bounds: Sequence[float], samples: Sequence[float]) -> list[float]:
    """The cumulative counts of raw samples."""
    return [float(sum(sample <= bound for sample in samples)) for bound in bounds]


def prometheus(q: float, bounds: Sequence[float], counts: Sequence[float]) -> float:
    """`histogram_quantile` of promql/quantile.go, word by word, for 0 < q < 1."""
    pairs = sorted(zip(bounds, counts, strict=True))
    # ensureMonotonic
    highest = 0.0
    for i, (bound, count) in enumerate(pairs):
        highest = max(highest, count)
        pairs[i] = (bound, highest)
    if len(pairs) < 2 or pairs[-1][1] == 0:
        return math.nan
    rank = q * pairs[-1][1]
    b = 0
    while b < len(pairs) - 1 and pairs[b][1] < rank:
        b += 1
    if b == len(pairs) - 1:
        return pairs[-2][0]
    if b == 0 and pairs[0][0] <= 0:
        return pairs[0][0]
    start, end, count = 0.0, pairs[b][0], pairs[b][1]
    if b > 0:
        start = pairs[b - 1][0]
        count -= pairs[b - 1][1]
        rank -= pairs[b - 1][1]
    return start + (end - start) * (rank / count)


def true_quantile(q: float, samples: Sequence[float]) -> float:
    """The smallest sample that at least the share `q` of all samples does not exceed."""
    ordered = sorted(samples)
    return next(each for n, each in enumerate(ordered, 1) if n >= q * len(ordered))


edges = st.lists(st.floats(-100, 100), min_size=0, max_size=8, unique=True).map(lambda found: [*sorted(found), INF])
quantiles = st.floats(0.001, 0.999) | st.sampled_from([0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])


@st.composite
def histograms(draw: st.DrawFn, rising: bool = False) -> tuple[list[float], list[list[float]]]:
    """Bounds, and a few rows of counts over them, which need not rise."""
    bounds = draw(edges)
    row = st.lists(st.integers(0, 40), min_size=len(bounds), max_size=len(bounds))
    rows = draw(st.lists(row, min_size=1, max_size=4))
    return bounds, [list(map(float, np.cumsum(each) if rising else each)) for each in rows]


@exactly
@given(histograms(), quantiles)
def test_prometheus_would_say_the_same(made: tuple[list[float], list[list[float]]], q: float) -> None:
    """Every quantile is the one of histogram_quantile, also where sums of buckets dip."""
    bounds, rows = made
    value, _, _ = buckets(bounds, *rows).quantiles(q)
    expected = [prometheus(q, bounds, row) for row in rows]
    assert value.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


@exactly
@given(histograms(rising=True), quantiles)
def test_all_together(made: tuple[list[float], list[list[float]]], q: float) -> None:
    """The quantile of several histograms is that of their summed buckets."""
    bounds, rows = made
    expected = prometheus(q, bounds, np.sum(rows, axis=0).tolist())
    assert buckets(bounds, *rows).quantile(q).value == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("bounds", "counts", "q", "expected"),
    [
        pytest.param([1, 2, INF], [0, 0, 0], 0.5, Range(math.nan, math.nan, math.nan), id="empty"),
        pytest.param([1, 2, INF], [0, 0, 10], 0.5, Range(2, 2, INF), id="all beyond the last edge"),
        pytest.param([INF], [10], 0.5, Range(math.nan, 0, INF), id="no edge at all"),
        pytest.param([-1, INF], [0, 10], 0.5, Range(-1, -1, INF), id="beyond a negative edge"),
        pytest.param([4, INF], [10, 10], 0.25, Range(1, 0, 4), id="first bucket, from zero on"),
        pytest.param([0, 4, INF], [10, 10, 10], 0.5, Range(0, -INF, 0), id="first bucket ends at zero"),
        pytest.param([-5, 4, INF], [10, 10, 10], 0.5, Range(-5, -INF, -5), id="first bucket ends below zero"),
        pytest.param([-5, 5, INF], [0, 10, 10], 0.5, Range(0, -5, 5), id="from below zero to above"),
        pytest.param([1, 2, 3, INF], [5, 5, 10, 10], 0.5, Range(1, 0, 1), id="a rank that is a bucket's count"),
        pytest.param([1, 2, 3, INF], [5, 5, 10, 10], 0.6, Range(2.2, 2, 3), id="over an empty bucket"),
        pytest.param([1, 2, INF], [10, 9, 20], 0.45, Range(0.9, 0, 1), id="a dip, and a rank below it"),
        pytest.param([1, 2, INF], [10, 9, 8], 0.95, Range(0.95, 0, 1), id="a dip in the last bucket"),
        pytest.param([1, 2, 4, INF], [2, math.nan, 10, 10], 0.5, Range(1 + 3 * 3 / 8, 1, 4), id="unknown between"),
        pytest.param([1, 2, 4, INF], [math.nan, 2, 10, 10], 0.1, Range(1, 0, 2), id="the first is unknown"),
        pytest.param([1, 2, INF], [2, math.nan, 10], 0.5, Range(1, 1, INF), id="the last edge is unknown"),
        pytest.param([-1, 2, INF], [math.nan, 4, 4], 0.5, Range(1, 0, 2), id="a negative edge is unknown"),
        pytest.param([1, 2, INF], [math.nan, math.nan, 4], 0.5, Range(math.nan, 0, INF), id="no edge is known"),
    ],
)
def test_edge_cases(bounds: list[float], counts: list[float], q: float, expected: Range) -> None:
    """Each special case has the value of Prometheus, and edges that it surely lies between."""
    found = buckets(bounds, counts).quantile(q)
    assert [found.value, found.low, found.high] == pytest.approx(
        [expected.value, expected.low, expected.high], nan_ok=True
    )


def test_histograms_do_not_touch_each_other() -> None:
    """An empty histogram is NaN, and its neighbours are what they are alone."""
    value, low, high = buckets([1, 2, INF], [2, 4, 4], [0, 0, 0], [0, 0, 3]).quantiles(0.75)
    assert value.tolist() == pytest.approx([1.5, math.nan, 2], nan_ok=True)
    assert low.tolist() == pytest.approx([1, math.nan, 2], nan_ok=True)
    assert high.tolist() == pytest.approx([2, math.nan, INF], nan_ok=True)


def test_no_histograms() -> None:
    """Nothing has no quantile, and neither has its sum."""
    none = Buckets(np.array([1, INF]), np.zeros((0, 2)), np.zeros(0))
    assert [each.tolist() for each in none.quantiles(0.5)] == [[], [], []]
    assert math.isnan(none.quantile(0.5).value)
    assert math.isnan(none.share_over(1).low)


@pytest.mark.parametrize("q", [0.0, 1.0, -0.5, 95.0, math.nan])
def test_what_is_no_quantile(q: float) -> None:
    """0 and 1, which buckets cannot tell, and percents are refused."""
    with pytest.raises(ValueError, match="is not a quantile between 0 and 1"):
        buckets([1, INF], [1, 1]).quantiles(q)


samples = st.lists(st.floats(0, 100, allow_subnormal=False), min_size=1, max_size=60)
positive_edges = st.lists(st.floats(0.01, 100), min_size=1, max_size=8, unique=True).map(lambda f: [*sorted(f), INF])


@exactly
@given(samples, positive_edges, quantiles)
def test_edges_enclose_the_truth(raw: list[float], bounds: list[float], q: float) -> None:
    """The true quantile of the raw samples lies within the edges, and so does the stated value."""
    found = buckets(bounds, observed(bounds, raw)).quantile(q)
    assert found.low <= true_quantile(q, raw) <= found.high
    assert found.low <= found.value <= found.high * (1 + 1e-12)


@exactly
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=60), edges, quantiles)
def test_edges_enclose_negative_values(raw: list[float], bounds: list[float], q: float) -> None:
    """Where there are negative values, and a first edge that is not positive, the truth is within the edges."""
    if bounds[0] > 0:
        bounds = [-100.5, *bounds]
    found = buckets(bounds, observed(bounds, raw)).quantile(q)
    assert found.low <= true_quantile(q, raw) <= found.high


@st.composite
def with_unknown_buckets(draw: st.DrawFn) -> tuple[list[float], list[list[float]], list[float]]:
    """Bounds, raw samples of several histograms as counts some of which are not known, and all the samples."""
    bounds = draw(positive_edges)
    rows, every = [], []
    for raw in draw(st.lists(samples, min_size=1, max_size=4)):
        unknown = draw(st.lists(st.booleans(), min_size=len(bounds) - 1, max_size=len(bounds) - 1))
        counts = observed(bounds, raw)
        rows.append([math.nan if each else count for each, count in zip([*unknown, False], counts, strict=True)])
        every += raw
    return bounds, rows, every


@exactly
@given(with_unknown_buckets(), quantiles)
def test_edges_enclose_the_truth_when_buckets_changed(
    made: tuple[list[float], list[list[float]], list[float]], q: float
) -> None:
    """The truth is within the edges also where a service got other buckets in between."""
    bounds, rows, every = made
    found = buckets(bounds, *rows).quantile(q)
    assert found.low <= true_quantile(q, every) <= found.high


@exactly
@given(with_unknown_buckets(), st.floats(0, 110))
def test_shares_enclose_the_truth(made: tuple[list[float], list[list[float]], list[float]], boundary: float) -> None:
    """The true share of samples over a boundary is never outside of what is stated."""
    bounds, rows, every = made
    found = buckets(bounds, *rows).share_over(boundary)
    # A boundary a hair from an edge counts as that edge.
    clear = [each for each in every if abs(each - boundary) > 1e-6 * boundary]
    unclear = len(every) - len(clear)
    over = sum(each > boundary for each in clear)
    assert found.low <= (over + unclear) / len(every) + 1e-12
    assert found.high >= over / len(every) - 1e-12


@exactly
@given(samples, positive_edges, st.data())
def test_a_share_over_an_edge_is_exact(raw: list[float], bounds: list[float], data: st.DataObject) -> None:
    """At a bucket's edge the share of slower requests is counted."""
    boundary = data.draw(st.sampled_from(bounds[:-1]))
    apart = [each for each in bounds if each == boundary or abs(each - boundary) > 1e-6 * boundary]
    found = buckets(apart, observed(apart, raw)).share_over(boundary)
    assert found.exact
    assert found.low == pytest.approx(sum(each > boundary for each in raw) / len(raw), abs=1e-12)


@pytest.mark.parametrize(
    ("bounds", "counts", "boundary", "expected"),
    [
        pytest.param([1, 2, INF], [2, 6, 10], 1, (0.8, 0.8), id="an edge"),
        pytest.param([1, 2, INF], [2, 6, 10], 1.5, (0.4, 0.8), id="between edges"),
        pytest.param([1, 2, INF], [2, 6, 10], 0.5, (0.8, 1), id="below the first edge"),
        pytest.param([1, 2, INF], [2, 6, 10], 3, (0, 0.4), id="above the last edge"),
        pytest.param([0.5, 0.7, INF], [2, 6, 10], 700 * 0.001, (0.4, 0.4), id="an edge but for rounding"),
        pytest.param([0.5, 0.7, INF], [2, 6, 10], 0.7 * (1 + 1e-7), (0, 0.4), id="next to an edge"),
        pytest.param([-2, 0, INF], [2, 6, 10], -2, (0.8, 0.8), id="a negative edge"),
        pytest.param([-2, 0, INF], [2, 6, 10], 0, (0.4, 0.4), id="zero"),
        pytest.param([-2, 2, INF], [2, 6, 10], 0, (0.4, 0.8), id="zero between edges"),
        pytest.param([1e-9, 1e-8, INF], [2, 6, 10], 5e-9, (0.4, 0.8), id="nanoseconds"),
        pytest.param([1, 2, INF], [9, 10, 9], 2, (0, 0), id="a dip in the last bucket"),
        pytest.param([1, 2, 4, INF], [2, math.nan, 8, 10], 2, (0.2, 0.8), id="an edge that is not known"),
        pytest.param([1, 2, INF], [0, 0, 0], 1, (math.nan, math.nan), id="empty"),
    ],
)
def test_shares(bounds: list[float], counts: list[float], boundary: float, expected: tuple[float, float]) -> None:
    """A share is one number at an edge, and otherwise from those surely over to those possibly over."""
    found = buckets(bounds, counts).share_over(boundary)
    assert (found.low, found.high) == pytest.approx(expected, nan_ok=True)
    assert found.exact == (expected[0] == expected[1])


def test_a_share_between_edges_is_not_exact() -> None:
    """Whoever shows a share can tell whether it was counted."""
    assert Share(0.25, 0.25).exact
    assert not Share(0.25, 0.5).exact


def test_a_day_is_not_the_mean_of_its_hours() -> None:
    """A busy slow hour weighs more than a quiet fast one: the quantile of the sum is that of all requests."""
    quiet, busy = [0.1] * 10, [3.0] * 990
    bounds = [0.2, 1, 4, INF]
    made = buckets(bounds, observed(bounds, quiet), observed(bounds, busy))
    found = made.quantile(0.5)
    assert found.low <= true_quantile(0.5, quiet + busy) <= found.high
    assert found.value - float(made.quantiles(0.5)[0].mean()) > 1


@exactly
@given(histograms(rising=True), st.data())
def test_groups(made: tuple[list[float], list[list[float]]], data: st.DataObject) -> None:
    """Histograms by group are summed with their own group only, and a group without any is empty."""
    bounds, rows = made
    groups = data.draw(st.lists(st.integers(0, 4), min_size=len(rows), max_size=len(rows)))
    sums = np.arange(1.0, len(rows) + 1)
    found = Buckets(np.array(bounds), np.array(rows), sums).grouped(np.array(groups), 5)
    for group in range(5):
        chosen = [n for n, each in enumerate(groups) if each == group]
        assert found.counts[group].tolist() == [sum(rows[n][b] for n in chosen) for b in range(len(bounds))]
        assert found.sums[group] == sum(n + 1 for n in chosen)


def test_what_is_not_known_of_one_is_not_known_of_the_group() -> None:
    """A bucket that one histogram of a group lacks is not known of the whole group."""
    found = buckets([1, 2, INF], [1, math.nan, 4], [2, 3, 4], [5, 6, 7]).grouped(np.array([0, 0, 1]), 2)
    np.testing.assert_array_equal(found.counts, [[3, math.nan, 8], [5, 6, 7]])


def frame(columns: dict[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_from_rows() -> None:
    """Bucket columns are ordered by their bounds and not by their names; what is missing stays unknown."""
    rows = frame({"sum": [7, 9], "le=10": [4, 5], "le=+Inf": [4, 6], "le=2.5": [3, math.nan], "le=0.005": [0, 1]})
    made = Buckets.of(rows)
    assert made.bounds.tolist() == [0.005, 2.5, 10, INF]
    np.testing.assert_array_equal(made.counts, [[0, 3, 4, 4], [1, math.nan, 5, 6]])
    assert made.totals.tolist() == [4, 6]
    assert made.sums.tolist() == [7, 9]


def means_of(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    return Buckets.of(rows).means


def test_means() -> None:
    """The mean is the sum by the count, NaN where nothing was counted, and of all that of all requests."""
    rows = frame({"le=1": [4, 0, 2], "le=+Inf": [4, 0, 2], "sum": [2, 0, 10]})
    assert means_of(rows).tolist() == pytest.approx([0.5, math.nan, 5], nan_ok=True)
    assert Buckets.of(rows).total().means.tolist() == [2]


def test_means_without_a_sum() -> None:
    """Without the sum of the values there is no mean."""
    assert np.isnan(means_of(frame({"le=1": [4], "le=+Inf": [4]}))).all()
