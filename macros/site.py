"""The whole site in one object: the knowledge base, its facts and its charts.

Macros of content/ pages and the story pages both draw from it; it knows no MkDocs.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from ingest.charts import CHARTS, Place, history, places, scatter
from ingest.charts.about import chart_id
from ingest.charts.base import Chart
from ingest.charts.frame import draw_placeholder
from ingest.charts.parts import parts
from ingest.charts.readings import with_readings
from ingest.check import Report, check
from ingest.errors import Problem
from ingest.evidence import Facts, SeriesFacts
from ingest.evidence.load import load_facts
from ingest.impact import Overview, overview
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.lifecycle import STAGES
from ingest.limits import SECONDS_A_CHART, TooLongError, time_limit
from ingest.priorities import Priorities, priorities
from ingest.related import Related, relations
from ingest.settings import CUSTOMER_FIELDS, Settings
from ingest.story import Story
from ingest.tickets import address_of
from macros.warm import Warm
from macros.words import link

log = logging.getLogger("mkdocs.plugins.perfkb")

_CHART = re.compile(r"(?<![a-z0-9-])([a-z0-9-]{1,80})/([a-z0-9_.-]+)\.svg\b")


@dataclass(frozen=True)
class Drawn:
    """A chart of a story, and the place it was drawn for."""

    place: Place
    chart: Chart

    @property
    def file(self) -> str:
        """The chart as a file; a part of the time brings along what can be read off it, for it is loaded later."""
        return with_readings(self.chart.svg, self.chart.readings if CHARTS[self.place.kind].part else None)


@dataclass(frozen=True)
class Site:
    """What every page of a site is made from; `charts` are by story and file name."""

    base: KnowledgeBase
    report: Report
    facts: dict[str, Facts]
    charts: dict[str, dict[str, Drawn]]

    @property
    def settings(self) -> Settings:
        """The knowledge base's settings."""
        return self.base.settings

    @property
    def stories(self) -> list[Facts]:
        """All stories, the stages in their order, what changed last first."""
        dated = sorted(self.facts.values(), key=lambda f: (f.updated is not None, f.updated), reverse=True)
        return sorted(dated, key=lambda f: STAGES.index(f.story.front.status))

    @property
    def series(self) -> Iterator[tuple[Facts, SeriesFacts]]:
        """Everything that refresh asks for, of every story."""
        every = ((facts, series) for facts in self.facts.values() for series in facts.asked.values())
        # What a repeating story counts is shown in two stories, and is one thing.
        return ((facts, series) for facts, series in every if series.slug == facts.slug)

    @cached_property
    def priorities(self) -> Priorities:
        """The open stories by what can be said of their worth and effort."""
        return priorities(self.facts.values())

    @cached_property
    def priorities_chart(self) -> Chart:
        """The open stories that have both numbers."""
        return scatter.draw(self.priorities)

    @cached_property
    def impact(self) -> Overview:
        """What all fixes gained, as leadership asks for it."""
        return overview(self.facts.values(), self.base.quarters, self.base.clock.today(self.settings.timezone))

    @cached_property
    def impact_charts(self) -> dict[str, Chart]:
        """The charts of the impact page by the names of their files."""
        return history.charts(self.impact)

    @cached_property
    def related(self) -> dict[str, tuple[Related, ...]]:
        """The stories that belong to each story, by slug."""
        return relations(self.facts.values())

    @property
    def customer_fields(self) -> list[str]:
        """The questions about customers that this site may show."""
        return [name for name in CUSTOMER_FIELDS if name not in self.settings.hide]

    def problems(self, facts: Facts) -> list[Problem]:
        """The problems of a story as its page may name them: no value of a hidden field is quoted."""
        return [self._told(problem, facts.story) for problem in facts.problems]

    def _told(self, problem: Problem, story: Story) -> Problem:
        hidden = self.settings.hide
        fields = ("customer: ", *(f"customer.{name}{sign}" for name in hidden for sign in ":.[ "))
        customer = story.document.data.get("customer")
        kept = [customer.get(name) for name in hidden] if isinstance(customer, dict) else []
        said = hidden and (problem.what.startswith(fields) or any(text in problem.what for text in _texts(kept)))
        return replace(problem, what="a field that is hidden here has a mistake", hint="") if said else problem

    @property
    def newest_data(self) -> datetime | None:
        """The end of the newest data of all; None for a site without any."""
        return max((series.manifest.data_until for _, series in self.series if series.manifest), default=None)

    def ticket(self, name: str) -> Markup:
        """A ticket, as a link where a pattern of the configuration knows its address."""
        address = address_of(name, self.settings.tickets)
        return link(address, name) if address else escape(name)

    def report_link(self, facts: Facts) -> str | None:
        """Where one more customer's report goes, with the story filled in."""
        form, url = self.settings.report_form, self.settings.url or ""
        if not form:
            return None
        address = f"{url.rstrip('/')}/stories/{facts.slug}/" if url else facts.slug
        return form.replace("{title}", quote(facts.story.front.title)).replace("{url}", quote(address, safe=""))


def _texts(value: Any) -> Iterator[str]:
    """Every text within a value of the front matter."""
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
    elif value:
        yield str(value)


def load_site(root: Path, *, drafts: bool, warm: Warm | None = None) -> Site:
    """The site of the knowledge base at `root`; `drafts` are shown in a preview only.

    What is `warm` from the last build is not made again.
    """
    warm = warm or Warm()
    warm.begin()
    base = read_knowledge_base(root)
    report = check(base)
    shown = [story for story in base.stories if drafts or not story.front.draft]
    facts = {each.slug: each for each in load_facts(base, report.of_story, shown, warm.gather)}
    wanted = _charts_in(story.body for story in shown)
    charts = {each.slug: dict(_drawn(each, wanted, warm)) for each in facts.values()}
    return Site(base, report, facts, charts)


def _charts_in(texts: Iterable[str]) -> set[str]:
    """What could be charts in the narratives: `slug/name` of every image that is one."""
    return {f"{found[1]}/{found[2]}" for text in texts for found in _CHART.finditer(text)}


def _drawn(facts: Facts, wanted: set[str], warm: Warm) -> Iterator[tuple[str, Drawn]]:
    """The story's charts: those that stand on its page, are offered there, or are placed by a narrative."""
    offered = set(parts(facts))
    for place in places(facts.story.front, facts.series):
        if CHARTS[place.kind].always or place in offered or f"{facts.slug}/{place.stem}" in wanted:
            yield place.stem, Drawn(place, _chart(facts, place, warm))


def _chart(facts: Facts, place: Place, warm: Warm) -> Chart:
    """The chart of this place; a placeholder if it cannot be drawn, for it must not end the build of all others."""
    try:
        with time_limit(SECONDS_A_CHART):
            draw = partial(CHARTS[place.kind].draw, facts, place.name)
            return warm.of_this(("chart", facts.slug, place.stem), facts, draw)
    except (Exception, TooLongError) as error:
        told = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else "it takes too long"
        log.error("%s: the chart %s.svg cannot be drawn: %s", facts.story.path, place.stem, told)
        return draw_placeholder(chart_id(facts, place.stem), place.name, "This chart cannot be drawn.")
