"""What goes on today: what is looked at, and where a hand, a decision or an answer is wanted.

About questions and not about people: nothing here says who is late with what.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from ingest.codes import UNREADABLE
from ingest.evidence import Facts
from ingest.priorities import OPEN
from ingest.settings import CUSTOMER_FIELDS
from ingest.story import Timebox, day_of
from ingest.units import format_duration

QUESTIONS = ("who", "what", "when", "where", "why")
DAY = timedelta(days=1)

Kind = Literal["timebox", "test", "judgement"]
Need = Literal["decide", "look", "answer"]


@dataclass(frozen=True)
class Looking:
    """Something that is being found out: an open timebox, a test or a fix whose data fills.

    `until` is the day on which it can be decided; a timebox has none. `anchor` leads to it
    within the story's page.
    """

    facts: Facts
    kind: Kind
    what: str
    since: date
    until: date | None
    anchor: str


@dataclass(frozen=True)
class Wanted:
    """Where something is wanted of a story, the most pressing of it, and the `open` questions, by their fields."""

    facts: Facts
    need: Need
    what: str
    anchor: str = ""
    open: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overrun:
    """A timebox that took longer than its budget, or was left open (`spent` of it is not known)."""

    facts: Facts
    number: int
    box: Timebox

    @property
    def what(self) -> str:
        """How far it went, in words."""
        box = self.box
        if box.spent is None:
            return f"open since {box.date:%-d %b %Y}, with a budget of {format_duration(box.budget)}"
        return f"took {format_duration(box.spent)}, where {format_duration(box.budget)} were meant"


def today_of(facts: Facts) -> date:
    """The calendar day of the knowledge base."""
    return facts.now.astimezone(facts.zone).date()


def counts(facts: Facts) -> bool:
    """Whether a story is told of: one that repeats another is told there, and an unreadable one says nothing."""
    return not facts.repeats and not any(problem.code in UNREADABLE for problem in facts.problems)


def is_open(facts: Facts) -> bool:
    """Whether there is something left to find out or to do."""
    return counts(facts) and facts.story.front.status in OPEN


def looking(stories: Iterable[Facts]) -> list[Looking]:
    """What is being found out: open timeboxes, the newest first, then what can be decided soonest."""
    found = [each for facts in stories if counts(facts) for each in _looking(facts)]
    boxes = [each for each in found if each.until is None]
    dated = [each for each in found if each.until is not None]
    boxes.sort(key=lambda each: (each.since, each.facts.slug), reverse=True)
    return boxes + sorted(dated, key=lambda each: (each.until or each.since, each.facts.slug, each.anchor))


def _looking(facts: Facts) -> Iterator[Looking]:
    if facts.story.front.status in OPEN:
        for number, box in enumerate(facts.story.front.timeboxes, 1):
            if box.spent is None and box.date <= today_of(facts):
                yield Looking(facts, "timebox", box.question, box.date, None, f"timebox-{number}")
        for name, found in facts.tests.items():
            test = found.hypothesis.test
            if found.state == "waiting" and test:
                # The last day of the window is looked at too.
                until = test.to + DAY
                yield Looking(facts, "test", found.hypothesis.because, test.from_, until, f"hypothesis-{name}")
    for name, fix in facts.fixes.items():
        if fix.state in ("waiting", "preliminary") and fix.due and fix.fix.shipped:
            yield Looking(facts, "judgement", name, day_of(fix.fix.shipped, facts.zone), fix.due, f"fix-{name}")


def wanted(stories: Iterable[Facts], hidden: Collection[str] = ()) -> list[Wanted]:
    """Where help is wanted, one entry a story: what is due, then what nobody has looked at, then what is not known.

    Within each, what most customers report comes first. A `hidden` question is not asked.
    """
    needs: tuple[Need, ...] = ("decide", "look", "answer")
    found = [each for facts in stories if counts(facts) and (each := _wanted(facts, hidden))]
    found.sort(key=lambda each: (needs.index(each.need), -each.facts.reports.customers, each.facts.slug))
    return found


def _wanted(facts: Facts, hidden: Collection[str]) -> Wanted | None:
    unknown = unanswered(facts, hidden)
    if due := next(_due(facts), None):
        what, anchor = due
        return Wanted(facts, "decide", what, anchor, unknown)
    if not is_open(facts):
        return None
    if facts.story.front.status == "reported" and not facts.story.front.timeboxes:
        return Wanted(facts, "look", "Nobody has looked at it yet", "", unknown)
    if unknown and facts.story.front.status in ("reported", "investigating", "testing"):
        return Wanted(facts, "answer", "", "questions", unknown)
    return None


def _due(facts: Facts) -> Iterator[tuple[str, str]]:
    """What can be decided today, and the place of it on the story's page."""
    for name, found in facts.tests.items():
        if found.state == "due":
            yield f"The window of the test of {name} is over: decide it", f"hypothesis-{name}"
    for name, fix in facts.fixes.items():
        if fix.state == "due":
            yield f"The fix {name} was to be judged on {fix.due:%-d %b %Y}: judge it", f"fix-{name}"
    parked = facts.story.front.parked
    if facts.story.front.status == "parked" and parked and parked.revisit and parked.revisit <= today_of(facts):
        yield f"It was parked until {parked.revisit:%-d %b %Y}: look again, or park it on", ""
    for overrun in overruns([facts]):
        if overrun.number == len(facts.story.front.timeboxes) and is_open(facts):
            yield f"A timebox {overrun.what}: another one, or park it?", f"timebox-{overrun.number}"


def unanswered(facts: Facts, hidden: Collection[str] = ()) -> tuple[str, ...]:
    """The questions about the problem and its customers that nobody has answered, by their fields."""
    front = facts.story.front
    known = front.customer.model_dump(exclude_none=True)
    asked = [name for name in CUSTOMER_FIELDS if name not in hidden and name not in known]
    return (*(name for name in QUESTIONS if getattr(front, name) is None), *asked)


def overruns(stories: Iterable[Facts], since: date | None = None) -> list[Overrun]:
    """Timeboxes that took longer than their budget, and those left open for longer than a day.

    With `since`, of the finished ones those that began on that day or later.
    """
    return [
        Overrun(facts, number, box)
        for facts in stories
        for number, box in enumerate(facts.story.front.timeboxes, 1)
        if _is_overrun(facts, box, since)
    ]


def _is_overrun(facts: Facts, box: Timebox, since: date | None) -> bool:
    if box.spent is None:
        return is_open(facts) and today_of(facts) - box.date > max(box.budget, DAY)
    return counts(facts) and box.spent > box.budget and (since is None or box.date >= since)
