"""Building the site beside the one that is there, which it replaces only when it is whole."""

import logging
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, MkDocsException

from ingest.errors import UserError, one_line

WORKSHOP = ".site-"
LONGEST_BUILD = 3600.0
MOST_WARNINGS = 200


def mkdocs_yml(root: Path) -> Path:
    """The knowledge base's mkdocs.yml; UserError where there is none."""
    path = root / "mkdocs.yml"
    if not path.is_file():
        raise UserError(str(root), "there is no mkdocs.yml", "make a knowledge base: perfkb init DIR")
    return path


def build_site(root: Path, site_dir: Path | None, *, strict: bool, say: Callable[[str], None]) -> bool:
    """Builds the site; whether it was published, which warnings prevent in a `strict` build.

    `say` is given each warning, and how it ended. UserError where MkDocs cannot read its
    configuration.
    """
    with _warnings(say):
        try:
            config = load_config(config_file=str(mkdocs_yml(root)), strict=strict)
            target = (site_dir or Path(config.site_dir)).resolve()
            _refuse_to_replace(target, root.resolve())
            target.parent.mkdir(parents=True, exist_ok=True)
            _sweep(target.parent)
            with _orderly_end(), tempfile.TemporaryDirectory(prefix=WORKSHOP, dir=target.parent) as workshop:
                config.site_dir = f"{workshop}/new"
                _build(config)
                _replace(target, Path(workshop))
        except Abort as error:
            say(error.format_message())
            way_out = "; `perfkb build --quarantine` publishes all the same" if "strict mode" in error.message else ""
            say(f"nothing was published, and what was there stays{way_out}")
            return False
        except MkDocsException as error:
            raise UserError(None, str(error)) from None
        except UnicodeDecodeError as error:
            # MkDocs has named the file.
            raise UserError(None, f"a page is not UTF-8: {error.reason}", "save it as UTF-8") from None
        except OSError as error:
            raise UserError(error.filename or str(target), error.strerror or str(error)) from None
    say(f"built {target}; look at it with `perfkb serve`")
    return True


def _refuse_to_replace(target: Path, root: Path) -> None:
    """Raises UserError where the site would take the place of what is no site."""
    sources = [root / name for name in ("content", "stories", "site-config", ".git", ".snapshots", ".venv")]
    if root.is_relative_to(target) or any(target.is_relative_to(source) for source in sources):
        raise UserError(str(target), "the site cannot take the place of the knowledge base", "name another --site-dir")
    if target.is_dir() and any(target.iterdir()) and not (target / "stories.json").is_file():
        raise UserError(str(target), "this folder holds something else than a site", "name an empty --site-dir")
    if target.exists() and not target.is_dir():
        raise UserError(str(target), "this is not a folder", "name another --site-dir")


def _sweep(folder: Path) -> None:
    """Removes what builds left that were killed; one that runs beside this one is younger."""
    for left in folder.glob(f"{WORKSHOP}*"):
        if left.is_dir() and not left.is_symlink() and time.time() - left.stat().st_mtime > LONGEST_BUILD:
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _orderly_end() -> Iterator[None]:
    """A SIGTERM ends the build like any error, so that nothing is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(_terminated(number)))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminated(number: int) -> int:
    """The exit status of a process that a signal ended, as shells have it."""
    return 128 + number


def _build(config: MkDocsConfig) -> None:
    config.plugins.on_startup(command="build", dirty=False)
    try:
        build(config)
    except SystemExit as stop:
        if isinstance(stop, Abort) or stop.code == _terminated(signal.SIGTERM):
            raise
        # The macros plugin has said where, and ends the interpreter.
        raise Abort("a macro in content/ failed") from None
    finally:
        config.plugins.on_shutdown()


def _replace(target: Path, workshop: Path) -> None:
    """Puts `new` of the workshop where `target` is; what was there goes with the workshop."""
    if target.exists():
        target.rename(workshop / "old")
    shutil.move(workshop / "new", target)


class _Warnings(logging.Handler):
    """Says MkDocs' warnings, a line each and not without end.

    A problem of ours has a place and a code, says itself how bad it is, and is counted elsewhere.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self.say = say
        self.heard = 0

    def emit(self, record: logging.LogRecord) -> None:
        ours, text = record.name.endswith(".perfkb"), record.getMessage()
        if text.startswith("[macros]"):
            # Markdown of several lines, with a traceback.
            text = " ".join(text.partition("```\nTraceback")[0].replace("```", "").split())
        self.heard += not ours
        if ours or self.heard <= MOST_WARNINGS:
            self.say(one_line(text if ours else f"{record.levelname.lower()}: {text}"))

    def sum_up(self) -> None:
        """Says how many there were that it did not say."""
        if self.heard > MOST_WARNINGS:
            self.say(f"and {self.heard - MOST_WARNINGS:,} more warnings")


@contextmanager
def _warnings(say: Callable[[str], None]) -> Iterator[None]:
    handler = _Warnings(say)
    logger = logging.getLogger("mkdocs")
    before = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        handler.sum_up()
        logger.removeHandler(handler)
        logger.level, logger.propagate = before
