"""What telemetry says of a hypothesis: the numbers of its test, and what follows from them.

A `share` is a component's part of the whole, a `contrast` how much larger one group's figure
is than another's, a `change` what happened to a series at a moment. All requests of a window
are counted, so the figures themselves are exact; the intervals say how far another such
window would differ, from how the days wander.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ingest import rules
from ingest.evidence.figure import Figure, NoFigureError, amounts, inside
from ingest.evidence.pinning import Evidence, about_pin, local, local_days
from ingest.evidence.series import SeriesFacts
from ingest.pins import Between, Tested
from ingest.stats import Level as LevelEstimate
from ingest.stats import TooFewDaysError, estimate_change, estimate_level
from ingest.story import Hypothesis, Test, day_of, moment_of
from ingest.units import Quantity

RECENT_DAYS = 28
State = Literal["untested", "waiting", "due", "decided"]


@dataclass(frozen=True)
class TestFacts:
    """All that is known of a hypothesis beyond what its author wrote.

    `waiting` for the end of its window, `due` when that is over, `decided` with a verdict.
    `pin` is what was stated on that day, and `recent` the same question asked of the last four
    weeks, where it can be: of a share and of a contrast.
    """

    hypothesis: Hypothesis
    state: State
    pin: Tested | None = None
    recent: Tested | None = None

    @property
    def most(self) -> Between | None:
        """The most that a fix of the component could give: its confirmed share of the whole (Amdahl's law)."""
        pin = self.pin
        return pin.effect if pin and pin.test.kind == "share" and pin.verdict == "confirmed" else None


def hypothesis_facts(
    hypothesis: Hypothesis, series: Mapping[str, SeriesFacts], pin: Tested | None, zone: ZoneInfo, now: datetime
) -> TestFacts:
    """The facts of one hypothesis."""
    test, today = hypothesis.test, now.astimezone(zone).date()
    if hypothesis.verdict != "open":
        named = {name: series[name] for name in test.names.values() if name in series} if test else {}
        recent = _recent(test, named, zone, today) if pin and test else None
        return TestFacts(hypothesis, "decided", pin, recent)
    if test is None or not test.is_whole:
        return TestFacts(hypothesis, "untested", pin)
    return TestFacts(hypothesis, "due" if rules.is_over(test, today) else "waiting", pin)


def _recent(test: Test, series: Mapping[str, SeriesFacts], zone: ZoneInfo, today: date) -> Tested | None:
    ends = [each.manifest.data_until for each in series.values() if each.manifest]
    if test.kind not in ("share", "contrast") or not ends:
        return None
    # The last day with data may be half over.
    last = day_of(min(ends), zone) - timedelta(days=1)
    first = last - timedelta(days=RECENT_DAYS - 1)
    if first <= test.to:
        return None
    try:
        return evaluate(test.model_copy(update={"from_": first, "to": last}), series, zone, today).pin
    except NoFigureError:
        return None


@dataclass(frozen=True, eq=False)
class _Asked:
    """A test with the series that it names, and the window in moments."""

    test: Test
    series: Mapping[str, SeriesFacts]
    zone: ZoneInfo

    @property
    def start(self) -> datetime:
        return moment_of(self.test.from_, self.zone)

    @property
    def end(self) -> datetime:
        return moment_of(self.test.to + timedelta(days=1), self.zone)

    def named(self, name: str | None) -> SeriesFacts:
        found = self.series.get(name or "")
        if found is None or found.rows.empty:
            raise NoFigureError(f"there is no data of {name or 'the series'}")
        return found

    def rows(self, series: SeriesFacts) -> SeriesFacts:
        """The series with the rows of the window alone."""
        return replace(series, rows=series.rows[inside(series, self.start, self.end)])

    def expected(self, series: SeriesFacts) -> int:
        """How many steps the window has."""
        # In UTC: within one zone Python subtracts what clocks show, also where they were changed.
        return max(1, int((self.end.astimezone(UTC) - self.start.astimezone(UTC)) / series.step))


def evaluate(test: Test, series: Mapping[str, SeriesFacts], zone: ZoneInfo, today: date) -> Evidence[Tested]:
    """What the data of the test's window says, as it would be stated `today`.

    Raises NoFigureError where there is nothing to compare, with the reason.
    """
    asked = _Asked(test, series, zone)
    made = {"share": _share, "contrast": _contrast, "change": _change}[test.kind](asked, today)
    verdict = rules.verdict_of(made.pin)
    return replace(made, pin=made.pin.model_copy(update={"verdict": verdict}))


def _share(asked: _Asked, today: date) -> Evidence[Tested]:
    part, whole = (asked.rows(asked.named(name)) for name in (asked.test.share, asked.test.of))
    if part.step != whole.step:
        raise NoFigureError("the steps of the two series are not equally long")
    both = pd.DataFrame({"part": amounts(part, whole.unit), "whole": amounts(whole, whole.unit)}).dropna()
    if both.empty or not both["whole"].sum() > 0:
        raise NoFigureError("there is no data of both in the window")
    days = both.groupby(local_days(both.index, asked.zone)).sum()
    shares = days["part"] / days["whole"].where(days["whole"] > 0)
    value = float(both["part"].sum() / both["whole"].sum())
    if (shares == 0).any():
        # A share of nothing has no logarithm, and without such days it would look steadier than it is.
        level = _level(1 - shares)
        rest = _around(1 - value, level)
        effect = Between(value=value, low=max(0.0, 1 - rest.high), high=1 - rest.low)
    else:
        level = _level(shares)
        effect = _around(value, level)
    requests = _requests(whole, pd.DatetimeIndex(both.index))
    return _tested(asked, today, "share", effect, level.days, len(both) / asked.expected(part), requests, [part, whole])


def _contrast(asked: _Asked, today: date) -> Evidence[Tested]:
    group, other = (asked.rows(asked.named(name)) for name in (asked.test.contrast, asked.test.against))
    if group.step != other.step:
        raise NoFigureError("the steps of the two series are not equally long")
    try:
        factor = Quantity(1, other.unit).to(group.unit)
    except ValueError as error:
        raise NoFigureError(f"the two series cannot be compared: {error}") from None
    common = pd.DatetimeIndex(group.rows.index.intersection(other.rows.index))
    if common.empty:
        raise NoFigureError("there is no data of both in the window")
    figures = [
        Figure(replace(each, rows=each.rows.loc[common]), asked.test.quantile, asked.zone) for each in (group, other)
    ]
    days = [_by_local_day(figure.days["value"], asked.zone) for figure in figures]
    level = _level(days[0] / (days[1] * factor))
    one, two = (figure.whole() for figure in figures)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.array([one.value, one.low, one.high]) / (np.array([two.value, two.high, two.low]) * factor)
    if not np.isfinite(ends).all():
        raise NoFigureError(f"the {figures[0].name} lies outside of the buckets' edges")
    apart, least, most = ends.tolist()
    # A quantile is known no better than its bucket: the interval reaches from edge to edge.
    effect = Between(value=apart - 1, low=least * level.low / level.value - 1, high=most * level.high / level.value - 1)
    counts = [_requests(each, common) for each in (group, other)]
    fewest = min((count for count in counts if count is not None), default=None)
    present = len(common) / asked.expected(group)
    return _tested(asked, today, figures[0].name, effect, level.days, present, fewest, [group, other])


def _change(asked: _Asked, today: date) -> Evidence[Tested]:
    series = asked.rows(asked.named(asked.test.change))
    figure = Figure(series, asked.test.quantile, asked.zone)
    if asked.test.at is None:
        raise NoFigureError("the test does not say when the change began")
    at = day_of(asked.test.at, asked.zone)
    values = local(figure.hours["value"], asked.zone)
    day = values.index.date  # type: ignore[attr-defined]
    before, after = values[day < at], values[day > at]
    try:
        found = estimate_change(before, after)
    except TooFewDaysError as error:
        raise NoFigureError(f"{error.days_before} days before and {error.days_after} after are too few") from None
    effect = Between(value=found.effect, low=found.low, high=found.high)
    sides = [_requests(series, pd.DatetimeIndex(each.index)) for each in (before, after)]
    fewest = min((count for count in sides if count is not None), default=None)
    present = len(values) / asked.expected(series)
    return _tested(
        asked, today, figure.name, effect, found.days_after, present, fewest, [series], days_before=found.days_before
    )


def _by_local_day(days: "pd.Series[float]", zone: ZoneInfo) -> "pd.Series[float]":
    """Values of days by their dates: the starts of two days may fall on one day of UTC."""
    return days.set_axis(local_days(days.index, zone))


def _level(days: "pd.Series[float]") -> LevelEstimate:
    try:
        return estimate_level(days.dropna())
    except TooFewDaysError as error:
        many = f"{error.days_before} day{'s' * (error.days_before != 1)}"
        raise NoFigureError(f"only {many} with a figure above zero") from None


def _around(value: float, level: LevelEstimate) -> Between:
    """The figure of the whole window, with the level's interval about it."""
    return Between(value=value, low=value * level.low / level.value, high=value * level.high / level.value)


def _requests(series: SeriesFacts, steps: pd.DatetimeIndex) -> float | None:
    """How many requests a series counts in these steps; None for one that counts none."""
    buckets = series.buckets
    if buckets is None:
        return None
    return float(buckets.totals[series.rows.index.isin(steps)].sum())


def _tested(
    asked: _Asked,
    today: date,
    figure: str,
    effect: Between,
    days: int,
    present: float,
    requests: float | None,
    series: list[SeriesFacts],
    days_before: int = 0,
) -> Evidence[Tested]:
    pin = Tested(
        about="hypothesis",
        test=asked.test,
        figure=figure,
        effect=effect,
        days=days,
        days_before=days_before,
        hours_present=min(1.0, present),
        requests=requests,
        verdict="open",
        **about_pin(series, today),
    )
    return Evidence(pin, {each.name: each.rows for each in series})
