"""What a preview keeps from one build to the next, so that a save draws only what it changed."""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from jinja2.bccache import Bucket, BytecodeCache

from ingest.clock import floor
from ingest.errors import Problem
from ingest.evidence import Attempt, Facts, Sibling, Stored, gather
from ingest.pins import NO_PINS, Pins
from ingest.settings import Configuration
from ingest.story import Story

T = TypeVar("T")
# Every zone's day begins with one of these; ages go on counting in the browser.
STAYS = timedelta(minutes=15)
"""How long facts stay what they are, though the clock moves on."""


class Warm:
    """Things by their names, each with what it was made from; what the last build had no use for is dropped."""

    def __init__(self) -> None:
        self.before: dict[tuple[str, ...], tuple[Any, Any]] = {}
        self.kept: dict[tuple[str, ...], tuple[Any, Any]] = {}

    def begin(self) -> None:
        """Another build begins."""
        self.before, self.kept = self.kept, {}

    def of(
        self,
        name: tuple[str, ...],
        source: Any,
        make: Callable[[], T],
        same: Callable[[Any, Any], bool] = operator.eq,
    ) -> T:
        """What `make` makes from `source`, or made the last time when that was the `same`."""
        entry = self.kept.get(name) or self.before.get(name)
        if entry is None or not same(entry[0], source):
            entry = (source, make())
        self.kept[name] = entry
        made: T = entry[1]
        return made

    def of_this(self, name: tuple[str, ...], source: Any, make: Callable[[], T]) -> T:
        """The same, where only the very object `source` will do."""
        return self.of(name, source, make, operator.is_)

    def gather(
        self,
        story: Story,
        config: Configuration,
        stored: Mapping[str, Stored],
        attempts: Mapping[str, Attempt],
        problems: tuple[Problem, ...],
        now: datetime,
        repeated_by: tuple[Story, ...] = (),
        pins: Pins = NO_PINS,
        siblings: Mapping[str, Sequence[Sibling]] = MappingProxyType({}),
    ) -> Facts:
        """The facts of a story: `ingest.evidence.gather`."""
        snapshots = {name: (each.snapshot and each.snapshot.manifest, each.corrupt) for name, each in stored.items()}
        rest = (repeated_by, pins, dict(siblings))
        return self.of(
            ("facts", story.slug),
            (story, config, snapshots, dict(attempts), problems, floor(now, STAYS), *rest),
            lambda: gather(story, config, stored, attempts, problems, now, repeated_by, pins, siblings),
        )


class WarmTemplates(BytecodeCache):
    """The theme's templates, compiled; Jinja itself looks whether a template's text is still the same."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fills the bucket with what is kept."""
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keeps what was compiled."""
        self.kept[bucket.key] = bucket.bytecode_to_string()
