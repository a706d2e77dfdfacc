"""Deciding a hypothesis and judging a fix: evaluate, pin the evidence, write the front matter.

The pin is written first: should the second write never come, `check` says which verdict
follows from it.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from ingest.books import Edit, assert_writable, edited, held, next_step, write
from ingest.edit import set_value
from ingest.errors import UserError, did_you_mean
from ingest.evidence import Facts
from ingest.evidence.figure import NoFigureError
from ingest.evidence.fixing import Subject, judge, subject_of
from ingest.evidence.load import load_facts
from ingest.evidence.testing import evaluate
from ingest.knowledge import KnowledgeBase
from ingest.lifecycle import stage_after
from ingest.pins import NO_PINS, Judged, Pins, Tested, write_pin
from ingest.rules import is_over, judged_on, too_short
from ingest.stats import TooFewDaysError
from ingest.story import Fix, Hypothesis, Stage, Story, Test, day_of, moment_of


@dataclass(frozen=True)
class Decided:
    """A hypothesis that was decided: what was pinned where, the stage since, and what to do next."""

    pin: Tested
    folder: Path
    stage: str
    next: str


@dataclass(frozen=True)
class Settled:
    """A fix that was judged and pinned, or why not (`why`; then `pin` is None).

    `failed` where its day has come and it could not be judged.
    """

    slug: str
    id: str
    pin: Judged | None
    why: str = ""
    failed: bool = False


def decide(base: KnowledgeBase, slug: str, name: str, *, again: bool = False) -> Decided:
    """Evaluates the test of a hypothesis, pins the evidence, and writes verdict, date and stage.

    UserError where that cannot be done yet, or was done already and `again` is not given.
    """
    story = base.story(slug)
    assert_writable(story, "hypotheses")
    index, hypothesis = _hypothesis(story, name)
    test = _testable(base, story, hypothesis, again)
    facts = load_facts(base, {}, [story])[0]
    _asserts_complete(facts, test)
    today = base.clock.today(facts.zone)
    try:
        evidence = evaluate(test, facts.series, facts.zone, today)
    except NoFigureError as error:
        raise UserError(story.where("hypotheses", index, "test"), f"the test cannot be evaluated: {error}") from None
    pin, data = evidence.to_pin()
    stage, follows = _stage_after(base, story, hypothesis, pin)
    edits: list[Edit] = [
        lambda text: set_value(text, ("hypotheses", index, "verdict"), pin.verdict, after="test"),
        lambda text: set_value(text, ("hypotheses", index, "decided"), today, after="verdict"),
    ]
    if stage != story.front.status:
        edits.append(lambda text: set_value(text, ("status",), stage))
    with held(base, story, ("status", "hypotheses", "telemetry")):
        written = edited(base, story, edits)
        folder = write_pin(base.root, slug, name, pin, data)
        write(base, story, written)
    return Decided(pin, folder, stage, follows)


def _hypothesis(story: Story, name: str) -> tuple[int, Hypothesis]:
    for index, hypothesis in enumerate(story.front.hypotheses):
        if hypothesis.id == name:
            return index, hypothesis
    known = [hypothesis.id for hypothesis in story.front.hypotheses]
    raise UserError(story.path, f"there is no hypothesis {name!r}", did_you_mean(name, known))


def _testable(base: KnowledgeBase, story: Story, hypothesis: Hypothesis, again: bool) -> Test:
    """The hypothesis' test; UserError where it cannot decide anything, or not today."""
    test, zone = hypothesis.test, base.settings.timezone
    where = story.where("hypotheses", [each.id for each in story.front.hypotheses].index(hypothesis.id), "test")
    if test is None or not test.is_whole:
        hint = "write what would confirm it: share and of, contrast and against, or change and at"
        raise UserError(where, f"{hypothesis.id} has no test", hint)
    if rule := too_short(test, zone):
        raise UserError(
            where, f"this test cannot decide anything: {rule}", "one observation proves nothing: look longer"
        )
    if not is_over(test, base.clock.today(zone)):
        hint = "a look in between would be a guess"
        raise UserError(where, f"the window of this test is open until {test.to}", hint)
    pinned = base.pins.get(story.slug, NO_PINS).tested.get(hypothesis.id)
    if pinned and not again:
        raise UserError(where, f"it was decided on {pinned.stated}, and is pinned", "--again states it anew")
    return test


def _asserts_complete(facts: Facts, test: Test) -> None:
    """UserError where the stored data does not reach to the end of the test's window."""
    end = moment_of(test.to + timedelta(days=1), facts.zone)
    for name in test.names.values():
        series = facts.series.get(name)
        if series and series.health.state == "changed":
            what = f"the data of {name} is that of an earlier query"
            raise UserError(facts.story.path, what, f"perfkb refresh {facts.slug}")
        if series and (series.manifest is None or series.manifest.window[1] < end - series.step):
            until = (
                f"was fetched until {series.manifest.window[1]:%Y-%m-%d %H:%M} UTC"
                if series.manifest
                else "is not there"
            )
            raise UserError(facts.story.path, f"the data of {name} {until}", f"perfkb refresh {facts.slug}")


def _stage_after(base: KnowledgeBase, story: Story, hypothesis: Hypothesis, pin: Tested) -> tuple[Stage, str]:
    """The stage that follows from a verdict, and what to do next."""
    zone, pins = base.settings.timezone, base.pins.get(story.slug, NO_PINS)
    today = base.clock.today(zone)
    now = tuple(
        each if each is not hypothesis else each.model_copy(update={"verdict": pin.verdict})
        for each in story.front.hypotheses
    )
    decided = replace(story, front=story.front.model_copy(update={"hypotheses": now}))
    pins = Pins({**pins.tested, hypothesis.id: pin}, pins.judged)
    stage = stage_after(decided, pins, today)
    moved = replace(decided, front=decided.front.model_copy(update={"status": stage}))
    if pin.verdict == "disproved" and stage == "investigating":
        return stage, "a disproof leads back: run another timebox, or park it"
    if pin.verdict == "inconclusive":
        return stage, "look longer with a new hypothesis, or park it"
    return stage, next_step(moved, pins, today, zone)


def settle(base: KnowledgeBase, slugs: tuple[str, ...] = (), *, again: bool = False) -> list[Settled]:
    """Judges and pins every fix of these stories (of all, if none is named) whose day has come.

    A story whose shipped fixes are all judged becomes `measured`. One that was judged stays as
    it was stated, unless `again` is given, which needs the stories' names.
    """
    stories = [base.story(slug) for slug in slugs] or list(base.stories)
    if again and not slugs:
        raise UserError(None, "--again states anew what was stated: name the stories", "perfkb pin --again SLUG")
    found = []
    for facts in load_facts(base, {}, stories):
        settled = [_settle(base, facts, fix, again) for fix in facts.story.front.fixes if fix.shipped]
        _measured(base, facts, {each.id: each.pin for each in settled if each.pin})
        found += settled
    return found


def _settle(base: KnowledgeBase, facts: Facts, fix: Fix, again: bool) -> Settled:
    known, today = facts.fixes[fix.id], base.clock.today(facts.zone)
    if known.pin and not again:
        return Settled(facts.slug, fix.id, None, f"it was judged on {known.pin.stated}")
    if known.due is None or today < known.due:
        return Settled(facts.slug, fix.id, None, f"it is judged on {known.due}")
    subject = subject_of(facts.slug, fix, facts.story.front.slo, facts.series, known.siblings, facts.zone)
    if subject is None:
        return Settled(facts.slug, fix.id, None, "it names no series that has data", failed=True)
    if why := _incomplete(subject):
        return Settled(facts.slug, fix.id, None, why, failed=True)
    try:
        pin, data = judge(subject, today).to_pin()
    except (TooFewDaysError, NoFigureError) as error:
        return Settled(facts.slug, fix.id, None, f"cannot be judged: {error}", failed=True)
    write_pin(base.root, facts.slug, fix.id, pin, data)
    return Settled(facts.slug, fix.id, pin)


def _incomplete(subject: Subject) -> str:
    """Why the data does not reach over the days after the fix; empty where it does."""
    for series in (subject.series, subject.control):
        if series and series.health.state == "changed":
            return f"the data of {series.name} is that of an earlier query: perfkb refresh {subject.slug}"
    manifest = subject.series.manifest
    until = day_of(manifest.window[1], subject.zone) if manifest else date.min
    if until < judged_on(subject.shipped):
        return f"the data was fetched until {until}: perfkb refresh {subject.slug}"
    return ""


def _measured(base: KnowledgeBase, facts: Facts, judged: dict[str, Judged]) -> None:
    """Moves a shipped story whose shipped fixes are all judged, if that is all it lacked."""
    story = facts.story
    pins, today = base.pins.get(story.slug, NO_PINS), base.clock.today(facts.zone)
    pins = Pins(pins.tested, {**pins.judged, **judged})
    if story.front.status == "shipped" and (stage := stage_after(story, pins, today)) != "shipped":
        with held(base, story, ("status", "fixes")):
            write(base, story, edited(base, story, [lambda text: set_value(text, ("status",), stage)]))
