"""Stories and small knowledge bases to test with."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent

from ingest.check import check
from ingest.errors import Problem
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.story import Story, read_story

CASES = Path(__file__).parent.parent / "cases"
PATH = "stories/slow-list.md"
LEAST = """\
title: Campaign list is slow
status: reported
reports: [{date: 2026-09-01, said: it spins}]
"""
"""The least front matter that is a story; what a test adds to it begins on line 5 of the file."""
SETTINGS = """\
areas: {campaigns: {title: Campaigns}}
series:
  other_pages: {source: demo, kind: histogram, metric: other, unit: s}
now: 2026-11-01T06:00Z
"""


def read(front: str, body: str = "It is slow.\n") -> Story:
    """The story with this front matter, indented as you like."""
    return read_story("slow-list", PATH, document(front, body), {})


def document(front: str, body: str = "It is slow.\n") -> bytes:
    return f"---\n{dedent(front).strip()}\n---\n{body}".encode()


def base(
    root: Path,
    stories: Mapping[str, str | bytes] | None = None,
    settings: str = SETTINGS,
    sources: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> KnowledgeBase:
    """A knowledge base in `root`; what does not begin with `---` is the front matter of a story."""
    (root / "stories").mkdir(parents=True, exist_ok=True)
    (root / "site-config").mkdir(exist_ok=True)
    for name, text in (stories or {}).items():
        whole = text if isinstance(text, bytes) else document(text) if not text.startswith("---") else text.encode()
        (root / f"stories/{name}.md").write_bytes(whole)
    (root / "site-config/knowledge-base.yml").write_text(dedent(settings))
    if sources is not None:
        (root / "site-config/sources.yml").write_text(dedent(sources))
    return read_knowledge_base(root, environ or {})


def found(
    root: Path, front: str, body: str = "It is slow.\n", settings: str = SETTINGS, sources: str | None = None
) -> list[str]:
    """What `check` finds in a knowledge base with this one story."""
    return told(check(base(root, {"slow-list": document(front, body)}, settings, sources)).problems)


def told(problems: Iterable[Problem]) -> list[str]:
    """Problems as lines, the story's path shortened to nothing: `5:8 PK103`."""
    return [f"{each.where} {each.code}".removeprefix(f"{PATH}:") for each in sorted(problems)]
