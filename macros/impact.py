"""The impact page: macros that each give a part of it, and its data files.

It shows what is pinned. What the data says so far of a fix that is not judged yet stands with
its story, and not where totals are read.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from markupsafe import Markup

from ingest.charts.base import Cell, csv_text
from ingest.charts.history import charts
from ingest.closed import FALSE_DISCOVERIES, StatedFix, StatedHours, to_json
from ingest.errors import UserError
from ingest.evidence import Hours
from ingest.impact import (
    UNITS,
    Group,
    Overview,
    Period,
    Row,
    Took,
    discovery_words,
    equivalents,
    expected_words,
    overview,
)
from ingest.pins import Change
from ingest.quarters import Restatement, restatements
from ingest.stats import METHOD
from ingest.units import HOURS_A_WORKING_DAY, format_quantity
from macros.html import render
from macros.site import Site
from macros.words import plural

NAN = float("nan")
GROUPS: dict[Group, tuple[str, str]] = {
    "win": ("Improved", "Judged once, on a day that was known beforehand, and better by more than ordinary days."),
    "faded": ("Gains that did not hold", "Judged as improved, and watched since: the gain became smaller, or is gone."),
    "regression": ("Made worse", "Their hours are taken off the totals."),
    "undetected": (
        "No detectable change",
        "The data cannot tell their change from that of ordinary days. They may have helped; nothing is counted.",
    ),
    "unusual": (
        "Improved against an unusual week",
        "The week before was slower than usual and may have healed by itself: counted only if accepted with a reason.",
    ),
    "due": ("Due to be judged", "Their day has come, and nobody has judged them yet. They count nowhere."),
    "preliminary": ("Still to be judged", "What is seen before their day is not evidence, and counts nowhere."),
    "waiting": ("Waiting for data", "Too few days have passed to say anything."),
    "unmeasured": ("Not measured", "Shipped, and nobody will know what it did."),
    "planned": ("In work", "Not shipped yet."),
}
"""What the page calls each group of fixes, and what it says of it."""


def _overview(site: Site, area: str) -> Overview:
    if area and area not in site.settings.areas:
        raise UserError(None, f"there is no area {area!r}", f"known: {', '.join(site.settings.areas)}")
    return overview(site.facts.values(), site.base.quarters, site.impact.today, area) if area else site.impact


def _render(template: str, site: Site, root: str, found: Overview, **more: Any) -> Markup:
    names = {row.name: row for row in found.rows}
    return render(template, site=site, root=root, found=found, names=names, method=METHOD, **more)


def impact_summary(site: Site, root: str, area: str = "") -> Markup:
    """What was gained, how sure that is, whether it lasted, and what is next."""
    found = _overview(site, area)
    return _render("impact_summary.html", site, root, found, took=_took(found), rate=FALSE_DISCOVERIES)


def impact_history(site: Site, root: str, area: str = "") -> Markup:
    """What was saved quarter by quarter, as a table and as charts; what was restated; equivalents in money."""
    found = _overview(site, area)
    restated = _restatements(site) if not area else []
    return _render(
        "impact_history.html",
        site,
        root,
        found,
        charts={name: chart for name, chart in _charts(site, found).items() if name != "impact-expected"},
        parts=_parts(hours for period in found.periods for hours in period.totals.values()),
        whole=not area,
        restated=restated,
        equivalents=equivalents(found.totals, site.settings.rates),
    )


def _parts(hours: Iterable[Hours | StatedHours | None]) -> dict[str, list[float]]:
    """The numbers that a total of each unit is made of."""
    parts: dict[str, list[float]] = {unit: [] for unit in UNITS}
    for each in hours:
        if each:
            parts[each.unit].append(each.value)
    return parts


def impact_table(site: Site, root: str, area: str = "") -> Markup:
    """Every fix, by what became of it."""
    found = _overview(site, area)
    return _render("impact_fixes.html", site, root, found, groups=_groups(found))


def _groups(found: Overview) -> list[tuple[Group, str, str, tuple[Row, ...]]]:
    """The groups that have fixes, with what is said of each."""
    groups = [(name, title, meaning, found.of(name)) for name, (title, meaning) in GROUPS.items()]
    return [group for group in groups if group[-1]]


def _restatements(site: Site) -> list[Restatement]:
    return restatements(site.base.quarters, site.facts.values(), site.impact.today)


def impact_expected(site: Site, root: str, area: str = "") -> Markup:
    """What was hoped for of each fix beside what was measured."""
    found = _overview(site, area)
    chart = _charts(site, found).get("impact-expected")
    told = expected_words(found.expectations)
    return _render("impact_expected.html", site, root, found, chart=chart, told=told, whole=not area)


def impact_disproved(site: Site, root: str, area: str = "") -> Markup:
    """What was believed and turned out wrong, before anybody built on it."""
    return _render("impact_disproved.html", site, root, _overview(site, area))


def impact_areas(site: Site, root: str) -> Markup:
    """What was gained in each area of the product."""
    return _render("impact_areas.html", site, root, site.impact)


def impact_method(site: Site, root: str) -> Markup:
    """How far all claims hold together, with which versions of the method they were made, and where to look closer."""
    found = site.impact
    told = discovery_words(found.discovery, _caller(found))
    older = {method: count for method, count in found.methods().items() if method != METHOD}
    return _render("impact_method.html", site, root, found, told=told, older=older)


def _caller(found: Overview) -> Callable[[str], str]:
    """What gives a fix, known by `slug/id`, the name that its reader knows."""
    titles = {row.name: f"{row.title} ({row.found.fix.id})" for row in found.rows}
    return lambda name: titles.get(name, name)


def impact_quarter(site: Site, root: str, quarter: str = "", area: str = "") -> Markup:
    """All of one `quarter`, such as 2026Q3; without one, of the last that is over, or of the first."""
    whole = _overview(site, area)
    periods = {str(period.quarter): period for period in whole.periods}
    if quarter and quarter not in periods:
        raise UserError(None, f"there is no quarter {quarter!r}", f"known: {', '.join(periods) or 'none yet'}")
    if not periods:
        return Markup("<p>Quarters begin with the first fix that ships. No fix has shipped yet.</p>")
    names, over = list(periods), [name for name, period in periods.items() if not period.running]
    chosen = quarter or (over or names)[-1]
    period, found = periods[chosen], _within(whole, periods[chosen])
    earning = [row for row in whole.rows if row.hours and chosen in row.hours.by_quarter]
    gone = [] if area else _gone(whole, period)
    place = names.index(chosen)
    return _render(
        "impact_quarter.html",
        site,
        root,
        found,
        period=period,
        before=periods[names[place - 1]].quarter if place else None,
        after=periods[names[place + 1]].quarter if place + 1 < len(names) else None,
        earning=earning,
        gone=gone,
        parts=_parts([*(row.hours.by_quarter[chosen] for row in earning if row.hours), *(fix.hours for fix in gone)]),
        restated=[] if area else [each for each in _restatements(site) if each.quarter == period.quarter],
        equivalents=equivalents(period.totals, site.settings.rates),
        all_names={row.name: row for row in whole.rows},
        groups=_groups(found),
        chart=charts(found).get("impact-expected"),
        told=expected_words(found.expectations),
        claims=discovery_words(found.discovery, _caller(found)),
        took=_took(found),
        rate=FALSE_DISCOVERIES,
    )


def _within(whole: Overview, period: Period) -> Overview:
    """The fixes that shipped within a quarter and the beliefs that fell in it, with all that was saved in it."""
    quarter = period.quarter

    def inside(day: date | None) -> bool:
        return day is not None and quarter.first <= day <= quarter.last

    return replace(
        whole,
        rows=tuple(row for row in whole.rows if inside(row.shipped)),
        totals=period.totals,
        periods=(period,),
        disproved=tuple(each for each in whole.disproved if inside(each.hypothesis.decided)),
    )


def _gone(whole: Overview, period: Period) -> list[StatedFix]:
    """What was stated of fixes that no story has any more."""
    there = {row.name for row in whole.rows}
    fixes = period.closed.statement.fixes if period.closed else ()
    return [fix for fix in fixes if fix.hours and fix.name not in there]


def quarter_pages(site: Site) -> dict[str, str]:
    """The source of a page for each quarter, by its path: an address that stays."""
    pages = {}
    for period in site.impact.periods:
        title = f"Impact in {period.quarter.title}"
        meta = {
            "title": title,
            "description": f"What was gained in {period.quarter.title}, how sure that is, and whether it lasts.",
        }
        lines = [f"{key}: {json.dumps(value)}" for key, value in meta.items()]
        front = "\n".join([*lines, "search: {exclude: true}", "hide: [navigation, toc]", "render_macros: true"])
        text = f'{{{{ impact_quarter("{period.quarter}") }}}}'
        pages[f"impact/{period.quarter}.md"] = f"---\n{front}\n---\n\n# {title}\n\n{text}\n"
    return pages


MACROS: dict[str, Callable[..., Markup]] = {
    make.__name__: make
    for make in (
        impact_areas, impact_disproved, impact_expected, impact_history, impact_method, impact_quarter, impact_summary,
        impact_table,
    )
}  # fmt: skip


def _charts(site: Site, found: Overview) -> dict[str, Any]:
    return site.impact_charts if found is site.impact else charts(found)


def _took(found: Overview) -> str:
    """`The 6 judged fixes took 17 working days together.`"""
    took: Took = found.took(found.judged)
    known = took.fixes - took.unknown
    if not known:
        return ""
    ends = dict.fromkeys(format_quantity(end, "") for end in (took.low, took.high))
    days = f"{' to '.join(ends)} working day{'' if list(ends) == ['1'] else 's'}"
    whose = f"The {plural(known, 'judged fix', 'judged fixes')}" if known > 1 else "The judged fix"
    missing = f"; of {took.unknown} more nobody said" if took.unknown else ""
    return f"{whose} took {days}{' together' if known > 1 else ''}{missing}."


def impact_files(site: Site) -> dict[str, str]:
    """The page's data files by their paths: every fix, each chart with its numbers, and the closed quarters."""
    files = {"impact.csv": fixes_csv(site.impact.rows)}
    for name, chart in site.impact_charts.items():
        files |= {f"{name}.svg": chart.svg, f"{name}.csv": chart.csv}
    return files | {f"impact-{name}.json": to_json(each) for name, each in site.base.quarters.items()}


COLUMNS = (
    "story", "title", "fix", "area", "state", "verdict", "counts", "figure", "shipped", "judged", "expected",
    "effect", "low", "high", "p", "detectable", "mean_effect", "mean_low", "mean_high",
    "hours", "hours_low", "hours_high", "unit", "standing", "since", "effect_today", "took_days_low", "took_days_high",
    "method", "why",
)  # fmt: skip


def fixes_csv(rows: Iterable[Row]) -> str:
    """A row a fix with all of its numbers in full; changes are parts of one, -0.2 is a fifth less."""
    return csv_text(COLUMNS, map(_cells, rows))


def _cells(row: Row) -> list[Cell]:
    found, fix, pin = row.found, row.found.fix, row.found.pin
    change, mean = (pin.change, pin.mean) if pin else (None, None)
    told = [pin.verdict if pin else "", "yes" if found.counts else "no", pin.figure if pin else ""]
    dates = [day.isoformat() if day else "" for day in (row.shipped, pin.stated if pin else None)]
    evidence = (change.p, change.detectable) if change else (NAN, NAN)
    took = (fix.took.low / HOURS_A_WORKING_DAY, fix.took.high / HOURS_A_WORKING_DAY) if fix.took else (NAN, NAN)
    return [
        row.facts.slug, row.title, fix.id, row.facts.story.front.area or "", found.state, *told, *dates,
        NAN if fix.expected is None else fix.expected, *_ends(change), *evidence, *_ends(mean),
        *_ends(row.hours), row.hours.unit if row.hours else "", found.standing or "",
        found.since.isoformat() if found.since else "", found.today.effect if found.today else NAN, *took,
        pin.method if pin else "", found.why or row.why_no_hours,
    ]  # fmt: skip


def _ends(value: Change | Hours | None) -> tuple[float, float, float]:
    if value is None:
        return NAN, NAN, NAN
    return (value.effect if isinstance(value, Change) else value.value), value.low, value.high
