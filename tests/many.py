"""Stories by the thousand, no two alike: what filters and indexes are measured with."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

_PARTS = "campaign audience segment import export invoice dashboard report template contact survey inbox"
PAGES = [f"{part} {kind}" for part in _PARTS.split() for kind in ("page", "list", "view", "dialog", "job", "screen")]
TROUBLE = ["spins", "won't load", "times out", "freezes", "is slow", "jumps back", "stays blank", "takes minutes"]
TAGS = ["mysql", "n-plus-one", "cache", "gc", "locks", "network", "kafka", "redis", "bundle", "queue", "dns", "cpu"]
_CONTENT = (Path(__file__).parent.parent / "content").rglob("*.md")
WORDS = sorted({word for path in _CONTENT for word in re.findall(r"[a-z]{3,}", path.read_text("utf-8").lower())})
"""The handbook's words: as many as stories really have, and used as unevenly."""
SETTINGS = (
    "name: Many\nurl: https://perf.example/\nnow: 2026-11-01T06:00Z\n"
    'report_form: "https://tickets.example/new?title={title}&story={url}"\nareas:\n'
    + "".join(f'  area-{number}: {{title: Area {number}, team: "@team-{number % 8}"}}\n' for number in range(12))
)
STORY = """---
title: {page} {trouble} for {word} accounts {number}
status: {status}
area: area-{area}
opened: {day}
tickets: [PERF-{ticket}]
tags: [{tags}]
endpoints: ["GET /{path}/{number}"]
symptoms: ["{page} {trouble}", "{other} {more}"]
reports:
  - {{date: {day}, said: "{page} {trouble}", customers: {customers}}}
{rest}---

## What we saw

{text}
"""
REST = {
    "reported": "",
    "investigating": "what: All of it\ntimeboxes: [{{date: {day}, question: What makes it slow?, budget: 2h}}]\n",
    "parked": "parked: {{date: {day}, because: too rare}}\n",
}


def stories(count: int, words: int = 60) -> Iterator[tuple[str, str]]:
    """Slugs and texts of `count` stories, each with about so many `words` of narrative; always the same."""
    choose = random.Random(7)  # noqa: S311
    common = choose.sample(WORDS, len(WORDS))
    weights = [1 / (rank + 3) for rank in range(len(common))]
    for number in range(count):
        page, other, trouble, more = (choose.choice(each) for each in (PAGES, PAGES, TROUBLE, TROUBLE))
        day = f"2026-{choose.randint(1, 9):02}-{choose.randint(1, 28):02}"
        status = choose.choice(list(REST))
        yield (
            f"story-{number:04}",
            STORY.format(
                page=page,
                other=other,
                trouble=trouble,
                more=more,
                number=number,
                ticket=number + 100,
                word=choose.choice(common),
                status=status,
                area=choose.randrange(12),
                day=day,
                tags=", ".join(choose.sample(TAGS, choose.randint(0, 3))),
                path=page.replace(" ", "/"),
                customers=choose.randint(1, 40),
                rest=REST[status].format(day=day),
                text=" ".join(choose.choices(common, weights, k=words)),
            ),
        )


def fill(root: Path, count: int, words: int = 60) -> None:
    """Puts as many stories, and no others, into the knowledge base at `root`."""
    for path in (root / "stories").glob("*.md"):
        path.unlink()
    (root / "site-config/knowledge-base.yml").write_text(SETTINGS)
    for slug, text in stories(count, words):
        (root / f"stories/{slug}.md").write_text(text)
