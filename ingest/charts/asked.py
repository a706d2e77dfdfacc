"""What the chart of a hypothesis is asked to show: its test, its window and the days around it."""

from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from ingest.charts.about import NothingToDrawError, dates, sentences, why_empty
from ingest.charts.base import Span
from ingest.charts.ticks import day_text
from ingest.evidence import Facts, SeriesFacts
from ingest.story import Hypothesis, Test
from ingest.units import format_percent

AROUND = timedelta(days=14)
"""How much is shown before and after the window."""


@dataclass(frozen=True)
class Asked:
    """A hypothesis with its test, the days it looks at, and what the chart of it is called."""

    facts: Facts
    hypothesis: Hypothesis
    test: Test
    window: Span
    id: str
    title: str

    def series(self, name: str | None) -> SeriesFacts:
        """A series of the story that has data."""
        found = self.facts.series.get(name or "")
        if found is None:
            raise NothingToDrawError(f"The story has no series “{name}”.")
        if found.rows.empty:
            raise NothingToDrawError(f"“{found.title}”: {why_empty(found)}")
        return found

    def shown(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of the window and of the days around it."""
        near = (frame.index >= self.window.start - AROUND) & (frame.index < self.window.end + AROUND)
        return frame[near]

    def observed(self, figure: str, until: pd.Timestamp | None) -> str:
        """A figure of the window, as a note; `until` is the last moment that it covers, None where there is none.

        What was pinned is what was stated, and stands in place of what the data says today.
        """
        if pin := self.facts.tests[self.hypothesis.id].pin:
            signed = pin.test.kind != "share"
            value, low, high = (
                format_percent(float(f"{each:.2g}"), signed=signed)
                for each in (pin.effect.value, pin.effect.low, pin.effect.high)
            )
            return f"stated on {day_text(pin.stated)} {pin.stated.year}: {value}, between {low} and {high}"
        if until is None:
            return "no data in the test window yet"
        unfinished = until < self.window.end - timedelta(days=1)
        return f"observed {'so far' if unfinished else 'in the test window'}: {figure}"

    def described(self, what: str, threshold: str, note: str) -> str:
        """The description of the chart."""
        zone, written = self.facts.zone, self.hypothesis.written
        window = dates(self.window.start, self.window.end, zone)
        asked = f"the test asks for {threshold}, from {window}; this was written on {day_text(written)} {written.year}"
        return sentences(f"{what}, by day", note, asked)
