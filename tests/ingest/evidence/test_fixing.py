"""What became of a fix: its states, its judgement, whether the gain holds, and the hours that it saved."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ingest.evidence import FixFacts, SeriesFacts, Sibling
from ingest.evidence.fixing import Hours, Subject, judge, quarter_of, subject_of
from ingest.evidence.load import load_facts
from ingest.pins import Change, Judged, read_pins, write_pin
from ingest.story import Goal
from tests.ingest.bases import LEAST, base
from tests.ingest.evidence.samples import BERLIN, DAY, HOUR, UTC_ZONE, values
from tests.ingest.evidence.weeks import DUE, FIRST, SHIPPED, fix, histograms, judged, known, levels, named

FALL = ((28, 1.0), (15, 0.6))


def hours_of(found: FixFacts) -> Hours:
    assert found.hours is not None
    return found.hours


def subject(series: SeriesFacts) -> Subject:
    found = subject_of("slow", fix(), None, {series.name: series}, (), UTC_ZONE)
    assert found is not None
    return found


def requests(*stretches: tuple[int, float], noise: float = 0.03) -> SeriesFacts:
    """A histogram whose mean has these levels."""
    return named("requests", histograms(levels(*stretches, noise=noise)), "histogram")


# -- states


def test_planned() -> None:
    """A fix that has not shipped is planned, and has no day on which it is judged."""
    found = known(requests((7, 1.0)), shipped=None)
    assert (found.state, found.due, found.why) == ("planned", None, "")


@pytest.mark.parametrize("series", [[], [named("requests", [])], [named("other", [1.0] * 24)]])
def test_without_data(series: list[SeriesFacts]) -> None:
    """A fix whose series is not there, or has no row, is not measured, and says so."""
    found = known(*series)
    assert (found.state, found.why) == ("unmeasured", "it names no series that has data")


@pytest.mark.parametrize("rows", [[1.0], [0.0] * 24 * 43, [0.0] * 24 * 43 + [1.0], [float("nan")] * 24 * 43])
def test_hardly_any_data(rows: list[float]) -> None:
    """One row, and rows of nothing but zeros, are no error and no judgement."""
    found = known(named("requests", rows))
    assert (found.state, found.live) == ("unmeasured", None)
    assert "7 are needed" in found.why


def test_all_equal() -> None:
    """A series that never moved has a change of nothing, which is no change."""
    found = judged(named("requests", [2.0] * 24 * 43))
    assert found.verdict == "undetected"
    assert (found.before, found.after) == (2.0, 2.0)
    assert found.change.effect == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_wild_data(tmp_path: Path, sign: int) -> None:
    """Of a series that wanders over many orders of magnitude next to nothing is known, and that can be pinned."""
    chance = np.random.default_rng(3)
    wild = np.exp(np.repeat(sign * chance.normal(0, 12, 22), 24))
    evidence = judge(subject(named("requests", wild, start=FIRST + 21 * DAY)), DUE.date())
    pin, data = evidence.to_pin()
    assert pin.verdict == "undetected"
    assert (pin.change.high == 1e6) if sign > 0 else (pin.change.low == -0.999999)
    write_pin(tmp_path, "slow", "f", pin, data)
    assert read_pins(tmp_path, "slow").problems == ()


def test_too_few_days_before() -> None:
    """With six days of data before it a fix is never measured, with seven it is."""
    day = 24
    rows = levels(*FALL)
    assert known(named("requests", rows[21 * day :], start=FIRST + 21 * DAY)).state == "due"
    found = known(named("requests", rows[22 * day :], start=FIRST + 22 * DAY))
    assert found.state == "unmeasured"
    assert found.why == "it has 6 days of data before it, and 7 are needed"


def test_waiting_for_days_after() -> None:
    """With four whole days after it a fix waits, and says until when; on the fifth it is preliminary."""
    rows = levels((28, 1.0), (6, 0.6))
    found = known(named("requests", rows[: 24 * 33]), now=FIRST + 33 * DAY)
    assert (found.state, found.due, found.live) == ("waiting", date(2026, 9, 15), None)
    assert found.why == "it has 4 whole days after it, and 5 are needed"
    assert known(named("requests", rows[: 24 * 34]), now=FIRST + 34 * DAY).state == "preliminary"


def test_shipped_just_now() -> None:
    """A fix that shipped today waits for its days, and not for days before it."""
    found = known(named("requests", levels((28, 1.0))), now=datetime(2026, 8, 31, 13, tzinfo=UTC))
    assert (found.state, found.why) == ("waiting", "it has 0 whole days after it, and 5 are needed")


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (datetime(2026, 9, 14, 21, 59, tzinfo=UTC), "preliminary"),
        (datetime(2026, 9, 14, 22, 0, tzinfo=UTC), "due"),
        (datetime(2027, 9, 14, 22, 0, tzinfo=UTC), "due"),
    ],
)
def test_preliminary_until_the_fifteenth_day(now: datetime, state: str) -> None:
    """A fix is preliminary until its fifteenth day begins in the knowledge base's zone, and due from then on."""
    found = known(named("requests", levels(*FALL), zone=BERLIN), now=now, zone=BERLIN)
    assert (found.state, found.due) == (state, date(2026, 9, 15))
    assert found.live is not None
    assert found.pin is None
    assert found.hours is None
    assert not found.counts


def test_no_data_after_it_for_good() -> None:
    """A fix whose day has come and that has too few days after it does not wait any more."""
    assert known(named("requests", levels((28, 1.0), (5, 0.6)))).state == "unmeasured"


def test_judged() -> None:
    """A fix with a pin is judged, whatever the data says now, and also where there is none any more."""
    pin = judged(requests(*FALL))
    for series in ([], [requests((43, 1.0))], [named("requests", [])]):
        found = known(*series, pin=pin)
        assert (found.state, found.pin, found.live) == ("judged", pin, None)


@pytest.mark.parametrize(
    ("verdict", "accept", "counts"),
    [
        ("improved", None, True),
        ("regressed", None, True),
        ("undetected", None, False),
        ("undetected", "we know better", False),
        ("unusual", None, False),
        ("unusual", "the incident was of another kind", True),
    ],
)
def test_counts(verdict: str, accept: str | None, counts: bool) -> None:
    """What was seen counts, what was not does not, and what is in doubt counts where somebody says why."""
    series = requests(*FALL)
    pin = judged(series).model_copy(update={"verdict": verdict})
    found = known(series, pin=pin, accept=accept)
    assert found.counts == counts
    assert (found.hours is not None) == counts


def test_what_is_not_judged_does_not_count() -> None:
    """However good its preliminary numbers are."""
    found = known(requests(*FALL))
    assert found.live is not None
    assert found.live.verdict == "improved"
    assert not found.counts


# -- the judgement


@pytest.mark.parametrize(
    ("after", "better", "verdict"),
    [
        (0.6, "lower", "improved"),
        (1.5, "lower", "regressed"),
        (1.0, "lower", "undetected"),
        (0.6, "higher", "regressed"),
        (1.5, "higher", "improved"),
    ],
)
def test_verdicts(after: float, better: str, verdict: str) -> None:
    """A step in the better or worse direction is seen with its size, and none is claimed where there was none."""
    pin = judged(named("requests", levels((28, 1.0), (15, after)), better=better))
    assert pin.verdict == verdict
    assert pin.change.low < after - 1 < pin.change.high
    assert pin.change.effect == pytest.approx(after - 1, abs=0.03)
    assert pin.after / pin.before == pytest.approx(after, abs=0.03)
    assert (pin.change.days_before, pin.change.days_after, pin.hours_present) == (28, 14, 1.0)
    assert (pin.figure, pin.mean) == ("average", None)


def test_an_incident_before_the_fix() -> None:
    """A fall that only the week before the fix makes is unusual, and so is one of which that week makes the most."""
    pin = judged(named("requests", levels((21, 1.0), (7, 1.8), (15, 1.0))))
    assert pin.verdict == "unusual"
    assert pin.change.high < 0
    assert pin.guard is not None
    assert (pin.guard.low < 0 < pin.guard.high, pin.guard.days_before) == (True, 21)


def test_no_guard() -> None:
    """With thirteen days before it an improvement cannot be guarded, and is unusual."""
    pin = judged(named("requests", levels((13, 1.0), (15, 0.5)), start=FIRST + 15 * DAY))
    assert (pin.verdict, pin.guard) == ("unusual", None)


def test_a_foreign_shift() -> None:
    """A shift of everything on the day of the fix is not credited to it where a control shows it."""
    other = np.exp(np.repeat(np.random.default_rng(7).normal(0, 0.03, 43), 24))
    shift = levels((28, 1.0), (15, 0.7), noise=0)
    series = named("requests", levels((43, 1.0), noise=0.01) * shift * other)
    control = named("other", levels((43, 1.0), noise=0.01, seed=3) * shift * other)
    assert judged(series).change.effect == pytest.approx(-0.3, abs=0.05)
    pin = judged(series, control, control="other")
    assert pin.change.controlled
    assert pin.change.effect > -0.15
    assert pin.verdict == "undetected"
    assert set(pin.series) == {"requests", "other"}


@pytest.mark.parametrize("control", [[], [named("other", [])]])
def test_a_control_without_data(control: list[SeriesFacts]) -> None:
    """A control that has no data is left out, and the pin says what was written."""
    pin = judged(named("requests", levels(*FALL)), *control, control="other")
    assert not pin.change.controlled
    assert pin.fix.control == "other"
    assert set(pin.series) == {"requests"}


def test_gaps() -> None:
    """Missing hours are no harm, missing days are not counted, and both are told."""
    rows = values(list(levels(*FALL)), FIRST)
    rows = rows[(rows.index.hour != 3) & ~rows.index.day.isin([20, 21])]  # type: ignore[attr-defined]
    pin = judged(named("requests", rows))
    assert (pin.change.days_before, pin.change.days_after) == (26, 14)
    assert pin.change.effect == pytest.approx(-0.4, abs=0.03)
    assert pin.hours_present == pytest.approx(40 * 23 / (42 * 24))


def test_the_day_of_the_deploy_is_dropped() -> None:
    """Whatever happened on the day of the deploy changes nothing."""
    calm = levels(*FALL)
    wild = calm.copy()
    wild[28 * 24 : 29 * 24] *= 20
    assert judged(named("requests", wild)) == judged(named("requests", calm))


def test_only_the_days_around_it_are_looked_at() -> None:
    """The 28 days before and the 14 after decide, the 29th and the 15th do not."""
    rows = levels((29, 1.0), (17, 0.6))
    changed = rows.copy()
    changed[:24] *= 5
    changed[-2 * 24 :] *= 5
    first, second = (judged(named("requests", each, start=FIRST - DAY)) for each in (rows, changed))
    assert first.change == second.change
    assert first.before == second.before


@pytest.mark.parametrize(
    ("shipped", "day"),
    [
        ("2026-08-30T23:30Z", date(2026, 8, 31)),
        ("2026-08-31T21:59Z", date(2026, 8, 31)),
        ("2026-08-31T22:00Z", date(2026, 9, 1)),
        ("2026-08-31", date(2026, 8, 31)),
        ("2026-08-31T00:30+02:00", date(2026, 8, 31)),
    ],
)
def test_the_day_of_the_deploy_is_that_of_the_zone(shipped: str, day: date) -> None:
    """Late in the evening of UTC it is the next day in Berlin; a plain day is the day itself."""
    calm = values(list(levels((28, 1.0), (17, 0.6))), FIRST)
    wild = calm.copy()
    wild.loc[wild.index.tz_convert(BERLIN).date == day] *= 20  # type: ignore[attr-defined]
    late = DUE + DAY
    found = known(named("requests", calm, zone=BERLIN), shipped=shipped, zone=BERLIN, now=late)
    assert found.due == day + timedelta(days=15)
    again = known(named("requests", wild, zone=BERLIN), shipped=shipped, zone=BERLIN, now=late)
    assert found.live == again.live
    assert found.live is not None
    assert found.live.fix.shipped == fix(shipped=shipped).shipped


@pytest.mark.parametrize("zone", ["Africa/Cairo", "Europe/London", "America/New_York"])
def test_clocks_that_change(zone: str) -> None:
    """Days of 23 and of 25 hours, and days without a midnight, are days."""
    from zoneinfo import ZoneInfo

    there = ZoneInfo(zone)
    for start in (
        datetime(2026, 2, 25, tzinfo=UTC),
        datetime(2026, 4, 1, tzinfo=UTC),
        datetime(2026, 10, 1, tzinfo=UTC),
    ):
        series = named("requests", levels(*FALL), start=start, zone=there)
        shipped = (start + 28 * DAY).date()
        pin = judged(series, shipped=shipped, zone=there, now=start + 45 * DAY)
        assert pin.change.effect == pytest.approx(-0.4, abs=0.03)


@pytest.mark.parametrize(("step", "per_day"), [(DAY, 1), (timedelta(minutes=5), 288)])
def test_other_steps(step: timedelta, per_day: int) -> None:
    """A row a day, and one every five minutes, are judged like one an hour."""
    series = named("requests", levels(*FALL, per_day=per_day), step=step)
    pin = judged(series)
    assert pin.verdict == "improved"
    assert pin.change.effect == pytest.approx(-0.4, abs=0.04)
    assert (pin.change.days_before, pin.hours_present) == (28, 1.0)


def test_quantile_and_mean() -> None:
    """The figure is the fix's own, else that of the goal of its series; the mean is judged beside it."""
    series = requests(*FALL)
    goal = Goal.model_validate({"series": "requests", "quantile": 0.9, "below": "1 s"})
    assert judged(series, quantile=0.5).figure == "p50"
    assert judged(series, goal=goal, series=None).figure == "p90"
    assert judged(series, goal=goal.model_copy(update={"series": "other"})).figure == "mean"
    pin = judged(series, quantile=0.95)
    assert pin.mean is not None
    assert pin.mean.effect == pytest.approx(-0.4, abs=0.03)
    assert pin.mean_verdict == "improved"


def test_a_quantile_of_what_has_none() -> None:
    """A series with one figure has no quantile, whatever is written."""
    pin = judged(named("requests", levels(*FALL)), quantile=0.95)
    assert (pin.figure, pin.fix.quantile) == ("average", None)


# -- several fixes of one series


TWO = ((28, 1.0), (21, 0.8), (15, 0.6))
EARLIER = Sibling("slow", "e", SHIPPED)
LATER = Sibling("other", "l", date(2026, 9, 21))


def two_fixes() -> tuple[SeriesFacts, Judged, Judged]:
    """A series with a fifth less, and three weeks later a quarter less of that, and what is stated of both."""
    series = requests(*TWO, noise=0.005)
    first = judged(series, siblings=[LATER])
    second = judged(series, siblings=[EARLIER], shipped="2026-09-21", now=FIRST + 65 * DAY)
    return series, first, second


def test_two_fixes_are_measured_in_one_model() -> None:
    """Each of two fixes is credited with its own step, and names the others whose dates were in the model."""
    _, first, second = two_fixes()
    assert first.change.effect == pytest.approx(-0.2, abs=0.01)
    assert second.change.effect == pytest.approx(-0.25, abs=0.01)
    assert (first.together, second.together) == ((), ("slow/e",))
    assert [second.before, second.after] == pytest.approx([0.8, 0.6], abs=0.02)


def test_two_fixes_within_a_fortnight() -> None:
    """Each looks at the other's date, for alone it would claim a part of what the other gained."""
    series = requests((28, 1.0), (10, 0.8), (15, 0.6), noise=0.005)
    second = Sibling("slow", "l", date(2026, 9, 10))
    first = judged(series, siblings=[second])
    assert (first.together, first.change.days_after) == (("slow/l",), 9)
    assert first.change.effect == pytest.approx(-0.2, abs=0.01)
    now, shipped = FIRST + 54 * DAY, "2026-09-10"
    together = judged(series, siblings=[EARLIER], shipped=shipped, now=now).change.effect
    assert together == pytest.approx(-0.25, abs=0.01)
    assert judged(series, shipped=shipped, now=now).change.effect < together - 0.01


def test_a_fix_too_soon_after_another() -> None:
    """A fix three days after another one cannot be told from it, and says so."""
    sibling = Sibling("other", "e", date(2026, 8, 28))
    found = known(named("requests", levels(*FALL)), siblings=[sibling])
    assert found.state == "unmeasured"
    assert found.why == "it has 2 days of data before it and after the fix of 2026-08-28, and 7 are needed"
    sibling = replace(sibling, shipped=date(2026, 9, 3))
    found = known(named("requests", levels(*FALL)), siblings=[sibling])
    assert found.why == "it has 2 whole days after it and before the fix of 2026-09-03, and 5 are needed"


def test_siblings_of_all_stories(tmp_path: Path) -> None:
    """Shipped fixes of the same source and query know each other, in one story and in others, by whichever quantile."""
    telemetry = "telemetry: {{a: {{source: demo, kind: histogram, metric: {}, unit: s}}}}\n"
    fixes = "fixes: [{{id: {}, series: a, shipped: 2026-09-0{}, quantile: {}}}, {{id: unshipped, series: a}}]\n"
    stories = {
        "one": LEAST + telemetry.format("m") + fixes.format("f", 1, 0.95),
        "two": LEAST + telemetry.format("m") + fixes.format("g", 2, 0.5),
        "three": LEAST + telemetry.format("n") + fixes.format("h", 3, 0.95),
    }
    made = base(tmp_path, stories, sources="demo: {kind: demo, series: {m: {level: 1 s}, n: {level: 1 s}}}")
    found = {each.slug: each.fixes for each in load_facts(made, {}, made.stories)}
    (sibling,) = found["one"]["f"].siblings
    assert (sibling.name, sibling.shipped, sibling.mean) == ("two/g", date(2026, 9, 2), None)
    assert [each.name for each in found["two"]["g"].siblings] == ["one/f"]
    assert found["three"]["h"].siblings == ()


# -- hours


def test_a_mean_that_stays_earns_no_hours() -> None:
    """A p95 that halves while the mean stays saved nobody's day."""
    series = named("requests", histograms(levels((43, 1.0)), levels((28, 1.0), (15, 0.5))), "histogram")
    pin = judged(series, quantile=0.95)
    assert pin.verdict == "improved"
    assert pin.change.effect == pytest.approx(-0.5, abs=0.03)
    assert pin.mean is not None
    assert not pin.mean.moved
    found = known(series, pin=pin, quantile=0.95)
    assert found.counts
    assert found.hours is None


def test_a_mean_that_fell_from_an_incident() -> None:
    """A p95 that improved earns no hours by a mean that only the week before the fix makes fall, unless accepted."""
    means, p95 = levels((21, 1.0), (7, 1.9), (15, 1.0)), levels(*FALL)
    series = named("requests", histograms(means, p95), "histogram")
    pin = judged(series, quantile=0.95)
    assert (pin.verdict, pin.mean_verdict) == ("improved", "unusual")
    assert known(series, pin=pin, quantile=0.95).hours is None
    assert hours_of(known(series, pin=pin, quantile=0.95, accept="that queue is gone")).value > 0


def test_hours() -> None:
    """Hours are what the requests still take, times what they took more before, from the day after the fix on."""
    series = requests((28, 1.0), (30, 0.6), noise=0)
    found = hours_of(known(series, pin=judged(series), now=FIRST + 60 * DAY))
    spent = 29 * 24 * 500 * 0.6 / 3600
    assert found.value == pytest.approx(spent * (1 / 0.6 - 1), rel=1e-3)
    assert found.low <= found.value <= found.high
    assert found.unit == "user-hours"


@pytest.mark.parametrize(("waiting", "unit"), [("people", "user-hours"), ("machines", "machine-hours")])
def test_who_waits(waiting: str, unit: str) -> None:
    """Time that machines wait is no time of people."""
    series = named("requests", histograms(levels(*FALL)), "histogram", waiting=waiting)
    assert hours_of(known(series, pin=judged(series))).unit == unit


def test_units_of_time() -> None:
    """A series in milliseconds earns the hours of one in seconds."""
    seconds = requests(*FALL)
    pin = judged(seconds)
    rows = seconds.rows.assign(sum=seconds.rows["sum"] * 1000)
    thousands = named("requests", rows, "histogram", unit="ms")
    assert hours_of(known(thousands, pin=pin)).value == pytest.approx(hours_of(known(seconds, pin=pin)).value)


def test_no_hours_of_what_is_no_time() -> None:
    """A size has a mean and earns no hours."""
    series = named("requests", histograms(levels(*FALL)), "histogram", unit="MB")
    pin = judged(series)
    assert pin.mean is not None
    assert known(series, pin=pin).hours is None


def test_a_histogram_without_sums() -> None:
    """Without the sum of the values no mean is known: the quantile is judged, and no hours are earned."""
    series = named("requests", requests(*FALL).rows.drop(columns="sum"), "histogram")
    pin = judged(series, quantile=0.95)
    assert (pin.verdict, pin.mean, pin.mean_verdict) == ("improved", None, None)
    assert known(series, pin=pin, quantile=0.95).hours is None


def test_hours_by_quarter() -> None:
    """Hours of the quarters add up to the whole, and a day belongs to the quarter of the zone."""
    series = requests((28, 1.0), (60, 0.6))
    found = hours_of(known(series, pin=judged(series), now=FIRST + 90 * DAY))
    assert set(found.by_quarter) == {"2026Q3", "2026Q4"}
    for name in ("value", "low", "high"):
        assert sum(getattr(each, name) for each in found.by_quarter.values()) == pytest.approx(getattr(found, name))
    assert found.by_quarter["2026Q3"].value == pytest.approx(found.value * 30 / 59, rel=0.05)


@pytest.mark.parametrize(
    ("day", "quarter"), [(date(2026, 3, 31), "2026Q1"), (date(2026, 4, 1), "2026Q2"), (date(2026, 12, 31), "2026Q4")]
)
def test_quarters(day: date, quarter: str) -> None:
    """A quarter is three months of the calendar."""
    assert quarter_of(day) == quarter


def test_hours_of_at_most_a_year() -> None:
    """After a year a gain is what is usual: it earns no more."""
    series = named("requests", histograms(levels((28, 1.0), (420, 0.6), noise=0)), "histogram")
    found = hours_of(known(series, pin=judged(series), now=FIRST + 450 * DAY))
    assert found.value == pytest.approx(365 * 24 * 500 * 0.4 / 3600, rel=1e-3)


def test_a_regression_costs_hours() -> None:
    """What got slower saved less than nothing."""
    series = requests((28, 1.0), (15, 1.5), noise=0)
    found = hours_of(known(series, pin=judged(series)))
    assert found.value == pytest.approx(-14 * 24 * 500 * 0.5 / 3600, rel=1e-3)
    assert found.low <= found.value <= found.high < 0


def test_two_fixes_share_what_was_saved() -> None:
    """The hours of the earlier and of the later fix add up to what both saved together."""
    series, first, second = two_fixes()
    now = FIRST + 65 * DAY
    later = replace(LATER, mean=second.mean)
    one = hours_of(known(series, pin=first, siblings=[later], now=now))
    two = hours_of(known(series, pin=second, siblings=[EARLIER], shipped="2026-09-21", now=now))
    spent = series.rows["sum"]
    after_one = spent[(spent.index >= FIRST + 29 * DAY) & (spent.index < FIRST + 49 * DAY)].sum() / 0.8 * 0.2
    after_two = spent[spent.index >= FIRST + 50 * DAY].sum() / 0.6 * 0.4
    on_the_day = spent[(spent.index >= FIRST + 49 * DAY) & (spent.index < FIRST + 50 * DAY)].sum() / 0.8 * 0.2
    assert one.value + two.value == pytest.approx((after_one + after_two + on_the_day) / 3600, rel=0.02)
    alone = hours_of(known(series, pin=first, siblings=[LATER], now=now))
    assert alone.value < one.value


# -- whether it holds


def test_a_gain_that_holds() -> None:
    """A gain that stays is watched from the day after its judgement on, and earns hours to the last day."""
    series = requests((28, 1.0), (45, 0.6))
    found = known(series, pin=judged(series), now=FIRST + 73 * DAY)
    assert (found.standing, found.lost, found.since, found.watched) == ("held", None, None, 30)
    assert found.today is not None
    assert found.today.effect == pytest.approx(-0.4, abs=0.03)


def test_nothing_to_watch_yet() -> None:
    """On the day of the judgement nothing can be said of what came after it."""
    series = requests(*FALL)
    found = known(series, pin=judged(series))
    assert (found.standing, found.today, found.watched) == (None, None, 0)


@pytest.mark.parametrize(("level", "standing"), [(0.8, "eroded"), (1.0, "regressed"), (1.3, "regressed")])
def test_a_gain_that_is_lost(level: float, standing: str) -> None:
    """What is lost is seen within days; what is left of it tells eroded from gone, and hours stop where it began."""
    series = requests((28, 1.0), (30, 0.6), (30, level))
    pin = judged(series)
    found = known(series, pin=pin, now=FIRST + 88 * DAY)
    assert found.standing == standing
    assert found.since == date(2026, 9, 30)
    assert found.lost is not None
    assert found.since <= found.lost <= date(2026, 10, 8)
    until = replace(series, rows=series.rows[: 24 * 58])
    assert hours_of(found).value == pytest.approx(hours_of(known(until, pin=pin)).value)


def test_a_throughput_that_is_lost() -> None:
    """Where higher is better, a gain is lost by falling."""
    series = named("requests", levels((28, 1.0), (30, 1.5), (20, 1.0)), better="higher")
    found = known(series, pin=judged(series), now=FIRST + 78 * DAY)
    assert (found.standing, found.since) == ("regressed", date(2026, 9, 30))


def test_what_was_accepted_is_watched() -> None:
    """A gain that counts by somebody's reason stops counting where it is lost, as any other."""
    series = requests((21, 1.0), (7, 3.0), (30, 0.8), (30, 1.2))
    pin = judged(series)
    assert pin.verdict == "unusual"
    found = known(series, pin=pin, accept="another incident", now=FIRST + 88 * DAY)
    assert found.since == date(2026, 9, 30)
    assert known(series, pin=pin, now=FIRST + 88 * DAY).standing is None


def test_a_later_fix_begins_a_new_watch() -> None:
    """What a later fix of the series won is no part of the earlier one's gain, and what it lost is no loss of it."""
    series, first, _ = two_fixes()
    found = known(series, pin=first, siblings=[LATER], now=FIRST + 65 * DAY)
    assert (found.standing, found.today) == ("held", None)
    worse = requests((28, 1.0), (21, 0.6), (20, 0.9))
    assert known(worse, pin=first, siblings=[LATER], now=FIRST + 69 * DAY).standing == "held"


@pytest.mark.parametrize("days", [0, 1, 4])
def test_a_later_fix_of_this_week(days: int) -> None:
    """A fix that has just shipped is too young to watch by, which is no error of the earlier one."""
    series = requests((28, 1.0), (30, 0.6))
    sibling = Sibling("other", "l", (FIRST + (57 - days) * DAY).date())
    found = known(series, pin=judged(series), siblings=[sibling], now=FIRST + 58 * DAY)
    assert (found.standing, found.watched) == ("held", 14 - days)


@pytest.mark.parametrize("kept", [1, 20, 38, 42])
def test_a_store_that_forgot(kept: int) -> None:
    """A store that does not reach back to the judgement cannot tell whether a gain holds, and that is no error."""
    series = requests((28, 1.0), (50, 0.6))
    young = replace(series, rows=series.rows[-24 * kept :])
    found = known(young, pin=judged(series), now=FIRST + 78 * DAY)
    assert found.state == "judged"
    assert found.standing in (None, "held")
    assert hours_of(found).value < hours_of(known(series, pin=judged(series), now=FIRST + 78 * DAY)).value


def test_a_series_that_is_another_one_now() -> None:
    """A pin outlives its series: one of another kind or unit changes nothing that was stated, and earns nothing."""
    pin = judged(requests(*FALL), quantile=0.95)
    found = known(named("requests", levels((28, 1.0), (30, 0.6)), unit="MB"), pin=pin, now=FIRST + 58 * DAY)
    assert (found.pin, found.hours) == (pin, None)


def test_hours_never_fail() -> None:
    """A mean that fell by almost all of itself is a large gain."""
    series = requests(*FALL)
    pin = judged(series)
    assert pin.mean is not None
    almost = Change(**{**pin.mean.model_dump(), "effect": -0.999, "low": -0.9999, "high": -0.99})
    assert hours_of(known(series, pin=pin.model_copy(update={"mean": almost}))).value > 0


def test_the_step_of_the_rows_does_not_matter_for_hours() -> None:
    """Hours are sums over rows, however long each is."""
    series = requests(*FALL)
    pin = judged(series)
    rows = series.rows.resample("6h").sum()
    coarse = named("requests", rows, "histogram", step=6 * HOUR)
    assert hours_of(known(coarse, pin=pin)).value == pytest.approx(hours_of(known(series, pin=pin)).value)


def test_a_regression_that_was_made_good() -> None:
    """A regression that was taken back costs hours only until then."""
    series = requests((28, 1.0), (20, 1.5), (40, 1.0), noise=0.01)
    found = known(series, pin=judged(series), now=FIRST + 88 * DAY)
    assert found.since is not None
    assert abs(found.since - (FIRST + 48 * DAY).date()) <= DAY
    assert hours_of(found).value == pytest.approx(-19 * 24 * 500 * 0.5 / 3600, rel=0.1)
    assert found.standing is None


def test_two_fixes_of_one_day() -> None:
    """Of two fixes of one series on one day the hours are counted once, and the other says where."""
    series = requests(*FALL, noise=0)
    pin = judged(series)
    other = Sibling("quick", "a", SHIPPED)
    assert known(series, pin=pin, siblings=[Sibling("tardy", "a", SHIPPED)]).hours
    told = known(series, pin=pin, siblings=[other])
    assert (told.hours, told.uncounted) == (
        None, "quick/a changed the same series on the same day, and they are counted there",
    )  # fmt: skip


def test_a_query_that_was_changed() -> None:
    """Nothing is said of today's data where it answers another query than the one that was judged."""
    series = requests(*FALL, noise=0)
    pin = judged(series)
    looked = {"requests": pin.series["requests"].model_copy(update={"query": "another"})}
    told = known(series, pin=pin.model_copy(update={"series": looked}))
    assert (told.hours, told.standing, told.watched) == (None, None, 0)
    assert told.uncounted == "the query of its series has changed since it was judged"
