"""Two histograms in one plot: the one before as an outline, the one after filled; their quantiles above."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.charts.about import NothingToDrawError
from ingest.charts.base import csv_text
from ingest.charts.direct import Label, Polyline, first_free
from ingest.charts.key import Item
from ingest.charts.lanes import Place, Wish, place
from ingest.charts.ordinal import Bands, bands_of, bucket_shares
from ingest.charts.plot import RIGHT, Plot, TimeAxis, draw_grid, left_margin
from ingest.charts.readings import Reading, Readings, share_text
from ingest.charts.sheet import NARROW_SIZE, WIDTH, Numbers, Sheet
from ingest.charts.sides import ROLES, Side
from ingest.charts.svg import text_width
from ingest.evidence import GoalFacts
from ingest.stats import Range
from ingest.units import format_quantity

FILL = 0.35
"""How opaque the side after is."""
_ROW = 44.0
_CAPTION = 36.0
_BAR = (26.0, 36.0)
_EDGES_ROW = 36.0


@dataclass(frozen=True, eq=False)
class Spread:
    """The two sides' shares of their requests in each of b bands, 2 x b; NaN for a side without any."""

    sides: Sequence[Side]
    bands: Bands
    shares: Numbers


def spread_of(sides: Sequence[Side]) -> Spread:
    """The sides over the buckets that any of them uses; NothingToDrawError where none does."""
    shares = np.concatenate([bucket_shares(side.buckets) for side in sides])
    try:
        bands, kept = bands_of(sides[0].buckets.bounds, np.nan_to_num(shares).sum(axis=0), sides[0].series.unit)
    except ValueError:
        raise NothingToDrawError("There are no requests around the day of the fix.") from None
    return Spread(sides, bands, shares[:, kept])


def draw_spread(
    sheet: Sheet, spread: Spread, quantiles: Sequence[float], goal: GoalFacts | None, top: float
) -> tuple[float, list[Item], Readings]:
    """A row of quantiles a side, and the plot below; returns where it ends, what its key needs and what it says."""
    ceiling = 108 * float(np.nanmax(spread.shares))
    axis = TimeAxis(0, len(spread.bands), left_margin(0, ceiling, "%"))
    for number, side in enumerate(spread.sides):
        _draw_quantiles(sheet, side, spread.bands, axis, quantiles, top + _ROW * number)
    plot = Plot(axis, top + _ROW * len(spread.sides) + _CAPTION, 0, ceiling)
    sheet.text(RIGHT, plot.top - 10, "share of requests in each bucket", "muted", anchor="end")
    draw_grid(sheet, plot, "%")
    before, after = (_stairs(shares, plot) for shares in spread.shares)
    if np.isfinite(after[1]).all():
        sheet.area(*after, np.full(len(after[0]), plot.bottom), ROLES["after"], opacity=FILL, name="after")
        sheet.line(*after, ROLES["after"], 1.4)
    if np.isfinite(before[1]).all():
        sheet.line(*before, ROLES["before"], 2.4, name="before")
    _draw_edges(sheet, spread.bands, plot)
    items = _draw_goal(sheet, spread.bands, plot, goal, [before, after]) if goal else []
    return plot.bottom + _EDGES_ROW, items, _readings(spread, plot)


def _readings(spread: Spread, plot: Plot) -> Readings:
    """Each side's share of its requests in each bucket."""
    rows = []
    for band in range(len(spread.bands)):
        told = tuple(share_text(share) for share in spread.shares[:, band].tolist())
        rows.append(Reading(float(plot.time.x(np.array(band + 0.5))), spread.bands.name(band), told))
    names = tuple(side.name for side in spread.sides)
    return Readings("Requests", names, tuple(rows), plot.top, plot.bottom)


def _stairs(shares: Numbers, plot: Plot) -> Polyline:
    edges = np.arange(len(shares) + 1).repeat(2)
    heights = np.concatenate([[0.0], (100 * shares).repeat(2), [0.0]])
    return plot.time.x(edges.astype("float64")), plot.y(heights)


@dataclass(frozen=True)
class _Tick:
    """A quantile's label and x, and where the bucket that it is known to be in begins and ends."""

    text: str
    x: float
    left: float
    right: float


def _draw_quantiles(
    sheet: Sheet, side: Side, bands: Bands, axis: TimeAxis, quantiles: Sequence[float], top: float
) -> None:
    role, (upper, lower) = ROLES[side.name], (top + each for each in _BAR)
    sheet.text(0, lower, side.name, "muted")
    sheet.line([axis.left, RIGHT], [lower, lower], "grid", 1, name="grid")
    ticks = [_tick(side, bands, axis, q) for q in quantiles if np.isfinite(side.buckets.quantile(q).value)]
    for tick in ticks:
        sheet.box(tick.left, upper, tick.right, lower, role, opacity=0.35, name="bucket")
        sheet.line([tick.x, tick.x], [upper - 3, lower + 3], role, 2.6, name="quantile")
    for tick, spot in zip(ticks, _places(ticks, axis), strict=True):
        if spot:
            sheet.text(spot.x, upper - 7, tick.text, anchor=spot.anchor)


def _tick(side: Side, bands: Bands, axis: TimeAxis, q: float) -> _Tick:
    found = side.buckets.quantile(q)
    last = float(len(bands))
    at = [bands.position(edge) for edge in (found.value, found.low, found.high)]
    inside = [last if place is None else place for place in at]
    x, left, right = (float(axis.x(np.array(place))) for place in inside)
    return _Tick(quantile_text(q, found, side.series.unit), x, left, right)


def quantile_text(q: float, found: Range, unit: str) -> str:
    """`median 822 ms`, `p95 3.2 s`, `p99 over 30 s`."""
    name = "median" if q == 0.5 else f"p{q * 100:g}"
    return f"{name} {'over ' if np.isinf(found.high) else ''}{format_quantity(found.value, unit)}"


def _places(ticks: Sequence[_Tick], axis: TimeAxis) -> list[Place | None]:
    """Which label finds room depends on which is placed first."""
    wishes = [_wish(tick) for tick in ticks]
    forward, back = place(wishes, 1, axis.left, WIDTH), place(wishes[::-1], 1, axis.left, WIDTH)[::-1]
    return max(forward, back, key=lambda places: sum(each is not None for each in places))


def _wish(tick: _Tick) -> Wish:
    return Wish(text_width(tick.text, NARROW_SIZE), ((tick.x, "middle"), (tick.x, "start"), (tick.x, "end")))


def _draw_edges(sheet: Sheet, bands: Bands, plot: Plot) -> None:
    """The edges of the buckets, and the values of those that have room."""
    free = 0.0
    for number, text in bands.labels():
        x, half = float(plot.time.x(np.array(float(number)))), text_width(text, NARROW_SIZE) / 2
        sheet.line([x, x], [plot.bottom, plot.bottom + 5], "axis", 1, name="tick")
        if free <= x - half and x + half <= WIDTH:
            sheet.text(x, plot.bottom + 24, text, "muted", anchor="middle")
            free = x + half + 8


def _draw_goal(sheet: Sheet, bands: Bands, plot: Plot, goal: GoalFacts, drawn: Sequence[Polyline]) -> list[Item]:
    """The goal as an upright line, with its label beside it or in the key."""
    position = bands.position(goal.below)
    if position is None:
        return []
    x, text = float(plot.time.x(np.array(position))), f"goal {format_quantity(goal.below, goal.series.unit)}"
    sheet.line([x, x], [plot.top, plot.bottom], "goal", 1.6, name="goal", dashes=(5, 3))
    spots = (Label(text, x + side, plot.top + 20, anchor) for side, anchor in ((8, "start"), (-8, "end")))
    label = first_free(spots, drawn, [], (plot.time.left, plot.top - 10, WIDTH, plot.bottom))
    if label is None:
        return [Item("dashed", "goal", text, 1.6)]
    sheet.text(label.x, label.y, text, "goal", anchor=label.anchor)
    return []


def spread_csv(spread: Spread) -> str:
    """A row a bucket, with each side's requests in it and their share."""
    edges, totals = spread.bands.edges, [side.requests for side in spread.sides]
    header = [f"{what}_{side.name}" for side in spread.sides for what in ("requests", "share")]
    rows = ([*edges[band : band + 2], *_of_band(spread.shares[:, band], totals)] for band in range(len(spread.bands)))
    return csv_text(["above", "up_to", *header], rows)


def _of_band(shares: Numbers, totals: Sequence[float]) -> Iterator[float]:
    for share, total in zip(shares, totals, strict=True):
        yield from (share * total, share)
