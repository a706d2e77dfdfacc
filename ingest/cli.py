"""The commands check, decide, pin, diff and schema: thin, the work is elsewhere.

Those that keep a story's books are in `ingest.cli_books`, those of a schedule in
`ingest.cli_refresh`; both stand in `commands` as well.

Heavy imports stay inside the commands: `perfkb --help` should not wait for pandas.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest import cli_books, cli_refresh
from ingest.context import base_of
from ingest.errors import Problem, UserError

if TYPE_CHECKING:
    from ingest.knowledge import KnowledgeBase
    from ingest.pins import Judged


@click.command()
@click.argument("paths", nargs=-1)
@click.option(
    "--format", "form", type=click.Choice(["text", "github", "json"]), default="text", show_default=True,
    help="How problems are printed.",
)  # fmt: skip
@click.pass_context
def check(context: click.Context, paths: tuple[str, ...], form: str) -> None:
    """Name every problem of every story, or of the files and folders at PATHS.

    Exit status 1 when there is an error; a warning alone is no failure.
    """
    from ingest.check import check as find_problems
    from ingest.check import only

    base = base_of(context)
    problems = only(find_problems(base).problems, [_inside(path, base.root) for path in paths])
    click.echo(FORMATS[form](problems, base.root), nl=bool(problems) or form == "json")
    errors = sum(problem.severity == "error" for problem in problems)
    if form == "text":
        told = _counted((len(base.stories), "story", "stories"))
        told += f": {_counted((errors, 'error', 'errors'), (len(problems) - errors, 'warning', 'warnings'))}"
        click.echo(told, err=True)
    sys.exit(1 if errors else 0)


def _counted(*things: tuple[int, str, str]) -> str:
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in things)


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


def _as_text(problems: list[Problem], _: Path) -> str:
    return "\n".join(str(problem) for problem in problems)


def _as_github(problems: list[Problem], root: Path) -> str:
    """GitHub's workflow commands, which it shows beside the lines of a pull request.

    There, paths begin at the repository's top, which need not be that of the knowledge base.
    """
    top = Path(os.environ.get("GITHUB_WORKSPACE") or root).resolve()
    within = f"{root.relative_to(top).as_posix()}/" if root != top and root.is_relative_to(top) else ""
    return "\n".join(
        f"::{each.severity} file={_property(within + each.where.path)},line={each.where.line or 1},"
        f"col={each.where.column or 1},title={each.code}::{_data(each.what + (f' ({each.hint})' if each.hint else ''))}"
        for each in problems
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _as_json(problems: list[Problem], _: Path) -> str:
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


commands = (check, *cli_refresh.commands, decide, pin, diff, schema, *cli_books.commands)
