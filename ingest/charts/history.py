"""What was gained over time, a bar a quarter; and what was hoped for of each fix beside what was measured."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from textwrap import wrap

import numpy as np

from ingest.charts.about import titled
from ingest.charts.base import Cell, Chart, csv_text
from ingest.charts.frame import TIMES_ROW, TITLE_LENGTH, TITLE_ROW, draw_title
from ingest.charts.key import Item, draw_key
from ingest.charts.plot import RIGHT, Plot, TimeAxis, draw_grid, left_margin
from ingest.charts.readings import Reading, Readings
from ingest.charts.shape import limits
from ingest.charts.sheet import NARROW_SIZE, WIDTH, Sheet
from ingest.charts.svg import text_width
from ingest.charts.ticks import day_text, value_ticks
from ingest.evidence import Hours
from ingest.impact import UNITS, Expectation, Overview, Period, expected_words
from ingest.units import format_percent, format_quantity

MOST_QUARTERS = 12
LEAST_QUARTERS = 4
"""Room for so many, or the bars of a young knowledge base would be as wide as the page."""
MOST_FIXES = 24
NAN = float("nan")
_TITLES = {"user-hours": "Hours of waiting that people were spared", "machine-hours": "Hours that machines were spared"}
_BAR, _WIDEST = 0.6, 84.0
_LABEL_ROW = 26.0
_ROW = 58.0
_DOT = 12.0


def charts(overview: Overview) -> dict[str, Chart]:
    """The charts that there is something for, by the names of their files."""
    made = {f"impact-{unit}": draw_saved(overview, unit) for unit in UNITS if unit in overview.totals}
    return made | ({"impact-expected": draw_expected(overview)} if overview.expectations else {})


def draw_saved(overview: Overview, unit: str) -> Chart:
    """The hours of a unit by quarter with their intervals; quarters that are still open look it."""
    periods = overview.periods[-MOST_QUARTERS:]
    bars = [(period, period.totals.get(unit)) for period in periods]
    ends = np.array([end for _, hours in bars if hours for end in (hours.low, hours.value, hours.high)])
    floor, ceiling = limits(ends, ends)
    axis = TimeAxis(0, max(len(bars), LEAST_QUARTERS), left_margin(floor, ceiling, ""))
    plot = Plot(axis, TITLE_ROW + _LABEL_ROW, floor, ceiling)
    sheet = Sheet()
    draw_title(sheet, _TITLES[unit])
    draw_grid(sheet, plot, "")
    for number, (period, hours) in enumerate(bars):
        if hours:
            _draw_bar(sheet, plot, number + 0.5, hours, closed=period.closed is not None)
    _draw_quarters(sheet, plot, periods)
    bottom = draw_key(sheet, _key(periods), plot.bottom + (TIMES_ROW if _in_a_row(plot) else TIMES_ROW + _LABEL_ROW))
    description = _described(overview, unit)
    svg = sheet.svg(bottom, f"pk--impact-{unit}-", _TITLES[unit], description)
    readings = _saved_readings(plot, bars, unit)
    return Chart(svg, _TITLES[unit], description, partial(_saved_csv, overview.periods, unit), readings)


def _saved_readings(plot: Plot, bars: Sequence[tuple[Period, Hours | None]], unit: str) -> Readings | None:
    """The hours of each quarter that has any, and their interval; None where none has."""
    rows = []
    for number, (period, hours) in enumerate(bars):
        if hours:
            values = (_rounded(hours.value), _ends(_rounded(hours.low), _rounded(hours.high)), _state(period))
            x, y = float(plot.time.x(np.array(number + 0.5))), float(plot.y(np.array(hours.value)))
            rows.append(Reading(x, period.quarter.title, values, y))
    return Readings("Quarter", (unit, "between", "state"), tuple(rows), plot.top, plot.bottom) if rows else None


def _ends(low: str, high: str) -> str:
    """The ends of an interval."""
    return f"{low} and {high}"


def _draw_bar(sheet: Sheet, plot: Plot, position: float, hours: Hours, *, closed: bool) -> None:
    x, half = float(plot.time.x(np.array(position))), min(_WIDEST, _BAR * _slot(plot)) / 2
    ground, value, low, high = plot.y(np.array([0.0, hours.value, hours.low, hours.high])).tolist()
    top, bottom = sorted((ground, value))
    sheet.box(x - half, top, x + half, bottom, "day", opacity=1 if closed else 0.25, name="bar")
    if not closed:
        sheet.hatched(x - half, top, x + half, bottom, "day")
    for end in (low, high):
        sheet.line([x - 7, x + 7], [end, end], "text", 1.6)
    sheet.line([x, x], [low, high], "text", 1.6, name="interval")
    text = _rounded(hours.value)
    if text_width(text, NARROW_SIZE) <= _slot(plot):
        y = high - 9 if hours.value >= 0 else low + 20
        sheet.text(x, y, text, anchor="middle", bold=True)


def _slot(plot: Plot) -> float:
    return (RIGHT - plot.time.left) / (plot.time.end - plot.time.start)


def _in_a_row(plot: Plot) -> bool:
    """Whether quarter and year have room beside each other."""
    return text_width("Q4 2026", NARROW_SIZE) < _slot(plot)


def _draw_quarters(sheet: Sheet, plot: Plot, periods: Sequence[Period]) -> None:
    for number, period in enumerate(periods):
        x, quarter = float(plot.time.x(np.array(number + 0.5))), period.quarter
        if _in_a_row(plot):
            sheet.text(x, plot.bottom + 24, quarter.title, "muted", anchor="middle")
            continue
        sheet.text(x, plot.bottom + 24, f"Q{quarter.number}", "muted", anchor="middle")
        if quarter.number == 1 or not number:
            sheet.text(x, plot.bottom + 24 + _LABEL_ROW, str(quarter.year), "muted", anchor="middle")


def _key(periods: Sequence[Period]) -> list[Item]:
    kinds = [
        Item("area", "day", "closed quarter", opacity=1) if any(each.closed for each in periods) else None,
        Item("hatched", "day", "still open") if any(not each.closed for each in periods) else None,
        Item("mark", "text", "95 % interval", 1.6),
    ]
    return [kind for kind in kinds if kind]


def _described(overview: Overview, unit: str) -> str:
    told = [
        f"{period.quarter.title}: {_words(hours)} ({_state(period)})"
        for period in overview.periods
        if (hours := period.totals.get(unit))
    ]
    earlier = len(told) - MOST_QUARTERS
    shown = told[-MOST_QUARTERS:] if earlier > 0 else told
    return f"Saved {unit} by quarter. {'. '.join(shown)}. Together {_words(overview.totals[unit])}."


def _state(period: Period) -> str:
    if period.closed:
        stated = period.closed.statement.stated
        return f"closed on {day_text(stated)} {stated.year}"
    return "running" if period.running else "over, not closed yet"


def _words(hours: Hours) -> str:
    return f"{_rounded(hours.value)}, between {_ends(_rounded(hours.low), _rounded(hours.high))}"


def _rounded(value: float) -> str:
    """Whole hours, of large numbers three digits."""
    return format_quantity(round(value), "").replace("-", "−")


def _saved_csv(periods: Sequence[Period], unit: str) -> str:
    header = ["quarter", "first_day", "last_day", "state", "hours", "low", "high", "shipped", "judged", "improved"]
    rows: list[list[Cell]] = []
    for period in periods:
        hours = period.totals.get(unit)
        ends = (hours.value, hours.low, hours.high) if hours else (NAN, NAN, NAN)
        days = (period.quarter.first.isoformat(), period.quarter.last.isoformat())
        counts = map(float, (period.shipped, period.judged, period.improved))
        rows.append([str(period.quarter), *days, _state(period), *ends, *counts])
    return csv_text(header, rows)


def draw_expected(overview: Overview) -> Chart:
    """A row a fix, the newest first: the measured change with its interval, and the mark of what was expected."""
    shown = overview.expectations[:MOST_FIXES]
    ends = np.array([[each.measured.low, each.measured.high, each.expected, 0.0] for each in shown]) * 100
    start, end = max(-100.0, float(ends.min()) - 3), min(100.0, float(ends.max()) + 3)
    axis, title = TimeAxis(start, end, 0), "What was expected, and what was measured"
    names = [_name_lines(each) for each in shown]
    *tops, bottom = accumulate((_ROW + _LABEL_ROW * (len(lines) - 1) for lines in names), initial=TITLE_ROW)
    sheet = Sheet()
    draw_title(sheet, title)
    _draw_percents(sheet, axis, TITLE_ROW, bottom)
    rows = [_draw_fix(sheet, axis, *each) for each in zip(shown, names, tops, strict=True)]
    readings = Readings("Fix", ("measured", "between", "expected"), tuple(rows), TITLE_ROW, bottom, points=True)
    seen = [Item("dot", "day", "measured", _DOT)] if any(_is_seen(each) for each in shown) else []
    unseen = [Item("dot", "excluded", "measured, not detectable", _DOT)] if not all(map(_is_seen, shown)) else []
    key = [*seen, *unseen, Item("line", "axis", "95 % interval", 4), Item("mark", "goal", "expected", 3.4)]
    bottom = draw_key(sheet, key, bottom + TIMES_ROW)
    description = _expected_description(overview, shown)
    svg = sheet.svg(bottom, "pk--impact-expected-", title, description)
    return Chart(svg, title, description, partial(_expected_csv, overview.expectations), readings)


def _is_seen(each: Expectation) -> bool:
    return each.measured.moved


def _draw_percents(sheet: Sheet, axis: TimeAxis, top: float, bottom: float) -> None:
    free = 0.0
    for value, text in value_ticks(axis.start, axis.end, "%"):
        x = float(axis.x(np.array(value)))
        role, width = ("grid", 1.0) if value else ("mark", 1.6)
        sheet.line([x, x], [top + 4, bottom + 5], role, width, name="grid")
        told = text.replace("-", "−") if value else "no change"
        half = text_width(told, NARROW_SIZE) / 2
        middle = min(max(x, half), WIDTH - half)
        if free <= middle - half:
            sheet.text(middle, bottom + 24, told, "muted", anchor="middle")
            free = middle + half + 8


def _name_lines(each: Expectation) -> list[str]:
    """The story's title and the fix, in as many lines as a narrow screen needs."""
    name = titled(each.row.title, f": {each.row.found.fix.id}", 3 * TITLE_LENGTH)
    return wrap(name, TITLE_LENGTH, break_on_hyphens=False)


def _draw_fix(sheet: Sheet, axis: TimeAxis, each: Expectation, name: Sequence[str], top: float) -> Reading:
    """Draws the row of a fix, below its `name`; returns what it says."""
    measured, y = each.measured, top + 42 + _LABEL_ROW * (len(name) - 1)
    low, high, effect, expected = axis.x(
        np.array([measured.low, measured.high, measured.effect, each.expected]) * 100
    ).tolist()
    role = "day" if _is_seen(each) else "excluded"
    sheet.line([low, high], [y, y], role, 4, name="interval")
    sheet.line([effect, effect], [y, y], role, _DOT, name="dot")
    sheet.line([expected, expected], [y - 12, y + 12], "goal", 3.4, name="expected")
    for number, line in enumerate(name):
        sheet.text(0, top + 22 + _LABEL_ROW * number, line)
    between = _ends(_percent(measured.low), _percent(measured.high))
    values = (_percent(measured.effect), between, _percent(each.expected))
    return Reading(effect, f"{each.row.title}: {each.row.found.fix.id}", values, y, each.row.facts.slug)


def _expected_description(overview: Overview, shown: Sequence[Expectation]) -> str:
    told = [
        f"{each.row.title}, {each.row.found.fix.id}: expected {_percent(each.expected)},"
        f" measured {_percent(each.measured.effect)}"
        f" (between {_ends(_percent(each.measured.low), _percent(each.measured.high))})"
        for each in shown
    ]
    return " ".join([f"{expected_words(overview.expectations)}".strip().capitalize(), ". ".join(told) + "."]).strip()


def _percent(value: float) -> str:
    return format_percent(float(f"{value:.2g}"), signed=True)


def _expected_csv(found: Sequence[Expectation]) -> str:
    header = ["story", "fix", "figure", "expected", "effect", "low", "high", "part_of_the_hope", "verdict"]
    rows: list[list[Cell]] = []
    for each in found:
        pin, measured = each.row.found.pin, each.measured
        numbers = (each.expected, measured.effect, measured.low, measured.high, NAN if each.gave is None else each.gave)
        figure, verdict = (pin.figure, pin.verdict) if pin else ("", "")
        rows.append([each.row.facts.slug, each.row.found.fix.id, figure, *numbers, verdict])
    return csv_text(header, rows)
