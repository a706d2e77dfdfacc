"""The commands init, build and serve: thin, MkDocs does the work. `digest` is in `macros.cli_digest`."""

import logging
import socket
import sys
from pathlib import Path
from shlex import quote

import click

from ingest.context import root_of
from ingest.errors import UserError
from macros.cli_digest import digest


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Make a fresh knowledge base in DIR, with one example story on demo telemetry."""
    from macros.scaffold import make_knowledge_base

    made = make_knowledge_base(folder)
    click.echo(f"made {folder}: {made} files")
    here = f"perfkb -C {quote(str(folder))}"
    click.echo(f"next: {here} refresh && {here} serve")


@click.command()
@click.option("--site-dir", type=click.Path(path_type=Path), help="The site's folder; by default mkdocs.yml's.")
@click.option("--quarantine", is_flag=True, help="Publish in spite of bad stories, with a banner on each.")
@click.pass_context
def build(context: click.Context, site_dir: Path | None, quarantine: bool) -> None:
    """Check every story, then build the site from what the store holds.

    Exit status 1 when there are problems: the site that was there stays as it was. A scheduled
    build says --quarantine: one bad story must not keep the others from being published.
    """
    from macros.build import build_site

    if not build_site(root_of(context), site_dir, strict=not quarantine, say=lambda line: click.echo(line, err=True)):
        sys.exit(1)


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="On 127.0.0.1.")
@click.option("--open", "open_browser", is_flag=True, help="Open the preview in a browser.")
@click.pass_context
def serve(context: click.Context, port: int, open_browser: bool) -> None:
    """Preview the site; it rebuilds when a story, a page, the configuration or the theme is saved.

    Mistakes are shown in the page they are in. What `refresh` fetches is shown from the next save on.
    """
    from macros.preview import preview

    logging.basicConfig(level=logging.INFO, format="%(levelname)-7s %(message)s")
    # It would announce every one of its steps at every rebuild; what is wrong with a page is told by ours.
    logging.getLogger("mkdocs.plugins.mkdocs_macros").setLevel(logging.CRITICAL)
    _check_port(port)
    preview(root_of(context), port, open_browser=open_browser)


def _check_port(port: int) -> None:
    """Raises UserError where the port is taken, which a whole build would otherwise find out."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(None, f"port {port}: {error.strerror}", "give another with --port") from None


commands = (init, build, serve, digest)
