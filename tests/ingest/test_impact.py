from dataclasses import replace
from datetime import date

import pytest

from ingest.closed import Closed, Discovery, Quarter, StatedFix, StatedHours, Statement
from ingest.evidence import Facts, FixFacts
from ingest.impact import Overview, discovery_words, equivalents, expected_words, overview, total
from ingest.settings import Rates, read_settings
from tests.ingest.impacts import TODAY, change, disproved, facts, fix, hours, judged

WIN = fix("win", judged(), hours=hours(100), standing="held", expected="-20 %", took="4d")


def seen(*stories: Facts, closed: dict[str, Closed] | None = None, area: str = "") -> Overview:
    return overview(stories, closed or {}, TODAY, area)


def stated(name: str = "win", value: float = 80, slug: str = "slow") -> dict[str, Closed]:
    """The third quarter as it was closed with one fix."""
    told = StatedHours(unit="user-hours", value=value, low=value - 10, high=value + 10)
    each = StatedFix(
        story=slug, fix=name, shipped=date(2026, 9, 10), judged=date(2026, 9, 25), verdict="improved", figure="p95",
        change=change(), counts=True, hours=told,
    )  # fmt: skip
    said = Statement(
        stated=date(2026, 10, 20), method="1", fixes=(each,), totals=(told,), discovery=Discovery(judged=1)
    )
    return {"2026Q3": Closed(format=1, quarter="2026Q3", statement=said)}


@pytest.mark.parametrize(
    ("found", "group"),
    [
        (fix("a", judged(), standing="held"), "win"),
        (fix("a", judged()), "win"),
        (fix("a", judged(), standing="eroded"), "faded"),
        (fix("a", judged(), standing="regressed"), "faded"),
        (fix("a", judged("regressed")), "regression"),
        (fix("a", judged("undetected")), "undetected"),
        (fix("a", judged("unusual")), "unusual"),
        (fix("a", judged("unusual"), accept="We saw why"), "unusual"),
        (fix("a", state="due"), "due"),
        (fix("a", state="preliminary"), "preliminary"),
        (fix("a", state="waiting"), "waiting"),
        (fix("a", state="unmeasured"), "unmeasured"),
        (fix("a", state="planned", shipped=None), "planned"),
    ],
)
def test_every_fix_has_one_group(found: FixFacts, group: str) -> None:
    """What became of a fix decides where it stands, and it stands there once."""
    assert [row.group for row in seen(facts("slow", found)).rows] == [group]


def test_nothing() -> None:
    """A knowledge base without stories has no totals, no quarters and no claims."""
    found = seen()
    assert (found.rows, found.totals, found.periods, found.areas, found.disproved) == ((), {}, (), (), ())
    assert discovery_words(found.discovery) == "No fix has been judged yet."
    assert expected_words(found.expectations) == ""


def test_units_stand_apart() -> None:
    """Hours of people and hours of machines are never added up."""
    machine = fix("job", judged(), hours=hours(50, unit="machine-hours"))
    found = seen(facts("slow", WIN, machine))
    assert {unit: each.value for unit, each in found.totals.items()} == {"user-hours": 100, "machine-hours": 50}
    with pytest.raises(ValueError, match="different units"):
        total([hours(1), hours(1, unit="machine-hours")])


def test_a_total_is_narrower_than_the_sum_of_the_ends() -> None:
    """The interval of a total is drawn from its parts: wider than any of them, and narrower than their ends' sum."""
    found = seen(*(facts(f"story-{n}", WIN) for n in range(4))).totals["user-hours"]
    assert found.value == pytest.approx(400)
    assert 400 - 80 < found.low < 400 - 20
    assert 400 + 20 < found.high < 400 + 80


def test_one_fix_is_its_own_total() -> None:
    """The total of one fix is that fix's own figure, to the last digit."""
    found = seen(facts("slow", WIN)).totals["user-hours"]
    assert (found.value, found.low, found.high) == (100, 80, 120)


def test_a_regression_is_taken_off() -> None:
    """What was made slower costs hours, and the total says so."""
    worse = fix("worse", judged("regressed", change(0.2)), hours=hours(-30))
    assert seen(facts("slow", WIN, worse)).totals["user-hours"].value == pytest.approx(70)


def test_what_does_not_count_has_no_hours() -> None:
    """An improvement against an unusual week is in no total until it is accepted."""
    doubted = fix("a", judged("unusual"), hours=hours(40))
    assert seen(facts("slow", doubted)).totals == {}
    accepted = fix("a", judged("unusual"), hours=hours(40), accept="The incident was elsewhere")
    assert seen(facts("slow", accepted)).totals["user-hours"].value == 40


def test_a_story_that_repeats_another_is_not_counted() -> None:
    """A problem that is told twice is counted once."""
    twice = facts("slow-again", WIN, front="same_as: slow")
    assert [row.name for row in seen(facts("slow", WIN), twice).rows] == ["slow/win"]


def test_quarters_without_gaps() -> None:
    """Every quarter from the first to today's is listed, with what shipped in it, and the last one is running."""
    early = fix("early", judged(), shipped="2026-02-10", hours=hours(30, {"2026Q1": 10, "2026Q3": 20}))
    found = seen(facts("slow", early, WIN, fix("new", state="waiting", shipped="2026-10-30"))).periods
    assert [str(each.quarter) for each in found] == ["2026Q1", "2026Q2", "2026Q3", "2026Q4"]
    assert [(each.shipped, each.judged, each.improved) for each in found] == [
        (1, 1, 1),
        (0, 0, 0),
        (1, 1, 1),
        (1, 0, 0),
    ]
    assert [each.totals["user-hours"].value if each.totals else None for each in found] == [10, None, 120, None]
    assert [each.running for each in found] == [False, False, False, True]


def test_a_closed_quarter_is_not_computed_again() -> None:
    """The hours of a closed quarter are those that were stated, whatever the data says today."""
    live = replace(WIN, hours=hours(150, {"2026Q3": 100, "2026Q4": 50}))
    found = seen(facts("slow", live), closed=stated())
    assert found.periods[0].totals["user-hours"].value == 80
    assert found.rows[0].hours is not None
    assert {name: each.value for name, each in found.rows[0].hours.by_quarter.items()} == {"2026Q3": 80, "2026Q4": 50}
    assert found.totals["user-hours"].value == 130


def test_a_clone_without_a_store() -> None:
    """Without data the stated hours of closed quarters are there, and the fix is named as lacking data otherwise."""
    bare = facts("slow", replace(WIN, hours=None), rows=[])
    row = seen(bare).rows[0]
    assert (row.hours, row.needs_data, row.why_no_hours) == (None, True, "there is no data of it here")
    assert seen(bare, closed=stated()).totals["user-hours"].value == 80


def test_a_fix_that_is_gone_stays_in_its_quarter() -> None:
    """What was stated of a story that was removed since stays in the totals, and not in those of an area."""
    found = seen(facts("slow", WIN, front="area: lists"), closed=stated("gone"))
    assert found.totals["user-hours"].value == 80, "WIN was not stated of the closed quarter"
    assert seen(facts("slow", WIN, front="area: lists"), closed=stated("gone"), area="lists").totals == {}


def test_why_there_are_no_hours() -> None:
    """A win without hours says why, or else that its data is not here."""
    told = replace(fix("a", judged(mean=None)), uncounted="its series knows no mean")
    assert seen(facts("slow", told)).rows[0].why_no_hours == "its series knows no mean"
    assert seen(facts("slow", fix("a", judged()))).rows[0].why_no_hours == "there is no data of it here"


def test_areas() -> None:
    """Areas are listed by name with their totals, and what is not sorted comes last."""
    found = seen(facts("slow", WIN), facts("b", WIN, front="area: lists"), facts("c", WIN, front="area: exports")).areas
    assert [(each.area, each.shipped, each.judged, each.improved) for each in found] == [
        ("exports", 1, 1, 1), ("lists", 1, 1, 1), (None, 1, 1, 1),
    ]  # fmt: skip
    only = seen(facts("slow", WIN), facts("b", WIN, front="area: lists"), area="lists")
    assert [row.name for row in only.rows] == ["b/win"]


def test_disproved_beliefs() -> None:
    """A disproved hypothesis is listed with what the data said."""
    told = "hypotheses: [{id: h1, because: The disk is slow, written: 2026-08-30, verdict: disproved}]"
    found = seen(facts("slow", front=told, tests=(disproved(),))).disproved
    assert [(each.hypothesis.because, each.found is not None) for each in found] == [("The disk is slow", True)]


def test_what_fixes_took() -> None:
    """Working days are added up as ranges; fixes of which nobody said are counted."""
    found = seen(facts("slow", WIN, fix("b", judged(), took="1d-3d"), fix("c", judged())))
    took = found.took(found.judged)
    assert (took.low, took.high, took.fixes, took.unknown) == (5, 7, 3, 1)


THREE = (
    "1 of 3 fixes did at least what was expected; the median fix gave 0.9 of what was hoped for;"
    " in 2 of 3 the expected change lies within what was measured."
)


def predicted(*pairs: tuple[str, float]) -> str:
    fixes = [fix(f"f{n}", judged(of=change(effect)), expected=expected) for n, (expected, effect) in enumerate(pairs)]
    return expected_words(seen(facts("slow", *fixes)).expectations)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("-20 %", -0.2)], "The one fix that was judged and said what to expect gave 1.0 of what was hoped for."),
        ([("-20 %", 0.1)], "The one fix that was judged and said what to expect gave a change the other way."),
        (
            [("-20 %", -0.25), ("-50 %", -0.3)],
            "1 of 2 fixes did at least what was expected; in 1 of 2 the expected change lies within what was measured.",
        ),
        (
            [("-20 %", -0.25), ("-50 %", -0.45), ("30 %", 0.15)],
            THREE,
        ),
        ([("0 %", -0.2)], ""),
    ],
)
def test_expected_against_measured(pairs: list[tuple[str, float]], words: str) -> None:
    """What was hoped for is compared in words that suit how few fixes there are."""
    assert predicted(*pairs) == words


def test_doubted_fixes_say_nothing_of_predictions() -> None:
    """What may have healed by itself is not held against what was expected."""
    assert seen(facts("slow", fix("a", judged("unusual"), expected="-20 %"))).expectations == ()


def test_false_discoveries() -> None:
    """A claim that would stand alone falls in a family of many that saw nothing, and is named."""
    strong = fix("strong", judged(of=change(p=1e-6)))
    weak = fix("weak", judged(of=change(p=0.04)))
    nothing = [fix(f"n{number}", judged("undetected", change(p=0.5))) for number in range(6)]
    found = seen(facts("slow", strong, weak, *nothing)).discovery
    assert (found.judged, found.claimed, found.fallen) == (8, ("slow/strong", "slow/weak"), ("slow/weak",))
    words = discovery_words(found, str.upper)
    assert words.startswith("8 fixes were judged, and 2 of them are said to have changed something. 1 of 2 stand at")
    assert words.endswith("Take as a maybe: SLOW/WEAK.")


def test_a_tail_probability_out_of_range() -> None:
    """A rounding below zero, or a pin that was edited, is no traceback."""
    odd = [fix("a", judged(of=change(p=-4e-16))), fix("b", judged(of=change(p=3)))]
    assert seen(facts("slow", *odd)).discovery.fallen == ("slow/b",)


def test_claims_of_nothing() -> None:
    """Where nothing is claimed, that is said."""
    found = seen(facts("slow", fix("a", judged("undetected", change(p=0.5))))).discovery
    assert discovery_words(found) == "1 fix was judged, and none is said to have changed anything."


def test_methods_are_counted() -> None:
    """How many judgements each version of the method made is known."""
    found = seen(facts("slow", fix("a", judged(method="0")), fix("b", judged()), fix("c", judged())))
    assert found.methods() == {"0": 1, "1": 2}


def test_equivalents_stand_apart() -> None:
    """Each unit has an equivalent at its own rate, with the interval of its hours; one without a rate has none."""
    settings, _, problems = read_settings(b"rates: {people: {per_hour: 60 EUR, as_of: 2026-09-01}}")
    assert problems == []
    totals = seen(facts("slow", WIN, fix("job", judged(), hours=hours(50, unit="machine-hours")))).totals
    found = equivalents(totals, settings.rates)
    assert [(each.value, each.low, each.high, each.currency) for each in found] == [(6000, 4800, 7200, "EUR")]
    assert equivalents(totals, Rates()) == []


@pytest.mark.parametrize("price", ["60", "60 %", "-5 EUR", "0 EUR", "60 s", "60 euros"])
def test_a_rate_is_a_price(price: str) -> None:
    """A rate without a currency, or of nothing, is a mistake."""
    problems = read_settings(f"rates: {{people: {{per_hour: {price}, as_of: 2026-09-01}}}}".encode())[2]
    assert [each.code for each in problems] == ["PK103"]


def test_quarters_of_the_calendar() -> None:
    """A quarter has its first and last day, and one that follows."""
    last = Quarter.read("2026Q4")
    assert (str(last.first), str(last.last), str(last.following)) == ("2026-10-01", "2026-12-31", "2027Q1")
    assert str(Quarter.of(date(2026, 9, 30))) == "2026Q3"
    for wrong in ("2026Q5", "2026q3", "Q3", "0000Q1", "2026Q3 ", ""):
        with pytest.raises(ValueError, match="is not a quarter"):
            Quarter.read(wrong)
