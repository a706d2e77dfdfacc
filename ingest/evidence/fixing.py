"""What became of a fix: judged once on a day that is known beforehand, and watched from then on.

Until that day its numbers are preliminary and count nowhere: who looks every day and stops
when it looks good finds gains that are none. What was judged is pinned with its story; what
is computed here beside it is whether the gain still holds, and the hours that it saved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pandas as pd

from ingest import stats
from ingest.evidence.figure import Figure, NoFigureError
from ingest.evidence.pinning import Evidence, about_pin, local
from ingest.evidence.series import SeriesFacts
from ingest.pins import Change, Fixed, Judged, Outcome
from ingest.rules import DAYS_AFTER, DAYS_BEFORE, STATED_AFTER, STATED_BEFORE, judged_on
from ingest.stats import TooFewDaysError
from ingest.story import Fix, Goal, Series, day_of
from ingest.units import Quantity

DAY = timedelta(days=1)
GUARD = timedelta(days=stats.GUARD_DAYS)
OPPOSITE: dict[stats.Better, stats.Better] = {"lower": "higher", "higher": "lower"}
EARNS_FOR = timedelta(days=365)
"""A gain counts for at most a year: by then nobody would go back."""
LEAST, MOST = -0.999999, 1e6
"""The ends of what is stated of a change: beyond them nothing is known."""
TODAY = 14
"""How many of the last days tell what is left of a gain today."""

State = Literal["planned", "unmeasured", "waiting", "preliminary", "due", "judged"]
Standing = Literal["held", "eroded", "regressed"]


@dataclass(frozen=True)
class Sibling:
    """A fix of the same series, in this story or another one: measured in one model with its siblings."""

    slug: str
    id: str
    shipped: date
    mean: Change | None = None

    @property
    def name(self) -> str:
        """Its name in a pin: `slug/id`."""
        return f"{self.slug}/{self.id}"


@dataclass(frozen=True)
class Hours:
    """Hours that a fix saved, or cost where they are below zero, with the ends of their interval.

    `unit` is `user-hours` where people wait and `machine-hours` where machines do; the two are
    never added up. `by_quarter` has the same for `2026Q3` and so on, and
    `start` is the first day that is counted.
    """

    unit: str
    value: float
    low: float
    high: float
    by_quarter: dict[str, "Hours"]
    start: date | None = None


@dataclass(frozen=True)
class FixFacts:
    """All that is known of a fix.

    `why` says in words what keeps it from being measured, `due` is the day on which it is
    judged. `pin` is what was stated on that day, `live` what the data says now of a fix that
    is not pinned yet. `lost` is the day on which the watch rang, `since` the day since which
    the gain was on its way down (of a regression: on its way back), and `today` the change as of
    the last fortnight. `uncounted` is why a fix that counts has no `hours`.
    """

    fix: Fix
    state: State
    why: str = ""
    due: date | None = None
    pin: Judged | None = None
    live: Judged | None = None
    standing: Standing | None = None
    lost: date | None = None
    since: date | None = None
    today: Change | None = None
    hours: Hours | None = None
    uncounted: str = ""
    watched: int = 0
    siblings: tuple[Sibling, ...] = ()

    @property
    def judged(self) -> Judged | None:
        """What was stated, else what the data says so far."""
        return self.pin or self.live

    @property
    def counts(self) -> bool:
        """Whether it may stand in a total: judged on its day, and not doubted or accepted with a reason."""
        if self.pin is None or self.pin.verdict == "undetected":
            return False
        return self.pin.verdict != "unusual" or self.fix.accept is not None


@dataclass(frozen=True, eq=False)
class Subject:
    """A fix with its series, the figure that it should change, and the others of that figure."""

    slug: str
    fix: Fix
    shipped: date
    series: SeriesFacts
    quantile: float | None
    control: SeriesFacts | None
    siblings: tuple[Sibling, ...]
    zone: ZoneInfo

    def figure(self, quantile: float | None, series: SeriesFacts | None = None) -> "pd.Series[float]":
        """The hours of a figure of the series, by the clock of the knowledge base."""
        return local(Figure(series or self.series, quantile, self.zone).hours["value"].dropna(), self.zone)

    @property
    def first(self) -> date:
        return self.shipped - STATED_BEFORE * DAY

    @property
    def last(self) -> date:
        return self.shipped + STATED_AFTER * DAY


def figure_of(fix: Fix, goal: Goal | None, series: Mapping[str, Series]) -> tuple[str | None, float | None]:
    """The series and the quantile that a fix should change; its own, or those of the goal."""
    name = fix.series or (goal.series if goal else None)
    of_goal = goal.quantile if goal and goal.series == name else None
    found = series.get(name or "")
    return name, (fix.quantile or of_goal) if found and found.kind == "histogram" else None


def fix_facts(
    slug: str,
    fix: Fix,
    goal: Goal | None,
    series: Mapping[str, SeriesFacts],
    pin: Judged | None,
    siblings: Sequence[Sibling],
    zone: ZoneInfo,
    now: datetime,
) -> FixFacts:
    """The facts of one fix; `siblings` are the other shipped fixes of the same series, of any story."""
    if fix.shipped is None:
        return FixFacts(fix, "planned", pin=pin)
    shipped, today = day_of(fix.shipped, zone), now.astimezone(zone).date()
    due = judged_on(shipped)
    subject = subject_of(slug, fix, goal, series, siblings, zone)
    known = FixFacts(fix, "judged", due=due, pin=pin) if pin else _not_pinned(fix, subject, shipped, due, today)
    if pin and subject:
        known = _watched(known, subject)
    return replace(known, siblings=tuple(siblings))


def subject_of(
    slug: str,
    fix: Fix,
    goal: Goal | None,
    series: Mapping[str, SeriesFacts],
    siblings: Sequence[Sibling],
    zone: ZoneInfo,
) -> Subject | None:
    """What a shipped fix is measured on; None where it has no series, or no data of it."""
    name, quantile = figure_of(fix, goal, {name: each.series for name, each in series.items()})
    found = series.get(name or "")
    if found is None or found.rows.empty or fix.shipped is None:
        return None
    control = series.get(fix.control or "")
    usable = control if control and not control.rows.empty else None
    return Subject(slug, fix, day_of(fix.shipped, zone), found, quantile, usable, tuple(siblings), zone)


def _not_pinned(fix: Fix, subject: Subject | None, shipped: date, due: date, today: date) -> FixFacts:
    if subject is None:
        return FixFacts(fix, "unmeasured", "it names no series that has data", due)
    try:
        live = judge(subject, today).pin
    except TooFewDaysError as error:
        since, until = _neighbours(subject)
        if error.days_before < DAYS_BEFORE and shipped < today:
            between = f" and after the fix of {since}" if since >= subject.first else ""
            why = (
                f"it has {_counted(error.days_before, 'day')} of data before it{between}, and {DAYS_BEFORE} are needed"
            )
            return FixFacts(fix, "unmeasured", why, due)
        between = f" and before the fix of {until}" if until <= subject.last else ""
        why = f"it has {_counted(error.days_after, 'whole day')} after it{between}, and {DAYS_AFTER} are needed"
        return FixFacts(fix, "waiting" if today < due else "unmeasured", why, due)
    except NoFigureError as error:
        return FixFacts(fix, "unmeasured", str(error), due)
    return FixFacts(fix, "due" if today >= due else "preliminary", "", due, live=live)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def judge(subject: Subject, today: date) -> Evidence[Judged]:
    """The judgement of a fix by the days around it, as it would be stated `today`.

    Raises TooFewDaysError where there are too few days on one of its sides, and NoFigureError
    where nothing can be compared.
    """
    cut = [_between(each, subject.first, subject.last, subject.zone) for each in _looked_at(subject)]
    within = replace(subject, series=cut[0], control=cut[1] if subject.control else None)
    change, guard, verdict = _estimated(within, within.quantile)
    mean, mean_verdict = None, None
    if _knows_mean(within.series):
        mean, _, mean_verdict = (change, guard, verdict) if within.quantile is None else _estimated(within, None)
    values = within.figure(within.quantile)
    days, (since, until) = _days(values), _neighbours(subject)
    expected = (STATED_BEFORE + STATED_AFTER) * DAY / within.series.step
    fixed = Fixed(
        shipped=subject.fix.shipped or subject.shipped,
        series=subject.series.name,
        quantile=subject.quantile,
        control=subject.fix.control,
        expected=subject.fix.expected,
    )
    pin = Judged(
        about="fix",
        fix=fixed,
        figure=Figure(within.series, within.quantile, within.zone).name,
        before=float(values[(days > since) & (days < subject.shipped)].median()),
        after=float(values[(days > subject.shipped) & (days < until)].median()),
        change=change,
        guard=guard,
        mean=mean,
        mean_verdict=mean_verdict,
        together=tuple(each.name for each in _within(subject)),
        hours_present=min(1.0, sum(day != subject.shipped for day in days) / expected),
        verdict=verdict,
        **about_pin(cut, today),
    )
    return Evidence(pin, {each.name: each.rows for each in cut})


def _looked_at(subject: Subject) -> list[SeriesFacts]:
    return [subject.series, *([subject.control] if subject.control else [])]


def _within(subject: Subject) -> list[Sibling]:
    """The siblings that shipped in the days that are compared."""
    return [each for each in subject.siblings if subject.first <= each.shipped <= subject.last]


def _neighbours(subject: Subject) -> tuple[date, date]:
    """When the fixes before and after this one shipped: the days between are its own."""
    others = [each.shipped for each in subject.siblings]
    before, after = (
        (each for each in others if each < subject.shipped),
        (each for each in others if each > subject.shipped),
    )
    return max(before, default=date.min), min(after, default=date.max)


def _between(facts: SeriesFacts, first: date, last: date, zone: ZoneInfo) -> SeriesFacts:
    """The series with the rows of these days alone, both included."""
    days = pd.DatetimeIndex(facts.rows.index).tz_convert(zone).date
    return replace(facts, rows=facts.rows[(days >= first) & (days <= last)])


def _knows_mean(facts: SeriesFacts) -> bool:
    return facts.series.kind == "histogram" and "sum" in facts.rows


def _estimated(subject: Subject, quantile: float | None) -> tuple[Change, Change | None, Outcome]:
    """The change of a figure, the same without the week before the fix, and what follows."""
    values = subject.figure(quantile)
    control = subject.figure(quantile, subject.control) if subject.control else None
    change, days = _step(subject, values, control), _days(values)
    try:
        guard = _step(subject, values[(days < subject.shipped - GUARD) | (days > subject.shipped)], control)
    except TooFewDaysError:
        guard = None
    verdict = stats.judge(change, guard, subject.series.series.better)
    return _plain(change), _plain(guard) if guard else None, verdict


def _step(subject: Subject, values: "pd.Series[float]", control: "pd.Series[float] | None") -> stats.Change:
    """The fix's own step, in one model with the others that shipped in these days."""
    found = stats.estimate_steps(values, [subject.shipped, *(each.shipped for each in _within(subject))], control)
    if subject.shipped in found.too_few:
        raise TooFewDaysError(*found.too_few[subject.shipped])
    return found.changes[subject.shipped]


def _plain(change: stats.Change) -> Change:
    made = {name: getattr(change, name) for name in Change.model_fields}
    # What is known as badly as this would be pinned as a fall by all of it, which is no change that can be read back.
    ends = {name: min(max(made[name], LEAST), MOST) for name in ("effect", "low", "high")}
    return Change(**{**made, **ends})


def _watched(known: FixFacts, subject: Subject) -> FixFacts:
    """With what became of the change since: the watch, the change as of today, and the hours."""
    pin = known.pin
    if pin is None or (pin.verdict in ("undetected", "unusual") and not known.counts):
        return known
    if _asked_otherwise(pin, subject.series):
        return replace(known, uncounted="the query of its series has changed since it was judged")
    values = subject.figure(pin.fix.quantile)
    lost, since, watched = _watch(subject, pin, values)
    found = replace(known, lost=lost, since=since, today=_today(subject, values), watched=watched)
    if pin.verdict != "regressed":
        found = replace(found, standing=_standing(subject, lost, found.today, watched))
    if not known.counts:
        return found
    why = _why_uncounted(subject, pin)
    return replace(found, uncounted=why) if why else replace(found, hours=_hours(subject, pin.mean, since))


def _asked_otherwise(pin: Judged, series: SeriesFacts) -> bool:
    """Whether the data is of another query than what was judged."""
    return series.manifest is not None and series.manifest.query != pin.series[pin.fix.series].query


def _watch(subject: Subject, pin: Judged, values: "pd.Series[float]") -> tuple[date | None, date | None, int]:
    """When a gain was lost (or a loss made good) and since when; a later fix of the series begins a new watch."""
    days, better = _days(values), subject.series.series.better
    # Of a regression the watch looks for the end.
    worse = better if pin.verdict != "regressed" else OPPOSITE[better]
    starts = sorted({subject.shipped, *(each.shipped for each in subject.siblings if each.shipped > subject.shipped)})
    looked = 0
    for start, end in zip(starts, [*starts[1:], date.max], strict=True):
        segment = values[(days > start) & (days < end)]
        try:
            found = stats.watch(segment, start + STATED_AFTER * DAY, worse)
        except TooFewDaysError:
            # Too soon after a later fix, or the days to compare with are no longer in the store.
            continue
        looked += found.days
        if found.lost:
            return found.lost, found.since, looked
    return None, None, looked


def _today(subject: Subject, values: "pd.Series[float]") -> Change | None:
    """The change from before the fix to the last fortnight, as far as it is the fix's own.

    None where that fortnight is no later than the judgement, or has the gain of a later fix as well.
    """
    days, (since, until) = _days(values), _neighbours(subject)
    if not len(days) or days[-1] < subject.last + TODAY * DAY or until < days[-1]:
        return None
    before = values[(days >= subject.first) & (days > since) & (days < subject.shipped)]
    after = values[days > days[-1] - TODAY * DAY]
    try:
        return _plain(stats.estimate_change(before, after))
    except TooFewDaysError:
        return None


def _standing(subject: Subject, lost: date | None, today: Change | None, watched: int) -> Standing | None:
    """Whether the gain holds; None as long as nothing came after the judgement."""
    if not watched:
        return None
    if lost is None:
        return "held"
    if today is None:
        return "eroded"
    still = today.high < 0 if subject.series.series.better == "lower" else today.low > 0
    return "eroded" if still else "regressed"


def _days(values: "pd.Series[float]") -> pd.Index:
    # Not by way of midnight, which some days of some zones lack.
    return pd.Index(pd.DatetimeIndex(values.index).date)


def _why_uncounted(subject: Subject, pin: Judged) -> str:
    """Why a fix that counts saves no hours that could be told; empty where it does."""
    first = min((each.name for each in subject.siblings if each.shipped == subject.shipped), default="")
    if pin.mean is None or not _knows_mean(subject.series):
        return "its series knows no mean"
    if not pin.mean.moved:
        return "its mean did not detectably change"
    if pin.mean_verdict == "unusual" and subject.fix.accept is None:
        return "its mean improved only against an unusual week before the fix"
    if first and first < f"{subject.slug}/{subject.fix.id}":
        return f"{first} changed the same series on the same day, and they are counted there"
    try:
        Quantity(1, subject.series.unit).to("h")
    except ValueError:
        return "its series does not measure time"
    return ""


def _hours(subject: Subject, mean: Change | None, since: date | None) -> Hours | None:
    """The hours saved so far: what the requests took, times what they would have taken more without the fix.

    Of two fixes of one series, the earlier one is credited with what it took from the time
    before the later one.
    """
    if mean is None:
        return None
    factor = Quantity(1, subject.series.unit).to("h")
    spent = local(subject.series.rows["sum"].dropna(), subject.zone) * factor
    days = _days(spent)
    last = min(subject.shipped + EARNS_FOR, (since or date.max) - DAY)
    for later in subject.siblings:
        if later.shipped > subject.shipped and later.mean and later.mean.moved:
            spent[days > later.shipped] /= 1 + later.mean.effect
    counted = spent[(days > subject.shipped) & (days <= last)]
    unit = "user-hours" if subject.series.series.waiting == "people" else "machine-hours"
    quarters = counted.groupby([quarter_of(day) for day in _days(counted)]).sum()
    by_quarter = {str(name): _saved(unit, float(took), mean) for name, took in quarters.items()}
    start = _days(counted)[0] if len(counted) else None
    return replace(_saved(unit, float(counted.sum()), mean), by_quarter=by_quarter, start=start)


def _saved(unit: str, took: float, change: Change) -> Hours:
    found = stats.saved(took, change)
    return Hours(unit, found.value, found.low, found.high, {})


def quarter_of(day: date) -> str:
    """The calendar quarter of a day, as `2026Q3`."""
    return f"{day.year}Q{(day.month + 2) // 3}"
