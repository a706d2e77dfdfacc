"""What evidence must be before it may decide anything."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingest.rules import failed, is_over, judged_on, rules_of, threshold_rule, too_short, verdict_of
from tests.ingest.evidence.samples import BERLIN, UTC_ZONE
from tests.ingest.evidence.weeks import statement, written

FALLS = written(change="canary", at="2026-08-10", at_least="-20 %")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.51, 0.7, "confirmed"),
        (0.5, 0.7, "confirmed"),
        (0.49999, 0.7, "inconclusive"),
        (0.3, 0.5, "inconclusive"),
        (0.3, 0.49999, "disproved"),
        (0.5, 0.5, "confirmed"),
        (0.0, 0.0, "disproved"),
    ],
)
def test_a_threshold_to_reach(low: float, high: float, verdict: str) -> None:
    """The whole interval at or above the threshold confirms, the whole of it below disproves."""
    assert verdict_of(statement(low, high)) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.4, -0.21, "confirmed"),
        (-0.4, -0.2, "confirmed"),
        (-0.4, -0.19999, "inconclusive"),
        (-0.2, 0.1, "inconclusive"),
        (-0.19999, 0.1, "disproved"),
        (0.1, 0.4, "disproved"),
    ],
)
def test_a_threshold_to_fall_below(low: float, high: float, verdict: str) -> None:
    """Of a fall, the whole interval at or below the threshold confirms, the whole of it above disproves."""
    assert verdict_of(statement(low, high, test=FALLS, days=14, days_before=28)) == verdict


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"days": 6}, "window"),
        ({"days": 1}, "window"),
        ({"hours_present": 0.7999}, "hours"),
        ({"requests": 999.9}, "requests"),
        ({"low": 0.49}, "threshold"),
        ({"test": FALLS, "low": -0.4, "high": -0.3, "days_before": 6}, "window"),
        ({"test": FALLS, "low": -0.4, "high": -0.3, "days_before": 7, "days": 4}, "window"),
    ],
)
def test_each_rule_alone(changed: dict[str, Any], rule: str) -> None:
    """A rule that fails alone makes the test inconclusive, and is named."""
    made = statement(**changed)
    assert verdict_of(made) == "inconclusive"
    assert [each.name for each in failed(made)] == [rule]


@pytest.mark.parametrize(
    "changed",
    [
        {"days": 7, "hours_present": 0.8, "requests": 1000.0, "low": 0.5},
        {"requests": None},
        {"test": FALLS, "low": -0.4, "high": -0.3, "days_before": 7, "days": 5},
    ],
)
def test_what_is_just_enough(changed: dict[str, Any]) -> None:
    """What a rule asks for is enough; where requests are not counted, none are asked for."""
    made = statement(**changed)
    assert verdict_of(made) == "confirmed"
    assert failed(made) == []


def test_too_little_data_disproves_nothing() -> None:
    """An interval that falls short is no disproof where a rule is broken."""
    assert verdict_of(statement(0.1, 0.2)) == "disproved"
    assert verdict_of(statement(0.1, 0.2, requests=10.0)) == "inconclusive"


def test_the_words_of_rules() -> None:
    """A rule says what was found, and then what is asked for."""
    assert [str(rule) for rule in (*rules_of(statement(days=1)), threshold_rule(statement(0.45, 0.75)))] == [
        "window: 1 day, at least 7 are asked for",
        "hours: 100 % of the hours are there, at least 80 % are asked for",
        "requests: 5,000 requests, at least 1,000 are asked for",
        "threshold: the interval is 45 % to 75 %, all of it must be above 50 %",
    ]
    falling = statement(-0.3, 0.1, test=FALLS, days=14, days_before=28)
    assert str(next(rules_of(falling))) == "window: 28 days before and 14 after, at least 7 and 5 are asked for"
    assert str(threshold_rule(falling)) == "threshold: the interval is −30 % to +10 %, all of it must be below −20 %"


@pytest.mark.parametrize(
    ("test", "zone", "rule"),
    [
        ({"share": "a", "of": "b", "to": "2026-08-09"}, UTC_ZONE, ""),
        ({"share": "a", "of": "b", "to": "2026-08-08"}, UTC_ZONE, "window: 6 days, at least 7 are asked for"),
        ({"share": "a", "of": "b", "to": "2026-08-03"}, UTC_ZONE, "window: 1 day, at least 7 are asked for"),
        ({"change": "a", "at": "2026-08-10", "to": "2026-08-15"}, UTC_ZONE, ""),
        (
            {"change": "a", "at": "2026-08-09", "to": "2026-08-15"},
            UTC_ZONE,
            "window: 6 days before and 6 after, at least 7 and 5 are asked for",
        ),
        (
            {"change": "a", "at": "2026-08-11", "to": "2026-08-15"},
            UTC_ZONE,
            "window: 8 days before and 4 after, at least 7 and 5 are asked for",
        ),
        ({"change": "a", "at": "2026-08-09T22:30Z", "to": "2026-08-15"}, BERLIN, ""),
    ],
)
def test_windows_that_are_too_short(test: dict[str, str], zone: ZoneInfo, rule: str) -> None:
    """A window of which no data could make enough is known beforehand; the day of a change is on neither side."""
    assert too_short(written(**test), zone) == rule


def test_the_end_of_a_window() -> None:
    """A window is over on the day after its last one."""
    test = written(share="a", of="b")
    assert not is_over(test, date(2026, 8, 16))
    assert is_over(test, date(2026, 8, 17))


def test_the_day_of_judgement() -> None:
    """It is the fifteenth day after the fix, when fourteen whole days have passed."""
    assert judged_on(date(2026, 8, 31)) == date(2026, 9, 15)
