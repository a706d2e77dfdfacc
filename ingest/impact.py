"""The facts of many stories become what leadership asks for: what was gained, how sure that is, whether it lasts.

Every fix stands in exactly one group, by what became of it. Hours of people and of machines
are never added up, and a total is drawn from the intervals of its parts: adding their ends
would claim to know less than is known. What was stated of a closed quarter is taken as it was
stated; the data decides only about the quarters that are still open.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from statistics import median
from typing import Literal

from scipy.stats import false_discovery_control

from ingest import stats
from ingest.closed import FALSE_DISCOVERIES, Closed, Discovery, Quarter, Unit
from ingest.evidence import Facts, FixFacts, Hours, TestFacts
from ingest.pins import Change
from ingest.settings import Rate, Rates
from ingest.story import Hypothesis, day_of
from ingest.units import HOURS_A_WORKING_DAY, format_percent

UNITS: tuple[Unit, ...] = ("user-hours", "machine-hours")
LEAST_EXPECTED = 0.005
"""Of less than half a percent no fix gives a part."""
FEW = 3
"""From so many fixes on their middle one says something about the others."""

Group = Literal[
    "win", "faded", "regression", "undetected", "unusual", "due", "preliminary", "waiting", "unmeasured", "planned"
]  # fmt: skip
GROUPS: tuple[Group, ...] = (
    "win", "faded", "regression", "undetected", "unusual", "due", "preliminary", "waiting", "unmeasured", "planned",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A fix with its story and its group; `hours` are those of its open quarters, and the stated ones of the others."""

    facts: Facts
    found: FixFacts
    group: Group
    hours: Hours | None

    @property
    def name(self) -> str:
        """Its name within the knowledge base: `slug/id`."""
        return f"{self.facts.slug}/{self.found.fix.id}"

    @property
    def title(self) -> str:
        """What its story is called."""
        return self.facts.story.front.title

    @property
    def shipped(self) -> date | None:
        """The day it went live, in the knowledge base's zone."""
        shipped = self.found.fix.shipped
        return day_of(shipped, self.facts.zone) if shipped else None

    @property
    def has_data(self) -> bool:
        """Whether the store holds data of what it was judged on."""
        series = self.facts.series.get(self.found.pin.fix.series) if self.found.pin else None
        return series is not None and not series.rows.empty

    @property
    def needs_data(self) -> bool:
        """Whether it has saved hours that nobody can tell, because the store holds none of its data."""
        pin = self.found.pin
        if pin is None or self.hours or not self.found.counts or not pin.mean or not pin.mean.moved:
            return False
        return not self.has_data

    @property
    def why_no_hours(self) -> str:
        """Why a fix that counts has no hours; empty where it has some, or does not count."""
        pin = self.found.pin
        if pin is None or self.hours or not self.found.counts:
            return ""
        return self.found.uncounted or "there is no data of it here"


@dataclass(frozen=True)
class Expectation:
    """What was hoped for of a judged fix, and what was measured.

    `gave` is the part of the hope that it gave (below zero: it went the other way), None where
    nothing was hoped for; `met` whether it gave all of it, `within` whether the interval holds it.
    """

    row: Row
    expected: float
    measured: Change
    gave: float | None

    @property
    def met(self) -> bool:
        return self.gave is not None and self.gave >= 1 - 1e-9

    @property
    def within(self) -> bool:
        return self.measured.low <= self.expected <= self.measured.high


@dataclass(frozen=True)
class Period:
    """A quarter: what was saved in it by unit, and how many of the fixes that shipped in it were judged and improved.

    `closed` is what was stated of it; an open one is `running` until it is over.
    """

    quarter: Quarter
    totals: Mapping[str, Hours]
    shipped: int
    judged: int
    improved: int
    closed: Closed | None
    running: bool


@dataclass(frozen=True)
class AreaSum:
    """An area of the product (None: not sorted yet): its fixes, and what they saved by unit."""

    area: str | None
    shipped: int
    judged: int
    improved: int
    totals: Mapping[str, Hours]


@dataclass(frozen=True)
class Disproved:
    """A belief that the data did not bear out."""

    facts: Facts
    hypothesis: Hypothesis
    found: TestFacts | None


@dataclass(frozen=True)
class Took:
    """Working days that fixes took, from `low` to `high`; of `unknown` fixes nobody said."""

    low: float
    high: float
    fixes: int
    unknown: int


@dataclass(frozen=True)
class Equivalent:
    """Hours as money, at a rate: no money that anybody was paid."""

    hours: Hours
    rate: Rate
    value: float
    low: float
    high: float

    @property
    def currency(self) -> str:
        return self.rate.per_hour.unit


@dataclass(frozen=True)
class Overview:
    """What all fixes gained, as of `today`: rows with the newest first, quarters with the oldest first."""

    rows: tuple[Row, ...]
    totals: Mapping[str, Hours]
    periods: tuple[Period, ...]
    disproved: tuple[Disproved, ...]
    today: date

    def of(self, *groups: Group) -> tuple[Row, ...]:
        """The fixes of these groups."""
        return tuple(row for row in self.rows if row.group in groups)

    @property
    def judged(self) -> tuple[Row, ...]:
        """The fixes whose judgement is pinned."""
        return tuple(row for row in self.rows if row.found.state == "judged")

    @property
    def counted(self) -> tuple[Row, ...]:
        """The fixes that may stand in a total."""
        return tuple(row for row in self.judged if row.found.counts)

    @cached_property
    def discovery(self) -> Discovery:
        """How far all claims hold together."""
        return discovery_of(self.judged)

    @cached_property
    def expectations(self) -> tuple[Expectation, ...]:
        """What was hoped for and measured, of the judged fixes that are not in doubt."""
        return tuple(each for row in self.judged if (each := _expectation(row)))

    @property
    def areas(self) -> tuple[AreaSum, ...]:
        """What was gained by area, by their names; what is not sorted comes last."""
        names = {row.facts.story.front.area for row in self.rows}
        return tuple(self._area(name) for name in sorted(names, key=lambda name: (name is None, name or "")))

    def _area(self, name: str | None) -> AreaSum:
        rows = [row for row in self.rows if row.facts.story.front.area == name]
        return AreaSum(name, *_counts(rows), totals_of(row.hours for row in rows))

    def took(self, rows: Iterable[Row]) -> Took:
        """What fixes took together."""
        rows = list(rows)
        known = [row.found.fix.took for row in rows if row.found.fix.took]
        low, high = (sum(ends) / HOURS_A_WORKING_DAY for ends in ([t.low for t in known], [t.high for t in known]))
        return Took(low, high, len(rows), len(rows) - len(known))

    def methods(self) -> dict[str, int]:
        """How many judgements each version of the method made."""
        made = sorted(row.found.pin.method for row in self.judged if row.found.pin)
        return {method: made.count(method) for method in dict.fromkeys(made)}


def overview(facts: Iterable[Facts], closed: Mapping[str, Closed], today: date, area: str = "") -> Overview:
    """What the fixes of these stories gained, or those of one `area` alone.

    A story that repeats another one is not counted: what it tells is told there.
    """
    stories = [each for each in facts if not each.repeats and area in ("", each.story.front.area)]
    rows = [_row(each, found, closed) for each in stories for found in each.fixes.values()]
    rows.sort(key=lambda row: (row.shipped or date.max, row.name), reverse=True)
    hours = [row.hours for row in rows if row.hours]
    if not area:
        hours += _of_lost(rows, closed)
    disproved = [
        Disproved(each, hypothesis, each.tests.get(hypothesis.id))
        for each in stories
        for hypothesis in each.story.front.hypotheses
        if hypothesis.verdict == "disproved"
    ]
    disproved.sort(key=lambda each: each.hypothesis.decided or each.hypothesis.written, reverse=True)
    periods = _periods(rows, hours, closed, today, whole=not area)
    return Overview(tuple(rows), totals_of(hours), tuple(periods), tuple(disproved), today)


def _row(facts: Facts, found: FixFacts, closed: Mapping[str, Closed]) -> Row:
    return Row(facts, found, _group(found), _hours(f"{facts.slug}/{found.fix.id}", found, closed))


def _group(found: FixFacts) -> Group:
    pin = found.pin
    if found.state != "judged" or pin is None:
        # Nothing is judged without a pin.
        return "unmeasured" if found.state == "judged" else found.state
    if pin.verdict == "improved":
        return "faded" if found.standing in ("eroded", "regressed") else "win"
    return "regression" if pin.verdict == "regressed" else pin.verdict


def _hours(name: str, found: FixFacts, closed: Mapping[str, Closed]) -> Hours | None:
    """The hours of a fix: of closed quarters what was stated, of the others what the data says."""
    live = found.hours if found.counts else None
    quarters = {quarter: each for quarter, each in (live.by_quarter if live else {}).items() if quarter not in closed}
    for quarter, each in closed.items():
        stated = each.statement.of(name)
        if stated and stated.hours and (live is None or live.unit == stated.hours.unit):
            quarters[quarter] = Hours(**stated.hours.model_dump(), by_quarter={})
    return _one_fix(quarters) if quarters else None


def _one_fix(quarters: Mapping[str, Hours]) -> Hours:
    """The quarters of one fix together. They hang on one and the same change, so here the ends do add up."""
    each = list(quarters.values())
    value, low, high = (sum(getattr(hours, end) for hours in each) for end in ("value", "low", "high"))
    return Hours(each[0].unit, value, low, high, dict(sorted(quarters.items())))


def _of_lost(rows: Sequence[Row], closed: Mapping[str, Closed]) -> list[Hours]:
    """What was stated of fixes that no story has any more: it stays in the quarters that were closed with it."""
    there = {row.name for row in rows}
    lost: dict[str, dict[str, Hours]] = {}
    for quarter, each in closed.items():
        for fix in each.statement.fixes:
            if fix.hours and fix.name not in there:
                lost.setdefault(fix.name, {})[quarter] = Hours(**fix.hours.model_dump(), by_quarter={})
    return [_one_fix(quarters) for quarters in lost.values()]


def total(parts: Sequence[Hours]) -> Hours:
    """Hours of different fixes together, all in one unit, with the interval of their sum; ValueError for none."""
    if len({each.unit for each in parts}) != 1:
        raise ValueError("hours of different units do not add up")
    if len(parts) == 1:
        return replace(parts[0], by_quarter={})
    found = stats.total_of(stats.Interval(each.value, each.low, each.high) for each in parts)
    return Hours(parts[0].unit, found.value, found.low, found.high, {})


def totals_of(hours: Iterable[Hours | None]) -> dict[str, Hours]:
    """The total of each unit that there is."""
    parts = [each for each in hours if each]
    by_unit = {unit: [each for each in parts if each.unit == unit] for unit in UNITS}
    return {unit: total(found) for unit, found in by_unit.items() if found}


def _counts(rows: Sequence[Row]) -> tuple[int, int, int]:
    """How many of the fixes have shipped, were judged, and improved what they should."""
    improved = sum(row.group in ("win", "faded") for row in rows)
    return sum(row.shipped is not None for row in rows), sum(row.found.state == "judged" for row in rows), improved


def _periods(
    rows: Sequence[Row], hours: Sequence[Hours], closed: Mapping[str, Closed], today: date, *, whole: bool
) -> Iterable[Period]:
    """Every quarter from the first with a fix or hours to the one of `today`."""
    days = [row.shipped for row in rows if row.shipped and row.shipped <= today]
    named = [*closed, *(quarter for each in hours for quarter in each.by_quarter)] if whole or hours else []
    quarters = [*map(Quarter.of, days), *map(Quarter.read, named)]
    if not quarters:
        return
    quarter, last = min(quarters), max(*quarters, Quarter.of(today))
    while quarter <= last:
        statement = closed.get(str(quarter))
        totals = totals_of(each.by_quarter.get(str(quarter)) for each in hours)
        if statement and whole:
            stated = statement.statement.totals
            totals = {each.unit: Hours(**each.model_dump(), by_quarter={}) for each in stated}
        inside = [row for row in rows if row.shipped and Quarter.of(row.shipped) == quarter]
        yield Period(quarter, totals, *_counts(inside), statement, today <= quarter.last)
        quarter = quarter.following


def discovery_of(rows: Iterable[Row]) -> Discovery:
    """Which of the claims of judged fixes stand at a false discovery rate of `FALSE_DISCOVERIES`.

    The family is all judgements: those that saw nothing are the ones that make a claim doubtful.
    """
    judged = {row.name: row for row in sorted(rows, key=lambda row: row.name) if row.found.pin}
    if not judged:
        return Discovery(judged=0)
    p = [min(1.0, max(0.0, row.found.pin.change.p)) for row in judged.values() if row.found.pin]
    adjusted = dict(zip(judged, false_discovery_control(p, method="bh").tolist(), strict=True))
    claimed = tuple(name for name, row in judged.items() if row.found.counts)
    fallen = tuple(name for name in claimed if adjusted[name] > FALSE_DISCOVERIES)
    return Discovery(judged=len(judged), claimed=claimed, fallen=fallen)


def discovery_words(found: Discovery, called: Callable[[str], str] = str) -> str:
    """How many claims stand, in words; `called` gives the words for a fix's `slug/id`."""
    if not found.judged:
        return "No fix has been judged yet."
    judged = "1 fix was judged" if found.judged == 1 else f"{found.judged} fixes were judged"
    count, fallen = len(found.claimed), len(found.fallen)
    if not count:
        return f"{judged}, and none is said to have changed anything."
    claimed = f"{judged}, and {count} of them {'is' if count == 1 else 'are'} said to have changed something."
    rate = f"a false discovery rate of {format_percent(FALSE_DISCOVERIES)} (Benjamini-Hochberg, over all judgements)"
    chance = "of such claims about one in twenty, at most, is chance"
    if not fallen:
        return f"{claimed} {'It stands' if count == 1 else f'All {count} stand'} at {rate}: {chance}."
    names = "; ".join(called(name) for name in found.fallen)
    return f"{claimed} {count - fallen} of {count} stand at {rate}: {chance}. Take as a maybe: {names}."


def _expectation(row: Row) -> Expectation | None:
    fix, pin = row.found.fix, row.found.pin
    if fix.expected is None or pin is None or (pin.verdict == "unusual" and not row.found.counts):
        return None
    gave = pin.change.effect / fix.expected if abs(fix.expected) >= LEAST_EXPECTED else None
    return Expectation(row, fix.expected, pin.change, gave)


def expected_words(found: Sequence[Expectation]) -> str:
    """How well was predicted, in words; empty where nothing was."""
    parts = [each.gave for each in found if each.gave is not None]
    if not parts:
        return ""
    met = sum(each.met for each in found)
    if len(parts) == 1:
        return f"The one fix that was judged and said what to expect gave {part_words(parts[0])}."
    did = f"{met} of {len(parts)} fixes did at least what was expected"
    held = f"in {sum(each.within for each in found)} of {len(found)} the expected change lies within what was measured"
    middle = f"; the median fix gave {part_words(median(parts))}" if len(parts) >= FEW else ""
    return f"{did}{middle}; {held}."


def part_words(gave: float) -> str:
    """The part of what was hoped for: `0.9 of what was hoped for`, `1.1 times what was hoped for`."""
    if gave < 0:
        return "a change the other way"
    if gave < 0.1:
        return "next to nothing of what was hoped for"
    return f"{gave:.1f} {'times' if gave > 1 else 'of'} what was hoped for"


def equivalents(totals: Mapping[str, Hours], rates: Rates) -> list[Equivalent]:
    """Each unit's hours at its rate, where it has one; they are never added up."""
    priced = {"user-hours": rates.people, "machine-hours": rates.machines}
    made = []
    for unit, rate in priced.items():
        hours = totals.get(unit)
        if hours and rate:
            each = rate.per_hour.value
            made.append(Equivalent(hours, rate, hours.value * each, hours.low * each, hours.high * each))
    return made
