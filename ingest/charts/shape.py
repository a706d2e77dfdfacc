"""The pure arithmetic of a drawn series: its gaps and runs, fewer points, the ends of its axis.

What is drawn is a frame of *vertices*: the columns `at` (seconds since 1970), `value`, `low`,
`high` (the value itself where no edges are known) and `run`, which counts unbroken runs.
"""

from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingest.charts.sheet import Numbers

# A value this many times above nearly all others would press them flat to the ground.
_TOWERING = 2.5
_LONGEST_DAY = 26 * 3600.0


def present(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with a value, in order of time; a quantile beyond the last bucket is infinite, and one."""
    return frame[frame["value"].astype("float64") > -np.inf].sort_index()


def spaces(there: pd.DataFrame, step: timedelta) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """The stretches without a row between rows: [end of a step, start of the next)."""
    moments = pd.DatetimeIndex(there.index)
    ends, starts = moments[:-1] + pd.Timedelta(step), moments[1:]
    apart = starts - ends > pd.Timedelta(step) / 2
    return list(zip(ends[apart], starts[apart], strict=True))


def seconds(index: pd.Index) -> Numbers:
    """Moments as seconds since 1970."""
    return pd.DatetimeIndex(index).as_unit("ms").astype("int64").to_numpy() / 1000


def points_of(there: pd.DataFrame, step: timedelta) -> pd.DataFrame:
    """A vertex in the middle of each step; a point without neighbours is as wide as its step."""
    width = step.total_seconds()
    at = seconds(there.index) + width / 2
    vertices = _vertices(there, at, np.diff(at, prepend=at[0]) > 1.5 * width)
    alone = vertices[~vertices["run"].duplicated(keep=False)]
    edges = [alone.assign(at=alone["at"] + shift) for shift in (-width / 2, width / 2)]
    return pd.concat([vertices.drop(alone.index), *edges]).sort_values("at", kind="stable", ignore_index=True)


def steps_of(days: pd.DataFrame) -> pd.DataFrame:
    """Two vertices a day, at its begin and its end: the day's value as a level stretch."""
    start = seconds(days.index)
    following = np.append(start[1:], np.inf)
    end = np.where(following - start <= _LONGEST_DAY, following, start + 86_400)
    vertices = _vertices(days, start, start != np.append(start[:1], end[:-1]))
    both = pd.concat([vertices, vertices.assign(at=end)]).sort_index(kind="stable")
    return both.reset_index(drop=True)


def _vertices(rows: pd.DataFrame, at: Numbers, breaks: NDArray[np.bool_]) -> pd.DataFrame:
    value = rows["value"].to_numpy(dtype="float64")
    edges = {
        name: rows[name].fillna(rows["value"]).to_numpy(dtype="float64") if name in rows else value
        for name in ("low", "high")
    }
    return pd.DataFrame({"at": at, "value": value, **edges, "run": np.cumsum(breaks)})


def thin(vertices: pd.DataFrame, columns: int) -> pd.DataFrame:
    """Each column's lowest and highest value, and its outermost low and high.

    Drawn `columns` wide, the result looks the same. A frame with no more than two vertices a
    column is kept as it is.
    """
    if len(vertices) <= 2 * columns:
        return vertices
    at = vertices["at"]
    column = ((at - at.iloc[0]) / (at.iloc[-1] - at.iloc[0]) * columns).astype(int)
    groups = vertices.groupby([vertices["run"], column], sort=False)
    kept = np.union1d(groups["value"].idxmin(), groups["value"].idxmax())
    outermost = vertices.assign(low=groups["low"].transform("min"), high=groups["high"].transform("max"))
    return outermost.loc[kept]


def corners(run: pd.DataFrame) -> pd.DataFrame:
    """The vertices of one run where `low` or `high` changes; between them both are level."""
    edges = run[["low", "high"]]
    level = ((edges == edges.shift()) & (edges == edges.shift(-1))).all(axis="columns")
    return run[~level]


def broken(vertices: pd.DataFrame) -> tuple[Numbers, Numbers]:
    """`at` and `value` with a NaN between two runs, which breaks a line there."""
    cuts = np.flatnonzero(np.diff(vertices["run"])) + 1
    at, value = vertices["at"].to_numpy(), vertices["value"].to_numpy()
    return np.insert(at, cuts, np.nan), np.insert(value, cuts, np.nan)


def limits(values: Numbers, must_show: Numbers) -> tuple[float, float]:
    """The bottom and top of the axis, with 0 between them; (0, 1) where nothing is finite.

    A few towering values may reach above the top; those of `must_show` never do.
    """
    values, must_show = values[np.isfinite(values)], must_show[np.isfinite(must_show)]
    everything = np.concatenate([values, must_show, [0.0]])
    low, high = float(everything.min()), float(everything.max())
    usual = max(float(np.quantile(values, 0.98)) if values.size else 0.0, float(must_show.max(initial=0.0)))
    if high > _TOWERING * usual > 0:
        high = 1.5 * usual
    margin = 0.06 * (high - low)
    return (low - margin if low else 0.0, high + margin) if margin else (0.0, 1.0)
