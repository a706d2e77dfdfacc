"""What happened during a chart: windows as shaded stretches, marks as vertical lines, their labels above."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ingest.charts.base import Mark, Span
from ingest.charts.direct import Polyline
from ingest.charts.lanes import Place, Wish, place
from ingest.charts.plot import Plot, TimeAxis
from ingest.charts.sheet import NARROW_SIZE, WIDTH, Sheet
from ingest.charts.svg import plain, text_width

LANE = 24.0
MOST_LABELS = 8
MOST_LANES = 4
MOST_SPAN_LANES = 2
_LONGEST = 30
_SHORT = 9.0
# The uppermost value may stand on the plot's upper edge.
_VALUE_HEIGHT = 16.0
_RANK = ("shipped", "chosen", "decided", "opened", "parked")
_ROLES = {"before": "window-before", "after": "window-after", "test": "window-test", "excluded": "excluded"}


@dataclass(frozen=True)
class Events:
    """Marks and spans within the axis, each with the place of its label, or None; `top` is where lanes begin."""

    marks: tuple[tuple[Mark, Place | None], ...]
    spans: tuple[tuple[Span, Place | None], ...]
    top: float

    @property
    def unnamed(self) -> int:
        """How many marks found no room for their label."""
        return sum(place is None for _, place in self.marks)

    @property
    def bottom(self) -> float:
        """Where the plot may begin: below the lanes, and the bars of windows."""
        lanes = LANE * (_lanes(self.marks) + _lanes(self.spans))
        return self.top + max(lanes, _VALUE_HEIGHT) + 8

    @property
    def spans_top(self) -> float:
        return self.top + LANE * _lanes(self.marks)


def _lanes(placed: Sequence[tuple[Mark | Span, Place | None]]) -> int:
    return max((found.lane + 1 for _, found in placed if found), default=0)


def arrange(marks: Sequence[Mark], spans: Sequence[Span], time: TimeAxis, top: float) -> Events:
    """Gives the most telling marks and the windows a place for their labels in lanes below `top`."""
    shown = sorted((mark for mark in marks if time.holds(mark.at)), key=lambda mark: (mark.at, _rank(mark)))
    telling = sorted(sorted(range(len(shown)), key=lambda number: _rank(shown[number]))[:MOST_LABELS])
    found = _place_marks([shown[number] for number in telling], time)
    places = dict(zip(telling, found, strict=True))
    lines = [each.line for each in found if each and each.line is not None]
    seen = sorted(
        (span for span in spans if _edges(span, time)[0] < _edges(span, time)[1]), key=lambda span: span.start
    )
    span_places = place([_span_wish(each, time) for each in seen], MOST_SPAN_LANES, time.left, WIDTH, lines)
    placed = tuple((mark, places.get(number)) for number, mark in enumerate(shown))
    return Events(placed, tuple(zip(seen, span_places, strict=True)), top)


def _place_marks(marks: Sequence[Mark], time: TimeAxis) -> list[Place | None]:
    """The best of three orders, for which label finds room depends on which is placed first."""
    forward = range(len(marks))
    orders = (forward, forward[::-1], sorted(forward, key=lambda number: _rank(marks[number])))
    return max(
        (_place_in_order(marks, time, order) for order in orders),
        key=lambda places: (
            sum(place is not None for mark, place in zip(marks, places, strict=True) if mark.kind == "shipped"),
            sum(place is not None for place in places),
            -max((place.lane for place in places if place), default=0),
        ),
    )


def _place_in_order(marks: Sequence[Mark], time: TimeAxis, order: Sequence[int]) -> list[Place | None]:
    wishes = [_mark_wish(marks[number], time) for number in order]
    found = dict(zip(order, place(wishes, MOST_LANES, time.left, WIDTH), strict=True))
    return [found[number] for number in range(len(marks))]


def draw_spans(sheet: Sheet, events: Events, plot: Plot) -> None:
    """Shades the windows, each with a bar in full colour and its label above the plot."""
    for span, found in events.spans:
        left, right = _edges(span, plot.time)
        role = _ROLES[span.kind]
        sheet.box(left, plot.top, right, plot.bottom, role, opacity=0.13, name="span")
        sheet.box(left, plot.top - 4, right, plot.top, role)
        if found:
            sheet.text(found.x, events.spans_top + LANE * found.lane + 16, _text(span), anchor=found.anchor)


def draw_marks(sheet: Sheet, events: Events, plot: Plot, *, halo: bool = False) -> None:
    """A line for every mark, down from its label; what was shipped is drawn through, the rest dashed.

    With a `halo` it is seen on dark cells, too.
    """
    for mark, found in events.marks:
        x = plot.time.at(mark.at)
        top = events.top + LANE * found.lane + 3 if found else plot.top
        # Without a word to it a whole line would be noise, unless it explains the data.
        bottom = plot.bottom if found or mark.kind == "shipped" else plot.top + _SHORT
        if halo:
            sheet.line([x, x], [plot.top, bottom], "paper", 5)
        if mark.kind == "shipped":
            sheet.line([x, x], [top, bottom], "deploy", 1.8, name="mark")
        else:
            sheet.line([x, x], [top, bottom], "mark", 1.1, name="mark", dashes=(3, 3) if found else None)
        if found:
            role = "deploy" if mark.kind == "shipped" else "text"
            sheet.text(found.x, events.top + LANE * found.lane + 16, _text(mark), role, anchor=found.anchor)


def mark_lines(events: Events, plot: Plot) -> list[Polyline]:
    """Where marks run through the plot."""
    edges = np.array([plot.top, plot.bottom])
    return [(np.full(2, plot.time.at(mark.at)), edges) for mark, _ in events.marks]


def _rank(mark: Mark) -> int:
    return _RANK.index(mark.kind) if mark.kind in _RANK else len(_RANK)


def _text(event: Mark | Span) -> str:
    return plain(event.label, _LONGEST) or event.kind


def _edges(span: Span, time: TimeAxis) -> tuple[float, float]:
    return time.at(span.start), time.at(span.end)


def _mark_wish(mark: Mark, time: TimeAxis) -> Wish:
    x = time.at(mark.at)
    return Wish(text_width(_text(mark), NARROW_SIZE), ((x + 6, "start"), (x - 6, "end")), x)


def _span_wish(span: Span, time: TimeAxis) -> Wish:
    """Over the middle where it fits; else a window before something ends at it, one after begins there."""
    left, right = _edges(span, time)
    width = text_width(_text(span), NARROW_SIZE)
    middle = ((left + right) / 2, "middle")
    beside = [(right - 4, "end"), (left + 4, "start"), (left - 4, "end"), (right + 4, "start")]
    if span.kind == "after":
        beside[:2] = beside[1::-1]
    fits = width <= right - left or span.kind in ("test", "excluded")
    return Wish(width, (middle, *beside) if fits else (*beside, middle))
