"""What telemetry says of a hypothesis."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from ingest import evidence, pins, story
from ingest.evidence import SeriesFacts
from ingest.evidence.figure import NoFigureError
from ingest.evidence.testing import evaluate, hypothesis_facts
from ingest.rules import failed
from ingest.story import Hypothesis
from tests.ingest.evidence.samples import BERLIN, DAY, HOUR, UTC_ZONE, histogram, values
from tests.ingest.evidence.weeks import FIRST, by_name, histograms, levels, named, statement, written

TODAY = date(2026, 9, 1)
SHARE = written(share="part", of="whole")
CONTRAST = written(contrast="group", against="others")
CHANGE = written(change="canary", at="2026-08-31T12:00Z", at_least="-20 %", to="2026-09-14")
WEEKS = 14 * 24


def found(test: story.Test, *series: SeriesFacts, zone: ZoneInfo = UTC_ZONE) -> pins.Tested:
    return evaluate(test, by_name(*series), zone, TODAY).pin


def whole(count: int = WEEKS, start: datetime = FIRST, zone: ZoneInfo = UTC_ZONE) -> SeriesFacts:
    """Hours of 500 requests of a second each, more or less."""
    return named("whole", histograms(levels((count // 24 + 1, 1.0)), start=start)[:count], "histogram", zone=zone)


def part_of(
    of: SeriesFacts, share: float | np.ndarray[tuple[int], np.dtype[np.float64]], noise: float = 0.02
) -> pd.DataFrame:
    """A part of a whole's time, in seconds."""
    wobble = np.exp(np.random.default_rng(5).normal(0, noise, len(of.rows)))
    return pd.DataFrame({"value": of.rows["sum"] * share * wobble})


# -- shares


def test_share() -> None:
    """A share is the part's time by the whole's, over all hours of the window and no other."""
    of = whole(30 * 24)
    part = part_of(of, np.where(np.arange(30 * 24) < WEEKS, 0.62, 0.1))
    pin = found(SHARE, named("part", part, "total"), of)
    inside = slice(0, WEEKS)
    assert pin.effect.value == pytest.approx(part["value"].iloc[inside].sum() / of.rows["sum"].iloc[inside].sum())
    assert pin.effect.low < 0.62 < pin.effect.high < 0.65
    assert (pin.figure, pin.days, pin.hours_present, pin.requests) == ("share", 14, 1.0, WEEKS * 500)
    assert (pin.verdict, pin.stated, pin.test) == ("confirmed", TODAY, SHARE)
    assert list(pin.series) == ["part", "whole"]


@pytest.mark.parametrize(
    ("kind", "unit", "factor"), [("total", "ms", 1000), ("total", "min", 1 / 60), ("rate", "s", 1 / 3600)]
)
def test_a_share_of_other_units(kind: str, unit: str, factor: float) -> None:
    """A part in another unit, or a second, is converted into the whole's."""
    of = whole()
    plain = found(SHARE, named("part", part_of(of, 0.62), "total"), of)
    other = found(SHARE, named("part", part_of(of, 0.62) * factor, kind, unit=unit), of)
    assert other.effect.model_dump() == pytest.approx(plain.effect.model_dump())


def test_a_histogram_as_a_part() -> None:
    """A histogram's time is the sum of its values."""
    of = whole()
    part = of.rows.assign(sum=of.rows["sum"] * 0.6)
    assert found(SHARE, named("part", part, "histogram"), of).effect.value == pytest.approx(0.6)


def test_a_share_with_gaps() -> None:
    """An hour that one of the two lacks is not counted for the other either."""
    of = whole()
    part = part_of(of, 0.62)
    part.iloc[10:40] = np.nan
    holes = part.drop(part.index[100:110])
    pin = found(SHARE, named("part", holes, "total"), of)
    used = holes["value"].dropna()
    assert pin.effect.value == pytest.approx(used.sum() / of.rows["sum"][used.index].sum())
    assert pin.hours_present == pytest.approx(len(used) / WEEKS)
    assert pin.requests == len(used) * 500


def test_days_without_the_part() -> None:
    """A component that takes no time on some days has a share that wanders widely, and of every day none at all."""
    of = whole()
    half = part_of(of, np.where(np.arange(WEEKS) < WEEKS / 2, 0.0, 0.8))
    pin = found(written(share="part", of="whole", at_least="30 %"), named("part", half, "total"), of)
    assert pin.effect.value == pytest.approx(0.4, abs=0.05)
    assert (pin.days, pin.verdict) == (14, "inconclusive")
    assert pin.effect.low < 0.2
    nothing = found(SHARE, named("part", part_of(of, 0.0), "total"), of)
    assert (nothing.effect.value, nothing.verdict) == (0, "disproved")


@pytest.mark.parametrize(
    ("start", "first", "last", "hours"),
    [
        (datetime(2026, 10, 18, tzinfo=UTC), "2026-10-19", "2026-10-25", 169),
        (datetime(2026, 3, 22, tzinfo=UTC), "2026-03-23", "2026-03-29", 167),
    ],
)
def test_the_week_in_which_clocks_change(start: datetime, first: str, last: str, hours: int) -> None:
    """A week of the zone has an hour more or less: all of them are expected, and none twice."""
    of = whole(10 * 24, start, BERLIN)
    part = part_of(of, 0.62)
    test = written(share="part", of="whole", **{"from": first, "to": last})
    pin = found(test, named("part", part, "total", zone=BERLIN), of, zone=BERLIN)
    assert (pin.days, pin.hours_present, pin.requests) == (7, 1.0, hours * 500)
    missing = found(test, named("part", part.drop(part.index[30]), "total", zone=BERLIN), of, zone=BERLIN)
    assert missing.hours_present == pytest.approx((hours - 1) / hours)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/London", datetime(2026, 3, 22, tzinfo=UTC)),
        ("Europe/London", datetime(2026, 10, 18, tzinfo=UTC)),
        ("Africa/Cairo", datetime(2026, 4, 18, tzinfo=UTC)),  # midnight of the 24th is skipped
        ("America/Santiago", datetime(2026, 9, 1, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("test", [{"share": "a", "of": "b"}, {"contrast": "a", "against": "b"}])
def test_zones(zone: str, start: datetime, test: dict[str, str]) -> None:
    """Days are told apart where they begin on one day of UTC, or have no midnight."""
    there = ZoneInfo(zone)
    a, b = (
        named(name, levels((14, level), seed=seed), "total", start=start, zone=there)
        for name, level, seed in (("a", 0.6, 1), ("b", 1.0, 2))
    )
    first = (start + DAY).date()
    pin = found(written(**test, **{"from": first, "to": first + 11 * DAY}), a, b, zone=there)
    assert (pin.days, pin.hours_present) == (12, 1.0)


# -- contrasts


def test_a_contrast_of_means() -> None:
    """A contrast is how much more one group's mean is, by all requests of both."""
    one, two = histograms(levels((14, 2.6)), traffic=50), histograms(levels((14, 1.0), seed=2), traffic=900)
    pin = found(CONTRAST, named("group", one, "histogram"), named("others", two, "histogram"))
    expected = (one["sum"].sum() / (WEEKS * 50)) / (two["sum"].sum() / (WEEKS * 900)) - 1
    assert pin.effect.value == pytest.approx(expected)
    assert 1.4 < pin.effect.low < pin.effect.value < pin.effect.high < 1.8
    assert (pin.figure, pin.requests, pin.verdict) == ("mean", WEEKS * 50, "confirmed")


def test_a_contrast_of_quantiles() -> None:
    """A quantile is known no better than its bucket: the interval reaches from edge to edge."""
    one, two = histogram([[0.7] * 20] * WEEKS, FIRST), histogram([[0.3] * 20] * WEEKS, FIRST)
    test = written(contrast="group", against="others", quantile=0.5)
    pin = found(test, named("group", one, "histogram"), named("others", two, "histogram"))
    assert pin.figure == "p50"
    assert pin.effect.value == pytest.approx(0.75 / 0.3 - 1)
    assert pin.effect.low == pytest.approx(0.5 / 0.5 - 1, abs=1e-4)
    assert pin.effect.high == pytest.approx(1 / 0.1 - 1, rel=1e-4)
    assert pin.verdict == "inconclusive"


def test_a_contrast_of_other_units() -> None:
    """Groups in seconds and in milliseconds are compared."""
    one, two = named("group", levels((14, 2.0))), named("others", levels((14, 1.0)) * 1000, unit="ms")
    assert found(CONTRAST, one, two).effect.value == pytest.approx(1)


def test_a_contrast_with_gaps() -> None:
    """Only hours of both groups are compared, so that none is judged by its nights alone."""
    rows = values(list(levels((14, 1.0))), FIRST)
    nights = values(list(levels((14, 1.0))), FIRST).between_time("20:00", "06:00")
    pin = found(CONTRAST, named("group", nights), named("others", rows))
    assert pin.effect.value == pytest.approx(0)
    assert pin.hours_present == pytest.approx(len(nights) / WEEKS)
    assert [rule.name for rule in failed(pin)] == ["hours", "threshold"]


# -- changes


def test_change() -> None:
    """A change is that of the days after the one on which it began against the days before."""
    rows = levels((28, 1.0), (15, 0.6))
    wild = rows.copy()
    wild[28 * 24 : 29 * 24] *= 30
    pin, again = (found(CHANGE, named("canary", each)) for each in (rows, wild))
    assert pin.effect == again.effect
    assert pin.effect.low < -0.4 < pin.effect.high < -0.3
    assert (pin.days_before, pin.days, pin.verdict, pin.requests) == (28, 14, "confirmed", None)


def test_the_day_of_a_change_is_that_of_the_zone() -> None:
    """An experiment that began late in the evening of UTC began on the next day in Berlin."""
    test = written(change="canary", at="2026-08-30T23:30Z", at_least="-20 %", to="2026-09-14")
    rows = levels((28, 1.0), (15, 0.6))
    pin = found(test, named("canary", rows, zone=BERLIN), zone=BERLIN)
    assert (pin.days_before, pin.days) == (28, 14)
    assert pin.effect == found(CHANGE, named("canary", rows, zone=BERLIN), zone=BERLIN).effect


def test_the_requests_of_a_change() -> None:
    """Both sides of a change need requests: the smaller number is asked."""
    means = levels((28, 1.0), (15, 0.6))
    rows = histograms(means, traffic=10)
    pin = found(CHANGE, named("canary", rows, "histogram"))
    assert pin.requests == 14 * 24 * 10
    assert pin.figure == "mean"


def test_a_change_with_too_few_days() -> None:
    """With too few days on a side there is nothing to state, and the reason names both."""
    with pytest.raises(NoFigureError, match="6 days before and 14 after are too few"):
        found(CHANGE, named("canary", levels((28, 1.0), (15, 0.6))[22 * 24 :], start=FIRST + 22 * DAY))


# -- rules


def test_each_rule_by_the_data() -> None:
    """Too few days, hours or requests, or an interval on both sides: each alone decides nothing, and is told."""
    of = whole()
    part = part_of(of, 0.62)
    few = named("whole", histograms(levels((14, 1.0)), traffic=2), "histogram")
    short = written(share="part", of="whole", to="2026-08-08")
    edge = written(share="part", of="whole", at_least="62 %")
    cases = {
        "window": (short, part, of),
        "hours": (SHARE, part[part.index.hour >= 5], of),  # type: ignore[attr-defined]
        "requests": (SHARE, part_of(few, 0.62), few),
        "threshold": (edge, part, of),
    }
    for rule, (test, rows, against) in cases.items():
        pin = found(test, named("part", rows, "total"), against)
        assert pin.verdict == "inconclusive"
        assert [each.name for each in failed(pin)] == [rule]


@pytest.mark.parametrize(("at_least", "verdict"), [("50 %", "confirmed"), ("75 %", "disproved")])
def test_verdicts(at_least: str, verdict: str) -> None:
    """The same data confirms a lower threshold and disproves a higher one."""
    of = whole()
    assert (
        found(
            written(share="part", of="whole", at_least=at_least), named("part", part_of(of, 0.62), "total"), of
        ).verdict
        == verdict
    )


# -- what cannot be compared

GAUGE = named("part", [1.0] * WEEKS)
TOTAL = named("part", [1.0] * WEEKS, "total")


@pytest.mark.parametrize(
    ("test", "series", "why"),
    [
        (SHARE, [], "there is no data of part"),
        (SHARE, [TOTAL], "there is no data of whole"),
        (SHARE, [TOTAL, named("whole", [])], "there is no data of whole"),
        (SHARE, [TOTAL, named("whole", [1.0] * 2 * WEEKS, "total", step=HOUR / 2)], "not equally long"),
        (CONTRAST, [named("group", [1.0]), named("others", [1.0], step=DAY)], "not equally long"),
        (SHARE, [GAUGE, whole()], "is a gauge, which does not add up to a share"),
        (SHARE, [TOTAL, named("whole", [1.0] * WEEKS, "total", unit="MB")], "cannot be a share"),
        (SHARE, [TOTAL, named("whole", whole().rows.drop(columns="sum"), "histogram")], "lacks the sum"),
        (SHARE, [TOTAL, named("whole", [0.0] * WEEKS, "total")], "no data of both"),
        (SHARE, [TOTAL, named("whole", [1.0] * WEEKS, "total", start=FIRST - 30 * DAY)], "no data of both"),
        (SHARE, [named("part", [1.0], "total"), named("whole", [1.0], "total")], "only 1 day"),
        (CONTRAST, [named("group", [1.0]), named("others", [1.0], unit="MB")], "cannot be compared"),
        (CONTRAST, [named("group", [1.0]), named("others", [1.0], start=FIRST + DAY)], "no data of both"),
        (CONTRAST, [named("group", [0.0] * WEEKS), named("others", [1.0] * WEEKS)], "only 0 days"),
        (CONTRAST, [named("group", [1.0] * WEEKS), named("others", [0.0] * WEEKS)], "only 0 days"),
        (CHANGE, [], "there is no data of canary"),
        (CHANGE, [named("canary", [1.0])], "are too few"),
        (CHANGE, [named("canary", [0.0] * 24 * 43)], "are too few"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared(test: story.Test, series: list[SeriesFacts], why: str) -> None:
    """Series that are missing, empty, or of different kinds say what keeps them from being compared."""
    with pytest.raises(NoFigureError, match=why):
        found(test, *series)


def test_a_quantile_beyond_the_buckets() -> None:
    """A quantile above the last edge has no number to compare."""
    one, two = histogram([[9.0] * 20] * WEEKS, FIRST), histogram([[0.3] * 20] * WEEKS, FIRST)
    test = written(contrast="group", against="others", quantile=0.5)
    with pytest.raises(NoFigureError, match="p50 lies outside of the buckets' edges"):
        found(test, named("group", one, "histogram"), named("others", two, "histogram"))


def test_all_equal() -> None:
    """A share that never moves is known closely, and not exactly."""
    pin = found(SHARE, named("part", [3.0] * WEEKS, "total"), named("whole", [5.0] * WEEKS, "total"))
    assert pin.effect.value == pytest.approx(0.6)
    assert pin.effect.low < pin.effect.value < pin.effect.high
    assert pin.effect.high - pin.effect.low < 1e-4


@pytest.mark.parametrize(("step", "per_day"), [(DAY, 1), (timedelta(minutes=5), 288)])
def test_other_steps(step: timedelta, per_day: int) -> None:
    """Rows of a day and of five minutes are all expected in the window."""
    part, of = (
        named(name, levels((14, level), per_day=per_day, seed=seed), "total", step=step)
        for name, level, seed in (("part", 0.6, 1), ("whole", 1.0, 2))
    )
    pin = found(SHARE, part, of)
    assert (pin.days, pin.hours_present) == (14, 1.0)
    assert pin.effect.value == pytest.approx(0.6, abs=0.03)


# -- what is known of a hypothesis


def facts(now: datetime, *series: SeriesFacts, pin: pins.Tested | None = None, **more: object) -> evidence.TestFacts:
    made = Hypothesis.model_validate({"id": "h", "because": "b", "written": "2026-08-02", "test": SHARE, **more})
    return hypothesis_facts(made, by_name(*series), pin, BERLIN, now)


@pytest.mark.parametrize(
    ("now", "state"),
    [(datetime(2026, 8, 16, 21, 59, tzinfo=UTC), "waiting"), (datetime(2026, 8, 16, 22, tzinfo=UTC), "due")],
)
def test_states(now: datetime, state: str) -> None:
    """A test waits until the last day of its window is over in the zone, and is due from then on."""
    assert facts(now).state == state
    assert facts(now, test=None).state == "untested"
    assert facts(now, test=written(share="part")).state == "untested"
    assert facts(now, verdict="disproved").state == "decided"


def test_the_most_that_a_fix_can_give() -> None:
    """A confirmed share bounds what its removal can give; nothing else does."""
    now = datetime(2026, 9, 1, tzinfo=UTC)
    most = facts(now, verdict="confirmed", pin=statement()).most
    assert most is not None
    assert most.value == pytest.approx(0.65)
    assert facts(now, verdict="disproved", pin=statement(verdict="disproved")).most is None
    assert facts(now, verdict="confirmed", pin=statement(test=CONTRAST)).most is None
    assert facts(now, verdict="confirmed").most is None


def test_the_same_question_today() -> None:
    """Of a decided hypothesis the last four whole weeks of its own series are asked as well."""
    of = whole(70 * 24 + 10)
    part = named("part", part_of(of, np.where(np.arange(len(of.rows)) < 42 * 24, 0.6, 0.2)), "total")
    fresher = named("other", [1.0] * 24 * 80)
    now = FIRST + 80 * DAY
    recent = facts(now, part, of, fresher, pin=statement(), verdict="confirmed").recent
    assert recent is not None
    assert (recent.test.from_, recent.test.to) == (date(2026, 9, 14), date(2026, 10, 11))
    assert recent.effect.value == pytest.approx(0.2, abs=0.01)
    assert facts(now, part, of, pin=statement()).recent is None
    assert facts(now, part, pin=statement(), verdict="confirmed").recent is None


def test_no_same_question_within_the_window() -> None:
    """The four weeks after the window must have passed: what was decided on is not asked again."""
    of = whole(41 * 24)
    part = named("part", part_of(of, 0.6), "total")
    assert facts(FIRST + 41 * DAY, part, of, pin=statement(), verdict="confirmed").recent is None
