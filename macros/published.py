"""`stories.json`: the stories as data for other tools.

The keys are those of the models here, from which the handbook's table of them is made. Keys
may be added; none is renamed, taken away or given another meaning without a new `format`.
"""

import json
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ingest.evidence import Facts, SeriesFacts
from ingest.evidence.series import HealthState
from ingest.story import Kind, Stage
from macros.feeds import story_feed
from macros.site import Site

FORMAT: Literal[1] = 1


class _Published(BaseModel):
    """A mapping whose keys are all there, null included."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SeriesEntry(_Published):
    """A series of a story."""

    name: str
    """Its name within the story."""
    kind: Kind
    """How its numbers add up."""
    unit: str
    """The unit of its values."""
    figure: str
    """What is shown of it, such as p95."""
    health: HealthState
    """The state of its data."""
    data_until: str | None
    """The end of its newest data; null where there is none."""
    csv: str
    """Its numbers by the step, relative to the site's root."""
    days_csv: str
    """Its numbers by the day, relative to the site's root."""


class CountEntry(_Published):
    """Reports that another system counts."""

    source: str
    """The system's name."""
    query: str
    """What is counted there."""
    count: int | None
    """How many there were; null where nobody knows."""
    as_of: str | None
    """When they were counted; null where they never were."""
    health: HealthState
    """The state of the count."""


class StoryEntry(_Published):
    """A story."""

    slug: str
    """Its name in addresses."""
    url: str
    """Its page, relative to the site's root."""
    feed: str | None
    """Its feed, relative to the site's root; null where the site has no feeds."""
    title: str
    """What is slow."""
    status: Stage
    """The stage that it has reached."""
    area: str | None
    """The id of its area; null where it is not sorted yet."""
    owner: str | None
    """Who is responsible."""
    opened: str | None
    """The day on which it began."""
    updated: str | None
    """The day of the last thing that happened."""
    tickets: tuple[str, ...]
    """Its tickets in other systems."""
    tags: tuple[str, ...]
    """Words to find it by."""
    endpoints: tuple[str, ...]
    """What it is about."""
    symptoms: tuple[str, ...]
    """How customers describe it."""
    say: str | None
    """A sentence that support may send."""
    workaround: str | None
    """What customers can do meanwhile."""
    same_as: str | None
    """The slug of the story that it repeats."""
    customers_reporting: int
    """How many customers its reports stand for, with those of stories that repeat it."""
    reports_counted: tuple[CountEntry, ...]
    """Its reports that other systems count."""
    health: HealthState | None
    """The state of its worst series or count; null without any."""
    series: tuple[SeriesEntry, ...]
    """Its telemetry."""


class StoriesFile(_Published):
    """All of `stories.json`."""

    format: Literal[1]
    """The form of this file."""
    name: str
    """The site's name."""
    url: str | None
    """The site's address, for what is relative to its root; null where the configuration does not say it."""
    as_of: str
    """The moment of the build, in UTC."""
    stories: tuple[StoryEntry, ...]
    """Every story, the stages in their order, what changed last first."""


def stories_json(site: Site) -> str:
    """The stories as data; answers to the questions about customers are not in it, hidden or not."""
    made = StoriesFile(
        format=FORMAT,
        name=site.settings.name,
        url=site.settings.url,
        as_of=_iso(site.base.clock.now),
        stories=tuple(_entry(facts, feeds=bool(site.settings.url)) for facts in site.stories),
    )
    return json.dumps(made.model_dump(), indent=1, ensure_ascii=False) + "\n"


def _entry(facts: Facts, *, feeds: bool) -> StoryEntry:
    front = facts.story.front
    return StoryEntry(
        slug=facts.slug,
        url=f"stories/{facts.slug}/",
        feed=story_feed(facts.slug) if feeds else None,
        title=front.title,
        status=front.status,
        area=front.area,
        owner=facts.owner,
        opened=facts.story.opened.isoformat() if facts.story.opened else None,
        updated=facts.updated.isoformat() if facts.updated else None,
        tickets=front.tickets,
        tags=front.tags,
        endpoints=front.endpoints,
        symptoms=front.symptoms,
        say=front.say,
        workaround=front.workaround,
        same_as=front.same_as,
        customers_reporting=facts.reports.customers,
        reports_counted=tuple(_count_entry(each) for each in facts.reports.counted.values()),
        health=facts.health.state if facts.health else None,
        series=tuple(_series_entry(facts, each) for each in facts.series.values()),
    )


def _series_entry(facts: Facts, series: SeriesFacts) -> SeriesEntry:
    return SeriesEntry(
        name=series.name,
        kind=series.series.kind,
        unit=series.unit,
        figure=series.figure,
        health=series.health.state,
        data_until=_iso(series.manifest.data_until) if series.manifest else None,
        csv=f"stories/{facts.slug}/{series.name}.csv",
        days_csv=f"stories/{facts.slug}/{series.name}.days.csv",
    )


def _count_entry(series: SeriesFacts) -> CountEntry:
    return CountEntry(
        source=series.source,
        query=series.series.query or "",
        count=series.count,
        as_of=_iso(series.as_of) if series.as_of else None,
        health=series.health.state,
    )


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
