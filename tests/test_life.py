"""One story's life of ninety days, played through with the commands alone."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import ndiff
from pathlib import Path

from click.testing import CliRunner

from perfkb import perfkb

FIRST = datetime(2026, 3, 2, 12, tzinfo=UTC)
SETTINGS = """\
name: A life
areas: {campaigns: {title: Campaigns, team: "@campaigns"}}
series:
  requests: {source: demo, kind: histogram, metric: campaigns, unit: s}
  count_query: {source: demo, kind: total, metric: counts, unit: s}
  other_pages: {source: demo, kind: histogram, metric: other, unit: s}
"""
# A fix on day 24, what takes its gain back on day 41, and another fix on day 66.
SOURCES = """\
demo:
  kind: demo
  series:
    campaigns:
      level: 900 ms
      traffic: 5000
      changes:
        - {at: 2026-03-26T14:00Z, by: -50 %}
        - {at: 2026-04-12, by: 120 %}
        - {at: 2026-05-07T09:00Z, by: -55 %}
    counts: {share: {of: campaigns, part: 65 %}}
"""
SLUG = "campaigns-page-spins"
PROSE = "\nTold by hand: `{a: b}`  \n\n---\n\n# not a comment\n- status: reported\n"


@dataclass
class Life:
    """A knowledge base on a day of its life, and how often its one story was edited by commands."""

    root: Path
    day: int = 0
    edits: int = 0
    hand_edits: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.root / f"stories/{SLUG}.md"

    def perfkb(self, *arguments: str) -> str:
        """What a command prints that succeeds on this day."""
        now = int((FIRST + timedelta(days=self.day)).timestamp())
        done = CliRunner(env={"SOURCE_DATE_EPOCH": str(now)}).invoke(perfkb, ["-C", str(self.root), *arguments])
        assert done.exit_code == 0, f"day {self.day}, {arguments}: {done.output} {done.exception}"
        return done.output

    def on(self, day: int, *arguments: str, changes: tuple[str, ...] = (), status: str = "") -> str:
        """What a command prints that changes these lines of the story, and no other one.

        `status` is the stage to which it moves the story. Afterwards `check` finds no error.
        """
        self.day = day
        before = self.file.read_text() if self.file.exists() else ""
        told = self.perfkb(*arguments)
        after = self.file.read_text()
        changed = [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
        if status:
            old, new, *changed = changed
            assert old.startswith("- status: ")
            assert new == f"+ status: {status}"
            assert f"wrote stories/{SLUG}.md: " in told
            assert f"status {status}" in told
        assert changed == [f"+ {line}" for line in changes]
        assert after.endswith(PROSE) or not before
        self.edits += before != after
        assert "next: " in told or before == after
        self.told.append(f"day {day}: perfkb {' '.join(arguments)}\n{told}")
        self.perfkb("check")
        return told

    def by_hand(self, prose: str) -> None:
        """Somebody writes the text below the front matter, and a remark beside it."""
        text = self.file.read_text()
        fence = text.index("\n---\n", 4) + len("\n---\n")
        self.file.write_text(text[:fence].replace("reports:\n", "reports:   # of the help desk\n") + prose)
        self.hand_edits += 1


def test_a_life_of_ninety_days(tmp_path: Path) -> None:
    """Every edit of the front matter is a command's, and changes no line that the command is not about."""
    for name, text in (("knowledge-base.yml", SETTINGS), ("sources.yml", SOURCES)):
        (tmp_path / "site-config").mkdir(exist_ok=True)
        (tmp_path / "site-config" / name).write_text(text)
    (tmp_path / "stories").mkdir()
    life = Life(tmp_path)
    told = life.perfkb("new", "Campaigns page spins")
    assert f"wrote stories/{SLUG}.md: status reported\nnext: run a timebox: perfkb timebox start {SLUG}" in told
    life.by_hand(PROSE)

    link = "https://helpdesk.example/8823"
    life.on(
        1, "report", SLUG, "takes five seconds with our 120 lists", "--link", link,
        changes=(f"  - {{date: 2026-03-03, said: takes five seconds with our 120 lists, link: {link}}}",),
    )  # fmt: skip
    life.on(
        2, "report", SLUG, "agencies complained: in one call", "--customers", "3", "--date", "2026-03-03",
        changes=('  - {date: 2026-03-03, said: "agencies complained: in one call", customers: 3}',),
    )  # fmt: skip
    life.on(
        2, "timebox", "start", SLUG, "What makes it slow for one account?",
        "--area", "campaigns", "--what", "The campaign list takes seconds to appear",
        status="investigating",
        changes=("area: campaigns", "what: The campaign list takes seconds to appear", "timeboxes:",
                 "  - date: 2026-03-04", "    question: What makes it slow for one account?", "    budget: 2h"),
    )  # fmt: skip
    life.on(
        2, "timebox", "stop", SLUG, "--spent", "1h30m", "--outcome", "80 lists, 80 COUNT queries", "--effort", "2d-5d",
        changes=("    spent: 1h30m", "    outcome: 80 lists, 80 COUNT queries", "    effort: 2d-5d"),
    )  # fmt: skip
    told = life.on(
        3, "believe", SLUG, "One COUNT query for every list",
        "--test", "share=count_query of=requests at_least='50 %' from=2026-03-06 to=2026-03-19",
        "--who", "Accounts with many lists", "--when", "Always", "--where", "Web",
        status="testing",
        changes=("who: Accounts with many lists", "when: Always", "where: Web", "telemetry:",
                 "  count_query: {use: count_query}", "  requests: {use: requests}", "hypotheses:", "  - id: h1",
                 "    because: One COUNT query for every list", "    written: 2026-03-05",
                 "    test: {share: count_query, of: requests, at_least: 50 %, from: 2026-03-06, to: 2026-03-19}"),
    )  # fmt: skip
    assert f"next: after 2026-03-19: perfkb refresh {SLUG}, then perfkb decide {SLUG} h1" in told

    life.on(18, "refresh")
    told = life.on(18, "decide", SLUG, "h1", changes=("    verdict: confirmed", "    decided: 2026-03-20"))
    assert "h1 is confirmed" in told
    assert f"next: say what is still missing: perfkb tell {SLUG} --why TEXT" in told
    life.on(
        18, "tell", SLUG, "--why", "One COUNT query for every list",
        status="confirmed", changes=("why: One COUNT query for every list",),
    )  # fmt: skip
    life.on(
        19, "choose", SLUG, "Every send begins here",
        changes=("chosen: {date: 2026-03-21, because: Every send begins here}",),
    )  # fmt: skip
    life.on(
        19, "fix", SLUG, "totals", "--ticket", "PERF-240", "--expected", "-60 %",
        "--series", "requests", "--quantile", "0.95", "--control", "other_pages",
        status="fixing",
        changes=("  other_pages: {use: other_pages}", "fixes:", "  - id: totals", "    ticket: PERF-240",
                 "    expected: -60 %", "    series: requests", "    quantile: 0.95", "    control: other_pages"),
    )  # fmt: skip
    told = life.on(
        24, "ship", SLUG, "totals", "--at", "2026-03-26T14:00Z", "--took", "4d",
        status="shipped", changes=("    shipped: 2026-03-26T14:00Z", "    took: 4d"),
    )  # fmt: skip
    assert "next: totals is judged on 2026-04-10" in told

    life.on(39, "refresh")
    assert "totals: improved, p95 " in life.on(39, "pin", SLUG, status="measured")
    life.on(40, "refresh")
    assert "gone" not in life.on(40, "status")

    life.on(60, "refresh")
    assert "  improved       gone since 2026-04-" in life.on(60, "status")
    life.on(
        60, "timebox", "start", SLUG, "What took the gain back?", "--budget", "1h",
        changes=("  - date: 2026-05-01", "    question: What took the gain back?", "    budget: 1h"),
    )  # fmt: skip
    life.on(
        60, "timebox", "stop", SLUG, "--spent", "40m", "--outcome", "The totals are counted again on every visit",
        changes=("    spent: 40m", "    outcome: The totals are counted again on every visit"),
    )  # fmt: skip
    life.on(
        61, "fix", SLUG, "index", "--ticket", "PERF-301", "--expected", "-50 %",
        "--series", "requests", "--quantile", "0.95",
        status="fixing",
        changes=("  - id: index", "    ticket: PERF-301", "    expected: -50 %", "    series: requests",
                 "    quantile: 0.95"),
    )  # fmt: skip
    life.on(
        66, "ship", SLUG, "index", "--at", "2026-05-07T09:00Z",
        status="shipped", changes=("    shipped: 2026-05-07T09:00Z",),
    )  # fmt: skip
    life.on(81, "refresh")
    assert "index: improved, p95 " in life.on(81, "pin", SLUG, status="measured")
    life.on(90, "refresh")
    life.on(90, "status")

    assert (life.edits, life.hand_edits) == (16, 1)
    assert (tmp_path / f"stories/{SLUG}/pinned/index/numbers.json").is_file()
    assert life.perfkb("check", "--format", "json") == "[]\n"
