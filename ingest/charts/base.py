"""What charts are made of, and what is made of them; charts touch no file and no network."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pandas as pd

from ingest.charts.readings import Readings
from ingest.charts.svg import plain

Cell = str | float | datetime


@dataclass(frozen=True)
class Chart:
    """A drawn chart: inline SVG, its title and description in words, its numbers, and what it says where.

    `write_csv` writes the numbers as CSV, which not every page wants.
    """

    svg: str
    title: str
    description: str
    write_csv: Callable[[], str] = field(compare=False, repr=False)
    readings: Readings | None = None

    @property
    def csv(self) -> str:
        """The numbers as CSV."""
        return self.write_csv()


@dataclass(frozen=True)
class Mark:
    """Something that happened: `kind` is opened, shipped, chosen, decided, parked, reported ..."""

    at: datetime
    label: str
    kind: str


@dataclass(frozen=True)
class Span:
    """A stretch of time that was compared, tested or left out; `end` is where it is over."""

    start: datetime
    end: datetime
    label: str
    kind: Literal["before", "after", "test", "excluded"]


@dataclass(frozen=True, eq=False)
class TimeSeries:
    """A series to draw over time.

    `points` has a timezone-aware index of the steps' starts and the columns `value` and
    optionally `low` and `high`, the bucket edges a quantile lies between; a row that is
    missing or NaN is a gap, an infinite `high` is an open end. `days` is like it, one row a
    day. `goal` and all values are in `unit`; `title` should say what is measured. The axis
    reaches over `covers`, even where there is no data. A `description` of its own stands in
    place of what the numbers alone would say. `figure` is what a value is: p95, share.
    """

    id: str
    title: str
    unit: str
    points: pd.DataFrame
    step: timedelta
    zone: ZoneInfo
    days: pd.DataFrame | None = None
    marks: tuple[Mark, ...] = ()
    spans: tuple[Span, ...] = ()
    goal: float | None = None
    goal_label: str = ""
    note: str = ""
    covers: tuple[datetime, datetime] | None = None
    description: str = ""
    figure: str = "value"


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Rows as CSV: moments in UTC, numbers in full, NaN as an empty cell, no text that a spreadsheet runs."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([_cell(name) for name in header])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue()


def _cell(value: Cell) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        text = plain(value, 1000)
        # Spreadsheets take such a text for a formula (OWASP, CSV injection).
        return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
    return "" if value != value else repr(float(value))
