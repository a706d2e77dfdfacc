"""Bands, their reasons, and what to look at next."""

import random
from time import perf_counter

import pytest

from ingest.evidence import Facts
from ingest.priorities import Option, Priorities, priorities
from tests.ingest.options import SHARE, facts, hypothesis, series_text, shared

MACHINES = (series_text("whole", waiting="machines"), series_text("part"))


def bands(found: Priorities) -> list[list[str]]:
    return [[option.slug for option in band] for band in found.bands]


def option(found: Priorities, slug: str) -> Option:
    return next(each for each in found.options if each.slug == slug)


def test_nothing() -> None:
    """A knowledge base without open stories has no bands, and nothing to look at."""
    shipped = facts("done", status="shipped")
    again = facts("again", more="same_as: slow")
    for stories in ([], [shipped, again]):
        found = priorities(stories)
        assert not found.options
        assert not found.looks


def test_bands() -> None:
    """A story is behind the stories that give more for less, and the reason names one of them."""
    found = priorities([shared("best", 100, "2d"), shared("small", 10, "1d"), shared("dear", 90, "4d"),
                        shared("worse", 50, "5d")])  # fmt: skip
    assert bands(found) == [["small", "best"], ["dear"], ["worse"]]
    assert option(found, "best").why == "Nothing else gives more for less."
    assert option(found, "dear").why == "“Best” gives more for less."
    assert option(found, "worse").by == "best"


@pytest.mark.parametrize(
    ("hours", "effort", "words"), [(50, "2d", "more for as much work"), (100, "4d", "as much for less work")]
)
def test_even_in_one_number(hours: float, effort: str, words: str) -> None:
    """Where one number is the same, the reason does not claim two."""
    found = priorities([shared("best", 100, "2d"), shared("other", hours, effort)])
    assert option(found, "other").why == f"“Best” gives {words}."


def test_equals_share_a_band() -> None:
    """Two stories with the same numbers are in the same band."""
    assert bands(priorities([shared("b", 10, "1d"), shared("a", 10, "1d")])) == [["a", "b"]]


def test_overlapping_intervals_are_said() -> None:
    """Where the intervals of both numbers overlap, it may be the other way round; where one is apart, not."""
    wide, narrow = (shared("other", 80, effort, spread=1.5) for effort in ("2d-8d", "7d-8d"))
    best = shared("best", 100, "1d-4d", spread=1.5)
    assert option(priorities([best, wide]), "other").why.endswith("so it may be the other way round.")
    assert "round" not in option(priorities([best, narrow]), "other").why


def test_a_sure_reason_is_preferred() -> None:
    """Of those that give more for less, the one is named that surely does."""
    found = priorities([shared("a", 100, "1d-6d"), shared("b", 70, "1d"), shared("c", 60, "2d-8d", spread=1.9)])
    assert option(found, "c").by == "b"
    assert "round" not in option(found, "c").why


def test_units_are_never_compared() -> None:
    """A thousand machine-hours are not before one user-hour."""
    found = priorities([shared("people", 1, "5d"), shared("machines", 1000, "1d", telemetry=MACHINES)])
    assert bands(found) == [["people", "machines"]]
    assert option(found, "people").why == (
        "It is the only one with both numbers in user-hours, so nothing else gives more for less."
    )


def test_the_band_may_not_last() -> None:
    """The first band says how many stories that lack a number could push a story out of it."""
    found = priorities([shared("known", 10, "2d"), shared("small", 5, "1d"), facts("open", hours=50, effort="1d"),
                        facts("later", hours=50, effort="9d"), facts("unpriced", hours=9)])  # fmt: skip
    assert option(found, "known").why == "Nothing else gives more for less; 1 that lacks a number might."
    assert option(found, "small").why == "Nothing else gives more for less; 2 that lack a number might."


def test_groups_of_what_is_not_known() -> None:
    """What lacks a number is told apart, and nothing is scored zero."""
    found = priorities([facts("untested", effort="1d"), shared("unpriced", 10), facts("uncounted", hours=None)])
    assert [each.slug for each in found.untested] == ["untested"]
    assert [each.slug for each in found.unpriced] == ["unpriced"]
    assert [each.slug for each in found.uncounted] == ["uncounted"]
    assert found.unpriced[0].why == "Nobody has said what a fix would take: run a timebox."
    assert found.uncounted[0].worth is None
    assert "no data" in found.uncounted[0].missing
    assert found.uncounted[0].needed


@pytest.mark.parametrize(
    ("story", "words"),
    [
        (facts(hypotheses=(hypothesis({**SHARE, "to": "2026-11-08"}),)), "The test of h1 ends on 8 Nov 2026."),
        (facts(hypotheses=(hypothesis(SHARE),)), "The window of the test of h1 is over: decide it."),
        (facts(hypotheses=(hypothesis(None),)), "h1 is believed and has no test: write one."),
        (facts(hypotheses=(hypothesis(SHARE, "disproved"),)), "No belief stands"),
        (facts(effort="1d"), "A timebox has looked"),
        (facts(), "Nobody has looked at why: run a timebox."),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_next_steps(story: Facts, words: str) -> None:
    """An untested story says what would tell."""
    assert priorities([story]).untested[0].why.startswith(words)


def test_looks() -> None:
    """Worth a look is what could turn out best: most first, three at most, and nothing that is in work."""
    chosen = "chosen: {date: 2026-09-03, because: It hurts.}"
    untested = [facts(f"u{hours}", hours=hours, effort="2d") for hours in (20, 30, 40, 5)]
    found = priorities([shared("known", 10, "2d"), *untested, facts("busy", hours=900, effort="1d", more=chosen)])
    assert [look.option.slug for look in found.looks] == ["u40", "u30", "u20"]
    assert found.looks[0].why.startswith("If all of its 40 user-hours a week could be saved, nothing else would give")


def test_a_rough_effort_is_worth_a_look() -> None:
    """A story behind another one that could be before it, by an effort that is known only roughly, is named."""
    found = priorities([shared("best", 100, "3d"), shared("rough", 90, "1d-16d"), shared("sure", 80, "4d-5d")])
    assert [look.option.slug for look in found.looks] == ["rough"]
    assert "known only roughly" in found.looks[0].why


def test_no_effort_is_worth_a_look_where_it_wins_most() -> None:
    """Without an effort, a story is named if nothing with both numbers gives as much."""
    found = priorities([shared("known", 100, "2d"), shared("more", 120), shared("less", 60), facts("maybe", hours=150)])
    assert [look.option.slug for look in found.looks] == ["maybe", "more"]
    assert "run a timebox" in found.looks[1].why


def test_hundreds() -> None:
    """Hundreds of stories take no noticeable time, and every one is behind a story that gives more for less."""
    chance = random.Random(7)  # noqa: S311  # made-up numbers
    sample = [shared(f"s{n}", chance.uniform(1, 90), f"{chance.randint(1, 30)}d") for n in range(20)]
    stories = sample * 20
    begun = perf_counter()
    found = priorities(stories)
    assert perf_counter() - begun < 10
    assert len(found.options) == len(stories)
    points = {each.slug: each.point for each in found.options}
    for each in found.options:
        if each.by:
            (days, hours), (took, gave) = points[each.slug], points[each.by]
            assert took <= days
            assert gave >= hours
