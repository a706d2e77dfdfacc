from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from ingest import pins as pinned
from ingest.lifecycle import (
    ADVANCING,
    DEMANDS,
    MEANING,
    STAGES,
    demands_of,
    earned,
    impossible_dates,
    lagging,
    overruns,
    stage_after,
    unmet,
)
from ingest.pins import NO_PINS, Pins
from ingest.story import FrontMatter, Stage
from tests.ingest.bases import found, read, told

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
TEST = "test: {share: a, of: b, at_least: 50 %, from: 2026-09-04, to: 2026-09-10}"
# What each stage adds to the stages before it, field by field.
REPORTED = {"reports": "reports: [{date: 2026-09-01, said: it spins}]"}
INVESTIGATING = {
    **REPORTED,
    "area": "area: campaigns",
    "what": "what: The list",
    "timeboxes": "timeboxes: [{date: 2026-09-03, question: Why, budget: 2h}]",
}
TESTING = {
    **INVESTIGATING,
    "who": "who: Everybody",
    "when": "when: Always",
    "where": "where: web",
    "hypotheses": f"hypotheses: [{{id: h1, because: COUNT, written: 2026-09-03, {TEST}}}]",
}
CONFIRMED = {
    **TESTING,
    "why": "why: COUNT",
    "timeboxes": "timeboxes: [{date: 2026-09-03, question: Why, budget: 2h, effort: 2d}]",
    "hypotheses": f"hypotheses: [{{id: h1, because: COUNT, written: 2026-09-03, {TEST}, verdict: confirmed}}]",
}
FIXING = {
    **CONFIRMED,
    "chosen": "chosen: {date: 2026-09-12, because: It blocks}",
    "fixes": "fixes: [{id: f1, ticket: PERF-1, expected: -60 %}]",
}
SHIPPED = {**FIXING, "fixes": "fixes: [{id: f1, ticket: PERF-1, expected: -60 %, shipped: 2026-09-20}]"}
PARKED = {**REPORTED, "parked": "parked: {date: 2026-09-12, because: No time}"}
WHOLE: dict[Stage, dict[str, str]] = {
    "reported": REPORTED, "investigating": INVESTIGATING, "testing": TESTING, "confirmed": CONFIRMED,
    "fixing": FIXING, "shipped": SHIPPED, "measured": SHIPPED, "parked": PARKED,
}  # fmt: skip


def story(stage: str, fields: dict[str, str]) -> str:
    return "\n".join(["title: a", f"status: {stage}", *fields.values()])


def missing(stage: str, fields: dict[str, str]) -> list[str]:
    """What a story of this stage is asked for."""
    return [f"{problem.where.line} {problem.what}" for problem in unmet(read(story(stage, fields)))]


@pytest.mark.parametrize("stage", STAGES)
def test_stages_that_are_met(stage: Stage) -> None:
    """A story that has all that its stage asks for has no problem."""
    assert read(story(stage, WHOLE[stage])).problems == ()
    assert missing(stage, WHOLE[stage]) == []


@pytest.mark.parametrize(("stage", "field"), [(stage, field) for stage in STAGES for field in WHOLE[stage]])
def test_fields_that_are_missing(stage: Stage, field: str) -> None:
    """Each field that a stage or one before it asks for is missed, at the line of the status."""
    fields = {name: text for name, text in WHOLE[stage].items() if name != field}
    asked = missing(stage, fields)
    assert asked
    assert all(line.startswith(f"3 {stage} asks for") for line in asked)
    assert len(asked) == sum(demand.field == field for demand in demands_of(stage))


@pytest.mark.parametrize(
    ("stage", "changed", "asked"),
    [
        ("reported", {"reports": "reports: []"}, "a report or a series"),
        ("investigating", {"timeboxes": "timeboxes: []"}, "a timebox"),
        ("testing", {"hypotheses": "hypotheses: [{id: h1, because: COUNT, written: 2026-09-03}]"},
         "a hypothesis with a test that did not disprove it"),
        ("testing", {"hypotheses": CONFIRMED["hypotheses"].replace("confirmed", "disproved")},
         "a hypothesis with a test that did not disprove it"),
        ("confirmed", {"hypotheses": TESTING["hypotheses"]}, "a hypothesis that its test confirmed"),
        ("confirmed", {"hypotheses": CONFIRMED["hypotheses"].replace("confirmed", "inconclusive")},
         "a hypothesis that its test confirmed"),
        ("confirmed", {"timeboxes": INVESTIGATING["timeboxes"]}, "what a fix would take"),
        ("fixing", {"fixes": "fixes: [{id: f1, ticket: PERF-1}]"}, "a fix with its ticket and the expected change"),
        ("fixing", {"fixes": "fixes: [{id: f1, expected: -60 %}]"}, "a fix with its ticket and the expected change"),
        ("fixing", {"fixes": "fixes: [{id: f1, ticket: PERF-1}, {id: f2, expected: 0 %}]"},
         "a fix with its ticket and the expected change"),
        ("shipped", {"fixes": FIXING["fixes"]}, "the date of a fix"),
        ("measured", {"fixes": FIXING["fixes"]}, "the date of a fix"),
    ],
)  # fmt: skip
def test_fields_that_say_too_little(stage: Stage, changed: dict[str, str], asked: str) -> None:
    """A field that is there without what the stage asks of it misses that alone."""
    assert missing(stage, {**WHOLE[stage], **changed}) == [f"3 {stage} asks for {asked}"]


def test_a_confirmed_hypothesis_needs_its_test() -> None:
    """A verdict without a test confirms nothing."""
    without = "hypotheses: [{id: h1, because: COUNT, written: 2026-09-03, verdict: confirmed}, {id: h2, because: N, "
    fields = {**CONFIRMED, "hypotheses": f"{without}written: 2026-09-03, {TEST}}}]"}
    assert missing("confirmed", fields) == ["3 confirmed asks for a hypothesis that its test confirmed"]


def test_an_expected_change_of_nothing() -> None:
    """An expected change of 0 % is one."""
    assert missing("fixing", {**FIXING, "fixes": "fixes: [{id: f1, ticket: PERF-1, expected: 0 %}]"}) == []


def test_a_series_makes_a_story() -> None:
    """A series is enough for a story without a report."""
    assert missing("reported", {"telemetry": "telemetry: {a: {use: other_pages}}"}) == []
    assert missing("parked", {"telemetry": "telemetry: {a: {use: b}}", "parked": PARKED["parked"]}) == []


def test_demands_add_up() -> None:
    """Each stage asks for all that the ones before it ask; a parked story may stop anywhere."""
    for before, after in pairwise(ADVANCING):
        assert demands_of(after)[: len(demands_of(before))] == demands_of(before)
    assert demands_of("parked") == [*DEMANDS["reported"], *DEMANDS["parked"]]


def test_every_stage_is_described() -> None:
    """Every stage has a meaning and a line of demands, and every demand concerns a field."""
    assert get_args(Stage) == STAGES
    assert set(MEANING) == set(DEMANDS) == set(STAGES)
    assert {demand.field for stage in STAGES for demand in DEMANDS[stage]} <= set(FrontMatter.model_fields)


def test_a_field_with_a_mistake_is_not_missed() -> None:
    """A field that is there and wrong has been named already, and is not asked for again."""
    wrong = read(
        story("investigating", {**INVESTIGATING, "timeboxes": "timeboxes: [{date: soon}]", "what": "what: []"})
    )
    assert {problem.code for problem in wrong.problems} == {"PK102", "PK103"}
    assert list(unmet(wrong)) == []


def test_a_repeated_story_is_asked_for_nothing() -> None:
    """A story that is the same as another one may lack everything."""
    assert missing("measured", {"same_as": "same_as: other"}) == []


def test_overriding(tmp_path: Path) -> None:
    """A rule of judgement can be set aside with a reason, and no other problem."""
    front = "title: a\nstatus: investigating\narea: campaigns\n"
    assert found(tmp_path, front) == ["3:1 PK301"] * 3
    assert found(tmp_path, front + "override: {PK301: We know}") == []
    assert found(tmp_path, front.replace("campaigns", "other") + "override: {PK301: We know, PK201: We know}") == [
        "4:1 PK201",
        "5:28 PK104",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("reports: [{date: 2026-11-03, said: b}]", "4:12 reports[0].date: 2026-11-03 is in the future"),
        ("opened: 2027-01-01", "4:1 opened: 2027-01-01 is in the future"),
        ("chosen: {date: 2026-12-01, because: b}", "4:10 chosen.date: 2026-12-01 is in the future"),
        ("parked: {date: 2026-12-01, because: b}", "4:10 parked.date: 2026-12-01 is in the future"),
        ("fixes: [{id: f, shipped: 2026-11-03T00:00Z}]",
         "4:17 fixes[0].shipped: 2026-11-03 00:00:00+00:00 is in the future"),
        ("hypotheses: [{id: h, because: b, written: 2026-11-04}]",
         "4:34 hypotheses[0].written: 2026-11-04 is in the future"),
        ("hypotheses: [{id: h, because: b, written: 2026-10-01, decided: 2026-11-04}]",
         "4:55 hypotheses[0].decided: 2026-11-04 is in the future"),
        ("hypotheses: [{id: h, because: b, written: 2026-10-02, decided: 2026-10-01}]",
         "4:55 hypotheses[0].decided: 2026-10-01 is before 2026-10-02, when the hypothesis was written"),
        (f"hypotheses: [{{id: h, because: b, written: 2026-09-01, verdict: confirmed, decided: 2026-09-09, {TEST}}}]",
         "4:75 hypotheses[0].decided: 2026-09-09 is before 2026-09-10, the last day of the test"),
        (f"hypotheses: [{{id: h, because: b, written: 2026-09-01, {TEST.replace('09-04', '09-11')}}}]",
         "4:113 hypotheses[0].test.to: 2026-09-10 is before 2026-09-11, the first day of the test"),
        ("parked: {date: 2026-09-12, because: b, revisit: 2026-09-11}",
         "4:40 parked.revisit: 2026-09-11 is before 2026-09-12, when it was parked"),
        ("pauses: [{parked: 2026-09-12, because: b, reopened: 2027-09-11}]",
         "4:43 pauses[0].reopened: 2027-09-11 is in the future"),
        ("pauses: [{parked: 2026-09-12, because: b, reopened: 2026-09-11}]",
         "4:43 pauses[0].reopened: 2026-09-11 is before 2026-09-12, when it was parked"),
    ],
)  # fmt: skip
def test_impossible_dates(line: str, problem: str) -> None:
    """What has happened cannot lie in the future, and nothing ends before it begins."""
    (said,) = impossible_dates(read(f"title: a\nstatus: reported\n{line}"), NOW)
    assert f"{said.where.line}:{said.where.column} {said.what}" == problem
    assert said.code == "PK302"


@pytest.mark.parametrize(
    "line",
    [
        "reports: [{date: 2026-11-02, said: it is tomorrow in Auckland}]",
        "parked: {date: 2026-11-01, because: b, revisit: 2027-06-01}",
        "timeboxes: [{date: 2026-12-01, question: planned, budget: 2h}]",
        f"hypotheses: [{{id: h, because: b, written: 2026-09-10, {TEST}, decided: 2026-09-10, verdict: inconclusive}}]",
        f"hypotheses: [{{id: h, because: b, written: 2026-09-01, {TEST}, decided: 2026-09-02}}]",
        f"hypotheses: [{{id: h, because: b, written: 2026-09-01, {TEST.replace('2026', '2027')}}}]",
    ],
)
def test_possible_dates(line: str) -> None:
    """What is planned may lie in the future, and today is a day ahead somewhere."""
    front = read(f"title: a\nstatus: reported\n{line}")
    assert front.problems == ()
    assert list(impossible_dates(front, NOW)) == []


def test_overruns() -> None:
    """A timebox that took longer than its budget is a warning, one that took just as long is not."""
    spent = ["spent: 2h", "spent: 2h30m", "spent: 120m", "outcome: b", "spent: 2h20s"]
    lines = "\n".join(f"  - {{date: 2026-09-01, question: b, budget: 2h, {each}}}" for each in spent)
    found_over = list(overruns(read(f"title: a\nstatus: reported\ntimeboxes:\n{lines}")))
    assert told(found_over) == ["6:49 PK303", "9:49 PK303"]
    assert {problem.severity for problem in found_over} == {"warning"}
    assert [problem.what for problem in found_over] == [
        "timeboxes[1] went 30 min over its budget of 2 h",
        "timeboxes[4] went 20 s over its budget of 2 h",
    ]


TODAY = date(2026, 11, 1)
PROVEN = Pins(tested={"h1": pinned.Tested.model_construct(verdict="confirmed")})
DECIDED = CONFIRMED["hypotheses"]
JUDGED = Pins(PROVEN.tested, {"f1": pinned.Judged.model_construct(verdict="improved")})
PINS: dict[str, Pins] = {"measured": JUDGED, "reported": NO_PINS, "investigating": NO_PINS, "testing": NO_PINS}


@pytest.mark.parametrize("status", ["reported", "parked"])
@pytest.mark.parametrize("stage", ADVANCING)
def test_the_stage_that_is_earned(stage: Stage, status: str) -> None:
    """Whatever a story says, it has earned the furthest stage whose demands are met and whose evidence is pinned."""
    assert earned(read(story(status, WHOLE[stage])), PINS.get(stage, PROVEN), TODAY) == stage


@pytest.mark.parametrize(
    ("fields", "pins", "stage"),
    [
        ({**SHIPPED, "who": ""}, JUDGED, "investigating"),
        (CONFIRMED, NO_PINS, "testing"),
        (CONFIRMED, Pins(tested={"h1": pinned.Tested.model_construct(verdict="inconclusive")}), "testing"),
        ({**CONFIRMED, "override": "override: {PK304: The vendor told us}"}, NO_PINS, "confirmed"),
        (SHIPPED, PROVEN, "shipped"),
        ({**SHIPPED, "fixes": SHIPPED["fixes"].replace("2026-09-20", "2026-11-02")}, PROVEN, "fixing"),
        ({**SHIPPED, "fixes": SHIPPED["fixes"].replace("}]", "}, {id: f2, shipped: 2026-10-20}]")}, JUDGED, "shipped"),
        ({**INVESTIGATING, "timeboxes": INVESTIGATING["timeboxes"].replace("09-03", "12-03")}, NO_PINS, "reported"),
        ({**TESTING, "hypotheses": DECIDED.replace("confirmed", "disproved")}, NO_PINS, "investigating"),
    ],
)
def test_what_is_not_earned(fields: dict[str, str], pins: Pins, stage: str) -> None:
    """What has not happened yet, is not pinned, or was disproved does not carry a story on."""
    assert earned(read(story("reported", fields)), pins, TODAY) == stage


def test_a_fix_in_work_keeps_its_stage() -> None:
    """A second fix in work keeps a story at fixing, though the first one was judged."""
    second = {**SHIPPED, "fixes": SHIPPED["fixes"].replace("}]", "}, {id: f2, ticket: PERF-2}]")}
    assert earned(read(story("fixing", second)), JUDGED, TODAY) == "fixing"
    assert earned(read(story("shipped", second)), JUDGED, TODAY) == "measured"


def test_what_is_set_aside_counts_as_met() -> None:
    """A story that sets the demands of its stage aside goes on from there."""
    fields = {**REPORTED, "fixes": SHIPPED["fixes"], "override": "override: {PK301: Measured in another way}"}
    assert earned(read(story("shipped", fields)), NO_PINS, TODAY) == "shipped"
    assert earned(read(story("shipped", fields)), JUDGED, TODAY) == "measured"


@pytest.mark.parametrize(
    ("status", "fields", "stage"),
    [
        ("reported", INVESTIGATING, "investigating"),
        ("reported", TESTING, "testing"),
        ("shipped", TESTING, "shipped"),
        ("testing", {**TESTING, "hypotheses": DECIDED.replace("confirmed", "disproved")}, "investigating"),
        ("confirmed", {**TESTING, "hypotheses": DECIDED.replace("confirmed", "disproved")}, "confirmed"),
        ("testing", {**REPORTED, "hypotheses": DECIDED.replace("confirmed", "disproved")}, "investigating"),
        ("parked", {**TESTING, **PARKED}, "parked"),
        ("reported", {**TESTING, "same_as": "same_as: other"}, "reported"),
        ("reported", {**TESTING, "override": "override: {PK306: It is discussed elsewhere}"}, "reported"),
    ],
)
def test_the_stage_after_an_edit(status: str, fields: dict[str, str], stage: str) -> None:
    """An edit moves a story to what it has earned, and back only where every test was disproved."""
    assert stage_after(read(story(status, fields)), NO_PINS, TODAY) == stage


@pytest.mark.parametrize("stage", ADVANCING[1:])
def test_a_stage_that_lags(stage: Stage) -> None:
    """A stage behind what was earned is a warning that says what to write; the stage itself is none."""
    pins = PINS.get(stage, PROVEN)
    (problem,) = lagging(read(story("reported", WHOLE[stage])), pins, TODAY)
    assert (problem.code, problem.severity, problem.where.line) == ("PK306", "warning", 3)
    assert problem.hint == f"write `status: {stage}`"
    assert list(lagging(read(story(stage, WHOLE[stage])), pins, TODAY)) == []


def test_what_cannot_lag() -> None:
    """A story that is parked, repeats another one, or has a mistake in its status does not lag."""
    for status, more in (("parked", PARKED), ("reported", {"same_as": "same_as: other"}), ("shiped", {})):
        assert list(lagging(read(story(status, {**TESTING, **more})), NO_PINS, TODAY)) == []


def test_parked_before_it_was_taken_up_again() -> None:
    """A story is parked again after it was taken up, not before."""
    pauses = "pauses: [{parked: 2026-09-01, because: b, reopened: 2026-09-11}]\nparked: {date: 2026-09-10, because: b}"
    (said,) = impossible_dates(read(f"title: a\nstatus: parked\n{pauses}"), NOW)
    assert said.what == "parked.date: 2026-09-10 is before 2026-09-11, when it was taken up again"
    assert list(impossible_dates(read(f"title: a\nstatus: parked\n{pauses.replace('09-10', '09-11')}"), NOW)) == []
