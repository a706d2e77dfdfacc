"""Weeks of telemetry whose truth is known, and what is found in them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from ingest.evidence import FixFacts, SeriesFacts, Sibling
from ingest.evidence.fixing import fix_facts
from ingest.pins import Between, Judged, Looked, Tested
from ingest.stats import METHOD
from ingest.story import Fix, Goal, Test
from tests.ingest.evidence.samples import DAY, HOUR, UTC_ZONE, facts, series, values

Floats = npt.NDArray[np.float64]

FIRST = datetime(2026, 8, 3, tzinfo=UTC)
"""A Monday, four weeks before `SHIPPED`."""
SHIPPED = date(2026, 8, 31)
DUE = datetime(2026, 9, 15, 12, tzinfo=UTC)
"""On the fifteenth day after it."""
EDGES = tuple(float(f"{0.05 * 1.25**n:.4g}") for n in range(30))


def levels(*stretches: tuple[int, float], noise: float = 0.03, seed: int = 1, per_day: int = 24) -> Floats:
    """So many days at each level, with the shape of a day, and days and hours that differ a little."""
    chance = np.random.default_rng(seed)
    usual = np.repeat([level for _, level in stretches], [days * per_day for days, _ in stretches])
    shape = 1 + 0.3 * np.sin(np.arange(len(usual)) / per_day * 2 * np.pi)
    days = np.repeat(chance.normal(0, noise, len(usual) // per_day), per_day)
    return np.asarray(usual * shape * np.exp(days + chance.normal(0, noise, len(usual))))


def histograms(means: Floats, p95: Floats | None = None, traffic: float = 500, start: datetime = FIRST) -> pd.DataFrame:
    """An hour's requests by their mean; `p95` moves the buckets alone, and leaves the sum of the values."""
    index = pd.date_range(start, periods=len(means), freq="h", name="time", unit="s")
    middle = np.log((means if p95 is None else p95)[:, None])
    counts = np.column_stack([traffic * special.ndtr((np.log(EDGES) - middle) / 0.5), np.full(len(means), traffic)])
    rows = pd.DataFrame(counts.round(), index, [f"le={edge:g}" for edge in EDGES] + ["le=+Inf"])
    return rows.assign(sum=means * traffic)


def named(
    name: str,
    rows: pd.DataFrame | Sequence[float] | Floats,
    kind: str = "gauge",
    *,
    zone: ZoneInfo = UTC_ZONE,
    step: timedelta = HOUR,
    start: datetime = FIRST,
    **more: Any,
) -> SeriesFacts:
    """A series called `name` with these rows, or values from `start` on."""
    found = rows if isinstance(rows, pd.DataFrame) else values(list(rows), start, step)
    return replace(facts(series(kind, query=name, **more), found, zone=zone, step=step), name=name)


def fix(**written: Any) -> Fix:
    """A fix of the series `requests` that shipped at noon of `SHIPPED`."""
    return Fix.model_validate({"id": "f", "series": "requests", "shipped": "2026-08-31T12:00Z", **written})


def known(
    *of: SeriesFacts,
    now: datetime = DUE,
    pin: Judged | None = None,
    siblings: Sequence[Sibling] = (),
    goal: Goal | None = None,
    zone: ZoneInfo = UTC_ZONE,
    **written: Any,
) -> FixFacts:
    """What is known of `fix(**written)` with these series."""
    return fix_facts("slow", fix(**written), goal, {each.name: each for each in of}, pin, siblings, zone, now)


def judged(*of: SeriesFacts, **asked: Any) -> Judged:
    """What is stated of a fix when it is due."""
    found = known(*of, **asked)
    assert found.live is not None, found.why
    return found.live


def by_name(*of: SeriesFacts) -> Mapping[str, SeriesFacts]:
    return {each.name: each for each in of}


def written(**keys: Any) -> Test:
    """A test of two weeks from `FIRST` on, unless it says otherwise."""
    return Test.model_validate({"from": "2026-08-03", "to": "2026-08-16", "at_least": "50 %", **keys})


LOOKED = Looked(
    title="Requests", source="Production", query="q", query_hash="0", kind="histogram", unit="s", sha256="0" * 64
)


def statement(low: float = 0.6, high: float = 0.7, **changed: Any) -> Tested:
    """A pin of a share that holds all rules, unless `changed`."""
    made: dict[str, Any] = {
        "format": 1, "method": METHOD, "stated": date(2026, 8, 17), "data_until": FIRST + 14 * DAY,
        "series": {"part": LOOKED, "whole": LOOKED}, "about": "hypothesis",
        "test": written(share="part", of="whole"), "figure": "share",
        "effect": Between(value=round((low + high) / 2, 3), low=low, high=high),
        "days": 14, "hours_present": 1.0, "requests": 5000.0, "verdict": "confirmed", **changed,
    }  # fmt: skip
    return Tested(**made)
