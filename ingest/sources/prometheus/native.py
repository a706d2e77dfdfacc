"""Native histograms: buckets whose bounds the server chose, as counts up to a bound.

Prometheus lists the buckets that hold something. In between and around them nothing
happened, so the counts up to their edges say everything that is known; what lies within a
bucket is not known. Bounds closer than those of schema 3 (eight a doubling, 9 % apart) are
merged into it: a row of a fine histogram would have thousands of columns.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import BaseModel, Field

from ingest.errors import FetchError

PER_DOUBLING = 8
FINEST = 256
"""Bounds a doubling of schema 8, the finest there is."""
SLACK = 1e-9
"""What rounding may add to a count, as a part of it: the server's own sums are floats."""

Count = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Bucket = tuple[float, float, float]


class NativeHistogram(BaseModel):
    """One histogram of an answer; a bucket is the rule of its edges, both of them, and its count."""

    count: Count
    sum: float
    buckets: list[tuple[int, float, float, Count]] = []

    def row(self) -> dict[str, float]:
        """Counts up to each known bound, as columns `le=...`, and the `sum`.

        Raises FetchError where the buckets overlap or hold more than there is.
        """
        known: dict[float, float] = {}
        total = 0.0
        for low, high, count in _merged(_in_order(self.buckets)):
            # The zero bucket of what is never negative begins at zero, as in histogram_quantile.
            if not (low < 0 < high and not known):
                known.setdefault(low, total)
            total += count
            known[high] = total
        if total > self.count * (1 + SLACK):
            raise FetchError("a native histogram's buckets hold more than its count", fault="answer")
        # The last bucket's edge has seen everything, whatever the additions rounded.
        exact = {bound: self.count if _close(value, self.count) else value for bound, value in known.items()}
        finite = {f"le={_spelled(bound)}": value for bound, value in exact.items() if math.isfinite(bound)}
        return {**finite, "le=+Inf": self.count, "sum": self.sum}


def _in_order(buckets: Iterable[tuple[int, float, float, float]]) -> Iterator[Bucket]:
    """The buckets that hold something, from the lowest up."""
    before = -math.inf
    for _, low, high, count in sorted(buckets, key=lambda each: each[1]):
        if not before <= low < high:
            raise FetchError("a native histogram's buckets overlap", fault="answer")
        before = high
        if count:
            yield low, high, count


def _merged(buckets: Iterable[Bucket]) -> list[Bucket]:
    """Neighbours within one bucket of schema 3 as that bucket."""
    made: list[Bucket] = []
    for low, high, count in buckets:
        low, high = _coarse(low, up=False), _coarse(high, up=True)
        if made and low < made[-1][1]:
            low, high, count = made[-1][0], max(high, made[-1][1]), made.pop()[2] + count
        made.append((low, high, count))
    return made


def _coarse(bound: float, *, up: bool) -> float:
    """The bound of schema 3 at a finer schema's, or next to it `up` or down; any other bound as it is."""
    if bound == 0 or not math.isfinite(bound):
        return bound
    place = math.log2(abs(bound)) * FINEST
    if abs(place - round(place)) > 1e-7:
        # A zero bucket's width, or the bounds of a classic histogram that is kept as a native one.
        return bound
    eighth = round(place) / (FINEST / PER_DOUBLING)
    away = up == (bound > 0)
    return math.copysign(2.0 ** ((math.ceil if away else math.floor)(eighth) / PER_DOUBLING), bound)


def _close(value: float, other: float) -> bool:
    return math.isclose(value, other, rel_tol=SLACK)


def _spelled(bound: float) -> str:
    return repr(bound + 0.0).removesuffix(".0")
