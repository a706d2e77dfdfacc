"""What could be won, and what that would take: each way to know it, and what cannot be known."""

from datetime import timedelta
from typing import Any

import pytest

from ingest.evidence import Facts
from ingest.worth import NotCountedError, Worth, cost_of, grade_of, worth_of
from tests.ingest.evidence.samples import values
from tests.ingest.options import SHARE, START, WINDOW, facts, hypothesis, pin, rows, series_text

CHANGE = {"change": "part", "at": "2026-09-10", "at_least": "-10 %", **WINDOW}
CONTRAST = {"contrast": "part", "against": "whole", "at_least": "10 %", **WINDOW}
CONFIRMED = (hypothesis(SHARE, "confirmed"),)


def confirmed(test: dict[str, Any], low: float, value: float, high: float, figure: str = "mean") -> Facts:
    """Stories of 100 hours a week in the page, and 40 in the lock."""
    found = pin(test, low, value, high, figure=figure)
    data = {"whole": rows(100), "part": rows(40)}
    return facts(hypotheses=(hypothesis(test, "confirmed"),), pins={"h1": found}, data=data)


def ends(worth: Worth) -> tuple[float, float | None, float]:
    return tuple(each if each is None else pytest.approx(each) for each in (worth.low, worth.likely, worth.high))  # type: ignore[return-value]


def test_share_of_the_whole() -> None:
    """A confirmed share of what a week takes is the most that fixing the component could give."""
    worth = worth_of(confirmed(SHARE, 0.5, 0.6, 0.7))
    assert ends(worth) == (50, 60, 70)
    assert worth.unit == "user-hours"
    assert worth.words == "about 60 user-hours a week (50 to 70)"
    assert "60 % of 100 user-hours a week of “The page” pass in “The lock”" in worth.made
    assert "4 weeks to 4 Oct 2026" in worth.made


def test_shares_of_one_whole_add_up() -> None:
    """Two components of one whole give both, and never more than all of it; one that is named twice counts once."""
    other = {**SHARE, "share": "other"}
    telemetry = tuple(series_text(name) for name in ("whole", "part", "other"))
    tests = (SHARE, other, SHARE)
    found = facts(
        telemetry=telemetry,
        hypotheses=tuple(hypothesis(test, "confirmed", f"h{n}") for n, test in enumerate(tests)),
        pins={f"h{n}": pin(test, 0.3, 0.4, 0.7) for n, test in enumerate(tests)},
    )
    assert ends(worth_of(found)) == (60, 80, 100)


def test_group_as_fast_as_the_other() -> None:
    """A group that takes a quarter more than another would win a fifth of its own time."""
    worth = worth_of(confirmed(CONTRAST, 0.0, 0.25, 1.0))
    assert ends(worth) == (0, 8, 20)
    assert "20 % of 40 user-hours a week of “The lock”, if it were as fast as “The page”" in worth.made


def test_the_other_group_is_the_slow_one() -> None:
    """Where the threshold is one to fall below, it is the other group that would win."""
    assert ends(worth_of(confirmed({**CONTRAST, "at_least": "-10 %"}, -0.4, -0.3, -0.2))) == (20, 30, 40)


def test_experiment() -> None:
    """What an experiment took away where it ran is as large a part of the goal's series."""
    worth = worth_of(confirmed(CHANGE, -0.3, -0.2, -0.1))
    assert ends(worth) == (10, 20, 30)
    assert "20 % of 100 user-hours a week of “The page”, as the experiment on “The lock” found" in worth.made


@pytest.mark.parametrize("test", [CHANGE, CONTRAST])
def test_a_quantile_gives_no_hours(test: dict[str, Any]) -> None:
    """What a test said of a p95 does not add up; then no more is known than all of the time."""
    worth = worth_of(confirmed(test, -0.3, -0.2, -0.1, figure="p95"))
    assert ends(worth) == (0, None, 100)
    assert "does not add up to hours" in worth.made


def test_nothing_confirmed() -> None:
    """Without a confirmed test it is between nothing and all of the time."""
    worth = worth_of(facts())
    assert ends(worth) == (0, None, 100)
    assert worth.words == "at most 100 user-hours a week"


def test_machines() -> None:
    """Where machines wait, their hours are counted."""
    assert worth_of(facts(telemetry=(series_text("whole", waiting="machines"),))).unit == "machine-hours"


def test_only_what_is_confirmed_counts() -> None:
    """A verdict that its pin does not bear out, or that was taken back, gives nothing."""
    inconclusive = pin(SHARE, 0.5, 0.6, 0.7, verdict="inconclusive")
    assert worth_of(facts(hypotheses=CONFIRMED, pins={"h1": inconclusive})).likely is None
    assert worth_of(facts(hypotheses=(hypothesis(SHARE),), pins={"h1": pin(SHARE, 0.5, 0.6, 0.7)})).likely is None


def test_a_fix_takes_its_share_away() -> None:
    """A share that was confirmed before a fix shipped says nothing of today, and the week is that after the fix."""
    before, after = rows(100, 2), rows(40, 2, START + timedelta(days=14))
    data = {"whole": before.combine_first(after)}
    shipped = "fixes: [{id: f1, shipped: 2026-09-20}]"
    found = facts(data=data, hypotheses=CONFIRMED, pins={"h1": pin(SHARE, 0.5, 0.6, 0.7)}, more=shipped)
    assert ends(worth_of(found)) == (0, None, 40)
    assert grade_of(found).name == "believed"


def test_part_of_a_week() -> None:
    """Of less than a week the days that are there are scaled; of more, whole weeks are averaged."""
    assert worth_of(facts(data={"whole": rows(70, 3 / 7)})).high == pytest.approx(70)
    longer = rows(900, 10 / 7).combine_first(rows(50, 4, START + timedelta(days=10)))
    assert worth_of(facts(data={"whole": longer})).high == pytest.approx(50)


def test_gaps_are_not_idle() -> None:
    """Hours without data count as the others did, unless the story says that nothing happened in them."""
    half = rows(100).iloc[::2]
    assert worth_of(facts(data={"whole": half})).high == pytest.approx(100)
    idle = (series_text("whole", allow_empty="true"),)
    assert worth_of(facts(telemetry=idle, data={"whole": half})).high == pytest.approx(50, rel=0.01)


@pytest.mark.parametrize(
    ("kind", "unit", "why"),
    [("latency", "s", "not for how many"), ("gauge", "e-mails", "how much there is"), ("ratio", "%", "is a ratio"),
     ("total", "e-mails", "counts e-mails, not time")],
)  # fmt: skip
def test_what_does_not_count_time(kind: str, unit: str, why: str) -> None:
    """A series that counts nobody's time is too little data, with the reason, and not zero."""
    found = facts(telemetry=(series_text("whole", kind, unit=f'"{unit}"'),), data={"whole": values([1.0] * 700, START)})
    with pytest.raises(NotCountedError, match=why) as caught:
        worth_of(found)
    assert caught.value.needed


@pytest.mark.parametrize(
    ("made", "why"),
    [({"telemetry": ()}, "No series counts"), ({"hours": None}, "no data of “The page” yet"),
     ({"data": {"whole": rows(10, 1 / 14)}}, "less than a day"), ({"data": {"whole": rows(0)}}, "counts nobody"),
     ({"data": {"whole": rows(1).drop(columns="sum")}}, "lacks the sum")],
)  # fmt: skip
def test_too_little_data(made: dict[str, Any], why: str) -> None:
    """Without a series, its data, its sum or anybody in it, it is said what is missing."""
    with pytest.raises(NotCountedError, match=why):
        worth_of(facts(**made))


def test_time_as_a_total() -> None:
    """A total of hours adds up as well."""
    found = facts(telemetry=(series_text("whole", "total", unit="h"),), data={"whole": values([2.0] * 672, START)})
    assert worth_of(found).high == pytest.approx(336)


def test_effort() -> None:
    """An effort is in working days, and probably the geometric mean of its ends; nothing takes no time."""
    cost = cost_of(facts(effort="2d-8d"))
    assert cost is not None
    assert [cost.low, cost.likely, cost.high] == pytest.approx([2, 4, 8])
    free = cost_of(facts(effort="0h-1d"))
    assert free is not None
    assert free.low > 0
    assert cost_of(facts()) is None


def test_grades() -> None:
    """Evidence is tested, believed, seen, or only reported."""
    assert grade_of(confirmed(SHARE, 0.5, 0.6, 0.7)).name == "tested"
    assert grade_of(facts(hypotheses=(hypothesis({**SHARE, "to": "2026-11-20"}),))).name == "believed"
    assert grade_of(facts(hypotheses=(hypothesis(None),))).name == "believed"
    assert grade_of(facts(hypotheses=(hypothesis(SHARE, "disproved"),), effort="1d")).name == "seen"
    assert grade_of(facts()).name == "reported"
