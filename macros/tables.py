"""The macros that pages in content/ call: each gives a part of a page as HTML.

Each takes the site and `root`, which leads from the page to the site's root, and then
what the page's author gives it.
"""

from collections.abc import Callable
from itertools import groupby
from typing import Any

from markupsafe import Markup

from ingest.codes import CODES
from ingest.errors import UserError
from ingest.evidence import HEALTH_STATES
from ingest.lifecycle import MEANING, STAGES, demands_of
from macros.html import render
from macros.site import Site


def site_name(site: Site, root: str) -> Markup:
    """The knowledge base's name."""
    return Markup.escape(site.settings.name)


def stories_table(site: Site, root: str, area: str = "", stage: str = "") -> Markup:
    """All stories as tables by stage; only those of an `area` or a `stage`, if one is given."""
    _known("area", area, site.settings.areas)
    _known("stage", stage, STAGES)
    shown = [
        facts
        for facts in site.stories
        if area in ("", facts.story.front.area) and stage in ("", facts.story.front.status)
    ]
    groups = [(name, list(members)) for name, members in groupby(shown, key=lambda facts: facts.story.front.status)]
    return render("stories.html", site=site, root=root, groups=groups, meaning=MEANING)


def home_summary(site: Site, root: str, most: int = 6) -> Markup:
    """How many stories are at which stage, what changed lately, and what customers report."""
    open_ones = [f for f in site.stories if f.story.front.status not in ("measured", "parked")]
    return render(
        "home.html",
        site=site,
        root=root,
        counts=[(stage, sum(f.story.front.status == stage for f in site.stories)) for stage in STAGES],
        changed=sorted(site.stories, key=lambda f: (f.updated is not None, f.updated), reverse=True)[:most],
        radar=sorted((f for f in open_ones if f.reports.reports), key=lambda f: -f.reports.customers)[:most],
    )


def data_table(site: Site, root: str) -> Markup:
    """Every series by health, worst first; stories with mistakes; endpoints without telemetry."""
    rows = sorted(site.series, key=lambda row: (HEALTH_STATES.index(row[1].health.state), row[0].slug, row[1].name))
    dark = [(name, f) for f in site.facts.values() if not f.series for name in f.story.front.endpoints]
    bad = [facts for facts in site.facts.values() if facts.bad]
    return render("data.html", site=site, root=root, rows=rows, dark=sorted(dark, key=lambda row: row[0]), bad=bad)


def stages_table(site: Site, root: str) -> Markup:
    """What each stage means, and what it demands of a story."""
    return render("stages.html", stages=[(stage, MEANING[stage], demands_of(stage)) for stage in STAGES])


def codes_table(site: Site, root: str) -> Markup:
    """Every problem code with its title."""
    return render("codes.html", codes=CODES)


def _known(what: str, name: str, known: Any) -> None:
    if name and name not in known:
        raise UserError(None, f"there is no {what} {name!r}", f"known: {', '.join(known)}")


MACROS: dict[str, Callable[..., Markup]] = {
    "codes_table": codes_table,
    "data_table": data_table,
    "home_summary": home_summary,
    "site_name": site_name,
    "stages_table": stages_table,
    "stories_table": stories_table,
}
