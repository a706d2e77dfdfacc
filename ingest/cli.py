"""The commands check, refresh, status, decide, pin, diff and schema: thin, the work is elsewhere.

Those that keep a story's books are in `ingest.cli_books`, and stand in `commands` as well.

Heavy imports stay inside the commands: `perfkb --help` should not wait for pandas.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest import cli_books
from ingest.codes import UNREADABLE
from ingest.context import base_of
from ingest.errors import Problem, UserError

if TYPE_CHECKING:
    from ingest.evidence import FixFacts
    from ingest.knowledge import KnowledgeBase
    from ingest.pins import Judged
    from ingest.refresh import Result


@click.command()
@click.argument("paths", nargs=-1)
@click.option("--format", "form", type=click.Choice(["text", "github", "json"]), default="text", show_default=True)
@click.pass_context
def check(context: click.Context, paths: tuple[str, ...], form: str) -> None:
    """Name every problem of every story, or of the files and folders at PATHS.

    Exit status 1 when there is an error; a warning alone is no failure.
    """
    from ingest.check import check as find_problems
    from ingest.check import only

    base = base_of(context)
    problems = only(find_problems(base).problems, [_inside(path, base.root) for path in paths])
    click.echo(FORMATS[form](problems), nl=bool(problems) or form == "json")
    errors = sum(problem.severity == "error" for problem in problems)
    if form == "text":
        told = f"{len(base.stories)} stories: {errors} errors, {len(problems) - errors} warnings"
        click.echo(told, err=True)
    sys.exit(1 if errors else 0)


def _inside(path: str, root: Path) -> str:
    """A path as problems name it, relative to the knowledge base; UserError where it names nothing there.

    Otherwise a slip of the keys would look like a story without problems.
    """
    for start in (Path.cwd(), root):
        named = Path(os.path.abspath(start / path))  # noqa: PTH100  # resolve() would follow the last link, which is a problem
        full = named.parent.resolve() / named.name
        if os.path.lexists(full) and full.is_relative_to(root):
            return full.relative_to(root).as_posix()
    raise UserError(path, "there is no such file or folder in this knowledge base")


def _as_text(problems: list[Problem]) -> str:
    return "\n".join(str(problem) for problem in problems)


def _as_github(problems: list[Problem]) -> str:
    """GitHub's workflow commands, which it shows beside the lines of a pull request."""
    return "\n".join(
        f"::{each.severity} file={_property(each.where.path)},line={each.where.line or 1},"
        f"col={each.where.column or 1},title={each.code}::{_data(each.what + (f' ({each.hint})' if each.hint else ''))}"
        for each in problems
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _as_json(problems: list[Problem]) -> str:
    made = [
        {
            "path": each.where.path,
            "line": each.where.line,
            "column": each.where.column,
            "code": each.code,
            "severity": each.severity,
            "message": each.what,
            "hint": each.hint,
        }
        for each in problems
    ]
    return json.dumps(made, indent=1, ensure_ascii=False)


FORMATS = {"text": _as_text, "github": _as_github, "json": _as_json}


@click.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched.")
@click.pass_context
def refresh(context: click.Context, slugs: tuple[str, ...], dry_run: bool) -> None:
    """Fetch the telemetry that is due, of all stories or of those named.

    Exit status 0: all fresh; 1: some kept their last good data; 2: nothing usable; 75: another
    refresh is running.
    """
    from ingest.refresh import plan, wishes
    from ingest.refresh import refresh as run

    base = base_of(context)
    if base.config.problems:
        raise UserError(base.config.problems[0].where, base.config.problems[0].what, base.config.problems[0].hint)
    wanted = wishes(base, slugs)
    if dry_run:
        for line in plan(base, wanted):
            click.echo(line)
        return
    # A schedule's mail needs no bar.
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=len(wanted), label="Refreshing", file=sys.stderr, hidden=hidden) as bar:
        result = run(base, wanted, os.environ, progress=lambda _: bar.update(1))
    for outcome in result.outcomes:
        if outcome.state != "fresh":
            place = f"{outcome.where}: " if outcome.where else ""
            click.echo(f"{outcome.state:8}{outcome.story}/{outcome.series}: {place}{outcome.reason}", err=True)
    lost = [story for story in base.stories if any(problem.code in UNREADABLE for problem in story.problems)]
    for story in lost:
        click.echo(f"missing {story.slug}: it cannot be read, see `perfkb check`", err=True)
    click.echo(_summary(result), err=True)
    sys.exit(max(result.status, 1) if lost else result.status)


def _summary(result: "Result") -> str:
    """`10 series: 8 fetched, 1 not due yet, 1 kept, 0 missing; 1,234 new rows`"""
    fresh = result.count("fresh")
    idle = sum(not outcome.due for outcome in result.outcomes)
    rows = sum(outcome.new_rows for outcome in result.outcomes)
    states = (
        f"{fresh - idle} fetched, {idle} not due yet, {result.count('kept')} kept, {result.count('missing')} missing"
    )
    return f"{len(result.outcomes)} series: {states}; {rows:,} new rows"


@click.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Stories, the age of their data, and what became of their fixes, as a table."""
    from ingest.check import check as find_problems
    from ingest.evidence.load import load_facts
    from ingest.units import format_duration

    base = base_of(context)
    report = find_problems(base)
    for facts in load_facts(base, report.of_story, base.stories):
        errors = sum(problem.severity == "error" for problem in facts.problems)
        mistakes = f"  {errors} problems, see `perfkb check`" if errors else ""
        click.echo(f"{facts.slug:40} {facts.story.front.status:14}{mistakes}")
        for series in facts.series.values():
            age = format_duration(facts.now - series.manifest.data_until) + " old" if series.manifest else "no data"
            click.echo("; ".join([f"  {series.name:38} {series.health.state:14} {age}", *series.health.notes]))
        for fix in facts.fixes.values():
            found = fix.pin.verdict if fix.pin else fix.state
            click.echo(f"  {f'fix {fix.fix.id}':38} {found:14} {_standing(fix)}".rstrip())


def _standing(fix: "FixFacts") -> str:
    """What became of the gain, or when the fix is judged."""
    if fix.standing is None:
        return f"judged on {fix.due}" if fix.due and not fix.pin else ""
    return {"held": "the gain holds", "eroded": f"eroded since {fix.since}", "regressed": f"gone since {fix.since}"}[
        fix.standing
    ]


@click.command()
@click.argument("slug")
@click.argument("hypothesis", metavar="ID")
@click.option("--again", is_flag=True, help="State anew what was decided before.")
@click.pass_context
def decide(context: click.Context, slug: str, hypothesis: str, again: bool) -> None:
    """Evaluate the test of hypothesis ID, pin its evidence, and write verdict, date and stage.

    Exit status 0 whatever the verdict; 2 where nothing can be decided yet.
    """
    from ingest.decide import decide as run
    from ingest.rules import rules_of, threshold_rule

    base = base_of(context)
    decided = run(base, slug, hypothesis, again=again)
    pin = decided.pin
    click.echo(f"{hypothesis} is {pin.verdict}")
    for rule in (*rules_of(pin), threshold_rule(pin)):
        click.echo(f"  {'holds ' if rule.holds else 'broken'}  {rule}")
    click.echo(
        f"pinned {decided.folder.relative_to(base.root)}: numbers.json, {', '.join(f'{n}.csv' for n in pin.series)}"
    )
    click.echo(f"wrote stories/{slug}.md: verdict {pin.verdict}, status {decided.stage}")
    click.echo(f"next: {decided.next}")


@click.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--again", is_flag=True, help="State anew what was stated before.")
@click.option("--quarter", metavar="2026Q3", help="Close a quarter: state its totals, once.")
@click.pass_context
def pin(context: click.Context, slugs: tuple[str, ...], again: bool, quarter: str | None) -> None:
    """Judge each fix whose day has come (of all stories, or those named), and pin its impact.

    Exit status 1 where a fix that is due could not be judged.
    """
    base = base_of(context)
    if quarter:
        if slugs:
            raise UserError(None, "a quarter is closed for all stories at once", f"perfkb pin --quarter {quarter}")
        path = _close(base, quarter, again)
        click.echo(f"pinned {path.relative_to(base.root)}")
        return
    from ingest.decide import settle

    settled = settle(base, slugs, again=again)
    for each in settled:
        told = _impact(each.pin) if each.pin else each.why
        click.echo(f"{'pinned' if each.pin else 'left':8}{each.slug}/{each.id}: {told}")
    if not settled:
        click.echo("no fix has shipped")
    pinned = dict.fromkeys(each.slug for each in settled if each.pin)
    now = base_of(context) if pinned else base
    for slug in pinned:
        if (stage := now.story(slug).front.status) != base.story(slug).front.status:
            click.echo(f"wrote stories/{slug}.md: status {stage}")
        click.echo(f"next: {cli_books.next_of(now, slug)}")
    sys.exit(1 if any(each.failed for each in settled) else 0)


def _impact(pin: "Judged") -> str:
    """`improved, p95 −44.4 % (−50.5 % to −37.7 %)`"""
    from ingest.units import format_percent

    effect, low, high = (format_percent(x, signed=True) for x in (pin.change.effect, pin.change.low, pin.change.high))
    return f"{pin.verdict}, {pin.figure} {effect} ({low} to {high})"


def _close(base: "KnowledgeBase", quarter: str, again: bool) -> Path:
    from ingest.evidence.load import load_facts
    from ingest.quarters import close_quarter

    return close_quarter(base, load_facts(base, {}, base.stories), quarter, again=again)


@click.command()
@click.argument("base")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="A file; by default it is printed.")
@click.pass_context
def diff(context: click.Context, base: str, output: Path | None) -> None:
    """What changed since this branch left BASE, a revision of git, as Markdown for a pull request.

    New queries come first: they will run with production credentials. Exit status 0 whatever
    changed; 2 where git cannot tell.
    """
    from ingest.diff import diff as tell

    _print_or_write(tell(base_of(context), base).rstrip("\n"), output)


@click.command()
@click.option("--output", "-o", type=click.Path(path_type=Path), help="A file; by default it is printed.")
def schema(output: Path | None) -> None:
    """The front matter's JSON Schema, for editors."""
    from ingest.story import json_schema

    _print_or_write(json.dumps(json_schema(), indent=2, ensure_ascii=False), output)


def _print_or_write(text: str, output: Path | None) -> None:
    if not output:
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(str(output), f"cannot be written: {error.strerror}") from None


commands = (check, refresh, status, decide, pin, diff, schema, *cli_books.commands)
