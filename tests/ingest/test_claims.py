"""What a story claims, held against its pins alone."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import perfkb as front_door
from ingest.check import check
from ingest.claims import unproven
from ingest.errors import Problem
from ingest.pins import NO_PINS, Judged, Pins
from ingest.story import Story, read_story
from tests.commands import files_of
from tests.ingest.bases import CASES, base, document
from tests.ingest.evidence.samples import BERLIN, UTC_ZONE
from tests.ingest.evidence.weeks import histograms, judged, levels, named, statement, written

TELEMETRY = """
telemetry:
  part: {source: demo, kind: total, metric: part, unit: s}
  whole: {source: demo, kind: histogram, metric: whole, unit: s}
  requests: {source: demo, kind: histogram, metric: whole, unit: s}
  gauge: {source: demo, kind: gauge, metric: whole, unit: s}
"""
TODAY = date(2026, 9, 20)
TEST = "test: {share: part, of: whole, at_least: 50 %, from: 2026-08-03, to: 2026-08-16}"


def story(front: str, status: str = "reported") -> Story:
    head = f"title: T\nstatus: {status}\nreports: [{{date: 2026-08-01, said: slow}}]"
    read = read_story("slow", "stories/slow.md", document(head + TELEMETRY + front), {})
    assert read.problems == ()
    return read


def problems(front: str, pins: Pins = NO_PINS, today: date = TODAY, status: str = "reported") -> list[Problem]:
    return list(unproven(story(front, status), pins, today, BERLIN))


def said(found: list[Problem]) -> list[str]:
    return [f"{each.code} {each.severity}: {each.what} ({each.hint})" for each in found]


def hypothesis(verdict: str = "confirmed", decided: str = "2026-08-17", test: str = TEST) -> str:
    day = f"decided: {decided}, " if decided else ""
    return f"hypotheses: [{{id: h1, because: b, written: 2026-08-01, {test}, {day}verdict: {verdict}}}]"


def fixes(**written: Any) -> str:
    keys = {"id": "f", "series": "requests", "shipped": "2026-08-31T12:00Z", **written}
    return f"fixes: [{{{', '.join(f'{key}: {value}' for key, value in keys.items() if value is not None)}}}]"


@pytest.fixture(scope="module")
def impact() -> Judged:
    """What was stated of a fix."""
    return judged(named("requests", histograms(levels((28, 1.0), (15, 0.6))), "histogram"), quantile=0.95)


# -- hypotheses


@pytest.mark.parametrize("verdict", ["confirmed", "disproved"])
def test_a_verdict_without_evidence(verdict: str) -> None:
    """A verdict of a test asks for its pin, and says how to get it."""
    (found,) = problems(hypothesis(verdict))
    assert said([found]) == [f"PK304 error: hypotheses[0]: {verdict} asks for pinned evidence (perfkb decide slow h1)"]
    assert str(found.where).startswith("stories/slow.md:")


def test_what_needs_no_evidence() -> None:
    """A verdict without a test is somebody's judgement; an inconclusive one claims nothing."""
    assert problems(hypothesis("inconclusive")) == []
    without = "hypotheses: [{id: h1, because: b, written: 2026-08-01, verdict: disproved, decided: 2026-08-02}]"
    assert problems(without) == []


@pytest.mark.parametrize(
    ("pin", "verdict", "claim"),
    [
        (statement(), "confirmed", ""),
        (statement(0.1, 0.2), "disproved", ""),
        (statement(0.4, 0.6), "inconclusive", ""),
        (statement(days=6), "inconclusive", ""),
        (statement(), "open", "open, but from its pinned evidence follows confirmed"),
        (statement(), "disproved", "disproved, but from its pinned evidence follows confirmed"),
        (statement(0.4, 0.6), "confirmed", "confirmed, but from its pinned evidence follows inconclusive (threshold"),
        (statement(days=1), "confirmed", "confirmed, but from its pinned evidence follows inconclusive (window: 1 day"),
        # What the pin itself calls its verdict is no evidence.
        (statement(0.4, 0.6, verdict="confirmed"), "confirmed", "follows inconclusive"),
    ],
)
def test_verdicts(pin: Any, verdict: str, claim: str) -> None:
    """A verdict is the one that follows from the numbers of its pin, and the rule that says otherwise is named."""
    found = said(problems(hypothesis(verdict), Pins({"h1": pin})))
    assert len(found) == bool(claim)
    assert all(claim in each for each in found)


def test_a_threshold_of_any_digits(tmp_path: Path) -> None:
    """A threshold whose digits are no binary number is still the one that was pinned."""
    from ingest.pins import read_pins, write_pin
    from tests.ingest.test_pins import DATA, evidence

    test = written(share="part", of="whole", at_least="33.3 %")
    write_pin(tmp_path, "slow", "h1", evidence(test=test), DATA)
    front = hypothesis(test=TEST.replace("50 %", "33.3 %"))
    assert problems(front, read_pins(tmp_path, "slow")) == []


@pytest.mark.parametrize(
    "changed", [("50 %", "40 %"), ("08-16", "08-15"), ("08-03", "08-02"), ("of: whole", "of: requests")]
)
def test_a_test_that_was_changed(changed: tuple[str, str]) -> None:
    """Who moves the threshold or the window afterwards is told that this was not what was tested."""
    (found,) = said(problems(hypothesis(test=TEST.replace(*changed)), Pins({"h1": statement()})))
    assert "its test is not the one whose evidence was pinned on 2026-08-17" in found


def test_the_day_of_a_verdict() -> None:
    """A verdict has the day of its pin."""
    (found,) = said(problems(hypothesis(decided="2026-08-18"), Pins({"h1": statement()})))
    assert "decided on 2026-08-18, but its evidence was pinned on 2026-08-17" in found
    assert len(problems(hypothesis(decided=""), Pins({"h1": statement()}))) == 1


@pytest.mark.parametrize(("today", "count"), [(date(2026, 8, 16), 0), (date(2026, 8, 17), 1)])
def test_a_test_that_could_be_decided(today: date, count: int) -> None:
    """From the day after its window on, an open test is a warning."""
    found = said(problems(hypothesis("open", ""), today=today))
    assert (
        found
        == ["PK305 warning: hypotheses[0]: the window of its test was over on 2026-08-16 (perfkb decide slow h1)"]
        * count
    )


# -- fixes


def test_a_fix_that_was_judged(impact: Judged) -> None:
    """A fix that is written as it was judged claims nothing else."""
    assert problems(fixes(quantile=0.95), Pins({}, {"f": impact})) == []


def test_the_goal_stands_in_for_what_a_fix_does_not_say(impact: Judged) -> None:
    """Series and quantile may come from the goal, on the day of the judgement and later."""
    goal = "slo: {series: requests, quantile: 0.95, below: 1 s}\n"
    assert problems(goal + fixes(series=None), Pins({}, {"f": impact})) == []
    assert len(problems(goal.replace("0.95", "0.5") + fixes(series=None), Pins({}, {"f": impact}))) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"shipped": "2026-09-01T12:00Z"},
        {"shipped": "2026-08-31"},
        {"series": "whole"},
        {"quantile": "0.5"},
        {"control": "gauge"},
    ],
)
def test_a_fix_that_was_changed(impact: Judged, changed: dict[str, str]) -> None:
    """What was judged is what is written: another date, series, quantile or control is told, and how to judge anew."""
    found = problems(fixes(**{"quantile": 0.95, **changed}), Pins({}, {"f": impact}))
    (problem,) = found
    (key,) = changed
    assert f"fixes[0].{key}: this is not what was judged on 2026-09-15" in problem.what
    assert problem.hint == "take it back, or judge it anew: perfkb pin --again slow"


def test_a_quantile_of_what_has_none() -> None:
    """A quantile of a series that has only one figure was left out when it was judged, and is no contradiction."""
    pin = judged(named("gauge", levels((28, 1.0), (15, 0.6))), series="gauge", quantile=0.95)
    assert problems(fixes(series="gauge", quantile=0.95), Pins({}, {"f": pin})) == []


def test_a_control_that_had_no_data() -> None:
    """A control that could not be used is still the one that is written."""
    pin = judged(named("requests", levels((28, 1.0), (15, 0.6))), control="whole")
    assert problems(fixes(control="whole"), Pins({}, {"f": pin})) == []


@pytest.mark.parametrize(("before", "after", "count"), [(7, 5, 0), (6, 14, 1), (28, 4, 1)])
def test_an_impact_of_too_few_days(impact: Judged, before: int, after: int, count: int) -> None:
    """A pin that says of itself that it broke the rule of days is not believed."""
    change = impact.change.model_copy(update={"days_before": before, "days_after": after})
    found = said(problems(fixes(quantile=0.95), Pins({}, {"f": impact.model_copy(update={"change": change})})))
    assert len(found) == count
    assert all("its pinned impact breaks a rule; window:" in each for each in found)


@pytest.mark.parametrize(
    ("shipped", "today", "count"),
    [
        ("2026-08-31T12:00Z", date(2026, 9, 14), 0),
        ("2026-08-31T12:00Z", date(2026, 9, 15), 1),
        ("2026-08-30T23:30Z", date(2026, 9, 14), 0),
        ("2026-08-31", date(2026, 9, 14), 0),
        ("2026-08-31", date(2026, 9, 15), 1),
    ],
)
def test_a_fix_that_is_due(shipped: str, today: date, count: int) -> None:
    """From its day on, a fix that was not judged is a warning; the day is that of the zone."""
    assert (
        said(problems(fixes(shipped=shipped), today=today))
        == ["PK305 warning: fixes[0]: it was to be judged on 2026-09-15 (perfkb pin slow)"] * count
    )


def test_measured_asks_for_an_impact(impact: Judged) -> None:
    """A story is measured by the pin of one of its fixes, unless another story tells it."""
    (found,) = said(problems(fixes(shipped=None), status="measured"))
    assert found == "PK304 error: measured asks for the pinned impact of a fix (perfkb pin slow)"
    assert problems(fixes(quantile=0.95), Pins({}, {"f": impact}), status="measured") == []
    assert problems("same_as: other", status="measured") == []


def test_evidence_of_nothing(impact: Judged) -> None:
    """A pin of a hypothesis or a fix that is not there is told, for it was renamed or removed."""
    found = problems("", Pins({"h1": statement()}, {"f": impact}))
    assert [(each.where.path, each.code) for each in found] == [
        ("stories/slow/pinned/h1/numbers.json", "PK210"),
        ("stories/slow/pinned/f/numbers.json", "PK210"),
    ]
    # A pin of the other sort is no evidence for what has its name.
    assert {each.code for each in problems(fixes(id="h1"), Pins({"h1": statement()}))} == {"PK210", "PK305"}


# -- a pure function of the repository


@pytest.mark.parametrize("case", ["clean", "example", "mistakes"])
def test_no_store_and_no_writing(case: str, tmp_path: Path) -> None:
    """`check` says the same where there is a store, none, or one full of nonsense, and writes nothing."""
    root = tmp_path / case
    shutil.copytree(CASES / case, root)
    before = files_of(root)

    def checked() -> tuple[int, str]:
        done = CliRunner(env={"SOURCE_DATE_EPOCH": ""}).invoke(front_door.perfkb, ["-C", str(root), "check"])
        return done.exit_code, done.output

    without = checked()
    assert files_of(root) == before
    for slug in {path.stem for path in (root / "stories").glob("*.md")}:
        (root / ".snapshots" / slug).mkdir(parents=True)
        (root / ".snapshots" / slug / "requests.csv").write_text("nonsense")
    assert checked() == without


def test_set_aside(tmp_path: Path) -> None:
    """A story that says why may claim more than its pins, and shows the reason."""
    front = f"title: T\nstatus: reported\nreports: [{{date: 2026-08-01, said: slow}}]{TELEMETRY}{hypothesis()}\n"
    sources = "demo: {kind: demo, series: {part: {level: 1 s}, whole: {level: 1 s}}}"
    assert [each.code for each in check(base(tmp_path, {"slow": front}, sources=sources)).problems] == ["PK304"]
    front += "override: {PK304: The metric store of that time is gone}\n"
    assert check(base(tmp_path, {"slow": front}, sources=sources)).problems == []


def test_the_zone_of_days() -> None:
    """The day of a fix, and so of its judgement, depends on the zone."""
    late = story(fixes(shipped="2026-08-30T23:30Z"))
    assert len(list(unproven(late, NO_PINS, date(2026, 9, 14), UTC_ZONE))) == 1
    assert list(unproven(late, NO_PINS, date(2026, 9, 14), BERLIN)) == []
