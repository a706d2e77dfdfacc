"""The numbers beneath the charts, as CSV in full precision."""

import pandas as pd

from ingest.charts.base import csv_text
from ingest.evidence import SeriesFacts


def days_csv(series: SeriesFacts) -> str:
    """A series' days; a day is named by its start in UTC."""
    return _csv(series.days)


def hours_csv(series: SeriesFacts) -> str:
    """A series' steps."""
    return _csv(series.hours)


def _csv(frame: pd.DataFrame) -> str:
    rows = ([moment.to_pydatetime(), *row] for moment, row in zip(frame.index, frame.to_numpy(), strict=True))
    return csv_text(["time", *map(str, frame.columns)], rows)
