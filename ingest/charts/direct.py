"""Puts a label beside its line, where it covers nothing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.charts.sheet import NARROW_SIZE, Box, Numbers
from ingest.charts.svg import text_width

Polyline = tuple[Numbers, Numbers]
"""The x and y of a line's corners, NaN where it is broken."""

_ABOVE, _BELOW = 6.0, 22.0
_STEP = 24.0


@dataclass(frozen=True)
class Label:
    """A text, and where its baseline begins, ends or has its middle, as `anchor` says."""

    text: str
    x: float
    y: float
    anchor: str

    @property
    def box(self) -> Box:
        """What it covers on a narrow screen."""
        width = text_width(self.text, NARROW_SIZE)
        left = self.x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        return left - 2, self.y - NARROW_SIZE + 4, left + width + 2, self.y + 5


def along(text: str, line: Polyline) -> Iterator[Label]:
    """Places for the label of `line`, best first: after its end, over it, under it, then further and further left."""
    x, y = (each[np.isfinite(line[0]) & np.isfinite(line[1])] for each in line)
    if not x.size:
        return
    yield Label(text, float(x[-1]) + 7, float(y[-1]) + 6, "start")
    width = text_width(text, NARROW_SIZE)
    for end in np.arange(x[-1], min(x[0] + width, x[-1]) - 1, -_STEP):
        level = np.append(y[(x >= end - width) & (x <= end)], np.interp([end - width, end], x, y))
        yield Label(text, float(end), float(level.min()) - _ABOVE, "end")
        yield Label(text, float(end), float(level.max()) + _BELOW, "end")


def first_free(labels: Iterable[Label], lines: Sequence[Polyline], boxes: Sequence[Box], within: Box) -> Label | None:
    """The first label inside `within` that touches none of the lines and boxes."""
    return next(
        (
            label
            for label in labels
            if _inside(label.box, within)
            and not any(_touches(label.box, *line) for line in lines)
            and not any(_overlap(label.box, box) for box in boxes)
        ),
        None,
    )


def _touches(box: Box, x: Numbers, y: Numbers) -> bool:
    """Whether the box around any piece of the line overlaps `box`; a broken piece never does."""
    left, top, right, bottom = box
    return bool(
        np.any(
            (np.minimum(x[1:], x[:-1]) <= right)
            & (np.maximum(x[1:], x[:-1]) >= left)
            & (np.minimum(y[1:], y[:-1]) <= bottom)
            & (np.maximum(y[1:], y[:-1]) >= top)
        )
    )


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _inside(box: Box, within: Box) -> bool:
    return within[0] <= box[0] and within[1] <= box[1] and box[2] <= within[2] and box[3] <= within[3]
