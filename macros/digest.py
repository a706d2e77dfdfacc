"""A digest as text to post or mail: Markdown, or HTML that mail programs show.

The HTML brings its styles along in its elements, loads nothing and runs nothing. Links are
absolute, or there are none where the configuration does not say where the site lies.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal
from urllib.parse import quote

from ingest.digest import Ailing, Decided, Digest, Judged, Moved, Reported
from ingest.evidence import Facts, Hours, SeriesFacts
from ingest.ongoing import Looking, Overrun, Wanted
from ingest.pins import Between, Change
from ingest.settings import Settings
from macros.html import render
from macros.pages import CUSTOMER_QUESTIONS, QUESTIONS
from macros.verdicts import OUTCOMES, threshold, whole
from macros.words import HEALTH_WORDS, VERDICT_WORDS, percent, plural, printable

Format = Literal["markdown", "html"]
MOST = 15
"""How many entries a part of a digest has; more are counted."""
MOST_QUOTED = 3
DOUBTFUL = "among so many judgements this one may be chance"
_SPECIAL = re.compile(r"[\\`*_{}\[\]>#!]")
# Not every Markdown lets a backslash take these their meaning.
# A customer's words must notify nobody where a digest is posted.
_NAMED = str.maketrans({"&": "&amp;", "<": "&lt;", "|": "&#124;", "~": "&#126;", "@": "@\u2060"})


@dataclass(frozen=True)
class Item:
    """A line about a story: its title, its page or the place within it (None: no address is known), and what is so."""

    title: str
    link: str | None
    text: str


@dataclass(frozen=True)
class Part:
    """What is told under one heading; `more` are the entries that are left out, `page` where all of them are."""

    title: str
    items: tuple[Item, ...]
    more: int = 0
    page: str | None = None


@dataclass(frozen=True)
class Letter:
    """A digest in words."""

    title: str
    summary: str
    parts: tuple[Part, ...]
    office_hours: str | None
    site: str | None
    site_name: str


def write_digest(found: Digest, settings: Settings, form: Format) -> str:
    """The digest in words, ending with a line break."""
    letter = letter_of(found, settings)
    return _markdown(letter) if form == "markdown" else f"{render('digest.html', letter=letter)}\n"


def letter_of(found: Digest, settings: Settings) -> Letter:
    """What a digest says, whatever it is written in."""
    root = f"{settings.url.rstrip('/')}/" if settings.url else None

    def part(title: str, told: Iterable[tuple[Facts, str, str]], page: str = "") -> Part:
        items = [
            Item(_line(facts.story.front.title), _address(root, facts, anchor), text) for facts, anchor, text in told
        ]
        return Part(title, tuple(items[:MOST]), max(0, len(items) - MOST), f"{root}{page}" if root else None)

    parts = (
        part("Wins", map(_won, found.wins), "impact/"),
        part("Gains lost", map(_lost, found.lost), "impact/#pk-faded"),
        part("Judged, and no win", map(_judged, found.others), "impact/"),
        part("Moved", map(_moved, found.moved), "stories/"),
        part("Learned", map(_decided, found.decided), "hypotheses/"),
        part("New reports", map(_reported, found.reported), "stories/"),
        part("Timeboxes over their budget", map(_overrun, found.overruns), "timeboxes/"),
        part("Stale or failed data", map(_ailing, found.ailing), "data/"),
        part("Looked at now", map(_looking, found.looking)),
        part("Help is wanted", map(_wanted, found.wanted)),
    )
    return Letter(
        title=f"{settings.name}: {_days(found.since, found.until)}",
        summary=_summary(found),
        parts=tuple(each for each in parts if each.items),
        office_hours=settings.office_hours,
        site=root,
        site_name=settings.name,
    )


def _address(root: str | None, facts: Facts, anchor: str) -> str | None:
    return f"{root}stories/{facts.slug}/{f'#pk-{anchor}' if anchor else ''}" if root else None


def _days(since: date, until: date) -> str:
    """`25 October to 1 November 2026`."""
    first = f"{since:%-d %B %Y}" if since.year != until.year else f"{since:%-d %B}"
    return f"{until:%-d %B %Y}" if since == until else f"{first} to {until:%-d %B %Y}"


def _summary(found: Digest) -> str:
    if found.quiet:
        return "A quiet time: no story moved, no fix was judged, nothing was decided or reported."
    reports = sum(len(each.reports) for each in found.reported)
    counted = [
        (len(found.wins), "win", "wins"),
        (len(found.lost), "gain lost", "gains lost"),
        (len(found.moved), "story moved", "stories moved"),
        (len(found.decided), "hypothesis decided", "hypotheses decided"),
        (reports, "new report", "new reports"),
    ]
    told = [plural(count, one, many) for count, one, many in counted if count]
    return (
        f"{', '.join(told)}." if told else f"{plural(len(found.others), 'fix was', 'fixes were')} judged, and no win."
    )


def _line(text: str) -> str:
    return " ".join(str(printable(text)).split())


def _interval(change: Change | Between) -> str:
    """`−55 % (between −59 % and −52 %)`"""
    middle = change.effect if isinstance(change, Change) else change.value
    value, low, high = (percent(each, signed=True) for each in (middle, change.low, change.high))
    return f"{value} (between {low} and {high})"


def _hours(hours: Hours) -> str:
    return f"{whole(hours.value)} {hours.unit} so far (between {whole(hours.low)} and {whole(hours.high)})"


def _won(each: Judged) -> tuple[Facts, str, str]:
    pin, fix = each.found.pin, each.found.fix
    assert pin is not None  # noqa: S101  # a win is judged
    told = f"{pin.figure} {_interval(pin.change)} by {fix.id}"
    if fix.accept:
        told += f"; the week before was unusual, and it counts because: {_line(fix.accept)}"
    if each.hours:
        told += f"; {_hours(each.hours)}"
    return each.facts, f"fix-{fix.id}", f"{told}; {DOUBTFUL}" if each.doubtful else told


def _judged(each: Judged) -> tuple[Facts, str, str]:
    pin, fix = each.found.pin, each.found.fix
    assert pin is not None  # noqa: S101  # it is judged
    told = f"{OUTCOMES[pin.verdict]} by {fix.id}: {pin.figure} {_interval(pin.change)}"
    return each.facts, f"fix-{fix.id}", told


def _lost(each: Judged) -> tuple[Facts, str, str]:
    found = each.found
    gone = "is gone" if found.standing == "regressed" else "became smaller"
    since = f" since {found.since:%-d %b %Y}" if found.since else ""
    left = f"; what is left is {_interval(found.today)}" if found.today else ""
    was = f", judged as {_interval(found.pin.change)}" if found.pin else ""
    return each.facts, f"fix-{found.fix.id}", f"The gain of {found.fix.id}{was}, {gone}{since}{left}"


def _moved(each: Moved) -> tuple[Facts, str, str]:
    return each.facts, "", f"{each.before} → {each.after}" if each.before else f"new, {each.after}"


def _decided(each: Decided) -> tuple[Facts, str, str]:
    hypothesis, pin = each.found.hypothesis, each.found.pin
    told = f"{VERDICT_WORDS[hypothesis.verdict]}: “{_line(hypothesis.because)}”"
    if pin:
        value, low, high = pin.effect.value, pin.effect.low, pin.effect.high
        signed = pin.test.kind != "share"
        ends = [percent(end, signed=signed) for end in (value, low, high)]
        told += f"; {ends[0]} (between {ends[1]} and {ends[2]}), where {threshold(pin)} was asked for"
    return each.facts, f"hypothesis-{hypothesis.id}", told


def _reported(each: Reported) -> tuple[Facts, str, str]:
    quoted = ", ".join(f"“{_line(report.said)}”" for report in each.reports[-MOST_QUOTED:])
    return each.facts, "reports", f"{plural(each.customers, 'customer')}: {quoted}"


def _overrun(each: Overrun) -> tuple[Facts, str, str]:
    return each.facts, f"timebox-{each.number}", f"“{_line(each.box.question)}” {each.what}. Another box, or park it?"


def _ailing(each: Ailing) -> tuple[Facts, str, str]:
    return each.facts, "data", "; ".join(map(_health, each.series))


def _health(series: SeriesFacts) -> str:
    note = f", {_line(series.health.notes[0])}" if series.health.notes else ""
    return f"{_line(series.title)} ({HEALTH_WORDS[series.health.state].lower()}{note})"


def _looking(each: Looking) -> tuple[Facts, str, str]:
    if each.kind == "timebox":
        told = f"A timebox asks: “{_line(each.what)}”"
    elif each.kind == "test":
        told = f"A test can be decided on {each.until:%-d %b %Y}: “{_line(each.what)}”"
    else:
        told = f"The fix {each.what} has shipped, and is judged on {each.until:%-d %b %Y}"
    return each.facts, each.anchor, told


def _wanted(each: Wanted) -> tuple[Facts, str, str]:
    asked = [(QUESTIONS | CUSTOMER_QUESTIONS)[name] for name in each.open]
    unknown = f"Who knows? {' '.join(asked[:2])}" if asked else ""
    more = f" And {plural(len(asked) - 2, 'more question')}." if len(asked) > 2 else ""
    told = f"{each.what}. {unknown}{more}" if each.what and each.need == "look" else each.what or f"{unknown}{more}"
    return each.facts, each.anchor, told.strip()


def _markdown(letter: Letter) -> str:
    lines = [f"# {_escaped(letter.title)}", "", _escaped(letter.summary)]
    for part in letter.parts:
        lines += ["", f"## {part.title}", ""]
        lines += [f"- {_linked(item.title, item.link)}: {_escaped(item.text)}" for item in part.items]
        if part.more:
            lines.append(f"- {_linked(f'and {part.more} more', part.page)}")
    if letter.office_hours:
        lines += ["", f"Office hours: {_escaped(letter.office_hours)}. Bring anything slow."]
    if letter.site:
        lines += ["", _linked(letter.site_name, letter.site)]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """A text that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\g<0>", _line(text)).translate(_NAMED)


def _linked(text: str, address: str | None) -> str:
    # A parenthesis would end the address.
    return f"[{_escaped(text)}]({quote(address, safe=':/?#[]@!$&*+,;=%')})" if address else f"**{_escaped(text)}**"
