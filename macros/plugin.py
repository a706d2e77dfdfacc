"""The MkDocs plugin `perfkb`: story pages, charts, data files and the product's theme.

It only carries things over: what a page says is made in `macros.pages`, what a chart
shows in `ingest.charts`.
"""

import logging
import os
from pathlib import Path
from typing import Any, Literal

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
from macros.pages import safe_headings, story_page, story_source
from macros.site import Site, load_site, stories_json

log = logging.getLogger("mkdocs.plugins.perfkb")

THEME = Path(__file__).parent / "theme"
STYLESHEETS = [
    f"assets/stylesheets/{path.name}"
    for path in sorted((THEME / "assets/stylesheets").glob("perfkb*.css"), key=lambda path: path.stem)
]
EPOCH = "SOURCE_DATE_EPOCH"
SCRIPT = "assets/javascripts/perfkb.js"


class PerfkbConfig(Config):
    """The plugin's keys in mkdocs.yml: none are needed."""

    root = config_options.Optional(config_options.Type(str))
    """The knowledge base's folder, relative to mkdocs.yml; by default mkdocs.yml's own."""


class PerfkbPlugin(BasePlugin[PerfkbConfig]):
    """Publishes the stories of the knowledge base around mkdocs.yml."""

    def __init__(self) -> None:
        self.site: Site | None = None
        self.previewing = False
        self.slugs: dict[str, str] = {}
        self.epoch_before: str | None = None

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:  # noqa: ARG002
        """Keeps this one instance over the rebuilds of a preview."""
        self.previewing = command == "serve"

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Reads the knowledge base, and puts the product's theme under the company's."""
        self.site = self._load(config)
        settings = self.site.settings
        config.site_name = settings.name
        config.site_url = config.site_url or settings.url
        config.theme.dirs.insert(1 if config.theme.custom_dir else 0, str(THEME))
        config.extra_css[:0] = STYLESHEETS
        config.extra_javascript = [SCRIPT, *config.extra_javascript]
        config.extra["perfkb"] = self._shown_everywhere()
        self._share_clock()
        return config

    def _share_clock(self) -> None:
        """Gives MkDocs the knowledge base's own clock, for the dates in the sitemap, while it builds."""
        assert self.site is not None  # noqa: S101  # on_config sets it
        clock = self.site.base.clock
        self.epoch_before = os.environ.get(EPOCH)
        if clock.fixed:
            os.environ[EPOCH] = str(int(clock.now.timestamp()))

    def _give_back_clock(self) -> None:
        if self.epoch_before is None:
            os.environ.pop(EPOCH, None)
        else:
            os.environ[EPOCH] = self.epoch_before

    def on_post_build(self, *, config: MkDocsConfig) -> None:  # noqa: ARG002
        """Leaves the environment as it was."""
        self._give_back_clock()

    def on_build_error(self, *, error: Exception) -> None:  # noqa: ARG002
        """Leaves the environment as it was."""
        self._give_back_clock()

    def _load(self, config: MkDocsConfig) -> Site:
        root = Path(config.config_file_path).parent / (self.config.root or ".")
        try:
            site = load_site(root.resolve(), drafts=self.previewing)
        except UserError as error:
            raise PluginError(str(error)) from None
        for problem in site.report.problems:
            # Under --strict MkDocs counts these, and refuses to publish.
            (log.warning if problem.severity == "error" else log.info)(str(problem))
        if not self.previewing and any(each.where.path.startswith("site-config/") for each in site.report.errors):
            raise Abort("site-config/ has mistakes; nothing was built")
        return site

    def _shown_everywhere(self) -> dict[str, Any]:
        """What every page says: that this is a sample, and from when the newest data is."""
        assert self.site is not None  # noqa: S101  # on_config sets it
        clock, newest = self.site.base.clock, self.site.newest_data
        return {
            "sample_clock": clock.now.strftime("%-d %B %Y, %H:%M UTC") if self.site.settings.now else None,
            "newest_data": newest.strftime("%Y-%m-%dT%H:%M:%SZ") if newest and not clock.fixed else None,
            "silent_after": int(self.site.settings.freshness.error.total_seconds()),
        }

    def on_files(self, files: Files, *, config: MkDocsConfig) -> Files:
        """Adds a page a story, its charts and their numbers, and the stories as data."""
        assert self.site is not None  # noqa: S101  # on_config sets it
        self.slugs = {}
        for facts in self.site.facts.values():
            page = self._page(config, f"stories/{facts.slug}.md", story_source(facts))
            page.edit_uri = f"../{facts.story.path}"
            self.slugs[page.src_uri] = facts.slug
            files.append(page)
            for stem, drawn in self.site.charts[facts.slug].items():
                files.append(File.generated(config, f"stories/{facts.slug}/{stem}.svg", content=drawn.chart.svg))
                if drawn.place.kind != "series":  # whose steps and days follow
                    files.append(File.generated(config, f"stories/{facts.slug}/{stem}.csv", content=drawn.chart.csv))
            for name, series in facts.series.items():
                stem = f"stories/{facts.slug}/{name}"
                files.append(File.generated(config, f"{stem}.csv", content=hours_csv(series)))
                files.append(File.generated(config, f"{stem}.days.csv", content=days_csv(series)))
        files.append(File.generated(config, "stories.json", content=stories_json(self.site)))
        return files

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

    @event_priority(100)
    def on_page_markdown(self, markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG002
        """Refuses to go on where a story's page is not closed to templates, whatever the reason."""
        if page.file.src_uri in self.slugs and page.meta.get("render_macros") is not False:
            raise PluginError(f"{page.file.src_uri}: its front matter was not read; templates could run in it")
        return markdown

    @event_priority(-50)
    def on_page_content(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG002
        """Makes a story's narrative safe, and puts its facts around it."""
        slug = self.slugs.get(page.file.src_uri)
        if slug is None or self.site is None:
            return html
        facts = self.site.facts[slug]
        here = get_relative_url(f"stories/{slug}/", page.url)
        here = "" if here in (".", "./") else here.rstrip("/") + "/"
        made = story_page(self.site, facts, html, page.url, here)
        page.toc.items[:] = safe_headings(page.toc.items)
        for section in made.sections:
            page.toc.items.append(AnchorLink(section.title, section.id, 2))
        return made.html

    def on_serve(self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Any) -> LiveReloadServer:  # noqa: ARG002
        """Rebuilds when a story or the configuration is saved."""
        root = Path(config.config_file_path).parent / (self.config.root or ".")
        for folder in ("stories", "site-config"):
            if (root / folder).is_dir():
                server.watch(str(root / folder))
        return server
