"""From the store to Facts: the one place where evidence touches files."""

from collections.abc import Callable, Iterable
from datetime import datetime

from ingest.errors import Problem
from ingest.evidence import Attempt, Facts, Sibling, Stored, gather
from ingest.evidence.fixing import figure_of
from ingest.health import read_health
from ingest.knowledge import KnowledgeBase
from ingest.pins import NO_PINS
from ingest.snapshots import CorruptSnapshotError, Store
from ingest.story import Story, day_of


def load_facts(
    base: KnowledgeBase,
    problems: dict[str, tuple[Problem, ...]],
    stories: Iterable[Story],
    gather: Callable[..., Facts] = gather,
) -> list[Facts]:
    """The facts of `stories` from what the store holds; the network is not touched.

    Another `gather` may know some of them already. A draft that is none of them adds nothing to
    a story that it repeats: its reports are shown where it is shown itself.
    """
    stories = list(stories)
    loaded = {story.slug for story in stories}
    store = Store(base.store)
    siblings = _siblings(base)
    repeated: dict[str, list[Story]] = {}
    for story in base.stories:
        if story.front.same_as and (story.slug in loaded or not story.front.draft):
            repeated.setdefault(story.front.same_as, []).append(story)
    attempts = {
        key: Attempt(datetime.fromisoformat(outcome.at), outcome.reason)
        for key, outcome in read_health(base.store).items()
    }
    return [
        gather(
            story,
            base.config,
            {name: _stored(store, slug, name) for name, slug in _asked(story, repeated).items()},
            {name: attempts[slug, name] for name, slug in _asked(story, repeated).items() if (slug, name) in attempts},
            problems.get(story.slug, ()),
            base.clock.now,
            tuple(repeated.get(story.slug, ())),
            base.pins.get(story.slug, NO_PINS),
            siblings.get(story.slug, {}),
        )
        for story in stories
    ]


def _asked(story: Story, repeated: dict[str, list[Story]]) -> dict[str, str]:
    """The names of a story's series and counts, also of the stories that repeat it, and whose folder holds each."""
    others = {name: other.slug for other in repeated.get(story.slug, ()) for name in other.counted}
    return {**others, **dict.fromkeys([*story.series, *story.counted], story.slug)}


def _siblings(base: KnowledgeBase) -> dict[str, dict[str, list[Sibling]]]:
    """Of every shipped fix, by story and id, the other fixes of the same series: source and query.

    Whichever quantile each should change: a deploy moves them all, and all earn hours by one mean.
    """
    groups: dict[str, list[Sibling]] = {}
    for story in base.stories:
        pins = base.pins.get(story.slug, NO_PINS)
        for fix in story.front.fixes:
            name, _ = figure_of(fix, story.front.slo, story.series)
            series = story.series.get(name or "")
            if fix.shipped and series:
                judged = pins.judged.get(fix.id)
                key = base.config.source_of(series).fingerprint(series)
                shipped = day_of(fix.shipped, base.settings.timezone)
                groups.setdefault(key, []).append(Sibling(story.slug, fix.id, shipped, judged.mean if judged else None))
    found: dict[str, dict[str, list[Sibling]]] = {}
    for group in groups.values():
        for each in group:
            found.setdefault(each.slug, {})[each.id] = [other for other in group if other is not each]
    return found


def _stored(store: Store, slug: str, name: str) -> Stored:
    try:
        return Stored(store.read(slug, name))
    except CorruptSnapshotError as error:
        return Stored(corrupt=str(error))
