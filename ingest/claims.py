"""What a story claims, held against the evidence that is pinned with it.

A pure function of the repository: the live store, whose data may be newer, older or not
there, changes no answer.
"""

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

from ingest.errors import Problem, Where
from ingest.pins import Judged, Pins, Tested
from ingest.rules import DAYS_AFTER, DAYS_BEFORE, SIDES, failed, is_over, judged_on, too_short, verdict_of
from ingest.story import Fix, Hypothesis, Story, day_of

_AGAIN = "a test stands before its data: take it back, or write a new hypothesis"


def unproven(story: Story, pins: Pins, today: date, zone: ZoneInfo) -> Iterator[Problem]:
    """A problem for each claim that the pins do not bear out, and a warning for each that is due."""
    front = story.front
    for index, hypothesis in enumerate(front.hypotheses):
        pin = pins.tested.get(hypothesis.id)
        yield from _unproven_verdict(story, index, hypothesis, pin, zone) or _undecided(story, index, hypothesis, today)
    for index, fix in enumerate(front.fixes):
        pin_of_fix = pins.judged.get(fix.id)
        if pin_of_fix is None:
            yield from _overdue(story, index, fix, today, zone)
        else:
            yield from _unproven_fix(story, index, fix, pin_of_fix)
    if front.status == "measured" and not front.same_as and not any(fix.id in pins.judged for fix in front.fixes):
        what_is_missing = "measured asks for the pinned impact of a fix"
        yield Problem(story.where("status"), "PK304", what_is_missing, f"perfkb pin {story.slug}")
    yield from _of_nothing(story, pins)


def _unproven_verdict(
    story: Story, index: int, hypothesis: Hypothesis, pin: Tested | None, zone: ZoneInfo
) -> list[Problem]:
    """Why a verdict is not borne out by its pin; nothing where it is."""
    found = _contradiction(story, hypothesis, pin, zone)
    if found is None:
        return []
    place = story.where("hypotheses", index, "verdict" if hypothesis.verdict != "open" else "id")
    return [Problem(place, "PK304", f"hypotheses[{index}]: {found[0]}", found[1])]


def _contradiction(story: Story, hypothesis: Hypothesis, pin: Tested | None, zone: ZoneInfo) -> tuple[str, str] | None:
    """What a hypothesis claims beyond its evidence, and what to do."""
    claimed = hypothesis.verdict
    if pin is None:
        if hypothesis.test is None or claimed not in ("confirmed", "disproved"):
            return None
        short = too_short(hypothesis.test, zone)
        longer = f", and for a longer test: {short}" if short else ""
        return f"{claimed} asks for pinned evidence{longer}", f"perfkb decide {story.slug} {hypothesis.id}"
    if hypothesis.test != pin.test:
        return f"its test is not the one whose evidence was pinned on {pin.stated}", _AGAIN
    follows = verdict_of(pin)
    if claimed != follows:
        rules = "; ".join(str(rule) for rule in failed(pin))
        because = f" ({rules})" if rules else ""
        return f"{claimed}, but from its pinned evidence follows {follows}{because}", f"write {follows}"
    if hypothesis.decided != pin.stated:
        return f"decided on {hypothesis.decided}, but its evidence was pinned on {pin.stated}", "write that day"
    return None


def _undecided(story: Story, index: int, hypothesis: Hypothesis, today: date) -> Iterator[Problem]:
    """A warning where a test could be evaluated now; one that is not whole has a problem of its own."""
    test = hypothesis.test
    if hypothesis.verdict != "open" or test is None or not test.is_whole or not is_over(test, today):
        return
    if all(name in story.series for name in test.names.values()):
        what = f"hypotheses[{index}]: the window of its test was over on {test.to}"
        hint = f"perfkb decide {story.slug} {hypothesis.id}"
        yield Problem(story.where("hypotheses", index, "test"), "PK305", what, hint, "warning")


def _overdue(story: Story, index: int, fix: Fix, today: date, zone: ZoneInfo) -> Iterator[Problem]:
    due = judged_on(day_of(fix.shipped, zone)) if fix.shipped else None
    if due and today >= due:
        what = f"fixes[{index}]: it was to be judged on {due}"
        yield Problem(story.where("fixes", index, "shipped"), "PK305", what, f"perfkb pin {story.slug}", "warning")


def _unproven_fix(story: Story, index: int, fix: Fix, pin: Judged) -> Iterator[Problem]:
    written = {key: getattr(fix, key) for key in ("shipped", "series", "quantile", "control", "expected")}
    goal = story.front.slo
    if written["series"] is None and goal:
        written["series"] = goal.series
    if written["quantile"] is None and goal and goal.series == written["series"]:
        written["quantile"] = goal.quantile if pin.fix.quantile is not None else None
    series = story.series.get(pin.fix.series)
    if series is None or series.kind != "histogram":
        # Only a histogram has quantiles, whatever was written; one that is gone has been named already.
        written["quantile"] = pin.fix.quantile
    for key, value in written.items():
        if value != getattr(pin.fix, key):
            what = f"fixes[{index}].{key}: this is not what was judged on {pin.stated}, {getattr(pin.fix, key)}"
            hint = f"take it back, or judge it anew: perfkb pin --again {story.slug}"
            yield Problem(story.where("fixes", index, key), "PK304", what, hint)
    if pin.change.days_before < DAYS_BEFORE or pin.change.days_after < DAYS_AFTER:
        found = f"window: {pin.change.days_before} days before and {pin.change.days_after} after"
        what = f"fixes[{index}]: its pinned impact breaks a rule; {found}, {SIDES}"
        yield Problem(story.where("fixes", index, "id"), "PK304", what, "")


def _of_nothing(story: Story, pins: Pins) -> Iterator[Problem]:
    """Evidence of a hypothesis or a fix that the story does not have."""
    for folder, known, what in (
        (pins.tested, {each.id for each in story.front.hypotheses}, "hypothesis"),
        (pins.judged, {each.id for each in story.front.fixes}, "fix"),
    ):
        for name in sorted(folder.keys() - known):
            where = Where(f"stories/{story.slug}/pinned/{name}/numbers.json")
            yield Problem(
                where, "PK210", f"the story has no {what} {name!r}", "rename it as it was, or remove the folder"
            )
