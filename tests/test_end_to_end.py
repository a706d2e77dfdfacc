"""From a story and a real Prometheus to a published page, by the commands alone."""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from tests.commands import files_of, perfkb, succeed
from tests.servers import HISTORY_END, Asked, FaultServer, Reply

DAY = timedelta(days=1)
BEFORE = int((HISTORY_END - DAY).timestamp())
NOW = int(HISTORY_END.timestamp())
CHOSEN = HISTORY_END - 10 * DAY
STORY = """---
title: Campaigns page spins
status: reported
reports:
  - {date: 2026-10-01, said: page spins, customers: 2}
telemetry:
  requests:
    source: prod
    kind: histogram
    metric: http_request_duration_seconds
    match: {route: /campaigns}
    unit: s
slo: {series: requests, quantile: 0.95, below: 500 ms}
---

![Requests to the campaigns page](campaigns-page-spins/requests.svg)
"""


@dataclass
class Base:
    """A knowledge base whose source is a real Prometheus, seen through a server that keeps a log."""

    root: Path
    server: FaultServer

    @property
    def site(self) -> Path:
        return self.root / "site"

    def asked(self) -> list[tuple[int, int]]:
        """The first and last moment of each query, in the order in which they came."""
        return [(int(float(each.params["start"])), int(float(each.params["end"]))) for each in self.server.asked]


@pytest.fixture(scope="module")
def base(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """`perfkb init`, a source, a story, and two refreshes, a day apart."""
    root = tmp_path_factory.mktemp("end-to-end") / "kb"
    succeed("init", root)
    shutil.rmtree(root / "stories")
    (root / "stories").mkdir()
    (root / "stories/campaigns-page-spins.md").write_text(STORY)
    session = requests.Session()
    session.trust_env = False

    def forward(asked: Asked) -> Reply:
        answer = session.get(prometheus + asked.path, params=asked.params, timeout=30)
        return Reply(answer.content, answer.status_code, {"Content-Type": "application/json"})

    with session, FaultServer({"/api/v1/query_range": forward}) as server:
        (root / "site-config/sources.yml").write_text(
            f"prod: {{kind: prometheus, url: '{server.url}', history: 42d}}\n"
        )
        made = Base(root, server)
        succeed("-C", root, "refresh", now=BEFORE)
        succeed("-C", root, "refresh", now=NOW)
        succeed("-C", root, "build", now=NOW)
        yield made


def test_a_day_is_what_prometheus_says(base: Base, prometheus: str) -> None:
    """The p95 that the site states for a day is PromQL's, over the same 24 hourly increases, to 1e-9."""
    with (base.site / "stories/campaigns-page-spins/requests.days.csv").open() as file:
        stated = {row["time"]: float(row["value"]) for row in csv.DictReader(file)}
    buckets = 'sum by (le) (increase(http_request_duration_seconds_bucket{route="/campaigns"}[1h]))'
    query = f"histogram_quantile(0.95, sum by (le) (sum_over_time({buckets}[23h30m:1h])))"
    moment = (CHOSEN + DAY).timestamp()
    answer = requests.get(f"{prometheus}/api/v1/query", params={"query": query, "time": str(moment)}, timeout=30)
    expected = float(answer.json()["data"]["result"][0]["value"][1])
    assert stated[f"{CHOSEN:%Y-%m-%dT%H:%M:%SZ}"] == pytest.approx(expected, rel=1e-9, abs=0)


def test_a_second_refresh_asks_only_for_new_steps(base: Base) -> None:
    """A first refresh reaches back as far as `history`; the next begins a day before the data ends."""
    first, second = base.asked()[:2], base.asked()[2:4]
    hour, day = 3600, 86400
    # A value at t is about the hour before t.
    assert set(first) == {(BEFORE - 43 * day + hour, BEFORE)}
    assert set(second) == {(BEFORE - day + hour, NOW)}


def test_the_page_shows_the_chart_and_its_provenance(base: Base) -> None:
    """The page holds the chart inline, the query it was made from, and the age of its data."""
    page = (base.site / "stories/campaigns-page-spins/index.html").read_text()
    assert "<svg" in page
    assert "http_request_duration_seconds_bucket{route=&#34;/campaigns&#34;}[1h]" in page
    assert "up to date" in page
    assert "of hours" in page  # the share over the goal


def test_pages_stay_and_say_how_old_they_are(base: Base) -> None:
    """With the server gone, the snapshot stays byte for byte, and the page says its age and why."""
    before = files_of(base.root / ".snapshots/campaigns-page-spins")
    dead = base.root.parent / "dead"
    shutil.copytree(base.root, dead)
    (dead / "site-config/sources.yml").write_text("prod: {kind: prometheus, url: 'http://127.0.0.1:9', history: 42d}\n")
    later = NOW + 60 * 3600
    refreshed = perfkb("-C", dead, "refresh", now=later)
    assert refreshed.returncode == 1
    assert "campaigns-page-spins/requests" in refreshed.stderr
    assert "kept: prod (127.0.0.1:9) cannot be reached" in refreshed.stderr
    assert files_of(dead / ".snapshots/campaigns-page-spins") == before
    succeed("-C", dead, "build", now=later)
    page = (dead / "site/stories/campaigns-page-spins/index.html").read_text()
    assert "60\u00a0h old" in page
    assert "The last refresh failed: " in page
    assert "<svg" in page


def test_two_builds_are_byte_identical(base: Base) -> None:
    """The same stories, snapshots and SOURCE_DATE_EPOCH give the same bytes."""
    succeed("-C", base.root, "build", "--site-dir", base.root / "again", now=NOW, PYTHONHASHSEED="7")
    again = files_of(base.root / "again")
    shutil.rmtree(base.root / "again")
    succeed("-C", base.root, "build", now=NOW, PYTHONHASHSEED="8")
    assert again == files_of(base.site)
    assert any(name.endswith(".svg") for name in again)


def test_a_refused_query_is_shown_with_its_line(base: Base) -> None:
    """What Prometheus says of a bad query stands beside the story's file and line."""
    broken = base.root.parent / "broken"
    shutil.copytree(base.root, broken)
    story = broken / "stories/campaigns-page-spins.md"
    text = story.read_text().replace(
        "    metric: http_request_duration_seconds\n    match: {route: /campaigns}\n",
        "    query: sum by (le) (increase(x[1h])\n    sum: sum(increase(y[1h]))\n",
    )
    story.write_text(text)
    refreshed = perfkb("-C", broken, "refresh", now=NOW)
    assert refreshed.returncode == 1
    assert "stories/campaigns-page-spins.md:7:3: " in refreshed.stderr
    assert "unclosed left parenthesis" in refreshed.stderr
    assert "Traceback" not in refreshed.stderr
