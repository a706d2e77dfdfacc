"""The watch: quiet while a gain holds, and quick when it is lost."""

from datetime import date
from functools import partial

import numpy as np
import pandas as pd
import pytest

from ingest.stats import TooFewDaysError, Watch, watch
from tests.bench import statistics as bench
from tests.ingest.stats.test_change import hourly, runs

JUDGED = date(2026, 9, 14)


def drifting(factor: float, days: int = 40) -> pd.Series:
    """Two judged weeks without noise, two more that are like them, then `factor` times as slow."""
    values = hourly("2026-09-01", days)
    values[values.index >= "2026-09-29"] *= factor
    return values


def test_a_gain_that_holds() -> None:
    """Days like those that were judged raise no alarm, and each was looked at."""
    assert watch(drifting(1.0), JUDGED) == Watch(None, None, 26)


def test_a_gain_that_is_lost() -> None:
    """The alarm follows the loss within days, and names the day since which it built up."""
    found = watch(drifting(1.06), JUDGED)
    assert found.since == date(2026, 9, 29)
    assert found.lost is not None
    assert date(2026, 9, 29) < found.lost <= date(2026, 10, 3)


@pytest.mark.parametrize(
    ("factor", "better", "lost"), [(0.8, "lower", False), (0.8, "higher", True), (1.25, "higher", False)]
)
def test_the_direction_that_is_better(factor: float, better: str, lost: bool) -> None:
    """What gets better is no loss."""
    found = watch(drifting(factor), JUDGED, "higher" if better == "higher" else "lower")
    assert (found.lost is not None) == lost


def test_an_answer_does_not_depend_on_later_days() -> None:
    """The same alarm is found on the day that it is due and ever after."""
    whole = watch(drifting(1.06), JUDGED)
    assert whole.lost is not None
    values = drifting(1.06)
    until = values.loc[: str(whole.lost)]
    assert watch(until, JUDGED).lost == whole.lost
    assert watch(until.iloc[:-24], JUDGED).lost is None


def test_a_single_bad_day() -> None:
    """A day that is somewhat slower passes."""
    values = drifting(1.0)
    values.loc["2026-09-22"] *= 1.05
    assert watch(values, JUDGED).lost is None


def test_too_few_days_to_judge_by() -> None:
    """Fewer than 5 judged days set no target."""
    for days in (0, 4):
        with pytest.raises(TooFewDaysError) as error:
            watch(drifting(1.0).iloc[: 24 * days], JUDGED)
        assert (error.value.days_before, error.value.days_after) == (0, days)


def test_few_false_alarms() -> None:
    """Looked at on 91 days, a gain that holds is seldom called lost."""
    assert runs(partial(bench.kept, "S2"), "test kept").mean() <= 0.15


def test_a_lost_gain_is_found() -> None:
    """A gain of a fifth that is wholly lost is missed within four weeks."""
    days = runs(partial(bench.gone, "S2"), "test gone")
    assert np.isfinite(days).mean() >= 0.88
    assert np.median(days) <= 10
