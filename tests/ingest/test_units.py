import math
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.units import (
    LARGEST_QUANTITY,
    LONGEST_DURATION,
    Quantity,
    format_duration,
    format_percent,
    format_quantity,
    parse_duration,
    parse_effort,
    parse_percent,
    parse_quantity,
)

UNITS = ["", "%", "ns", "us", "µs", "ms", "s", "min", "h", "B", "kB", "MB", "GB", "TB", "KiB", "TiB", "accounts"]
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("45m", 2700), ("90d", 7_776_000), ("1w", 604_800), ("1.5h", 5400), ("250ms", 0.25),
     (" 1h 30m ", 5400), ("2d", 172_800), ("0s", 0), ("1m1ms", 60.001)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    """A duration is numbers with units, added up; a day has 24 hours."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "2", "h", "-2h", "2 hours", "1h30", "1.h", "2h!", "1e3s", "12:30"])
def test_what_is_no_duration(text: str) -> None:
    """A number without a unit, a sign, a word or half a duration is refused and quoted."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36501d", "9" * 400 + "d", "5300w"])
def test_endless_durations(text: str) -> None:
    """A duration of more than a hundred years is refused: no date could be that long ago."""
    assert parse_duration("36500d") == LONGEST_DURATION
    with pytest.raises(ValueError, match="longer than a hundred years"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("4d", 32, 32), ("2d-5d", 16, 40), ("2d – 1w", 16, 40), ("4h to 2d", 4, 16), ("1d4h", 12, 12), ("30m", 0.5, 0.5)],
)
def test_efforts(text: str, low: float, high: float) -> None:
    """Effort is working time, eight hours a day and five days a week, and keeps its text."""
    effort = parse_effort(text)
    assert (effort.low, effort.high, str(effort)) == (low, high, text)


@pytest.mark.parametrize("text", ["", "-", "2", "2d-", "5d-2d", "1d-2d-3d", "30s", "2 days", "1e3d", "9" * 400 + "d"])
def test_what_is_no_effort(text: str) -> None:
    """Seconds, open or reversed ranges and endless efforts are refused."""
    with pytest.raises(ValueError, match=r"is not an effort|the wrong way round"):
        parse_effort(text)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [("1 s", 1, "s"), ("250ms", 250, "ms"), ("18 %", 18, "%"), ("3", 3, ""), ("-1.5e3 kB", -1500, "kB"),
     ("+2 µs", 2, "µs"), (" 7 segments ", 7, "segments")],
)  # fmt: skip
def test_quantities(text: str, value: float, unit: str) -> None:
    """A quantity is a number and at most one word or %."""
    assert parse_quantity(text) == Quantity(value, unit)


@pytest.mark.parametrize("text", ["", "s", "1 s s", "1,5 s", "nan", "inf s", "1e999", "0x10", "1 s2", "1_000", "--1"])
def test_what_is_no_quantity(text: str) -> None:
    """Not a number, infinity, a comma and a second unit are refused."""
    with pytest.raises(ValueError, match="is not a number with a unit"):
        parse_quantity(text)


def test_percentages() -> None:
    """A percentage needs its sign, because 0.6 could mean either thing."""
    assert parse_percent("-60 %") == -0.6
    assert parse_percent("250%") == 2.5
    with pytest.raises(ValueError, match="is not a percentage"):
        parse_percent("0.6")


@pytest.mark.parametrize(
    ("quantity", "unit", "number"),
    [(Quantity(250, "ms"), "s", 0.25), (Quantity(1, "min"), "s", 60), (Quantity(2, "KiB"), "B", 2048),
     (Quantity(50, "%"), "", 0.5), (Quantity(3, "accounts"), "accounts", 3)],
)  # fmt: skip
def test_conversion(quantity: Quantity, unit: str, number: float) -> None:
    """Units of one dimension convert, exactly where that is possible."""
    assert quantity.to(unit) == number


@pytest.mark.parametrize(("quantity", "unit"), [(Quantity(1, "s"), "B"), (Quantity(1), "s"), (Quantity(1, "x"), "y")])
def test_no_conversion(quantity: Quantity, unit: str) -> None:
    """Units of different dimensions do not convert, and an unknown unit only into itself."""
    with pytest.raises(ValueError, match="does not convert"):
        quantity.to(unit)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.8123, "s", "812 ms"), (1234, "", "1,230"), (1.5, "s", "1.5 s"), (90, "s", "90 s"), (120, "s", "2 min"),
     (7200, "s", "2 h"), (3e-7, "s", "0.3 µs"), (0, "s", "0 s"), (-250, "ms", "-250 ms"), (2e6, "B", "2 MB"),
     (18.34, "%", "18.3 %"), (999.6, "", "1,000"), (0.012345, "", "0.0123"), (1200, "accounts", "1,200 accounts"),
     (math.inf, "s", "∞"), (-math.inf, "", "-∞"), (math.nan, "s", "not a number")],
)  # fmt: skip
def test_shown_quantities(value: float, unit: str, text: str) -> None:
    """A quantity is shown in three digits and the unit of its size."""
    assert format_quantity(value, unit) == text


def test_shown_percentages() -> None:
    """A share is shown as a percentage, with its plus where that is asked for."""
    assert [format_percent(0.1834), format_percent(-0.6), format_percent(0.5, signed=True)] == [
        "18.3 %",
        "−60 %",
        "+50 %",
    ]
    assert [format_percent(math.nan), format_percent(1e308)] == ["not a number", "∞"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 min"), (0.5, "0.5 s"), (30, "30 s"), (60, "1 min"), (5400, "1 h 30 min"), (7200, "2 h"), (86_400, "24 h"),
     (90_000, "25 h"), (3 * 86_400, "3 days"), (-2700, "45 min"), (3599, "1 h")],
)  # fmt: skip
def test_shown_durations(seconds: float, text: str) -> None:
    """A length of time is shown in its two largest parts, and from three days on in days."""
    assert format_duration(timedelta(seconds=seconds)) == text


@given(st.floats(-LARGEST_QUANTITY, LARGEST_QUANTITY), st.sampled_from(UNITS))
def test_quantities_read_back(value: float, unit: str) -> None:
    """A quantity that is written out reads back as itself, and can always be shown."""
    assert parse_quantity(f"{value!r} {unit}") == Quantity(value, unit)
    assert format_quantity(value, unit)


@given(st.floats(1e-6, 1e6), st.sampled_from(UNITS))
def test_shown_quantities_are_close(value: float, unit: str) -> None:
    """What is shown of a quantity is within half a percent of it."""
    shown = parse_quantity(format_quantity(value, unit).replace(",", ""))
    assert math.isclose(shown.to(unit), value, rel_tol=0.0051)


@given(st.integers(0, 36_499), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_durations_read_back(days: int, hours: int, minutes: int, seconds: int) -> None:
    """A duration that is written in its parts reads back as their sum."""
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    assert parse_duration(text) == timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


@given(FINITE)
def test_percentages_can_be_shown(share: float) -> None:
    """Every share can be shown."""
    assert format_percent(share, signed=True).endswith(("%", "∞"))


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is a duration, an effort, a quantity and a percentage, or a ValueError."""
    for parse in (parse_duration, parse_effort, parse_quantity, parse_percent):
        with suppress(ValueError):
            assert parse(text) is not None


@pytest.mark.parametrize("text", ["1.1e15 s", "-2e15", "1e308 ms", "9" * 40])
def test_quantities_beyond_measure(text: str) -> None:
    """A number that nobody means is refused, because sums of it could not be told."""
    assert parse_quantity("1e15 s") == Quantity(LARGEST_QUANTITY, "s")
    with pytest.raises(ValueError, match="more than anybody means"):
        parse_quantity(text)
