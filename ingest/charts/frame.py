"""What surrounds every chart: its title, its gaps, the count of unnamed events; and a chart of nothing."""

from datetime import datetime
from textwrap import wrap

import numpy as np

from ingest.charts.base import Chart
from ingest.charts.events import Events
from ingest.charts.key import Item
from ingest.charts.plot import HEIGHT, RIGHT, Plot, TimeAxis
from ingest.charts.sheet import Sheet
from ingest.charts.svg import plain
from ingest.charts.ticks import is_short

NOTE_LENGTH = 58
"""How many letters of a note stand on one line of a narrow screen."""
TITLE_ROW = 30.0
TITLE_LENGTH = 56
TIMES_ROW = 36.0
_LINE_HEIGHT = 26.0
_HATCHED = 8.0


def draw_placeholder(chart_id: str, title: str, message: str) -> Chart:
    """An empty plot that says why it is empty."""
    plot = Plot(TimeAxis(0, 1), TITLE_ROW + 24, 0, 1)
    sheet = Sheet()
    draw_title(sheet, title)
    for y in np.linspace(plot.top, plot.bottom, 5):
        sheet.line([0, RIGHT], [y, y], "grid", 1, name="grid")
    said = plain(message, 200)
    for number, line in enumerate(wrap(said, TITLE_LENGTH)):
        y = plot.top + HEIGHT * 0.4 + number * _LINE_HEIGHT
        sheet.text(RIGHT / 2, y, line, "muted", anchor="middle")
    return Chart(sheet.svg(plot.bottom + 8, f"{chart_id}-", title, said), title, said, "time,value\n")


def draw_title(sheet: Sheet, title: str, unit: str = "") -> None:
    """The title, with the unit of the values where that has no room at each of them."""
    sheet.text(0, 17, plain(title if is_short(unit) else f"{title} ({unit})", TITLE_LENGTH), bold=True)


def draw_gap(sheet: Sheet, plot: Plot, start: datetime, end: datetime) -> Item:
    """Hatches a stretch without data; returns its entry of the key."""
    left, right = plot.time.at(start), plot.time.at(end)
    sheet.box(left, plot.top, max(right, left + 1.5), plot.bottom, "gap", opacity=0.25, name="gap")
    # Of slanted lines a narrow stretch would show dots.
    if right - left >= _HATCHED:
        sheet.hatched(left, plot.top, right, plot.bottom, "gap")
    return Item("hatched", "gap", "no data")


def unnamed(events: Events) -> list[Item]:
    """The key's entry for marks that found no room for their label."""
    more = events.unnamed
    return [Item("mark", "mark", f"{more} more event{'s' if more > 1 else ''}")] if more else []
