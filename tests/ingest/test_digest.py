"""What happened in a period: moves between stages, judgements, gains, reports, and what is so today."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingest.check import check
from ingest.clock import Clock
from ingest.digest import Digest, digest, read_since, stage_on
from ingest.errors import UserError
from ingest.evidence import Attempt, Facts, gather
from ingest.evidence.load import load_facts
from ingest.ongoing import looking, overruns, unanswered, wanted
from ingest.pins import Pins
from ingest.priorities import OPEN
from tests.ingest.bases import base
from tests.ingest.evidence.samples import configuration, stored, values
from tests.ingest.evidence.samples import series as series_of
from tests.ingest.evidence.samples import story as story_of
from tests.ingest.impacts import change, disproved, fix, hours, judged
from tests.ingest.impacts import facts as judged_facts

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
WEEK, TODAY = date(2026, 10, 25), date(2026, 11, 1)
BOX = "{date: 2026-09-04, question: Where does it wait?, budget: 2h, spent: 1h, effort: 1d}"
TEST = "{share: a, of: b, at_least: 30 %, from: 2026-10-20, to: 2026-11-05}"
TOLD = """\
area: lists
what: The list
who: All
when: Always
where: web
why: One query a list
opened: 2026-09-01
reports: [{date: 2026-09-01, said: slow}]
telemetry: {a: {source: prod, kind: total, query: q, unit: s}, b: {source: prod, kind: total, query: q, unit: s}}
"""


def facts_of(front: str, status: str = "reported", slug: str = "slow", pins: Pins | None = None, **more: Any) -> Facts:
    """The facts of a story without data; `front` stands below title and status."""
    settings = "areas: {lists: {title: Lists}}"
    found = story_of(front, slug, status)
    return gather(found, configuration(settings), {}, {}, (), more.pop("now", NOW), pins=pins or Pins(), **more)


def week(*stories: Facts, since: date = WEEK) -> Digest:
    return digest(stories, since, TODAY)


def moves(*stories: Facts, since: date = WEEK) -> list[tuple[str, str | None, str]]:
    return [(each.facts.slug, each.before, each.after) for each in week(*stories, since=since).moved]


def belief(verdict: str = "open", decided: str = "", test: str = TEST) -> str:
    told = f", verdict: {verdict}, decided: {decided}" if decided else ""
    return f"hypotheses: [{{id: h1, because: The disk, written: 2026-10-15, test: {test}{told}}}]\n"


def pause(parked: str, reopened: str) -> str:
    return f"pauses: [{{parked: 2026-{parked}, because: Rare, reopened: 2026-{reopened}}}]\n"


# -- where it stood


@pytest.mark.parametrize(
    ("more", "status", "moved"),
    [
        (f"timeboxes: [{BOX}]\n".replace("09-04", "10-28"), "investigating", ("reported", "investigating")),
        (f"timeboxes: [{BOX}]\n", "investigating", None),
        (f"timeboxes: [{BOX}]\n" + belief().replace("10-15", "10-27"), "testing", ("investigating", "testing")),
        (f"timeboxes: [{BOX}]\n" + belief("disproved", "2026-10-30"), "investigating", ("testing", "investigating")),
        (f"timeboxes: [{BOX}]\nparked: {{date: 2026-10-30, because: Rare}}\n", "parked", ("investigating", "parked")),
        (f"timeboxes: [{BOX}]\nparked: {{date: 2026-10-10, because: Rare}}\n", "parked", None),
        (f"timeboxes: [{BOX}]\n" + pause("10-10", "10-28"), "investigating", ("parked", "investigating")),
        (pause("10-10", "10-28"), "reported", ("parked", "reported")),
        (f"timeboxes: [{BOX}]\n" + pause("10-27", "10-28"), "investigating", None),
        (f"timeboxes: [{BOX}]\n" + pause("10-10", "10-12"), "investigating", None),
        (f"timeboxes: [{BOX}]\n" + pause("10-10", "10-28") + "parked: {date: 2026-10-30, because: Rare}\n", "parked",
         None),
    ],
)  # fmt: skip
def test_moves(more: str, status: str, moved: tuple[str, str] | None) -> None:
    """A story moved where something happened that moves one, from the stage that it had earned before."""
    assert moves(facts_of(TOLD + more, status)) == ([("slow", *moved)] if moved else [])


def confirmed() -> Pins:
    pin = disproved().pin
    assert pin is not None
    return Pins(tested={"h1": pin.model_copy(update={"verdict": "confirmed", "stated": date(2026, 9, 20)})})


LATE = f"timeboxes: [{BOX}]\n" + belief("confirmed", "2026-09-20").replace("2026-10-15", "2026-09-05").replace(
    "2026-11-05", "2026-09-18"
).replace("2026-10-20", "2026-09-08")
CHOSEN = "chosen: {date: 2026-10-26, because: It blocks many}\n"
SHIPPED = 'fixes: [{id: batch, ticket: X-1, expected: -60 %, series: a, shipped: "2026-10-28T10:00Z"}]\n'


def test_late_moves() -> None:
    """Choosing, shipping and judging move a story too, and each digest tells its own part of the way."""
    chosen = facts_of(
        TOLD + LATE + CHOSEN + SHIPPED.replace(', shipped: "2026-10-28T10:00Z"', ""), "fixing", pins=confirmed()
    )
    assert moves(chosen) == [("slow", "confirmed", "fixing")]
    shipped = facts_of(TOLD + LATE + CHOSEN + SHIPPED, "shipped", pins=confirmed())
    assert moves(shipped) == [("slow", "confirmed", "shipped")]
    assert moves(shipped, since=date(2026, 10, 27)) == [("slow", "fixing", "shipped")]
    assert moves(shipped, since=date(2026, 10, 29)) == []
    pin = judged(stated="2026-10-30")
    measured = facts_of(TOLD + LATE + CHOSEN + SHIPPED, "measured", pins=replace(confirmed(), judged={"batch": pin}))
    assert moves(measured, since=date(2026, 10, 29)) == [("slow", "shipped", "measured")]
    assert [stage_on(measured, date(2026, 10, day)) for day in (1, 26, 28, 31)] == [
        "confirmed", "fixing", "shipped", "measured",
    ]  # fmt: skip


def test_a_new_story() -> None:
    """A story that began within the period is new, whatever became of it."""
    new = facts_of("opened: 2026-10-30\nreports: [{date: 2026-10-30, said: slow}]")
    assert moves(new) == [("slow", None, "reported")]
    by_report = facts_of("reports: [{date: 2026-10-30, said: slow}]")
    assert moves(by_report) == [("slow", None, "reported")]


def test_a_report_moves_nothing() -> None:
    """What only lags behind, or is only reported once more, did not move."""
    again = TOLD.replace("[{date: 2026-09-01", "[{date: 2026-10-30, said: still}, {date: 2026-09-01")
    assert moves(facts_of(again + f"timeboxes: [{BOX}]\n", "reported")) == []
    lagging = facts_of(TOLD + LATE + "parked: {date: 2026-10-30, because: Rare}\n", "testing", pins=confirmed())
    assert moves(lagging) == [], "a stage that lags did not go back"


# -- what was found


def test_wins_and_others() -> None:
    """A fix that was judged within the period is a win with its hours, or stands with the others."""
    won = judged_facts("won", fix("a", judged(stated="2026-10-28"), hours=hours(100)))
    accepted = judged_facts(
        "accepted", fix("a", judged("unusual", stated="2026-10-28"), accept="An incident elsewhere")
    )
    rest = [
        judged_facts(name, fix("a", judged(name, stated="2026-10-28")))
        for name in ("regressed", "undetected", "unusual")
    ]
    early = judged_facts("early", fix("a", judged(stated="2026-10-24")))
    found = week(won, accepted, *rest, early)
    assert {each.facts.slug: each.hours and each.hours.value for each in found.wins} == {"accepted": None, "won": 100}
    assert {each.facts.slug for each in found.others} == {"regressed", "undetected", "unusual"}
    assert not found.quiet


def test_a_win_that_may_be_chance() -> None:
    """Among many judgements that saw nothing, a weak claim is told with its doubt."""
    weak = fix("weak", judged(stated="2026-10-28", of=change(p=0.04)))
    nothing = [fix(f"n{number}", judged("undetected", change(p=0.5))) for number in range(6)]
    assert [each.doubtful for each in week(judged_facts("slow", weak, *nothing)).wins] == [True]
    assert [each.doubtful for each in week(judged_facts("slow", weak)).wins] == [False]


def test_gains_lost() -> None:
    """A gain that was noticed to fade within the period is told, once."""
    gone = fix("a", judged(), standing="regressed", since=date(2026, 10, 20), lost=date(2026, 10, 27))
    assert [each.found.standing for each in week(judged_facts("slow", gone)).lost] == ["regressed"]
    assert week(judged_facts("slow", gone), since=date(2026, 10, 28)).lost == ()
    held = fix("a", judged(), standing="held", lost=None)
    assert week(judged_facts("slow", held)).lost == ()


def test_decided_and_reported() -> None:
    """Verdicts and reports of the period are told, with how many customers they stand for."""
    front = TOLD.replace("[{date: 2026-09-01", "[{date: 2026-10-26, said: b, customers: 3}, {date: 2026-09-01")
    found = week(facts_of(front + f"timeboxes: [{BOX}]\n" + belief("disproved", "2026-10-30"), "investigating"))
    assert [each.found.hypothesis.verdict for each in found.decided] == ["disproved"]
    assert [(each.customers, [said.said for said in each.reports]) for each in found.reported] == [(3, ["b"])]


def test_a_quiet_week() -> None:
    """Where nothing happened, that can be said, whatever still waits."""
    found = week(facts_of(TOLD))
    assert found.quiet
    assert [each.need for each in found.wanted] == ["look"]


def test_overruns() -> None:
    """A timebox over its budget is told in its week, one that was left open for as long as it is."""
    over = "{date: 2026-10-27, question: Where?, budget: 1h, spent: 3h}"
    before = "{date: 2026-09-01, question: Where?, budget: 1h, spent: 2h}"
    found = week(facts_of(f"{TOLD}timeboxes: [{over}, {before}]", "investigating"))
    assert [each.what for each in found.overruns] == ["took 3 h, where 1 h were meant"]
    left = facts_of(TOLD + "timeboxes: [{date: 2026-10-01, question: Where?, budget: 2h}]", "investigating")
    assert [each.what for each in overruns([left], WEEK)] == ["open since 1 Oct 2026, with a budget of 2 h"]
    begun = facts_of(TOLD + "timeboxes: [{date: 2026-10-31, question: Where?, budget: 2h}]", "investigating")
    assert overruns([begun], WEEK) == []


def test_ailing_data() -> None:
    """Series that are stale, failed or missing are told by story, the worst first; fresh ones are not."""
    told = story_of(TOLD)
    of = series_of("total", query="q")
    old = stored(values([1.0] * 24, datetime(2026, 9, 1, tzinfo=UTC)), of)
    failed = {"b": Attempt(NOW, "the server is away")}
    found = week(gather(told, configuration("areas: {lists: {title: Lists}}"), {"a": old}, failed, (), NOW)).ailing
    assert [[(each.name, each.health.state) for each in ill.series] for ill in found] == [
        [("b", "missing"), ("a", "old")]
    ]
    assert "the server is away" in found[0].series[0].health.notes[0]


def test_who_is_left_out() -> None:
    """Drafts, repeats and files that cannot be read are in no digest."""
    draft = facts_of("reports: [{date: 2026-10-30, said: slow}]\ndraft: true", slug="draft")
    twice = facts_of("reports: [{date: 2026-10-30, said: slow}]\nsame_as: draft", slug="twice")
    assert week(draft, twice).quiet
    assert week(draft, twice).wanted == ()


# -- what goes on


def test_looked_at_now() -> None:
    """Open timeboxes come first, then tests and fixes by the day on which they can be decided."""
    box = facts_of(TOLD + "timeboxes: [{date: 2026-10-31, question: Where?, budget: 2h}]", "investigating", "box")
    test = facts_of(TOLD + f"timeboxes: [{BOX}]\n" + belief(), "testing", "test")
    soon = fix("soon", state="preliminary", shipped="2026-10-20", due=date(2026, 11, 4))
    found = looking([test, judged_facts("fix", soon), box])
    assert [(each.facts.slug, each.kind, each.until) for each in found] == [
        ("box", "timebox", None),
        ("fix", "judgement", date(2026, 11, 4)),
        ("test", "test", date(2026, 11, 6)),
    ]
    assert [each.anchor for each in found] == ["timebox-1", "fix-soon", "hypothesis-h1"]


def test_what_is_done_is_not_looked_at() -> None:
    """A parked story's open timebox is no look."""
    parked = "timeboxes: [{date: 2026-10-31, question: Where?, budget: 2h}]\nparked: {date: 2026-10-31, because: Rare}"
    assert looking([facts_of(TOLD + parked, "parked")]) == []


def test_help_is_wanted() -> None:
    """What is due comes before what nobody has looked at, and that before what is not known."""
    due = facts_of(TOLD + f"timeboxes: [{BOX}]\n" + belief(test=TEST.replace("11-05", "10-29")), "testing", "due")
    new = facts_of(TOLD, slug="new")
    many = facts_of(TOLD.replace("said: slow}", "said: slow, customers: 9}"), slug="many")
    asked = facts_of(TOLD + f"timeboxes: [{BOX}]\n", "investigating", "asked")
    found = wanted([asked, new, due, many])
    assert [(each.facts.slug, each.need) for each in found] == [
        ("due", "decide"), ("many", "look"), ("new", "look"), ("asked", "answer"),
    ]  # fmt: skip
    assert found[0].what == "The window of the test of h1 is over: decide it"
    assert found[3].open[:2] == ("impact", "affected")


def test_a_day_to_look_again() -> None:
    """A parked story is wanted again when its day has come, and not before."""
    parked = "parked: {date: 2026-10-01, because: Rare, revisit: 2026-11-01}"
    assert [each.need for each in wanted([facts_of(TOLD + parked, "parked")])] == ["decide"]
    assert wanted([facts_of(TOLD + parked, "parked", now=NOW.replace(month=10))]) == []


def test_settled_stories_want_nothing() -> None:
    """Of what is measured nobody asks what is not known."""
    assert "measured" not in OPEN
    assert wanted([facts_of(TOLD, "measured")]) == []


def test_hidden_questions_are_not_asked() -> None:
    """A field that the site hides is no open question."""
    told = facts_of(TOLD)
    assert {"revenue", "churn"} <= set(unanswered(told))
    assert not {"revenue", "churn"} & set(unanswered(told, ("revenue", "churn")))
    found = digest([told], WEEK, TODAY, ("revenue", "churn"))
    assert not {"revenue", "churn"} & set(found.wanted[0].open)


# -- the period


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("7d", "2026-10-25"),
        ("24h", "2026-10-31"),
        ("0s", "2026-11-01"),
        ("2026-10-03", "2026-10-03"),
        ("1w", "2026-10-25"),
    ],
)
def test_since(text: str, first: str) -> None:
    """A period is given by its length or by its first day."""
    assert read_since(text, Clock(NOW, fixed=True), ZoneInfo("UTC")) == date.fromisoformat(first)


def test_since_in_the_zone() -> None:
    """Days are those of the knowledge base's zone."""
    night = Clock(datetime(2026, 11, 1, 23, 30, tzinfo=UTC), fixed=True)
    assert read_since("1d", night, ZoneInfo("Europe/Berlin")) == date(2026, 11, 1)


@pytest.mark.parametrize("text", ["soon", "7", "-7d", "2026-13-01", "2026-11-02", "", "9" * 400 + "d"])
def test_since_what(text: str) -> None:
    """Anything else is named, and so is a day to come."""
    with pytest.raises(UserError, match="--since"):
        read_since(text, Clock(NOW, fixed=True), ZoneInfo("UTC"))


def test_the_sample(tmp_path: Path) -> None:
    """From files: a knowledge base that was never refreshed has a digest, and its data is told as missing."""
    known = base(
        tmp_path, {"slow-list": "title: T\nstatus: reported\ntelemetry: {a: {use: other_pages}}\nopened: 2026-10-30"}
    )
    stories = load_facts(known, check(known).of_story, known.stories)
    found = digest(stories, WEEK, TODAY)
    assert [each.series[0].health.state for each in found.ailing] == ["missing"]
    assert [each.after for each in found.moved] == ["reported"]
