import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.charts.direct import Label, Polyline, along, first_free
from ingest.charts.sheet import Box

WITHIN = (0.0, 0.0, 720.0, 300.0)
heights = st.lists(st.floats(20, 280), min_size=2, max_size=40)


def polyline(levels: list[float]) -> Polyline:
    return np.linspace(80, 700, len(levels)), np.array(levels)


def spans(line: Polyline, box: Box) -> bool:
    """Whether the line enters the box, by way of many points on it."""
    x = np.linspace(80, 700, 3000)
    y = np.interp(x, *line)
    return bool(np.any((x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])))


@given(heights, heights)
def test_nothing_is_covered(one: list[float], other: list[float]) -> None:
    """A label covers neither its own line nor another, and stays inside."""
    lines = [polyline(one), polyline(other)]
    label = first_free(along("goal 1.5 s", lines[0]), lines, [], WITHIN)
    if label:
        left, top, right, bottom = label.box
        assert 0 <= left < right <= 720
        assert 0 <= top < bottom <= 300
        assert not any(spans(line, label.box) for line in lines)


def test_after_the_end() -> None:
    """The best place is after the line's end."""
    line = np.array([80.0, 300.0]), np.array([100.0, 50.0])
    assert first_free(along("web", line), [line], [], WITHIN) == Label("web", 307.0, 56.0, "start")


def test_over_the_end() -> None:
    """Where the line ends at the edge the label stands over its end, and if that is taken under it."""
    line = np.array([80.0, 708.0]), np.array([100.0, 100.0])
    over = first_free(along("web", line), [line], [], WITHIN)
    assert over == Label("web", 708.0, 94.0, "end")
    assert first_free(along("web", line), [line], [over.box], WITHIN) == Label("web", 708.0, 122.0, "end")


def test_no_room() -> None:
    """Where every place is taken there is none."""
    line = np.array([80.0, 708.0]), np.array([100.0, 100.0])
    assert first_free(along("web", line), [line], [WITHIN], WITHIN) is None


def test_broken_line() -> None:
    """A line's breaks are no obstacle, and a line of nothing has no label."""
    line = np.array([80.0, 200.0, np.nan, 400.0, 708.0]), np.array([100.0, 100.0, np.nan, 200.0, 200.0])
    assert first_free(along("web", line), [line], [], WITHIN) == Label("web", 708.0, 194.0, "end")
    nothing = np.array([np.nan]), np.array([np.nan])
    assert list(along("web", nothing)) == []
