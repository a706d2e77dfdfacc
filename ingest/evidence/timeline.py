"""Everything that happened to a story, in the order in which it happened."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ingest.evidence.fixing import FixFacts
from ingest.pins import NO_PINS, Pins
from ingest.story import Fix, FrontMatter, Hypothesis, Said, Story, day_of, moment_of
from ingest.units import format_duration, format_percent


@dataclass(frozen=True)
class Event:
    """One thing that happened: its moment, its day, its kind, and a sentence about it.

    `label` is short enough for a chart; `anchor` leads to the part of the page about it. `name`
    is its own within the story, and stays whatever else happens: feeds know it by that.
    """

    at: datetime
    day: date
    kind: str
    label: str
    text: str
    anchor: str = ""
    link: str = ""
    name: str = ""


class _Found(NamedTuple):
    """An event as the front matter tells it; `own` is what no other event of its kind shares."""

    when: date | datetime
    kind: str
    label: str
    text: str
    anchor: str = ""
    link: str = ""
    own: str = ""


def timeline(
    story: Story, zone: ZoneInfo, pins: Pins = NO_PINS, fixes: Mapping[str, FixFacts] = MappingProxyType({})
) -> tuple[Event, ...]:
    """The events of a story, oldest first; those of one moment in the order of the method.

    Of `fixes` comes what became of their gains.
    """
    seen: Counter[str] = Counter()
    found = []
    for when, kind, label, text, anchor, link, own in (*_events(story.front), *_judgements(pins), *_watched(fixes)):
        name = f"{kind}-{own}" if own else kind
        seen[name] += 1
        numbered = name if seen[name] == 1 else f"{name}.{seen[name]}"
        found.append(Event(moment_of(when, zone), day_of(when, zone), kind, label, text, anchor, link, numbered))
    return tuple(sorted(found, key=lambda event: event.at))


def _events(front: FrontMatter) -> Iterator[_Found]:
    if front.opened:
        yield _Found(front.opened, "opened", "opened", "The story was opened")
    for report in front.reports:
        if isinstance(report, Said):
            text, own = f"Reported: “{report.said}”", _own(report.date, report.said)
            yield _Found(report.date, "reported", "reported", text, "reports", report.link or "", own)
    for index, box in enumerate(front.timeboxes, 1):
        spent = f" ({format_duration(box.spent)})" if box.spent else ""
        text, own = f"Timebox: “{box.question}”{spent}", _own(box.date, box.question)
        yield _Found(box.date, "timebox", "timebox", text, f"timebox-{index}", own=own)
    for hypothesis in front.hypotheses:
        yield from _of_hypothesis(hypothesis)
    if front.chosen:
        day, because = front.chosen.date, front.chosen.because
        yield _Found(day, "chosen", "chosen", f"Chosen: {because}", own=day.isoformat())
    for fix in front.fixes:
        yield from _of_fix(fix)
    for pause in front.pauses:
        yield _parked(pause.parked, pause.because)
        yield _Found(pause.reopened, "reopened", "reopened", "Taken up again", own=pause.reopened.isoformat())
    if front.parked:
        yield _parked(front.parked.date, front.parked.because)


def _parked(day: date, because: str) -> _Found:
    return _Found(day, "parked", "parked", f"Parked: {because}", own=day.isoformat())


def _own(day: date, words: str) -> str:
    """What has no id is known by its day and its words: its number changes when an earlier one is added."""
    return f"{day.isoformat()}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def _judgements(pins: Pins) -> Iterator[_Found]:
    words = {"undetected": "no detectable change", "unusual": "improved, but the week before was unusual"}
    for name, pin in pins.judged.items():
        effect = format_percent(float(f"{pin.change.effect:.2g}"), signed=True)
        text = f"Impact of {name} judged: {words.get(pin.verdict, pin.verdict)} ({pin.figure} {effect})"
        yield _Found(pin.stated, "judged", "judged", text, f"fix-{name}", own=name)


def _watched(fixes: Mapping[str, FixFacts]) -> Iterator[_Found]:
    """When the watch noticed that a gain is going, or that a loss is made good."""
    for name, known in fixes.items():
        if known.pin is None or known.lost is None:
            continue
        kind = "recovered" if known.pin.verdict == "regressed" else known.standing or "eroded"
        words = {"eroded": "is smaller", "regressed": "is gone", "recovered": "is made good"}[kind]
        since = f" since {known.since.day} {known.since:%b %Y}" if known.since else ""
        what = "loss" if kind == "recovered" else "gain"
        yield _Found(known.lost, kind, kind, f"The {what} of {name} {words}{since}", f"fix-{name}", own=name)


def _of_hypothesis(hypothesis: Hypothesis) -> Iterator[_Found]:
    own, anchor, because = hypothesis.id, f"hypothesis-{hypothesis.id}", hypothesis.because
    yield _Found(hypothesis.written, "hypothesis", "hypothesis", f"Hypothesis written: {because}", anchor, own=own)
    if hypothesis.decided:
        verdict = hypothesis.verdict
        yield _Found(hypothesis.decided, verdict, verdict, f"Hypothesis {verdict}: {because}", anchor, own=own)


def _of_fix(fix: Fix) -> Iterator[_Found]:
    if fix.shipped:
        hoped = f" (expected: {format_percent(fix.expected, signed=True)})" if fix.expected else ""
        text = f"Fix shipped: {fix.id}{hoped}"
        yield _Found(fix.shipped, "shipped", f"shipped {fix.id}", text, f"fix-{fix.id}", fix.change or "", fix.id)
