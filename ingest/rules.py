"""What evidence must be before it may decide anything: the rules of a test, and what follows from it.

One observation proves nothing: a window is long enough to hold every day of the week, has
enough requests and few gaps, and the whole interval lies beyond a threshold that was
written before. The same rules are held when a test is evaluated and, from its pin alone,
whenever the story is checked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from ingest.pins import Between, Tested
from ingest.story import Test, Verdict, day_of
from ingest.units import format_percent

WINDOW_DAYS = 7
"""A window holds every day of the week."""
DAYS_BEFORE, DAYS_AFTER = 7, 5
"""What a change needs on its two sides."""
SIDES = f"at least {DAYS_BEFORE} and {DAYS_AFTER} are asked for"
HOURS_PRESENT = 0.8
REQUESTS = 1000
JUDGED_AFTER = 15
"""A fix is judged on this day after it shipped, once, whatever the numbers looked like on the way."""
STATED_BEFORE, STATED_AFTER = 28, 14
"""The days before and after a fix that its judgement looks at."""


@dataclass(frozen=True)
class Rule:
    """A rule with what it asks for and what was found."""

    name: str
    holds: bool
    asks: str
    found: str

    def __str__(self) -> str:
        return f"{self.name}: {self.found}, {self.asks}"


def rules_of(tested: Tested) -> Iterator[Rule]:
    """The rules about how much was looked at, which must hold before the threshold is asked."""
    if tested.test.kind == "change":
        days = tested.days_before >= DAYS_BEFORE and tested.days >= DAYS_AFTER
        found = f"{tested.days_before} days before and {tested.days} after"
        yield Rule("window", days, SIDES, found)
    else:
        found = f"{tested.days} day{'s' if tested.days != 1 else ''}"
        yield Rule("window", tested.days >= WINDOW_DAYS, f"at least {WINDOW_DAYS} are asked for", found)
    found = f"{format_percent(tested.hours_present)} of the hours are there"
    asks = f"at least {format_percent(HOURS_PRESENT)} are asked for"
    yield Rule("hours", tested.hours_present >= HOURS_PRESENT, asks, found)
    if tested.requests is not None:
        asks = f"at least {REQUESTS:,} are asked for"
        yield Rule("requests", tested.requests >= REQUESTS, asks, f"{tested.requests:,.0f} requests")


def threshold_rule(tested: Tested) -> Rule:
    """Whether the whole interval lies beyond the threshold."""
    low, high = (
        format_percent(each, signed=tested.test.kind != "share") for each in (tested.effect.low, tested.effect.high)
    )
    asks = f"all of it must be {'below' if falls(tested.test) else 'above'} {format_percent(tested.test.at_least)}"
    return Rule("threshold", beyond(tested.effect, tested.test), asks, f"the interval is {low} to {high}")


def verdict_of(tested: Tested) -> Verdict:
    """What follows from the numbers: confirmed or disproved by the whole interval, otherwise inconclusive."""
    if not all(rule.holds for rule in rules_of(tested)):
        return "inconclusive"
    if beyond(tested.effect, tested.test):
        return "confirmed"
    return "disproved" if short_of(tested.effect, tested.test) else "inconclusive"


def failed(tested: Tested) -> list[Rule]:
    """The rules that keep the test from being confirmed."""
    return [rule for rule in (*rules_of(tested), threshold_rule(tested)) if not rule.holds]


def falls(test: Test) -> bool:
    """Whether the threshold is one to fall below."""
    return test.at_least < 0


def beyond(effect: Between, test: Test) -> bool:
    """Whether the whole interval reaches the threshold."""
    return effect.high <= test.at_least if falls(test) else effect.low >= test.at_least


def short_of(effect: Between, test: Test) -> bool:
    """Whether the whole interval misses the threshold."""
    return effect.low > test.at_least if falls(test) else effect.high < test.at_least


def too_short(test: Test, zone: ZoneInfo) -> str:
    """Which rule a test's window cannot meet whatever the data is."""
    if test.kind == "change" and test.at:
        at = day_of(test.at, zone)
        before, after = (at - test.from_).days, (test.to - at).days
        enough = before >= DAYS_BEFORE and after >= DAYS_AFTER
        return "" if enough else f"window: {before} days before and {after} after, {SIDES}"
    days = (test.to - test.from_).days + 1
    return "" if days >= WINDOW_DAYS else f"window: {days} day{'s' * (days != 1)}, at least {WINDOW_DAYS} are asked for"


def is_over(test: Test, today: date) -> bool:
    """Whether the last day of the test's window has passed."""
    return today > test.to


def judged_on(shipped: date) -> date:
    """The one day on which a fix is judged."""
    return shipped + timedelta(days=JUDGED_AFTER)
