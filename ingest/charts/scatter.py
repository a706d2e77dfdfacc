"""What could be won against what a fix would take, of all open stories: intervals, and who has nothing before them.

Both axes are logarithmic: half a day and a day differ as a week and two do. Hours of people
and of machines never share a panel.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ingest.charts.base import Cell, Chart, csv_text
from ingest.charts.direct import Polyline
from ingest.charts.frame import TITLE_ROW, draw_placeholder, draw_title
from ingest.charts.key import ROW
from ingest.charts.leaders import place
from ingest.charts.plot import RIGHT, left_margin
from ingest.charts.readings import Reading, Readings
from ingest.charts.sheet import NARROW_SIZE, WIDTH, Sheet
from ingest.charts.svg import text_width
from ingest.priorities import UNITS, Option, Priorities
from ingest.units import format_quantity
from ingest.worth import Cost, Unit, Worth

ID = "pk-priorities"
TITLE = "What could be won, and what a fix would take"
_TALL, _FLAT = 330.0, 190.0
_CAPTION, _DAYS_ROW, _WORDS_ROW = 34.0, 32.0, 30.0
_DOT = 7.0
"""Half the width of a story's mark."""
_CAP = 5.0
_CROWD = 25
"""Of more stories in a panel, only those of the first band have their intervals drawn."""
_NUMBERED = 100
"""Of more stories in a panel, only so many have their number drawn, those of the first bands before others."""
_DEEPEST = 3000.0
"""How many times its floor a panel's highest value may be; what lies lower is cut off."""
_LEAST_SPAN = 10.0
_MOST_TICKS = 6
# Working time, as efforts are written: 8 hours a day, 5 days a week.
_EFFORTS = (
    (0.125, "1 hour"), (0.5, "½ day"), (1.0, "1 day"), (2.0, "2 days"), (5.0, "1 week"), (10.0, "2 weeks"),
    (20.0, "4 weeks"), (60.0, "12 weeks"), (130.0, "26 weeks"), (260.0, "1 year"), (1300.0, "5 years"),
)  # fmt: skip


@dataclass(frozen=True)
class _Scale:
    """A logarithmic axis from `low`, at `start` of the sheet, to `high`, at `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value is; one beyond an end of the axis is put there."""
        inside = min(max(value, self.low), self.high)
        return self.start + math.log(inside / self.low) / math.log(self.high / self.low) * (self.end - self.start)


@dataclass(frozen=True, eq=False)
class _Mark:
    """A story with its two numbers, and the `number` that it is called by."""

    number: int
    option: Option
    worth: Worth
    cost: Cost

    @property
    def first(self) -> bool:
        """Whether nothing else gives more for less."""
        return self.option.band == 1

    @property
    def shape(self) -> str:
        """How its mark looks."""
        return "square" if self.first else "dash" if self.worth.likely is None else "ring"

    @property
    def hours(self) -> float:
        """Where it stands: the likely worth, or the most where only that is known."""
        return self.worth.high if self.worth.likely is None else self.worth.likely

    @property
    def name(self) -> str:
        """`3. Logging in is slow in the morning`."""
        return f"{self.number}. {self.option.title}{' (chosen)' if self.option.in_work else ''}"

    @property
    def effort(self) -> str:
        """`2 to 4 working days`."""
        ends = list(dict.fromkeys(format_quantity(days, "") for days in (self.cost.low, self.cost.high)))
        return f"{' to '.join(ends)} working day{'' if ends == ['1'] else 's'}"


@dataclass(frozen=True)
class _Panel:
    """The stories of one unit, and where they are."""

    unit: Unit
    marks: Sequence[_Mark]
    x: _Scale
    y: _Scale

    def spot(self, mark: _Mark) -> tuple[float, float]:
        """Where the mark of a story is."""
        return self.x.at(mark.cost.likely), self.y.at(mark.hours)

    @property
    def barred(self) -> list[_Mark]:
        """The stories whose intervals are drawn."""
        return [mark for mark in self.marks if mark.first or len(self.marks) <= _CROWD]

    @property
    def steps(self) -> Polyline:
        """The most that is given for so much work: from each story of the first band on, until the next."""
        front = sorted((mark for mark in self.marks if mark.first), key=lambda mark: mark.cost.likely)
        x = [self.x.at(mark.cost.likely) for mark in front for _ in range(2)]
        y = [self.y.at(mark.hours) for mark in front for _ in range(2)]
        return np.array([*x[1:], *([RIGHT] if x else [])]), np.array(y)


def draw(found: Priorities) -> Chart:
    """The chart of all open stories that have both numbers; a placeholder where none has."""
    marks = _marks(found)
    if not marks:
        return draw_placeholder(ID, TITLE, "No open story has both numbers yet: what could be won, and an effort.")
    sheet = Sheet()
    draw_title(sheet, TITLE)
    panels = _panels(marks)
    numbered = sum(_draw_panel(sheet, panel, last=panel is panels[-1]) for panel in panels)
    bottom = panels[-1].y.start + _DAYS_ROW
    sheet.text(RIGHT, bottom + 20, "working time that a fix would take", "muted", anchor="end")
    end = _draw_key(sheet, panels, bottom + _WORDS_ROW, len(marks) - numbered)
    words = _description(found, marks)
    return Chart(sheet.svg(end + 4, f"{ID}-", TITLE, words), TITLE, words, partial(_csv, found), _readings(panels))


def numbers(found: Priorities) -> dict[str, int]:
    """The number of each story in the chart, by its slug."""
    return {mark.option.slug: mark.number for mark in _marks(found)}


def _marks(found: Priorities) -> list[_Mark]:
    # By the alphabet: a number must not look like a rank.
    options = sorted(found.options, key=lambda each: (each.title.casefold(), each.slug))
    both = [(each, each.worth, each.cost) for each in options if each.worth and each.cost]
    return [_Mark(number, option, worth, cost) for number, (option, worth, cost) in enumerate(both, 1)]


def _readings(panels: Sequence[_Panel]) -> Readings:
    """Both numbers of each story, by the number that it is called by."""
    found = sorted((mark.number, mark, panel.spot(mark)) for panel in panels for mark in panel.marks)
    rows = tuple(
        Reading(x, mark.name, (mark.worth.words, mark.effort), y, mark.option.slug) for _, mark, (x, y) in found
    )
    return Readings(
        "Story", ("could be won", "a fix would take"), rows, panels[0].y.end, panels[-1].y.start, points=True
    )


def _panels(marks: Sequence[_Mark]) -> list[_Panel]:
    """A panel for each unit, below each other and over the same efforts."""
    groups = [(unit, group) for unit in UNITS if (group := [mark for mark in marks if mark.option.unit == unit])]
    left = left_margin(0, max(mark.worth.high for mark in marks), "")
    x = _Scale(*_span([end for mark in marks for end in (mark.cost.low, mark.cost.high)], 1.3), left, RIGHT)
    panels: list[_Panel] = []
    bottom = TITLE_ROW - 10
    for unit, group in groups:
        top = bottom + _CAPTION
        bottom = top + (_FLAT if panels else _TALL)
        panels.append(_Panel(unit, group, x, _Scale(*_hours(group), bottom, top)))
    return panels


def _hours(marks: Sequence[_Mark]) -> tuple[float, float]:
    ends = [end for mark in marks for end in (mark.worth.low, mark.hours, mark.worth.high) if end > 0]
    highest = max(ends)
    return _span([end for end in ends if end * _DEEPEST >= highest], 1.5)


def _span(values: Sequence[float], room: float) -> tuple[float, float]:
    """The ends of an axis around these values, never shorter than a decade."""
    low, high = min(values) / room, max(values) * room
    wider = max(1.0, _LEAST_SPAN / (high / low)) ** 0.5
    return low / wider, high * wider


def _draw_panel(sheet: Sheet, panel: _Panel, *, last: bool) -> int:
    """Draws a panel; returns how many of its stories have their number in it."""
    sheet.text(0, panel.y.end - 10, f"{panel.unit} a week that could be won", "muted")
    _draw_grid(sheet, panel, last)
    _draw_days(sheet, panel, last)
    if len(panel.steps[0]):
        sheet.line(*panel.steps, "day", 1.2, name="front", dashes=(5, 3))
    for mark in panel.barred:
        _draw_bars(sheet, panel, mark)
    for mark in panel.marks:
        _draw_mark(sheet, *panel.spot(mark), mark.shape, mark.shape)
    return _draw_numbers(sheet, panel)


def _draw_grid(sheet: Sheet, panel: _Panel, last: bool) -> None:
    for value in _ticks(panel.y.low, panel.y.high):
        y = panel.y.at(value)
        sheet.line([0, RIGHT], [y, y], "grid", 1, name="grid")
        # Above is what the panel is called.
        if y - panel.y.end > NARROW_SIZE:
            sheet.text(0, y - 5, format_quantity(value, ""), "muted")
    sheet.line([0, RIGHT], [panel.y.start] * 2, "axis" if last else "grid", 1.2, name="grid")


def _ticks(low: float, high: float) -> list[float]:
    """Round values on a logarithmic axis: 1, 2 and 5 of each power of ten, or fewer where that is too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for nice in ((1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**power for power in powers for step in nice if low <= step * 10.0**power <= high]
        if len(found) <= _MOST_TICKS:
            break
    return found


def _draw_days(sheet: Sheet, panel: _Panel, last: bool) -> None:
    """Efforts as upright lines; a label that would touch another or the edge is left out."""
    free = 0.0
    for days, text in _EFFORTS:
        if not panel.x.low <= days <= panel.x.high:
            continue
        x, half = panel.x.at(days), text_width(text, NARROW_SIZE) / 2
        sheet.line([x, x], [panel.y.end, panel.y.start + (5 if last else 0)], "grid", 1, name="grid")
        if last and free <= x - half and x + half <= WIDTH:
            sheet.text(x, panel.y.start + 24, text, "muted", anchor="middle")
            free = x + half + 8


def _bars(panel: _Panel, mark: _Mark) -> tuple[Polyline, Polyline]:
    """The interval of the effort, and that of the worth."""
    x, y = panel.spot(mark)
    across = [panel.x.at(mark.cost.low), panel.x.at(mark.cost.high)]
    upright = [panel.y.at(mark.worth.low or panel.y.low), panel.y.at(mark.worth.high)]
    return (np.array(across), np.array([y, y])), (np.array([x, x]), np.array(upright))


def _draw_bars(sheet: Sheet, panel: _Panel, mark: _Mark) -> None:
    across, upright = _bars(panel, mark)
    role = "day" if mark.first else "mark"
    sheet.line(*across, role, 1.4, name="effort")
    if mark.worth.likely is None:
        sheet.line(*upright, role, 1.4, name="at-most", dashes=(2, 3))
    else:
        sheet.line(*upright, role, 1.4, name="worth")
    for x in across[0]:
        sheet.line([x, x], [across[1][0] - _CAP, across[1][0] + _CAP], role, 1.4)


def _draw_mark(sheet: Sheet, x: float, y: float, shape: str, name: str = "") -> None:
    if shape == "square":
        # It stands on its corner, so that it is told from a ring on the smallest screen.
        half = np.array([0, _DOT * 1.2, 0])
        sheet.area(x + np.array([-half[1], 0, half[1]]), y - half, y + half, "day", opacity=1, name=name)
    elif shape == "ring":
        sheet.line([x, x], [y, y], "mark", 2 * _DOT, name=name)
        sheet.line([x, x], [y, y], "paper", 2 * _DOT - 5)
    elif shape == "dash":
        sheet.line([x - _DOT, x + _DOT], [y, y], "mark", 1.4, name=name)


def _draw_numbers(sheet: Sheet, panel: _Panel) -> int:
    marks = sorted(panel.marks, key=lambda each: (each.option.band or math.inf, -each.hours))[:_NUMBERED]
    lines = [panel.steps, *(line for mark in panel.barred for line in _bars(panel, mark))]
    boxes = [(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in map(panel.spot, panel.marks)]
    within = (panel.x.start, panel.y.end - 4, WIDTH, panel.y.start)
    places = place([(str(mark.number), *panel.spot(mark)) for mark in marks], lines, boxes, within)
    for mark, found in zip(marks, places, strict=True):
        if not found:
            continue
        if found.leader:
            sheet.line(*found.leader, "axis", 1, name="leader")
        if found.across:
            left, top, right, bottom = found.label.box
            sheet.box(left + 2, top + 2, right - 2, bottom - 2, "paper")
        label, role = found.label, "text" if mark.first else "muted"
        sheet.text(label.x, label.y, label.text, role, anchor=label.anchor, bold=mark.first)
    return sum(found is not None for found in places)


def _draw_key(sheet: Sheet, panels: Sequence[_Panel], top: float, unnamed: int) -> float:
    """A row for each kind of mark that is there; returns where they end."""
    marks = [mark for panel in panels for mark in panel.marks]
    rows = [
        ("square", "nothing else gives more for less", any(mark.first for mark in marks)),
        ("ring", "something else does", any((mark.option.band or 0) > 1 for mark in marks)),
        ("dash", "at most so much: no test says which part", any(mark.worth.likely is None for mark in marks)),
        (
            "",
            "of so many, only the first have their intervals drawn",
            any(len(panel.barred) < len(panel.marks) for panel in panels),
        ),
        ("", f"{unnamed} without a number: there is no room", unnamed > 0),
    ]
    shown = [(shape, text) for shape, text, there in rows if there]
    for number, (shape, text) in enumerate(shown):
        y = top + ROW * number + 15
        _draw_mark(sheet, 12, y, shape)
        if shape == "dash":
            sheet.line([12, 12], [y, y + 10], "mark", 1.4, dashes=(2, 3))
        sheet.text(32, y + 5, text, "muted")
    return top + ROW * len(shown)


def _description(found: Priorities, marks: Sequence[_Mark]) -> str:
    told = [f"Of {len(found.options)} open stories {len(marks)} have both numbers; bars are their intervals."]
    told += [f"{mark.name}: {mark.worth.words}, for {mark.effort}; {mark.option.why}" for mark in marks if mark.first]
    return " ".join(told)


def _csv(found: Priorities) -> str:
    """A row a story; what is not known is empty."""
    header = [
        "story", "title", "unit", "worth_low", "worth_likely", "worth_high",
        "days_low", "days_likely", "days_high", "band", "evidence",
    ]  # fmt: skip
    return csv_text(header, (list(_row(option)) for option in found.options))


def _row(option: Option) -> Iterator[Cell]:
    yield from (option.slug, option.title, option.unit or "")
    worth, cost = option.worth, option.cost
    yield from (worth.low, "" if worth.likely is None else worth.likely, worth.high) if worth else ("",) * 3
    yield from (cost.low, cost.likely, cost.high) if cost else ("",) * 3
    yield from (float(option.band) if option.band else "", option.grade.name)
