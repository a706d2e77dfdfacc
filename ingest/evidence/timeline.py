"""Everything that happened to a story, in the order in which it happened."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from ingest.pins import NO_PINS, Pins
from ingest.story import Fix, FrontMatter, Hypothesis, Said, Story, day_of, moment_of
from ingest.units import format_duration, format_percent


@dataclass(frozen=True)
class Event:
    """One thing that happened: its moment, its day, its kind, and a sentence about it.

    `label` is short enough for a chart; `anchor` leads to the part of the page about it.
    """

    at: datetime
    day: date
    kind: str
    label: str
    text: str
    anchor: str = ""
    link: str = ""


def timeline(story: Story, zone: ZoneInfo, pins: Pins = NO_PINS) -> tuple[Event, ...]:
    """The events of a story, oldest first; those of one moment in the order of the method."""
    found = [
        Event(moment_of(when, zone), day_of(when, zone), kind, label, text, anchor, link)
        for when, kind, label, text, anchor, link in (*_events(story.front), *_judgements(pins))
    ]
    return tuple(sorted(found, key=lambda event: event.at))


def _events(front: FrontMatter) -> Iterator[tuple[date | datetime, str, str, str, str, str]]:
    if front.opened:
        yield front.opened, "opened", "opened", "The story was opened", "", ""
    for report in front.reports:
        if isinstance(report, Said):
            yield report.date, "reported", "reported", f"Reported: “{report.said}”", "reports", report.link or ""
    for index, box in enumerate(front.timeboxes, 1):
        spent = f" ({format_duration(box.spent)})" if box.spent else ""
        yield box.date, "timebox", "timebox", f"Timebox: “{box.question}”{spent}", f"timebox-{index}", ""
    for hypothesis in front.hypotheses:
        yield from _of_hypothesis(hypothesis)
    if front.chosen:
        yield front.chosen.date, "chosen", "chosen", f"Chosen: {front.chosen.because}", "", ""
    for fix in front.fixes:
        yield from _of_fix(fix)
    if front.parked:
        yield front.parked.date, "parked", "parked", f"Parked: {front.parked.because}", "", ""


def _judgements(pins: Pins) -> Iterator[tuple[date | datetime, str, str, str, str, str]]:
    words = {"undetected": "no detectable change", "unusual": "improved, but the week before was unusual"}
    for name, pin in pins.judged.items():
        effect = format_percent(float(f"{pin.change.effect:.2g}"), signed=True)
        text = f"Impact of {name} judged: {words.get(pin.verdict, pin.verdict)} ({pin.figure} {effect})"
        yield pin.stated, "judged", "judged", text, f"fix-{name}", ""


def _of_hypothesis(hypothesis: Hypothesis) -> Iterator[tuple[date | datetime, str, str, str, str, str]]:
    anchor, because = f"hypothesis-{hypothesis.id}", hypothesis.because
    yield hypothesis.written, "hypothesis", "hypothesis", f"Hypothesis written: {because}", anchor, ""
    if hypothesis.decided:
        verdict = hypothesis.verdict
        yield hypothesis.decided, verdict, verdict, f"Hypothesis {verdict}: {because}", anchor, ""


def _of_fix(fix: Fix) -> Iterator[tuple[date | datetime, str, str, str, str, str]]:
    if fix.shipped:
        hoped = f" (expected: {format_percent(fix.expected, signed=True)})" if fix.expected else ""
        text = f"Fix shipped: {fix.id}{hoped}"
        yield fix.shipped, "shipped", f"shipped {fix.id}", text, f"fix-{fix.id}", fix.change or ""
