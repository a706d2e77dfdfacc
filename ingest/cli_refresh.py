"""The commands refresh, status and notify: what a schedule runs, and who keeps it running."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

import click

from ingest.codes import UNREADABLE
from ingest.context import base_of
from ingest.errors import UserError

if TYPE_CHECKING:
    from ingest.evidence import FixFacts
    from ingest.health import Outcome
    from ingest.knowledge import KnowledgeBase
    from ingest.refresh import Result

NAMED = 5
"""How many series of a group a summary names."""


@click.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched.")
@click.option("--expect-store", is_flag=True, help="Refuse a store that is empty; for a schedule.")
@click.option("--first-run", is_flag=True, help="The store may be empty: nothing was fetched before.")
@click.option("--copy-store", is_flag=True, help="Only bring the copy of a store that lies elsewhere up to date.")
@click.pass_context
def refresh(
    context: click.Context,
    slugs: tuple[str, ...],
    dry_run: bool,
    expect_store: bool,
    first_run: bool,
    copy_store: bool,
) -> None:
    """Fetch the telemetry that is due, of all stories or of those named.

    Exit status 0: all fresh; 1: some kept their last good data; 2: nothing usable; 75: another
    refresh is running. SIGINT and SIGTERM end it early, with what it has.
    """
    from ingest import refresh as work

    base = base_of(context)
    if base.config.problems:
        raise UserError(base.config.problems[0].where, base.config.problems[0].what, base.config.problems[0].hint)
    if copy_store:
        work.copy_store(base)
        return
    wanted = work.wishes(base, slugs)
    if dry_run:
        for line in work.plan(base, wanted, expect_store=expect_store, first_run=first_run):
            click.echo(line)
        return
    with _signals() as caught:
        # A schedule's mail needs no bar.
        hidden = not sys.stderr.isatty()
        with click.progressbar(length=len(wanted), label="Refreshing", file=sys.stderr, hidden=hidden) as bar:
            result = work.refresh(
                base,
                wanted,
                os.environ,
                progress=lambda _: bar.update(1),
                expect_store=expect_store,
                first_run=first_run,
            )
    for line in (*summary(result.outcomes, base.called), *_unreadable(base), _counts(result)):
        click.echo(line, err=True)
    if result.untried:
        sys.exit(128 + (caught[-1] if caught else signal.SIGINT))
    sys.exit(max(result.status, 1) if [*_unreadable(base)] else result.status)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Lets SIGTERM end a command as Ctrl-C does; the signals that came."""
    caught: list[int] = []

    def stop(number: int, _: object) -> None:
        caught.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    except KeyboardInterrupt:
        # Before anything was fetched, or while a second signal came.
        sys.exit(128 + (caught[-1] if caught else signal.SIGINT))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def summary(outcomes: list["Outcome"], called: Callable[[str, str], str]) -> Iterator[str]:
    """What went wrong, by source and reason: `prod: 12 series kept: prod (...) cannot be reached`, and which.

    `called` tells a story and a series of it by the name that a person knows.
    """

    def group(each: "Outcome") -> tuple[str, str, str, str]:
        return each.source, each.state, each.reason, each.where

    failed = sorted((each for each in outcomes if each.state != "fresh"), key=group)
    for (source, state, reason, where), members in groupby(failed, group):
        names = [called(each.story, each.series) for each in members]
        place = f"{where}: " if where else ""
        if len(names) == 1:
            yield f"{source}: {names[0]} {state}: {place}{reason}"
            continue
        more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        yield f"{source}: {len(names):,} series {state}: {place}{reason}"
        yield f"  {', '.join(names[:NAMED])}{more}"


def _unreadable(base: "KnowledgeBase") -> Iterator[str]:
    for story in base.stories:
        if any(problem.code in UNREADABLE for problem in story.problems):
            yield f"{story.slug}: missing: it cannot be read, see `perfkb check`"


def _counts(result: "Result") -> str:
    """`10 series: 8 fetched, 1 not due yet, 1 kept, 0 missing; 1,234 new rows`"""
    fresh = result.count("fresh")
    idle = sum(not outcome.due for outcome in result.outcomes)
    rows = sum(outcome.new_rows for outcome in result.outcomes)
    states = (
        f"{fresh - idle} fetched, {idle} not due yet, {result.count('kept')} kept, {result.count('missing')} missing"
    )
    untried = f"; interrupted before {result.untried:,} more" if result.untried else ""
    return f"{len(result.outcomes)} series: {states}; {rows:,} new rows{untried}"


@click.command()
@click.option("--probe", is_flag=True, help="Ask each source one cheap question instead, over the network.")
@click.pass_context
def status(context: click.Context, probe: bool) -> None:
    """Stories, the age of their data, and what became of their fixes, as a table.

    With --probe, whether each source can be reached and accepts our credentials; exit status 1
    where one does not.
    """
    base = base_of(context)
    if probe:
        sys.exit(_probe(base))
    from ingest.check import check as find_problems
    from ingest.evidence.load import load_facts
    from ingest.units import format_duration

    report = find_problems(base)
    for facts in load_facts(base, report.of_story, base.stories):
        errors = sum(problem.severity == "error" for problem in facts.problems)
        mistakes = f"  {errors} problems, see `perfkb check`" if errors else ""
        click.echo(f"{facts.slug:40} {facts.story.front.status:14}{mistakes}")
        for series in facts.asked.values():
            age = format_duration(facts.now - series.as_of) + " old" if series.as_of else "no data"
            # A count of reports is kept under a hash of its query.
            name = base.called(series.slug, series.name) if series.counts else series.name
            click.echo("; ".join([f"  {name:38} {series.health.state:14} {age}", *series.health.notes]))
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


def _probe(base: "KnowledgeBase") -> int:
    from ingest.probe import probe as ask

    failed = 0
    for answered in ask(base, os.environ):
        failed += answered.failed
        click.echo(f"{answered.name:20} {answered.state:20} {answered.told}".rstrip())
    return 1 if failed else 0


@click.command()
@click.option(
    "--say", metavar="TEXT", help="Tell this too, such as that the build failed; only once, until it is over."
)
@click.option("--dry-run", is_flag=True, help="Only print what would be told.")
@click.pass_context
def notify(context: click.Context, say: str | None, dry_run: bool) -> None:
    """Tell somebody what needs a person, over the webhook of `notify:`; each thing once.

    It tells of a source that failed twice in a row, of refused credentials, and of a gain that
    eroded or is gone. Exit status 1 where the webhook failed: what was not told is told the next time.
    """
    from ingest.notify import Event, news, tell

    def show(event: Event) -> None:
        click.echo(event.text)

    base = base_of(context)
    if dry_run or not base.settings.notify:
        for event in news(base, say).new:
            show(event)
        if not dry_run:
            click.echo("nobody is told: knowledge-base.yml has no `notify:`", err=True)
        return
    failed = tell(base, say, os.environ, show)
    if failed:
        click.echo(f"nobody was told: {failed}", err=True)
    sys.exit(1 if failed else 0)


commands = (refresh, status, notify)
