"""By how much a fix changed a series: like hours with like hours, one number a day, one step.

The error bar comes from how much such days wander on their own, so only what an ordinary
fortnight could not produce is claimed. In short: logarithms of hourly medians; a robust fit
(Huber, 1964) of the shape of a day, of weekdays and of weekends, together with the steps; one
mean a day of what remains; generalised least squares of the days on the steps and the weekday.
The noise of days is white noise plus an AR(1) wander. How much of each is not known, so a
fixed grid of both is averaged over, weighted by a prior and the restricted likelihood
(Harville, 1974). Given the noise a step has a t distribution, and so the answer is a mixture
of them: nothing is drawn, and every run gives the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, special

METHOD = "1"
"""Version of the method, stored with pinned numbers: raise it when any number changes."""

MIN_DAYS_BEFORE = 7
MIN_DAYS_AFTER = 5
MIN_DAYS_LEVEL = 5
GUARD_DAYS = 7
"""The days before a fix that the incident guard leaves out."""

GUARD_KEEPS = 2 / 3
"""The guard agrees where at least this part of the gain, in logarithms, is left without that week.

An incident that healed by itself adds to the gain by that week alone, so the guard sees little of
it. Asking for a whole interval of the guard, which has a week less to go by, would cost many a
sound fix its verdict: see the simulation, `make bench-statistics`.
"""

LIKELY = 0.85
"""Of estimates lie below this quantile, for 80 % power: not 0.8, for intervals vary in width."""

ENOUGH_HOURS = 12
CONTROL_DAYS = 0.8  # of the days must be the control's too; the others are filled in
HUBER = 1.345  # 95 % as efficient as least squares where the noise is normal
CLIP = 4.0
SLOTS = 48  # hours of a weekday, then of a day of the weekend
RIDGE = 1e-6  # decides only where an hour of the day was seen on one side alone
FLOOR = 1e-6  # of the deviation of days: a constant series is known to a millionth, not exactly
EPOCH = date(1970, 1, 1).toordinal()

PERSISTENCE = (0.5, 0.7, 0.8, 0.9, 0.95, 0.97)
PERSISTENCE_PRIOR = (1.0, 1.0, 1.0, 2.0, 2.0, 2.0)
WANDER = (0.2, 0.4, 0.6, 0.8, 1.0)
WHITE_STEP, WHITE_LEVEL = 0.2, 0.5
"""The prior of plain white noise, for steps and for a level.

Half on white noise let 6 to 8 % of the steps through that were none where hours are noisy and
days wander a little, so that the wander hides; of a level it makes the interval wide enough.
"""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Better = Literal["lower", "higher"]
Verdict = Literal["improved", "regressed", "undetected", "unusual"]


@dataclass(frozen=True)
class Change:
    """A relative change (-0.2 is a fifth lower) with its 95 % interval [`low`, `high`].

    `p` is the two-sided tail probability of no change: at most 0.05 where the interval leaves out
    zero. `detectable` is the smallest fall, as a positive number, that would have been seen with
    80 % power; `wander` the share of the days' noise that wanders, 0 to 1, as far as the days tell.
    """

    effect: float
    low: float
    high: float
    p: float
    detectable: float
    days_before: int
    days_after: int
    controlled: bool
    wander: float


@dataclass(frozen=True)
class Steps:
    """What each of several dates changed on one series, on top of the dates before it.

    `changes` has the dates that can be judged; `too_few` the days before and after of those that
    cannot, for one of its two segments is too short. `total` is all dates together, from before
    the first to after the last; None where one of these two is too short.
    """

    changes: Mapping[date, Change]
    too_few: Mapping[date, tuple[int, int]]
    total: Change | None


@dataclass(frozen=True)
class Level:
    """A typical level with its 95 % interval, and the days that it was taken from."""

    value: float
    low: float
    high: float
    days: int


class TooFewDaysError(ValueError):
    """Nothing can be said yet: too few days with enough hours of data."""

    def __init__(self, days_before: int, days_after: int) -> None:
        super().__init__(f"{days_before} days before and {days_after} after are too few")
        self.days_before = days_before
        self.days_after = days_after


@dataclass(frozen=True)
class Hours:
    """Logarithms of hourly medians: `day` counts local days from 1970 on, `hour` is 0 to 23."""

    day: Ints
    hour: Ints
    level: Floats

    @classmethod
    def of(cls, values: pd.Series) -> "Hours":
        """Of a series with a DatetimeIndex, in whose zone days are counted; only finite values above zero are used."""
        index = pd.DatetimeIndex(values.index).tz_localize(None)
        array = values.to_numpy(dtype=np.float64, na_value=np.nan)
        used = np.isfinite(array) & (array > 0)
        # An hour that comes twice when clocks go back is one hour: it is compared with one.
        hours = index.as_unit("s").asi8[used] // 3600
        medians = pd.Series(array[used]).groupby(hours).median()
        hours = medians.index.to_numpy(dtype=np.int64)
        return cls(hours // 24, hours % 24, np.log(medians.to_numpy()))

    def __getitem__(self, which: npt.NDArray[np.bool_]) -> "Hours":
        return Hours(self.day[which], self.hour[which], self.level[which])

    def __add__(self, other: "Hours") -> "Hours":
        day, hour = np.concatenate([self.day, other.day]), np.concatenate([self.hour, other.hour])
        return Hours(day, hour, np.concatenate([self.level, other.level]))

    @property
    def slot(self) -> Ints:
        """The hour of the day, 24 more on a weekend."""
        return self.hour + 24 * (weekday(self.day) >= 5)


@dataclass(frozen=True)
class Rhythm:
    """The shape of a day: `slots` (NaN where never seen), the `levels` of the segments, and the hours' `spread`.

    `enough` is how many hours a day must have.
    """

    slots: Floats
    levels: Floats
    spread: float
    enough: float

    @classmethod
    def of(cls, hours: Hours, segment: Ints) -> "Rhythm":
        """Huber's fit of slots and segments; `segment` numbers each hour's from 0 on."""
        slot, size = hours.slot, int(segment.max()) + 1
        cell = segment * SLOTS + slot
        weights = np.ones(len(cell))
        for _ in range(50):
            levels, slots = _fit(cell, weights, hours.level, size)
            left = hours.level - levels[segment] - slots[slot]
            spread = _spread(left)
            before, weights = weights, _huber(left, spread)
            if np.abs(weights - before).max() < 1e-4:
                break
        unseen = np.bincount(slot, minlength=SLOTS) == 0
        # A nightly job has few hours on every day; a day with a gap has few for its series.
        usual = float(np.median(np.unique(hours.day, return_counts=True)[1]))
        return cls(np.where(unseen, np.nan, slots), levels, spread, min(ENOUGH_HOURS, usual / 2))

    def days(self, hours: Hours, segment: Ints) -> tuple[Ints, Floats]:
        """The days with enough hours, and their mean level, the shape taken off and what sticks out clipped."""
        base = self.levels[segment]
        left = hours.level - base - self.slots[hours.slot]
        known = ~np.isnan(left)
        clipped = base + np.clip(left, -CLIP * self.spread, CLIP * self.spread)
        days, place, count = np.unique(hours.day[known], return_inverse=True, return_counts=True)
        level = np.bincount(place, clipped[known], minlength=len(days)) / count
        enough = count >= self.enough
        return days[enough], level[enough]


def weekday(day: Ints) -> Ints:
    """0 (Monday) to 6 of days counted from 1970 on."""
    return (day + 3) % 7


def _fit(cell: Ints, weights: Floats, level: Floats, size: int) -> tuple[Floats, Floats]:
    """Weighted least squares of segments and slots, from the sums over the hours that share both."""
    count = np.bincount(cell, weights, minlength=size * SLOTS).reshape(size, SLOTS)
    total = np.bincount(cell, weights * level, minlength=size * SLOTS).reshape(size, SLOTS)
    normal = np.block(
        [[np.diag(count.sum(axis=1)), count], [count.T, np.diag(count.sum(axis=0) + RIDGE)]],
    )
    found = np.linalg.solve(normal, np.concatenate([total.sum(axis=1), total.sum(axis=0)]))
    return found[:size], found[size:]


def _spread(left: Floats) -> float:
    """The robust standard deviation; where over half of the hours are alike, not much below the plain one."""
    return max(1.4826 * float(np.median(np.abs(left))), float(left.std()) / 4)


def _huber(left: Floats, spread: float) -> Floats:
    edge = max(HUBER * spread, np.finfo(float).tiny)
    return edge / np.maximum(np.abs(left), edge)


GRID_PERSISTENCE = np.append(np.repeat(PERSISTENCE, len(WANDER)), 0.0)
GRID_WANDER = np.append(np.tile(WANDER, len(PERSISTENCE)), 0.0)


def _prior(white: float) -> Floats:
    """The probability of each point of the grid, plain white noise the last.

    The rest leans to a wander that is large and persistent, for that is what fools: within a few
    weeks it can hardly be told from a step.
    """
    weight = np.outer(PERSISTENCE_PRIOR, WANDER).ravel()
    return np.append((1 - white) * weight / weight.sum(), white)


@lru_cache(maxsize=4)  # the days of a year take 33 MB
def _whitening(days: tuple[int, ...]) -> tuple[Floats, Floats]:
    """For each point of the grid the matrix that makes the days' noise white, and log |noise|."""
    apart = np.abs(np.subtract.outer(days, days))
    wander = GRID_WANDER[:, None, None]
    noise = (1 - wander) * np.eye(len(days)) + wander * GRID_PERSISTENCE[:, None, None] ** apart
    root = np.linalg.cholesky(noise)
    return np.linalg.inv(root), 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)


@dataclass(frozen=True)
class Mixture:
    """A mixture of t distributions of one number, one of each point of the grid."""

    weights: Floats
    centres: Floats
    scales: Floats
    freedom: int

    def below(self, x: float) -> float:
        """The probability of a number below `x`."""
        return float(self.weights @ special.stdtr(self.freedom, (x - self.centres) / self.scales))

    def quantile(self, q: float) -> float:
        """The number that the share `q` lies below."""
        # That of the mixture lies between those of its parts.
        each = self.centres + self.scales * special.stdtrit(self.freedom, q)
        slack = 1e-6 * self.scales.max()
        low, high = each.min() - slack, each.max() + slack
        return float(optimize.brentq(lambda x: self.below(x) - q, low, high, xtol=1e-12))


@dataclass(frozen=True)
class Fit:
    """Generalised least squares of the days on a design, at each of the g points of the grid.

    `coefficients` is g x p, `covariances` g x p x p; `weights` are the g posterior probabilities.
    """

    weights: Floats
    coefficients: Floats
    covariances: Floats
    freedom: int

    @classmethod
    def of(cls, days: Ints, levels: Floats, design: Floats, white: float) -> "Fit":
        """With flat priors on the coefficients and on the logarithm of the deviation.

        `design` (days x p) has full rank; `white` is the prior of plain white noise.
        """
        whiten, log_noise = _whitening(tuple((days - days[0]).tolist()))
        x, y = whiten @ design, whiten @ levels
        normal = x.transpose(0, 2, 1) @ x
        inverse = np.linalg.inv(normal)
        coefficients = (inverse @ (x.transpose(0, 2, 1) @ y[:, :, None]))[:, :, 0]
        left = y - (x @ coefficients[:, :, None])[:, :, 0]
        freedom = len(days) - design.shape[1]
        variance = (left**2).sum(axis=1) / freedom + FLOOR**2
        log_weight = np.log(_prior(white)) - (log_noise + np.linalg.slogdet(normal)[1] + freedom * np.log(variance)) / 2
        weights = np.exp(log_weight - log_weight.max())
        return cls(weights / weights.sum(), coefficients, inverse * variance[:, None, None], freedom)

    def of_contrast(self, contrast: Floats) -> Mixture:
        """The distribution of a sum of coefficients; `contrast` has a factor for each."""
        scales = np.sqrt(contrast @ self.covariances @ contrast)
        return Mixture(self.weights, self.coefficients @ contrast, scales, self.freedom)

    @property
    def wander(self) -> float:
        """The expected share of wander."""
        return float(self.weights @ GRID_WANDER)


@dataclass(frozen=True)
class Model:
    """One series in segments: its `days`, their `levels` and `segment`, and `control`, a row a day, maybe no column."""

    days: Ints
    levels: Floats
    segment: Ints
    control: Floats

    @classmethod
    def of(cls, hours: Hours, segment: Ints, control: pd.Series | None) -> "Model":
        """From the hours and the segment of each."""
        if not len(segment):
            return cls(hours.day, hours.level, segment, np.empty((0, 0)))
        dense = np.unique(segment, return_inverse=True)[1]
        days, levels = Rhythm.of(hours, dense).days(hours, dense)
        known, first = np.unique(hours.day, return_index=True)
        model = cls(days, levels, segment[first[np.isin(known, days)]], np.empty((len(days), 0)))
        return model if control is None else model._with(control)

    def _with(self, control: pd.Series) -> "Model":
        """With the control, unless it lacks too many days or cannot be told from the steps."""
        hours = Hours.of(control)
        hours = hours[np.isin(hours.day, self.days)]
        if not len(hours.day):
            return self
        whole = np.zeros(len(hours.day), dtype=np.int64)
        days, levels = Rhythm.of(hours, whole).days(hours, whole)
        if len(days) < CONTROL_DAYS * len(self.days):
            return self
        levels = np.interp(self.days, days, levels)
        # Taken as it is, the control's own noise would hide half of a shift that both series see.
        slow = _running_median(levels)
        columns = [each - each.mean() for each in (slow, levels - slow) if np.ptp(each) > FLOOR]
        if not columns:
            return self
        model = replace(self, control=np.column_stack(columns))
        return model if _whole(model.design) else self

    @property
    def design(self) -> Floats:
        """A level for each segment, then the control, then the weekdays."""
        segments = (self.segment[:, None] == np.unique(self.segment)).astype(np.float64)
        others = np.column_stack([segments, self.control])
        design = np.column_stack([others, _weekdays(self.days)])
        # Where only Mondays came before and only Tuesdays after, the step is all that can be had.
        return design if _whole(design) else others

    def count(self, segment: int) -> int:
        """The days of a segment."""
        return int((self.segment == segment).sum())

    def judgeable(self, first: int, last: int) -> bool:
        """Whether the step from one segment to another has days enough."""
        return self.count(first) >= MIN_DAYS_BEFORE and self.count(last) >= MIN_DAYS_AFTER

    @cached_property
    def fit(self) -> Fit:
        """The levels of the segments first."""
        return Fit.of(self.days, self.levels, self.design, WHITE_STEP)

    def change(self, first: int, last: int) -> Change:
        """The step from one segment to another; TooFewDaysError where one is too short."""
        if not self.judgeable(first, last):
            raise TooFewDaysError(self.count(first), self.count(last))
        contrast = np.zeros(self.fit.coefficients.shape[1])
        present = np.unique(self.segment)
        contrast[: len(present)] = (present == last) * 1.0 - (present == first)
        step = self.fit.of_contrast(contrast)
        low, middle, likely, high = (step.quantile(q) for q in (0.025, 0.5, LIKELY, 0.975))
        below = step.below(0.0)
        return Change(
            effect=float(np.expm1(middle)),
            low=float(np.expm1(low)),
            high=float(np.expm1(high)),
            p=2 * min(below, 1 - below),
            # A fall is seen if the end of an interval, as wide as this, is below zero.
            detectable=float(-np.expm1(-(high - middle) - (likely - middle))),
            days_before=self.count(first),
            days_after=self.count(last),
            controlled=self.control.shape[1] > 0,
            wander=self.fit.wander,
        )


def _whole(design: Floats) -> bool:
    """Whether the columns can be told apart, with days to spare."""
    columns = int(design.shape[1])
    return columns < len(design) and int(np.linalg.matrix_rank(design)) == columns


def _running_median(levels: Floats) -> Floats:
    """Over a week, shorter at the ends: it takes noise off and keeps a shift sharp."""
    return np.array([np.median(levels[max(0, n - 3) : n + 4]) for n in range(len(levels))])


def _weekdays(days: Ints) -> Floats:
    """A column for each weekday that occurs but the last, such that a level is that of all weekdays alike."""
    each: Floats = (weekday(days)[:, None] == np.unique(weekday(days))).astype(np.float64)
    return each[:, :-1] - each[:, -1:]


def estimate_change(before: pd.Series, after: pd.Series, control: pd.Series | None = None) -> Change:
    """The change from one hourly (or finer) series to another, the day of the deploy left out.

    Days are those of the index's zone, one for all series. A day that both have is taken for that
    of the deploy and dropped. Only finite values above zero are used. `control` is one series over
    both, which the fix cannot have touched; it is left out where it lacks over a fifth of the days.
    TooFewDaysError below MIN_DAYS_BEFORE or MIN_DAYS_AFTER days with at least 12 hours, or half of
    the hours that the series usually has.
    """
    first, last = Hours.of(before), Hours.of(after)
    first, last = first[~np.isin(first.day, last.day)], last[~np.isin(last.day, first.day)]
    segment = np.repeat([0, 1], [len(first.day), len(last.day)])
    return Model.of(first + last, segment, control).change(0, 1)


def estimate_steps(values: pd.Series, dates: Sequence[date], control: pd.Series | None = None) -> Steps:
    """What each of several dates changed, in one model: measured each on its own, they would claim more than there is.

    `dates` are calendar days of the index's zone, in any order; the day of each is dropped. A step
    is judged by the days between its neighbours: `too_few` where they are fewer than
    `estimate_change` asks for. Such days still have a level of their own, so that they blur
    neither the other steps nor the total. For the incident guard of a step leave out of `values`
    the days that it shall not see.
    """
    ordered = sorted(set(dates))
    at = np.array([each.toordinal() - EPOCH for each in ordered], dtype=np.int64)
    hours = Hours.of(values)
    hours = hours[~np.isin(hours.day, at)]
    model = Model.of(hours, np.searchsorted(at, hours.day), control)
    numbered = list(enumerate(ordered))
    return Steps(
        {day: model.change(n, n + 1) for n, day in numbered if model.judgeable(n, n + 1)},
        {day: (model.count(n), model.count(n + 1)) for n, day in numbered if not model.judgeable(n, n + 1)},
        model.change(0, len(at)) if model.judgeable(0, len(at)) else None,
    )


def estimate_guarded(
    before: pd.Series, after: pd.Series, control: pd.Series | None = None
) -> tuple[Change, Change | None]:
    """The change, and the change without the last GUARD_DAYS days before: see `judge`.

    The second is None where too few days would remain.
    """
    change = estimate_change(before, after, control)
    days = pd.DatetimeIndex(before.index).tz_localize(None).normalize()
    try:
        return change, estimate_change(before[days <= days.max() - pd.Timedelta(days=GUARD_DAYS)], after, control)
    except TooFewDaysError:
        return change, None


def judge(change: Change, guard: Change | None, better: Better = "lower") -> Verdict:
    """What may be claimed: a direction only where the whole interval is on that side of zero.

    A fix shipped amid an incident that would have healed anyway looks like a win. So of an
    improvement most must remain for the `guard`, the estimate without the week before; else it
    is "unusual" and waits for somebody's reason, and so it does where there was no guard. A
    regression needs none: a good week before is no excuse for what is slow after.
    """
    sign = 1 if better == "lower" else -1
    low, high = sorted((sign * change.low, sign * change.high))
    if low > 0:
        return "regressed"
    if high >= 0:
        return "undetected"
    agrees = guard is not None and np.log1p(guard.effect) / np.log1p(change.effect) >= GUARD_KEEPS
    return "improved" if agrees else "unusual"


def estimate_level(days: pd.Series) -> Level:
    """The typical level of positive daily values, such as the share of the time that a component takes.

    `days` has one value a day and a DatetimeIndex. By the same noise of days as that of a change;
    weekdays are told apart from three weeks on. TooFewDaysError below MIN_DAYS_LEVEL.
    """
    hours = Hours.of(days)
    if len(hours.day) < MIN_DAYS_LEVEL:
        raise TooFewDaysError(len(hours.day), 0)
    one = np.ones((len(hours.day), 1))
    _, times = np.unique(weekday(hours.day), return_counts=True)
    design = np.column_stack([one, _weekdays(hours.day)]) if times.min() >= 3 else one
    level = Fit.of(hours.day, hours.level, design, WHITE_LEVEL).of_contrast(np.eye(design.shape[1])[0])
    low, value, high = (float(np.exp(level.quantile(q))) for q in (0.025, 0.5, 0.975))
    return Level(value, low, high, len(hours.day))
