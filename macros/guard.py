"""Pages that cannot hang or end the build, whatever their Markdown is."""

import logging

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import get_toc

from ingest.errors import Problem, Where
from ingest.limits import SECONDS_A_TEXT, TooLongError, time_limit
from macros.html import render

log = logging.getLogger("mkdocs.plugins.perfkb")

MAX_HTML = 4 * 1024 * 1024


class GuardedPage(Page):
    """The page of a story, whose Markdown is rendered under a limit: a placeholder stands for what goes wrong."""

    def __init__(self, file: File, config: MkDocsConfig, path: str) -> None:
        super().__init__(None, file, config)
        self.path = path

    def render(self, config: MkDocsConfig, files: Files) -> None:
        """Renders the narrative, or says why it cannot be."""
        why = self._try(config, files)
        if why:
            problem = Problem(Where(self.path), "PK008", why, "write less into one story, or link to it")
            log.error(str(problem))
            self.content = mistake(str(problem))
            self.toc, self.present_anchor_ids, self.links_to_anchors = get_toc([]), set(), None

    def _try(self, config: MkDocsConfig, files: Files) -> str:
        try:
            with time_limit(SECONDS_A_TEXT):
                super().render(config, files)
        except TooLongError:
            return f"rendering the text takes longer than {SECONDS_A_TEXT:g} seconds"
        except RecursionError:
            return "the text is nested too deep to be rendered"
        except Exception as error:  # whatever Markdown and its extensions raise, it is about this text only
            return f"the text cannot be rendered: {type(error).__name__}"
        if len(self.content or "") > MAX_HTML:
            return f"the text makes a page of more than {MAX_HTML:,} characters"
        return ""


def mistake(text: str) -> str:
    """What stands on a page for a part of it that could not be made."""
    return render("mistake.html", text=text)
