"""Fixes with hand-made judgements, and the facts of their stories."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from ingest.evidence import Facts, FixFacts, Hours, Stored, TestFacts, gather
from ingest.pins import Between, Change, Judged, Tested
from ingest.story import Fix, Hypothesis
from tests.ingest.evidence.samples import START, configuration, histogram, series, stored
from tests.ingest.evidence.samples import story as story_of

TODAY = date(2026, 11, 1)
SUMMER = datetime(2026, 5, 31, tzinfo=UTC)
NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
FRONT = "telemetry: {requests: {source: prod, kind: histogram, query: q, sum: s, unit: s}}"


def change(effect: float = -0.2, low: float | None = None, high: float | None = None, p: float = 0.001) -> Change:
    """A change whose interval reaches a tenth to either side, unless said otherwise."""
    low, high = effect - 0.1 if low is None else low, effect + 0.1 if high is None else high
    return Change(effect=effect, low=low, high=high, p=p, detectable=0.12, days_before=28, days_after=14)


def judged(verdict: str = "improved", of: Change | None = None, **more: Any) -> Judged:
    """A judgement, by default that p95 fell by a fifth."""
    found = of or change()
    looked = {"title": "Requests", "source": "prod", "query": "q", "query_hash": "h", "kind": "histogram",
              "unit": "s", "sha256": "x"}  # fmt: skip
    made: dict[str, Any] = {
        "format": 1, "method": "1", "stated": "2026-10-20", "data_until": "2026-10-20T00:00Z",
        "series": {"requests": looked}, "about": "fix", "fix": {"shipped": "2026-09-10", "series": "requests"},
        "figure": "p95", "before": 1.0, "after": 0.8, "change": found, "mean": found, "hours_present": 1.0,
        "verdict": verdict,
    }  # fmt: skip
    return Judged.model_validate(made | more)


def hours(value: float, quarters: dict[str, float] | None = None, unit: str = "user-hours") -> Hours:
    """Hours whose interval reaches a fifth to either side; all in Q3 2026, unless quarters are given."""
    by_quarter = {name: _between(unit, each) for name, each in (quarters or {"2026Q3": value}).items()}
    return replace(_between(unit, value), by_quarter=by_quarter)


def _between(unit: str, value: float) -> Hours:
    low, high = sorted((value * 0.8, value * 1.2))
    return Hours(unit, value, low, high, {})


def fix(
    name: str = "batch", pin: Judged | None = None, *, shipped: str | None = "2026-09-10", **about: Any
) -> FixFacts:
    """A judged fix where a judgement is given; `about` has keys of the fix and of its facts."""
    own = {key: about.pop(key) for key in list(about) if key in Fix.model_fields}
    written = Fix.model_validate({"id": name, "shipped": shipped, **own})
    state = about.pop("state", "judged" if pin else "unmeasured")
    return FixFacts(written, state, pin=pin, **about)


def facts(
    slug: str = "slow",
    *fixes: FixFacts,
    front: str = "",
    rows: list[list[float]] | None = None,
    tests: tuple[TestFacts, ...] = (),
) -> Facts:
    """The facts of a story with these fixes; its series has data from June to October, or `rows` from 31 August on."""
    told = story_of(f"{FRONT}\n{front}", slug)
    of = series("histogram", query="q", sum="s")
    data = histogram([[0.3]] * 24 * 154, SUMMER) if rows is None else histogram(rows, START)
    found = gather(told, configuration(), {"requests": stored(data, of) if len(data) else Stored()}, {}, (), NOW)
    by_id = {each.fix.id: each for each in fixes}
    return replace(found, fixes=by_id, tests={each.hypothesis.id: each for each in tests})


def disproved(effect: float = 0.04) -> TestFacts:
    """A hypothesis whose component turned out to take a small share."""
    test = {"share": "requests", "of": "requests", "at_least": "30 %", "from": "2026-09-01", "to": "2026-09-10"}
    hypothesis = Hypothesis.model_validate(
        {"id": "h1", "because": "The disk is slow", "written": "2026-08-30", "test": test, "verdict": "disproved",
         "decided": "2026-09-11"}
    )  # fmt: skip
    pin = judged().model_dump(exclude={"about", "fix", "before", "after", "change", "mean", "figure", "verdict",
                                       "guard", "mean_verdict", "together"})  # fmt: skip
    between = Between(value=effect, low=effect / 2, high=effect * 2)
    tested = Tested.model_validate(
        pin | {"about": "hypothesis", "test": hypothesis.test, "figure": "share", "effect": between, "days": 10,
               "verdict": "disproved"}
    )  # fmt: skip
    return TestFacts(hypothesis, "decided", tested)
