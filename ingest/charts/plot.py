"""The plot of a chart over time: its two scales, and their grid, ticks and labels."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from ingest.charts.sheet import NARROW_SIZE, WIDTH, Numbers, Sheet
from ingest.charts.svg import text_width
from ingest.charts.ticks import time_ticks, value_ticks

RIGHT = WIDTH - 12
HEIGHT = 216.0
# Room for the labels of most value axes, so that charts below each other line up.
_LEFT = 76.0


@dataclass(frozen=True)
class TimeAxis:
    """Moments, as seconds since 1970 (or other numbers), on the sheet's x, from `left` to `RIGHT`."""

    start: float
    end: float
    left: float = _LEFT

    def x(self, seconds: Numbers) -> Numbers:
        """Where moments are; those beyond an end of the axis are put there."""
        inside = np.clip(seconds, self.start, self.end)
        return self.left + (inside - self.start) / (self.end - self.start) * (RIGHT - self.left)

    def at(self, moment: datetime) -> float:
        return float(self.x(np.array(moment.timestamp())))

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment.timestamp() <= self.end


@dataclass(frozen=True)
class Plot:
    """A plot `height` high whose upper edge is at `top` of the sheet; values from `floor` to `ceiling` fit."""

    time: TimeAxis
    top: float
    floor: float
    ceiling: float
    height: float = HEIGHT

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def y(self, values: Numbers) -> Numbers:
        """Values on the sheet's y; what is above the ceiling, be it infinite, ends there."""
        return self.bottom - (np.minimum(values, self.ceiling) - self.floor) / (self.ceiling - self.floor) * self.height


def left_margin(floor: float, ceiling: float, unit: str) -> float:
    """Where a plot begins, so that it leaves room for the labels of its values."""
    return max(_LEFT, *(text_width(text, NARROW_SIZE) for _, text in value_ticks(floor, ceiling, unit)))


def draw_grid(sheet: Sheet, plot: Plot, unit: str) -> None:
    """Horizontal lines with their values, which stand on them in the left margin."""
    for value, text in value_ticks(plot.floor, plot.ceiling, unit):
        y = float(plot.y(np.array(value)))
        role, width = ("grid", 1.0) if value else ("axis", 1.2)
        sheet.line([0, RIGHT], [y, y], role, width, name="grid")
        sheet.text(0, y - 5, text, "muted")


def draw_times(sheet: Sheet, plot: Plot, zone: ZoneInfo) -> None:
    """Ticks and labels below the plot; a label that would touch another or the edge is left out."""
    start, end = (datetime.fromtimestamp(edge, UTC) for edge in (plot.time.start, plot.time.end))
    free = 0.0
    for tick in time_ticks(start, end, zone):
        x, half = plot.time.at(tick.at), text_width(tick.text, NARROW_SIZE) / 2
        sheet.line([x, x], [plot.bottom, plot.bottom + 5], "axis", 1, name="tick")
        if free <= x - half and x + half <= WIDTH:
            sheet.text(x, plot.bottom + 22, tick.text, "muted", anchor="middle")
            free = x + half + 8
