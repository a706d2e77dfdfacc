"""Facts of small stories, whose charts are drawn."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from ingest.evidence import Facts, Stored, gather
from ingest.settings import Configuration, Settings
from ingest.snapshots import make_snapshot
from tests.ingest.bases import read

FIRST = datetime(2026, 8, 31, 22, tzinfo=UTC)
"""The first moment of 1 September, a Tuesday, in Berlin."""
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5)

LEAST = """\
title: Campaign list is slow
status: reported
reports: [{date: 2026-09-01, said: it spins}]
"""
HISTOGRAM = "{source: prod, kind: histogram, metric: m, unit: s, title: Time to the list}"


def facts_of(front: str, rows: dict[str, pd.DataFrame], zone: str = "Europe/Berlin") -> Facts:
    """The facts of a story with this front matter below `LEAST`; `rows` are those of its series."""
    story = read(LEAST + front)
    assert not story.problems, story.problems
    now = max((frame.index[-1] for frame in rows.values() if len(frame)), default=FIRST) + timedelta(hours=1)
    stored = {}
    for name, frame in rows.items():
        step = frame.index[1] - frame.index[0] if len(frame) > 1 else timedelta(hours=1)
        series = story.series[name]
        snapshot = make_snapshot(
            frame, (FIRST, now), step, source="prod", query="q", query_hash=series.fingerprint(step),
            kind=series.kind, unit=series.unit, fetched_at=now, partial=False, warnings=(),
        )  # fmt: skip
        stored[name] = Stored(snapshot)
    settings = Settings.model_validate({"timezone": zone})
    return gather(story, Configuration(settings, {}), stored, {}, (), now)


def times(count: int, start: datetime = FIRST, step: str = "1h") -> pd.DatetimeIndex:
    """The starts of so many steps."""
    return pd.date_range(start, periods=count, freq=step, name="time")


def histograms(
    index: pd.DatetimeIndex, buckets: Callable[[datetime], Sequence[float]], bounds: Sequence[float] = BOUNDS
) -> pd.DataFrame:
    """A histogram a step; `buckets` says how many requests each bucket has, the open one last."""
    each = np.array([buckets(at.to_pydatetime()) for at in index], dtype="float64")
    names = [f"le={bound:g}" for bound in bounds] + ["le=+Inf"]
    middles = np.array([*(bound * 0.75 for bound in bounds), 1.5 * max(bounds, default=1.0)])
    frame = pd.DataFrame(each.cumsum(axis=1), index=index, columns=names)
    return frame.assign(sum=each @ middles)


def values(index: pd.DatetimeIndex, value: Callable[[datetime], float]) -> pd.DataFrame:
    """A value a step."""
    return pd.DataFrame({"value": [float(value(at.to_pydatetime())) for at in index]}, index=index)
