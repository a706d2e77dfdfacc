"""Calendar days and hours of the week, in a zone whose days have 23 to 25 hours."""

from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd


def day_starts(times: pd.DatetimeIndex, zone: ZoneInfo) -> pd.DatetimeIndex:
    """The start, in UTC, of the calendar day of `zone` that each of the (aware) `times` falls on."""
    local = times.tz_convert(zone)
    # By way of naive days: where midnight itself is skipped by a change of the clock, the
    # day begins with its first moment that exists.
    days = local.tz_localize(None).normalize()
    starts = days.tz_localize(zone, nonexistent="shift_forward", ambiguous=np.ones(len(days), dtype=bool))
    return starts.tz_convert("UTC").rename("time")


def hour_of_week(times: pd.DatetimeIndex, zone: ZoneInfo) -> npt.NDArray[np.int64]:
    """0 (Monday, midnight to one) to 167 (Sunday, eleven to midnight), in `zone`."""
    local = times.tz_convert(zone)
    return np.asarray(local.day_of_week * 24 + local.hour, dtype=np.int64)
