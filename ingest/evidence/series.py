"""One series of a story: its health, and its hourly and daily summaries.

An hour and a day are summarised by the same rule: sum what adds up (buckets, amounts),
then take the figure. A day of a series that cannot be combined, such as a quantile that
the source computed, is the median of its hours.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ingest.settings import Freshness, SourceConfig
from ingest.snapshots import Manifest, Snapshot
from ingest.stats import Buckets, Range, Share, day_starts
from ingest.story import Series
from ingest.units import format_duration

HealthState = Literal["corrupt", "missing", "changed", "old", "failed", "stale", "partial", "fresh"]
HEALTH_STATES: tuple[HealthState, ...] = (
    "corrupt", "missing", "changed", "old", "failed", "stale", "partial", "fresh",
)  # fmt: skip
"""Worst first."""
DEFAULT_QUANTILE = 0.95
RECENT = timedelta(days=7)


@dataclass(frozen=True)
class Health:
    """The worst that can be said of a series' data, and everything that can, in words."""

    state: HealthState
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """The last refresh of a series: when it was, and why it failed (empty if it did not)."""

    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Recent:
    """The last seven days of a series, summed: its figure, and for a histogram mean and traffic."""

    figure: Range
    mean: float | None
    requests_a_day: float | None
    start: datetime
    end: datetime


@dataclass(frozen=True)
class SeriesFacts:
    """What a page knows of a series.

    `hours` and `days` are indexed by the UTC start of each step or day and have the column
    `value`; for a histogram also `low` and `high` (the edges of the quantile's bucket),
    `mean` and `requests`. A missing row is a gap. `rows` are those of the snapshot.
    """

    slug: str
    name: str
    series: Series
    source: str
    explore: str | None
    step: timedelta
    quantile: float
    health: Health
    manifest: Manifest | None
    attempt: Attempt | None
    rows: pd.DataFrame
    hours: pd.DataFrame
    days: pd.DataFrame
    recent: Recent | None
    counts: bool = False
    """Whether it counts reports, each row as of the moment at which it was fetched."""

    @property
    def as_of(self) -> datetime | None:
        """The moment up to which the data tells: the end of the last row, or when reports were counted last."""
        if self.manifest is None:
            return None
        return self.manifest.fetched_at if self.counts else self.manifest.data_until

    @property
    def count(self) -> int | None:
        """How many reports there were `as_of`; None where nobody knows."""
        return int(self.rows["value"].iloc[-1]) if self.counts and len(self.rows) else None

    @property
    def title(self) -> str:
        """The series' title, or its name in words."""
        return self.series.title or self.name.replace("_", " ").capitalize()

    @property
    def figure(self) -> str:
        """What `value` is: `p95`, or how a row of this kind adds up."""
        if self.series.kind == "histogram":
            return f"p{self.quantile * 100:g}"
        words = {"total": "total", "rate": "a second", "gauge": "average", "latency": "median of hours"}
        return words.get(self.series.kind, "median of hours")

    @property
    def unit(self) -> str:
        """The unit of `value`."""
        return self.series.unit

    @property
    def buckets(self) -> Buckets | None:
        """The histograms of the rows, one a step."""
        return Buckets.of(self.rows) if self.series.kind == "histogram" and len(self.rows) else None


@dataclass(frozen=True)
class Stored:
    """What the store holds of a series: a snapshot, nothing, or something that cannot be read."""

    snapshot: Snapshot | None = None
    corrupt: str = ""


def series_facts(
    slug: str,
    name: str,
    series: Series,
    source: SourceConfig | None,
    stored: Stored,
    attempt: Attempt | None,
    quantile: float,
    zone: ZoneInfo,
    freshness: Freshness,
    now: datetime,
) -> SeriesFacts:
    """The facts of one series, as of `now`."""
    asked = source.step if source else timedelta(hours=1)
    snapshot, counts = stored.snapshot, bool(source and source.counts)
    # Until a changed step is refreshed, the rows are those of the step before.
    step = timedelta(seconds=snapshot.manifest.step) if snapshot else asked
    asks = source.fingerprint(series) if source else series.fingerprint(asked)
    asked_otherwise = snapshot is not None and snapshot.manifest.query_hash != asks
    other_unit = snapshot is not None and snapshot.manifest.unit != series.unit
    changed = asked_otherwise or other_unit
    # A number in another unit is another number.
    readable = snapshot is not None and snapshot.manifest.kind == series.kind and not other_unit
    rows = snapshot.rows if snapshot and readable else pd.DataFrame(index=pd.DatetimeIndex([], tz="UTC", name="time"))
    hours = summary(rows, rows.index, series.kind, quantile)  # type: ignore[arg-type]
    starts = day_starts(rows.index, zone) if len(rows) else rows.index  # type: ignore[arg-type]
    return SeriesFacts(
        slug=slug,
        name=name,
        series=series,
        source=source.title if source else series.source,
        explore=source.basics.explore if source else None,
        step=step,
        quantile=quantile,
        health=_health(series, stored, changed, attempt, freshness, now, counts=counts),
        manifest=snapshot.manifest if snapshot else None,
        attempt=attempt,
        rows=rows,
        hours=hours,
        days=summary(rows, starts, series.kind, quantile),  # type: ignore[arg-type]
        recent=_recent(rows, series, quantile, step),
        counts=counts,
    )


def summary(rows: pd.DataFrame, groups: pd.DatetimeIndex, kind: str, quantile: float) -> pd.DataFrame:
    """One row for each distinct moment of `groups`, which names the group of each row."""
    if rows.empty:
        return pd.DataFrame({"value": []}, index=rows.index, dtype="float64")
    codes, starts = pd.factorize(groups)
    if kind == "histogram":
        summed = Buckets.of(rows).grouped(codes.astype(np.int64), len(starts))
        value, low, high = summed.quantiles(quantile)
        columns = {"value": value, "low": low, "high": high, "mean": summed.means, "requests": summed.totals}
        return pd.DataFrame(columns, index=pd.DatetimeIndex(starts, name="time"))
    grouped = rows["value"].groupby(codes)
    values = grouped.agg({"total": "sum", "rate": "mean", "gauge": "mean"}.get(kind, "median"))
    return pd.DataFrame({"value": values.to_numpy()}, index=pd.DatetimeIndex(starts, name="time"))


def _recent(rows: pd.DataFrame, series: Series, quantile: float, step: timedelta) -> Recent | None:
    if rows.empty:
        return None
    end = rows.index[-1].to_pydatetime() + step
    start = max(end - RECENT, rows.index[0].to_pydatetime())
    last = rows[rows.index >= start]
    # A gap is not a time in which nothing happened, unless the story says that it is.
    days = (end - start if series.allow_empty else len(last) * step) / timedelta(days=1)
    if series.kind != "histogram":
        return Recent(_middle(last["value"], series.kind, days), None, None, start, end)
    total = Buckets.of(last).total()
    return Recent(total.quantile(quantile), float(total.means[0]), float(total.totals[0]) / days, start, end)


def _middle(values: "pd.Series[float]", kind: str, days: float) -> Range:
    """A figure of single values: an amount is that of a day, all others are what is usual."""
    middle = {"total": values.sum() / days, "rate": values.mean(), "gauge": values.mean()}.get(kind, values.median())
    return Range(float(middle), float(middle), float(middle))


def _health(
    series: Series,
    stored: Stored,
    changed: bool,
    attempt: Attempt | None,
    freshness: Freshness,
    now: datetime,
    *,
    counts: bool = False,
) -> Health:
    """The state of a series' data; `notes` begin with what makes it the worst."""
    if stored.corrupt:
        return Health("corrupt", (f"The stored data cannot be trusted: {stored.corrupt}", *_failure(attempt)))
    if stored.snapshot is None:
        return Health("missing", _failure(attempt) or ("Nothing has been fetched yet",))
    manifest = stored.snapshot.manifest
    # Where no rows are no fault, it is enough that somebody looked.
    until = manifest.window[1] if series.allow_empty else manifest.data_until
    age = now - (manifest.fetched_at if counts else until)
    found: list[tuple[HealthState, str]] = []
    if changed:
        found.append(("changed", "The query was changed after this data was fetched"))
    if age >= freshness.error:
        found.append(("old", f"No data for {format_duration(age)}"))
    elif age >= freshness.warn:
        found.append(("stale", f"The last data is {format_duration(age)} old"))
    found += [("failed", reason) for reason in _failure(attempt)]
    if manifest.partial:
        found.append(("partial", "The source called its answer partial" + "".join(f": {w}" for w in manifest.warnings)))
    found.sort(key=lambda each: HEALTH_STATES.index(each[0]))
    return Health(found[0][0] if found else "fresh", tuple(note for _, note in found))


def _failure(attempt: Attempt | None) -> tuple[str, ...]:
    return (f"The last refresh failed: {attempt.reason}",) if attempt and attempt.reason else ()


def share_of_hours_over(facts: SeriesFacts, goal: float, since: datetime) -> Share | None:
    """The share of hours, from `since` on, in which the figure was over `goal`.

    For a histogram, whether its quantile is over the goal is certain only where the goal is
    a bucket's edge, or the whole bucket lies on one side of it; None without data.
    """
    hours = facts.hours[facts.hours.index >= since].dropna(subset=["value"])
    if hours.empty:
        return None
    if facts.series.kind != "histogram":
        share = float((hours["value"] > goal).mean())
        return Share(share, share)
    surely, possibly = (hours["low"] >= goal).mean(), (hours["high"] > goal).mean()
    return Share(float(surely), float(possibly))
