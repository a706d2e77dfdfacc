"""The command line's front door: both rooms' commands, and the one place that catches mistakes."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from ingest.cli import commands as ingest_commands
from ingest.errors import BusyError, UserError
from macros.cli import commands as macros_commands


class _Commands(click.Group):
    """Commands of which one that asks writes nothing before it has all its answers."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.Abort:
            raise UserError(None, "there was no answer, so nothing was written") from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C", "folder", metavar="DIR", type=click.Path(path_type=Path), help="The knowledge base; by default the one here."
)
@click.version_option(package_name="perfkb")
@click.pass_context
def perfkb(context: click.Context, folder: Path | None) -> None:
    """A performance knowledge base: stories, telemetry, evidence, and the site they make."""
    context.obj = folder


for command in (*ingest_commands, *macros_commands):
    perfkb.add_command(command)


def main() -> None:
    """Runs the command line; a user's mistake ends it with one line and exit status 2."""
    if not os.environ.get("SOURCE_DATE_EPOCH", "."):
        # Empty is as good as not set, but NumPy reads it as a number when parts of it are imported.
        del os.environ["SOURCE_DATE_EPOCH"]
    try:
        perfkb(standalone_mode=True)
    except BusyError as error:
        click.echo(f"perfkb: {error}", err=True)
        sys.exit(75)
    except UserError as error:
        click.echo(f"perfkb: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        # A full disk, a file that may not be read: nothing that a traceback would explain.
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"perfkb: {place}{error.strerror or error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
