from dataclasses import replace
from xml.etree import ElementTree

import pytest

from ingest.charts import CHARTS, places
from tests.ingest.charts.samples import HOSTILE, parsed
from tests.ingest.charts.stories import HISTOGRAM, facts_of, histograms, times, values

FRONT = f"""\
telemetry:
  requests: {HISTOGRAM}
  query: {{source: prod, kind: total, metric: q, unit: s}}
slo: {{series: requests, below: 1 s}}
hypotheses:
  - {{id: h1, because: it counts, written: 2026-09-01,
      test: {{share: query, of: requests, at_least: 50 %, from: 2026-09-02, to: 2026-09-08}}}}
  - {{id: h2, because: it counts, written: 2026-09-01}}
fixes:
  - {{id: batch, shipped: 2026-09-15}}
  - {{id: later}}
"""


def test_ids_are_unique() -> None:
    """All charts of a story can stand on one page: no id is given twice."""
    index = times(24 * 30)
    rows = {"requests": histograms(index, lambda _: [0, 1, 2, 3, 1, 0]), "query": values(index, lambda at: at.hour)}
    facts = facts_of(FRONT, rows)
    found = list(places(facts.story.front, facts.series))
    charts = [CHARTS[place.kind].draw(facts, place.name) for place in found]
    ids = [element.get("id") for chart in charts for element in parsed(chart.svg).iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert [place.stem for place in found] == [
        "requests", "query", "requests.around", "query.around", "requests.latest", "query.latest",
        "requests.heatmap", "query.heatmap", "requests.week", "query.week",
        "hypothesis-h1", "fix-batch",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", CHARTS)
def test_nothing_is_known(kind: str) -> None:
    """A story without data has a calm chart of each kind."""
    facts = facts_of(FRONT, {})
    for place in places(facts.story.front, facts.series):
        if place.kind == kind:
            chart = CHARTS[kind].draw(facts, place.name)
            assert chart.description
            assert chart.csv == "time,value\n"


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_titles(label: str) -> None:
    """No title of a series leaves its text, whatever chart it is in."""
    index = times(24 * 30)
    rows = {"requests": histograms(index, lambda _: [0, 1, 2, 3, 1, 0]), "query": values(index, lambda at: at.hour)}
    facts = facts_of(FRONT, rows)
    units = {"requests": "s", "query": label}
    series = {
        name: replace(each, series=each.series.model_copy(update={"title": label, "unit": units[name]}))
        for name, each in facts.series.items()
    }
    hostile = replace(facts, series=series)
    for place in places(facts.story.front, series):
        svg = CHARTS[place.kind].draw(hostile, place.name).svg
        assert "<script" not in svg
        assert ElementTree.fromstring(svg).tag.endswith("svg")  # noqa: S314  # drawn by the test
