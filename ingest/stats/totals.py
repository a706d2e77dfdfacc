"""Hours of people's waiting that fixes saved, and sums of such hours with an honest interval.

For many verdicts on one page control the false discovery rate of their `p`:
`scipy.stats.false_discovery_control`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import special

DRAWS = 10_001
SEED = 1


class Estimate(Protocol):
    """A relative change with its 95 % interval, measured just now or pinned earlier."""

    @property
    def effect(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


@dataclass(frozen=True, order=True)
class Interval:
    """A value and its 95 % interval [`low`, `high`], in the unit of what it was made from."""

    value: float
    low: float
    high: float


def gain_factor(change: float) -> float:
    """What a relative change saves, as a part of what is left: halving (-0.5) saves as much again, 1."""
    return 1 / (1 + change) - 1


def saved(base: float, change: Estimate) -> Interval:
    """Hours saved where `base` hours were still waited: requests times their mean *after* the change.

    `change` is that of the mean, never of a quantile. What got slower saves less than nothing.
    """
    # The greatest fall, at the low end of the change, saves the most.
    return Interval(*(base * gain_factor(each) for each in (change.effect, change.high, change.low)))


def total_of(intervals: Iterable[Interval]) -> Interval:
    """The sum of independent intervals, all in one unit; the same whatever their order.

    The value is the sum of the values. The interval is that of drawn sums, half as wide as the
    sum of the ends: each is drawn from a normal distribution with a width of its own on either
    side, at the same evenly spread quantiles (Latin hypercube), seeded.
    """
    ordered = sorted(intervals)
    normal = special.ndtri((np.arange(DRAWS) + 0.5) / DRAWS)
    chance = np.random.default_rng(SEED)
    sums = np.zeros(DRAWS)
    for each in ordered:
        drawn = chance.permutation(normal) / special.ndtri(0.975)
        sums += drawn * np.where(drawn < 0, each.value - each.low, each.high - each.value)
    low, middle, high = np.quantile(sums, (0.025, 0.5, 0.975), method="hazen")
    value = sum(each.value for each in ordered)
    # Around their median, for lopsided intervals shift a sum of many and its value would fall out.
    return Interval(value, float(value + low - middle), float(value + high - middle))
