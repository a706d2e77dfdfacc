"""Open stories whose numbers are easy to reckon with."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from ingest.evidence import Facts, gather
from ingest.pins import Between, Pins, Tested
from ingest.story import Test
from tests.ingest.evidence.samples import configuration, histogram, stored, story

START = datetime(2026, 9, 7, tzinfo=UTC)
"""A Monday, with which the data begins."""
WEEKS = 4
NOW = START + WEEKS * timedelta(days=7)
WINDOW = {"from": "2026-09-07", "to": "2026-09-13"}
SHARE = {"share": "part", "of": "whole", "at_least": "1 %", **WINDOW}


def series_text(name: str, kind: str = "histogram", **more: str) -> str:
    about = {"source": "prod", "kind": kind, "query": "q", "unit": "s", **more}
    return f"  {name}: {{{', '.join(f'{key}: {value}' for key, value in about.items())}}}"


def rows(hours_a_week: float, weeks: float = WEEKS, start: datetime = START) -> pd.DataFrame:
    """A histogram an hour whose sums come to so many hours a week."""
    made = histogram([[1.0]] * round(weeks * 168), start)
    return made.assign(sum=hours_a_week * 3600 / 168)


def hypothesis(test: dict[str, Any] | None, verdict: str = "open", name: str = "h1") -> dict[str, Any]:
    about = {"id": name, "because": "a lock", "written": "2026-09-01", "verdict": verdict}
    return about | ({"test": test} if test else {}) | ({"decided": "2026-09-20"} if verdict != "open" else {})


def pin(test: dict[str, Any], low: float, value: float, high: float, **more: Any) -> Tested:
    made: dict[str, Any] = {
        "format": 1, "method": "1", "stated": date(2026, 9, 20), "data_until": NOW, "series": {}, "about": "hypothesis",
        "test": Test.model_validate(test), "figure": "share" if "share" in test else "mean",
        "effect": Between(low=low, value=value, high=high), "days": 7, "hours_present": 1.0, "verdict": "confirmed",
        **more,
    }  # fmt: skip
    return Tested(**made)


def facts(
    slug: str = "slow",
    *,
    hours: float | None = 100,
    effort: str = "",
    status: str = "testing",
    telemetry: tuple[str, ...] = (series_text("whole", title="The page"), series_text("part", title="The lock")),
    data: Mapping[str, pd.DataFrame] | None = None,
    hypotheses: tuple[dict[str, Any], ...] = (),
    pins: dict[str, Tested] | None = None,
    more: str = "",
    title: str = "",
) -> Facts:
    """A story whose first series, `whole`, takes so many hours a week."""
    front = "\n".join(["telemetry:", *telemetry]) if telemetry else "reports: [{date: 2026-09-01, said: slow}]"
    if effort:
        box = f"{{date: 2026-09-02, question: Why?, budget: 2h, outcome: A lock., effort: {effort}}}"
        front += f"\ntimeboxes: [{box}]"
    if hypotheses:
        front += f"\nhypotheses: {[*hypotheses]}".replace("None", "null")
    read = story(f"{front}\n{more}", slug, status)
    if title:
        read = replace(read, front=read.front.model_copy(update={"title": title}))
    held = data if data is not None else {"whole": rows(hours)} if hours else {}
    config = configuration()
    snapshots = {name: stored(frame, read.series[name]) for name, frame in held.items() if name in read.series}
    return gather(read, config, snapshots, {}, (), NOW, pins=Pins(tested=pins or {}))


def shared(slug: str, hours: float, effort: str = "", *, spread: float = 1.0, **more: Any) -> Facts:
    """A story of which a confirmed half could be won; `spread` is how many times the ends are apart."""
    about = pin(SHARE, 0.5 / spread, 0.5, min(1.0, 0.5 * spread))
    return facts(
        slug, hours=2 * hours, effort=effort, hypotheses=(hypothesis(SHARE, "confirmed"),), pins={"h1": about},
        **{"status": "confirmed", "title": slug.capitalize(), **more},
    )  # fmt: skip
