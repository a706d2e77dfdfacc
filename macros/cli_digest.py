"""The command digest: thin, `ingest.digest` finds what happened and `macros.digest` says it."""

from pathlib import Path

import click

from ingest.context import base_of
from ingest.errors import UserError


@click.command()
@click.option("--since", default="7d", show_default=True, metavar="TIME", help="7d, or the first day: 2026-10-25.")
@click.option(
    "--format", "form", type=click.Choice(["markdown", "html"]), default="markdown", show_default=True,
    help="What it is written as.",
)  # fmt: skip
@click.option("--output", "-o", type=click.Path(path_type=Path), help="A file; by default it is printed.")
@click.pass_context
def digest(context: click.Context, since: str, form: str, output: Path | None) -> None:
    """What happened lately, to post or to mail: wins, gains lost, what moved, reports, and where help is wanted.

    The HTML is ready for mail: it loads nothing. Links lead to the `url` of knowledge-base.yml.
    Exit status 0, also when nothing happened, which it says.
    """
    from ingest.check import check
    from ingest.digest import digest as find
    from ingest.digest import read_since
    from ingest.evidence.load import load_facts
    from macros.digest import write_digest

    base = base_of(context)
    settings = base.settings
    first = read_since(since, base.clock, settings.timezone)
    facts = load_facts(base, check(base).of_story, [story for story in base.stories if not story.front.draft])
    found = find(facts, first, base.clock.today(settings.timezone), settings.hide, base.quarters)
    text = write_digest(found, settings, "html" if form == "html" else "markdown")
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(str(output), f"cannot be written: {error.strerror}") from None
