"""Mathematics on telemetry: touches no file, knows no story."""

from ingest.stats.days import day_starts, hour_of_week
from ingest.stats.histograms import Buckets, Range, Share

__all__ = ["Buckets", "Range", "Share", "day_starts", "hour_of_week"]
