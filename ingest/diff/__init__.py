"""What a branch changes in the knowledge base, as Markdown for its pull request.

Two knowledge bases are compared as they were read, with their problems and their pins: what a
reviewer has to see comes first. What could not be read on either side is left to the problems,
so that a mistake of the keys does not look like a removal.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from ingest.check import check
from ingest.diff.asked import key_of, newly_asked, sent_by
from ingest.diff.changes import Changes, Pair, Side, compare, is_unreadable
from ingest.diff.posted import Section, code, listed, page
from ingest.diff.revision import at_merge_base
from ingest.diff.stated import of_fixes, of_hypotheses, restated
from ingest.errors import Problem
from ingest.evidence import Facts
from ingest.evidence.load import load_facts
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.story import Story
from ingest.units import format_duration

TITLE = "What this changes in the knowledge base"
_INDEX = re.compile(r"\[\d+\]")


def diff(base: KnowledgeBase, revision: str) -> str:
    """What `base` changes since its branch left `revision`, as Markdown.

    UserError where git cannot tell what was there.
    """
    with at_merge_base(base.root, revision) as (folder, commit):
        # Both sides are looked at on the same day, or a day would make a difference of its own.
        old = replace(read_knowledge_base(folder), clock=base.clock)
        changes = compare(Side(old, check(old)), Side(base, check(base)))
    facts = load_facts(base, {}, changes.touched) if base.store.is_dir() else None
    return to_markdown(changes, facts, f"{code(revision)} ({code(commit[:12])})")


def to_markdown(changes: Changes, facts: Sequence[Facts] | None, against: str) -> str:
    """The page for a reviewer; `facts` are those of the touched stories, None where there is no store.

    `against` names, as Markdown, what is compared with.
    """
    sections = [section for section in _sections(changes, facts) if section.entries]
    if not sections:
        return page(TITLE, f"Nothing: stories, evidence and configuration are those of {against}.", [])
    errors = len(changes.after.report.errors)
    unfit = f" **{_counted(errors, 'error')} would keep the site from being published.**" if errors else ""
    return page(TITLE, f"Compared with {against}.{unfit}", sections)


def _sections(changes: Changes, facts: Sequence[Facts] | None) -> Iterator[Section]:
    origins = {pair.after.slug: pair.before for pair in changes.pairs}
    yield newly_asked(changes.before.base, changes.after.base, origins)
    for title, tell in (
        ("Stories", _stories), ("Hypotheses", of_hypotheses), ("Fixes", of_fixes), ("Numbers stated", restated),
        ("Rules set aside", _reasons), ("Timeboxes over their budget", _overspent),
    ):  # fmt: skip
        yield Section(title, tuple(tell(changes)))
    yield from _problems(changes)
    yield _stale(changes, facts)
    yield Section("Files edited", tuple(_edited(changes)))


# -- stories


def _stories(changes: Changes) -> Iterator[str]:
    for story in changes.added:
        if is_unreadable(story):
            yield f"- {code(story.slug)}: added, and cannot be read"
            continue
        front = story.front
        marks = [f"{code(front.status)}", *(["a draft"] if front.draft else [])]
        repeats = f", repeats {code(front.same_as)}" if front.same_as else ""
        yield f"- {code(story.slug)}: added, {', '.join(marks)}{repeats}: {code(front.title)}"
    for story in changes.removed:
        pins = changes.before.pins(story)
        pinned = len(pins.tested) + len(pins.judged)
        lost = f", **with {_counted(pinned, 'pin')} of evidence**" if pinned else ""
        yield f"- {code(story.slug)}: **removed**{lost}; it was {code(story.front.status)}: {code(story.front.title)}"
    for pair in changes.pairs:
        yield from _moved(pair)


def _moved(pair: Pair) -> Iterator[str]:
    old, new = pair.before.front, pair.after.front
    if pair.before.slug != pair.after.slug:
        yield f"- {pair.name}: renamed, it was {code(pair.before.slug)}; links to its old address break"
    if is_unreadable(pair.after) and not is_unreadable(pair.before):
        yield f"- {pair.name}: **cannot be read any more**"
    if pair.can_compare("status") and old.status != new.status:
        yield f"- {pair.name}: {code(old.status)} → {code(new.status)}{_why_parked(pair.after)}"
    if pair.can_compare("draft") and old.draft != new.draft:
        yield f"- {pair.name}: " + ("now a draft, which no reader sees" if new.draft else "no draft any more")
    if pair.can_compare("same_as") and old.same_as != new.same_as:
        repeats = (
            f"now repeats {code(new.same_as)}, and is counted there" if new.same_as else "is counted by itself again"
        )
        yield f"- {pair.name}: {repeats}"


def _why_parked(story: Story) -> str:
    parked = story.front.parked
    if story.front.status != "parked" or parked is None:
        return ""
    return f", because {code(parked.because)}" + (
        f"; to be looked at again on {parked.revisit}" if parked.revisit else ""
    )


# -- judgement


def _reasons(changes: Changes) -> Iterator[str]:
    """Rules that are set aside, and measurements that were accepted, each with its reason."""
    before: list[tuple[Story | None, Story]] = [(None, story) for story in changes.added]
    for old, story in chain(before, ((pair.before, pair.after) for pair in changes.pairs)):
        name = code(story.slug)
        for rule, reason in story.front.override.items():
            if old is None or old.front.override.get(rule) != reason:
                yield f"- {name}: {code(rule)} does not hold here, because {code(reason)}"
        accepted = {fix.id: fix.accept for fix in old.front.fixes} if old else {}
        for fix in story.front.fixes:
            if fix.accept and accepted.get(fix.id) != fix.accept:
                yield f"- {name} {code(fix.id)}: counts although its measurement is unusual, because {code(fix.accept)}"


def _overspent(changes: Changes) -> Iterator[str]:
    known = {
        (pair.after.slug, box.date, box.question, box.budget, box.spent)
        for pair in changes.pairs
        for box in pair.before.front.timeboxes
    }
    for story in changes.after.base.stories:
        for box in story.front.timeboxes:
            is_new = (story.slug, box.date, box.question, box.budget, box.spent) not in known
            if is_new and box.spent and box.spent > box.budget:
                spent = f"{format_duration(box.spent)} of {format_duration(box.budget)}"
                yield f"- {code(story.slug)}, {box.date}: {spent} for {code(box.question)}"


# -- problems, and data


_Key = tuple[str, str, str]
"""What makes two problems the same one: lines, and places in lists, move with what is written above them."""


def _problems(changes: Changes) -> Iterator[Section]:
    renamed = {pair.before.path: pair.after.path for pair in changes.pairs}
    old, new = _keyed(changes.before.report.problems, renamed), _keyed(changes.after.report.problems, {})
    # Timeboxes over their budget have a section of their own.
    found = [each for each in _beyond(new, old) if each.code != "PK303"]
    yield Section("New problems", tuple(map(_problem, found)))
    yield Section("Problems that are gone", tuple(map(_problem, _beyond(old, new))))


def _keyed(problems: Iterable[Problem], renamed: Mapping[str, str]) -> list[tuple[_Key, Problem]]:
    return [
        ((renamed.get(each.where.path, each.where.path), each.code, _INDEX.sub("[]", each.what)), each)
        for each in problems
    ]


def _beyond(some: Iterable[tuple[_Key, Problem]], others: Iterable[tuple[_Key, Problem]]) -> list[Problem]:
    """The problems of `some` that `others` do not have, errors first."""
    left = Counter(key for key, _ in others)
    found = []
    for key, problem in some:
        if left[key]:
            left[key] -= 1
        else:
            found.append(problem)
    return sorted(found, key=lambda each: each.severity != "error")


def _problem(problem: Problem) -> str:
    hint = f" ({code(problem.hint)})" if problem.hint else ""
    return f"- {code(str(problem.where))} {problem.code} {problem.severity}: {code(problem.what)}{hint}"


def _stale(changes: Changes, facts: Sequence[Facts] | None) -> Section:
    """What is to be known of the data behind the touched stories, but for series that are new themselves."""
    title = "Stale data of the stories changed"
    if facts is None:
        some = any(story.series for story in changes.touched)
        return Section(
            title, ("- There is no store of telemetry here, so the age of data is not known.",) if some else ()
        )
    sent = sent_by(changes.before.base)
    found = [
        (each.slug, series.name, series.health)
        for each in facts
        for series in each.series.values()
        if series.health.state != "fresh" and key_of(series.series) in sent
    ]
    entries = [
        f"- {code(slug)} {code(name)}: {health.state}. {'; '.join(map(code, health.notes))}"
        for slug, name, health in found
    ]
    return Section(title, tuple(entries))


def _edited(changes: Changes) -> Iterator[str]:
    for pair in changes.pairs:
        if pair.edited and not is_unreadable(pair.before) and not is_unreadable(pair.after):
            yield f"- {code(pair.after.path)}: {listed(pair.edited, most=20)}"
    old, new = changes.before.base.settings_marks.data, changes.after.base.settings_marks.data
    keys = [key for key in dict.fromkeys([*new, *old]) if old.get(key) != new.get(key)]
    if keys:
        yield f"- {code(changes.after.base.settings_marks.path)}: {listed(keys, most=20)}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
