"""How verdicts read on a page."""

import re
from dataclasses import replace
from datetime import UTC, date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from ingest.evidence import FixFacts, Hours, SeriesFacts
from ingest.evidence import TestFacts as FactsOfTest
from ingest.pins import Between, Change, Judged
from ingest.story import Hypothesis
from macros import verdicts
from macros.html import environment
from tests.ingest.evidence.weeks import FIRST, fix, histograms, judged, known, levels, named, statement, written

HOSTILE = '<script>alert("x")</script>{{ 7 * 7 }}'
NOW = FIRST + timedelta(days=73)


def words(html: object) -> str:
    """What a reader sees."""
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", "", str(html))).strip()


@pytest.fixture(scope="module")
def series() -> SeriesFacts:
    return named("requests", histograms(levels((28, 1.0), (45, 0.6))), "histogram")


@pytest.fixture(scope="module")
def pin(series: SeriesFacts) -> Judged:
    return judged(series, quantile=0.95)


def of(facts: FixFacts) -> str:
    """The card of a fix."""
    made = environment().from_string('{% from "fix.html" import card %}{{ card(site, facts, fix, "", "../") }}')
    about = SimpleNamespace(fixes={facts.fix.id: facts}, slug="slow")
    site = SimpleNamespace(ticket=lambda ticket: ticket)
    return made.render(site=site, facts=about, fix=facts.fix)


def card(**asked: Any) -> str:
    return words(of(known(**asked) if "series" not in asked else known(asked.pop("series"), **asked)))


# -- badges


@pytest.mark.parametrize(
    ("state", "badge"),
    [
        ("planned", "Not shipped yet"),
        ("unmeasured", "Not measured"),
        ("waiting", "Not measured yet"),
        ("preliminary", "Preliminary"),
        ("due", "Due to be judged"),
    ],
)
def test_states(state: Any, badge: str, pin: Judged) -> None:
    """What is not judged has the badge of its state, however good its numbers are."""
    assert words(verdicts.outcome(FixFacts(fix(), state, live=pin))) == badge


@pytest.mark.parametrize(
    ("verdict", "accept", "badge"),
    [
        ("improved", None, "Improved"),
        ("regressed", None, "Regressed"),
        ("undetected", None, "No detectable change"),
        ("undetected", "we know", "No detectable change"),
        ("unusual", None, "Improved, but the week before was unusual"),
        ("unusual", "we know", "Improved, accepted with a reason"),
    ],
)
def test_outcomes(verdict: str, accept: str | None, badge: str, pin: Judged) -> None:
    """A verdict is told whole: who accepted a doubt is told as well."""
    facts = FixFacts(fix(accept=accept), "judged", pin=pin.model_copy(update={"verdict": verdict}))
    assert words(verdicts.outcome(facts)) == badge


def test_standings() -> None:
    """Whether a gain holds is told where it is known."""
    told = [words(verdicts.standing(FixFacts(fix(), "judged", standing=each))) for each in (None, "held", "eroded")]
    assert told == ["", "The gain holds", "The gain eroded"]
    assert words(verdicts.standing(FixFacts(fix(), "judged", standing="regressed"))) == "The gain gone"


# -- numbers


def test_changes() -> None:
    """A change has its sign and its interval, and two digits."""
    change = Change(effect=-0.4444, low=-0.505, high=-0.377, p=0, detectable=0.1, days_before=28, days_after=14)
    assert words(verdicts.change(change)) == "−44 % between −51 % and −38 %"
    assert 'value="-0.4444"' in verdicts.change(change)
    assert words(verdicts.change(Between(value=0.0, low=-0.01, high=4.2))) == "0 % between −1 % and +420 %"


def test_shares_and_thresholds() -> None:
    """A share has no sign, everything else has one."""
    assert words(verdicts.effect(statement(0.6, 0.7))) == "65 % between 60 % and 70 %"
    assert verdicts.threshold(statement()) == "50 %"
    contrast = statement(0.6, 0.7, test=written(contrast="part", against="whole"))
    assert words(verdicts.effect(contrast)) == "+65 % between +60 % and +70 %"
    assert verdicts.threshold(contrast) == "+50 %"


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        ((1240.4, 980.2, 1509.6), "1,240 user-hours between 980 and 1,510"),
        ((0.4, 0.1, 0.7), "0 user-hours between 0 and 1"),
        ((98.3, 70.5, 123456.0), "98 user-hours between 70 and 123,000"),
        ((-30.0, -52.0, -11.0), "30 user-hours lost between 11 and 52"),
    ],
)
def test_hours(hours: tuple[float, float, float], told: str) -> None:
    """Hours have no more digits than anybody could know, and what was lost is called so."""
    assert words(verdicts.hours(Hours("user-hours", *hours, {}))) == told


def test_from_and_to(pin: Judged) -> None:
    """Before and after are in one unit."""
    made = pin.model_copy(update={"before": 1.5, "after": 0.04})
    assert words(verdicts.from_to(made)) == "from 1.5 s to 0.04 s"


def test_an_older_method(pin: Judged) -> None:
    """What another version of the method stated is told."""
    assert not verdicts.outdated(pin)
    assert verdicts.outdated(pin.model_copy(update={"method": "0"}))


# -- a fix's card


def test_a_judged_fix(series: SeriesFacts, pin: Judged) -> None:
    """A fix says what was found, what was hoped for, what it saved, and whether it holds."""
    told = card(series=series, pin=pin, now=NOW, quantile=0.95, expected="-50 %")
    assert re.match(r"Improved The gain holds f The p95 of Requests went from 2\.3 s to 1\.38 s: −\d\d % between", told)
    assert "Expected was −50 %." in told
    assert re.search(r"Saved so far: [\d,]+ user-hours between", told)
    assert "Watched for 30 days since it was judged: the gain holds." in told
    assert "nothing: no control was named" in told


@pytest.mark.parametrize("verdict", ["improved", "undetected"])
def test_what_was_expected_is_told_once(series: SeriesFacts, pin: Judged, verdict: str) -> None:
    """Beside what was measured stands what was expected; before there is anything to compare, the line below has it."""
    found = pin.model_copy(update={"verdict": verdict})
    told = card(series=series, pin=found, now=NOW, quantile=0.95, expected="-50 %")
    assert told.count("−50") == 1
    assert "Expected was −50 %. " in told
    planned = words(of(FixFacts(fix(shipped=None, expected="-50 %"), "planned")))
    assert planned.count("−50") == 1
    assert "Expected change: −50 %." in planned


@pytest.mark.parametrize(
    ("whole", "parts", "seen"),
    [
        (454.564, [251.199, 203.365], "454"),
        (455.0, [252.0, 203.0], ""),
        (1.2, [0.6, 0.6], "2"),
        (-1.2, [-0.6, -0.6], "−2"),
        (455.0, [251.4, 180.0], ""),
        (0.0, [], ""),
    ],
)
def test_what_rounded_parts_seem_to_be(whole: float, parts: list[float], seen: str) -> None:
    """Only where rounding alone makes the parts come to another number than the whole is that number told."""
    assert verdicts.seeming(whole, parts) == seen


def test_a_preliminary_fix(series: SeriesFacts) -> None:
    """Numbers of before the day of judgement are called what they are, and no hours stand beside them."""
    young = replace(series, rows=series.rows[: 24 * 35])
    told = card(series=young, now=FIRST + timedelta(days=35), quantile=0.95)
    assert told.startswith("Preliminary")
    assert "So far, and not to be relied on until it is judged on 15 Sep 2026:" in told
    assert "hours" not in told


def test_a_fix_that_waits(series: SeriesFacts) -> None:
    """A fix without enough days says when it is judged."""
    young = replace(series, rows=series.rows[: 24 * 30])
    told = card(series=young, now=FIRST + timedelta(days=30))
    assert "It has 1 whole day after it, and 5 are needed. It is judged on 15 Sep 2026." in told


def test_no_change_is_told_with_what_could_be_seen(series: SeriesFacts, pin: Judged) -> None:
    """Of a fix that changed nothing the page says how small a change would have been seen, and saves no hours."""
    told = card(series=series, pin=pin.model_copy(update={"verdict": "undetected"}), now=NOW)
    assert re.search(r"A change of [\d.]+ % would have been seen in four of five cases", told)
    assert "Saved" not in told


def test_a_mean_that_stayed(series: SeriesFacts, pin: Judged) -> None:
    """Where the mean cannot be told to have moved, the page says why there are no hours."""
    still = pin.change.model_copy(update={"effect": 0.01, "low": -0.1, "high": 0.1})
    told = card(series=series, pin=pin.model_copy(update={"mean": still}), now=NOW)
    assert "its mean did not detectably change (the mean: +1 % between −10 % and +10 %)." in told


def test_a_mean_in_doubt(series: SeriesFacts, pin: Judged) -> None:
    """Where only the mean is in doubt, the page says why there are no hours."""
    told = card(series=series, pin=pin.model_copy(update={"mean_verdict": "unusual"}), now=NOW)
    assert "No hours are counted: its mean improved only against an unusual week before the fix" in told
    assert "Saved" not in told


def test_an_unusual_week(series: SeriesFacts, pin: Judged) -> None:
    """A doubt is explained by the number that makes it, or by the lack of one, and a reason to accept it is shown."""
    doubt = pin.model_copy(update={"verdict": "unusual"})
    told = card(series=series, pin=doubt, now=NOW)
    assert "Without the week before the fix it is −40 %" in told
    assert "It counts in no total until somebody accepts it with a reason." in told
    assert "Saved" not in told
    accepted = card(series=series, pin=doubt, now=NOW, accept="Another queue was full")
    assert "It counts all the same: Another queue was full" in accepted
    assert "Saved so far" in accepted
    unguarded = card(series=series, pin=doubt.model_copy(update={"guard": None}), now=NOW)
    assert "Too few days are there before that week to tell" in unguarded


def test_a_gain_that_was_lost(pin: Judged) -> None:
    """A lost gain stands first, with the days on which it went and was noticed, and until when hours count."""
    series = named("requests", histograms(levels((28, 1.0), (30, 0.6), (30, 1.1))), "histogram")
    told = card(series=series, pin=pin, now=FIRST + timedelta(days=88), quantile=0.95)
    assert told.startswith("Improved The gain gone")
    assert re.search(r"The gain is gone since 30 Sep 2026; the watch noticed on \d Oct 2026\.", told)
    assert "counted until it went, on 30 Sep 2026" in told


def test_a_control_that_is_gone(series: SeriesFacts, pin: Judged) -> None:
    """A control that had no data on the day is named as it was written."""
    told = card(
        series=series, pin=pin.model_copy(update={"fix": pin.fix.model_copy(update={"control": "other"})}), now=NOW
    )
    assert "other, which the fix does not touch (too few days of it were there to use it)" in told


@pytest.mark.parametrize("gone", [[], [named("requests", [])], [named("other", [1.0])]])
def test_a_series_that_is_gone(gone: list[SeriesFacts], pin: Judged) -> None:
    """What was stated is shown without the series that it was stated of."""
    told = words(of(known(*gone, pin=pin, now=NOW)))
    assert told.startswith("Improved f The p95 of Requests went from")


@pytest.mark.parametrize("fixed", [True, False])
def test_escaping(fixed: bool, series: SeriesFacts, pin: Judged) -> None:
    """Nothing that people or pins say is HTML or a template on the page."""
    looked = pin.series["requests"].model_copy(update={"title": HOSTILE, "source": HOSTILE})
    hostile = pin.model_copy(
        update={
            "series": {"requests": looked},
            "figure": HOSTILE,
            "together": (HOSTILE,),
            "method": HOSTILE,
            "verdict": "unusual",
        }
    )
    if fixed:
        html = of(known(series, pin=hostile, now=NOW, accept=HOSTILE, ticket=HOSTILE, control="other"))
    else:
        html = belief(
            statement(series={"part": looked, "whole": looked}, method=HOSTILE), because=HOSTILE, slows=HOSTILE
        )
    assert "<script" not in html
    assert "49" not in words(html).split()
    assert html.count("&lt;script") >= 3


# -- a hypothesis' card


def belief(
    pin: Any = None, state: Any = "decided", recent: Any = None, shipped: date | None = None, **keys: Any
) -> str:
    """The card of a hypothesis, in a story of which a fix was `shipped` on that day."""
    front = {"id": "h", "because": "One query a list", "written": "2026-08-02", "verdict": "confirmed", **keys}
    hypothesis = Hypothesis.model_validate({"test": written(share="part", of="whole"), **front})
    made = environment().from_string(
        '{% from "hypothesis.html" import card %}{{ card(site, facts, hypothesis, "", "../") }}'
    )
    tests = {"h": FactsOfTest(hypothesis, state, pin, recent)}
    story = SimpleNamespace(front=SimpleNamespace(fixes=[SimpleNamespace(shipped=shipped)]))
    facts = SimpleNamespace(tests=tests, slug="slow", series={}, story=story, zone=UTC)
    return made.render(site=None, facts=facts, hypothesis=hypothesis)


def test_a_decided_hypothesis() -> None:
    """A hypothesis says what was found against its threshold, and every rule that it was held to."""
    told = words(belief(statement(0.6, 0.7), decided="2026-08-17"))
    assert "The share is 65 % between 60 % and 70 %; the threshold, written 2 Aug 2026, was 50 %." in told
    assert "the whole would take 65 % less" in told
    assert "✓ window: 14 days, at least 7 are asked for" in told
    assert "the method has changed" not in told
    assert "✗ requests: 10 requests" in words(belief(statement(requests=10.0)))
    assert "the method has changed since" in words(belief(statement(method="0")))


def test_an_open_hypothesis() -> None:
    """Before its window is over nothing is shown of it, and after it the command that decides it."""
    assert "Its window is open until 16 Aug 2026." in words(belief(state="waiting", verdict="open"))
    assert "Its window is over: perfkb decide slow h" in words(belief(state="due", verdict="open"))
    assert "No evidence is pinned for this verdict." in words(belief())


def test_asked_again() -> None:
    """What the last weeks say of the same question stands beside what was stated."""
    recent = statement(0.1, 0.2, test=written(share="part", of="whole", to=date(2026, 9, 30)))
    told = words(belief(statement(), recent=recent))
    assert "Asked again of the last four weeks (3 Aug 2026 to 30 Sep 2026): 15 % between 10 % and 20 %." in told


@pytest.mark.parametrize(("shipped", "asked"), [((7, 31), True), ((8, 3), False), ((9, 30), False), ((10, 1), True)])
def test_not_asked_across_a_fix(shipped: tuple[int, int], asked: bool) -> None:
    """Weeks within which a fix shipped mix two times: they answer nothing, and are not shown."""
    recent = statement(0.1, 7.5, test=written(share="part", of="whole", to=date(2026, 9, 30)))
    told = words(belief(statement(), recent=recent, shipped=date(2026, *shipped)))
    assert ("Asked again" in told) == asked
