"""Puts a short label near its point, where it covers no other and no mark; a line leads to one that is further away."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ingest.charts.direct import Label, Polyline
from ingest.charts.sheet import NARROW_SIZE, Box, Numbers
from ingest.charts.svg import text_width

_BESIDE, _OVER = 5.0, 10.0
_HALF_HEIGHT = 11.5
_BASELINE = 6.5
"""How far a label's baseline is below its middle."""
_RINGS = (34.0, 50.0, 68.0, 88.0, 110.0, 134.0, 160.0)
_BEGIN = 10.0
"""How far from its point a line begins."""
_DIRECTIONS = (315, 225, 45, 135, *range(270, 630, 15))
_NEAR = 4 + 3 * len(_DIRECTIONS)
"""So many of the places for a label are near."""
_PIECES = 8


@dataclass(frozen=True, eq=False)
class Led:
    """A label, and the line that leads to it from its point unless it stands right beside it.

    One that is `across` stands on a line of the drawing.
    """

    label: Label
    leader: Polyline | None = None
    across: bool = False


def place(
    labels: Sequence[tuple[str, float, float]], lines: Sequence[Polyline], marks: Sequence[Box], within: Box
) -> list[Led | None]:
    """A place `within` for each (text, x, y), in its order; None where there is no room.

    Labels never cover each other, nor any of the `marks`, nor the lines that lead to others. Only
    where nothing else is free one stands on one of `lines`, or a short line leads over a mark.
    """
    drawn = np.concatenate([np.empty((0, 4)), *map(_pieces, lines)])
    taken, led = np.array(marks, dtype="float64").reshape(-1, 4), np.empty((0, 4))
    places: list[Led | None] = []
    for text, x, y in labels:
        candidates = list(_candidates(text, x, y))
        boxes = np.array([each.label.box for each in candidates])
        free = _inside(boxes, within) & ~_overlap(boxes, taken) & ~_overlap(boxes, led)
        across = _overlap(boxes, drawn)
        order = *np.flatnonzero(free & ~across), *np.flatnonzero(free & across)
        # A line may begin on its own mark, and on one that lies beneath.
        beside = np.concatenate([taken[~_overlap(taken, np.array([[x, y, x, y]]))], led])
        tries = [*((each, beside) for each in order), *((each, taken[len(marks) :]) for each in order if each < _NEAR)]
        best = next((each for each, barred in tries if not _overlap(_led(candidates[each]), barred).any()), None)
        if best is None:
            places.append(None)
            continue
        places.append(replace(candidates[best], across=bool(across[best])))
        taken, led = np.vstack([taken, boxes[best]]), np.concatenate([led, _led(candidates[best])])
    return places


def _candidates(text: str, x: float, y: float) -> Iterator[Led]:
    """Places for a label, best first: at the corners of its mark, then in rings around it."""
    half = text_width(text, NARROW_SIZE) / 2
    for upright in (-1, 1):
        for across in (1, -1):
            yield Led(_centred(text, x + across * (_BESIDE + half), y + upright * (_OVER + _HALF_HEIGHT)))
    for away in _RINGS:
        for direction in map(math.radians, _DIRECTIONS):
            dx, dy = math.cos(direction), math.sin(direction)
            # As far as the edge of the label.
            until = away - min((half + 2) / max(abs(dx), 1e-9), _HALF_HEIGHT / max(abs(dy), 1e-9))
            ends = np.array([_BEGIN, until])
            line = np.round(x + dx * ends, 1), np.round(y + dy * ends, 1)
            yield Led(_centred(text, x + dx * away, y + dy * away), line)


def _centred(text: str, x: float, y: float) -> Label:
    # Rounded, so that no machine's cosine decides between two places.
    return Label(text, round(x, 1), round(y + _BASELINE, 1), "middle")


def _led(found: Led) -> Numbers:
    """The boxes of the pieces of its line."""
    if found.leader is None:
        return np.empty((0, 4))
    x, y = (np.linspace(each[0], each[1], _PIECES + 1) for each in found.leader)
    return _pieces((x, y))


def _pieces(line: Polyline) -> Numbers:
    """The boxes of the pieces of a line; a broken piece has none."""
    x, y = line
    ends = (np.minimum(x[1:], x[:-1]), np.minimum(y[1:], y[:-1]), np.maximum(x[1:], x[:-1]), np.maximum(y[1:], y[:-1]))
    boxes: Numbers = np.column_stack(ends)
    return boxes[~np.isnan(boxes).any(axis=1)]


def _overlap(ones: Numbers, others: Numbers) -> NDArray[np.bool_]:
    """Which of `ones` touch any of the others."""
    left, top, right, bottom = (ones[:, [each]] for each in range(4))
    beside = (left <= others[:, 2]) & (others[:, 0] <= right)
    return np.asarray((beside & (top <= others[:, 3]) & (others[:, 1] <= bottom)).any(axis=1))


def _inside(boxes: Numbers, within: Box) -> NDArray[np.bool_]:
    left, top, right, bottom = within
    fits = (boxes[:, 0] >= left) & (boxes[:, 1] >= top) & (boxes[:, 2] <= right) & (boxes[:, 3] <= bottom)
    return np.asarray(fits)
