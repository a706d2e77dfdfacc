"""From the store to Facts: the one place where evidence touches files."""

from collections.abc import Iterable
from datetime import datetime

from ingest.errors import Problem
from ingest.evidence import Attempt, Facts, Stored, gather
from ingest.health import read_health
from ingest.knowledge import KnowledgeBase
from ingest.snapshots import CorruptSnapshotError, Store
from ingest.story import Story


def load_facts(base: KnowledgeBase, problems: dict[str, tuple[Problem, ...]], stories: Iterable[Story]) -> list[Facts]:
    """The facts of `stories` from what the store holds; the network is not touched."""
    store = Store(base.store)
    attempts: dict[str, dict[str, Attempt]] = {}
    for (slug, name), outcome in read_health(base.store).items():
        attempts.setdefault(slug, {})[name] = Attempt(datetime.fromisoformat(outcome.at), outcome.reason)
    return [
        gather(
            story,
            base.config,
            {name: _stored(store, story.slug, name) for name in story.series},
            attempts.get(story.slug, {}),
            problems.get(story.slug, ()),
            base.clock.now,
            tuple(other for other in base.stories if other.front.same_as == story.slug),
        )
        for story in stories
    ]


def _stored(store: Store, slug: str, name: str) -> Stored:
    try:
        return Stored(store.read(slug, name))
    except CorruptSnapshotError as error:
        return Stored(corrupt=str(error))
