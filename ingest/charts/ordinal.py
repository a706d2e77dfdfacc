"""An axis on which every bucket of a histogram is as wide as any other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ingest.charts.sheet import Numbers
from ingest.charts.ticks import is_short
from ingest.stats import Buckets
from ingest.units import format_quantity


@dataclass(frozen=True, eq=False)
class Bands:
    """Adjoining buckets: the n + 1 `edges` of n bands, the outer ones perhaps infinite."""

    edges: Numbers
    unit: str

    def __len__(self) -> int:
        return len(self.edges) - 1

    def position(self, value: float) -> float | None:
        """Where a value is, in bands from the lowest edge on; None beyond the edges and in an open band."""
        band = int(np.searchsorted(self.edges, value, side="right")) - 1
        if value == self.edges[-1]:
            return float(len(self))
        if not 0 <= band < len(self):
            return None
        low, high = self.edges[band : band + 2]
        # The lower edge of an open band has a place, what is above it has none.
        part = 0.0 if value == low else (value - low) / (high - low)
        return band + part if np.isfinite(high - low) or value == low else None

    def labels(self, every: int = 1) -> Iterator[tuple[int, str]]:
        """Every so many edges with how they read; an infinite one has no label."""
        unit = self.unit if is_short(self.unit) else ""
        for number in range(0, len(self.edges), every):
            edge = float(self.edges[number])
            if np.isfinite(edge):
                yield number, format_quantity(edge, unit) if edge else "0"

    def name(self, band: int) -> str:
        """`250 ms to 500 ms`, `over 30 s`."""
        low, high = (format_quantity(float(edge), self.unit) for edge in self.edges[band : band + 2])
        if np.isinf(self.edges[band + 1]):
            return f"over {low}"
        return f"up to {high}" if np.isinf(self.edges[band]) else f"{low} to {high}"


def bands_of(bounds: Numbers, used: Numbers, unit: str) -> tuple[Bands, slice]:
    """The buckets from the first to the last that is `used` (above zero), and which of all they are.

    ValueError where none is.
    """
    there = np.flatnonzero(used > 0)
    if not there.size:
        raise ValueError("no bucket is used")
    edges = np.concatenate([[0.0 if bounds[0] > 0 else -np.inf], bounds])
    kept = slice(int(there[0]), int(there[-1]) + 1)
    return Bands(edges[kept.start : kept.stop + 1], unit), kept


def bucket_shares(buckets: Buckets) -> Numbers:
    """For each of n histograms the share of its requests in each of the b buckets, n x b; NaN if it is empty.

    What a histogram does not know of a bucket is counted in the next one that it knows.
    """
    upto = np.maximum.accumulate(np.nan_to_num(buckets.counts, nan=0.0), axis=1)
    inside = np.diff(upto, axis=1, prepend=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(upto[:, -1:] > 0, inside / upto[:, -1:], np.nan)
