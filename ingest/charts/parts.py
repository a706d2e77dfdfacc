"""Which parts of the time are offered beside the chart of a whole series: those that matter, and are much shorter."""

from collections.abc import Iterator

from ingest.charts import CHARTS, Place
from ingest.charts.around import window_of_fix
from ingest.charts.latest import window_of_last
from ingest.evidence import Facts

# What is nearly all of the time would look the same.
_MUCH_SHORTER = 0.7
_WINDOWS = {"around": window_of_fix, "latest": window_of_last}


def parts(facts: Facts) -> Iterator[Place]:
    """The parts of the series that the story is about: of its headline, and of what its fixes should change."""
    headline = facts.headline.name if facts.headline else None
    subjects = dict.fromkeys(name for name in (headline, *(fix.series for fix in facts.story.front.fixes)) if name)
    for name in subjects:
        series = facts.series.get(name)
        if series is None or series.hours.empty:
            continue
        start, end = series.hours.index[0].to_pydatetime(), series.hours.index[-1].to_pydatetime() + series.step
        for kind, window_of in _WINDOWS.items():
            window = window_of(facts, name)
            if window is None:
                continue
            shown = min(end, window.end) - max(start, window.start)
            if 0 < shown / (end - start) < _MUCH_SHORTER:
                yield Place(CHARTS[kind].stem.format(name), kind, name)
