"""How a series was spread before a fix and after it: what was observed, and no judgement of it."""

import math
from collections.abc import Sequence
from functools import partial
from textwrap import wrap

from ingest.charts.about import NothingToDrawError, chart_id, goal_of, or_placeholder, sentences, titled
from ingest.charts.base import Chart
from ingest.charts.dots import DOT, dots_csv, draw_dots
from ingest.charts.frame import NOTE_LENGTH, below_title, draw_title
from ingest.charts.key import ROW, Item, draw_key
from ingest.charts.sheet import Sheet
from ingest.charts.sides import ROLES, Side, remarks, series_of, sides_of
from ingest.charts.spread import FILL, draw_spread, quantile_text, spread_csv, spread_of
from ingest.charts.svg import plain
from ingest.charts.ticks import is_short
from ingest.charts.words import step_text
from ingest.evidence import Facts, SeriesFacts
from ingest.stats import Range
from ingest.story import Fix, day_of
from ingest.units import format_quantity

_OPEN = "This is what was observed; whether it is more than ordinary wandering is a question for the impact estimate."


def draw(facts: Facts, name: str) -> Chart:
    """The distributions around the fix called `name`; a placeholder where there are no data of either."""
    fix = next(each for each in facts.story.front.fixes if each.id == name)
    identity = chart_id(facts, f"fix-{name}")
    series = series_of(facts, fix)
    unit = f" ({plain(series.unit, 15)})" if series and not is_short(series.unit) else ""
    title = titled(series.title if series else "The numbers", f" before and after {plain(fix.id, 20)}{unit}")
    return or_placeholder(identity, title, partial(_draw, facts, fix, series, identity, title))


def _draw(facts: Facts, fix: Fix, series: SeriesFacts | None, identity: str, title: str) -> Chart:
    if series is None:
        raise NothingToDrawError("The fix names no series of this story, and there is no goal that does.")
    if fix.shipped is None:
        raise NothingToDrawError("It has not been shipped yet.")
    sides = sides_of(series, day_of(fix.shipped, facts.zone), facts.zone)
    goal, sheet = goal_of(facts, series), Sheet()
    draw_title(sheet, title)
    notes = remarks(facts, fix, sides)
    if series.series.kind == "histogram":
        spread, quantiles = spread_of(sides), _quantiles(facts, fix, series)
        bottom, more, readings = draw_spread(sheet, spread, quantiles, goal, below_title(title))
        told, csv = [_spread_in_words(side, quantiles) for side in sides], partial(spread_csv, spread)
    else:
        (bottom, readings), more = draw_dots(sheet, sides, below_title(title)), []
        told, csv = [_dots_in_words(side) for side in sides], partial(dots_csv, sides)
        notes.append(f"each dot is a tenth of the values, one each {step_text(series.step)}")
    bottom = draw_key(sheet, [*_key(sides, series), *more], bottom)
    bottom = _draw_notes(sheet, notes, bottom)
    description = sentences(title, *told, *notes, _OPEN)
    svg = sheet.svg(bottom + 4, f"{identity}-", title, description)
    return Chart(svg, title, description, csv, readings)


def _quantiles(facts: Facts, fix: Fix, series: SeriesFacts) -> list[float]:
    """The median, and the quantile that the fix should change: by default that of the goal."""
    goal = facts.story.front.slo
    of_goal = goal.quantile if goal and goal.series == series.name else series.quantile
    return sorted({0.5, fix.quantile or of_goal})


def _key(sides: Sequence[Side], series: SeriesFacts) -> list[Item]:
    before, after = sides
    if series.series.kind != "histogram":
        return [Item("dot", ROLES[side.name], side.told, DOT) for side in sides]
    return [
        Item("outline", ROLES["before"], before.told, 2.4),
        Item("area", ROLES["after"], after.told, opacity=FILL),
    ]


def _draw_notes(sheet: Sheet, notes: Sequence[str], top: float) -> float:
    for note in notes:
        for line in wrap(note, NOTE_LENGTH):
            sheet.text(0, top + 18, line, "muted")
            top += ROW
    return top


def _spread_in_words(side: Side, quantiles: Sequence[float]) -> str:
    ranges = [(q, side.buckets.quantile(q)) for q in quantiles]
    told = [_range_in_words(q, found, side.series.unit) for q, found in ranges if math.isfinite(found.value)]
    return ", ".join([side.told, *told])


def _range_in_words(q: float, found: Range, unit: str) -> str:
    named = quantile_text(q, found, unit)
    if found.high == math.inf:
        return named
    return f"{named} (between {format_quantity(found.low, unit)} and {format_quantity(found.high, unit)})"


def _dots_in_words(side: Side) -> str:
    if side.rows.empty:
        return side.told
    low, middle, high = (format_quantity(float(v), side.series.unit) for v in side.values.quantile([0.1, 0.5, 0.9]))
    return f"{side.told}, median {middle}, four fifths of the values between {low} and {high}"
