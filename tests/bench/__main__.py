"""How long things take, on generated knowledge bases: `make bench`.

Every figure is the median of several runs. It is processor time, which other work on the
machine does not add to, but where waiting is what is measured. A figure with a limit must
hold, or the exit status is 1.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import click

from ingest import refresh as refreshing
from ingest.charts import CHARTS, Place, places
from ingest.check import check
from ingest.decide import decide
from ingest.evidence import Facts
from ingest.evidence.load import load_facts
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.sources import SOURCES, Fetched, Window
from ingest.sources.demo import DemoSource
from ingest.story import Series
from macros.scaffold import make_knowledge_base

CHECKED, MANY, FEW = 1000, 200, 50
WAITING = 0.1
"""Seconds that a request waits for a server that is not far away."""

STORY = """---
title: Page {number} is slow for accounts with many lists
status: {status}
area: checkout
owner: "@growth-web"
opened: 2026-09-01
tickets: [PERF-{number}]
tags: [mysql, n-plus-one]
endpoints: ["GET /pages/{number}"]
symptoms: [page {number} spins, page {number} won't load]
workaround: Filter by folder first
say: We know why page {number} is slow for accounts with many lists and are working on it.
who: Accounts with more than 50 lists, 2 % of accounts
what: The page loads slowly
when: Always, worst on Tuesday mornings
where: web, PageList.index
why: One COUNT query per list
customer:
  impact: They wait on every visit
  affected: {{value: 1200, unit: accounts, as_of: 2026-09-05, source: "https://bi.example/4"}}
reports:
  - {{date: 2026-09-01, said: page spins, customers: 1, link: "https://helpdesk.example/881"}}
  - {{date: 2026-09-02, said: it is slow again, customers: 3}}
telemetry:
  requests: {{source: demo, kind: histogram, metric: page{metric}, unit: s}}
  queries: {{source: demo, kind: total, metric: queries{metric}, unit: s}}
slo: {{series: requests, quantile: 0.95, below: 1 s}}
timeboxes:
  - {{date: 2026-09-03, question: What makes it slow?, budget: 2h, spent: 1h30m, outcome: 80 lists do, effort: 2d-5d}}
hypotheses:
  - id: h1
    because: One COUNT query per list
    slows: GET /pages/{number}
    for: accounts with more than 50 lists
    written: 2026-09-03
    test: {{share: queries, of: requests, at_least: 50 %, from: 2026-09-04, to: 2026-09-10}}
    verdict: {verdict}
---

## What we saw

{text}

![Requests to the page](page-{number}/requests.svg)

| size | takes |
|---|---|
| small | 0.2 s |
| large | 4.1 s |

## What we learned

{text}
"""
TEXT = "Every visit asks for the number of subscribers of every list, one after the other, and waits. " * 15


@dataclass(frozen=True)
class Figure:
    """A measured time or ratio, and what it must at most be."""

    what: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure is within its limit."""
        return self.limit is None or self.value <= self.limit

    def __str__(self) -> str:
        limit = f"at most {self.limit:g}{'' if self.holds else ', which does NOT hold'}" if self.limit else ""
        return f"{self.what:58} {self.value:9.3g} {self.unit:3} {limit}".rstrip()


def processor() -> float:
    """The processor time, in seconds, of this process and of those that it ran."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def timed(work: Callable[[], object], clock: Callable[[], float] = processor, runs: int = 3) -> float:
    """The median of several runs, in seconds."""
    found = []
    for _ in range(runs):
        begun = clock()
        work()
        found.append(clock() - begun)
    return median(found)


def write_story(folder: Path, number: int, metric: int, status: str = "testing", verdict: str = "open") -> None:
    text = STORY.format(number=number, metric=metric, text=TEXT, status=status, verdict=verdict)
    (folder / f"stories/page-{number}.md").write_text(text)


def base_of(folder: Path, stories: int, metrics: int, history: str = "90d") -> KnowledgeBase:
    """A knowledge base of as many stories, whose series ask for as many different metrics."""
    make_knowledge_base(folder)
    for path in (folder / "stories").iterdir():
        path.unlink()
    clock = "name: Bench\nareas: {checkout: {title: Checkout}}\nnow: 2026-11-01T06:00Z\n"
    (folder / "site-config/knowledge-base.yml").write_text(clock)
    (folder / "site-config/sources.yml").write_text(f"demo: {{kind: demo, history: {history}}}\n")
    for number in range(stories):
        write_story(folder, number, number % metrics)
    return read_knowledge_base(folder)


def confirmed_base(folder: Path, stories: int) -> KnowledgeBase:
    """A knowledge base of as many stories of one metric, each with its pinned evidence."""
    base = base_of(folder, stories, 1)
    refresh(base, ("page-0",))
    pin = decide(base, "page-0", "h1").pin
    for number in range(stories):
        write_story(folder, number, 0, "confirmed", f"{pin.verdict}\n    decided: {pin.stated}")
        if number:
            shutil.copytree(folder / "stories/page-0", folder / f"stories/page-{number}")
    return read_knowledge_base(folder)


def refresh(base: KnowledgeBase, slugs: tuple[str, ...] = ()) -> None:
    """Fills the store; nothing of demo telemetry may fail."""
    result = refreshing.refresh(base, refreshing.wishes(base, slugs), {})
    if result.status:
        raise RuntimeError(f"the refresh ended with {result.status}: {result.outcomes[0].reason}")


def checking(folder: Path) -> Iterator[Figure]:
    base = confirmed_base(folder, CHECKED)
    if problems := check(base).errors:
        raise RuntimeError(f"the generated stories are wrong: {problems[0]}")
    seconds = timed(lambda: check(read_knowledge_base(folder)))
    yield Figure(f"check of {CHECKED:,} stories with pinned evidence", seconds, "s", 5)


def computing(base: KnowledgeBase) -> Iterator[Figure]:
    seconds = timed(lambda: load_facts(base, {}, base.stories))
    yield Figure(f"facts of {MANY} stories with 2 series of 90 days", seconds, "s")
    yield Figure("  a series", seconds / MANY / 2 * 1000, "ms")


def drawing(base: KnowledgeBase) -> Iterator[Figure]:
    facts = load_facts(base, {}, base.stories[:10])
    for kind in CHARTS:
        found = [(each, place.name) for each in facts for place in _places(each, kind)]
        if found:
            seconds = timed(partial(draw, kind, found))
            yield Figure(f"a chart of kind {kind}", seconds / len(found) * 1000, "ms")


def draw(kind: str, found: list[tuple[Facts, str]]) -> None:
    for facts, name in found:
        CHARTS[kind].draw(facts, name)


def _places(facts: Facts, kind: str) -> list[Place]:
    return [place for place in places(facts.story.front, facts.series) if place.kind == kind]


def building(many: Path, few: Path) -> Iterator[Figure]:
    slow, fast = timed(lambda: build(many)), timed(lambda: build(few))
    yield Figure(f"a site with {MANY} stories", slow, "s")
    yield Figure(f"a site with {FEW} stories", fast, "s")
    yield Figure("  one more story", (slow - fast) / (MANY - FEW) * 1000, "ms")
    yield Figure(f"  a page of {MANY}, as a ratio of one of {FEW}", slow / MANY / (fast / FEW), "x", 1.1)


def build(folder: Path) -> None:
    """Builds the site as its users do, in a process of its own."""
    command = [sys.executable, "-P", "-m", "perfkb", "-C", str(folder), "build"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the build ended with {done.returncode}: {done.stderr[-500:]}")


class DistantSource(DemoSource):
    """Demo telemetry that comes from a server, for which one has to wait."""

    def fetch(self, series: Series, window: Window) -> Fetched:
        time.sleep(WAITING)
        return super().fetch(series, window)


def fetching(folder: Path) -> Iterator[Figure]:
    base = base_of(folder, MANY // 2, MANY // 2, "7d")
    for source, where, limit in ((DemoSource, "demo", 1.5), (DistantSource, f"demo {WAITING * 1000:g} ms away", 0.5)):
        SOURCES["demo"] = source
        seconds = {parallel: timed(partial(afresh, base, parallel), time.perf_counter) for parallel in (8, 1)}
        for parallel, took in seconds.items():
            yield Figure(f"refresh of {MANY} series, {where}, {parallel} at a time, waited", took, "s")
        yield Figure("  8 at a time, as a ratio of 1 at a time", seconds[8] / seconds[1], "x", limit)


def afresh(base: KnowledgeBase, parallel: int) -> None:
    """Refreshes an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        settings = base.settings.model_copy(update={"store": folder})
        sources = {
            name: replace(source, basics=source.basics.model_copy(update={"parallel": parallel}))
            for name, source in base.config.sources.items()
        }
        refresh(replace(base, config=replace(base.config, settings=settings, sources=sources)))


def figures(folder: Path) -> Iterator[Figure]:
    """Everything that is measured, as it comes."""
    yield from checking(folder / "checked")
    many, few = base_of(folder / "many", MANY, 20), base_of(folder / "few", FEW, 20)
    refresh(many)
    refresh(few)
    yield from computing(many)
    yield from drawing(many)
    yield from building(many.root, few.root)
    yield from fetching(folder / "fetched")


def main() -> None:
    """Prints the table; exit status 1 where a limit does not hold."""
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        for figure in figures(Path(folder)):
            click.echo(figure)
            broken += not figure.holds
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
