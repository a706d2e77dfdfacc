"""Where a story stands and what comes next, in words."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from ingest.evidence import Facts
from ingest.evidence.testing import hypothesis_facts
from ingest.outlook import Outlook, outlook
from tests.ingest.impacts import change, facts, fix, judged


def at(status: str, *fixes: Any, front: str = "") -> Facts:
    found = facts("slow", *fixes, front=front)
    told = found.story.front.model_copy(update={"status": status})
    tests = {each.id: hypothesis_facts(each, found.series, None, found.zone, found.now) for each in told.hypotheses}
    return replace(found, story=replace(found.story, front=told), tests=tests)


BOX = "timeboxes: [{{date: 2026-10-30, question: Why?, budget: 2h{done}}}]"
TEST = """hypotheses:
  - {{id: h1, because: It counts, written: 2026-10-01, test: {{share: requests, of: requests, at_least: 30 %,
      from: {start}, to: {end}}}}}
"""


@pytest.mark.parametrize(
    ("status", "front", "now", "then", "by"),
    [
        ("reported", "", "Nobody has looked at it yet", "a look of an hour or two", None),
        ("reported", BOX.format(done=""), "Somebody looks at it: “Why?”", "what that finds", None),
        ("investigating", BOX.format(done=""), "It is being looked at: “Why?”", "what that finds", None),
        ("investigating", BOX.format(done=", spent: 1h"), "nobody has said yet why", "a belief", None),
        (
            "investigating",
            "hypotheses: [{id: h1, because: It counts, written: 2026-10-01, verdict: disproved, decided: 2026-10-09}]",
            "A belief of why it is slow was disproved",
            "another look",
            None,
        ),
        (
            "testing",
            TEST.format(start="2026-10-25", end="2026-11-08"),
            "is being tested: “It counts”",
            "what the test says",
            date(2026, 11, 8),
        ),
        ("testing", TEST.format(start="2026-10-01", end="2026-10-08"), "is being tested", "to be decided", None),
        ("confirmed", BOX.format(done=", effort: 2d-5d"), "a fix would take 2d-5d", "to choose it", None),
        ("fixing", "", "It was chosen", "a fix in a ticket", None),
        (
            "fixing",
            "fixes: [{id: batch, ticket: PERF-1, expected: -60 %}]",
            "A fix is in work: PERF-1, expected to change it by −60 %",
            "the fix goes live",
            None,
        ),
        ("parked", "parked: {date: 2026-10-01, because: It is rare}", "not being worked on: It is rare", "", None),
        (
            "parked",
            "parked: {date: 2026-10-01, because: It is rare, revisit: 2026-12-01}",
            "It is rare",
            "to be looked at again",
            date(2026, 12, 1),
        ),
        ("testing", "same_as: other", "the same problem as another story", "", None),
    ],
)
def test_stages(status: str, front: str, now: str, then: str, by: date | None) -> None:
    """Each stage says what it means for this story, what comes next, and the day of it where one is known."""
    found = outlook(at(status, front=front))
    assert now in found.now
    assert then in found.then if then else not found.then
    assert found.by == by


def test_a_live_fix() -> None:
    """A fix that is live is judged on a day that is known; one that cannot be measured says so."""
    waiting = fix(shipped="2026-10-25", state="waiting", due=date(2026, 11, 9))
    expected = Outlook("A fix is live since 25 Oct 2026", "what it brought is judged", date(2026, 11, 9))
    assert outlook(at("shipped", waiting)) == expected
    assert "cannot be measured" in outlook(at("shipped", fix(state="unmeasured"))).now


@pytest.mark.parametrize(
    ("verdict", "standing", "now", "then"),
    [
        ("improved", "held", "what that won was measured", ""),
        ("improved", None, "what that won was measured", ""),
        ("improved", "eroded", "is being lost again", "somebody has to look"),
        ("improved", "regressed", "is being lost again", "somebody has to look"),
        ("undetected", None, "did not detectably help", "another look"),
        ("regressed", None, "made it worse", "another fix"),
        ("unusual", None, "did not detectably help", "another look"),
    ],
)
def test_a_measured_fix(verdict: str, standing: Any, now: str, then: str) -> None:
    """What was measured is called a gain only where it is one, and still is."""
    effect = change(0.3) if verdict == "regressed" else change()
    found = outlook(at("measured", fix(pin=judged(verdict, effect), standing=standing)))
    assert now in found.now
    assert then in found.then if then else not found.then
