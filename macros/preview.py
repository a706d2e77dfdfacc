"""The live preview: the site is built anew after every save, and the browser shows it.

A mistake never ends it, and never leaves an old page standing: what is wrong with one page
stands on that page, what is wrong with the configuration on every page, and where nothing can
be built, every address says why until that is mended.
"""

import logging
import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from mkdocs.commands.build import build as build_site
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import ConfigurationError
from mkdocs.livereload import LiveReloadServer
from mkdocs.utils import clean_directory

from ingest.errors import UserError
from ingest.knowledge import is_knowledge_base
from ingest.limits import TooLongError
from macros.build import mkdocs_yml
from macros.html import render
from macros.plugin import EPOCH, NOTES, PerfkbPlugin
from macros.trouble import explain
from macros.watch import Watcher

log = logging.getLogger("mkdocs.plugins.perfkb")

_THIS_MACHINE = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?", re.IGNORECASE)


def preview(root: Path, port: int, *, open_browser: bool) -> None:
    """Serves the site of `root` on 127.0.0.1 until it is interrupted; UserError where there is nothing to serve."""
    config_file = mkdocs_yml(root)
    with tempfile.TemporaryDirectory(prefix="perfkb-") as site_dir, _orderly_end():
        server = Preview(root, config_file, port, site_dir)
        try:
            server.build()
            if server.failure and not is_knowledge_base(root):
                raise UserError(None, server.failure[0])
            server.watcher.start()
            server.serve(open_in_browser=open_browser)  # type: ignore[no-untyped-call]  # MkDocs' own
        except KeyboardInterrupt:
            log.info("Shutting down")
        finally:
            server.shutdown()


class Preview(LiveReloadServer):
    """MkDocs' server, with a build that cannot fail and a watch that cannot be lost."""

    def __init__(self, root: Path, config_file: Path, port: int, site_dir: str) -> None:
        super().__init__(self.build, "127.0.0.1", port, site_dir)
        self.folder = root
        self.config_file = config_file
        self.config: MkDocsConfig | None = None
        self.asked: set[Path] = set()
        self.failure: list[str] = []
        self.watcher = Watcher(self._changed)
        # MkDocs makes pages reload themselves where it watches something; ours looks instead of it.
        self._watched_paths[str(root)] = 1
        self.error_handler = self._page_of_error
        self.watcher.look_at([config_file, *(root / name for name in ("content", "stories", "site-config"))])

    def serve_request(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers those alone who ask by a name of this machine.

        Whoever owns another name can let it lead here, and a page under that name could read the preview.
        """
        if not _THIS_MACHINE.fullmatch(environ.get("HTTP_HOST", "localhost")):
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"The preview is for this machine: ask for it as localhost or 127.0.0.1.\n"]
        made: Iterable[bytes] = super().serve_request(environ, start_response)
        return made

    def _serve_request(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes] | None:
        try:
            made: Iterable[bytes] | None = super()._serve_request(environ, start_response)
        except ValueError:
            # No file can have such a name; any page in the browser may ask for one, and would fill the terminal.
            return None
        return made

    def watch(self, path: str, func: None = None, *, recursive: bool = True) -> None:  # noqa: ARG002
        """What a plugin wants to be watched."""
        self.asked.add(Path(path).absolute())

    def unwatch(self, path: str) -> None:
        """What it no longer wants."""
        self.asked.discard(Path(path).absolute())

    def shutdown(self, wait: bool = False) -> None:
        """Ends the server."""
        self.watcher.stop()
        super().shutdown(wait)
        if self.config:
            self.config.plugins.on_shutdown()

    def build(self) -> None:
        """Builds the site; what keeps it from being built is what all addresses show from now on."""
        with _heard() as records, _clock_kept():
            try:
                config = self._load()
                build_site(config, serve_url=self.url)
                self._watch(config)
                self._annotate(config, [_text(each) for each in records if _is_about_pages(each)])
                self.failure = []
            except (Exception, SystemExit, TooLongError) as error:
                said = [_text(each) for each in records if each.levelno >= logging.ERROR and _is_about_pages(each)]
                self.failure = explain(error, self.folder, self.config, said)
                with suppress(OSError):
                    clean_directory(self.root)
        for line in self.failure:
            log.error(line)

    def _load(self) -> MkDocsConfig:
        # A strict build would end at a warning, which is for the page to show.
        config = load_config(config_file=str(self.config_file), site_dir=self.root, site_url=self.url, strict=False)
        if "perfkb" not in config.plugins:
            raise ConfigurationError("mkdocs.yml: the plugin `perfkb` is missing; the pages of stories need it")
        if self.config is None:
            config.plugins.on_startup(command="serve", dirty=False)
            config.plugins.on_serve(self, config=config, builder=self.build)
        self.config = config
        self._watch(config)
        return config

    def _watch(self, config: MkDocsConfig) -> None:
        plugin = _plugin_of(config)
        paths = {self.config_file, Path(config.docs_dir), *map(Path, config.watch), *plugin.watched(config)}
        if config.theme.custom_dir:
            paths.add(Path(config.theme.custom_dir))
        self.watcher.look_at(paths | self.asked, without=[plugin.site.base.store] if plugin.site else [])

    def _changed(self) -> None:
        with self._rebuild_cond:
            self._want_rebuild = True
            self._rebuild_cond.notify_all()

    def _annotate(self, config: MkDocsConfig, warnings: Sequence[str]) -> None:
        """Writes onto the pages what no page says itself: problems of the whole, and what MkDocs warned of."""
        plugin = _plugin_of(config)
        report = plugin.site.report if plugin.site else None
        general = [str(each) for each in report.general if each.severity == "error"] if report else []
        of_page = {uri: [line for line in warnings if f"'{uri}'" in line] for uri in plugin.pages}
        placed = {line for lines in of_page.values() for line in lines}
        everywhere = [*general, *(line for line in warnings if line not in placed)]
        for uri, address in plugin.pages.items():
            if lines := list(dict.fromkeys([*everywhere, *of_page[uri]])):
                path = Path(self.root, address)
                text = path.read_text(encoding="utf-8")
                path.write_text(text.replace(NOTES, render("notes.html", lines=lines), 1), encoding="utf-8")

    def _page_of_error(self, code: int) -> bytes:
        """What stands where there is no page; it reloads itself like all others."""
        epoch = self._visible_epoch
        if self.failure:
            page = render("preview.html", lines=self.failure).encode()
        else:
            try:
                page = Path(self.root, f"{code}.html").read_bytes()
            except OSError:
                page = b"<!doctype html><title>Nothing here</title>There is nothing at this address."
        made: bytes = self._inject_js_into_html(page, epoch)  # type: ignore[no-untyped-call]  # MkDocs' own
        return made


def _plugin_of(config: MkDocsConfig) -> PerfkbPlugin:
    plugin = config.plugins["perfkb"]
    assert isinstance(plugin, PerfkbPlugin)  # noqa: S101  # the entry point is ours
    return plugin


def _is_about_pages(record: logging.LogRecord) -> bool:
    """Whether MkDocs says it: what we say ourselves stands on the page it is about already."""
    return not record.name.startswith(("mkdocs.plugins.perfkb", "mkdocs.plugins.mkdocs_macros"))


def _text(record: logging.LogRecord) -> str:
    return " ".join(record.getMessage().split())


class _Ear(logging.Handler):
    """Keeps warnings and errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def _heard() -> Iterator[list[logging.LogRecord]]:
    """Everything that MkDocs and its plugins warn of within."""
    ear = _Ear()
    logger = logging.getLogger("mkdocs")
    logger.addHandler(ear)
    try:
        yield ear.records
    finally:
        logger.removeHandler(ear)


@contextmanager
def _clock_kept() -> Iterator[None]:
    """Leaves the clock in the environment as it was, however a build ends."""
    before = os.environ.get(EPOCH)
    try:
        yield
    finally:
        os.environ.pop(EPOCH, None)
        if before is not None:
            os.environ[EPOCH] = before


@contextmanager
def _orderly_end() -> Iterator[None]:
    """A SIGTERM ends the preview like an interruption at the keyboard, so that nothing is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
