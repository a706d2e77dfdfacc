from hypothesis import given
from hypothesis import strategies as st

from ingest.charts.lanes import Wish, place

positions = st.floats(0, 700)
wishes = st.lists(
    st.builds(
        lambda x, width, line: Wish(width, ((x + 6, "start"), (x - 6, "end")), x if line else None),
        positions,
        st.floats(10, 300),
        st.booleans(),
    ),
    max_size=12,
)


@given(wishes, st.lists(positions, max_size=3))
def test_nothing_is_covered(given_wishes: list[Wish], lines: list[float]) -> None:
    """No label covers another, nor a line that runs through its lane, and none leaves the sheet."""
    places = [found for found in place(given_wishes, 4, 0, 720, lines) if found]
    for found in places:
        assert 0 <= found.left < found.right <= 720
        assert not any(found.left < line < found.right for line in lines)
        for other in places:
            apart = found.right <= other.left or other.right <= found.left
            assert other is found or other.lane != found.lane or apart
            if other.line is not None and other.lane <= found.lane:
                assert not found.left < other.line < found.right


@given(wishes)
def test_first_has_its_wish(given_wishes: list[Wish]) -> None:
    """The first label stands in the first lane, at the best place that has room."""
    for found, wish in zip(place(given_wishes, 4, 0, 720)[:1], given_wishes, strict=False):
        fits = wish.choices[0][0] + wish.width <= 720
        assert not fits or (found and (found.lane, found.x) == (0, wish.choices[0][0]))
