"""Home: macros that each give a part of it, so that a company can put them where it wants them."""

from collections.abc import Callable, Iterable

from markupsafe import Markup

from ingest.evidence import Event, Facts
from ingest.lifecycle import STAGES
from ingest.ongoing import counts, looking, wanted
from macros.feeds import newest
from macros.html import render
from macros.pages import CUSTOMER_QUESTIONS, QUESTIONS
from macros.site import Site

SETTLED = ("measured", "parked")
"""Stages of stories about which nobody calls any more."""
LESS_READ = 6


def home_stages(site: Site, root: str) -> Markup:
    """How many stories are at which stage."""
    told = _told(site)
    numbers = [(stage, sum(facts.story.front.status == stage for facts in told)) for stage in STAGES]
    return render("home_stages.html", root=root, counts=numbers)


def home_radar(site: Site, root: str, most: int = LESS_READ) -> Markup:
    """For support: what customers report, the story of it, what may be said and done meanwhile."""
    known = [facts for facts in _told(site) if facts.story.front.status not in SETTLED]
    known = [facts for facts in known if facts.reports.reports or facts.story.front.symptoms or _is_counted(facts)]
    known.sort(key=lambda facts: (-facts.reports.customers, facts.slug))
    return render("home_radar.html", site=site, root=root, shown=known[:most], more=len(known[most:]))


def home_now(site: Site, root: str, most: int = LESS_READ) -> Markup:
    """What is being looked at: open timeboxes, and tests and fixes with the day on which they can be decided."""
    found = looking(_told(site))
    return render("home_now.html", root=root, shown=found[:most], more=len(found[most:]))


def home_help(site: Site, root: str, most: int = LESS_READ) -> Markup:
    """Where help is wanted: what is due, what nobody has looked at, and what nobody knows; office hours."""
    found = wanted(_told(site), site.settings.hide)
    questions = QUESTIONS | CUSTOMER_QUESTIONS
    return render(
        "home_help.html", site=site, root=root, shown=found[:most], more=len(found[most:]), questions=questions
    )


def home_wins(site: Site, root: str, most: int = 4) -> Markup:
    """The last fixes that improved something, with their intervals, and the gains that were lost."""
    found = site.impact
    judged = [(row.found.pin.stated, row) for row in found.counted if row.found.pin and row.group in ("win", "unusual")]
    wins = [row for _, row in sorted(judged, key=lambda each: each[0], reverse=True)]
    return render("home_wins.html", root=root, wins=wins[:most], lost=found.of("faded"), found=found)


def home_changed(site: Site, root: str, most: int = LESS_READ) -> Markup:
    """The stories in which something happened last, and what it was; the feed to follow them by."""
    return render("home_changed.html", site=site, root=root, changed=list(_changed(_told(site)))[:most])


def home_summary(site: Site, root: str) -> Markup:
    """All parts of Home, one below the other."""
    parts = (home_stages, home_radar, home_now, home_help, home_wins, home_changed)
    return Markup("\n").join(part(site, root) for part in parts)


MACROS: dict[str, Callable[..., Markup]] = {
    make.__name__: make
    for make in (home_changed, home_help, home_now, home_radar, home_stages, home_summary, home_wins)
}


def _is_counted(facts: Facts) -> bool:
    return any(series.count for series in facts.reports.counted.values())


def _told(site: Site) -> list[Facts]:
    return [facts for facts in site.stories if counts(facts)]


def _changed(stories: Iterable[Facts]) -> Iterable[tuple[Facts, Event]]:
    """Each story once, with the last thing that happened in it."""
    stories = list(stories)
    last: dict[str, tuple[Facts, Event]] = {}
    for facts, event in newest(stories, most=sum(len(facts.events) for facts in stories)):
        last.setdefault(facts.slug, (facts, event))
    return last.values()
