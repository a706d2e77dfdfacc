"""One grammar for durations, efforts, percents and quantities, and how they are shown.

A quantity is a number and a unit (`1 s`, `250 ms`, `18 %`). Units of one dimension are
converted into each other; an unknown unit is a dimension of its own.
"""

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

HOURS_A_WORKING_DAY = 8
DAYS_A_WORKING_WEEK = 5
LONGEST_DURATION = timedelta(days=36_500)
LARGEST_QUANTITY = 1e15

_DURATION_UNITS = {"w": 604_800.0, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[wdhms]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[wdhms])")
_EFFORT_HOURS = {
    "h": 1.0,
    "d": float(HOURS_A_WORKING_DAY),
    "w": float(HOURS_A_WORKING_DAY * DAYS_A_WORKING_WEEK),
    "m": 1 / 60,
}
_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_QUANTITY = re.compile(rf"({_NUMBER})\s*([^\W\d_]+|%|)")

# The size of each unit in the smallest common one of its dimension.
_DIMENSIONS: dict[str, dict[str, float]] = {
    "time": {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0},
    "bytes": {
        "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
        "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40,
    },
    "ratio": {"": 1.0, "%": 0.01},
}  # fmt: skip


@dataclass(frozen=True)
class Quantity:
    """A number with its unit as it was written; `unit` is empty for a plain number."""

    value: float
    unit: str = ""

    def __str__(self) -> str:
        return format_quantity(self.value, self.unit)

    def to(self, unit: str) -> float:
        """This quantity's number in `unit`; ValueError where the two do not convert."""
        if unit == self.unit:
            return self.value
        for sizes in _DIMENSIONS.values():
            if unit in sizes and self.unit in sizes:
                # Dividing by the inverse keeps 250 ms at exactly 0.25 s.
                return self.value * sizes[self.unit] / sizes[unit]
        raise ValueError(f"{self.unit or 'a plain number'} does not convert to {unit or 'one'}")


@dataclass(frozen=True)
class Effort:
    """What a fix would take, in working hours (8 a day, 5 days a week)."""

    low: float
    high: float
    text: str

    def __str__(self) -> str:
        return self.text


def parse_duration(text: str) -> timedelta:
    """`1h30m`, `45m`, `90d` as elapsed time (a day is 24 hours); ValueError otherwise."""
    squeezed = re.sub(r"\s+", "", text)
    if not _DURATION.fullmatch(squeezed):
        raise ValueError(f"{text!r} is not a duration")
    seconds = sum(float(n) * _DURATION_UNITS[u] for n, u in _DURATION_PART.findall(squeezed))
    if seconds > LONGEST_DURATION.total_seconds():
        # Nobody means it, and counting back from today must stay within the calendar.
        raise ValueError(f"{text!r} is longer than a hundred years")
    return timedelta(seconds=seconds)


def parse_effort(text: str) -> Effort:
    """`4d` or `2d-5d` as working time; ValueError otherwise."""
    parts = [part.strip() for part in re.split(r"-|–|\bto\b", text)]
    if not 1 <= len(parts) <= 2:
        raise ValueError(f"{text!r} is not an effort")
    hours = [_working_hours(part, text) for part in parts]
    if not math.isfinite(sum(hours)):
        raise ValueError(f"{text!r} is not an effort")
    if hours[0] > hours[-1]:
        raise ValueError(f"{text!r} has its ends the wrong way round")
    return Effort(hours[0], hours[-1], text)


def _working_hours(part: str, whole: str) -> float:
    squeezed = re.sub(r"\s+", "", part)
    found = _DURATION_PART.findall(squeezed)
    if not _DURATION.fullmatch(squeezed) or any(unit not in _EFFORT_HOURS for _, unit in found):
        raise ValueError(f"{whole!r} is not an effort")
    return sum(float(number) * _EFFORT_HOURS[unit] for number, unit in found)


def parse_quantity(text: str) -> Quantity:
    """`1 s`, `250ms`, `18 %`, `3`; ValueError where it is no finite number and a unit."""
    match = _QUANTITY.fullmatch(text.strip())
    if not match or not math.isfinite(float(match[1])):
        raise ValueError(f"{text!r} is not a number with a unit")
    if abs(float(match[1])) > LARGEST_QUANTITY:
        raise ValueError(f"{text!r} is more than anybody means")
    return Quantity(float(match[1]), match[2])


def parse_percent(text: str) -> float:
    """`-60 %` as -0.6; ValueError without the sign %, because 0.6 could be meant either way."""
    quantity = parse_quantity(text)
    if quantity.unit != "%":
        raise ValueError(f"{text!r} is not a percentage")
    return quantity.value / 100


def format_quantity(value: float, unit: str, like: float | None = None) -> str:
    """A number for reading, three significant digits: 0.8123 s is `812 ms`, 1234 is `1,230`.

    `like` is a value in the same unit whose size chooses the unit that is shown, so that the
    numbers of one axis share it.
    """
    if not math.isfinite(value):
        return _digits(value)
    shown = shown_unit(value if like is None else like, unit)
    return f"{_digits(Quantity(value, unit).to(shown))} {shown}".strip()


def shown_unit(value: float, unit: str) -> str:
    """The unit in which a value of this size reads best; `unit` itself where it has no ladder."""
    for name, ladder in (("time", ("µs", "ms", "s", "min", "h")), ("bytes", ("B", "kB", "MB", "GB", "TB"))):
        sizes = _DIMENSIONS[name]
        if unit in sizes and value:
            base = abs(value) * sizes[unit]
            # From 120 s on minutes read better; a lone 90 s does not.
            fitting = [step for step in ladder if base >= sizes[step] * (2 if step in ("min", "h") else 1)]
            return fitting[-1] if fitting else ladder[0]
    return unit


def format_percent(share: float, *, signed: bool = False) -> str:
    """0.1834 as `18.3 %`, and -0.6 as `−60 %`; `signed` writes the plus as well."""
    if not math.isfinite(share * 100):
        return _digits(share * 100)
    sign = "+" if signed and share > 0 else "−" if share < 0 else ""
    return f"{sign}{_digits(abs(share) * 100)} %"


def format_duration(span: timedelta) -> str:
    """A length of time for reading, its two largest parts: `45 s`, `1 h 30 min`, `3 days`."""
    seconds = abs(span.total_seconds())
    if 0 < seconds < 60:
        return f"{_digits(seconds)} s"
    minutes = round(seconds / 60)
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    if days >= 3:
        return f"{days} days"
    if days:
        total = days * 24 + hours
        return f"{total} h"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"


def _digits(value: float) -> str:
    """Three significant digits, never in exponent notation, thousands set apart."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{Decimal(f'{value:.3g}') + 0:,f}"  # adding 0 takes the sign from -0
