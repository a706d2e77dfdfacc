"""Long runs of what the tests try briefly: `make soak`, or `make soak ARGS="kills split"`.

Random and mutated front matters and labels: each is read, checked and put on a page (a
label: into a chart, a table and a page) in a process of its own kind: whatever it raises, a
case that takes longer than two seconds and one that ends the interpreter are counted, and
make the exit status 1. Everything follows from the number of the case, so that a failure can
be had again with `--only`. The other kinds are of refreshes, and are told in `tests/faults`.
"""

import csv
import faulthandler
import io
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import click

from ingest.charts.base import csv_text
from ingest.charts.sheet import Sheet
from ingest.check import check
from ingest.errors import one_line
from ingest.evidence.load import load_facts
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.story import read_story
from macros.html import environment
from macros.pages import story_page, story_source
from macros.published import stories_json
from macros.site import Site
from tests.attacks import FIELDS, MORE_FIELDS, REFUSED, TEXTS, active, field_story
from tests.faults import faulty, kills, split
from tests.faults.dialects import DIALECTS

ROOT = Path(__file__).parent.parent
CASE = ROOT / "tests/cases/clean"
SECONDS = 2.0
BATCH = 500
SLUG = "a-story"
NOWHERE = "http://127.0.0.1:1/"

_HOSTILE = [
    *TEXTS.values(), *MORE_FIELDS.values(), *(front.decode("latin-1") for front, _ in REFUSED.values()),
    "[" * 300, "{" * 300, "- " * 300, "? " * 50, "&a", "*a", "!!binary x", "<<: ", "%YAML 1.1\n", "|\n", ">-\n",
    "'", '"', ":", ": ",
    "#", "\t", "\n", "\r", "\x00", "\x85", "\u2028", "\ufeff", "\u202e", "\u2060", "\ud7ff", "\U0001f525",
    "\U0010ffff", "\x7f", "\x1b[31m",
    "9" * 400, "-0", "1e308", "1e-320", "-1e999", ".inf", ".nan", "0x10", "0o17", "1_000", "12:30", "NO", "~",
    "null", "{}", "[]",
    "0000-00-00", "2026-02-30", "9999-12-31", "1969-12-31", "2026-11-01T06:00Z",
    "2026-11-01T06:00:00.000000001+99:99", "-100 %", "1e15 s",
    "100000w", "0h", "1ms-2w", "../../etc", "a" * 301, "\u0301" * 50, "x\u0301" * 200, "\U000e0001",
]  # fmt: skip
_KEYS = (
    "title", "status", "area", "owner", "opened", "tickets", "tags", "endpoints", "symptoms", "workaround", "say",
    "who",
    "what", "when", "where", "why", "customer", "reports", "telemetry", "slo", "profiles", "timeboxes", "hypotheses",
    "chosen", "fixes", "parked", "pauses", "reopened", "same_as", "override", "draft", "impact", "affected", "value",
    "unit", "as_of",
    "source",
    "date", "said", "customers", "link", "query", "kind", "metric", "match", "sum", "series", "quantile", "below", "id",
    "because", "slows", "for", "written", "test", "share", "of", "at_least", "from", "to", "verdict", "decided",
    "ticket",
    "expected", "control", "shipped", "took", "accept", "revisit", "use", "on", "__class__", "", "0",
)  # fmt: skip
_VALUES = (
    "slow", "reported", "confirmed", "measured", "parked", "shipped", "2026-09-01", "2026-09-20T14:00Z", "2h", "1d-5d",
    "-60 %", "50 %", "1 s", "250 ms", "histogram", "gauge", "total", "prod", "requests", "h1", "f1", "0.95", "true",
    "1", "",
)  # fmt: skip


@dataclass
class Tally:
    """What became of a number of cases."""

    cases: int = 0
    slowest: float = 0.0
    failures: list[str] = field(default_factory=list)


@cache
def originals() -> tuple[str, ...]:
    """Front matters that are right, to be mutated."""
    paths = sorted([*(ROOT / "stories").glob("*.md"), *CASE.glob("stories/*.md")])
    return (*(path.read_text(encoding="utf-8") for path in paths), *(field_story(SLUG, TEXTS[name]) for name in FIELDS))


def front_matter(number: int) -> bytes:
    """The file of a story, mutated or made up."""
    chance = random.Random(number)  # noqa: S311
    if number % 3 == 0:
        text = f"---\n{_made_up(chance, 0)}\n---\n{chance.choice(_HOSTILE)}\n"
    else:
        text = chance.choice(originals())
        for _ in range(chance.randint(1, 12)):
            text = _mutated(text, chance)
    raw = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        at = chance.randrange(len(raw) + 1)
        raw = raw[:at] + chance.randbytes(chance.randint(1, 8)) + raw[at:]
    return raw


def _mutated(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    kind = chance.randrange(8)
    if kind == 0:
        lines.insert(at, chance.choice(lines))
    elif kind == 1:
        del lines[at]
    elif kind == 2:
        lines[at] = chance.choice((" ", "  ", "- ", "\t")) + lines[at]
    elif kind == 3:
        key, colon, _ = lines[at].partition(": ")
        lines[at] = f"{key}{colon}{chance.choice(_HOSTILE + list(_VALUES))}"
    elif kind == 4:
        lines[at] = lines[at].replace(chance.choice(lines[at] or " "), chance.choice(_HOSTILE), 1)
    elif kind == 5:
        lines[at] = lines[at].replace(chance.choice(_KEYS) or "x", chance.choice(_KEYS), 1)
    elif kind == 6:
        lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
    else:
        begin = chance.randrange(len(lines))
        lines[at:at] = lines[begin : begin + chance.randint(1, 20)] * chance.choice((1, 1, 1, 40))
    return "\n".join(lines)


def _made_up(chance: random.Random, depth: int) -> str:
    lines = []
    for _ in range(chance.randint(1, 12)):
        key = chance.choice(_KEYS) if chance.random() < 0.9 else json.dumps(chance.choice(_HOSTILE))
        lines.append("  " * depth + f"{key}: {_value(chance, depth)}")
    return "\n".join(lines)


def _value(chance: random.Random, depth: int) -> str:
    # Within brackets stand scalars only: the number of values must not explode.
    kind = chance.randrange(8) if depth < 9 else chance.randrange(4, 8)
    if kind < 2 and depth < 6:
        return "\n" + _made_up(chance, depth + 1)
    if kind == 2:
        return "[" + ", ".join(_value(chance, 9) for _ in range(chance.choice((0, 1, 3, 200)))) + "]"
    if kind == 3:
        return (
            "{" + ", ".join(f"{chance.choice(_KEYS)}: {_value(chance, 9)}" for _ in range(chance.randint(0, 5))) + "}"
        )
    if kind == 4:
        return json.dumps(chance.choice(_HOSTILE), ensure_ascii=chance.random() < 0.5)
    return chance.choice(_HOSTILE) if kind == 5 else chance.choice(_VALUES)


def label(number: int) -> str:
    """What a telemetry label may hold."""
    chance = random.Random(number)  # noqa: S311
    parts = [
        chance.choice(_HOSTILE)
        if chance.random() < 0.6
        else "".join(chr(_code_point(chance)) for _ in range(chance.randint(1, 40)))
        for _ in range(chance.randint(1, 4))
    ]
    return "".join(parts)[: chance.choice((20, 300, 5000))]


def _code_point(chance: random.Random) -> int:
    return chance.randrange(
        *chance.choice(((0, 128), (0, 0xD800), (0x2000, 0x2100), (0xD800, 0xE000), (0xE000, 0x110000)))
    )


@cache
def knowledge_base() -> KnowledgeBase:
    """What surrounds the story: a small knowledge base without mistakes."""
    return read_knowledge_base(CASE, {})


def try_front_matter(number: int) -> None:
    """Reads, checks and shows a story; AssertionError where it is shown as it must not be."""
    base = knowledge_base()
    story = read_story(SLUG, f"stories/{SLUG}.md", front_matter(number), base.settings.series)
    others = tuple(each for each in base.stories if each.slug != SLUG)
    made = KnowledgeBase(base.root, base.config, base.settings_marks, (*others, story), base.clock)
    report = check(made)
    assert len(report.of_story[SLUG]) <= 51
    assert all(str(problem).isprintable() for problem in report.of_story[SLUG])
    facts = {each.slug: each for each in load_facts(made, report.of_story, [story])}
    site = Site(made, report, facts, {SLUG: {}})
    source = story_source(facts[SLUG])
    assert source.startswith("---\ntitle: ")
    assert "\nrender_macros: false\n" in source.partition("\n---\n")[0]
    page = story_page(site, facts[SLUG], story.body.replace("&", "&amp;").replace("<", "&lt;"), f"stories/{SLUG}/", "")
    assert list(active(page.html, NOWHERE)) == []
    json.loads(stories_json(site))


def try_label(number: int) -> None:
    """Puts a label into a chart, a table, a page and a message; AssertionError where it leaves its place."""
    text = label(number)
    sheet = Sheet()
    sheet.text(10, 10, text)
    svg = sheet.svg(20, "pk-soak-", text, text)
    shown = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}  # noqa: S314
    assert shown <= {"svg", "title", "desc", "g", "text"}, shown
    rows = list(csv.reader(io.StringIO(csv_text(["label", "value"], [[text, 1.0]]))))
    assert [len(row) for row in rows] == [2, 2]
    assert not rows[1][0].startswith(("=", "+", "-", "@"))
    template = environment().from_string('<p title="{{ label }}">{{ label }}</p>')
    html = template.render(label=text)
    assert html.count("<") == 2, html
    assert list(active(f"<body>{html}{svg}", NOWHERE)) == []
    assert one_line(text).isprintable()
    html.encode("utf-8", "xmlcharrefreplace")


KINDS: dict[str, Callable[[int], None]] = {"front-matters": try_front_matter, "labels": try_label}


def work(kind: str, first: int, count: int) -> None:
    """Tries cases one after the other and tells of each on a line of its own; ends with the interpreter's own dump."""
    with suppress(Exception):
        KINDS[kind](0)  # what is loaded once is not a case's time
    for number in range(first, first + count):
        print(f"begin {number}", flush=True)  # noqa: T201
        faulthandler.dump_traceback_later(5 * SECONDS, exit=True)
        begun = time.process_time()
        try:
            KINDS[kind](number)
            told = "ok"
        except Exception as error:
            told = one_line(f"{type(error).__name__}: {error}"[:300])
        faulthandler.cancel_dump_traceback_later()
        print(f"end {number} {time.process_time() - begun:.3f} {told}", flush=True)  # noqa: T201


def soak(kind: str, first: int, count: int, workers: int = 2) -> Tally:
    """Tries `count` cases in processes of their own, at most `workers` at a time."""
    tally = Tally()
    batches = [(start, min(BATCH, first + count - start)) for start in range(first, first + count, BATCH)]
    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(lambda batch: list(_batch(kind, *batch)), batches):
            for number, seconds, told in found:
                tally.cases += 1
                tally.slowest = max(tally.slowest, seconds)
                if told != "ok" or seconds > SECONDS:
                    tally.failures.append(f"{kind} {number}: {told}, {seconds:.2f} s")
    return tally


def _batch(kind: str, first: int, count: int) -> Iterator[tuple[int, float, str]]:
    """What became of each case; a process that ends is followed by another from the next case on."""
    while count > 0:
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-m", "tests.soak", kind, "--work", str(first), str(count)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        ended = [line.split(" ", 3) for line in done.stdout.splitlines() if line.startswith("end ")]
        for _, number, seconds, told in ended:
            yield int(number), float(seconds), told
        if "begin" not in done.stdout:
            raise RuntimeError(done.stderr)
        tried = len(ended)
        if tried < count:
            last = done.stderr.strip().splitlines()
            yield first + tried, 0.0, f"the interpreter ended with {done.returncode}: {last[0] if last else ''}"
            tried += 1
        first, count = first + tried, count - tried


def _faulty(count: int) -> Iterator[tuple[str, list[str]]]:
    for dialect in DIALECTS:
        found = faulty.run(dialect, count)
        yield f"{dialect.kind}: {found}", found.failures


def _split(count: int) -> Iterator[tuple[str, list[str]]]:
    for server in split.SERVERS:
        for told, same in split.compare(server, split.ROWS, -(-count // split.LEFT)):
            yield f"{told}: {'the same bits' if same else 'DIFFERENT'}", [] if same else [told]


def _kills(count: int) -> Iterator[tuple[str, list[str]]]:
    found = kills.at_every_moment()
    yield f"at every moment of writing: {found}", found.failures
    found = kills.by_chance(count)
    yield f"at random: {found}", found.failures


@dataclass(frozen=True)
class Run:
    """A run that is not of single cases: how many of what, and what is told of them, with all that failed."""

    usual: int
    work: Callable[[int], Iterator[tuple[str, list[str]]]]


RUNS = {
    "faulty": Run(1_000, _faulty),  # series
    "split": Run(1_000_000, _split),  # points
    "kills": Run(1_000, _kills),
}
CASES = 50_000


def told(kind: str, first: int, count: int | None) -> Iterator[tuple[str, list[str]]]:
    """Lines on what a kind came to, each with all that failed."""
    if kind in RUNS:
        yield from RUNS[kind].work(count or RUNS[kind].usual)
    else:
        tally = soak(kind, first, count or CASES)
        what = f"{tally.cases:,} {kind}: {len(tally.failures)} failed, the slowest took {tally.slowest:.2f} s"
        yield what, tally.failures


@click.command()
@click.argument("kinds", nargs=-1, type=click.Choice([*KINDS, *RUNS]))
@click.option("--count", type=int, help=f"Cases of each kind ({CASES:,} of text), series, points or kills.")
@click.option("--first", default=1, show_default=True, help="The number of the first case.")
@click.option("--only", type=int, help="Try this one case here, with its traceback.")
@click.option("--work", "batch", nargs=2, type=int, hidden=True)
def main(
    kinds: tuple[str, ...], count: int | None, first: int, only: int | None, batch: tuple[int, int] | None
) -> None:
    """Try what the tests try, for longer."""
    failed = False
    for kind in kinds or (*KINDS, *RUNS):
        if batch:
            work(kind, *batch)
        elif only is not None:
            KINDS[kind](only)
        else:
            for line, failures in told(kind, first, count):
                click.echo(line)
                for failure in failures[:50]:
                    click.echo(f"  {failure}")
                failed = failed or bool(failures)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
