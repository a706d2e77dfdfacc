"""Windows that are asked for one by one against one fetch, on real servers: every bit must be the same."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from ingest.sources import prometheus
from ingest.sources.base import Window, tidy
from ingest.sources.prometheus import PrometheusOptions, PrometheusSource
from ingest.story import Series
from tests.servers import running_prometheus, running_victoria_metrics

END = datetime(2026, 10, 31, tzinfo=UTC)
STEP = timedelta(minutes=5)
DAY = timedelta(days=1) // STEP
ROWS = 10_000
LEFT = 7_000
"""How many of them have values at least: the rest are outages."""
PIECES = (4_999, 997, DAY)
SERVERS: dict[str, Callable[[str, Path], AbstractContextManager[str]]] = {
    "Prometheus": running_prometheus,
    "VictoriaMetrics": running_victoria_metrics,
}
ASKED = Series.model_validate(
    {
        "source": "it", "kind": "histogram",
        "query": "sum by (le) (increase(m_bucket[15m]))", "sum": "sum(increase(m_sum[15m]))",
    }
)  # fmt: skip


def history(rows: int, buckets: int, seed: int = 1) -> str:
    """A classic histogram of so many buckets, scraped late, not at all, and from zero again after restarts.

    Scrapes are missed, some alone, now and then half an hour of them, and some hours up to most of a
    day, which are about where a day's refresh begins. Sums are of quarters of a second: VictoriaMetrics
    adds up what went before a restart from the beginning of what it reads, and rounds other sums
    otherwise, in the twelfth digit.
    """
    random = np.random.default_rng(seed)
    bounds = [*(f"{number / 8:g}" for number in range(1, buckets)), "+Inf"]
    scrapes = rows + DAY + 12
    number = np.arange(scrapes)
    late = np.where(random.random(scrapes) < 0.1, random.integers(0, 250, scrapes), 0)
    times = int(END.timestamp()) - int(STEP.total_seconds()) * number[::-1] - 260 + late
    counts, totals = random.poisson(3, (scrapes, buckets)), np.rint(random.exponential(40, scrapes)) / 4
    for life in np.array_split(number, 1 + rows // 1_200):
        counts[life] = counts[life].cumsum(axis=0)
        totals[life] = totals[life].cumsum()
    missed = (random.random(scrapes) < 0.02) | (number // 7 % 97 == 0)
    for day in range(DAY, scrapes, 2 * DAY):
        begin, length = day - random.integers(0, DAY // 2), random.integers(1, DAY - 6)
        missed[begin : begin + length] = True
    table = np.column_stack([counts.cumsum(axis=1), totals])[~missed].tolist()
    names = [*(f'm_bucket{{le="{bound}"}}' for bound in bounds), "m_sum"]
    lines = (
        f"{name} {value!r} {time}"
        for time, row in zip(times[~missed].tolist(), table, strict=True)
        for name, value in zip(names, row, strict=True)
    )
    return "\n".join(["# TYPE m histogram", *lines, "# EOF", ""])


def compare(server: str, rows: int, buckets: int, pieces: tuple[int, ...] = PIECES) -> Iterator[tuple[str, bool]]:
    """What was compared, and whether it was the same, for windows of so many steps, and for a refresh a day."""
    window = Window(END - rows * STEP, END, STEP)
    with tempfile.TemporaryDirectory() as folder, SERVERS[server](history(rows, buckets), Path(folder)) as url:
        source = PrometheusSource("it", PrometheusOptions.model_validate({"url": url, "timeout": "300s"}), {}, Path())
        # First, as a cache that served them would be filled by one fetch.
        daily = pd.concat([_rows(source, each) for each in _days(window)])
        whole = _rows(source, window)
        for piece in pieces:
            with patch.object(prometheus, "POINTS", piece + 2 * DAY):
                split = _rows(source, window)
            yield (
                f"{server}: {split.size:,} points in windows of {piece:,} steps against one fetch",
                _same(whole, split),
            )
        same = _same(_known(whole, daily), daily)
        yield f"{server}: {daily.size:,} points of a refresh a day against one fetch", same
        source.close()


def _days(window: Window) -> Iterator[Window]:
    start = window.start
    while start < window.end:
        yield Window(start, min(start + DAY * STEP, window.end), STEP)
        start += DAY * STEP


def _rows(source: PrometheusSource, window: Window) -> pd.DataFrame:
    return tidy(source.fetch(ASKED, window), window).rows


def _known(whole: pd.DataFrame, daily: pd.DataFrame) -> pd.DataFrame:
    """What could be known day by day: zeros of VictoriaMetrics that only a sample of the next day tells are not."""
    return whole[whole.index.isin(daily.index) | (whole != 0).any(axis=1)]


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    same = one.index.equals(other.index) and one.columns.equals(other.columns)
    return same and one.to_numpy().tobytes() == other.to_numpy().tobytes()
