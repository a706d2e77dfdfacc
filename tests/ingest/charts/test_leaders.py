import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.charts.direct import Polyline
from ingest.charts.leaders import Led, place
from ingest.charts.sheet import Box

WITHIN = (60.0, 50.0, 720.0, 380.0)
spots = st.lists(st.tuples(st.integers(70, 710), st.integers(60, 370)), max_size=40)


def mark(x: float, y: float) -> Box:
    return x - 7, y - 7, x + 7, y + 7


def numbered(points: list[tuple[int, int]], lines: list[Polyline] | None = None) -> list[Led | None]:
    labels = [(str(number), float(x), float(y)) for number, (x, y) in enumerate(points, 1)]
    return place(labels, lines or [], [mark(x, y) for x, y in points], WITHIN)


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def enters(line: Polyline, box: Box) -> bool:
    """Whether a straight line enters the box, by way of many points on it."""
    x, y = (np.linspace(each[0], each[1], 500) for each in line)
    return bool(np.any((x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])))


@given(spots)
def test_nothing_is_covered(points: list[tuple[int, int]]) -> None:
    """No label covers another, a mark or a line that leads to another, nor is cut by an edge."""
    found = [each for each in numbered(points) if each]
    boxes = [each.label.box for each in found]
    for number, (led, box) in enumerate(zip(found, boxes, strict=True)):
        assert WITHIN[0] <= box[0]
        assert WITHIN[1] <= box[1]
        assert box[2] <= WITHIN[2]
        assert box[3] <= WITHIN[3]
        assert not any(overlap(box, mark(x, y)) for x, y in points)
        assert not any(overlap(box, other) for other in boxes[:number])
        assert not (led.leader and any(enters(led.leader, other) for other in boxes if other != box))


def test_beside_its_mark_where_there_is_room() -> None:
    """A label without neighbours stands right above its mark, and needs no line."""
    (led,) = numbered([(300, 200)])
    assert led
    assert led.leader is None
    assert 0 < 200 - led.label.box[3] < 15
    assert 0 < led.label.box[0] - 300 < 10


def test_marks_upon_each_other() -> None:
    """Stories with the same numbers are all named; a line leads from their place to those that stand further away."""
    found = numbered([(300, 200)] * 7)
    assert all(found)
    leaders = [each.leader for each in found if each and each.leader]
    assert len(leaders) == 3
    assert all(abs(x[0] - 300) <= 10 and abs(y[0] - 200) <= 10 for x, y in leaders)


def test_lines_are_avoided() -> None:
    """A label stands on a line only where nothing else is free, and says so."""
    upright = np.array([310.0, 310.0]), np.array([60.0, 370.0])
    (beside,) = numbered([(300, 200)], [upright])
    assert beside
    assert not beside.across
    assert beside.label.box[2] < 310
    everywhere = [(np.array([60.0, 720.0]), np.array([y, y])) for y in np.arange(50.0, 380.0, 10)]
    (on,) = numbered([(300, 200)], everywhere)
    assert on
    assert on.across


def test_without_room() -> None:
    """Where there is no room at all, a label is left out, and the others stay where they were."""
    found = numbered([(300, 200)] * 80)
    assert None in found
    labels = [each.label for each in found if each]
    assert labels[:7] == [each.label for each in numbered([(300, 200)] * 7) if each]
