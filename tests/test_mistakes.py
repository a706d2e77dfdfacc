"""Forty mistakes that people make, each in a file of its own, all of them named in one run."""

from pathlib import Path

from click.testing import CliRunner

from perfkb import perfkb
from tests.ingest.bases import base

HERE = "▮"
"""Stands where the mistake is."""
STORY = """\
---
title: Campaign list is slow
status: testing
area: campaigns
owner: "@growth-web"
opened: 2026-09-01
tickets: [PERF-212]
tags: [mysql, n-plus-one]
who: Accounts with more than 50 lists
what: The campaign list loads slowly
when: Always
where: web
reports:
  - {date: 2026-09-01, said: page spins, customers: 1, link: "https://helpdesk.example/881"}
telemetry:
  requests: {source: demo, kind: histogram, metric: page, unit: s}
  counts: {source: demo, kind: total, query: counts, unit: s}
slo: {series: requests, quantile: 0.95, below: 1 s}
timeboxes:
  - {date: 2026-09-03, question: What is slow?, budget: 2h, spent: 1h30m, outcome: A query, effort: 2d-5d}
hypotheses:
  - id: h1
    because: One query per list
    slows: GET /campaigns
    for: accounts with more than 50 lists
    written: 2026-09-03
    test: {share: counts, of: requests, at_least: 50 %, from: 2026-10-26, to: 2026-11-08}
---
## What we saw

It is slow.
"""
TEST = "{share: counts, of: requests, at_least: 50 %, from: 2026-10-26, to: 2026-11-08}"
ANOTHER = "  - {id: h1, because: a, slows: b, for: c, written: 2026-09-03}\n"
SETTINGS = """\
areas: {campaigns: {title: Campaigns}}
tickets: {"PERF-[0-9]+": "https://tickets.example/{}"}
now: 2026-11-01T06:00Z
"""
MISTAKES = (
    ("PK001", "It is slow.", f"It is slow.{HERE}\udcff"),
    ("PK002", "status: testing", f"status: testing\n area{HERE}: campaigns"),
    ("PK003", "tags: [mysql, n-plus-one]", f"tags: {HERE}&tags [mysql]"),
    ("PK003", "tags: [mysql, n-plus-one]", f"tags: {HERE}!!python/object:os.system [mysql]"),
    ("PK004", "area: campaigns", f"area: campaigns\n{HERE}area: campaigns"),
    ("PK005", "when: Always", f"when: {HERE}12:30"),
    ("PK006", "---\ntitle", f"{HERE}title"),
    ("PK101", "opened: 2026-09-01", f"{HERE}openned: 2026-09-01"),
    ("PK101", "customers: 1,", f"{HERE}customer: 1,"),
    ("PK102", "title: Campaign list is slow\n", f"{HERE}"),
    ("PK102", "counts: {source: demo, kind: total", f"{HERE}counts: {{source: demo"),
    ("PK103", "opened: 2026-09-01", f"{HERE}opened: yesterday"),
    ("PK103", "opened: 2026-09-01", f"{HERE}opened: 2026-02-30"),
    ("PK103", "budget: 2h", f"{HERE}budget: soon"),
    ("PK103", "effort: 2d-5d", f"{HERE}effort: 5d-2d"),
    ("PK103", "at_least: 50 %", f"{HERE}at_least: half"),
    ("PK103", "below: 1 s", f"{HERE}below: fast"),
    ("PK103", 'link: "https://helpdesk.example/881"', f"{HERE}link: javascript:alert(1)"),
    ("PK103", "tags: [mysql, n-plus-one]", f"{HERE}tags: mysql"),
    ("PK104", "status: testing", f"{HERE}status: tested"),
    ("PK104", "kind: total", f"{HERE}kind: counter"),
    ("PK105", "title: Campaign list is slow", f'{HERE}title: "Campaign <b>list</b>"'),
    ("PK105", 'owner: "@growth-web"', f'{HERE}owner: "@growth\\u202e-web"'),
    ("PK106", "  - id: h1\n", f"{ANOTHER}  - {HERE}id: h1\n"),
    ("PK201", "area: campaigns", f"{HERE}area: campains"),
    ("PK202", "counts: {source: demo", f"counts: {{{HERE}source: prod"),
    ("PK203", "{share: counts", f"{{{HERE}share: count"),
    ("PK203", "slo: {series: requests", f"slo: {{{HERE}series: request"),
    ("PK203", "{source: demo, kind: total, query: counts, unit: s}", f"{{{HERE}use: others}}"),
    ("PK204", "status: testing", f"status: testing\n{HERE}same_as: slow-list"),
    ("PK205", "counts: {source: demo, kind: total, query: counts,", f"{HERE}counts: {{source: demo, kind: total,"),
    ("PK206", "It is slow.", f"![It is slow]({HERE}mistake-32/request.svg)"),
    ("PK207", "below: 1 s", f"{HERE}below: 1 MB"),
    ("PK208", "tickets: [PERF-212]", f"tickets: [{HERE}CALL-7]"),
    ("PK209", "test: {share: counts, of: requests,", f"{HERE}test: {{share: counts,"),
    ("PK209", f"test: {TEST}", f"{HERE}test: {TEST.replace('11-08', '11-01').replace('10-26', '10-31')}"),
    ("PK211", "It is slow.", f"It is [slow]({HERE}#what-we-say)."),
    ("PK301", "status: testing\narea: campaigns\n", f"{HERE}status: testing\n"),
    ("PK302", "{date: 2026-09-01, said", f"{{{HERE}date: 2026-12-01, said"),
    ("PK303", "spent: 1h30m", f"{HERE}spent: 5h"),
    ("PK304", f"test: {TEST}", f"test: {TEST.replace('11-08', '11-01')}\n    {HERE}verdict: confirmed"),
    ("PK306", "status: testing", f"{HERE}status: reported"),
)


def told(number: int, code: str, old: str, new: str) -> str:
    """What `check` must say of a mistake: its place in the file, and its code."""
    text = STORY.replace(old, new)
    before = text[: text.index(HERE)] if HERE in text else ""
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return f"stories/mistake-{number}.md:{line}:{column}: {code}"


def test_every_mistake_is_named_in_one_run(tmp_path: Path) -> None:
    """Each file has one mistake, which is named at its line and column; the story without one is not named."""
    stories = {"right": STORY.encode()}
    for number, (_, old, new) in enumerate(MISTAKES, 1):
        assert STORY.count(old) == 1
        stories[f"mistake-{number}"] = STORY.replace(old, new.replace(HERE, "")).encode("utf-8", "surrogateescape")
    base(tmp_path, stories, SETTINGS)
    done = CliRunner(env={"SOURCE_DATE_EPOCH": ""}).invoke(perfkb, ["-C", str(tmp_path), "check"])
    assert done.exit_code == 1
    found = [" ".join(line.split(" ")[:2]) for line in done.stdout.splitlines()]
    assert sorted(found) == sorted(told(number, *mistake) for number, mistake in enumerate(MISTAKES, 1)), done.stdout
    assert len(MISTAKES) >= 40
