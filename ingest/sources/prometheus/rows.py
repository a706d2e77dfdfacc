"""The series of an answer as the rows of a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pandas as pd

from ingest.errors import FetchError
from ingest.sources.base import bucket_columns
from ingest.sources.prometheus.reply import Labels, Part

Rows = TypeVar("Rows", pd.Series, pd.DataFrame)


@dataclass
class Matrix:
    """The series of a whole window, as they came in, window by window."""

    values: dict[Labels, list[pd.Series]] = field(default_factory=dict)
    natives: dict[Labels, list[pd.DataFrame]] = field(default_factory=dict)

    def add(self, part: Part) -> None:
        if len(part.natives):
            self.natives.setdefault(part.labels, []).append(part.natives)
        if len(part.values) or not len(part.natives):
            self.values.setdefault(part.labels, []).append(part.values)

    def __len__(self) -> int:
        """How many series there are."""
        return len(self.values.keys() | self.natives.keys())


def value_rows(answers: Sequence[Matrix]) -> pd.DataFrame:
    """The column `value` of the one series of the one answer."""
    (answer,) = answers
    if answer.natives:
        what = "`query` answers with native histograms; take a figure of them, such as histogram_quantile(0.95, ...)"
        raise FetchError(what, fault="query")
    return pd.DataFrame({"value": _only(answer, "query")})


def histogram_rows(answers: Sequence[Matrix]) -> pd.DataFrame:
    """Cumulative bucket counts and the sum, of classic buckets and of a native histogram.

    Where a step has both, they count the same requests, and the classic buckets are taken.
    """
    buckets, *total = answers
    native = _native(buckets)
    if native is not None and not buckets.values:
        return native
    classic = _classic(buckets, *total)
    if native is None:
        return classic
    return pd.concat([classic, native[~native.index.isin(classic.index)]]).sort_index()


def _classic(buckets: Matrix, total: Matrix | None = None) -> pd.DataFrame:
    if total is None:
        total = Matrix()
        if buckets.values:
            what = "the query answers with classic buckets; `sum` must ask for the sum of their values"
            raise FetchError(what, fault="query")
    by_column = _by_column(buckets)
    if bool(by_column) != bool(total.values):
        has, lacks = ("buckets", "sum") if by_column else ("sum", "buckets")
        hint = f"the histogram has {has} but no {lacks}; a native one is asked for as `query: sum(increase(...))`"
        raise FetchError(hint, fault="query")
    if by_column and "le=+Inf" not in by_column:
        raise FetchError("the buckets lack le=+Inf, the count of all values", fault="query")
    named = by_column or {"le=+Inf": _nothing()}
    # As one block: pandas grows slow where each column of many is its own.
    return pd.concat({**named, "sum": _only(total, "sum")}, axis=1).sort_index().copy()


def _by_column(buckets: Matrix) -> dict[str, pd.Series]:
    """The buckets by their columns, ascending.

    Services that spell a bound differently, `1` and `1.0`, are different services: what
    each of them counts up to that bound adds up.
    """
    spelled: dict[float, list[str]] = {}
    series = {_bound(labels): _joined(parts) for labels, parts in buckets.values.items()}
    for text in series:
        spelled.setdefault(_number(text), []).append(text)
    columns = bucket_columns(texts[0] for texts in spelled.values())
    by_first = {texts[0]: texts for texts in spelled.values()}
    return {column: _sum([series[each] for each in by_first[text]]) for text, column in columns.items()}


def _number(text: str) -> float:
    # What is no number has its own complaint, from bucket_columns.
    bucket_columns([text])
    return float(text)


def _sum(parts: list[pd.Series]) -> pd.Series:
    if len(parts) == 1:
        return parts[0]
    total = pd.concat(parts, axis=1).sum(axis=1)
    # A step that a service did not count is nothing; one that it counted as no number spoils the sum.
    for part in parts:
        total[part.index[part.isna()]] = np.nan
    return total


def _native(answer: Matrix) -> pd.DataFrame | None:
    if len(answer.natives) > 1:
        what = f"`query` answers with {len(answer.natives)} native histograms instead of one; put sum() around it"
        raise FetchError(what, fault="query")
    return next((_joined(parts) for parts in answer.natives.values()), None)


def _only(matrix: Matrix, key: str) -> pd.Series:
    """The one series of an answer; without values where there is none."""
    if len(matrix.values) > 1:
        count = len(matrix.values)
        what = f"`{key}` answers with {count} series instead of one; put sum() or another aggregation around it"
        raise FetchError(what, fault="query")
    return next((_joined(parts) for parts in matrix.values.values()), _nothing())


def _nothing() -> pd.Series:
    return pd.Series(index=pd.DatetimeIndex([], tz="UTC"), dtype=np.float64)


def _joined(parts: list[Rows]) -> Rows:
    """The parts of one series after each other; a row that is there twice is one."""
    rows: Rows = pd.concat(parts)
    if not rows.index.has_duplicates:
        return rows
    rows = rows[~rows.reset_index().duplicated().to_numpy()]
    if rows.index.has_duplicates:
        at = rows.index[rows.index.duplicated()][0]
        raise FetchError(f"two different values of one series for the step at {at.isoformat()}", fault="answer")
    return rows


def _bound(labels: Labels) -> str:
    """The bucket's `le`; raises FetchError where the series has other labels."""
    others = sorted(name for name, _ in labels if name != "le")
    if len(labels) == len(others):
        raise FetchError("the buckets have no label `le`; write sum by (le) (...)", fault="query")
    if others:
        what = f"the buckets have the label `{others[0]}` beside `le`; write sum by (le) (...)"
        raise FetchError(what, fault="query")
    return next(value for _, value in labels)
