"""Which stories belong together, and why: the same problem, endpoint, telemetry, belief, tag or area.

Pure. Reasons are said; how much they weigh decides the order alone, and is no number that
anybody sees.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from ingest.evidence import Facts

MOST = 5
"""How many stories are named beside one; more would be a list, and there is a page of those."""
MOST_SHARED = 40
"""Of so many stories that share something, the latest are looked at: all pairs would be their square."""
COMMON = 0.2
"""A tag of more than this part of all stories says little of any two of them."""

# The most telling first.
_WORDS = {
    "same": "the same problem",
    "repeats": "repeats this story",
    "endpoint": "the same endpoint, {}",
    "series": "the same telemetry, {}",
    "belief": "the same belief, “{}”",
    "tag": "also tagged {}",
    "area": "the same area",
}
_KINDS = tuple(_WORDS)


@dataclass(frozen=True)
class Related:
    """A story that belongs to another one, and the reasons, the most telling first."""

    slug: str
    reasons: tuple[str, ...]


def relations(stories: Iterable[Facts]) -> dict[str, tuple[Related, ...]]:
    """For each story, by its slug, at most `MOST` others."""
    facts = {each.slug: each for each in stories}
    shared: dict[str, dict[str, list[tuple[str, str]]]] = {slug: defaultdict(list) for slug in facts}
    for each in facts.values():
        other = each.story.front.same_as
        if other in facts and other != each.slug:
            shared[each.slug][other].append(("same", ""))
            shared[other][each.slug].append(("repeats", ""))
    common = max(3, COMMON * len(facts))
    for (kind, _), members in _groups(facts.values()).items():
        if kind == "tag" and len(members) > common:
            continue
        # Of many, those that changed last.
        near = sorted(members, key=lambda slug: _changed(facts[slug]), reverse=True)[:MOST_SHARED]
        for slug, said in members.items():
            for other in near:
                if other != slug:
                    shared[slug][other].append((kind, said))
    return {slug: _chosen(found, facts) for slug, found in shared.items()}


def _groups(stories: Iterable[Facts]) -> dict[tuple[str, str], dict[str, str]]:
    """The stories that share something: by its kind and what it is, each with how it calls it."""
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for facts in stories:
        for kind, key, said in _marks(facts):
            groups[kind, key].setdefault(facts.slug, said)
    return {key: members for key, members in groups.items() if len(members) > 1}


def _marks(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """What a story could share with others: kind, key, and how it is called."""
    front = facts.story.front
    for endpoint in front.endpoints:
        yield "endpoint", _plain(endpoint), endpoint
    # What half the company is compared with ties nothing together.
    controls = {fix.control for fix in front.fixes}
    for series in (each for name, each in facts.series.items() if name not in controls):
        yield "series", series.series.fingerprint(series.step), f"“{series.title}”"
    for hypothesis in front.hypotheses:
        yield "belief", _plain(hypothesis.because), hypothesis.because
    for tag in front.tags:
        yield "tag", _plain(tag), tag
    if front.area:
        yield "area", front.area, ""


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _changed(facts: Facts) -> date:
    return facts.updated or date.min


def _chosen(found: dict[str, list[tuple[str, str]]], facts: dict[str, Facts]) -> tuple[Related, ...]:
    def order(slug: str) -> tuple[list[int], int, str]:
        # Reason by reason; of stories with the same ones, what changed last.
        counts = [-sum(kind == each for kind, _ in found[slug]) for each in _KINDS]
        return counts, -_changed(facts[slug]).toordinal(), slug

    return tuple(Related(slug, tuple(_reasons(found[slug]))) for slug in sorted(found, key=order)[:MOST])


def _reasons(shared: list[tuple[str, str]]) -> Iterator[str]:
    for kind in _KINDS:
        said = [text for each, text in shared if each == kind]
        if said:
            yield _WORDS[kind].format(", ".join(dict.fromkeys(said)))
