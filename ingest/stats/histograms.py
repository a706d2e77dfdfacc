"""Histograms of cumulative buckets: sums, quantiles with their bucket's edges, shares.

A quantile cannot be averaged, so buckets are summed first and the quantile is taken of
the sum. It is known no better than the bucket it falls into: every quantile carries that
bucket's edges, and the number between them is Prometheus' linear interpolation
(`histogram_quantile`, promql/quantile.go), which assumes that a bucket is filled evenly.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Range:
    """A quantile: the interpolated `value`, and the bucket edges [`low`, `high`] it lies between."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Share:
    """A share of the requests, between `low` and `high`; `exact` where the two are one."""

    low: float
    high: float

    @property
    def exact(self) -> bool:
        """Whether the boundary is a bucket's edge, so that the share is counted, not guessed."""
        return self.low == self.high


@dataclass(frozen=True)
class Buckets:
    """Cumulative counts of n histograms over the same bounds.

    `bounds` are the b upper bounds in ascending order, the last one infinite; `counts` is
    an n x b array, NaN where a bucket's count is not known (the last one always is); `sums`
    holds the n sums of the observed values.
    """

    bounds: Floats
    counts: Floats
    sums: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "Buckets":
        """From columns `le=<bound>` and `sum`; a row may lack buckets, but not the last one."""
        columns = sorted((c for c in rows.columns if c.startswith("le=")), key=lambda c: float(c[3:]))
        bounds = np.array([float(column[3:]) for column in columns])
        counts = _implied(rows[columns].to_numpy(dtype=np.float64))
        sums = rows["sum"].to_numpy(dtype=np.float64) if "sum" in rows else np.full(len(rows), np.nan)
        return cls(bounds, counts, sums)

    @property
    def _steps(self) -> tuple[Floats, Floats]:
        """Edges and counts, from none below -inf on; a bucket that is not known repeats the one before it."""
        known = ~np.isnan(self.counts)
        edges = np.where(known, self.bounds, -np.inf)
        counts = np.where(known, self.counts, 0.0)
        # Buckets are scraped one after the other, so a sum of them can dip by a request or two.
        return _rising(edges, -np.inf), _rising(counts, 0.0)

    @property
    def totals(self) -> Floats:
        """How many requests each histogram counts."""
        return self.counts[:, -1]

    @property
    def means(self) -> Floats:
        """The mean of each histogram; NaN where it counts nothing."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.totals > 0, self.sums / self.totals, np.nan)

    def total(self) -> "Buckets":
        """All n histograms as one."""
        return Buckets(self.bounds, self.counts.sum(axis=0, keepdims=True), self.sums.sum(keepdims=True))

    def quantiles(self, q: float) -> tuple[Floats, Floats, Floats]:
        """For each histogram the interpolated quantile and the edges of its bucket; NaN if empty.

        In the last bucket the value is that of its lower edge, as in Prometheus, and the upper
        edge is infinite; the lower one is, where the first bucket ends at or below zero. Where
        the last bucket is the only one, the value is NaN. ValueError unless 0 < q < 1.
        """
        if not 0 < q < 1:
            raise ValueError(f"{q} is not a quantile between 0 and 1")
        edges, counts = self._steps
        rank = q * counts[:, -1]
        index = (counts >= rank[:, None]).argmax(axis=1)
        (low, high), (below, upto) = _around(index, edges), _around(index, counts)
        first, last = np.isneginf(low), np.isposinf(high)
        low = np.where(first & (high > 0), 0.0, low)
        with np.errstate(divide="ignore", invalid="ignore"):
            between = low + (high - low) * ((rank - below) / (upto - below))
        value = np.select([first & last, last, np.isneginf(low)], [np.nan, low, high], between)
        empty = ~(counts[:, -1] > 0)
        return tuple(np.where(empty, np.nan, each) for each in (value, low, high))  # type: ignore[return-value]

    def quantile(self, q: float) -> Range:
        """The quantile of all histograms together."""
        value, low, high = self.total().quantiles(q)
        return Range(float(value[0]), float(low[0]), float(high[0]))

    def shares_over(self, boundary: float) -> tuple[Floats, Floats]:
        """For each histogram the share of requests slower than `boundary`, at least and at most.

        The two are equal where `boundary` is a bucket's edge; NaN for an empty histogram.
        """
        edges, counts = self._steps
        slack = abs(boundary) * 1e-9  # 700 ms in seconds are not quite 0.7
        row = np.arange(len(counts))
        under_at_most = counts[row, (edges >= boundary - slack).argmax(axis=1)]
        under_at_least = counts[row, (edges <= boundary + slack).sum(axis=1) - 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = ((counts[:, -1] - under) / counts[:, -1] for under in (under_at_most, under_at_least))
        empty = ~(counts[:, -1] > 0)
        return np.where(empty, np.nan, low), np.where(empty, np.nan, high)

    def share_over(self, boundary: float) -> Share:
        """The share of all histograms' requests that are slower than `boundary`."""
        low, high = self.total().shares_over(boundary)
        return Share(float(low[0]), float(high[0]))

    def grouped(self, groups: npt.NDArray[np.int64], size: int) -> "Buckets":
        """The histograms summed by group; `groups` holds a number below `size` for each."""
        counts = np.zeros((size, len(self.bounds)))
        sums = np.zeros(size)
        np.add.at(counts, groups, self.counts)
        np.add.at(sums, groups, self.sums)
        return Buckets(self.bounds, counts, sums)


def _implied(counts: Floats) -> Floats:
    """Counts, with those filled in that are not known but between two equal ones.

    A native histogram lists the buckets that hold something; where it lists none, as many
    requests are below a bound as below its neighbours.
    """
    if not np.isnan(counts).any():
        return counts
    table = pd.DataFrame(counts)
    below = table.ffill(axis=1).fillna(0.0).to_numpy()
    above = table.bfill(axis=1).to_numpy()
    return np.where(below == above, below, counts)


def _rising(values: Floats, first: float) -> Floats:
    """`first` and the values of each row, none below the one before it."""
    padded = np.pad(values, ((0, 0), (1, 0)), constant_values=first)
    return np.maximum.accumulate(padded, axis=1)


def _around(index: npt.NDArray[np.intp], values: Floats) -> tuple[Floats, Floats]:
    """Of each row the values before and at `index`."""
    row = np.arange(len(values))
    return values[row, index - 1], values[row, index]
