"""Single values before and after a fix: a row of dots for each, every dot a tenth of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ingest.charts.base import csv_text
from ingest.charts.plot import TimeAxis
from ingest.charts.readings import Reading, Readings
from ingest.charts.shape import limits
from ingest.charts.sheet import NARROW_SIZE, WIDTH, Numbers, Sheet
from ingest.charts.sides import ROLES, Side
from ingest.charts.svg import text_width
from ingest.charts.ticks import value_ticks
from ingest.units import format_quantity

TENTHS = np.arange(0.05, 1, 0.1)
DOT = 11.0
"""How wide a dot is."""
_ROW = 62.0
_LINE = 40.0
"""Where the dots stand within a row."""
_LEFT = 76.0


def draw_dots(sheet: Sheet, sides: Sequence[Side], top: float) -> tuple[float, Readings]:
    """A row a side, on one axis of values below them; returns where its labels end, and what the dots say."""
    unit = sides[0].series.unit
    values = np.concatenate([_tenths(side) for side in sides])
    axis = TimeAxis(*limits(values, values), _LEFT)
    bottom = top + _ROW * len(sides)
    _draw_axis(sheet, axis, unit, top, bottom)
    for number, side in enumerate(sides):
        _draw_side(sheet, axis, side, top + _ROW * number)
    rows = [row for number, side in enumerate(sides) for row in _readings(axis, side, top + _ROW * number + _LINE)]
    return bottom + 30, Readings("Tenth of the values", ("middle",), tuple(rows), top, bottom, points=True)


def _readings(axis: TimeAxis, side: Side, y: float) -> list[Reading]:
    """The value in the middle of each tenth, the lowest first."""
    if side.rows.empty:
        return []
    values = _tenths(side)
    told = zip(axis.x(values).tolist(), values.tolist(), strict=True)
    return [
        Reading(x, f"{side.name}, {number} of {len(values)}", (format_quantity(value, side.series.unit),), y)
        for number, (x, value) in enumerate(told, 1)
    ]


def _draw_axis(sheet: Sheet, axis: TimeAxis, unit: str, top: float, bottom: float) -> None:
    free = 0.0
    for value, text in value_ticks(axis.start, axis.end, unit):
        x, half = float(axis.x(np.array(value))), text_width(text, NARROW_SIZE) / 2
        sheet.line([x, x], [top, bottom + 5], "grid", 1, name="grid")
        if free <= x - half and x + half <= WIDTH:
            sheet.text(x, bottom + 24, text, "muted", anchor="middle")
            free = x + half + 8
    sheet.line([0, WIDTH - 12], [bottom, bottom], "axis", 1.2, name="grid")


def _draw_side(sheet: Sheet, axis: TimeAxis, side: Side, top: float) -> None:
    sheet.text(0, top + 46, side.name, "muted")
    if side.rows.empty:
        return
    y = top + _LINE
    for x in axis.x(_tenths(side)):
        # A line without length, and with round ends, is a dot.
        sheet.line([x, x], [y, y], ROLES[side.name], DOT, name="dot")
    median = float(side.values.median())
    x = float(axis.x(np.array(median)))
    sheet.line([x, x], [y - 13, y + 13], ROLES[side.name], 2.6, name="median")
    _label(sheet, x, top + 20, f"median {format_quantity(median, side.series.unit)}")


def _label(sheet: Sheet, x: float, y: float, text: str) -> None:
    """Over the middle, as far as the edges let it."""
    half = text_width(text, NARROW_SIZE) / 2
    sheet.text(min(max(x, _LEFT + half), WIDTH - half), y, text, anchor="middle")


def _tenths(side: Side) -> Numbers:
    return np.asarray(side.values.quantile(TENTHS), dtype="float64")


def dots_csv(sides: Sequence[Side]) -> str:
    """The quantiles that the dots stand at."""
    columns = [_tenths(side) if len(side.rows) else np.full(len(TENTHS), np.nan) for side in sides]
    table = pd.DataFrame({"quantile": TENTHS.round(2)} | {side.name: c for side, c in zip(sides, columns, strict=True)})
    return csv_text(list(table.columns), table.to_numpy().tolist())
