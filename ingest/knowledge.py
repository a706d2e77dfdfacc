"""A knowledge base as it lies on disk: its configuration, its stories, and its clock.

Only this module reads `stories/` and `site-config/`; of content/ it takes the names of
pages. Nothing here fails because of what a file holds: mistakes are collected as problems.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingest.clock import Clock, read_clock
from ingest.closed import FOLDER as QUARTERS
from ingest.closed import Closed, read_quarters
from ingest.errors import Problem, UserError, Where, did_you_mean
from ingest.fields import SLUG_HINT, read_slug
from ingest.marked import MAX_BODY_BYTES, MAX_BYTES, Marked
from ingest.pins import PINNED, Pins, read_pins
from ingest.settings import (
    DEFAULT_STORE,
    KNOWLEDGE_BASE_FILE,
    SOURCES_FILE,
    Configuration,
    Settings,
    read_settings,
    read_sources,
)
from ingest.story import Story, read_story

CONTENT = "content"
"""The folder of the hand-written pages."""


@dataclass(frozen=True)
class KnowledgeBase:
    """All that a command works on.

    `problems` are those of files, not of single stories' contents; `pins` are by story,
    `quarters` the closed ones by name, `pages` the hand-written pages below content/ (None
    where there is no such folder).
    """

    root: Path
    config: Configuration
    settings_marks: Marked
    stories: tuple[Story, ...]
    clock: Clock
    problems: tuple[Problem, ...] = ()
    pins: Mapping[str, Pins] = field(default_factory=dict)
    quarters: Mapping[str, Closed] = field(default_factory=dict)
    pages: frozenset[str] | None = None

    @property
    def settings(self) -> Settings:
        """What `site-config/knowledge-base.yml` holds."""
        return self.config.settings

    @property
    def store(self) -> Path:
        """The folder of live telemetry; of a store that lies elsewhere, its copy here."""
        return self.root / (DEFAULT_STORE if self.settings.store_url else self.settings.store)

    def story(self, slug: str) -> Story:
        """The story of this name, or in this file, whose path a shell completes; UserError where there is none."""
        file = Path(slug).resolve() if slug.endswith(".md") else None
        for story in self.stories:
            if slug in (story.slug, story.path) or file == self.root / story.path:
                return story
        close = did_you_mean(slug, (story.slug for story in self.stories))
        hint = close if close.startswith("did") else "see `perfkb status`"
        raise UserError(None, f"there is no story {slug!r}", hint)

    def called(self, slug: str, series: str) -> str:
        """A series for a person: `slow/p95`, and a count of reports by its place, `reports 2 of slow (helpdesk)`."""
        for story in self.stories:
            report = story.counted.get(series) if story.slug == slug else None
            if report:
                return f"reports {story.front.reports.index(report) + 1} of {slug} ({report.source})"
        return f"{slug}/{series}"


def find_root(start: Path) -> Path:
    """The knowledge base in or above `start`; UserError where there is none."""
    for folder in (start, *start.parents):
        if is_knowledge_base(folder):
            return folder
    raise UserError(None, f"no knowledge base in {start} or above it", "name one with -C, or make one: perfkb init DIR")


def is_knowledge_base(folder: Path) -> bool:
    """Whether `folder` looks like a knowledge base's root."""
    return (folder / "stories").is_dir() and ((folder / "site-config").is_dir() or (folder / "mkdocs.yml").is_file())


def read_knowledge_base(root: Path, environ: Mapping[str, str] = os.environ) -> KnowledgeBase:
    """Everything under `root` that people write; UserError where `root` is no knowledge base."""
    if not is_knowledge_base(root):
        raise UserError(None, f"{root} is not a knowledge base", "make one: perfkb init DIR")
    settings, marks, problems = read_settings(_read_optional(root / KNOWLEDGE_BASE_FILE))
    sources, more = read_sources(_read_optional(root / SOURCES_FILE))
    config = Configuration(settings, sources, tuple(problems + more))
    stories: list[Story] = []
    stray: list[Problem] = []
    for entry in _listed(root / "stories"):
        found = _stray(entry, root)
        stray += found
        if not found and entry.is_file():
            stories.append(_read_story(entry, root, config))
    stray += _orphans(root, {story.slug for story in stories})
    clock = read_clock(settings.now, environ)
    pins = {story.slug: read_pins(root, story.slug) for story in stories}
    quarters = read_quarters(root)
    stray += quarters.problems
    return KnowledgeBase(
        root, config, marks, tuple(stories), clock, tuple(stray), pins, quarters.closed, _pages(root / CONTENT)
    )


def _pages(folder: Path) -> frozenset[str] | None:
    """The Markdown files below `folder`, relative to it."""
    if not folder.is_dir():
        return None
    return frozenset(path.relative_to(folder).as_posix() for path in folder.rglob("*.md"))


def _read_optional(path: Path) -> bytes | None:
    # A link that leads nowhere is a mistake, and no knowledge base without configuration.
    return _read_limited(path, MAX_BYTES) if path.exists() or path.is_symlink() else None


def _read_limited(path: Path, limit: int) -> bytes:
    """At most one byte more than `limit`, which is enough for the reader to refuse it."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise UserError(str(path), f"cannot be read: {error.strerror}") from None


def _read_story(entry: Path, root: Path, config: Configuration) -> Story:
    path = entry.relative_to(root).as_posix()
    return read_story(entry.stem, path, _read_limited(entry, MAX_BYTES + MAX_BODY_BYTES), config.settings.series)


def _listed(folder: Path) -> list[Path]:
    """The entries of stories/ that mean something: hidden files are those of editors and systems."""
    known = ("README.md", QUARTERS)
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.name not in known)


def _stray(entry: Path, root: Path) -> list[Problem]:
    """Why an entry of stories/ is neither a story nor a story's folder."""
    where = _place(entry, root)
    if entry.is_symlink() or not entry.resolve().is_relative_to(root.resolve()):
        # A link could publish any file of the machine that builds the site.
        return [Problem(where, "PK007", "links are not followed", "put the file itself here")]
    if entry.is_dir():
        # Whether it belongs to a story is told by `_orphans`.
        return []
    if not entry.is_file() or entry.suffix != ".md":
        return [Problem(where, "PK007", "this is not a story", "a story is a Markdown file, <slug>.md")]
    try:
        read_slug(entry.stem)
    except ValueError as error:
        return [Problem(where, "PK007", str(error), SLUG_HINT)]
    return []


def _orphans(root: Path, slugs: set[str]) -> Iterator[Problem]:
    """Folders that belong to no story, and what does not belong into a story's folder."""
    for folder in (entry for entry in _listed(root / "stories") if entry.is_dir() and not entry.is_symlink()):
        if folder.name not in slugs:
            what = "there is no story of this name beside the folder"
            yield Problem(_place(folder, root), "PK007", what, "remove or rename the folder")
        for entry in sorted(folder.iterdir()):
            if entry.name != PINNED or entry.is_symlink() or not entry.is_dir():
                what = "a story's folder holds its pinned evidence only"
                yield Problem(_place(entry, root), "PK007", what, "see `pinned/`")


def _place(entry: Path, root: Path) -> Where:
    # A name that is not UTF-8 could not be printed.
    return Where(entry.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode())
