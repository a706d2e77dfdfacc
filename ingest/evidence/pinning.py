"""A statement together with the rows behind it, ready to be pinned."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd

from ingest.evidence.series import SeriesFacts
from ingest.pins import FORMAT, Judged, Looked, Tested
from ingest.snapshots import rows_to_csv
from ingest.stats import METHOD

P = TypeVar("P", Tested, Judged)


@dataclass(frozen=True, eq=False)
class Evidence(Generic[P]):
    """What is stated, and the rows of each series that it was made from."""

    pin: P
    rows: dict[str, pd.DataFrame]

    def to_pin(self) -> tuple[P, dict[str, bytes]]:
        """The pin with the checksums of its data, and the data as CSV files by series."""
        data = {name: rows_to_csv(rows) for name, rows in self.rows.items()}
        looked = {
            name: each.model_copy(update={"sha256": hashlib.sha256(data[name]).hexdigest()})
            for name, each in self.pin.series.items()
        }
        return self.pin.model_copy(update={"series": looked}), data


def about_pin(series: Iterable[SeriesFacts], today: date) -> dict[str, Any]:
    """What all pins have, of a statement that is made `today` about these `series`."""
    looked = {each.name: each for each in series}
    return {
        "format": FORMAT,
        "method": METHOD,
        "stated": today,
        "data_until": min(each.manifest.data_until for each in looked.values() if each.manifest),
        "series": {name: _looked(each) for name, each in looked.items()},
    }


def _looked(facts: SeriesFacts) -> Looked:
    manifest = facts.manifest
    return Looked(
        title=facts.title,
        source=facts.source,
        query=manifest.query if manifest else "",
        query_hash=manifest.query_hash if manifest else "",
        kind=facts.series.kind,
        unit=facts.unit,
        sha256="",
    )


def local_days(times: pd.Index, zone: ZoneInfo) -> pd.DatetimeIndex:
    """The calendar day of `zone` that each of the (aware) `times` falls on, without a zone: some have no midnight."""
    return pd.DatetimeIndex(times).tz_convert(zone).tz_localize(None).normalize()


def local(values: "pd.Series[float]", zone: ZoneInfo) -> "pd.Series[float]":
    """Values by the clock of the knowledge base, whose days are the days of all estimates."""
    return values.tz_convert(zone)
