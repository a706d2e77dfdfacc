"""Colour for numbers: seven steps of one hue, each darker than the one before (by night, lighter)."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from ingest.charts.sheet import Box, Numbers, Sheet
from ingest.charts.ticks import value_ticks
from ingest.units import format_percent

STEPS = 7
_SWATCH = (76.0, 14.0)


@dataclass(frozen=True)
class Scale:
    """Where one step of colour ends and the next begins, at most six ascending values, and how they read."""

    bounds: tuple[float, ...]
    texts: tuple[str, ...]

    @property
    def roles(self) -> list[str]:
        """The colours, faintest first; fewer than seven are spread over all."""
        count = len(self.bounds) + 1
        steps = np.linspace(1, STEPS, count).round().astype(int) if count > 1 else [(STEPS + 1) // 2]
        return [f"heat-{step}" for step in steps]

    def levels(self, values: Numbers) -> npt.NDArray[np.int64]:
        """The number of each value's colour in `roles`; that of NaN says nothing."""
        return np.searchsorted(self.bounds, values, side="right")


def shares(*bounds: float) -> Scale:
    """A scale of shares of one."""
    return Scale(bounds, tuple(format_percent(bound) for bound in bounds))


def even(values: Numbers, unit: str) -> Scale:
    """A scale with round, even steps for values in `unit`; what is not finite among them does not count."""
    finite = values[np.isfinite(values)]
    if not finite.size or not np.ptp(finite) > 1e-9 * np.abs(finite).max():
        return Scale((), ())
    low, high = float(finite.min()), float(finite.max())
    inner = [(value, text) for value, text in value_ticks(low, high, unit, STEPS - 1) if low < value <= high]
    return Scale(tuple(value for value, _ in inner), tuple(text for _, text in inner))


def draw_cells(sheet: Sheet, cells: Iterable[tuple[int, Box]], scale: Scale, name: str = "cells") -> None:
    """Cells of (level, box), one shape a colour."""
    ordered = sorted(cells, key=lambda cell: cell[0])
    for level, group in groupby(ordered, key=lambda cell: cell[0]):
        sheet.boxes([box for _, box in group], scale.roles[level], name=name)


def draw_scale(sheet: Sheet, scale: Scale, title: str, top: float, goal: float | None = None) -> float:
    """The scale below a chart: what it measures, its colours, the values between them; returns where it ends.

    A `goal` is marked, if it is one of those values.
    """
    width, height = _SWATCH
    sheet.text(0, top + 18, title, "muted")
    bar = top + 27
    for number, role in enumerate(scale.roles):
        sheet.box(number * width, bar, (number + 1) * width, bar + height, role, name="scale")
    for number, text in enumerate(scale.texts, 1):
        sheet.text(number * width, bar + height + 19, text, "muted", anchor="middle")
    if goal in scale.bounds:
        x = (scale.bounds.index(goal) + 1) * width
        sheet.line([x, x], [bar - 4, bar + height + 3], "goal", 2.4, name="goal")
    return bar + height + (28 if scale.texts else 4)
