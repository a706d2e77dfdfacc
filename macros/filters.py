"""What a list can be filtered by: its facets with their counts, and the marks of each entry.

A page holds all of its entries; perfkb-filter.js shows those that a reader asks for, and the
address keeps what was asked. Without scripts everything stands there.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingest.evidence import HEALTH_STATES, Facts
from ingest.lifecycle import STAGES
from ingest.settings import Settings
from ingest.story import Hypothesis
from macros.words import ELSEWHERE, HEALTH_WORDS, VERDICT_WORDS, printable

Marks = Mapping[str, tuple[str, ...]]
"""The values that an entry has of each facet."""
NONE = ""
"""The value of what has none: it can be asked for as well."""


@dataclass(frozen=True)
class Choice:
    """A value of a facet, its words, and how many entries have it."""

    value: str
    title: str
    count: int


@dataclass(frozen=True)
class Facet:
    """One thing that entries are told apart by; of its `choices`, any may be ticked together."""

    name: str
    title: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Entry:
    """An entry of a list: its marks, what it can be ordered by, and what is looked for but not shown."""

    marks: Marks
    order: Mapping[str, str | int]
    more: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """The entry's HTML attributes, which are yet to be escaped."""
        made = {"data-pk-is": _json(self.marks), "data-pk-order": _json(self.order), "data-pk-more": self.more}
        return {name: text for name, text in made.items() if text not in ("", "{}")}


def story_entry(facts: Facts) -> Entry:
    """The entry of a story in the list of all."""
    front = facts.story.front
    marks = {
        "stage": NONE if facts.repeats else front.status,
        "area": front.area or NONE,
        "team": facts.owner or NONE,
        "health": facts.health.state if facts.health else NONE,
    }
    said = dict.fromkeys(each.said for each in facts.reports.reports if each.said not in front.symptoms)
    return Entry(
        {**{name: (_plain(value),) for name, value in marks.items()}, "tag": tuple(map(_plain, front.tags))},
        {
            "changed": facts.updated.isoformat() if facts.updated else "",
            "opened": facts.story.opened.isoformat() if facts.story.opened else "",
            "customers": facts.reports.customers,
        },
        "\n".join(said),
    )


def story_facets(entries: Iterable[Entry], settings: Settings) -> list[Facet]:
    """What stories are told apart by."""
    entries = list(entries)
    areas = {name: area.title for name, area in settings.areas.items()}
    return [
        _facet("stage", "Stage", entries, {**{name: name.capitalize() for name in STAGES}, NONE: ELSEWHERE}),
        _facet("area", "Area", entries, {**areas, NONE: "Not sorted yet"}),
        _facet("team", "Team", entries, {NONE: "Nobody yet"}),
        _facet("health", "Data", entries, {**{name: HEALTH_WORDS[name] for name in HEALTH_STATES}, NONE: "None"}),
        _facet("tag", "Tag", entries, {}),
    ]


def hypothesis_entry(facts: Facts, hypothesis: Hypothesis) -> Entry:
    """The entry of a hypothesis in the list of all."""
    marks = {"verdict": hypothesis.verdict, "area": facts.story.front.area or NONE, "team": facts.owner or NONE}
    return Entry({name: (_plain(value),) for name, value in marks.items()}, {})


def hypothesis_facets(entries: Iterable[Entry], settings: Settings) -> list[Facet]:
    """What hypotheses are told apart by."""
    entries = list(entries)
    areas = {name: area.title for name, area in settings.areas.items()}
    return [
        _facet("verdict", "Verdict", entries, VERDICT_WORDS),
        _facet("area", "Area", entries, {**areas, NONE: "Not sorted yet"}),
        _facet("team", "Team", entries, {NONE: "Nobody yet"}),
    ]


def _facet(name: str, title: str, entries: Iterable[Entry], known: Mapping[str, str]) -> Facet:
    """The facet with the values that occur: those that are `known` in their order, others by name before them."""
    counts = Counter(value for entry in entries for value in set(entry.marks.get(name, ())))
    values = [*sorted(counts.keys() - known.keys(), key=str.casefold), *(value for value in known if counts[value])]
    return Facet(name, title, tuple(Choice(value, known.get(value, value), counts[value]) for value in values))


def _plain(text: str) -> str:
    """The text as a page prints it: an entry's mark and a choice's value must be the same."""
    made: str = printable(text)
    return made


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
