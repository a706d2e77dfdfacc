"""The handbook's recipes: each block as it stands there, against a real server or its documented answers."""

import json
import re
import urllib.parse
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.check import check_sources
from ingest.errors import FetchError
from ingest.settings import Configuration, Settings, SourceConfig, read_sources
from ingest.sources import objections_to, tidy, words_for
from ingest.sources.base import Window
from ingest.sources.http_json import HttpJsonOptions, HttpJsonSource
from ingest.story import Counted, Series
from tests.servers import Asked, FaultServer, Reply, post, running_influxdb

PAGE = Path(__file__).parent.parent.parent.parent / "content/handbook/recipes.md"
BLOCK = re.compile(r'^```yaml title="sources\.yml: ([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
RECIPES = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
HOUR = timedelta(hours=1)
START = datetime(2026, 9, 1, tzinfo=UTC)
WINDOW = Window(START, START + 6 * HOUR, HOUR)
EPOCH = int(START.timestamp())
DAY_END = datetime(2026, 9, 2, tzinfo=UTC)


class Environment(dict[str, str]):
    """Has every variable, with its own name in it."""

    def __missing__(self, name: str) -> str:
        return f"the-{name}"

    def get(self, name: str, default: Any = None) -> Any:
        return default if name == "REQUESTS_CA_BUNDLE" else self[name]


def recipe(name: str, url: str) -> tuple[SourceConfig, HttpJsonSource]:
    """The block of this name, with another address, as sources.yml and as a source."""
    block, count = re.subn(r"^  url: .*$", f"  url: {url}", RECIPES[name], flags=re.MULTILINE)
    assert count == 1
    sources, problems = read_sources(block.encode())
    assert [*problems, *check_sources(Configuration(Settings(), sources))] == []
    (config,) = sources.values()
    options = config.own(HttpJsonOptions)
    assert options is not None
    return config, HttpJsonSource(config.id, options, Environment(), Path())


def fetched(name: str, url: str, **asked: Any) -> dict[int, float]:
    """The hours after START by their values, as refresh stores them."""
    config, source = recipe(name, url)
    series = Series.model_validate({"source": config.id, "kind": "total", **asked})
    assert list(objections_to(series, config)) == []
    assert words_for(series, config)
    try:
        rows = tidy(source.fetch(series, WINDOW), WINDOW).rows["value"]
    finally:
        source.close()
    return {int((at - START) / HOUR): value for at, value in rows.items()}  # type: ignore[operator]  # its index is of moments


def counted(name: str, url: str, query: str) -> tuple[float, bool]:
    config, source = recipe(name, url)
    assert list(objections_to(Counted(source=config.id, query=query).series, config.for_counts)) == []
    try:
        found = source.count(query, DAY_END)
    finally:
        source.close()
    assert found.rows.index.tolist() == [DAY_END - timedelta(days=1)]
    return float(found.rows["value"].iloc[0]), found.partial


def said(value: Any, **headers: str) -> Reply:
    return Reply(json.dumps(value).encode(), headers=headers)


def test_every_recipe_is_tried() -> None:
    """Each block of the page is named in this file."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert len(RECIPES) >= 8
    assert [name for name in RECIPES if f'"{name}"' not in text.partition("def test_every")[2]] == []


# -- Graphite


def graphite(asked: Asked) -> Reply:
    """A finder that answers as graphite-web does: pairs of a value and a time, points after `from` up to `until`.

    See https://graphite.readthedocs.io/en/stable/render_api.html#json, and whisper.fetch for the edges.
    """
    assert asked.params["format"] == "json"
    first, last = int(asked.params["from"]), int(asked.params["until"])
    times = range(first // 3600 * 3600 + 3600, last + 1, 3600)
    points = [[None if at == EPOCH + 7200 else (at - EPOCH) / 3600, at] for at in times]
    target = asked.params["target"]
    return said([{"target": target, "tags": {"name": target}, "datapoints": points}])


def test_graphite() -> None:
    """Every hour of the window comes, the first one too; null is a gap."""
    with FaultServer({"/render": graphite}) as server:
        assert fetched("Graphite", server.url, metric="total", query="a.b") == {0: 0, 1: 1, 3: 3, 4: 4, 5: 5}
        assert fetched("Graphite", server.url, metric="average", query="a.b", kind="gauge")
    assert server.asked[0].params["target"] == 'summarize(a.b,"3600s","sum",false)'
    assert server.asked[1].params["target"] == 'summarize(a.b,"3600s","avg",false)'
    assert server.asked[0].headers["Authorization"] == "Basic the-GRAPHITE_LOGIN"


def test_graphite_with_several_series() -> None:
    """A target with a star is refused: one of its series would be an arbitrary one."""
    two = said([{"target": name, "datapoints": [[1, EPOCH]]} for name in "ab"])
    with FaultServer({"/render": two}) as server, pytest.raises(FetchError, match="2 series instead of one") as caught:
        fetched("Graphite", server.url, metric="total", query="a.*")
    assert caught.value.fault == "query"


def test_graphite_without_the_metric() -> None:
    """A target that Graphite does not know answers with an empty list."""
    with FaultServer({"/render": said([])}) as server:
        assert fetched("Graphite", server.url, metric="total", query="a.b") == {}


# -- InfluxDB


@pytest.fixture(scope="module")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real InfluxDB with six hours of requests, of which the third has none."""
    with running_influxdb(tmp_path_factory.mktemp("influxdb")) as url:
        ask(url, q="CREATE DATABASE metrics")
        lines = [
            f"requests,route={route} duration={hour + 1 + minute / 100} {EPOCH + hour * 3600 + minute * 60}"
            for hour in range(-1, 7)
            for minute in (0, 30)
            for route in ("/checkout", "/other")
            if hour != 2
        ]
        post(f"{url}/write?db=metrics&precision=s", "\n".join(lines).encode())
        yield url


def ask(url: str, **params: str) -> Any:
    post(f"{url}/query?{urllib.parse.urlencode(params)}", b"")


CHECKOUT = {"measurement": "requests", "field": "duration", "route": "/checkout"}


def test_influxdb(influxdb: str) -> None:
    """Sums by the hour come from a real server; an hour without points is a gap."""
    found = fetched("InfluxDB", influxdb, metric="total", match=CHECKOUT)
    assert found == pytest.approx({hour: 2 * (hour + 1) + 0.3 for hour in (0, 1, 3, 4, 5)})


def test_influxdb_without_data(influxdb: str) -> None:
    """A measurement that is not there has no rows, and its answer has its own shape."""
    assert fetched("InfluxDB", influxdb, metric="total", match={**CHECKOUT, "measurement": "nothing"}) == {}


def test_influxdb_without_the_database(influxdb: str) -> None:
    """A missing database answers with the status 200 and the error inside."""
    config, source = recipe("InfluxDB", influxdb)
    question = source.options.queries["total"]
    elsewhere = question.model_copy(update={"params": {**question.params, "db": "elsewhere"}})
    source.options = source.options.model_copy(update={"queries": {"total": elsewhere}})
    with pytest.raises(FetchError, match="answers with an error: database not found: elsewhere"):
        source.fetch(Series(source=config.id, kind="total", metric="total", match=CHECKOUT), WINDOW)
    source.close()


def test_influxdb_that_refuses(influxdb: str) -> None:
    """A query that is none comes back with the server's own words, as the story's fault."""
    config, source = recipe("InfluxDB", influxdb)
    series = Series(source=config.id, kind="total", metric="total", match={**CHECKOUT, "field": 'a") FROM'})
    with pytest.raises(FetchError, match="status 400: error parsing query") as caught:
        source.fetch(series, WINDOW)
    assert caught.value.fault == "query"
    assert [each.key for each in objections_to(series, config)] == ["match"]
    source.close()


def test_influxdb_2(influxdb: str) -> None:
    """The older query API, which InfluxDB 2 has as well; a real one of the first version answers."""
    found = fetched("InfluxDB 2", influxdb, metric="total", match=CHECKOUT)
    assert found == pytest.approx({hour: 2 * (hour + 1) + 0.3 for hour in (0, 1, 3, 4, 5)})
    assert fetched("InfluxDB 2", influxdb, metric="total", match={**CHECKOUT, "route": "/nowhere"}) == {}


def test_influxdb_2_as_documented() -> None:
    """As https://docs.influxdata.com/influxdb/v2/api-guide/influxdb-1x/query/ has it: a token, and Unix time."""
    series = {"name": "requests", "columns": ["time", "sum"], "values": [[EPOCH, 3.5], [EPOCH + 3600, None]]}
    answer = said({"results": [{"statement_id": 0, "series": [series]}]})
    with FaultServer({"/query": answer}) as server:
        assert fetched("InfluxDB 2", server.url, metric="total", match=CHECKOUT) == {0: 3.5}
    assert server.asked[0].headers["Authorization"] == "Token the-INFLUX_TOKEN"
    assert (server.asked[0].params["db"], server.asked[0].params["epoch"]) == ("metrics", "s")


def influxdb_3(asked: Asked) -> Reply:
    """Rows as objects, with times as whole nanoseconds.

    See https://docs.influxdata.com/influxdb3/core/query-data/execute-queries/influxdb-v3-api/, and sql/cast-types/.
    """
    body = json.loads(asked.body)
    assert (body["db"], body["format"], body["params"]) == ("metrics", "json", {"route": "/checkout"})
    window = re.findall(r"time >= '(\S+)' AND time < '(\S+)'", body["q"])[0]
    first, last = map(datetime.fromisoformat, window)
    hours = range(round((first - START) / HOUR), round((last - START) / HOUR))
    return said([{"at": (EPOCH + hour * 3600) * 10**9, "total": hour + 0.5} for hour in hours if hour != 2])


def test_influxdb_3() -> None:
    """Whole nanoseconds are told apart to the step, and an hour without points is a gap."""
    with FaultServer({"/api/v3/query_sql": influxdb_3}) as server:
        found = fetched("InfluxDB 3", server.url, metric="total", match=CHECKOUT)
    assert found == {hour: hour + 0.5 for hour in (0, 1, 3, 4, 5)}
    (asked,) = server.asked
    assert asked.method == "POST"
    assert asked.headers["Authorization"] == "Bearer the-INFLUX_TOKEN"
    assert json.loads(asked.body)["q"] == (
        "SELECT CAST(date_bin(INTERVAL '3600 seconds', time) AS BIGINT) AS at, sum(\"duration\") AS total "
        'FROM "requests" WHERE "route" = $route '
        "AND time >= '2026-09-01T00:00:00Z' AND time < '2026-09-01T06:00:00Z' GROUP BY 1"
    )


def test_influxdb_3_over_days() -> None:
    """More than its three days are asked for in parts."""
    with FaultServer({"/api/v3/query_sql": influxdb_3}) as server:
        config, source = recipe("InfluxDB 3", server.url)
        window = Window(START, START + 100 * HOUR, HOUR)
        series = Series(source=config.id, kind="total", metric="total", match=CHECKOUT)
        assert len(tidy(source.fetch(series, window), window).rows) == 99
        source.close()
    assert len(server.asked) == 2


def test_influxdb_3_without_data() -> None:
    """No rows are an empty list; a quotation mark in a name of a story is refused before anything is asked."""
    with FaultServer({"/api/v3/query_sql": said([])}) as server:
        assert fetched("InfluxDB 3", server.url, metric="total", match=CHECKOUT) == {}
        config, source = recipe("InfluxDB 3", server.url)
        source.close()
    series = Series(source=config.id, kind="total", metric="total", match={**CHECKOUT, "field": 'a") FROM x --'})
    assert [each.key for each in objections_to(series, config)] == ["match"]


def test_influxdb_3_that_refuses() -> None:
    """What it does not understand is the story's fault, and comes with its words."""
    refusal = Reply(b'{"error": "table \'public.iox.requests\' not found"}', 400)
    with FaultServer({"/api/v3/query_sql": refusal}) as server, pytest.raises(FetchError) as caught:
        fetched("InfluxDB 3", server.url, metric="total", match=CHECKOUT)
    assert caught.value.what.endswith("answers with status 400: table 'public.iox.requests' not found")
    assert caught.value.fault == "query"


# -- Datadog


def datadog(asked: Asked) -> Reply:
    """As https://docs.datadoghq.com/api/latest/metrics/#query-timeseries-points has it."""
    first, last = int(asked.params["from"]), int(asked.params["to"])
    points = [[float(at * 1000), (at - EPOCH) / 3600] for at in range(first, last, 3600)]
    series = {"aggr": "sum", "interval": 3600, "metric": "trace.hits", "pointlist": points, "scope": "*"}
    return said({"status": "ok", "res_type": "time_series", "series": [series], "message": "", "group_by": []})


def test_datadog() -> None:
    """Times in milliseconds are read, and both keys are sent."""
    query = "sum:trace.http.request.hits{service:checkout}.as_count()"
    with FaultServer({"/api/v1/query": datadog}) as server:
        assert fetched("Datadog", server.url, metric="total", query=query) == {hour: hour for hour in range(6)}
    assert server.asked[0].params["query"] == f"{query}.rollup(sum, 3600)"
    assert server.asked[0].headers["DD-APPLICATION-KEY"] == "the-DD_APP_KEY"


@pytest.mark.parametrize("error", [{"status": "error", "error": "Rate limit"}, {"status": "error"}])
def test_datadog_with_an_error_inside(error: dict[str, str]) -> None:
    """An error in an answer with the status 200 is one."""
    reply = said({**error, "series": []})
    with FaultServer({"/api/v1/query": reply}) as server, pytest.raises(FetchError, match="answers with an error"):
        fetched("Datadog", server.url, metric="total", query="q")


# -- counts


def test_github() -> None:
    """As https://docs.github.com/en/rest/search/search#search-issues-and-pull-requests has it."""
    answer = {"total_count": 280, "incomplete_results": False, "items": [{"number": 132, "title": "Slow"}]}
    with FaultServer({"/search/issues": said(answer)}) as server:
        assert counted("GitHub", server.url, "label:slow is:open") == (280, False)
    assert server.asked[0].params["q"] == "repo:acme/shop is:issue label:slow is:open"
    assert server.asked[0].headers["X-GitHub-Api-Version"] == "2022-11-28"


def test_github_in_a_hurry() -> None:
    """A search that ran out of time is told as partial."""
    answer = {"total_count": 12, "incomplete_results": True, "items": []}
    with FaultServer({"/search/issues": said(answer)}) as server:
        assert counted("GitHub", server.url, "label:slow") == (12, True)


def test_github_at_its_limit() -> None:
    """A limit that is used up is waited for, though its status speaks of credentials.

    See https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api.
    """
    headers = {
        "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1790000060", "Date": "Mon, 21 Sep 2026 14:13:20 GMT",
    }  # fmt: skip
    body = b'{"message": "API rate limit exceeded for 203.0.113.7."}'
    with FaultServer({"/search/issues": Reply(body, 403, headers)}) as server, pytest.raises(FetchError) as caught:
        counted("GitHub", server.url, "label:slow")
    assert (caught.value.retry, caught.value.wait) == (True, 60.0)
    assert "its limit is reached" in caught.value.what


def test_gitlab() -> None:
    """As https://docs.gitlab.com/api/issues/ and https://docs.gitlab.com/api/rest/#other-pagination-headers have it."""
    with FaultServer({"/api/v4/issues": said([{"id": 76, "title": "Slow"}], **{"X-Total": "41"})}) as server:
        assert counted("GitLab", server.url, "slow campaigns") == (41, False)
    assert server.asked[0].params["labels"] == "slow campaigns"
    assert server.asked[0].headers["PRIVATE-TOKEN"] == "the-GITLAB_TOKEN"


def test_gitlab_beyond_what_it_counts() -> None:
    """Where GitLab leaves its total out, the count is unknown, and not the issues of a page."""
    with (
        FaultServer({"/api/v4/issues": said([{"id": 76}])}) as server,
        pytest.raises(FetchError, match="without a count at the header X-Total"),
    ):
        counted("GitLab", server.url, "slow")


def test_jira_cloud() -> None:
    """As https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/ has it, a POST."""
    jql = 'project = HELP AND labels = "slow" AND text ~ "käse \\"x\\""'
    with FaultServer({"/rest/api/3/search/approximate-count": said({"count": 153})}) as server:
        assert counted("Jira Cloud", server.url, jql) == (153, False)
    assert json.loads(server.asked[0].body) == {"jql": jql}
    assert server.asked[0].headers["Content-Type"] == "application/json"


def test_jira_data_center() -> None:
    """As https://docs.atlassian.com/software/jira/docs/api/REST/9.12.0/#api/2/search has it."""
    answer = {"expand": "names,schema", "startAt": 0, "maxResults": 0, "total": 7, "issues": []}
    with FaultServer({"/rest/api/2/search": said(answer)}) as server:
        assert counted("Jira Data Center", server.url, "labels = slow") == (7, False)
    assert server.asked[0].params == {"jql": "labels = slow", "maxResults": "0"}


def test_jira_that_refuses() -> None:
    """A query that Jira does not understand is the story's fault, and comes with Jira's words."""
    body = b'{"errorMessages": ["The value \'x\' does not exist for the field \'project\'."], "errors": {}}'
    with FaultServer({"/rest/api/2/search": Reply(body, 400)}) as server, pytest.raises(FetchError) as caught:
        counted("Jira Data Center", server.url, "project = x")
    assert caught.value.what.endswith("answers with status 400: The value 'x' does not exist for the field 'project'.")
    assert caught.value.fault == "query"


def test_zendesk() -> None:
    """As https://developer.zendesk.com/api-reference/ticketing/ticket-management/search/#show-results-count has it."""
    with FaultServer({"/api/v2/search/count": said({"count": 0})}) as server:
        assert counted("Zendesk", server.url, "tags:slow status<solved") == (0, False)
    assert server.asked[0].params["query"] == "type:ticket tags:slow status<solved"


def test_what_basic_authentication_means() -> None:
    """The recipes' comments say what to encode; an API's answer that quotes the password does not show it."""
    login = b64encode(b"agent@acme.example/token:hunter2-hunter2").decode()
    sources, _ = read_sources(RECIPES["Zendesk"].encode())
    options = sources["helpdesk"].own(HttpJsonOptions)
    assert options is not None
    source = HttpJsonSource("helpdesk", options, {"ZENDESK_LOGIN": login}, Path())
    assert source.client.clean("no such login: hunter2-hunter2, sorry") == "no such login: ***, sorry"
    source.close()
