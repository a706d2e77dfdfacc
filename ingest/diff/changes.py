"""A knowledge base as it was and as it is: which story of one is which of the other.

What could not be read on either side is not compared: a mistake of the keys is a problem, and
must not look like a removal.
"""

from dataclasses import dataclass
from datetime import date

from ingest.check import Report
from ingest.codes import UNREADABLE
from ingest.diff.asked import users_of
from ingest.diff.posted import code
from ingest.knowledge import KnowledgeBase
from ingest.pins import NO_PINS, Pins
from ingest.story import Story


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: a knowledge base, and what `check` finds in it."""

    base: KnowledgeBase
    report: Report

    def pins(self, story: Story) -> Pins:
        """The pins of a story of this side."""
        return self.base.pins.get(story.slug, NO_PINS)


@dataclass(frozen=True)
class Pair:
    """A story as it was and as it is, maybe under another name."""

    before: Story
    after: Story
    pins_before: Pins
    pins: Pins

    @property
    def name(self) -> str:
        return code(self.after.slug)

    def can_compare(self, field: str) -> bool:
        """Whether both sides of a field of the front matter hold no mistake."""
        return not any(field in story.mistaken or is_unreadable(story) for story in (self.before, self.after))

    @property
    def edited(self) -> list[str]:
        """The keys of the front matter that differ, and `text`."""
        old, new = self.before.document, self.after.document
        keys = [key for key in dict.fromkeys([*new.data, *old.data]) if old.data.get(key) != new.data.get(key)]
        return keys + (["text"] if old.body != new.body else [])


@dataclass(frozen=True)
class Changes:
    """What became of the stories: those that are in both sides, and those of one side alone."""

    before: Side
    after: Side
    pairs: tuple[Pair, ...]
    added: tuple[Story, ...]
    removed: tuple[Story, ...]

    @property
    def today(self) -> date:
        """The day on which the two are compared."""
        return self.after.base.clock.today(self.after.base.settings.timezone)

    @property
    def touched(self) -> list[Story]:
        """The stories of which anything differs: their file, their pins, or a shared series that they use."""
        edited = {pair.after.slug for pair in self.pairs if pair.edited or pair.pins_before != pair.pins}
        old, new = self.before.base, self.after.base
        shared = [name for name, each in new.settings.series.items() if old.settings.series.get(name) != each]
        edited |= {slug for name in shared for slug in users_of(new, name)} | {story.slug for story in self.added}
        return [story for story in new.stories if story.slug in edited]


def compare(before: Side, after: Side) -> Changes:
    """Which story of one side is which of the other."""
    old = {story.slug: story for story in before.base.stories}
    new = {story.slug: story for story in after.base.stories}
    origins = {slug: old[slug] for slug in new if slug in old}
    gone = {slug: story for slug, story in old.items() if slug not in new}
    for slug, story in new.items():
        if slug not in origins and (found := next((each for each in gone.values() if _is_alike(each, story)), None)):
            origins[slug] = gone.pop(found.slug)
    pairs = [Pair(each, new[slug], before.pins(each), after.pins(new[slug])) for slug, each in origins.items()]
    added = [story for slug, story in new.items() if slug not in origins]
    pairs.sort(key=lambda pair: pair.after.slug)
    return Changes(before, after, tuple(pairs), tuple(added), tuple(gone.values()))


def _is_alike(one: Story, other: Story) -> bool:
    """Whether two files of different names tell the same story: a title is seldom given twice."""
    if is_unreadable(one) or is_unreadable(other):
        return False
    same_reports = one.front.reports and one.front.reports == other.front.reports
    return bool(one.front.title == other.front.title or same_reports)


def is_unreadable(story: Story) -> bool:
    """Whether nothing is known of a story but its name."""
    return any(each.code in UNREADABLE for each in story.problems)
