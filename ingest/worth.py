"""What could be won of a story's time, what that would take, and how well both are known.

Time is what all requests of a week took together: traffic times mean. Where people wait for
it, it is counted in user-hours, where machines do, in machine-hours; the two are never added
up nor compared. What cannot be counted is told with its reason, and is never zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from ingest.evidence import Facts, SeriesFacts, TestFacts
from ingest.evidence.figure import amounts
from ingest.pins import Between, Tested
from ingest.rules import falls
from ingest.story import day_of, moment_of
from ingest.units import HOURS_A_WORKING_DAY, Quantity, format_percent, format_quantity

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
MOST_WEEKS = 4
LEAST_HOURS = 0.5
"""Nothing takes no time, whatever a timebox says."""

_HISTOGRAM = "A histogram of what they wait for, with the sum of its values, would say it."
_SUM = "Its source has to be asked for the sum of the histogram's values as well."
_DATA = "The next refresh that succeeds would say it."
_NO_SUM = {
    "latency": "is a median or a quantile already: it says how slow, and not for how many",
    "gauge": "says how much there is at a time, and not how long anybody waits",
    "ratio": "is a ratio: it says nothing of how many wait",
}

Unit = Literal["user-hours", "machine-hours"]
GradeName = Literal["tested", "believed", "seen", "reported"]


class NotCountedError(Exception):
    """Why nobody can say what could be won, and what would have to be there; both as sentences."""

    def __init__(self, why: str, needed: str) -> None:
        super().__init__(why)
        self.why = why
        self.needed = needed


@dataclass(frozen=True)
class Worth:
    """What could be won, in `unit` a week; `likely` is None where only the most is known.

    `made` says in words how the numbers were made.
    """

    low: float
    likely: float | None
    high: float
    unit: Unit
    made: str

    @property
    def words(self) -> str:
        """`about 130 user-hours a week (120 to 140)`, or `at most 210 user-hours a week`."""
        low, high = shown(self.low), shown(self.high)
        if self.likely is None:
            return f"at most {high} {self.unit} a week"
        ends = f" ({low} to {high})" if low != high else ""
        return f"about {shown(self.likely)} {self.unit} a week{ends}"


@dataclass(frozen=True)
class Cost:
    """What a fix would take, in working days; `likely` is the geometric mean of the two ends."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True)
class Grade:
    """How good the evidence is: from `tested` by telemetry down to `reported` only; `words` say so."""

    name: GradeName
    words: str


@dataclass(frozen=True)
class Week:
    """What a series takes a week, in hours; `weeks` is how much data that is the average of."""

    series: SeriesFacts
    hours: float
    weeks: float
    until: datetime

    @property
    def unit(self) -> Unit:
        return "user-hours" if self.series.series.waiting == "people" else "machine-hours"

    @property
    def words(self) -> str:
        """`210 user-hours a week of “Time to the list”`."""
        return f"{shown(self.hours)} {self.unit} a week of “{self.series.title}”"

    @property
    def period(self) -> str:
        """The time that was looked at."""
        last = (self.until - timedelta(microseconds=1)).astimezone(self.until.tzinfo)
        whole = f"{self.weeks:.0f} week{'s' if self.weeks > 1 else ''}"
        return f"{whole if self.weeks >= 1 else f'{self.weeks * 7:.2g} days'} to {last:%-d %b %Y}"


def worth_of(facts: Facts) -> Worth:
    """What could be won of a story; NotCountedError where that cannot be said."""
    since = _last_fix(facts)
    tested = [pin for each in facts.tests.values() if (pin := _still_true(each, since))]
    worth = _by_change(facts, tested) or _by_shares(facts, tested) or _by_contrast(facts, tested)
    return worth or _at_most(facts, tested)


def cost_of(facts: Facts) -> Cost | None:
    """What a fix would take, as the last timebox that says so found; None where none does."""
    if facts.effort is None:
        return None
    low, high = (max(hours, LEAST_HOURS) / HOURS_A_WORKING_DAY for hours in (facts.effort.low, facts.effort.high))
    return Cost(low, math.sqrt(low * high), high)


def grade_of(facts: Facts) -> Grade:
    """How well it is known why it is slow."""
    since, tests = _last_fix(facts), facts.tests.values()
    if any(_still_true(each, since) for each in tests):
        return Grade("tested", "tested: telemetry confirmed why")
    if any(each.state in ("waiting", "due") for each in tests):
        return Grade("believed", "believed: a test waits for its data")
    if any(each.hypothesis.verdict in ("open", "confirmed") for each in tests):
        return Grade("believed", "believed: no test has confirmed it")
    if any(box.outcome for box in facts.story.front.timeboxes):
        return Grade("seen", "seen: a timebox looked at it")
    return Grade("reported", "reported: nobody has looked at why")


def shown(hours: float) -> str:
    """Hours to two digits: nobody knows them better."""
    return format_quantity(_rounded(hours), "")


def _percent(share: float) -> str:
    return format_percent(_rounded(share))


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _last_fix(facts: Facts) -> date | None:
    """The day on which the story's last fix went live; what was before it says nothing of today."""
    shipped = [fix.shipped for fix in facts.story.front.fixes if fix.shipped]
    days = [day_of(each, facts.zone) for each in shipped]
    return max((each for each in days if moment_of(each, facts.zone) <= facts.now), default=None)


def _still_true(test: TestFacts, since: date | None) -> Tested | None:
    """What confirmed a belief, as of today: a fix that shipped since then took its part of it away."""
    pin = test.pin
    if pin is None or not test.hypothesis.verdict == pin.verdict == "confirmed":
        return None
    if since is None or pin.test.from_ > since:
        return pin
    return test.recent if test.recent and test.recent.test.from_ > since else None


def _week(series: SeriesFacts | None, facts: Facts) -> Week:
    """What a series takes a week, as an average of whole weeks since the last fix; up to four of them."""
    if series is None:
        raise NotCountedError("No series counts how many wait, and for how long.", _HISTOGRAM)
    if series.rows.empty:
        raise NotCountedError(f"There is no data of “{series.title}” yet.", _DATA)
    if series.series.kind not in ("histogram", "total", "rate"):
        raise NotCountedError(f"“{series.title}” {_NO_SUM[series.series.kind]}.", _HISTOGRAM)
    if series.series.kind == "histogram" and "sum" not in series.rows:
        raise NotCountedError(f"“{series.title}” lacks the sum of its values, so nobody knows a mean.", _SUM)
    try:
        Quantity(1, series.unit).to("h")
    except ValueError:
        raise NotCountedError(f"“{series.title}” counts {series.unit or 'something'}, not time.", _HISTOGRAM) from None
    return _averaged(series, facts)


def _averaged(series: SeriesFacts, facts: Facts) -> Week:
    end = series.rows.index[-1].to_pydatetime() + series.step
    start, since = series.rows.index[0].to_pydatetime(), _last_fix(facts)
    if since:
        start = max(start, moment_of(since + DAY, facts.zone))
    # Whole weeks, so that no weekday counts more than another.
    weeks = max(0, min(MOST_WEEKS, (end - start) // WEEK))
    start = end - weeks * WEEK if weeks else start
    spent = amounts(series, "h").dropna()
    spent = spent[spent.index >= start]
    # A gap is not a time in which nothing happened, unless the story says that it is.
    there = end - start if series.series.allow_empty else len(spent) * series.step
    if there < DAY:
        after = " since the last fix" if since else ""
        raise NotCountedError(f"There is less than a day of data of “{series.title}”{after}.", _DATA)
    hours = float(spent.sum()) * (WEEK / there)
    if not hours > 0:
        raise NotCountedError(f"“{series.title}” counts nobody in its last weeks.", _DATA)
    return Week(series, hours, weeks or there / WEEK, end.astimezone(facts.zone))


def _counted(name: str | None, facts: Facts) -> Week | None:
    """What a series that a test names takes a week, where that is known."""
    try:
        return _week(facts.series.get(name or ""), facts)
    except NotCountedError:
        return None


def _by_change(facts: Facts, tested: Sequence[Tested]) -> Worth | None:
    """An experiment took this part away where it ran; done everywhere, it would take as much of the whole."""
    for pin in tested:
        week = _counted(facts.headline.name if facts.headline else None, facts)
        if pin.test.kind == "change" and pin.figure == "mean" and pin.effect.value < 0 and week:
            gain = Between(value=-pin.effect.value, low=-pin.effect.high, high=-pin.effect.low)
            name = _title(facts, pin.test.change)
            return _part(week, gain, f"{_percent(gain.value)} of {week.words}, as the experiment on “{name}” found")
    return None


def _by_shares(facts: Facts, tested: Sequence[Tested]) -> Worth | None:
    """The most that fixing the components could give: their part of the whole (Amdahl's law)."""
    wholes = dict.fromkeys(pin.test.of for pin in tested if pin.test.kind == "share" and pin.effect.value > 0)
    headline = facts.headline.name if facts.headline else None
    for of in sorted(wholes, key=lambda name: name != headline):
        week = _counted(of, facts)
        # A component that two hypotheses name is still one.
        parts = {pin.test.share: pin.effect for pin in tested if pin.test.kind == "share" and pin.test.of == of}
        if week:
            ends = ([getattr(each, end) for each in parts.values()] for end in ("value", "low", "high"))
            value, low, high = (min(1.0, sum(each)) for each in ends)
            names = " and ".join(f"“{_title(facts, name)}”" for name in parts)
            made = f"the most that a fix could give: {_percent(value)} of {week.words} pass in {names}"
            return _part(week, Between(value=value, low=low, high=high), made)
    return None


def _by_contrast(facts: Facts, tested: Sequence[Tested]) -> Worth | None:
    """What the slower group would win if it were like the other one."""
    for pin in tested:
        if pin.test.kind != "contrast" or pin.figure != "mean" or not pin.effect.value:
            continue
        names = (pin.test.contrast, pin.test.against)
        # A threshold to fall below says that the other group is the slower one.
        slow, fast = reversed(names) if falls(pin.test) else names
        week = _counted(slow, facts)
        if week:
            ends = [_saved(end, falls(pin.test)) for end in (pin.effect.low, pin.effect.value, pin.effect.high)]
            low, value, high = sorted(ends)
            made = f"{_percent(value)} of {week.words}, if it were as fast as “{_title(facts, fast)}”"
            return _part(week, Between(value=value, low=low, high=high), made)
    return None


def _saved(apart: float, other: bool) -> float:
    return -apart if other else 1 - 1 / (1 + apart)


def _at_most(facts: Facts, tested: Sequence[Tested]) -> Worth:
    """Between nothing and all of it, as long as no test says which part."""
    week = _week(facts.headline, facts)
    why = "what was tested does not add up to hours" if tested else "no test says which part"
    return Worth(0.0, None, week.hours, week.unit, f"between nothing and all of {week.words}: {why} ({week.period})")


def _part(week: Week, share: Between, made: str) -> Worth:
    low, likely, high = (week.hours * max(0.0, min(1.0, each)) for each in (share.low, share.value, share.high))
    return Worth(low, likely, high, week.unit, f"{made} ({week.period})")


def _title(facts: Facts, name: str | None) -> str:
    return facts.series[name].title if name in facts.series else str(name)
