"""Where an axis has its ticks, and what they say."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ingest.units import Quantity, format_quantity, shown_unit

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MOST_TIMES = 6
MOST_VALUES = 5
_HOUR, _DAY, _MONTH = 3600.0, 86_400.0, 30.4 * 86_400.0
# From fine to coarse; the first that needs few enough ticks is taken.
_LADDER = [
    *((_HOUR, every) for every in (1, 3, 6, 12)),
    *((_DAY, every) for every in (1, 2, 3, 7, 14)),
    *((_MONTH, every) for every in (1, 2, 3, 6, 12, 24, 60, 120)),
]


@dataclass(frozen=True)
class TimeTick:
    """A moment of the axis and its label."""

    at: datetime
    text: str


def time_ticks(start: datetime, end: datetime, zone: ZoneInfo) -> list[TimeTick]:
    """At most seven ticks in [start, end] at hours, days, Mondays or months of `zone`."""
    seconds = (end - start).total_seconds()
    unit, every = next((rung for rung in _LADDER if seconds / (rung[0] * rung[1]) <= MOST_TIMES), _LADDER[-1])
    inside = [at for at in _moments(start, end, zone, unit, every) if start <= at <= end]
    before: list[datetime | None] = [None, *inside]
    return [TimeTick(at, _time_text(at, last, unit, every)) for at, last in zip(inside, before, strict=False)]


def _moments(start: datetime, end: datetime, zone: ZoneInfo, unit: float, every: int) -> Iterator[datetime]:
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    while day <= last:
        if _has_tick(day, unit, every):
            for hour in range(0, 24, every if unit == _HOUR else 24):
                at = datetime(day.year, day.month, day.day, hour, tzinfo=zone)
                # An hour that daylight saving skips has no place on the axis.
                if at.astimezone(UTC).astimezone(zone).hour == hour or not hour:
                    yield at
        day += timedelta(days=1)


def _has_tick(day: date, unit: float, every: int) -> bool:
    if unit == _HOUR:
        return True
    if unit == _DAY:
        # Ordinal 1 is a Monday, and so is every seventh day.
        return (day.toordinal() - 1) % every == 0
    return day.day == 1 and (day.year * 12 + day.month - 1) % every == 0


def _time_text(at: datetime, before: datetime | None, unit: float, every: int) -> str:
    if unit == _MONTH and every >= 12:
        return str(at.year)
    if unit == _HOUR and at.hour:
        return f"{at.hour:02}:00"
    year = f" {at.year}" if unit != _HOUR and (before is None or before.year != at.year) else ""
    return f"{MONTHS[at.month - 1]}{year}" if unit == _MONTH else f"{day_text(at)}{year}"


def day_text(at: date) -> str:
    """`3 Sep`, in the time zone of `at` and in English whatever the machine's language."""
    return f"{at.day} {MONTHS[at.month - 1]}"


def value_ticks(floor: float, ceiling: float, unit: str, most: int = MOST_VALUES) -> list[tuple[float, str]]:
    """Round values in [floor, ceiling], each with its label, all in one unit: 0, `0.5 s`, `1 s`.

    They divide it into at most `most` whole steps. ValueError for an axis without length.
    """
    largest = max(abs(floor), abs(ceiling))
    size = _shown_size(largest, unit)
    step = _round_up((ceiling - floor) / size / most) * size
    values = [number * step for number in range(math.ceil(floor / step), math.floor(ceiling / step) + 1)]
    # A long unit stands in the title, not at every tick.
    shown = unit if is_short(unit) else ""
    return [(value, format_quantity(value, shown, like=largest) if value else "0") for value in values]


def is_short(unit: str) -> bool:
    """Whether a unit has room at every tick: ms, %, MiB."""
    return len(unit) <= 3


def _shown_size(value: float, unit: str) -> float:
    """How many of `unit` make one of the unit that `value` is shown in, so that 5 min is a round step."""
    return Quantity(1, shown_unit(value, unit)).to(unit)


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(nice * power for nice in (1, 2, 5, 10) if nice * power >= value * (1 - 1e-9))
