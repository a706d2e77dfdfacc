"""Stories, configurations and rows that are easy to reckon with."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ingest.evidence import Attempt, SeriesFacts, Stored
from ingest.evidence.series import series_facts
from ingest.settings import Configuration, Freshness, SourceConfig, read_settings, read_sources
from ingest.snapshots import make_snapshot
from ingest.story import Series, Story, read_story

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
START = datetime(2026, 8, 31, tzinfo=UTC)
"""A Monday."""
BOUNDS = (0.1, 0.5, 1.0, float("inf"))


def story(front: str = "", slug: str = "slow", status: str = "reported") -> Story:
    """A story with this front matter below its title and status, and nothing wrong with it."""
    read = read_story(slug, f"stories/{slug}.md", f"---\ntitle: T\nstatus: {status}\n{front}\n---\n".encode(), {})
    assert read.problems == ()
    return read


def configuration(settings: str = "", sources: str = "prod: {kind: demo, title: Production}") -> Configuration:
    made, _, problems = read_settings(settings.encode())
    found, more = read_sources(sources.encode())
    assert problems + more == []
    return Configuration(made, found)


def source(step: timedelta = HOUR) -> SourceConfig:
    seconds = int(step.total_seconds())
    return configuration(sources=f"prod: {{kind: demo, title: Production, step: {seconds}s}}").sources["prod"]


def series(kind: str = "gauge", **more: Any) -> Series:
    return Series.model_validate({"source": "prod", "kind": kind, "query": "q", "unit": "s", **more})


def values(numbers: Sequence[float], start: datetime = START, step: timedelta = HOUR) -> pd.DataFrame:
    """Rows of any kind but histogram."""
    index = pd.date_range(start, periods=len(numbers), freq=step, name="time", unit="s")
    return pd.DataFrame({"value": np.array(numbers, dtype=float)}, index=index)


def histogram(hours: Sequence[Sequence[float]], start: datetime = START, step: timedelta = HOUR) -> pd.DataFrame:
    """Rows of the samples that came within each hour."""
    index = pd.date_range(start, periods=len(hours), freq=step, name="time", unit="s")
    counts = [[sum(sample <= bound for sample in hour) for bound in BOUNDS] for hour in hours]
    columns = ["le=0.1", "le=0.5", "le=1", "le=+Inf"]
    rows = pd.DataFrame(np.array(counts, dtype=float).reshape(len(hours), len(BOUNDS)), index, columns)
    return rows.assign(sum=[float(sum(hour)) for hour in hours])


def stored(rows: pd.DataFrame, of: Series, step: timedelta = HOUR, **about: Any) -> Stored:
    """A snapshot of rows that were asked for up to their end."""
    start = rows.index[0].to_pydatetime() if len(rows) else START
    end = rows.index[-1].to_pydatetime() + step if len(rows) else START
    made: dict[str, Any] = {
        "source": of.source, "query": "q", "query_hash": of.fingerprint(step), "kind": of.kind, "unit": of.unit,
        "fetched_at": end, "partial": False, "warnings": (), "window": (start, end), **about,
    }  # fmt: skip
    return Stored(make_snapshot(rows, made.pop("window"), step, **made))


def facts(
    of: Series,
    rows: pd.DataFrame | None = None,
    *,
    holds: Stored | None = None,
    attempt: Attempt | None = None,
    quantile: float = 0.5,
    zone: ZoneInfo = UTC_ZONE,
    step: timedelta = HOUR,
    now: datetime | None = None,
) -> SeriesFacts:
    """The facts of one series; by default its data ends now."""
    found = holds or stored(values([]) if rows is None else rows, of, step)
    until = found.snapshot.manifest.data_until if found.snapshot else START
    return series_facts("slow", "requests", of, source(step), found, attempt, quantile, zone, Freshness(), now or until)
