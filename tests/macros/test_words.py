"""How values read on a page."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from markupsafe import Markup

from ingest.evidence import SeriesFacts
from ingest.snapshots import make_snapshot
from ingest.stats import Range, Share
from ingest.story import Measured
from ingest.units import parse_effort
from macros.html import environment
from macros.words import age, answer, effort, explore, link, plural, quantile_range, quantity, share, verbatim
from tests.ingest.evidence.samples import START, values

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)


def test_a_figure_keeps_all_its_digits() -> None:
    """A reader sees three digits, a program finds the whole number."""
    assert quantity(0.8123456789, "s") == '<data value="0.8123456789">812\u00a0ms</data>'


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (Range(0.5, 0.5, 0.5), "500\u00a0ms"),
        (Range(0.83, 0.5, 1.0), "between 500\u00a0ms and 1\u00a0s"),
        (Range(10.0, 10.0, float("inf")), "over "),
    ],
)
def test_a_quantile_is_no_better_than_its_bucket(figure: Range, expected: str) -> None:
    """A bucket-limited quantile is shown with its bucket's edges, an open-ended one as more than its lower edge."""
    assert expected in quantile_range(figure, "s")


def test_an_inexact_share_is_a_range() -> None:
    """A share whose boundary lies inside a bucket shows both of its ends."""
    assert share(Share(0.1, 0.25)) == "10\u00a0% to 25\u00a0%"
    assert ">10\u00a0%<" in share(Share(0.1, 0.1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a change of −70 %, or 1.5 s", "a change of −70\u00a0%, or 1.5\u00a0s"),
        ("5 minutes in 2 houses, 3 MB", "5 minutes in 2 houses, 3\u00a0MB"),
        ("4 %-points, page 2 B-side", "4 %-points, page 2 B-side"),
        (Markup("<pre>10 s</pre>"), "<pre>10 s</pre>"),
    ],
)
def test_no_line_breaks_between_a_number_and_its_unit(text: str, expected: str) -> None:
    """What a template prints keeps a unit beside its number; words, and what is markup already, stay as they are."""
    assert environment().from_string("{{ text }}").render(text=text) == expected


def test_what_is_copied_stays_as_it_was_written() -> None:
    """A query has the spaces that it was written with."""
    text = "select 1 < 2 and interval '5 min'"
    assert verbatim(text) == "select 1 &lt; 2 and interval &#39;5 min&#39;"
    assert environment().from_string("{{ text | verbatim }}").render(text=text) == verbatim(text)


def test_unknown_is_said_and_never_zero() -> None:
    """A question without an answer asks for one."""
    assert "unknown, ask" in answer(None)


def test_an_answer_has_its_date_and_source() -> None:
    """A measured answer shows its unit, date and source, escaped."""
    told = answer(Measured(value="<1200>", unit="accounts", as_of=date(2026, 9, 5), source="https://bi.example/4"))
    assert "&lt;1200&gt; accounts" in told
    assert "5 Sep 2026" in told
    assert 'href="https://bi.example/4"' in told


def test_an_age_counts_on_unless_the_clock_is_fixed() -> None:
    """The browser is told to count on, except in a sample with a clock of its own."""
    old = NOW - timedelta(hours=30)
    assert "30\u00a0h old" in age(old, NOW, fixed=False)
    assert "data-pk-age" in age(old, NOW, fixed=False)
    assert "data-pk-age" not in age(old, NOW, fixed=True)
    assert "up to date" in age(NOW, NOW, fixed=True)


def test_a_link_is_escaped() -> None:
    """Neither an address nor its text can leave its attribute."""
    assert link('https://x.example/"><script>') == (
        '<a href="https://x.example/&#34;&gt;&lt;script&gt;" rel="noopener noreferrer">'
        "https://x.example/&#34;&gt;&lt;script&gt;</a>"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4d", "4 days"), ("1d", "1 day"), ("2d-5d", "2 to 5 days"), ("3h-2d", "3 h to 2 days"), ("1h30m", "1h30m")],
)
def test_efforts_read_as_words(text: str, expected: str) -> None:
    """What a fix would take is said in words, where it is simple enough."""
    assert effort(parse_effort(text)) == expected


def test_counting() -> None:
    """One is one, and thousands are set apart."""
    assert [plural(1, "gap"), plural(0, "gap"), plural(1200, "gap")] == ["1 gap", "0 gaps", "1,200 gaps"]


def asked(query: str, kind: str, pattern: str | None) -> SeriesFacts:
    """What the pattern of an address needs to know of a series."""
    hour = timedelta(hours=1)
    about: dict[str, Any] = {
        "source": "prod", "query": query, "query_hash": "abc", "kind": kind, "unit": "s", "fetched_at": NOW,
        "partial": False, "warnings": (),
    }  # fmt: skip
    made = make_snapshot(values([1, 2]), (START - hour, START + 2 * hour), hour, **about)
    found = SimpleNamespace(explore=pattern, manifest=made.manifest, series=SimpleNamespace(kind=kind))
    return cast("SeriesFacts", found)


@pytest.mark.parametrize(
    ("query", "kind", "pattern", "address"),
    [
        ('up{a="b c"}', "gauge", "https://p.example/graph?g0.expr={query}", "up%7Ba%3D%22b%20c%22%7D"),
        ('up{a="b"}', "gauge", "https://g.example/?panes=%22expr%22:%22{json}%22", "up%7Ba%3D%5C%22b%5C%22%7D%22"),
        ("buckets\nsum", "histogram", "https://p.example/?q={query}", "?q=buckets"),
        ("a\nb", "gauge", "https://p.example/?q={query}", "?q=a%0Ab"),
        ("page.csv", "histogram", "https://p.example/?q={query}", "?q=page.csv"),
        (
            "{to}",
            "gauge",
            "https://p.example/?q={query}&t={to}",
            f"?q=%7Bto%7D&t={int(START.timestamp() + 7200) * 1000}",
        ),
        ("q", "gauge", "https://p.example/?from={from}", f"?from={int(START.timestamp() - 3600) * 1000}"),
        ("q", "gauge", "https://p.example/?x={other}", "?x={other}"),
        ("javascript:alert(1)", "gauge", "https://p.example/{query}", "https://p.example/javascript%3Aalert%281%29"),
    ],
)
def test_a_query_opens_elsewhere(query: str, kind: str, pattern: str, address: str) -> None:
    """The query stands in the address so that nothing of it can end its place there."""
    found = explore(asked(query, kind, pattern))
    assert found is not None
    assert found.startswith(pattern.partition("{")[0])
    assert found.endswith(address)


def test_no_pattern_no_address() -> None:
    """A source without a pattern, and a series without data, open nothing."""
    assert explore(asked("q", "gauge", None)) is None
    assert explore(cast("SeriesFacts", SimpleNamespace(explore="https://p.example/{query}", manifest=None))) is None
