"""Draws: numbers and what happened to them become inline SVG, words and CSV. Pure.

A new kind of chart is one module with a function `draw(facts, name)` and one line in the
table. Modules are imported when they draw: naming a chart should not wait for matplotlib.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from ingest.story import FrontMatter

if TYPE_CHECKING:
    from ingest.charts.base import Chart
    from ingest.evidence import Facts

About = Literal["series", "hypothesis", "fix"]


@dataclass(frozen=True)
class Kind:
    """A kind of chart: what it is about, how its file is called, the module that draws it.

    `always` charts stand on the page even if the narrative does not place them. What shows
    a `part` of the time of `series` is called so where the two stand on one page.
    """

    about: About
    stem: str
    module: str
    title: str
    always: bool = False
    part: str = ""

    def draw(self, facts: "Facts", name: str) -> "Chart":
        """The chart of the series, hypothesis or fix called `name`."""
        function: Callable[[Facts, str], Chart] = import_module(self.module).draw
        return function(facts, name)


CHARTS: dict[str, Kind] = {
    "series": Kind("series", "{}", "ingest.charts.series", "A series over time", always=True),
    "around": Kind("series", "{}.around", "ingest.charts.around", "A series around its fix", part="around the fix"),
    "latest": Kind("series", "{}.latest", "ingest.charts.latest", "The last days of a series", part="last 14 days"),
    "heatmap": Kind("series", "{}.heatmap", "ingest.charts.heatmap", "How requests are spread over the buckets"),
    "week": Kind("series", "{}.week", "ingest.charts.week", "The hours of the week"),
    "share": Kind("hypothesis", "hypothesis-{}", "ingest.charts.share", "What a test looks at", always=True),
    "distribution": Kind("fix", "fix-{}", "ingest.charts.distribution", "Before and after a fix", always=True),
}


@dataclass(frozen=True)
class Place:
    """A chart that a story can have: its file's name without the ending, its kind and its subject."""

    stem: str
    kind: str
    name: str


def places(front: FrontMatter, series: Iterable[str]) -> Iterator[Place]:
    """Every chart that a story with these series can have."""
    names: dict[About, list[str]] = {
        "series": list(series),
        "hypothesis": [hypothesis.id for hypothesis in front.hypotheses if hypothesis.test],
        "fix": [fix.id for fix in front.fixes if fix.shipped],
    }
    for kind, chart in CHARTS.items():
        for name in names[chart.about]:
            yield Place(chart.stem.format(name), kind, name)
