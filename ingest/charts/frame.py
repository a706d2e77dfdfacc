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
"""Where a title of one line ends."""
TITLE_LENGTH = 56
"""How many letters of a title stand on one line of a narrow screen."""
LONGEST_TITLE = 6 * TITLE_LENGTH
TIMES_ROW = 36.0
_LINE_HEIGHT = 26.0
_HATCHED = 8.0


def draw_placeholder(chart_id: str, title: str, message: str) -> Chart:
    """An empty plot that says why it is empty."""
    plot = Plot(TimeAxis(0, 1), below_title(title) + 24, 0, 1)
    sheet = Sheet()
    draw_title(sheet, title)
    for y in np.linspace(plot.top, plot.bottom, 5):
        sheet.line([0, RIGHT], [y, y], "grid", 1, name="grid")
    said = plain(message, 200)
    for number, line in enumerate(wrap(said, TITLE_LENGTH)):
        y = plot.top + HEIGHT * 0.4 + number * _LINE_HEIGHT
        sheet.text(RIGHT / 2, y, line, "muted", anchor="middle")
    return Chart(sheet.svg(plot.bottom + 8, f"{chart_id}-", title, said), title, said, lambda: "time,value\n")


def draw_title(sheet: Sheet, title: str, unit: str = "") -> None:
    """The title, with the unit of the values where that has no room at each of them."""
    for number, line in enumerate(_lines(title, unit)):
        sheet.text(0, 17 + number * _LINE_HEIGHT, line, bold=True)


def below_title(title: str, unit: str = "") -> float:
    """Where a title ends, which may need several lines."""
    return TITLE_ROW + max(0, len(_lines(title, unit)) - 1) * _LINE_HEIGHT


def _lines(title: str, unit: str) -> list[str]:
    return wrap(plain(title if is_short(unit) else f"{title} ({unit})", LONGEST_TITLE), TITLE_LENGTH)


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
