"""The MkDocs plugin `perfkb`: story pages, charts, data files and the product's theme.

It only carries things over: what a page says is made in `macros.pages`, what a chart
shows in `ingest.charts`.
"""

import logging
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment
from mkdocs.config import config_options
from mkdocs.config.base import Config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, PluginError
from mkdocs.livereload import LiveReloadServer
from mkdocs.plugins import BasePlugin, event_priority
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink
from mkdocs.utils import get_relative_url

from ingest.charts.numbers import days_csv, hours_csv
from ingest.errors import UserError
from ingest.evidence import Facts
from ingest.limits import SECONDS_A_PAGE, TooLongError, time_limit
from ingest.pins import pinned_files
from macros.card import CARD, SIZE, TAGLINE, card
from macros.feeds import feeds_by_page, shared_feeds, story_feeds, write_feed
from macros.guard import GuardedPage, mistake
from macros.impact import impact_files, quarter_pages
from macros.pages import safe_headings, story_page, story_source
from macros.policy import write_headers
from macros.published import stories_json
from macros.search import FOLDER, drop_index_of_material, indexer, searchable, write_index
from macros.site import Site, load_site
from macros.warm import Warm, WarmTemplates

log = logging.getLogger("mkdocs.plugins.perfkb")

THEME = Path(__file__).parent / "theme"
THEME_SEARCH = Path(__file__).parent / "theme_search"
TEMPLATES = Path(__file__).parent / "templates"
CHECKOUT = (Path(__file__).parent.parent / "pyproject.toml").is_file()
EPOCH = "SOURCE_DATE_EPOCH"
NOTES = "<!-- perfkb: notes -->"
"""Where a preview writes onto a page what is wrong with it."""


def assets(theme: Path, kind: str) -> list[str]:
    """The stylesheets or javascripts of a theme's folder, `perfkb` itself first."""
    return [f"assets/{kind}/{path.name}" for path in sorted((theme / "assets" / kind).iterdir(), key=lambda p: p.stem)]


class PerfkbConfig(Config):
    """The plugin's keys in mkdocs.yml: none are needed."""

    root = config_options.Optional(config_options.Type(str))
    """The knowledge base's folder, relative to mkdocs.yml; by default mkdocs.yml's own."""
    search = config_options.Choice(("pagefind", "material"), default="pagefind")
    """What makes the search index of a built site; a preview always has Material's."""


class PerfkbPlugin(BasePlugin[PerfkbConfig]):
    """Publishes the stories of the knowledge base around mkdocs.yml."""

    def __init__(self) -> None:
        self.site: Site | None = None
        self.previewing = False
        self.indexer: Path | None = None
        self.warm = Warm()
        self.templates = WarmTemplates()
        self.slugs: dict[str, str] = {}
        self.pages: dict[str, str] = {}
        self.epoch_before: str | None = None

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:  # noqa: ARG002
        """Keeps this one instance over the rebuilds of a preview."""
        self.previewing = command == "serve"

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Reads the knowledge base, and puts the product's theme under the company's."""
        if "macros" not in config.plugins:
            raise PluginError("mkdocs.yml: the plugin `macros` is missing; the pages in content/ need it")
        self.site = self._load(config)
        settings = self.site.settings
        config.site_name = settings.name
        config.site_url = config.site_url or settings.url
        self.indexer = self._indexer(config)
        themes = [THEME, THEME_SEARCH] if self.indexer else [THEME]
        own = 1 if config.theme.custom_dir else 0
        config.theme.dirs[own:own] = map(str, themes)
        config.extra_css[:0] = [path for theme in themes for path in assets(theme, "stylesheets")]
        scripts = [path for theme in themes for path in assets(theme, "javascripts")]
        config.extra_javascript = [*scripts, *config.extra_javascript]
        config.extra["perfkb"] = self._shown_everywhere()
        self._share_clock()
        return config

    def _indexer(self, config: MkDocsConfig) -> Path | None:
        """What makes the search index; None where Material does, or where the site has no search."""
        if self.previewing or self.config.search == "material" or "material/search" not in config.plugins:
            return None
        found = indexer()
        if not found:
            log.warning(
                "Pagefind is not installed here, so every reader loads Material's whole search index "
                "(`search: material` below the plugin `perfkb` in mkdocs.yml wants no other)"
            )
        return found

    def _share_clock(self) -> None:
        """Gives MkDocs the knowledge base's own clock, for the dates in the sitemap, while it builds."""
        assert self.site is not None  # noqa: S101  # on_config sets it
        clock = self.site.base.clock
        self.epoch_before = os.environ.get(EPOCH)
        if clock.fixed:
            os.environ[EPOCH] = str(min(int(clock.now.timestamp()), 2**32 - 1))

    def _give_back_clock(self) -> None:
        if self.epoch_before is None:
            os.environ.pop(EPOCH, None)
        else:
            os.environ[EPOCH] = self.epoch_before

    @event_priority(-100)
    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Makes the search index, says beside the pages what they may do in a browser, and gives the clock back."""
        site = Path(config.site_dir)
        if self.indexer:
            drop_index_of_material(site)
            try:
                write_index(site, self.indexer)
            except UserError as error:  # readers still have the filter of all stories
                log.error(str(error))
        write_headers(site, wasm=(site / FOLDER).is_dir())
        self._give_back_clock()

    def on_build_error(self, *, error: Exception) -> None:  # noqa: ARG002
        """Leaves the environment as it was."""
        self._give_back_clock()

    def root_of(self, config: MkDocsConfig) -> Path:
        """The knowledge base's folder."""
        return Path(config.config_file_path).parent / (self.config.root or ".")

    def _load(self, config: MkDocsConfig) -> Site:
        try:
            site = load_site(self.root_of(config).resolve(), drafts=self.previewing, warm=self.warm)
        except UserError as error:
            raise PluginError(str(error)) from None
        for problem in site.report.problems:
            # Under --strict MkDocs counts these, and refuses to publish.
            (log.warning if problem.severity == "error" else log.info)(str(problem))
        if not self.previewing and any(each.where.path.startswith("site-config/") for each in site.report.errors):
            raise Abort("site-config/ has mistakes; nothing was built")
        return site

    def _shown_everywhere(self) -> dict[str, Any]:
        """What every page says: that this is a sample, when it was built, and from when the newest data is."""
        assert self.site is not None  # noqa: S101  # on_config sets it
        clock, newest = self.site.base.clock, self.site.newest_data
        return {
            "sample_clock": clock.now.strftime("%-d %B %Y, %H:%M UTC") if self.site.settings.now else None,
            "newest_data": newest.strftime("%Y-%m-%dT%H:%M:%SZ") if newest and not clock.fixed else None,
            "built": clock.now.strftime("%-d %B %Y, %H:%M UTC"),
            "data_until": newest.strftime("%-d %B %Y, %H:%M UTC") if newest else None,
            "report_form": self.site.settings.report_form,
            "silent_after": int(self.site.settings.freshness.error.total_seconds()),
            "description": TAGLINE,
            "card": CARD,
            "card_size": SIZE,
            "feeds": feeds_by_page(self.site),
        }

    def on_files(self, files: Files, *, config: MkDocsConfig) -> Files:
        """Adds a page a story, its charts and their numbers, and the stories as data."""
        self.slugs, self.pages = {}, {}
        there = {file.dest_uri: file.src_uri for file in files}
        for made in self._generated(config):
            if found := there.get(made.dest_uri):
                if found == CARD:  # the company's own
                    continue
                raise PluginError(f"content/{found} stands where a file of a story belongs; rename one of them")
            files.append(made)
        return files

    def _generated(self, config: MkDocsConfig) -> Iterator[File]:
        assert self.site is not None  # noqa: S101  # on_config sets it
        for facts in self.site.facts.values():
            page = self._page(config, f"stories/{facts.slug}.md", story_source(facts))
            page.edit_uri = f"../{facts.story.path}"
            GuardedPage(page, config, facts.story.path)
            self.slugs[page.src_uri] = facts.slug
            yield page
            yield from self._data_files(config, facts)
        for path, source in quarter_pages(self.site).items():
            yield self._page(config, path, source)
        texts = {
            "priorities.svg": self.site.priorities_chart.svg,
            "priorities.csv": self.site.priorities_chart.csv,
            "stories.json": stories_json(self.site),
            **impact_files(self.site),
            **{feed.path: write_feed(self.site, feed) for feed in shared_feeds(self.site)},
        }
        for name, text in texts.items():
            yield File.generated(config, name, content=text)
        if config.site_url:
            yield File.generated(config, CARD, content=card(self.site.settings.name))

    def _data_files(self, config: MkDocsConfig, facts: Facts) -> Iterator[File]:
        assert self.site is not None  # noqa: S101  # on_config sets it
        for stem, drawn in self.site.charts[facts.slug].items():
            yield File.generated(config, f"stories/{facts.slug}/{stem}.svg", content=drawn.file)
            if drawn.place.kind != "series":  # whose steps and days follow
                yield File.generated(config, f"stories/{facts.slug}/{stem}.csv", content=drawn.chart.csv)
        for name, series in facts.series.items():
            stem = f"stories/{facts.slug}/{name}"
            for ending, make in ((".csv", hours_csv), (".days.csv", days_csv)):
                text = self.warm.of_this((stem, ending), series, partial(make, series))
                yield File.generated(config, stem + ending, content=text)
        for feed in story_feeds(self.site, facts):
            text = self.warm.of_this((facts.slug, feed.path), facts, partial(write_feed, self.site, feed))
            yield File.generated(config, feed.path, content=text)
        for path in pinned_files(self.site.base.root, facts.slug, self.site.base.pins[facts.slug]):
            address = path.relative_to(self.site.base.root).as_posix()
            yield File.generated(config, address, abs_src_path=str(path))

    @staticmethod
    def _page(config: MkDocsConfig, path: str, source: str) -> File:
        # Out of the navigation a page stays small, and is built in a third of the time.
        return File.generated(config, path, content=source, inclusion=InclusionLevel.NOT_IN_NAV)

    def on_nav(self, nav: Navigation, *, config: MkDocsConfig, files: Files) -> Navigation:  # noqa: ARG002
        """Hangs the story pages below the list of stories, for breadcrumbs and the active tab."""
        overview = files.get_file_from_path("stories/index.md")
        parent = overview.page.parent if overview and overview.page else None
        for path in self.slugs:
            file = files.get_file_from_path(path)
            if file and file.page and parent:
                file.page.parent = parent
        return nav

    def on_env(self, env: Environment, *, config: MkDocsConfig, files: Files) -> Environment:  # noqa: ARG002
        """Spares a preview compiling the theme at every save."""
        if self.previewing:
            env.bytecode_cache = self.templates
        return env

    @event_priority(100)
    def on_page_markdown(self, markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG002
        """Refuses to go on where a story's page is not closed to templates, whatever the reason."""
        if page.file.src_uri in self.slugs and page.meta.get("render_macros") is not False:
            raise PluginError(f"{page.file.src_uri}: its front matter was not read; templates could run in it")
        return markdown

    @event_priority(-50)
    def on_page_content(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG002
        """Makes a story's narrative safe, and puts its facts around it."""
        self.pages[page.file.src_uri] = page.file.dest_uri
        made = self._content(html, page)
        if self.indexer:
            made = searchable(made, page.meta)
            page.meta["search"] = {"exclude": True}  # from Material's index, which nobody will load
        return f"{NOTES}{made}" if self.previewing else made

    def _content(self, html: str, page: Page) -> str:
        slug = self.slugs.get(page.file.src_uri)
        if slug is None or self.site is None:
            return html
        facts = self.site.facts[slug]
        here = get_relative_url(f"stories/{slug}/", page.url)
        here = "" if here in (".", "./") else here.rstrip("/") + "/"
        try:
            with time_limit(SECONDS_A_PAGE):
                made = story_page(self.site, facts, html, page.url, here)
                page.toc.items[:] = safe_headings(page.toc.items)
        except (Exception, TooLongError) as error:  # one story must not keep the others from being published
            log.error("%s: its page cannot be made: %s: %s", facts.story.path, type(error).__name__, error)
            page.toc.items.clear()
            return mistake("The page of this story cannot be made.")
        for section in made.sections:
            page.toc.items.append(AnchorLink(section.title, section.id, 2))
        return made.html

    def watched(self, config: MkDocsConfig) -> list[Path]:
        """What a preview is made from beside content/ and mkdocs.yml; never the store, which `refresh` writes."""
        made_from = [self.root_of(config) / name for name in ("stories", "site-config")]
        # Of an installed product nothing changes.
        return [*made_from, THEME, TEMPLATES] if CHECKOUT else made_from

    def on_serve(self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Any) -> LiveReloadServer:  # noqa: ARG002
        """Rebuilds when a story or the configuration is saved."""
        for folder in self.watched(config):
            if folder.is_dir():
                server.watch(str(folder))
        return server
