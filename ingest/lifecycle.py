"""The stages of a story, and what each demands.

A stage asks for what it names and for all that the stages before it ask. A story that is
parked, or that repeats another one, may stop anywhere.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import get_args

from ingest.errors import Problem
from ingest.marked import Path, spell
from ingest.pins import Pins
from ingest.story import FrontMatter, Hypothesis, Stage, Story, day_of
from ingest.units import format_duration

STAGES: tuple[Stage, ...] = get_args(Stage)
ADVANCING = STAGES[: STAGES.index("parked")]

MEANING: dict[Stage, str] = {
    "reported": "Somebody noticed it, and it became a story",
    "investigating": "It is being looked at in timeboxes",
    "testing": "Seen once; a belief is written down, and its test waits for data",
    "confirmed": "The component is isolated, its share known in aggregate",
    "fixing": "Chosen and in work",
    "shipped": "Live; the time after it fills with data",
    "measured": "The impact of the fix was judged, and is pinned",
    "parked": "Stopped on purpose",
}


@dataclass(frozen=True)
class Demand:
    """What a stage asks of a story: the field it concerns, whether it is met, what to do."""

    field: str
    met: Callable[[FrontMatter], bool]
    asks: str
    hint: str


DEMANDS: dict[Stage, tuple[Demand, ...]] = {
    "reported": (
        Demand("reports", lambda f: bool(f.reports or f.telemetry), "a report or a series", "add it under `reports:`"),
    ),
    "investigating": (
        Demand("area", lambda f: bool(f.area), "an area", "add `area:`, one of knowledge-base.yml"),
        Demand("what", lambda f: bool(f.what), "what is slow", "add `what:`"),
        Demand("timeboxes", lambda f: bool(f.timeboxes), "a timebox", "add its question and budget under `timeboxes:`"),
    ),
    "testing": (
        Demand("who", lambda f: bool(f.who), "for whom it is slow", "add `who:`"),
        Demand("when", lambda f: bool(f.when), "when it is slow", "add `when:`"),
        Demand("where", lambda f: bool(f.where), "where it is slow", "add `where:`"),
        Demand(
            "hypotheses",
            lambda f: any(h.test and h.verdict != "disproved" for h in f.hypotheses),
            "a hypothesis with a test that did not disprove it",
            "write what you believe, and the threshold that would confirm it; a disproof leads back to investigating",
        ),
    ),
    "confirmed": (
        Demand(
            "hypotheses",
            lambda f: any(h.test and h.verdict == "confirmed" for h in f.hypotheses),
            "a hypothesis that its test confirmed",
            "set its `verdict:`, or go back to `status: testing`",
        ),
        Demand("why", lambda f: bool(f.why), "why it is slow", "add `why:`"),
        Demand(
            "timeboxes",
            lambda f: any(box.effort for box in f.timeboxes),
            "what a fix would take",
            "add `effort:` to the timebox that found it out",
        ),
    ),
    "fixing": (
        Demand("chosen", lambda f: bool(f.chosen), "why it was chosen", "add `chosen: {date, because}`"),
        Demand(
            "fixes",
            lambda f: any(fix.ticket and fix.expected is not None for fix in f.fixes),
            "a fix with its ticket and the expected change",
            "add `ticket:` and `expected:` under `fixes:`",
        ),
    ),
    "shipped": (
        Demand("fixes", lambda f: any(x.shipped for x in f.fixes), "the date of a fix", "add `shipped:` to the fix"),
    ),
    "measured": (),
    "parked": (
        Demand("parked", lambda f: bool(f.parked), "why it was parked", "add `parked: {date, because}`"),
    ),
}  # fmt: skip


def demands_of(stage: Stage) -> list[Demand]:
    """All that a story of this stage must have, in the order of the stages."""
    if stage == "parked":
        return [*DEMANDS["reported"], *DEMANDS["parked"]]
    return [demand for each in ADVANCING[: ADVANCING.index(stage) + 1] for demand in DEMANDS[each]]


def unmet(story: Story) -> Iterator[Problem]:
    """A problem for each demand of the story's stage that it does not meet."""
    if story.front.same_as:
        return
    for demand in demands_of(story.front.status):
        # A field that is there and wrong has been named already.
        if not demand.met(story.front) and demand.field not in story.mistaken:
            what = f"{story.front.status} asks for {demand.asks}"
            yield Problem(story.where("status"), "PK301", what, demand.hint)


def earned(story: Story, pins: Pins, today: date) -> Stage:
    """The furthest stage whose demands, and those of all before it, are met by what has happened until `today`.

    Evidence counts where it is pinned: a verdict with the pin from which it follows, a fix that was
    judged. A fix in work keeps a story at `fixing`, whatever an earlier one has brought. What a story
    sets aside with a reason counts as met.
    """
    front = _so_far(story.front, pins, today)
    waived = demands_of(front.status) if "PK301" in front.override else []
    stage: Stage = "reported"
    for each in ADVANCING[1:-1]:
        if not all(demand.met(front) or demand in waived for demand in DEMANDS[each]):
            break
        stage = each
    if stage != "shipped":
        return stage
    if story.front.status == "fixing" and any(fix.ticket and not fix.shipped for fix in front.fixes):
        return "fixing"
    return "measured" if all(fix.id in pins.judged for fix in front.fixes if fix.shipped) else "shipped"


def _so_far(front: FrontMatter, pins: Pins, today: date) -> FrontMatter:
    """What has happened: without timeboxes and deploys to come, and verdicts that nothing pinned bears out."""
    proven = {name for name, pin in pins.tested.items() if pin.verdict == "confirmed"}
    if "PK304" in front.override:
        proven |= {each.id for each in front.hypotheses}
    hypotheses = [
        each if each.verdict != "confirmed" or each.id in proven else each.model_copy(update={"verdict": "open"})
        for each in front.hypotheses
    ]
    fixes = [
        each if not each.shipped or _day(each.shipped) <= today else each.model_copy(update={"shipped": None})
        for each in front.fixes
    ]
    boxes = [each for each in front.timeboxes if each.date <= today]
    return front.model_copy(update={"timeboxes": tuple(boxes), "hypotheses": tuple(hypotheses), "fixes": tuple(fixes)})


def stage_after(story: Story, pins: Pins, today: date) -> Stage:
    """The stage of a story after an edit: what it has earned, where that is further.

    One way leads back: from testing, once every test was disproved. A story that is parked, repeats
    another one or lags on purpose stays where it is.
    """
    status = story.front.status
    if status not in ADVANCING or story.front.same_as or "PK306" in story.front.override:
        return status
    tested = [each for each in story.front.hypotheses if each.test]
    if status == "testing" and tested and all(each.verdict == "disproved" for each in tested):
        return "investigating"
    return max(status, earned(story, pins, today), key=ADVANCING.index)


def lagging(story: Story, pins: Pins, today: date) -> Iterator[Problem]:
    """A warning where a story's stage lags behind what the story has earned, or was decided."""
    status = story.front.status
    if status not in ADVANCING or story.front.same_as or "status" in story.mistaken:
        return
    if story.front.parked:
        what = f"the story is {status}, and says why it was parked"
        hint = f"write `status: parked`, or take it up again: perfkb reopen {story.slug}"
        yield Problem(story.where("parked"), "PK306", what, hint, "warning")
    reached = earned(story, pins, today)
    if ADVANCING.index(reached) > ADVANCING.index(status):
        what = f"the story is {status}, and has all that {reached} asks for"
        yield Problem(story.where("status"), "PK306", what, f"write `status: {reached}`", "warning")


def impossible_dates(story: Story, now: datetime) -> Iterator[Problem]:
    """A problem for each date that contradicts another one, or lies in the future."""
    # Half the world is a day ahead of UTC; only what is future everywhere is refused.
    tomorrow = (now + timedelta(days=1)).date()
    for path, when in _events(story.front):
        if _day(when) > tomorrow:
            what = f"{spell(path)}: {when} is in the future"
            yield Problem(story.where(*path), "PK302", what, "write what happened, when it has")
    for path, early, late, what in _orders(story.front):
        if early and late and _day(late) < _day(early):
            yield Problem(story.where(*path), "PK302", f"{spell(path)}: {late} is before {early}, {what}", "")


def _events(front: FrontMatter) -> Iterator[tuple[Path, date]]:
    """The dates of what has happened, which cannot lie in the future."""
    for field, keys in _HAPPENED.items():
        for index, entry in enumerate(getattr(front, field)):
            for key in keys:
                if when := getattr(entry, key, None):
                    yield (field, index, key), when
    for name in ("chosen", "parked"):
        if entry := getattr(front, name):
            yield (name, "date"), entry.date
    if front.opened:
        yield ("opened",), front.opened


_HAPPENED = {
    "reports": ("date",),
    "hypotheses": ("written", "decided"),
    "fixes": ("shipped",),
    "pauses": ("parked", "reopened"),
}
"""Of each list, the keys of such dates."""


def _orders(front: FrontMatter) -> Iterator[tuple[Path, date | None, date | None, str]]:
    """What must not come before what: the place, the earlier, the later, and why."""
    for index, hypothesis in enumerate(front.hypotheses):
        place = ("hypotheses", index)
        yield (*place, "decided"), hypothesis.written, hypothesis.decided, "when the hypothesis was written"
        yield from _test_orders(place, hypothesis)
    if front.parked:
        yield ("parked", "revisit"), front.parked.date, front.parked.revisit, "when it was parked"
    for index, pause in enumerate(front.pauses):
        yield ("pauses", index, "reopened"), pause.parked, pause.reopened, "when it was parked"
        if front.parked and front.status == "parked":
            yield ("parked", "date"), pause.reopened, front.parked.date, "when it was taken up again"


def _test_orders(place: Path, hypothesis: Hypothesis) -> Iterator[tuple[Path, date | None, date | None, str]]:
    if hypothesis.test:
        yield (*place, "test", "to"), hypothesis.test.from_, hypothesis.test.to, "the first day of the test"
        if hypothesis.verdict != "open":
            yield (*place, "decided"), hypothesis.test.to, hypothesis.decided, "the last day of the test"


def overruns(story: Story) -> Iterator[Problem]:
    """A warning for each timebox that took longer than its budget."""
    for index, box in enumerate(story.front.timeboxes):
        if box.spent and box.spent > box.budget:
            over = format_duration(box.spent - box.budget)
            what = f"timeboxes[{index}] went {over} over its budget of {format_duration(box.budget)}"
            yield Problem(
                story.where("timeboxes", index, "spent"), "PK303", what, "another box, or park it?", "warning"
            )


def _day(when: date | datetime) -> date:
    return day_of(when, when.tzinfo) if isinstance(when, datetime) and when.tzinfo else when
