"""The macros that pages in content/ call: each gives a part of a page as HTML.

Each takes the site and `root`, which leads from the page to the site's root, and then
what the page's author gives it.
"""

from collections.abc import Callable, Iterable
from inspect import signature
from itertools import chain, groupby
from typing import Any, NamedTuple

from markupsafe import Markup
from pydantic import BaseModel

from ingest.charts import CHARTS
from ingest.charts.scatter import numbers
from ingest.codes import CODES
from ingest.errors import UserError
from ingest.evidence import HEALTH_STATES, Facts
from ingest.lifecycle import MEANING, STAGES, demands_of
from ingest.priorities import Option
from ingest.settings import Settings, SourceBasics
from ingest.sources import SOURCES
from ingest.story import FrontMatter
from macros import home, impact
from macros.filters import hypothesis_entry, hypothesis_facets, story_entry, story_facets
from macros.html import render
from macros.published import StoriesFile
from macros.reference import commands_of, first_line, keys_of
from macros.site import Site
from macros.words import VERDICT_WORDS

BANDS = (
    (
        "first",
        "Nothing else gives more for less",
        "Take what fits: none of these is better than the others. Hours of people and of machines are never compared.",
    ),
    ("second", "A story above gives more for less", "Worth doing where it fits better, or where you know more."),
    ("further", "Several stories give more for less", "At least two, one after the other, give more for less."),
)
LACKING = (
    ("untested", "Nobody knows yet what part could be won", "At most what is said here, and perhaps nothing."),
    ("unpriced", "Nobody has said what a fix would take", "A timebox of an hour or two would say."),
    ("uncounted", "Too little data", "Not zero: unknown. What would count it is said with each."),
)
"""The groups of Priorities: their ids, titles, and what they mean."""
EFFORTS = ((1, "1 day"), (2, "2 days"), (3, "3 days"), (5, "1 week"), (10, "2 weeks"), (20, "4 weeks"))
"""What a reader may have time for, in working days."""
BESIDE = {
    "blocks_workflow": "Blocks their work",
    "downstream": "Hurts others",
    "revenue": "Revenue",
    "support_toil": "Support",
    "churn": "Left over it",
}
"""What is no number, or no number to be ranked by, and still decides."""

ORDERS = (
    ("", "by stage"), ("changed", "lately changed"), ("opened", "newest"), ("customers", "customers reporting"),
    ("title", "title"),
)  # fmt: skip
"""What stories can be ordered by: facts, and no score."""


def site_name(site: Site, root: str) -> Markup:
    """The knowledge base's name."""
    return Markup.escape(site.settings.name)


def stories_table(site: Site, root: str, area: str = "", stage: str = "") -> Markup:
    """All stories by stage, to be filtered; only those of an `area` or a `stage`, if one is given."""
    _known("area", area, site.settings.areas)
    _known("stage", stage, STAGES)
    shown = [facts for facts in _shown(site, area) if stage in ("", facts.story.front.status)]
    rows = [(facts, story_entry(facts)) for facts in shown]
    own = [row for row in rows if not row[0].repeats]
    return render(
        "stories.html",
        site=site,
        root=root,
        groups=[(name, list(members)) for name, members in groupby(own, key=lambda row: row[0].story.front.status)],
        meaning=MEANING,
        twice=[row for row in rows if row[0].repeats],
        facets=story_facets((entry for _, entry in rows), site.settings),
        orders=ORDERS,
    )


def data_table(site: Site, root: str) -> Markup:
    """Every series by health, worst first; stories with mistakes; endpoints without telemetry."""
    rows = sorted(site.series, key=lambda row: (HEALTH_STATES.index(row[1].health.state), row[0].slug, row[1].name))
    dark = [(name, f) for f in site.facts.values() if not f.series for name in f.story.front.endpoints]
    bad = [facts for facts in site.facts.values() if facts.bad]
    return render("data.html", site=site, root=root, rows=rows, dark=sorted(dark, key=lambda row: row[0]), bad=bad)


def priorities_table(site: Site, root: str, area: str = "") -> Markup:
    """The open stories by what they could give and what they would take, with the reasons; never a ranking."""
    _known("area", area, site.settings.areas)
    found = site.priorities
    bands = zip(BANDS, (*found.bands[:2], tuple(chain(*found.bands[2:]))), strict=False)
    lacking = zip(LACKING, (found.untested, found.unpriced, found.uncounted), strict=True)
    groups = [_group(about, members, area) for about, members in (*bands, *lacking)]
    shown = {option.slug for group in groups for option in group.options}
    return render(
        "priorities.html",
        site=site,
        root=root,
        bands=[group for group in groups[: -len(LACKING)] if group.options],
        lacking=[group for group in groups[-len(LACKING) :] if group.options],
        looks=[look for look in found.looks if look.option.slug in shown],
        chart=None if area else site.priorities_chart,
        numbers={} if area else numbers(found),
        teams=sorted({option.facts.owner for option in found.options if option.slug in shown and option.facts.owner}),
        efforts=EFFORTS,
        beside={name: title for name, title in BESIDE.items() if name in site.customer_fields},
    )


class _Group(NamedTuple):
    """Open stories of which the same can be said."""

    id: str
    title: str
    meaning: str
    options: list[Option]


def _group(about: tuple[str, str, str], options: Iterable[Option], area: str) -> _Group:
    return _Group(*about, [each for each in options if area in ("", each.facts.story.front.area)])


def hypotheses_table(site: Site, root: str, area: str = "", verdict: str = "") -> Markup:
    """What was believed, for whom, how it was tested and what turned out, by verdict."""
    _known("area", area, site.settings.areas)
    _known("verdict", verdict, VERDICT_WORDS)
    rows = [
        (facts, each, hypothesis_entry(facts, each))
        for facts in _shown(site, area)
        for each in facts.story.front.hypotheses
        if verdict in ("", each.verdict)
    ]
    rows.sort(key=lambda row: row[1].decided or row[1].written, reverse=True)
    groups = [(name, [row for row in rows if row[1].verdict == name]) for name in VERDICT_WORDS]
    return render(
        "hypotheses.html",
        site=site,
        root=root,
        groups=[group for group in groups if group[1]],
        words=VERDICT_WORDS,
        facets=hypothesis_facets((entry for *_, entry in rows), site.settings),
    )


def timeboxes_table(site: Site, root: str, area: str = "") -> Markup:
    """The looks at problems, the newest first: questions, budgets and findings, no people."""
    _known("area", area, site.settings.areas)
    rows = [(f, number, box) for f in _shown(site, area) for number, box in enumerate(f.story.front.timeboxes, 1)]
    rows.sort(key=lambda row: row[2].date, reverse=True)
    return render("timeboxes.html", site=site, root=root, rows=rows)


def areas_table(site: Site, root: str) -> Markup:
    """The areas with their teams and stories; stories that are not sorted yet come last."""
    areas = [(name, area.title, area.team, _shown(site, name)) for name, area in site.settings.areas.items()]
    unsorted = [facts for facts in site.stories if facts.story.front.area not in site.settings.areas]
    if unsorted:
        areas.append(("none", "Not sorted yet", None, unsorted))
    return render("areas.html", site=site, root=root, areas=areas)


def stages_table(site: Site, root: str) -> Markup:
    """What each stage means, and what it demands of a story."""
    return render("stages.html", stages=[(stage, MEANING[stage], demands_of(stage)) for stage in STAGES])


def codes_table(site: Site, root: str) -> Markup:
    """Every problem code with its title."""
    return render("codes.html", codes=CODES)


def keys_table(site: Site, root: str, file: str) -> Markup:
    """Every key of a `file`: story, knowledge-base, sources, one kind of source such as csv, or stories-json."""
    models: dict[str, type[BaseModel]] = {
        "story": FrontMatter,
        "knowledge-base": Settings,
        "sources": SourceBasics,
        "stories-json": StoriesFile,
        **{kind: source.Options for kind, source in SOURCES.items()},
    }
    _known("file", file, models)
    # What we write ourselves leaves no key out.
    return render("keys.html", keys=list(keys_of(models[file])), written=file != "stories-json")


def commands_table(site: Site, root: str) -> Markup:
    """Every command with its options."""
    from ingest.cli import commands as ingest_commands
    from macros.cli import commands as macros_commands

    return render("commands.html", commands=list(commands_of((*ingest_commands, *macros_commands))))


def charts_table(site: Site, root: str) -> Markup:
    """Every kind of chart: what it is about, and how its file is called."""
    rows = [(f"{chart.stem.format('<' + chart.about + '>')}.svg", chart.title) for chart in CHARTS.values()]
    return render("named.html", title="Charts", columns=("File", "Shows"), rows=rows)


def macros_table(site: Site, root: str) -> Markup:
    """Every macro that a page in content/ may call."""
    rows = [(f"{name}{_arguments(macro)}", first_line(macro)) for name, macro in MACROS.items()]
    return render("named.html", title="Macros", columns=("Macro", "Gives"), rows=rows)


def _arguments(macro: Callable[..., Markup]) -> str:
    """`(area="", stage="")`: what a page's author may give, without what we add."""
    given = list(signature(macro).parameters.values())[2:]
    return f"({', '.join(str(each.replace(annotation=each.empty)) for each in given)})"


def _shown(site: Site, area: str) -> list[Facts]:
    return [facts for facts in site.stories if area in ("", facts.story.front.area)]


def _known(what: str, name: str, known: Any) -> None:
    if name and name not in known:
        raise UserError(None, f"there is no {what} {name!r}", f"known: {', '.join(known)}")


MACROS: dict[str, Callable[..., Markup]] = {
    "areas_table": areas_table,
    "charts_table": charts_table,
    "codes_table": codes_table,
    "commands_table": commands_table,
    "data_table": data_table,
    **home.MACROS,
    "hypotheses_table": hypotheses_table,
    **impact.MACROS,
    "keys_table": keys_table,
    "macros_table": macros_table,
    "priorities_table": priorities_table,
    "site_name": site_name,
    "stages_table": stages_table,
    "stories_table": stories_table,
    "timeboxes_table": timeboxes_table,
}
