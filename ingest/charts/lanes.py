"""Puts labels into lanes so that none covers another, nor a line that comes down from one."""

from collections.abc import Sequence
from dataclasses import dataclass

GAP = 10.0


@dataclass(frozen=True)
class Wish:
    """A label `width` wide, and where it may stand: its anchor's x and which end that is, best first.

    `line` is the x of the line that comes down from the label through all lanes below it.
    """

    width: float
    choices: tuple[tuple[float, str], ...]
    line: float | None = None


@dataclass(frozen=True)
class Place:
    """A label's lane, counted from the top, and its anchor."""

    lane: int
    x: float
    anchor: str
    left: float
    right: float
    line: float | None = None


def place(
    wishes: Sequence[Wish], lanes: int, left: float, right: float, lines: Sequence[float] = ()
) -> list[Place | None]:
    """A place between `left` and `right` for each wish, in its order; None where there is no room.

    `lines` run through all lanes already.
    """
    taken: list[Place] = []
    places: list[Place | None] = []
    for wish in wishes:
        found = next(
            (each for each in _candidates(wish, lanes) if _inside(each, left, right) and _free(each, taken, lines)),
            None,
        )
        places.append(found)
        if found:
            taken.append(found)
    return places


def _candidates(wish: Wish, lanes: int) -> list[Place]:
    shifts = {"start": 0.0, "middle": wish.width / 2, "end": wish.width}
    return [
        Place(lane, x, anchor, x - shifts[anchor], x - shifts[anchor] + wish.width, wish.line)
        for x, anchor in wish.choices
        for lane in range(lanes)
    ]


def _inside(place: Place, left: float, right: float) -> bool:
    return left <= place.left and place.right <= right


def _free(place: Place, taken: Sequence[Place], lines: Sequence[float]) -> bool:
    return not any(_crosses(line, place) for line in lines) and not any(_collide(place, other) for other in taken)


def _collide(one: Place, other: Place) -> bool:
    if one.lane == other.lane and one.left < other.right + GAP and other.left < one.right + GAP:
        return True
    return (one.lane >= other.lane and _crosses(other.line, one)) or (
        other.lane >= one.lane and _crosses(one.line, other)
    )


def _crosses(line: float | None, place: Place) -> bool:
    return line is not None and place.left - 2 < line < place.right + 2
