"""How values read on a page: figures with their units, shares, ages, stages, links."""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self
from urllib.parse import quote, urlsplit

from markupsafe import Markup, escape

from ingest.charts.readings import Reading, Readings
from ingest.evidence import Facts, GoalFacts, Recent, SeriesFacts
from ingest.fields import is_unprintable
from ingest.ongoing import is_open
from ingest.stats import Range, Share
from ingest.story import Hypothesis, Measured, Test, day_of
from ingest.units import Effort, format_duration, format_percent, format_quantity

HEALTH_WORDS = {
    "corrupt": "Unreadable",
    "missing": "No data yet",
    "changed": "Query changed",
    "old": "Long stale",
    "failed": "Refresh failed",
    "stale": "Stale",
    "partial": "Partial",
    "fresh": "Fresh",
}
ELSEWHERE = "Told elsewhere"
VERDICT_WORDS = {
    "open": "Open", "confirmed": "Confirmed", "disproved": "Disproved", "inconclusive": "Inconclusive",
}  # fmt: skip


# What is written for a unit: a line must not break between it and its number.
_BEFORE_UNIT = re.compile(r" (?<=\d )(?=(?:%|[µnm]?s|min|h|[kMGT]?B|[KMGT]iB)(?![\w-]))")


def printable(value: Any) -> Any:
    """Text without control and direction-changing characters; anything else as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return "" if value is None else value
    return "".join(c for c in value if not is_unprintable(c) or c in "\n\t")


def unbroken(value: Any) -> Any:
    """What a template prints: printable, and no number stands on another line than its unit."""
    text = printable(value)
    return text if isinstance(text, Markup) or not isinstance(text, str) else _BEFORE_UNIT.sub("\u00a0", text)


class Phrase(Markup):
    """Markup that is told: what is filled in is escaped, and its numbers keep their units."""

    @classmethod
    def escape(cls, text: Any, /) -> Self:
        """What is filled in."""
        return super().escape(unbroken(text))


def verbatim(text: str) -> Markup:
    """A text that is copied into another tool, and stays as it was written."""
    return Markup.escape(printable(text))


def quantity(value: float | None, unit: str) -> Markup:
    """A figure for reading, with the whole of it in the element's `value`."""
    if value is None:
        return Markup('<span class="pk-unknown">unknown</span>')
    return Phrase('<data value="{}">{}</data>').format(repr(float(value)), format_quantity(value, unit))


def quantile_range(figure: Range, unit: str) -> Markup:
    """A quantile as far as it is known: between two edges, or one value."""
    if figure.low == figure.high:
        return quantity(figure.value, unit)
    if figure.high == float("inf"):
        return Phrase("over {}").format(quantity(figure.low, unit))
    return Phrase("{} <small>between {} and {}</small>").format(
        quantity(figure.value, unit), format_quantity(figure.low, unit), format_quantity(figure.high, unit)
    )


def share(value: Share | None) -> Markup:
    """A share, or the two ends it lies between."""
    if value is None:
        return Markup('<span class="pk-unknown">unknown</span>')
    if value.exact:
        return Phrase('<data value="{}">{}</data>').format(repr(value.low), percent(value.low))
    return Phrase("{} to {}").format(percent(value.low), percent(value.high))


def moment(when: datetime) -> Markup:
    """A moment, in UTC."""
    return Markup('<time datetime="{}">{}</time>').format(
        when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), when.astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")
    )


def day(when: date) -> Markup:
    """A day."""
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(), when.strftime("%-d %b %Y"))


def when(value: date | datetime) -> Markup:
    """A day, or a moment."""
    return moment(value) if isinstance(value, datetime) else day(value)


def test_in_words(test: Test, series: dict[str, SeriesFacts]) -> str:
    """What a hypothesis' test compares, and the threshold that was written for it."""

    def title(name: str | None) -> str:
        return f"“{series[name].title}”" if name in series else str(name)

    window = f"from {test.from_:%-d %b %Y} to {test.to:%-d %b %Y}"
    threshold = format_percent(test.at_least)
    figure = f"p{test.quantile * 100:g}" if test.quantile else "mean"
    if test.kind == "share":
        return f"{title(test.share)} takes at least {threshold} of {title(test.of)}, {window}."
    if test.kind == "contrast":
        above = f"at least {threshold} above that of {title(test.against)}"
        return f"the {figure} of {title(test.contrast)} is {above}, {window}."
    direction = "falls" if test.at_least < 0 else "rises"
    begins = f" from {test.at:%-d %b %Y} on" if test.at else ""
    change = f"{direction} by at least {format_percent(abs(test.at_least))}"
    return f"the {figure} of {title(test.change)} {change}{begins}; compared is the time {window}."


def age(until: datetime, now: datetime, *, fixed: bool) -> Markup:
    """How old data was when the site was built; the browser counts on, unless the clock is `fixed`."""
    counting = "" if fixed else Markup(" data-pk-age")
    told = f"{format_duration(now - until)} old" if now - until >= timedelta(minutes=1) else "up to date"
    return Phrase('<time datetime="{}"{}>{}</time>').format(
        until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), counting, told
    )


def answer(value: str | Measured | None) -> Markup:
    """What is known of a question about customers; unknown is said, never zero."""
    if value is None:
        return Markup('<span class="pk-unknown">unknown, ask</span>')
    if isinstance(value, str):
        return link(value) if value.startswith(("https://", "http://")) else escape(value)
    figure = f"{int(value.value):,}" if re.fullmatch(r"\d{4,15}", value.value) else value.value
    told: Markup = Phrase.escape(f"{figure} {value.unit}" if value.unit else figure)
    if value.as_of:
        told += Markup(" <small>as of {}</small>").format(day(value.as_of))
    if value.source:
        told += Markup(' <small>(<a href="{}" rel="noopener noreferrer">source</a>)</small>').format(value.source)
    return told


def link(address: str, text: str | None = None) -> Markup:
    """A link to another site."""
    return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(address, text or address)


def stage(name: str) -> Markup:
    """The badge of a stage."""
    return Markup('<span class="pk-stage pk-stage--{}">{}</span>').format(name, name.capitalize())


def stage_of(facts: Facts) -> Markup:
    """The badge of a story's stage; one that repeats another has none of its own."""
    if facts.repeats:
        return Markup('<span class="pk-stage pk-stage--elsewhere">{}</span>').format(ELSEWHERE)
    return stage(facts.story.front.status)


def verdict(name: str) -> Markup:
    """The badge of a hypothesis' verdict."""
    return Markup('<span class="pk-verdict pk-verdict--{}">{}</span>').format(name, VERDICT_WORDS[name])


def health(state: str) -> Markup:
    """The badge of a series' health."""
    return Markup('<span class="pk-health pk-health--{}">{}</span>').format(state, HEALTH_WORDS[state])


def explore(facts: SeriesFacts) -> str | None:
    """The address that opens the series' query in the company's own tools, as its source's pattern has it.

    Of a histogram it is the query of the buckets; `json` is the query within a text of JSON, and
    the ends of the data are in milliseconds.
    """
    if not facts.explore or not facts.manifest:
        return None
    query = facts.manifest.query
    if facts.series.kind == "histogram":
        query = query.rpartition("\n")[0] or query
    start, end = facts.manifest.window[0], facts.manifest.data_until
    filled = {
        "{query}": quote(query, safe=""),
        "{json}": quote(json.dumps(query)[1:-1], safe=""),
        "{from}": str(int(start.timestamp() * 1000)),
        "{to}": str(int(end.timestamp() * 1000)),
    }
    return re.sub("|".join(map(re.escape, filled)), lambda found: filled[found[0]], facts.explore)


def recent(facts: SeriesFacts) -> Markup:
    """The last week's figure of a series."""
    found: Recent | None = facts.recent
    if found is None:
        return Markup('<span class="pk-unknown">no data yet</span>')
    return quantile_range(found.figure, facts.unit)


def recent_days(facts: SeriesFacts) -> str:
    """Which days the recent figure is about, so that nobody takes old data for today's."""
    if facts.recent is None:
        return "no data"
    return f"{facts.recent.start:%-d %b} to {facts.recent.end:%-d %b %Y}"


def goal_days(goal: GoalFacts) -> str:
    """Which days the shares over the goal are about."""
    return f"{goal.start:%-d %b} to {goal.end:%-d %b %Y}"


def looked_before(test: Test, hypothesis: Hypothesis) -> bool:
    """Whether data of the test's window was there when the threshold was written.

    Of a change, the time before it must be: only what comes after decides.
    """
    begins = test.at if test.kind == "change" and test.at else test.from_
    return day_of(begins, UTC) <= hypothesis.written


def shipped_within(facts: Facts, test: Test) -> bool:
    """Whether a fix shipped in a test's window, which then mixes what was before it with what came after."""
    days = [day_of(fix.shipped, facts.zone) for fix in facts.story.front.fixes if fix.shipped]
    return any(test.from_ <= each <= test.to for each in days)


def link_name(address: str) -> str:
    """A short name for a link that is found by searching for it: its host and last part."""
    parts = urlsplit(address)
    last = parts.path.rstrip("/").rpartition("/")[2]
    return f"{(parts.hostname or '').split('.')[0]} {last}".strip()


def form_address(form: str) -> str:
    """The report form's address without a story to fill in."""
    return form.replace("{title}", "").replace("{url}", "")


def effort(value: Effort) -> str:
    """A length of working time in words: `1 to 5 days`."""
    parts = [re.fullmatch(r"\s*([\d.]+)\s*([hdw])\s*", part) for part in value.text.split("-")]
    if not all(parts):
        return value.text
    numbers, units = [part[1] for part in parts if part], [part[2] for part in parts if part]
    unit = {"h": "hour", "d": "day", "w": "week"}[units[-1]] + ("" if numbers[-1] == "1" else "s")
    if len(set(units)) == 1:
        return f"{' to '.join(numbers)} {unit}"
    return f"{numbers[0]} {units[0]} to {numbers[-1]} {unit}"


def how_slow(facts: SeriesFacts) -> Markup:
    """The last week's figure for a list: what it is and its value, and below it how well it is known."""
    found = facts.recent
    if found is None or math.isnan(found.figure.value):
        return Markup('<span class="pk-unknown">no data yet</span>')
    low, value, high = found.figure.low, found.figure.value, found.figure.high
    label = f"{facts.figure} " if facts.series.kind == "histogram" else ""
    if low == high:
        return Phrase("{}{}").format(label, quantity(value, facts.unit))
    ends = (format_quantity(each, facts.unit, like=value) for each in (low, high))
    return Phrase("{}{}<br><small>{} to {}</small>").format(label, quantity(value, facts.unit), *ends)


def reading_rows(readings: Readings, root: str = "") -> Markup:
    """The rows of a chart's table; a template would take half a minute for those of a thousand stories.

    `root` leads to the site's first page, for the links to stories.
    """
    made = []
    for row in readings.rows:
        y = "" if row.y is None else f' data-y="{row.y:.1f}"'
        cells = "".join(f"<td>{escape(value)}</td>" for value in row.values)
        made.append(f'<tr data-x="{row.x:.1f}"{y}><th scope="row">{_place(row, root)}</th>{cells}</tr>\n')
    return Markup("".join(made))  # noqa: S704  # escaped one by one


def _place(row: Reading, root: str) -> Markup:
    place = escape(printable(row.place))
    return Markup('<a href="{}stories/{}/">{}</a>').format(root, row.story, place) if row.story else place


def plural(count: int, one: str, many: str = "") -> str:
    """`1 customer`, `12 customers`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def percent(value: float, *, signed: bool = False) -> str:
    """A share of one as a percentage, to two digits: a page need not pretend to more."""
    if not math.isfinite(value):
        return "unknown"
    digits = 1 - math.floor(math.log10(abs(value))) if value else 0
    return format_percent(round(value, digits), signed=signed)


def duration(value: timedelta) -> str:
    """A length of time."""
    return format_duration(value)


FILTERS: dict[str, Callable[..., Any]] = {
    make.__name__: make
    for make in (
        effort, form_address, how_slow, goal_days, is_open, link_name, looked_before, recent_days,
        age, answer, day, duration, explore, health, link, moment, percent, plural, quantile_range, quantity,
        reading_rows, recent, verbatim, share, shipped_within, stage, stage_of, test_in_words, verdict, when,
    )
}  # fmt: skip
