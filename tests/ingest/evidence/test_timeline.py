"""What happened to a story, in order."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingest.evidence import Event
from ingest.evidence.timeline import timeline
from tests.ingest.evidence.samples import BERLIN, UTC_ZONE, story
from tests.ingest.impacts import fix, judged

EVERYTHING = """
opened: 2026-09-01
reports:
  - {date: 2026-09-03, said: page spins, link: "https://helpdesk.example/1"}
  - {date: 2026-08-30, said: it is slow}
  - {source: helpdesk, query: "tag:slow"}
timeboxes:
  - {date: 2026-09-02, question: Which query?, budget: 2h, spent: 1h30m}
  - {date: 2026-09-04, question: How many lists?, budget: 2h}
hypotheses:
  - {id: h1, because: One query per list, written: 2026-09-05, verdict: confirmed, decided: 2026-09-11}
  - {id: h2, because: A slow disk, written: 2026-09-06, verdict: disproved, decided: 2026-09-10}
  - {id: h3, because: The network, written: 2026-09-07}
chosen: {date: 2026-09-12, because: It blocks our largest accounts}
fixes:
  - {id: batch, expected: -60 %, shipped: 2026-09-20T14:00Z, change: "https://code.example/881"}
  - {id: cache, shipped: 2026-09-19}
  - {id: later, expected: -10 %}
parked: {date: 2026-09-25, because: The rest is not worth it}
pauses: [{parked: 2026-09-13, because: The page is being replaced, reopened: 2026-09-18}]
"""


def events(front: str, zone: ZoneInfo = UTC_ZONE) -> tuple[Event, ...]:
    return timeline(story(front), zone)


def test_everything_in_order() -> None:
    """Every dated thing of a story is an event, oldest first; what has no date yet is none."""
    assert [(each.day.isoformat(), each.label) for each in events(EVERYTHING)] == [
        ("2026-08-30", "reported"),
        ("2026-09-01", "opened"),
        ("2026-09-02", "timebox"),
        ("2026-09-03", "reported"),
        ("2026-09-04", "timebox"),
        ("2026-09-05", "hypothesis"),
        ("2026-09-06", "hypothesis"),
        ("2026-09-07", "hypothesis"),
        ("2026-09-10", "disproved"),
        ("2026-09-11", "confirmed"),
        ("2026-09-12", "chosen"),
        ("2026-09-13", "parked"),
        ("2026-09-18", "reopened"),
        ("2026-09-19", "shipped cache"),
        ("2026-09-20", "shipped batch"),
        ("2026-09-25", "parked"),
    ]


@pytest.mark.parametrize(
    ("day", "text", "anchor", "link"),
    [
        ("2026-09-03", "Reported: “page spins”", "reports", "https://helpdesk.example/1"),
        ("2026-09-02", "Timebox: “Which query?” (1 h 30 min)", "timebox-1", ""),
        ("2026-09-04", "Timebox: “How many lists?”", "timebox-2", ""),
        ("2026-09-05", "Hypothesis written: One query per list", "hypothesis-h1", ""),
        ("2026-09-10", "Hypothesis disproved: A slow disk", "hypothesis-h2", ""),
        ("2026-09-12", "Chosen: It blocks our largest accounts", "", ""),
        (
            "2026-09-20",
            "Fix shipped: batch (expected: −60 %)",
            "fix-batch",
            "https://code.example/881",
        ),
        ("2026-09-19", "Fix shipped: cache", "fix-cache", ""),
        ("2026-09-13", "Parked: The page is being replaced", "", ""),
        ("2026-09-18", "Taken up again", "", ""),
        ("2026-09-25", "Parked: The rest is not worth it", "", ""),
    ],
)
def test_each_event_in_words(day: str, text: str, anchor: str, link: str) -> None:
    """An event is a sentence, with the part of the page that is about it, and where else it leads."""
    found = next(each for each in events(EVERYTHING) if each.day == date.fromisoformat(day))
    assert (found.text, found.anchor, found.link) == (text, anchor, link)


def test_one_day_in_the_order_of_the_method() -> None:
    """What happened on one day is told in the order in which the method goes about it."""
    front = """
opened: 2026-09-01
parked: {date: 2026-09-01, because: It is enough}
fixes: [{id: batch, shipped: 2026-09-01}]
chosen: {date: 2026-09-01, because: It hurts}
hypotheses: [{id: h1, because: The disk, written: 2026-09-01, verdict: confirmed, decided: 2026-09-01}]
timeboxes: [{date: 2026-09-01, question: Why?, budget: 2h}]
reports: [{date: 2026-09-01, said: slow}]
"""
    kinds = ["opened", "reported", "timebox", "hypothesis", "confirmed", "chosen", "shipped", "parked"]
    assert [each.kind for each in events(front)] == kinds


def test_a_day_begins_in_the_zone() -> None:
    """A date stands for the midnight of the zone with which it begins, and sorts so among moments."""
    front = "fixes: [{id: a, shipped: 2026-09-02}, {id: b, shipped: 2026-09-01T22:30Z}]"
    assert [each.label for each in events(front)] == ["shipped b", "shipped a"]
    assert [each.label for each in events(front, BERLIN)] == ["shipped a", "shipped b"]
    first = events(front, BERLIN)[0]
    assert first.at == datetime(2026, 9, 1, 22, tzinfo=UTC)


def test_the_day_of_a_moment_is_that_of_the_zone() -> None:
    """Late in the evening in UTC it is already tomorrow in Berlin."""
    front = "fixes: [{id: b, shipped: 2026-09-01T22:30Z}]"
    assert events(front)[0].day == date(2026, 9, 1)
    assert events(front, BERLIN)[0].day == date(2026, 9, 2)


def test_nothing_happened() -> None:
    """A story without dates has no events."""
    assert events("telemetry: {p95: {source: prod, kind: gauge, query: q}}") == ()


@pytest.mark.parametrize(
    ("verdict", "standing", "kind", "text"),
    [
        ("improved", "eroded", "eroded", "The gain of batch is smaller since 28 Sep 2026"),
        ("improved", "regressed", "regressed", "The gain of batch is gone since 28 Sep 2026"),
        ("regressed", None, "recovered", "The loss of batch is made good since 28 Sep 2026"),
    ],
)
def test_what_became_of_a_gain(verdict: str, standing: Any, kind: str, text: str) -> None:
    """The day on which the watch noticed is an event; a gain that holds is none."""
    found = fix(pin=judged(verdict), standing=standing, lost=date(2026, 10, 3), since=date(2026, 9, 28))
    held = fix(pin=judged(), standing="held")
    (event,) = timeline(story(), UTC_ZONE, fixes={"batch": found, "other": held})
    assert (event.day, event.kind, event.text) == (date(2026, 10, 3), kind, text)
    assert (event.anchor, event.name) == ("fix-batch", f"{kind}-batch")


def test_parking_stays_what_it_was() -> None:
    """A feed knows a parking by the same name after the story was taken up again."""
    parked = events("parked: {date: 2026-09-13, because: It is rare}")
    reopened = events("pauses: [{parked: 2026-09-13, because: It is rare, reopened: 2026-09-13}]")
    assert reopened[0] == parked[0]
    assert [each.name for each in reopened] == ["parked-2026-09-13", "reopened-2026-09-13"]
