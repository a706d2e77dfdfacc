"""What is compared, of one series: its amounts, or the figure of its hours, days and windows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from ingest.evidence.series import DEFAULT_QUANTILE, SeriesFacts, summary
from ingest.stats import Buckets, Range, day_starts
from ingest.units import Quantity


class NoFigureError(Exception):
    """Why series cannot be compared, as a reader should be told."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A series by one of its quantiles, or by its mean where `quantile` is None.

    What is no histogram has a single figure, whichever was asked for.
    """

    series: SeriesFacts
    quantile: float | None
    zone: ZoneInfo

    @property
    def name(self) -> str:
        """What the numbers are: `mean`, `p95`, `average`."""
        if self.series.series.kind != "histogram":
            return self.series.figure
        return f"p{self.quantile * 100:g}" if self.quantile else "mean"

    @property
    def hours(self) -> pd.DataFrame:
        """One row a step: `value`, for a quantile with the edges `low` and `high` of its bucket."""
        buckets = self.series.buckets
        if buckets is None:
            return summary(self.series.rows, self._index, self.series.series.kind, DEFAULT_QUANTILE)
        return self._of(buckets, self._index)

    @property
    def days(self) -> pd.DataFrame:
        """Likewise, one row a day."""
        buckets = self.series.buckets
        groups = day_starts(self._index, self.zone)
        if buckets is None:
            return summary(self.series.rows, groups, self.series.series.kind, DEFAULT_QUANTILE)
        days, starts = pd.factorize(groups)
        return self._of(buckets.grouped(days.astype(np.int64), len(starts)), pd.DatetimeIndex(starts))

    def over(self, rows: npt.NDArray[np.bool_]) -> float:
        """The figure of the chosen rows together, of an amount that of a day; NaN where there is none."""
        chosen = self.series.rows[rows]
        if chosen.empty:
            return float("nan")
        if self.series.series.kind == "histogram":
            return float(self._of(Buckets.of(chosen).total(), chosen.index[:1])["value"].iloc[0])  # type: ignore[arg-type]
        values, kind = chosen["value"], self.series.series.kind
        a_day = timedelta(days=1) / self.series.step if kind == "total" else 1.0
        return float(values.median() if kind in ("latency", "ratio") else values.mean() * a_day)

    @property
    def _index(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.series.rows.index)

    def whole(self) -> Range:
        """The figure of all rows together; a quantile with its bucket's edges. NaN where there are no rows."""
        buckets = self.series.buckets
        if buckets is not None and self.quantile:
            return buckets.quantile(self.quantile)
        value = self.over(np.ones(len(self.series.rows), dtype=bool))
        return Range(value, value, value)

    def _of(self, buckets: Buckets, index: pd.DatetimeIndex) -> pd.DataFrame:
        if not self.quantile:
            return pd.DataFrame({"value": buckets.means}, index=index)
        value, low, high = buckets.quantiles(self.quantile)
        return pd.DataFrame({"value": value, "low": low, "high": high}, index=index)


def inside(series: SeriesFacts, start: datetime, end: datetime) -> npt.NDArray[np.bool_]:
    """Which rows of a series begin in [start, end)."""
    index = series.rows.index
    return np.asarray((index >= start) & (index < end))


def amounts(series: SeriesFacts, unit: str) -> "pd.Series[float]":
    """What each step adds to a whole in `unit`; NoFigureError for a series that does not add up."""
    kind, rows = series.series.kind, series.rows
    if kind not in ("histogram", "total", "rate"):
        raise NoFigureError(f"“{series.title}” is a {kind}, which does not add up to a share.")
    column = "sum" if kind == "histogram" else "value"
    if len(rows) and column not in rows:
        raise NoFigureError(f"“{series.title}” lacks the sum of its values, so nothing can be a share of it.")
    try:
        factor = Quantity(1, series.unit).to(unit)
    except ValueError as error:
        raise NoFigureError(f"“{series.title}” cannot be a share: {error}.") from None
    seconds = series.step.total_seconds() if kind == "rate" else 1.0
    found: pd.Series[float] = rows[column] if len(rows) else pd.Series([], index=rows.index, dtype="float64")
    return found * factor * seconds
