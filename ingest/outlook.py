"""Where a story stands, for who has never seen it: a sentence, what comes next, and by when."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from ingest.evidence import Facts, FixFacts
from ingest.lifecycle import MEANING
from ingest.story import Fix, Stage, Timebox, day_of
from ingest.units import format_percent


@dataclass(frozen=True)
class Outlook:
    """`now` says where a story stands, `then` what comes next (empty where nothing has to), `by` on which day."""

    now: str
    then: str = ""
    by: date | None = None


def outlook(facts: Facts) -> Outlook:
    """What a story's stage means for this story, in words."""
    front = facts.story.front
    if front.same_as:
        return Outlook("It is the same problem as another story, and is followed there")
    return _STAGES[front.status](facts)


def lost(fix: FixFacts) -> bool:
    """Whether what a fix won is smaller by now, or gone."""
    return fix.standing in ("eroded", "regressed")


def _reported(facts: Facts) -> Outlook:
    box = _running(facts)
    if box:
        return Outlook(f"Somebody looks at it: “{box.question}”", "what that finds")
    return Outlook("Nobody has looked at it yet", "a look of an hour or two, to see what a fix would take")


def _investigating(facts: Facts) -> Outlook:
    box = _running(facts)
    if box:
        return Outlook(f"It is being looked at: “{box.question}”", "what that finds")
    disproved = sum(each.verdict == "disproved" for each in facts.story.front.hypotheses)
    if disproved:
        what = "A belief of why it is slow was" if disproved == 1 else f"{disproved} beliefs of why it is slow were"
        return Outlook(f"{what} disproved", "another look, or to park it")
    return Outlook("It was looked at, and nobody has said yet why it is slow", "a belief that telemetry can test")


def _testing(facts: Facts) -> Outlook:
    for test in facts.tests.values():
        if test.hypothesis.test and test.state in ("waiting", "due"):
            now = f"A belief of why it is slow is being tested: “{test.hypothesis.because}”"
            due = test.state == "due"
            return Outlook(now, "the test is over, and is to be decided" if due else "what the test says",
                           None if due else test.hypothesis.test.to)  # fmt: skip
    return Outlook("Tests of why it is slow have been run", "another test, or to park it")


def _confirmed(facts: Facts) -> Outlook:
    effort = f", and a fix would take {facts.effort.text}" if facts.effort else ""
    return Outlook(f"It is known why it is slow{effort}", "to choose it, or to park it")


def _fixing(facts: Facts) -> Outlook:
    work = [fix for fix in facts.story.front.fixes if not fix.shipped]
    if not work:
        return Outlook("It was chosen", "a fix in a ticket of its own")
    names = ", ".join(_named(fix) for fix in work)
    return Outlook(f"A fix is in work: {names}", "the fix goes live")


def _named(fix: Fix) -> str:
    hoped = f", expected to change it by {format_percent(fix.expected, signed=True)}" if fix.expected else ""
    return f"{fix.ticket or fix.id}{hoped}"


def _shipped(facts: Facts) -> Outlook:
    live = [known for known in facts.fixes.values() if known.fix.shipped]
    waiting = [known for known in live if known.state in ("waiting", "preliminary", "due")]
    last = max((day_of(known.fix.shipped, facts.zone) for known in live if known.fix.shipped), default=None)
    since = f" since {last.day} {last:%b %Y}" if last else ""
    if not waiting:
        return Outlook(f"A fix is live{since}; what it brought cannot be measured", "")
    due = min((known.due for known in waiting if known.due), default=None)
    return Outlook(f"A fix is live{since}", "what it brought is judged", due)


def _measured(facts: Facts) -> Outlook:
    judged = [known for known in facts.fixes.values() if known.pin]
    if any(lost(known) for known in judged):
        return Outlook("It was fixed, and what was won is being lost again", "somebody has to look at it anew")
    counting = {known.pin.verdict for known in judged if known.pin and known.counts}
    if counting - {"regressed"}:
        return Outlook("It was fixed, and what that won was measured")
    if counting:
        return Outlook("A fix was measured, and made it worse", "another fix, or to take this one back")
    return Outlook("A fix was measured, and did not detectably help", "another look, another fix, or to park it")


def _parked(facts: Facts) -> Outlook:
    parked = facts.story.front.parked
    because = f": {parked.because}" if parked else ""
    if parked and parked.revisit:
        return Outlook(f"It is not being worked on{because}", "to be looked at again", parked.revisit)
    return Outlook(f"It is not being worked on{because}")


def _running(facts: Facts) -> Timebox | None:
    """A look that has begun, and has not said what it found."""
    boxes = (box for box in facts.story.front.timeboxes if box.date <= facts.now.astimezone(facts.zone).date())
    return next((box for box in boxes if box.spent is None and box.outcome is None), None)


_STAGES: dict[Stage, Callable[[Facts], Outlook]] = {
    "reported": _reported,
    "investigating": _investigating,
    "testing": _testing,
    "confirmed": _confirmed,
    "fixing": _fixing,
    "shipped": _shipped,
    "measured": _measured,
    "parked": _parked,
}
assert set(_STAGES) == set(MEANING)  # noqa: S101  # a stage that is new needs its words
