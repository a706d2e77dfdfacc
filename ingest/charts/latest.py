"""The last two weeks of a series, step by step."""

from datetime import timedelta

from ingest.charts.base import Chart
from ingest.charts.series import Window, draw_window
from ingest.evidence import Facts

DAYS = 14


def draw(facts: Facts, name: str) -> Chart:
    """The last days with data; a placeholder without any."""
    return draw_window(facts, name, "latest", window_of_last(facts, name), "There is no data yet.")


def window_of_last(facts: Facts, name: str) -> Window | None:
    """The last days that have data."""
    series = facts.series[name]
    if series.hours.empty:
        return None
    end = series.hours.index[-1].to_pydatetime() + series.step
    return Window(end - timedelta(days=DAYS), end, f"the last {DAYS} days with data")
