"""Mathematics on telemetry: touches no file, knows no story."""

from ingest.stats.change import (
    GUARD_DAYS,
    METHOD,
    MIN_DAYS_AFTER,
    MIN_DAYS_BEFORE,
    Better,
    Change,
    Level,
    Steps,
    TooFewDaysError,
    Verdict,
    estimate_change,
    estimate_guarded,
    estimate_level,
    estimate_steps,
    judge,
)
from ingest.stats.days import day_starts, hour_of_week
from ingest.stats.histograms import Buckets, Range, Share
from ingest.stats.totals import Interval, gain_factor, saved, total_of
from ingest.stats.watch import Watch, watch

__all__ = [
    "GUARD_DAYS",
    "METHOD",
    "MIN_DAYS_AFTER",
    "MIN_DAYS_BEFORE",
    "Better",
    "Buckets",
    "Change",
    "Interval",
    "Level",
    "Range",
    "Share",
    "Steps",
    "TooFewDaysError",
    "Verdict",
    "Watch",
    "day_starts",
    "estimate_change",
    "estimate_guarded",
    "estimate_level",
    "estimate_steps",
    "gain_factor",
    "hour_of_week",
    "judge",
    "saved",
    "total_of",
    "watch",
]
