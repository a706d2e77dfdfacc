"""What a hypothesis' test looks at: the days of its window and some around them, as they were observed.

It draws no conclusion. Whether a threshold holds is a question of an interval, and of
whether the window is long and full enough.
"""

from dataclasses import replace
from functools import partial

import pandas as pd

from ingest.charts.about import NothingToDrawError, chart_id, marks, or_placeholder, titled, window_of
from ingest.charts.asked import Asked
from ingest.charts.base import Chart, TimeSeries, csv_text
from ingest.charts.contrast import draw_change, draw_contrast, short_name
from ingest.charts.timeseries import draw_time_series
from ingest.evidence import Facts, SeriesFacts
from ingest.evidence.figure import Figure, amounts
from ingest.stats import day_starts
from ingest.story import Hypothesis
from ingest.units import format_duration, format_percent


def draw(facts: Facts, name: str) -> Chart:
    """What the test of the hypothesis called `name` looks at; a placeholder where there is no data for it."""
    hypothesis = next(each for each in facts.story.front.hypotheses if each.id == name)
    identity, title = chart_id(facts, f"hypothesis-{name}"), _title(facts, hypothesis)
    return or_placeholder(identity, title, partial(_draw, facts, hypothesis, identity, title))


def _title(facts: Facts, hypothesis: Hypothesis) -> str:
    test = hypothesis.test
    if test and test.share in facts.series:
        return titled(facts.series[test.share].title, ", share of the whole")
    tested = facts.series.get((test.contrast or test.change or "") if test else "")
    if test and tested:
        figure = Figure(tested, test.quantile, facts.zone).name
        other = facts.series.get(test.against or "")
        subject = f"{short_name(tested)} and {short_name(other)}" if other else tested.title
        return titled(subject, f", {figure}")
    return f"What the test of {hypothesis.id} looks at"


def _draw(facts: Facts, hypothesis: Hypothesis, identity: str, title: str) -> Chart:
    test, window = hypothesis.test, window_of(hypothesis, facts.zone)
    if test is None or window is None:
        raise NothingToDrawError("There is no test yet.")
    asked = Asked(facts, hypothesis, test, window, identity, title)
    kinds = {"share": _draw_share, "contrast": draw_contrast, "change": draw_change}
    if test.kind not in kinds:
        raise NothingToDrawError("The test says neither share nor contrast nor change.")
    return kinds[test.kind](asked)


def _draw_share(asked: Asked) -> Chart:
    """The component's part of the whole, by steps and by days."""
    part, whole = asked.series(asked.test.share), asked.series(asked.test.of)
    both = asked.shown(_both(part, whole))
    steps = _percent(both)
    if steps.empty:
        raise NothingToDrawError("There are no data of both around the test window.")
    by_day = both.groupby(day_starts(pd.DatetimeIndex(both.index), asked.facts.zone)).sum()
    note = _observed(asked, both)
    threshold = f"at least {format_percent(asked.test.at_least)}"
    chart = draw_time_series(
        TimeSeries(
            id=asked.id,
            title=asked.title,
            unit="%",
            points=steps,
            step=part.step,
            zone=asked.facts.zone,
            days=_percent(by_day),
            marks=marks(asked.facts),
            spans=(asked.window,),
            figure="share",
            goal=asked.test.at_least * 100,
            goal_label=threshold,
            note=note,
            covers=(asked.window.start, asked.window.end),
            description=asked.described(f"The part of “{whole.title}” that is “{part.title}”", threshold, note),
        )
    )
    return replace(chart, write_csv=partial(_csv, by_day))


def _both(part: SeriesFacts, whole: SeriesFacts) -> pd.DataFrame:
    """The amounts `part` and `whole` of the steps that have both, in the unit of the whole."""
    if part.step != whole.step:
        raise NothingToDrawError(
            f"A step of “{part.title}” is {format_duration(part.step)}, and of “{whole.title}”"
            f" {format_duration(whole.step)}: they do not cover the same time."
        )
    return pd.DataFrame({"part": amounts(part, whole.unit), "whole": amounts(whole, whole.unit)}).dropna()


def _observed(asked: Asked, both: pd.DataFrame) -> str:
    tested = both[(both.index >= asked.window.start) & (both.index < asked.window.end)]
    part, whole = tested["part"].sum(), tested["whole"].sum()
    return asked.observed(format_percent(part / whole), tested.index[-1]) if whole > 0 else asked.observed("", None)


def _percent(both: pd.DataFrame) -> pd.DataFrame:
    there = both[both["whole"] > 0]
    return pd.DataFrame({"value": 100 * there["part"] / there["whole"]})


def _csv(by_day: pd.DataFrame) -> str:
    """The days' amounts, and the share that one is of the other."""
    table = by_day.assign(share=by_day["part"] / by_day["whole"].where(by_day["whole"] > 0))
    starts = pd.DatetimeIndex(table.index).to_pydatetime()
    numbers = table[["share", "part", "whole"]].to_numpy(dtype="float64").tolist()
    return csv_text(["time", "share", "part", "whole"], ([at, *row] for at, row in zip(starts, numbers, strict=True)))
