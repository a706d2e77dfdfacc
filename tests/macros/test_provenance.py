"""How far pages can be believed: badges, ages, provenance, and a schedule that died; in a real build."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ingest.health import HEALTH_FILE
from tests.commands import perfkb, succeed
from tests.servers import FaultServer, Reply

HOUR = timedelta(hours=1)
WORST_FIRST = {
    "corrupt": "Unreadable", "missing": "No data yet", "changed": "Query changed", "old": "Long stale",
    "failed": "Refresh failed", "stale": "Stale", "partial": "Partial", "fresh": "Fresh",
}  # fmt: skip
"""A series of each state, by its name, and its badge."""


def csv(now: datetime, behind: timedelta = 0 * HOUR) -> Reply:
    """Twenty days of hours without one of them, up to what a source knew that is so far `behind`."""
    start = now.replace(minute=0, second=0, microsecond=0) - 24 * HOUR * 20
    hours = (now - behind - start) // HOUR
    rows = "".join(f"{start + number * HOUR:%Y-%m-%dT%H:%MZ},1\n" for number in range(hours) if number != 5)
    return Reply(f"time,value\n{rows}".encode())


def vector(now: datetime) -> Reply:
    """A day of hours, and a warning."""
    end = int(now.timestamp()) // 3600 * 3600
    values = ",".join(f'[{end - number * 3600},"1"]' for number in range(24))
    more = ',"warnings":["one shard is down"]'
    data = f'{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{values}]}}]}}'
    return Reply(f'{{"status":"success","data":{data}{more}}}'.encode())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built site with a series in each state of health."""
    root = tmp_path_factory.mktemp("provenance") / "kb"
    succeed("init", root)
    (root / "stories/checkout-spins.md").unlink()
    # The machine's clock: with one of its own a build says nothing about a schedule that died.
    now = datetime.now(UTC)
    replies = {f"/{name}.csv": csv(now) for name in WORST_FIRST}
    replies |= {"/old.csv": csv(now, 24 * HOUR * 8), "/stale.csv": csv(now, 40 * HOUR)}
    replies |= {"/missing.csv": Reply(b"", 404), "/api/v1/query_range": vector(now)}

    def story(changed: str) -> None:
        files = {name: name for name in WORST_FIRST} | {"changed": changed}
        lines = [
            f"  {name}: {{source: files, kind: latency, query: {file}.csv, unit: s}}" for name, file in files.items()
        ]
        lines[6] = '  partial: {source: prod, kind: latency, query: "up{a=\\"b\\"}", unit: s}'
        (root / "stories/slow.md").write_text(
            "---\ntitle: Slow\nstatus: reported\ntelemetry:\n" + "\n".join(lines) + "\n---\nIt is.\n"
        )

    story("changed")
    with FaultServer(replies) as server:
        (root / "site-config/sources.yml").write_text(
            f"files: {{kind: csv, url: '{server.url}', title: Files, history: 20d}}\n"
            f"prod: {{kind: prometheus, url: '{server.url}', title: Production, history: 1d, "
            "explore: 'https://g.example/graph?g0.expr={query}'}\n"
        )
        assert perfkb("-C", root, "refresh", "--first-run").returncode == 1
        (root / ".snapshots/slow/corrupt.csv").write_bytes(b"nonsense")
        health = root / ".snapshots" / HEALTH_FILE
        failed = re.sub(
            r'("series": "failed",.*?"reason": )""', r'\1"files cannot be reached"', health.read_text(), flags=re.S
        )
        health.write_text(failed)
        story("other")
    succeed("-C", root, "build")
    return root / "site"


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_the_data_page_is_worst_first(site: Path) -> None:
    """Every series is there with its badge, its age and why, the unhealthiest first."""
    page = (site / "data/index.html").read_text()
    rows = re.findall(r"<tr><td><span class=\"pk-health pk-health--(\w+)\">(.*?)</span>(.*?)</tr>", page, re.DOTALL)
    assert {state: badge for state, badge, _ in rows} == WORST_FIRST
    assert [state for state, _, _ in rows] == list(WORST_FIRST)
    told = {state: text_of(rest) for state, _, rest in rows}
    assert "The data cannot be read as" in told["corrupt"] or "checksum" in told["corrupt"]
    assert "missing.csv" in told["missing"] or "404" in told["missing"]
    assert "The query was changed after this data was fetched" in told["changed"]
    assert "No data for 8 days" in told["old"]
    assert "The last refresh failed: files cannot be reached" in told["failed"]
    assert re.search(r"The last data is 4[01] h", told["stale"])  # an hour may have ended since
    assert "one shard is down" in told["partial"]
    assert "open the query" in told["partial"]


def test_each_chart_has_its_provenance(site: Path) -> None:
    """Under each chart stand badge, age, source, rows, gaps, window, the query, and a link that opens it elsewhere."""
    page = (site / "stories/slow/index.html").read_text()
    figure = r'<figure class="pk-chart" id="pk-chart-slow-(\w+)".*?"pk-chart__source">(.*?)</span>\s*</figcaption>'
    lines = dict(re.findall(figure, page, re.DOTALL))
    assert set(lines) == set(WORST_FIRST)
    for state, badge in WORST_FIRST.items():
        assert (badge in lines[state]) == (state != "fresh")
    assert re.search(r", from Files · 47[89] rows, 1 gap, .* to .* · query$", text_of(lines["fresh"]))
    assert 'href="#pk-source-fresh"' in lines["fresh"]
    assert 'id="pk-source-fresh"' in page
    assert "https://g.example/graph?g0.expr=up%7Ba%3D%22b%22%7D" in lines["partial"]
    assert text_of(lines["partial"]).endswith("query · open it in Production")


def test_every_page_says_when_it_was_built(site: Path) -> None:
    """Also without scripts, and also pages that show no data."""
    pages = [*site.rglob("index.html")]
    assert len(pages) > 15
    for path in pages:
        assert re.search(
            r"Built \d+ \w+ \d{4}, \d\d:\d\d UTC; the newest data is of \d+ \w+ \d{4}", path.read_text()
        ), path


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    return browser.new_page()


def test_a_schedule_that_died(site: Path, page: Page) -> None:
    """Days after the last build, the ages have gone on in the browser, and every page says that nobody refreshes it."""
    page.goto((site / "data/index.html").as_uri())
    assert page.locator(".pk-silent").count() == 0
    page.clock.install(time=datetime.now(UTC) + timedelta(days=9))
    for name in ("data", "stories/slow", "handbook/method"):
        page.goto((site / name / "index.html").as_uri())
        assert "9 days old: the scheduled refresh may have stopped" in page.locator(".pk-silent").inner_text()
    page.goto((site / "stories/slow/index.html").as_uri())
    assert "9 days old" in page.locator("#pk-source-fresh summary").inner_text()
