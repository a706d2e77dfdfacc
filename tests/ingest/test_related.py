"""Which stories belong together, and the reasons that are said."""

from datetime import UTC, datetime

from ingest.evidence import Facts, gather
from ingest.related import MOST, relations
from tests.ingest.evidence.samples import configuration, story

SERIES = "{source: prod, kind: histogram, metric: list, unit: s, title: Time to the list}"


def related(**fronts: str) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    return {slug: [(each.slug, each.reasons) for each in found] for slug, found in relations(facts(**fronts)).items()}


def facts(**fronts: str) -> list[Facts]:
    now = datetime(2026, 11, 1, 6, tzinfo=UTC)
    return [gather(story(front, slug), configuration(), {}, {}, (), now) for slug, front in fronts.items()]


def test_reasons_and_their_order() -> None:
    """The same problem comes before an endpoint, that before telemetry, a belief, a tag and an area; all are said."""
    found = related(
        one=f"""
area: campaigns
tags: [mysql, n-plus-one]
endpoints: ["GET /campaigns"]
telemetry: {{requests: {SERIES}}}
hypotheses: [{{id: h1, because: One query a list, written: 2026-09-01}}]
""",
        twice="same_as: one\n",
        near='area: campaigns\nendpoints: ["get  /Campaigns"]\n',
        measured=f"telemetry: {{other_name: {SERIES}}}\n",
        believed="hypotheses: [{id: x, because: one query  a LIST, written: 2026-09-01}]\n",
        tagged="tags: [N-Plus-One, mysql]\n",
        apart="tags: [css]\n",
    )
    assert found["one"] == [
        ("twice", ("repeats this story",)),
        ("near", ("the same endpoint, GET /campaigns", "the same area")),
        ("measured", ("the same telemetry, “Time to the list”",)),
        ("believed", ("the same belief, “One query a list”",)),
        ("tagged", ("also tagged mysql, n-plus-one",)),
    ]
    assert found["twice"] == [("one", ("the same problem",))]
    assert found["near"] == [("one", ("the same endpoint, get  /Campaigns", "the same area"))]
    assert found["apart"] == []


def test_what_half_the_stories_share_says_nothing() -> None:
    """A tag of many stories is no reason, and neither is a series that fixes are compared with."""
    control = f"""
telemetry: {{others: {SERIES}}}
fixes: [{{id: batch, control: others, shipped: 2026-09-02}}]
"""
    found = related(**{f"s{number}": f"tags: [mysql]\n{control}" for number in range(9)})
    assert set(map(len, found.values())) == {0}


def test_a_few_of_many() -> None:
    """Of an area with hundreds of stories those are named that changed last; every run finds the same ones."""
    fronts = {
        f"s{number}": f"area: campaigns\nopened: 2026-0{1 + number // 28}-{1 + number % 28:02}\n"
        for number in range(200)
    }
    found = related(**fronts)
    assert [slug for slug, _ in found["s3"]] == ["s199", "s198", "s197", "s196", "s195"]
    assert all(len(each) == MOST for each in found.values())
    assert related(**dict(reversed(fronts.items())))["s7"] == found["s7"]


def test_strange_duplicates() -> None:
    """A story that repeats itself, or one that is not there, is related to nothing by that."""
    assert related(one="same_as: one\n", two="same_as: gone\n") == {"one": [], "two": []}
