"""The books of a story: what commands write into its front matter, and what comes next.

Each edit is a function from text to text and keeps every byte that it is not about. `keep`
puts them together: it moves the stage to what the story has earned, reads the outcome back,
and refuses whatever would make a new mistake.
"""

import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from ingest.check import check_story
from ingest.edit import EditError, Flow, Value, append_item, remove, set_value
from ingest.errors import Problem, UserError, did_you_mean
from ingest.knowledge import KnowledgeBase
from ingest.lifecycle import DEMANDS, stage_after
from ingest.marked import Path, read_document
from ingest.pins import NO_PINS, Pins
from ingest.rules import is_over, judged_on
from ingest.snapshots import write_atomically
from ingest.story import Fix, FrontMatter, Stage, Story, Timebox, day_of, read_story

Edit = Callable[[str], str]

WORDS = ("area", "owner", "who", "what", "when", "where", "why", "workaround", "say")
"""Fields of one text each, which `tell` writes."""
LISTS = {"ticket": "tickets", "tag": "tags", "endpoint": "endpoints", "symptom": "symptoms"}
"""Fields of several texts, by what one of them is called."""


@dataclass(frozen=True)
class Kept:
    """A story as it stands after an edit, with warnings that it did not have before, and what comes next."""

    story: Story
    warnings: tuple[Problem, ...]
    next: str


def keep(
    base: KnowledgeBase,
    story: Story,
    edits: Iterable[Edit],
    stage: Stage | None = None,
    *,
    moves: bool = True,
    minds: Iterable[str] = (),
) -> Kept:
    """Writes these edits into the story's file, with its `stage`: by default the one that it has earned.

    Unless it `moves`, its stage stays; `minds` are the fields of which the edits assume that they
    are as in `story`. UserError where an edit cannot be made, or would make a mistake that was not
    there before.
    """
    zone, pins = base.settings.timezone, base.pins.get(story.slug, NO_PINS)
    today = base.clock.today(zone)
    with held(base, story, minds) as before:
        text = edited(base, before, edits).decode()
        after = _read(base, before, text)
        reached = (stage or stage_after(after, pins, today)) if moves else after.front.status
        if reached != after.front.status:
            text = set_value(text, ("status",), reached)
            after = _read(base, before, text)
        new = _new_problems(base, before, after)
        for problem in new:
            if problem.severity == "error":
                raise UserError(story.path, f"this cannot be written: {problem.what}", problem.hint)
        write(base, before, text.encode())
    return Kept(after, tuple(new), next_step(after, pins, today, zone))


@contextmanager
def held(base: KnowledgeBase, story: Story, minds: Iterable[str]) -> Iterator[Story]:
    """The story as its file tells it by now, while no other command writes into a story.

    UserError where one of the fields `minds` is not as in `story` any more: somebody wrote into it
    since it was read, for which a question on a terminal leaves hours.
    """
    with alone(base):
        now = _read(base, story, _text(base, story))
        for name in minds:
            if now.document.data.get(name) != story.document.data.get(name):
                what = f"{name} was changed meanwhile, so nothing was written"
                raise UserError(story.path, what, "look at it, and say it again")
        yield now


@contextmanager
def alone(base: KnowledgeBase) -> Iterator[None]:
    """While no other command writes into a story; it takes as long as a file takes to be written."""
    folder = os.open(base.root / "stories", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _text(base: KnowledgeBase, story: Story) -> str:
    try:
        return (base.root / story.path).read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise UserError(story.path, f"cannot be written into: {told}") from None


def _read(base: KnowledgeBase, story: Story, text: str) -> Story:
    return read_story(story.slug, story.path, text.encode(), base.settings.series)


def _new_problems(base: KnowledgeBase, before: Story, after: Story) -> list[Problem]:
    known = Counter((each.code, each.what) for each in check_story(before, base))
    new = []
    for each in check_story(after, base):
        if known[each.code, each.what]:
            known[each.code, each.what] -= 1
        else:
            new.append(each)
    return new


def edited(base: KnowledgeBase, story: Story, edits: Iterable[Edit]) -> bytes:
    """The story's file after these edits; UserError where one cannot be made."""
    text = _text(base, story)
    try:
        for edit in edits:
            text = edit(text)
    except ValueError as error:
        if isinstance(error, UnicodeError):
            error = ValueError("what was given is not text in UTF-8")
        hint = "mend what `perfkb check` finds in it first" if isinstance(error, EditError) else ""
        raise UserError(story.path, f"cannot be written into: {error}", hint) from None
    read = _read(base, story, text)
    if len(read.problems) > len(story.problems):
        known = Counter((each.code, each.what) for each in story.problems)
        new = next(each for each in read.problems if not known[each.code, each.what])
        raise UserError(story.path, f"this cannot be written: {new.what}", new.hint)
    return text.encode()


def write(base: KnowledgeBase, story: Story, written: bytes) -> None:
    """Replaces the story's file; UserError where that fails, or the file is read-only."""
    path = base.root / story.path
    try:
        # Replacing a file asks for no permission to write into it.
        if not path.stat().st_mode & 0o222:
            raise UserError(story.path, "cannot be written: the file is read-only")
        write_atomically(path, written)
    except OSError as error:
        raise UserError(story.path, f"cannot be written: {error.strerror}") from None


def assert_writable(story: Story, *fields: str) -> None:
    """UserError where one of `fields` has a mistake.

    What has one was left out when the story was read, and the entries behind it moved up.
    """
    if mistaken := sorted(story.mistaken & {"status", *fields}):
        what = f"has mistakes in {' and '.join(mistaken)}, so nothing can be written there"
        raise UserError(story.path, what, "mend what `perfkb check` finds in it first")


def assert_in_work(story: Story) -> None:
    """UserError where work on a story stopped, or goes on in another one."""
    if story.front.same_as:
        raise UserError(story.path, "it repeats another story", f"work on {story.front.same_as}")
    if story.front.status == "parked":
        raise UserError(story.path, "it is parked", f"perfkb reopen {story.slug}")


def put(text: str, path: Path, value: Value, model: type[BaseModel] = FrontMatter) -> str:
    """`text` with `value` at `path`; a new key of `model` stands where the reference has it."""
    there: Any = read_document("", text.encode()).data
    for part in path[:-1]:
        there = there[part]
    order = [info.alias or name for name, info in model.model_fields.items()]
    before = [key for key in order[: order.index(str(path[-1]))] if key in there]
    return set_value(text, path, value, after=before[-1] if before else None)


def add(text: str, key: str, item: Value) -> str:
    """`text` with one more item in the list `key`."""
    if read_document("", text.encode()).data.get(key):
        return append_item(text, (key,), item)
    return put(text, (key,), [item])


def given(**details: str | int | float | None) -> dict[str, str]:
    """What was said, in the order in which it is written; `from_` and `for_` stand for the words without a line."""
    return {key.removesuffix("_"): str(value) for key, value in details.items() if value not in (None, "")}


def add_report(text: str, day: str, said: str, customers: int, link: str | None) -> str:
    """One more report."""
    count = customers if customers > 1 else None
    return add(text, "reports", Flow(given(date=day, said=said, customers=count, link=link)))


def tell(text: str, words: Mapping[str, str | tuple[str, ...] | None]) -> str:
    """What is known of who, what, when, where and why; of a list, what it does not have yet."""
    for name, said in words.items():
        if isinstance(said, tuple):
            for each in said:
                there = read_document("", text.encode()).data.get(LISTS[name]) or []
                text = text if each in there else add(text, LISTS[name], each)
        elif said:
            text = put(text, (name,), said)
    return text


def start_timebox(text: str, day: str, question: str, budget: str) -> str:
    """One more timebox, which runs."""
    return add(text, "timeboxes", given(date=day, question=question, budget=budget))


def open_timebox(story: Story) -> int | None:
    """The newest timebox that is not completed."""
    boxes = [(box.date, index) for index, box in enumerate(story.front.timeboxes) if box.spent is None]
    return max(boxes)[1] if boxes else None


def stop_timebox(text: str, index: int, spent: str, outcome: str | None, effort: str | None) -> str:
    """A timebox with what it took and found."""
    for key, value in given(spent=spent, outcome=outcome, effort=effort).items():
        text = put(text, ("timeboxes", index, key), value, Timebox)
    return text


def fresh_id(story: Story, pins: Pins) -> str:
    """The first of h1, h2 ... that names neither a hypothesis nor a fix, nor evidence of one."""
    front = story.front
    taken = {each.id for each in front.hypotheses} | {each.id for each in front.fixes} | {*pins.tested, *pins.judged}
    return next(name for number in range(1, len(taken) + 2) if (name := f"h{number}") not in taken)


def use_shared(text: str, base: KnowledgeBase, story: Story, names: Iterable[str]) -> str:
    """`text` with those series that it does not have and knowledge-base.yml shares."""
    for name in names:
        if name not in story.front.telemetry and name in base.settings.series:
            path: Path = ("telemetry", name)
            flow = Flow(use=name)
            has_some = bool(read_document("", text.encode()).data.get("telemetry"))
            text = set_value(text, path, flow) if has_some else put(text, ("telemetry",), {name: flow})
    return text


def choose(text: str, day: str, because: str) -> str:
    """The judgement that it is worth fixing."""
    return put(text, ("chosen",), Flow(given(date=day, because=because)))


def fix_of(story: Story, name: str) -> tuple[int, Fix] | None:
    """A fix by its id, with its place."""
    return next(((index, fix) for index, fix in enumerate(story.front.fixes) if fix.id == name), None)


def known_fix(story: Story, name: str) -> tuple[int, Fix]:
    """The same; UserError where there is none."""
    if found := fix_of(story, name):
        return found
    hint = did_you_mean(name, [fix.id for fix in story.front.fixes]) or f"perfkb fix {story.slug} {name}"
    raise UserError(story.path, f"there is no fix {name!r}", hint)


def write_fix(text: str, index: int | None, details: Mapping[str, Value]) -> str:
    """A new fix, or more of the one at `index`."""
    if index is None:
        return add(text, "fixes", dict(details))
    for key, value in details.items():
        text = put(text, ("fixes", index, key), value, Fix)
    return text


def park(text: str, day: str, because: str, revisit: str | None) -> str:
    """The decision to stop."""
    return put(text, ("parked",), Flow(given(date=day, because=because, revisit=revisit)))


def reopen(text: str, story: Story, day: str) -> str:
    """Back from the car park, to the first stage until more is earned; the pause stays on record."""
    if story.front.parked:
        date_, because = story.front.parked.date, story.front.parked.because
        pause = Flow(parked=date_.isoformat(), because=because, reopened=day)
        text = remove(add(text, "pauses", pause), ("parked",))
    return set_value(text, ("status",), "reported") if story.front.status == "parked" else text


def next_step(story: Story, pins: Pins, today: date, zone: ZoneInfo) -> str:
    """What to do next with a story, in words and as a command."""
    front, slug = story.front, story.slug
    if front.same_as:
        return f"work on {front.same_as}, which it repeats"
    if front.status == "parked":
        when = f"on {front.parked.revisit}" if front.parked and front.parked.revisit else "when things have changed"
        return f"look again {when}: perfkb reopen {slug}"
    box = open_timebox(story)
    if box is not None and front.timeboxes[box].date <= today and front.status not in ("fixing", "shipped"):
        told = _words_missing(story, "investigating") if front.status == "reported" else ""
        stop = f'perfkb timebox stop {slug} --spent TIME --outcome "WHAT IT FOUND"'
        return f"{_tells(slug, told)}; then: {stop}" if told else f"when its time is over: {stop}"
    if front.status == "shipped":
        return _judging(story, pins, zone)
    work = [fix.id for fix in front.fixes if not fix.shipped]
    if front.status in ("fixing", "measured") and work:
        return f"when it is live: perfkb ship {slug} {work[0]}"
    if front.status == "measured":
        return _judged(story, pins, zone)
    return _TOWARDS[front.status](story, today)


def _to_investigate(story: Story, today: date) -> str:
    del today
    told = _words_missing(story, "investigating")
    box = f'perfkb timebox start {story.slug} "QUESTION" --budget 2h'
    return f"run a timebox: {box}{told}" if not story.front.timeboxes or not told else _tells(story.slug, told)


def _to_test(story: Story, today: date) -> str:
    live = [each for each in story.front.hypotheses if each.test and each.verdict != "disproved"]
    told = _words_missing(story, "testing")
    if live and told:
        return _tells(story.slug, told)
    if live:
        return _to_confirm(story, today)
    believe = f'perfkb believe {story.slug} "BECAUSE" --share PART --of WHOLE --at-least "50 %"{told}'
    name = "" if story.front.telemetry else "name its series under `telemetry:` and "
    return f"another timebox, park it, or {name}write what you believe: {believe}"


def _to_confirm(story: Story, today: date) -> str:
    slug = story.slug
    tested = [each for each in story.front.hypotheses if each.test]
    if any(each.verdict == "confirmed" for each in tested):
        if told := _words_missing(story, "confirmed"):
            return _tells(slug, told)
        return f'say what a fix would take: perfkb timebox start {slug} "What would a fix take?" --budget 1h'
    for each in tested:
        if each.verdict == "open" and each.test:
            commands = f"perfkb refresh {slug}, then perfkb decide {slug} {each.id}"
            return commands if is_over(each.test, today) else f"after {each.test.to}: {commands}"
    return "look longer with a new hypothesis, or park it"


def _to_fix(story: Story, today: date) -> str:
    del today
    if story.front.chosen is None:
        return f'choose it: perfkb choose {story.slug} "BECAUSE"; or park it with a reason'
    return f'break its fix out: perfkb fix {story.slug} ID --ticket TICKET --expected "-50 %"'


_TOWARDS: dict[Stage, Callable[[Story, date], str]] = {
    "reported": _to_investigate,
    "investigating": _to_test,
    "testing": _to_confirm,
    "confirmed": _to_fix,
    "fixing": _to_fix,
}


def _judging(story: Story, pins: Pins, zone: ZoneInfo) -> str:
    """The day on which the next fix is judged, and how."""
    waiting = [fix for fix in story.front.fixes if fix.shipped and fix.id not in pins.judged]
    days = sorted((judged_on(day_of(fix.shipped, zone)), fix.id) for fix in waiting if fix.shipped)
    judge = f"perfkb refresh {story.slug}, then perfkb pin {story.slug}"
    return f"{days[0][1]} is judged on {days[0][0]}: {judge}" if days else f"perfkb pin {story.slug}"


def _judged(story: Story, pins: Pins, zone: ZoneInfo) -> str:
    """What follows from the judgement of the last fix."""
    judged = [(day_of(x.shipped, zone), x.id) for x in story.front.fixes if x.shipped and x.id in pins.judged]
    verdict = pins.judged[max(judged)[1]].verdict if judged else ""
    if verdict in ("undetected", "regressed"):
        box = f'perfkb timebox start {story.slug} "QUESTION"'
        return f"the last fix did not help: look again ({box}), plan another one, or park it"
    return "tell those who reported it, and write down what the next one should know"


def _words_missing(story: Story, stage: Stage) -> str:
    """The options that would say in words what a stage asks for: ` --area AREA --what TEXT`."""
    lacks = [each.field for each in DEMANDS[stage] if each.field in WORDS and not each.met(story.front)]
    return "".join(f" --{name} {'AREA' if name == 'area' else 'TEXT'}" for name in lacks)


def _tells(slug: str, told: str) -> str:
    return f"say what is still missing: perfkb tell {slug}{told}"
