"""Whether a gain still holds, looked at every day without crying wolf.

A cumulative sum (Page, 1954) of how far each day lies above the days on which the fix was
judged. A plain test repeated daily raises an alarm sooner or later, and days wander, so the
threshold is high, the deviation is inflated for the days' autocorrelation, and the target is
raised by its own standard error.
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from ingest.stats.change import EPOCH, MIN_DAYS_AFTER, Better, Floats, Hours, Ints, Rhythm, TooFewDaysError

SLACK = 0.5
ALARM = 10.0
"""Both in standard deviations of a day; the usual 5 would be for days that do not wander."""

LEAST_DEVIATION = 0.01
"""Of a day, in logarithms: of a series as good as constant, no thousandth is a loss."""


@dataclass(frozen=True)
class Watch:
    """The day of the alarm (`lost`), the day `since` which it built up, and how many days were looked at.

    Without an alarm both are None.
    """

    lost: date | None
    since: date | None
    days: int


def watch(values: pd.Series, judged_until: date, better: Better = "lower") -> Watch:
    """Looks, one by one, at the days after `judged_until` for a gain that was lost.

    `values` are hourly or finer, from the day after the deploy on, with days of the index's zone;
    the days up to `judged_until` set the shape of a day, the target and its deviation. An answer
    about a day depends on no later one. Beside an alarm show the gain of today: `estimate_change`
    with the last 14 days for after. TooFewDaysError below MIN_DAYS_AFTER days to judge by.
    """
    hours = Hours.of(values)
    until = judged_until.toordinal() - EPOCH
    judged = hours[hours.day <= until]
    if not len(judged.day):
        raise TooFewDaysError(0, 0)
    rhythm = Rhythm.of(judged, np.zeros(len(judged.day), dtype=np.int64))
    days, levels = _days(hours, rhythm)
    levels = levels if better == "lower" else -levels
    baseline, later = levels[days <= until], days[days > until]
    if len(baseline) < MIN_DAYS_AFTER:
        raise TooFewDaysError(0, len(baseline))
    deviation = _deviation(baseline)
    target = float(baseline.mean()) + deviation / np.sqrt(len(baseline))
    alarm = _alarm((levels[days > until] - target) / deviation)
    if alarm is None:
        return Watch(None, None, len(later))
    lost, since = (date.fromordinal(int(later[n]) + EPOCH) for n in alarm)
    return Watch(lost, since, len(later))


def _days(hours: Hours, rhythm: Rhythm) -> tuple[Ints, Floats]:
    """What sticks out is clipped around its own day: around the judged ones, a loss would be clipped too."""
    place = np.unique(hours.day, return_inverse=True)[1]
    medians = pd.Series(hours.level - rhythm.slots[hours.slot]).groupby(place).median()
    return replace(rhythm, levels=np.asarray(medians, dtype=np.float64)).days(hours, place)


def _deviation(levels: Floats) -> float:
    """The standard deviation of days, inflated as if they were the AR(1) that they look like, and a little more."""
    left = levels - levels.mean()
    square = left @ left
    if square == 0:
        return LEAST_DEVIATION
    # Two weeks hardly tell how alike neighbours are, so the lower bound is that of a wander.
    alike = np.clip((left[1:] @ left[:-1]) / square + 0.15, 0.55, 0.7)
    return max(float(levels.std(ddof=1) * np.sqrt((1 + alike) / (1 - alike))), LEAST_DEVIATION)


def _alarm(above: Floats) -> tuple[int, int] | None:
    """Which day raises the alarm, and the first of those that led up to it."""
    total, since = 0.0, 0
    for n, each in enumerate(above):
        if total == 0:
            since = n
        total = max(0.0, total + float(each) - SLACK)
        if total > ALARM:
            return n, since
    return None
