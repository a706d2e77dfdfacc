"""What every source of telemetry is: a kind of its own options, and one way to fetch.

A source module holds one class with this shape and stands in the table `SOURCES`; that
is all a new source takes. Sources answer with raw rows; sorting them, dropping what is
no number and refusing contradictions is done once, by `tidy`.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from ingest.errors import FetchError, UserError
from ingest.fields import Strict
from ingest.story import Series

LARGEST = 1e100
"""Beyond this a value is a fault of its source, and no sum of such values could be told."""
MOST_COUNTED = 1e12
STRAY_COUNTS, STRAY_SHARE = 2, 0.1
"""How far buckets may fall below those before them: counts a row, and a share of all."""


@dataclass(frozen=True)
class Window:
    """The steps to fetch: those that begin at `start` or later and end at `end` or earlier.

    Both are in UTC and multiples of `step` since the epoch.
    """

    start: datetime
    end: datetime
    step: timedelta

    @property
    def steps(self) -> int:
        """How many rows a window without gaps has."""
        return max(0, (self.end - self.start) // self.step)


@dataclass(frozen=True)
class Fetched:
    """A source's answer.

    `rows` has a timezone-aware index of the steps' *starts* and float columns: `value`, or for
    a histogram its cumulative bucket counts within the step, `le=0.005` ... `le=+Inf`, and
    `sum`, the sum of the step's values. `partial` and `warnings` are the source's own words
    about an answer that is not all there.
    """

    rows: pd.DataFrame
    partial: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Objection:
    """Why a series cannot be asked of a source: the front matter's key, the mistake, a hint."""

    key: str
    what: str
    hint: str = ""


class Source(Protocol):
    """One kind of source; a class of this shape stands in `SOURCES`."""

    Options: ClassVar[type[Strict]]
    """The kind's own keys of sources.yml."""

    def __init__(self, name: str, options: Strict, environ: Mapping[str, str], root: Path) -> None:
        """Opens nothing; `root` is the knowledge base's folder.

        Raises UserError where a variable of `environ` is missing.
        """

    @staticmethod
    def objections(series: Series, step: timedelta, options: Strict | None) -> Sequence[Objection]:
        """What is wrong with `series` for a source whose own keys are `options` (None where those hold mistakes)."""

    @staticmethod
    def query(series: Series, step: timedelta, options: Strict | None) -> str:
        """The request in words a reader of the page can follow; kept in the snapshot."""

    def fetch(self, series: Series, window: Window) -> Fetched:
        """The rows of `window`; raises FetchError where there is no good answer."""

    def close(self) -> None:
        """Frees connections."""


@runtime_checkable
class Probing(Protocol):
    """What a source has beside, if one cheap question tells whether it lets us in.

    Without it, `status --probe` asks for the last step of one of its series.
    """

    def probe(self) -> str:
        """Who answers, in a few words; raises FetchError."""


@runtime_checkable
class Counting(Protocol):
    """What a source has beside, if it can count reports."""

    @staticmethod
    def count_objections(query: str, options: Strict | None) -> Sequence[Objection]:
        """Why `query` cannot be counted by the source whose own keys are `options` (None where those hold mistakes)."""

    def count(self, query: str, at: datetime) -> Fetched:
        """How many there are: one row, at the step that ended `at`; raises FetchError where nobody knows."""


def counted(number: float, at: datetime, *, partial: bool = False) -> Fetched:
    """The row of a count of reports, at the day that ended `at`; raises ValueError where `number` counts nothing."""
    if not 0 <= number <= MOST_COUNTED or number != int(number):
        raise ValueError
    return Fetched(pd.DataFrame({"value": [number]}, index=[at - timedelta(days=1)]), partial)


def tidy(fetched: Fetched, window: Window) -> Fetched:
    """The answer with its rows in order, on the window's steps, and numbers only.

    A row with a value that is not finite, or beyond LARGEST, is a gap, never a zero. Raises FetchError where
    two rows of one step contradict each other, a row stands between the steps, or buckets are not cumulative.
    """
    rows = fetched.rows.astype("float64")
    rows.index = pd.DatetimeIndex(rows.index, name="time").tz_convert("UTC").as_unit("s")
    rows = rows.sort_index(kind="stable")
    rows = rows[(rows.index >= window.start) & (rows.index < window.end)]
    off_step = rows.index.to_numpy("datetime64[s]").astype("int64") % int(window.step.total_seconds()) != 0
    if off_step.any():
        what = f"a row at {rows.index[off_step][0].isoformat()} does not begin a step of {window.step}"
        raise FetchError(what, fault="answer")
    present = rows.where(rows.abs() <= LARGEST)
    # Every histogram row needs its total; a bucket that was born later may be missing.
    needed = [column for column in present.columns if column in ("value", "le=+Inf", "sum")]
    present = present.dropna(subset=needed)
    present = present[~present.reset_index().duplicated().to_numpy()]
    twice = present.index.duplicated()
    if twice.any():
        what = f"two different values for the step at {present.index[twice][0].isoformat()}"
        raise FetchError(what, fault="answer")
    _refuse_single_buckets(present)
    return Fetched(present, fetched.partial, fetched.warnings)


def _refuse_single_buckets(rows: pd.DataFrame) -> None:
    """Raises FetchError where counts fall from bucket to bucket: each was counted alone, or is below zero.

    Buckets are scraped one after the other, and some servers extrapolate, so that a little is no sign.
    """
    buckets = [str(column) for column in rows.columns if str(column).startswith("le=")]
    if not buckets:
        return
    buckets.sort(key=lambda column: float(column.removeprefix("le=")))
    counts = rows[buckets].to_numpy()
    known = np.where(np.isnan(counts), 0.0, counts)
    falls = np.maximum.accumulate(np.maximum(known, 0.0), axis=1) - np.where(np.isnan(counts), np.inf, counts)
    fall = np.maximum(falls, 0.0).sum(axis=0).max(initial=0.0)
    if fall > max(STRAY_COUNTS * len(rows), STRAY_SHARE * known[:, -1].sum()):
        what = "the buckets are not cumulative: each must count all values up to its bound, le=+Inf all there are"
        raise FetchError(what, fault="answer")


def bucket_columns(bounds: Iterable[str]) -> dict[str, str]:
    """The column of every bucket bound, ascending: `1.0` and `+Inf` are `le=1` and `le=+Inf`.

    Raises FetchError for a bound that is no number, and for two that are the same number.
    """
    columns: dict[str, str] = {}
    for bound, text in sorted((_bound(text), text) for text in bounds):
        column = "le=+Inf" if bound == math.inf else f"le={repr(bound).removesuffix('.0')}"
        if column in columns.values():
            raise FetchError(f"two buckets have the bound {column.removeprefix('le=')}", fault="answer")
        columns[text] = column
    return columns


def _bound(text: str) -> float:
    try:
        bound = float(text) + 0.0  # makes -0 the 0 that it is
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise FetchError(f"the bucket bound {text[:40]!r} is not a number", fault="answer")
    return bound


def expand(text: str, environ: Mapping[str, str], where: str) -> str:
    """`text` with every `${NAME}` from the environment; UserError where one is not set."""

    def value(match: re.Match[str]) -> str:
        # An empty variable is one that a schedule failed to fill in.
        if not environ.get(match[1]):
            raise UserError(where, f"the environment has no {match[1]}", f"export {match[1]} before refreshing")
        return environ[match[1]]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", value, text)
