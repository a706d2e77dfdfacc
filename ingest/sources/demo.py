"""The built-in source: made-up telemetry with the habits of the real thing.

A row is a pure function of its series' name, its configuration and its own moment, so
every window, run and machine sees the same history. All randomness comes from hashes of
names and days through NumPy's legacy generator, whose streams are frozen; figures are
rounded to where platforms agree.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import AfterValidator, Field, model_validator

from ingest.errors import FetchError
from ingest.fields import Amount, DayOrMoment, Duration, Line, Percent, Strict, wrong
from ingest.settings import Zone
from ingest.sources.base import Fetched, Objection, Window
from ingest.story import Series, moment_of
from ingest.units import Quantity

Floats = npt.NDArray[np.float64]
Growth = Annotated[Percent, Field(gt=-1)]

DAY = 86_400
COUNTED = timedelta(days=1)
GAPS = 0.015
SPIKES = 0.004
HOURLY_NOISE = 0.05
# The level's noise fades over a few steps, and its wander over some weeks.
NOISE_WEIGHTS = np.array([0.6**k for k in range(8)])
WANDER_WEIGHTS = np.array([0.8**k for k in range(21)])
P95 = 1.645
# How busy an office audience is, by the hour from midnight, and by the day from Monday.
HOURS = np.array(
    [7, 5, 4, 4, 5, 8, 18, 38, 68, 92, 100, 98, 84, 86, 96, 97, 88, 70, 52, 42, 36, 28, 18, 11]
) / 100  # fmt: skip
WEEKDAYS = np.array([0.93, 1.0, 0.98, 0.95, 0.84, 0.42, 0.38])
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


def _read_positive(value: Quantity) -> Quantity:
    if value.value <= 0:
        raise wrong(f"{value} is not above zero", "write a level such as 420 ms")
    return value


class Change(Strict):
    """Something that happened: a deploy, an incident, a slow growth."""

    at: DayOrMoment
    """When it begins."""
    until: DayOrMoment | None = None
    """When it is over; it stays where this is left out."""
    over: Duration = timedelta(0)
    """How long it takes to come in fully; at once where this is left out."""
    by: Growth = 0.0
    """What it does to the level: -60 % is 60 % less."""
    traffic: Growth = 0.0
    """What it does to the number of requests."""
    tail: Growth = 0.0
    """What it does to the 95th percentile, beyond what `by` does to all values."""


class Rush(Strict):
    """A part of every day in which things are different, most of all in its middle."""

    from_: Annotated[Duration, Field(alias="from")]
    """When it begins, counted from midnight."""
    to: Duration
    """When it ends, counted from midnight; earlier than `from` means on the next day."""
    by: Growth = 0.0
    """What it does to the level at its peak."""
    traffic: Growth = 0.0
    """What it does to the number of requests at its peak."""


class Outage(Strict):
    """A time without telemetry."""

    from_: Annotated[DayOrMoment, Field(alias="from")]
    """When the telemetry stops."""
    to: DayOrMoment
    """When it is back."""


class Share(Strict):
    """A component's part of a whole: what it takes is taken out of the other's time."""

    of: Line
    """The demo series of the whole, itself without a share."""
    part: Annotated[Percent, Field(gt=0, lt=1)]
    """The component's usual part of the whole."""


class DemoSeries(Strict):
    """What one made-up series is like; what is left out follows from its name."""

    level: Annotated[Amount, AfterValidator(_read_positive)] = Quantity(1.0)
    """The usual value: the median of a histogram, the value of a gauge."""
    traffic: Annotated[float, Field(ge=0)] = 0.0
    """Requests an hour in the busiest hour."""
    spread: Annotated[float, Field(gt=0, le=3)] = 0.6
    """How far single values scatter: the sigma of a lognormal distribution."""
    rhythm: Annotated[Percent, Field(ge=0, lt=2)] = 0.25
    """How much of the level swings between night and the busiest hour."""
    wander: Annotated[Percent, Field(ge=0, lt=1)] = 0.04
    """How far whole days stray from the level: a standard deviation."""
    bounds: tuple[Annotated[Amount, AfterValidator(_read_positive)], ...] = ()
    """Upper edges of a histogram's buckets; 5 ms to 60 s where they are left out."""
    changes: tuple[Change, ...] = ()
    """What happened when."""
    rushes: tuple[Rush, ...] = ()
    """Parts of every day that are different."""
    gaps: tuple[Outage, ...] = ()
    """Times without telemetry, beside the odd missing hour."""
    share: Share | None = None
    """Makes this series a component of another: a total of its time."""


class DemoOptions(Strict):
    """The keys of a demo source."""

    timezone: Zone = ZoneInfo("UTC")
    """The zone of the users, whose working hours and days shape the series."""
    series: dict[Line, DemoSeries] = Field(default_factory=dict)
    """The series by name; a name that is not here works as well."""

    @model_validator(mode="after")
    def _wholes_exist(self) -> Self:
        for name, demo in self.series.items():
            whole = self.series.get(demo.share.of) if demo.share else None
            if demo.share and (whole is None or whole.share):
                raise wrong(f"{name} is a share of {demo.share.of!r}, which must be a series without a share itself")
        return self


class DemoSource:
    """Answers every request out of thin air, always with the same rows."""

    Options: ClassVar[type[Strict]] = DemoOptions

    def __init__(self, name: str, options: DemoOptions, environ: Mapping[str, str], root: Path) -> None:
        del environ, root  # other kinds of sources need them
        self.name = name
        self.options = options

    @staticmethod
    def objections(series: Series, step: timedelta, options: Strict | None = None) -> Sequence[Objection]:
        """What is wrong with `series` for this kind of source; touches nothing."""
        del step, options  # any step will do
        found = []
        if bool(series.metric) == bool(series.query):
            key = "query" if series.metric else "metric"
            found.append(Objection(key, "a demo series needs its name, once", "give either `metric` or `query`"))
        unused = [key for key in ("match", "sum") if getattr(series, key)]
        return found + [Objection(key, "the demo source does not use this", "remove it") for key in unused]

    @staticmethod
    def query(series: Series, step: timedelta, options: Strict | None = None) -> str:
        """The request in words: `demo series campaign_list`."""
        del step, options
        return f"demo series {_name(series)}"

    def fetch(self, series: Series, window: Window) -> Fetched:
        """The rows of `window`; raises FetchError where the units do not fit together."""
        name = _name(series)
        try:
            made = self._made(name, series.kind, series.unit, window)
            if made.demo.share:
                return Fetched(_component(series.kind, made, self._whole(made, made.demo.share)))
            rows = _histogram(made) if series.kind == "histogram" else _values(series.kind, made)
        except ValueError as error:
            raise FetchError(f"demo series {name}: {error}", fault="query") from None
        return Fetched(rows[made.is_there])

    @staticmethod
    def count_objections(query: str, options: Strict | None) -> Sequence[Objection]:
        """Nothing: any query finds some reports."""
        del query, options
        return ()

    def count(self, query: str, at: datetime) -> Fetched:
        """The level of the series called like the query, as a whole number."""
        made = self._made(query, "gauge", "reports", Window(at - COUNTED, at, COUNTED))
        return Fetched(pd.DataFrame({"value": np.rint(made.level)}, index=made.index))

    def close(self) -> None:
        """Frees nothing: there are no connections."""

    def _made(self, name: str, kind: str, unit: str, window: Window) -> "_Made":
        demo = _complete(name, self.options.series.get(name, DemoSeries()), kind, unit)
        return _Made(name, demo, unit, self.options.timezone, window)

    def _whole(self, part: "_Made", share: Share) -> "_Made":
        """What `part` is a share of, in the same unit and window."""
        return self._made(share.of, "histogram", part.unit, part.window)


@dataclass(frozen=True)
class _Made:
    """One series over one window; every array has one item a step."""

    name: str
    demo: DemoSeries
    unit: str
    zone: ZoneInfo
    window: Window

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """The steps' starts, in seconds since the epoch."""
        first, step = int(self.window.start.timestamp()), int(self.window.step.total_seconds())
        return np.arange(first, first + self.window.steps * step, step, dtype=np.int64)

    @cached_property
    def index(self) -> pd.DatetimeIndex:
        return pd.to_datetime(self.starts, unit="s", utc=True)

    @cached_property
    def level(self) -> Floats:
        """The median of each step's values, in `unit`."""
        usual = _in_unit(self.demo.level, self.unit)
        wander = self.demo.wander * _wander(self.name, self._local_days)
        noise = HOURLY_NOISE * self._noise
        spikes = np.where(self._uniforms[:, 0] < SPIKES, 1.5 + 2 * self._uniforms[:, 1], 1.0)
        return usual * self._mean_of_course("by") * np.exp(wander + noise) * spikes

    @cached_property
    def spread(self) -> Floats:
        """The lognormal sigma of each step's values."""
        tail = self._mean_of(self._changes("tail", self._moments))
        return np.maximum(0.05, self.demo.spread + np.log(tail) / P95)

    @cached_property
    def counts(self) -> Floats:
        """How many requests each step had, as whole numbers."""
        wander = self.demo.wander / 2 * _wander(f"{self.name} traffic", self._local_days)
        hours = self.window.step / timedelta(hours=1)
        expected = self.demo.traffic * hours * self._mean_of_course("traffic") * np.exp(wander)
        scattered = expected + np.sqrt(expected) * self._normals[:, 1] + 0.03 * expected * self._normals[:, 2]
        return np.maximum(0, np.rint(scattered))

    @cached_property
    def is_there(self) -> npt.NDArray[np.bool_]:
        """Whether each step's row exists."""
        there: npt.NDArray[np.bool_] = self._uniforms[:, 2] >= GAPS
        step = self.window.step.total_seconds()
        for gap in self.demo.gaps:
            there &= (self.starts + step <= self._moment(gap.from_)) | (self.starts >= self._moment(gap.to))
        return there

    @cached_property
    def _moments(self) -> Floats:
        """Each step's hours, or its one part of an hour, by their middles: (steps, parts)."""
        step = self.window.step.total_seconds()
        parts = math.ceil(step / 3600)
        return self.starts[:, None] + (np.arange(parts) + 0.5) * (step / parts)

    @cached_property
    def _local(self) -> pd.DatetimeIndex:
        return pd.to_datetime(self._moments.ravel(), unit="s", utc=True).tz_convert(self.zone)

    @cached_property
    def _local_days(self) -> npt.NDArray[np.int64]:
        """The local calendar day of each step's middle, as days since the epoch."""
        middles = self._moments.shape[1] // 2
        days = self._local.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
        return days.reshape(self._moments.shape)[:, middles]

    def _mean_of(self, course: Floats) -> Floats:
        """A course over `_moments` as one figure a step."""
        means: Floats = course.reshape(self._moments.shape).mean(axis=1)
        return means

    def _mean_of_course(self, what: str) -> Floats:
        """The factor on `what` (`by` or `traffic`) of everything that is not chance."""
        hour = np.asarray(self._local.hour + self._local.minute / 60, dtype=np.float64)
        week = WEEKDAYS[self._local.day_of_week]
        load = np.interp(hour, np.arange(24) + 0.5, HOURS, period=24) * week
        course = load if what == "traffic" else 1 + self.demo.rhythm * (load - 0.5)
        for rush in self.demo.rushes:
            course = course * (1 + getattr(rush, what) * week * _bump(hour, rush))
        return self._mean_of(course * self._changes(what, self._moments).ravel())

    def _changes(self, what: str, moments: Floats) -> Floats:
        """The factor of all changes on `what` at `moments`."""
        factor = np.ones_like(moments)
        for change in self.demo.changes:
            age = moments - self._moment(change.at)
            ramp = np.clip(age / max(1.0, change.over.total_seconds()), 0, 1)
            is_on = age >= 0
            if change.until is not None:
                is_on &= moments < self._moment(change.until)
            factor *= 1 + getattr(change, what) * ramp * is_on
        return factor

    def _moment(self, when: date | datetime) -> float:
        return moment_of(when, self.zone).timestamp()

    @cached_property
    def _noise(self) -> Floats:
        """The level's own noise, of variance 1, which carries on from step to step."""
        return _moving(self.draws(self._random_normals, before=len(NOISE_WEIGHTS) - 1)[:, 0], NOISE_WEIGHTS)

    @cached_property
    def _normals(self) -> Floats:
        return self.draws(self._random_normals)

    @cached_property
    def _uniforms(self) -> Floats:
        return self.draws(lambda day, steps: _random(self.name, "uniform", day).random_sample((steps, 3)))

    def _random_normals(self, day: int, steps: int) -> Floats:
        return _random(self.name, "normal", day).standard_normal((steps, 3))

    def draws(self, draw: Callable[[int, int], Floats], before: int = 0) -> Floats:
        """What `draw(day, steps a day)` gives for the window's steps, and for some `before` them."""
        step = int(self.window.step.total_seconds())
        first = int(self.window.start.timestamp()) // step - before
        last = first + before + self.window.steps
        steps = DAY // step
        days = range(first // steps, last // steps + 1)
        drawn: Floats = np.concatenate([draw(day, steps) for day in days])
        return drawn[first - days[0] * steps : last - days[0] * steps]


def _histogram(made: _Made) -> pd.DataFrame:
    """Cumulative counts `le=...` by upper edge, and the `sum` that fits to them."""
    edges = np.array(_edges(made.demo, made.unit))
    below = _parts_below(edges, made.level, made.spread)
    counts = _scatter(np.diff(below, axis=1, prepend=0.0), made)
    means = _means_between(edges, below, made.level, made.spread)
    columns = [f"le={edge:g}" for edge in edges] + ["le=+Inf"]
    rows = pd.DataFrame(np.cumsum(counts, axis=1), index=made.index, columns=columns)
    return rows.assign(sum=_rounded((counts * means).sum(axis=1)))


def _parts_below(edges: Floats, median: Floats, sigma: Floats) -> Floats:
    """The part of a lognormal distribution below each edge, and below infinity: (steps, edges + 1)."""
    parts = _normal_below((np.log(edges) - np.log(median)[:, None]) / sigma[:, None])
    return np.column_stack([parts, np.ones(len(median))])


def _means_between(edges: Floats, below: Floats, median: Floats, sigma: Floats) -> Floats:
    """The mean of the values in each bucket: (steps, edges + 1)."""
    lower, upper = np.append(0.0, edges), np.append(edges, np.inf)
    # Weighted by the values, a lognormal distribution is itself moved by sigma squared.
    moved = np.diff(_parts_below(edges, median * np.exp(sigma**2), sigma), axis=1, prepend=0.0)
    parts = np.maximum(np.diff(below, axis=1, prepend=0.0), 1e-12)
    overall = (median * np.exp(sigma**2 / 2))[:, None]
    return np.clip(overall * moved / parts, lower, np.minimum(upper, 3 * edges[-1] + overall))


def _scatter(parts: Floats, made: _Made) -> Floats:
    """The step's requests dealt out to buckets by chance, as whole numbers: (steps, buckets).

    Each bucket takes from what the ones before it have left (a multinomial draw with
    normal steps: NumPy's own one would use up a varying part of the stream).
    """
    chance = made.draws(lambda day, steps: _random(made.name, "buckets", day).standard_normal((steps, parts.shape[1])))
    left, likely = made.counts, np.ones(len(parts))
    dealt = np.zeros_like(parts)
    for bucket in range(parts.shape[1] - 1):
        part = np.clip(parts[:, bucket] / np.maximum(likely, 1e-12), 0, 1)
        taken = left * part + np.sqrt(left * part * (1 - part)) * chance[:, bucket]
        dealt[:, bucket] = np.clip(np.rint(taken), 0, left)
        left, likely = left - dealt[:, bucket], likely - parts[:, bucket]
    dealt[:, -1] = left
    return dealt


def _values(kind: str, made: _Made) -> pd.DataFrame:
    """The column `value` of every kind that is no histogram."""
    if kind in ("gauge", "latency"):
        values = made.level
    elif kind == "ratio":
        values = np.clip(made.level, 0, 100 if made.unit == "%" else 1)
    else:
        values = made.counts * made.level * np.exp(made.spread**2 / 2)
        values = values / made.window.step.total_seconds() if kind == "rate" else values
    return pd.DataFrame({"value": _rounded(values)}, index=made.index)


def _component(kind: str, made: _Made, whole: _Made) -> pd.DataFrame:
    """The component's part of the whole's time, for the steps that both have."""
    if kind not in ("total", "rate"):
        raise ValueError(f"it is a share of {whole.name}, so its kind is total or rate, not {kind}")
    share = made.demo.share.part if made.demo.share else 0.0
    values = _histogram(whole)["sum"].to_numpy() * np.minimum(0.98, share * made.level)
    values = values / made.window.step.total_seconds() if kind == "rate" else values
    rows = pd.DataFrame({"value": _rounded(values)}, index=made.index)
    return rows[made.is_there & whole.is_there]


def _complete(name: str, demo: DemoSeries, kind: str, unit: str) -> DemoSeries:
    """`demo` with what it leaves out: made up from the name, so that any name works."""
    given = {field: getattr(demo, field) for field in demo.model_fields_set}
    if demo.share:
        # The level of a component is the factor on its part.
        return DemoSeries.model_construct(**{"rhythm": 0.0, "wander": 0.02, **given, "level": Quantity(1.0)})
    hashed = _random(name, "habits", 0).random_sample(2)
    level = Quantity(round(60 * 15 ** hashed[0]), "ms")
    if not _is_time(unit):
        level = Quantity(level.value / 1000 if kind == "ratio" and unit != "%" else level.value / 10)
    return DemoSeries.model_construct(**{"level": level, "traffic": round(400 * 40 ** hashed[1]), **given})


def _edges(demo: DemoSeries, unit: str) -> list[float]:
    """The upper edges of the buckets in `unit`, rising."""
    if demo.bounds:
        return sorted(_in_unit(bound, unit) for bound in demo.bounds)
    level = _in_unit(demo.level, unit)
    if _is_time(unit) and 0.01 <= Quantity(level, unit).to("s") <= 5:
        return [Quantity(bound, "s").to(unit) for bound in BOUNDS]
    # Other sizes keep the pattern of the edges, moved by powers of ten.
    scale = 10.0 ** round(math.log10(level / 0.3))
    return [float(f"{bound * scale:.6g}") for bound in BOUNDS]


def _in_unit(amount: Quantity, unit: str) -> float:
    """The amount in `unit`, and a plain number as it stands; ValueError where it does not convert."""
    return amount.to(unit) if amount.unit else amount.value


def _is_time(unit: str) -> bool:
    try:
        return Quantity(1.0, "s").to(unit) > 0
    except ValueError:
        return False


def _bump(hour: Floats, rush: Rush) -> Floats:
    """How far into its rush each hour of the day is: 0 outside of it, 1 in its middle."""
    begins, lasts = rush.from_ / timedelta(hours=1), (rush.to - rush.from_) / timedelta(hours=1) % 24
    since = (hour - begins) % 24
    return np.where(since < lasts, np.sin(np.pi * since / max(lasts, 0.01)), 0.0)


def _wander(name: str, days: npt.NDArray[np.int64]) -> Floats:
    """How far each day strays, of variance 1: half its own way, half that of all series."""
    if not len(days):
        return np.zeros(0)
    every = range(int(days.min()) - len(WANDER_WEIGHTS) + 1, int(days.max()) + 1)
    alone, together = (
        _moving(np.array([_day_normal(stream, day) for day in every]), WANDER_WEIGHTS) for stream in (name, "")
    )
    walk: Floats = ((alone + together) / math.sqrt(2))[days - days.min()]
    return walk


@cache
def _day_normal(stream: str, day: int) -> float:
    return float(_random(stream, "wander", day).standard_normal())


def _moving(normals: Floats, weights: Floats) -> Floats:
    """A moving average of variance 1, which is shorter by `len(weights) - 1`."""
    size = max(0, len(normals) - len(weights) + 1)
    averaged = np.zeros(size)
    # Not np.convolve: its last bits depend on where in the window a value stands.
    for back, weight in enumerate(reversed(weights)):
        averaged += weight * normals[back : back + size]
    return averaged / math.sqrt((weights**2).sum())


def _normal_below(z: Floats) -> Floats:
    erf = np.asarray(np.frompyfunc(math.erf, 1, 1)(z / math.sqrt(2)), dtype=np.float64)
    return (1 + erf) / 2


def _random(name: str, stream: str, day: int) -> np.random.RandomState:
    """A generator of its own for every name, stream and day since the epoch."""
    digest = hashlib.sha256(f"{stream}/{day}/{name}".encode()).digest()
    return np.random.RandomState(np.frombuffer(digest[:16], dtype="<u4").astype(np.uint32))


def _rounded(values: Floats) -> Floats:
    """To six significant digits, where platforms agree."""
    return np.array([float(f"{value:.6g}") for value in values], dtype=np.float64)


def _name(series: Series) -> str:
    return series.metric or series.query or ""
