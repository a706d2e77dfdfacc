"""Whether the statistics keep what they promise, on simulated series: `make bench-statistics`.

Prints one table in Markdown; exit status 1 where a limit is broken. Every run of every row has
a seed of its own, so the table is the same each time but for the time that a change takes.

S1 are hours with a daily and a weekly shape, lognormal AR(1) noise, spikes and gaps; S2 are the
same with days that wander slowly (AR 0.8, 4 %). 28/14 are 28 days before a fix and 14 after it.
"""

import sys
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import signal, stats

from ingest.stats import (
    TooFewDaysError,
    estimate_change,
    estimate_guarded,
    estimate_level,
    estimate_steps,
    gain_factor,
    judge,
    saved,
    total_of,
    watch,
)
from ingest.stats.change import _whitening

Floats = npt.NDArray[np.float64]
Trial = Callable[[np.random.Generator], Any]

KINDS = ("S1", "S2")
WINDOWS = ((14, 7), (28, 14))
EFFECTS = (0.0, -0.05, -0.1, -0.2, -0.4)
LOOKS, FOUND_WITHIN = 91, 28
USUAL = ("Welch's t on raw hours", "Mann-Whitney on raw hours", "t-test on daily means")
FIRST, SECOND, BETWEEN = -0.2, -0.15, 21
"""Two fixes on one endpoint, and the days from the one to the other."""


@dataclass(frozen=True)
class Row:
    """A line of the table; `holds` is None where there is no limit."""

    figure: str
    setting: str
    measured: str
    limit: str = ""
    holds: bool | None = None

    def __str__(self) -> str:
        held = {None: "", True: "yes", False: "**NO**"}[self.holds]
        return f"| {self.figure} | {self.setting} | {self.measured} | {self.limit} | {held} |"


@dataclass(frozen=True)
class Bench:
    """Runs trials, each with a seed of its own, on all processes of `pool`."""

    runs: int
    pool: ProcessPoolExecutor

    def __call__(self, trial: Trial, name: str, runs: int = 0) -> Floats:
        """The answers of the trials, one a row."""
        count = runs or self.runs
        work = self.pool.map(partial(run, trial, name), range(count), chunksize=max(1, count // 16))
        return np.array(list(work), dtype=np.float64)


def run(trial: Trial, name: str, number: int) -> Any:
    return trial(np.random.default_rng([zlib.crc32(name.encode()), number]))


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def at_most(figure: str, setting: str, share: float, limit: float, note: str = "") -> Row:
    return Row(figure, setting, percent(share) + note, f"<= {limit:.0%}", share <= limit)


def at_least(figure: str, setting: str, share: float, limit: float, note: str = "") -> Row:
    return Row(figure, setting, percent(share) + note, f">= {limit:.0%}", share >= limit)


# -- what is simulated


def wandering(rng: np.random.Generator, count: int, persistence: float, deviation: float) -> Floats:
    """AR(1) noise, long since begun."""
    shocks = rng.normal(0, deviation * np.sqrt(1 - persistence**2), count + 200)
    found: Floats = signal.lfilter([1], [1, -persistence], shocks)[200:]
    return found


def simulated(rng: np.random.Generator, kind: str, levels: Floats, start: pd.Timestamp | None = None) -> pd.Series:
    """Hours, in seconds, of as many days as there are `levels`: the logarithm that each day is raised by."""
    start = start or pd.Timestamp("2026-01-05") + pd.Timedelta(days=int(rng.integers(0, 350)))
    end = start + pd.Timedelta(days=len(levels))
    index = pd.date_range(start, end, freq="h", tz="Europe/Berlin", inclusive="left")
    hour, weekend = index.hour.to_numpy(), index.day_of_week.to_numpy() >= 5
    shape = 0.3 * np.sin(2 * np.pi * (hour - 9) / 24) - weekend * (0.2 - 0.1 * np.cos(2 * np.pi * hour / 24))
    noise = wandering(rng, len(index), rng.uniform(0.5, 0.9), 0.1)
    if kind == "S2":
        levels = levels + wandering(rng, len(levels), 0.8, 0.04)
    local = index.tz_localize(None)
    values = 0.2 * np.exp(shape + noise + levels[(local - start).days])
    values *= np.where(rng.random(len(index)) < 0.005, rng.uniform(2, 6, len(index)), 1.0)
    values[rng.random(len(index)) < 0.02] = np.nan
    return pd.Series(values, index=index)


def split(values: pd.Series, days_before: int) -> tuple[pd.Series, pd.Series]:
    """Before and after a deploy, the day of which is left out."""
    deploy = values.index[0].normalize() + pd.DateOffset(days=days_before)
    return values[values.index < deploy], values[values.index >= deploy + pd.DateOffset(days=1)]


def dates_of(values: pd.Series) -> npt.NDArray[Any]:
    """The local date of each value."""
    return pd.DatetimeIndex(values.index).date


def stepped(window: tuple[int, int], effect: float) -> Floats:
    """The levels of days where a fix changes what comes after it."""
    return np.where(np.arange(sum(window) + 1) >= window[0], np.log1p(effect), 0.0)


# -- trials: what one run answers


def changed(kind: str, window: tuple[int, int], effect: float, rng: np.random.Generator) -> tuple[float, ...]:
    change = estimate_change(*split(simulated(rng, kind, stepped(window, effect)), window[0]))
    return change.low, change.high, change.effect, change.detectable


def usual(window: tuple[int, int], rng: np.random.Generator) -> tuple[bool, ...]:
    """What usual methods call significant where nothing changed."""
    return claims(*split(simulated(rng, "S2", stepped(window, 0)), window[0]))


def claims(before: pd.Series, after: pd.Series) -> tuple[bool, ...]:
    first, last = before.dropna(), after.dropna()
    days = [each.groupby(dates_of(each)).mean() for each in (first, last)]
    return (
        stats.ttest_ind(first, last, equal_var=False).pvalue < 0.05,
        stats.mannwhitneyu(first, last).pvalue < 0.05,
        stats.ttest_ind(*days, equal_var=False).pvalue < 0.05,
    )


def disturbed(kind: str, effect: float, rng: np.random.Generator) -> tuple[bool, bool]:
    """Whether the change is covered, with a control and without, where both series shift by 10 % on some day."""
    window = (28, 14)
    days = np.arange(sum(window) + 1)
    foreign = np.where(days >= rng.integers(1, len(days)), np.log(1.1), 0.0)
    values = simulated(rng, kind, stepped(window, effect) + foreign)
    control = simulated(rng, kind, foreign, values.index[0].tz_localize(None))
    parts = split(values, window[0])
    found = [estimate_change(*parts, control), estimate_change(*parts)]
    return found[0].low <= effect <= found[0].high, found[1].low <= effect <= found[1].high


def healed(kind: str, window: tuple[int, int], rng: np.random.Generator) -> tuple[bool, bool]:
    """An incident of 3 to 7 days, 30 % slower, that is over with the day of a fix that does nothing."""
    days = np.arange(sum(window) + 1)
    incident = (days >= window[0] - rng.integers(3, 8)) & (days < window[0])
    return verdicts(*split(simulated(rng, kind, incident * np.log(1.3)), window[0]))


def sound(kind: str, window: tuple[int, int], effect: float, rng: np.random.Generator) -> tuple[bool, bool]:
    return verdicts(*split(simulated(rng, kind, stepped(window, effect)), window[0]))


def verdicts(before: pd.Series, after: pd.Series) -> tuple[bool, bool]:
    """Whether it is improved with the guard, and whether it were without."""
    change, guard = estimate_guarded(before, after)
    return judge(change, guard) == "improved", change.high < 0


def twice(kind: str, rng: np.random.Generator) -> tuple[float, ...]:
    """The total of two fixes by one model, its interval, and what each against today adds up to."""
    at = np.array([28, 28 + BETWEEN])
    days = np.arange(at[1] + 15)
    levels = np.where(days >= at[0], np.log1p(FIRST), 0.0) + np.where(days >= at[1], np.log1p(SECOND), 0.0)
    values = simulated(rng, kind, levels)
    dates = [(values.index[0].normalize() + pd.DateOffset(days=int(day))).date() for day in at]
    total = estimate_steps(values, dates).total
    if total is None:
        raise TooFewDaysError(0, 0)
    local = dates_of(values)
    today = values[local > dates[1]]
    first = estimate_change(values[local < dates[0]], today)
    month = (values.index[0].normalize() + pd.DateOffset(days=BETWEEN)).date()
    second = estimate_change(values[(local < dates[1]) & (local >= month)], today)
    return total.effect, total.low, total.high, (1 + first.effect) * (1 + second.effect) - 1


def kept(kind: str, rng: np.random.Generator) -> bool:
    """Whether an alarm was raised in as many daily looks though the gain holds."""
    values = simulated(rng, kind, np.zeros(14 + LOOKS))
    return watch(values, judged_until(values)).lost is not None


def gone(kind: str, rng: np.random.Generator) -> float:
    """After how many days a gain of a fifth that is wholly lost is missed; infinite if it is not."""
    values = simulated(rng, kind, np.where(np.arange(14 + FOUND_WITHIN) >= 14, -np.log(0.8), 0.0))
    until = judged_until(values)
    lost = watch(values, until).lost
    return np.inf if lost is None else (lost - until).days


def judged_until(values: pd.Series) -> Any:
    return (values.index[0].normalize() + pd.DateOffset(days=13)).date()


def summed(rng: np.random.Generator) -> tuple[float, ...]:
    """A sum of the hours that twenty stories saved: the truth, the interval, and the sum of the ends."""
    truth, items = 0.0, []
    for _ in range(20):
        effect, base, window = rng.uniform(-0.4, 0.05), float(np.exp(rng.normal(3, 1))), WINDOWS[rng.integers(2)]
        values = simulated(rng, KINDS[rng.integers(2)], stepped(window, effect))
        items.append(saved(base, estimate_change(*split(values, window[0]))))
        truth += base * gain_factor(effect)
    total = total_of(items)
    return truth, total.low, total.high, sum(each.high - each.low for each in items)


def levelled(deviation: float, count: int, rng: np.random.Generator) -> tuple[float, float]:
    """The interval of a share that is truly 30 %."""
    noise = wandering(rng, count, 0.8, deviation) + rng.normal(0, 0.05, count)
    days = pd.Series(0.3 * np.exp(noise), index=pd.date_range("2026-03-02", periods=count))
    level = estimate_level(days)
    return level.low, level.high


# -- rows: what many runs say together


def changes(bench: Bench) -> Iterator[Row]:
    """False positives, coverage and power of a change."""
    found = {
        (kind, window, effect): bench(partial(changed, kind, window, effect), f"{kind} {window} {effect}")
        for kind in KINDS
        for window in WINDOWS
        for effect in EFFECTS
    }
    for (kind, window, effect), each in found.items():
        if effect == 0:
            wrong = ((each[:, 0] > 0) | (each[:, 1] < 0)).mean()
            yield at_most("false positives, no change", setting(kind, window), wrong, 0.06)
    for (kind, window, effect), each in found.items():
        covered = ((each[:, 0] <= effect) & (effect <= each[:, 1])).mean()
        note = f", bias {100 * (each[:, 2] - effect).mean():+.2f} points"
        yield at_least("coverage", f"{setting(kind, window)}, {effect:.0%}", covered, 0.93, note)
    for kind, window, effect, limit in (("S1", (28, 14), -0.1, 0.8), ("S2", (14, 7), -0.2, 0.85)):
        each = found[kind, window, effect]
        yield at_least("power", f"{setting(kind, window)}, {effect:.0%}", (each[:, 1] < 0).mean(), limit)
    for kind in KINDS:
        fall = -float(np.median(found[kind, (28, 14), 0.0][:, 3]))
        power = (bench(partial(changed, kind, (28, 14), fall), f"detectable {kind}")[:, 1] < 0).mean()
        where = f"{setting(kind, (28, 14))}, {fall:.1%}"
        yield at_least("power at the fall called detectable, 80 %", where, power, 0.75)


def setting(kind: str, window: tuple[int, int]) -> str:
    return f"{kind} {window[0]}/{window[1]}"


def others(bench: Bench) -> Iterator[Row]:
    """Usual methods, for comparison."""
    for window in WINDOWS:
        found = bench(partial(usual, window), f"usual {window}").mean(axis=0)
        for method, share in zip(USUAL, found, strict=True):
            yield Row(f"{method}: false positives", setting("S2", window), percent(share))


def controls(bench: Bench) -> Iterator[Row]:
    for kind in KINDS:
        for effect in (0.0, -0.1):
            covered = bench(partial(disturbed, kind, effect), f"foreign {kind} {effect}").mean(axis=0)
            note = f" (without a control {percent(covered[1])})"
            where = f"{setting(kind, (28, 14))}, {effect:.0%}"
            yield at_least("coverage, foreign 10 % shift, control", where, covered[0], 0.9, note)


def guards(bench: Bench) -> Iterator[Row]:
    for kind in KINDS:
        for window in WINDOWS:
            found = bench(partial(healed, kind, window), f"incident {kind} {window}").mean(axis=0)
            note = f" (without the guard {percent(found[1])})"
            yield at_most("incident that heals: unqualified improved", setting(kind, window), found[0], 0.05, note)
    for kind, window, effect, limit in (("S1", (28, 14), -0.1, 0.8), ("S2", (14, 7), -0.2, 0.85)):
        found = bench(partial(sound, kind, window, effect), f"sound {kind} {window} {effect}").mean(axis=0)
        where, note = f"{setting(kind, window)}, {effect:.0%}", f" (without the guard {percent(found[1])})"
        yield at_least("no incident: unqualified improved", where, found[0], limit, note)


def watches(bench: Bench) -> Iterator[Row]:
    for kind in KINDS:
        alarms = bench(partial(kept, kind), f"kept {kind}").mean()
        yield at_most("watch: false alarms", f"{kind}, {LOOKS} daily looks", alarms, 0.07)
        days = bench(partial(gone, kind), f"gone {kind}")
        note = f", median {np.median(days):.0f} days"
        where = f"{kind}, within {FOUND_WITHIN} days"
        yield at_least("watch: lost 20 % gain found", where, np.isfinite(days).mean(), 0.95, note)


def steps(bench: Bench) -> Iterator[Row]:
    truth = (1 + FIRST) * (1 + SECOND) - 1
    for kind in KINDS:
        effect, low, high, naive = bench(partial(twice, kind), f"twice {kind}").T
        measured = f"{effect.mean():.1%} (each against today: {naive.mean():.1%})"
        holds = bool(abs(effect.mean() - truth) <= 0.01)
        yield Row("two fixes on one endpoint: total", f"{kind}, truth {truth:.0%}", measured, "within 1 point", holds)
        covered = ((low <= truth) & (truth <= high)).mean()
        yield at_least("two fixes on one endpoint: coverage", kind, covered, 0.93)


def sums(bench: Bench) -> Iterator[Row]:
    truth, low, high, ends = bench(summed, "summed", max(1, bench.runs // 5)).T
    note = f", {np.mean((high - low) / ends):.0%} as wide as adding the ends"
    yield at_least("totals: coverage", "20 stories", ((low <= truth) & (truth <= high)).mean(), 0.93, note)


def levels(bench: Bench) -> Iterator[Row]:
    for kind, deviation in zip(KINDS, (0.0, 0.04), strict=True):
        for count in (7, 14):
            low, high = bench(partial(levelled, deviation, count), f"level {kind} {count}").T
            note = f", median width {np.median(high - low) / 0.3:.0%}"
            where = f"noise of days as in {kind}, {count} days"
            yield at_least("typical level: coverage", where, ((low <= 0.3) & (high >= 0.3)).mean(), 0.93, note)


def times() -> Iterator[Row]:
    """Processor time, of days that were not seen before, too."""
    parts = split(simulated(np.random.default_rng(1), "S2", stepped((28, 14), -0.2)), 28)
    estimate_change(*parts)
    taken = []
    for _ in range(50):
        _whitening.cache_clear()
        begun = time.process_time()
        estimate_change(*parts)
        taken.append(time.process_time() - begun)
    seconds = float(np.median(taken))
    yield Row("processor time of one change", "28/14, hourly", f"{1000 * seconds:.1f} ms", "<= 50 ms", seconds <= 0.05)


# -- real series


def real(folder: Path | None) -> Iterator[Row]:
    """How often a fix that never was is claimed, on real series, placed on every day that it can be."""
    where = f"{WINDOWS[0][0]}/{WINDOWS[0][1]}"
    each = [] if folder is None else [list(placed(values, WINDOWS[0])) for values in read_real(folder)]
    long_enough = [found for found in each if found]
    if not long_enough:
        why = "no --data" if folder is None else "nothing of enough days in the folder"
        yield Row("real series, nothing deployed: claimed", where, f"skipped: {why}")
        return
    found = np.concatenate(long_enough)
    ours, *theirs = found.mean(axis=0)
    note = ", ".join(f"{method} {percent(share)}" for method, share in zip(USUAL, theirs, strict=True))
    where += f", {len(found)} overlapping placements on {len(long_enough)} series"
    yield Row("real series, nothing deployed: claimed", where, f"{percent(ours)} ({note})")


def read_real(folder: Path) -> Iterator[pd.Series]:
    """Hourly medians of the latencies in folder/rtt."""
    for path in sorted(folder.glob("rtt/*.csv")):
        table = pd.read_csv(path, sep=";")
        form = "%d/%m/%Y %H:%M" if "/" in table["epoch"].iloc[0] else "%Y-%m-%d %H:%M:%S"
        values = pd.Series(table["rtt"].to_numpy(), index=pd.to_datetime(table["epoch"], format=form))
        yield values[values > 0].resample("h").median()


def placed(values: pd.Series, window: tuple[int, int]) -> Iterator[tuple[bool, ...]]:
    days = (values.index[-1].normalize() - values.index[0].normalize()).days
    for first in range(1, days - sum(window)):
        start = values.index[0].normalize() + pd.Timedelta(days=first)
        part = values[(values.index >= start) & (values.index < start + pd.Timedelta(days=sum(window) + 1))]
        before, after = split(part, window[0])
        try:
            change = estimate_change(before, after)
        except TooFewDaysError:
            continue
        yield (change.low > 0 or change.high < 0, *claims(before, after))


def rows(runs: int, jobs: int, data: Path | None) -> Iterator[Row]:
    """Everything that is measured, as it comes."""
    with ProcessPoolExecutor(jobs) as pool:
        bench = Bench(runs, pool)
        for part in (changes, controls, guards, watches, steps, sums, levels, others):
            yield from part(bench)
    yield from times()
    yield from real(data)


@click.command()
@click.option("--runs", default=400, show_default=True, help="Runs a row.")
@click.option("--jobs", default=2, show_default=True, help="Processes.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Folder of real series: rtt/*.csv.")
def main(runs: int, jobs: int, data: Path | None) -> None:
    """Prints the table; exit status 1 where a limit does not hold."""
    click.echo("| figure | setting | measured | must be | ok |\n|---|---|---|---|---|")
    broken = 0
    for row in rows(runs, jobs, data):
        click.echo(row)
        broken += row.holds is False
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
